// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include "peers/boost_map.hpp"
#include "peers/lmdb.hpp"
#include "peers/redis.hpp"
#include "peers/robust_mutex.hpp"
#include "peers/rocksdb.hpp"
#include "peers/sqlite.hpp"
#if defined(PERDURE_PERF_WITH_PERDURE)
#include "perdure_engine.hpp"
#endif

#include <algorithm>

namespace perdure::perf {
namespace {

struct entry {
    std::string_view name;
    std::unique_ptr<engine> (*make)();
};

constexpr entry built_in[] = {
#if defined(PERDURE_PERF_WITH_PERDURE)
    {"perdure", make_perdure},
    {"perdure-ahead", make_perdure_ahead},
#endif
    {"lmdb", make_lmdb},
    {"boost-mutex", make_boost_mutex},
    {"boost-striped", make_boost_striped},
    {"robust-mutex", make_robust_mutex},
    {"rocksdb", make_rocksdb},
    {"sqlite", make_sqlite},
    {"redis", make_redis},
};

const entry* find(std::string_view name) noexcept {
    const auto* const found = std::find_if(std::begin(built_in), std::end(built_in),
                                           [&](const entry& one) { return one.name == name; });
    return found == std::end(built_in) ? nullptr : found;
}

}  // namespace

bool is_built_in(std::string_view name) noexcept { return find(name) != nullptr; }

std::unique_ptr<engine> make_engine(std::string_view name) {
    const entry* const found = find(name);
    if (found == nullptr) throw engine_failure("no engine is called " + std::string(name));
    return found->make();
}

}  // namespace perdure::perf
