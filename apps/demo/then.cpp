// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <filesystem>
#include <perdure/apps/demo/then.hpp>
#include <perdure/io/audit.hpp>
#include <perdure/io/restore.hpp>

namespace perdure::apps {
namespace {

namespace fs = std::filesystem;

/// Takes directory and region away again.
struct passing_world {
    std::string path;
    explicit passing_world(std::string where) : path(std::move(where)) {}
    passing_world(const passing_world&) = delete;
    passing_world& operator=(const passing_world&) = delete;
    ~passing_world() {
        std::error_code ignored;
        const auto region = fs::read_symlink(path + "/region", ignored);
        if (!region.empty()) fs::remove(region, ignored);
        fs::remove_all(path, ignored);
    }
};

}  // namespace

restored_past restore_then(const std::string& directory, std::uint64_t lsn,
                           const outside_books& books) {
    const auto began = std::chrono::steady_clock::now();
    const passing_world made(directory + ".then");
    io::restore_order what;
    what.from = directory;
    what.to = made.path;
    what.point = {io::past_point::kind::lsn, lsn};
    what.how.region.ring_bytes = 64 << 10;
    what.how.validators.emplace_back(io::why_unbalanced);
    io::kernel_calls calls;
    restored_past out;
    out.lsn = io::restore_world(calls, what).lsn;
    out.milliseconds =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
    world then = world::open(made.path, world_options{});
    session by = then.join();
    out.misplaced = books.misplaced(by, then.books(), lsn);
    out.conserved = then.verify(by).conserved;
    return out;
}

}  // namespace perdure::apps
