// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/shm/page_reserve.hpp>
#include <utility>

namespace perdure::shm {
namespace {

constexpr std::uint64_t reserve_max = 64ULL << 20;
constexpr std::uint64_t portion = 1ULL << 20;

}  // namespace

std::uint64_t page_reserve::step() noexcept {
    const auto& g = where_->geometry();
    const std::uint64_t taken = load(where_->header().page_next.value);
    const std::uint64_t used = where_->page_at(taken);
    const std::uint64_t ahead = std::min(reserve_max, taken * page_bytes / 4);
    const std::uint64_t goal = std::min(g.capacity_bytes, used + ahead) / page_bytes * page_bytes;
    ready_ = std::max(ready_, used);
    if (ready_ >= goal || taken == refused_) return 0;
    const std::uint64_t end = std::min(goal, ready_ + portion);
    if (!where_->commit_pages((end - g.pages_at) / page_bytes)) {
        refused_ = taken;
        return 0;
    }
    where_->populate(ready_, end);
    return end - std::exchange(ready_, end);
}

}  // namespace perdure::shm
