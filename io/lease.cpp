// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/lease.hpp>

namespace perdure::io {

result<> lease::take() {
    if (held_) return {};
    if (!lock_.is_open()) {
        lock_ = PERDURE_TRY(files_->open(directory_ + "/lock", open_mode::open_or_create));
    }
    if (!PERDURE_TRY(lock_.try_lock(true))) return errc::lease_held;
    held_ = true;
    return {};
}

void lease::give_back() noexcept {
    if (!held_) return;
    held_ = false;
    if (!lock_.unlock()) lock_.close();
}

}  // namespace perdure::io
