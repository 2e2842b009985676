// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/key_retention.hpp>

namespace perdure {
namespace {

constexpr std::uint64_t rows_a_step = 4096;
constexpr std::size_t keys_a_step = 64;
// A keeper has better things to do than to wait for a row.
constexpr std::chrono::milliseconds patience{2};

}  // namespace

/// Not before a sixteenth of what is kept has come in since the last walk.
bool key_retention::begins_walk() noexcept {
    const std::uint64_t now = shm::next_lsn(*where_);
    if (now <= kept_) return false;
    if (now - kept_ - oldest_ <= kept_ / 16) return false;
    oldest_ = now - kept_;
    row_ = 0;
    end_ = shm::peek(where_->descriptor(keys_).row_high);
    return true;
}

void key_retention::step() noexcept {
    if (row_ == end_ && !begins_walk()) return;
    std::array<shm::row_key, keys_a_step> due;
    std::size_t count = 0;
    const std::uint64_t stop = std::min(end_, row_ + rows_a_step);
    for (; row_ < stop && count < due.size(); ++row_) {
        const std::uint64_t at = shm::locate(*where_, keys_, row_);
        if (at == 0) continue;
        // A hint, read beside writers: the transaction looks again.
        const auto& seen = *where_->at<key_row>(at);
        if (shm::peek(seen.header.live) != 1 || shm::peek(seen.retained) == 0) continue;
        if (shm::peek(seen.header.lsn) >= oldest_) continue;
        due[count++] = {shm::peek(seen.key.high), shm::peek(seen.key.low)};
    }
    if (count != 0) drop(std::span(due).first(count));
}

void key_retention::drop(std::span<const shm::row_key> keys) noexcept {
    if (!self_) {
        // Nobody to help: this is the thread that drains.
        auto joined = shm::session::join(*where_, nullptr);
        if (!joined) return;
        self_.emplace(std::move(*joined));
    }
    const auto dropped = self_->write(
        [&](tx& by) -> result<> {
            for (const shm::row_key& key : keys) {
                const auto row = shm::get_key<key_row>(by, keys_, key);
                if (!row && row.error() == errc::not_found) continue;
                if (!row) return row.error();
                if (row->retained == 0 || row->header.lsn >= oldest_) continue;
                PERDURE_TRY(shm::erase_key(by, keys_, key));
            }
            return {};
        },
        shm::deadline::in(patience));
    static_cast<void>(dropped);
}

}  // namespace perdure
