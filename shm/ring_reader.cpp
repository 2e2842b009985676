// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/ring_reader.hpp>

namespace perdure::shm {
namespace {

constexpr int anchor_tries = 64;

struct seen_header {
    std::uint64_t lsn;
    record_state state;
    std::uint32_t bytes;
};

/// What stands there, whatever it is: unlike look(), for places that may be overwritten meanwhile.
seen_header glance(const region& where, std::uint64_t position) noexcept {
    auto& header = ring_header(where, position);
    // The state first: pairs with publish(), so that a committed record's bytes are there.
    const std::uint64_t packed = load(state_word(header));
    return {peek(header.lsn), state_in(packed), bytes_in(packed)};
}

bool is_sound(const seen_header& seen, const region& where) noexcept {
    return seen.state >= record_state::claimed && seen.state <= record_state::padding &&
           seen.bytes >= sizeof(record_header) && seen.bytes % record_alignment == 0 &&
           seen.bytes <= record_bytes_max(where);
}

}  // namespace

bool ring_reader::is_intact(std::uint64_t position) const noexcept {
    std::atomic_thread_fence(std::memory_order_acquire);  // What was copied, before what follows.
    const auto& header = where_->header();
    if (peek(header.head.value) <= position) return true;
    const std::uint64_t reach =
        peek(header.producer.tail) + record_bytes_max(*where_) + sizeof(record_header);
    return position + where_->geometry().ring_bytes > reach;  // V1
}

/// Stands at the head: the one place where a record is known to begin.
bool ring_reader::set_anchor() noexcept {
    for (int turn = 0; turn < anchor_tries; ++turn) {
        const std::uint64_t head = load(where_->header().head.value);
        const std::uint64_t lsn = load(ring_header(*where_, head).lsn);
        if (!is_intact(head)) continue;
        position_ = head;
        lsn_ = lsn;
        return lsn != 0;
    }
    return false;
}

/// Why the bytes at `position` are no record: overwritten, or broken.
errc ring_reader::judge(std::uint64_t position) const noexcept {
    if (!is_intact(position)) return errc::not_found;
    where_->report_garbled(errc::garbled);
    return errc::garbled;
}

result<ring_place> ring_reader::seek(std::uint64_t lsn) noexcept {
    if (lsn_ != 0 && !is_intact(position_)) lsn_ = 0;
    if (lsn_ == 0 || lsn_ > lsn) {
        // An old place above the LSN is kept while it can be: whoever reads files up to it, however
        // fast the head runs ahead, goes on there. But one who goes back may find it in the ring.
        const ring_reader kept = *this;
        if (!set_anchor()) return errc::garbled;
        if (lsn_ > lsn && kept.lsn_ != 0) *this = kept;
        if (lsn_ > lsn) return ring_place::gone;
    }
    const std::uint64_t tail = load(where_->header().producer.tail);
    std::uint64_t at = position_;
    std::uint64_t number = lsn_;
    while (number < lsn && at < tail) {
        const auto seen = glance(*where_, at);
        if (seen.lsn != number || !is_sound(seen, *where_)) {
            if (judge(at) != errc::not_found) return errc::garbled;
            lsn_ = 0;
            return ring_place::gone;
        }
        at += seen.bytes;
        ++number;
    }
    if (!is_intact(position_)) {
        lsn_ = 0;
        return ring_place::gone;
    }
    position_ = at;
    lsn_ = number;
    return number == lsn ? ring_place::here : ring_place::ahead;
}

result<std::size_t> ring_reader::read(std::uint64_t lsn, std::uint64_t last_lsn,
                                      std::size_t bytes_max, std::vector<std::byte>& target) {
    PERDURE_ASSERT(lsn_ == lsn);
    const std::uint64_t tail = load(where_->header().producer.tail);
    std::uint64_t end = position_;
    std::uint64_t number = lsn_;
    while (end < tail && number <= last_lsn && end - position_ < bytes_max) {
        const auto seen = glance(*where_, end);
        if (seen.lsn != number || !is_sound(seen, *where_)) return judge(end);
        if (seen.state == record_state::claimed) break;
        end += seen.bytes;
        ++number;
    }
    const auto bytes = static_cast<std::size_t>(end - position_);
    if (bytes == 0) return bytes;
    if (target.size() < bytes) target.resize(bytes);
    // Whole words, because a producer may be storing over them; then they do not count.
    const auto& g = where_->geometry();
    const std::uint64_t from = position_ & (g.ring_bytes - 1);
    const std::uint64_t first = std::min<std::uint64_t>(g.ring_bytes - from, bytes);
    copy_out(target.data(), where_->at<std::byte>(g.ring_at + from), first);
    copy_out(target.data() + first, where_->at<std::byte>(g.ring_at), bytes - first);
    if (!planted(bug::ring_unchecked) && !is_intact(position_)) return errc::not_found;
    position_ = end;
    lsn_ = number;
    return bytes;
}

bool ring_reader::is_ready() const noexcept {
    if (position_ >= load(where_->header().producer.tail)) return false;
    return glance(*where_, position_).state != record_state::claimed;
}

}  // namespace perdure::shm
