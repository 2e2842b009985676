// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/leftovers.hpp>

namespace perdure {
namespace {

constexpr int sweeps_a_step = 4;
// A keeper has better things to do than to wait for a row.
constexpr std::chrono::milliseconds patience{2};

}  // namespace

void leftovers::step() noexcept {
    if (!blobs_.has_leftovers(*where_)) {
        self_.reset();  // The slot is somebody else's to use.
        return;
    }
    if (!self_) {
        // Nobody to help: this is the thread that drains.
        auto joined = shm::session::join(*where_, nullptr);
        if (!joined) return;
        self_.emplace(std::move(*joined));
    }
    for (int i = 0; i < sweeps_a_step; ++i) {
        const auto swept = blobs_.sweep(*self_, shm::deadline::in(patience));
        if (!swept || !*swept) return;
    }
}

}  // namespace perdure
