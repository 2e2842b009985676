// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/ring.hpp>

namespace perdure::shm {
namespace {

constexpr std::uint64_t prefetched_bytes = 5 * cache_line;  // A transfer's record.

std::byte* ring_byte(const region& where, std::uint64_t position) noexcept {
    const auto& g = where.geometry();
    return where.at<std::byte>(g.ring_at + (position & (g.ring_bytes - 1)));
}

/// How many bytes from `position` lie before the ring's end.
std::uint64_t until_end(const region& where, std::uint64_t position) noexcept {
    const auto ring = where.geometry().ring_bytes;
    return ring - (position & (ring - 1));
}

}  // namespace

std::uint64_t next_lsn(const region& where) noexcept {
    for (;;) {
        const auto tail = load(where.header().producer.tail);
        const auto lsn = load(ring_header(where, tail).lsn);
        if (load(where.header().producer.tail) == tail) return lsn;
    }
}

result<ring_claim> claim(region& where, std::uint32_t slot, std::uint32_t bytes) noexcept {
    auto& producer = where.header().producer;
    PERDURE_ASSERT(peek(producer.lock) == slot + 1);
    const std::uint64_t tail = peek(producer.tail);
    const std::uint64_t head = load(where.header().head.value);
    PERDURE_ASSERT(head <= tail);  // R1
    if (tail + bytes + sizeof(record_header) - head > where.geometry().ring_bytes) {
        return errc::stalled;
    }
    auto& header = ring_header(where, tail);
    const std::uint64_t lsn = peek(header.lsn);
    if (lsn == 0) return errc::garbled;
    auto& control = where.slot(slot);
    PERDURE_CRASH_POINT("claim.header");
    step(state_word(header), pack_state(bytes, slot + 1, record_state::claimed));
    if (!planted(bug::tail_before_claim)) {
        // Before the tail: a death in between leaves a claim at the tail, which repair resolves;
        // the other way round nobody would know whose CLAIMED record it is.
        PERDURE_CRASH_POINT("claim.slot");
        step(control.claim, tail);
    }
    auto& following = ring_header(where, tail + bytes);
    PERDURE_CRASH_POINT("claim.next_lsn");
    step(following.lsn, lsn + 1);
    PERDURE_CRASH_POINT("claim.next_state");
    step(state_word(following), pack_state(0, 0, record_state::free));
    // One store moves position and LSN together (R2).
    PERDURE_CRASH_POINT("claim.tail");
    step(producer.tail, tail + bytes);
    // The next record's lines: whoever writes them meets no miss while it holds its rows.
    for (std::uint64_t ahead = 0; ahead < prefetched_bytes; ahead += cache_line) {
        __builtin_prefetch(ring_byte(where, tail + bytes + ahead), 1);
    }
    if (planted(bug::tail_before_claim)) {
        PERDURE_CRASH_POINT("claim.slot");
        step(control.claim, tail);
    }
    return ring_claim{tail, lsn};
}

void publish(region& where, std::uint32_t slot, const ring_claim& place,
             std::span<const std::byte> record) noexcept {
    constexpr std::uint64_t front = sizeof(record_header);
    const auto body = record.subspan(front);
    const auto bytes = static_cast<std::uint32_t>(record.size());
    const std::uint64_t committed = pack_state(bytes, slot + 1, record_state::committed);
    if (planted(bug::publish_before_copy)) {
        step(state_word(ring_header(where, place.position)), committed);
    }
    PERDURE_CRASH_POINT("publish.copy");
    const std::uint64_t from = place.position + front;
    const std::uint64_t first = std::min<std::uint64_t>(until_end(where, from), body.size());
    std::memcpy(ring_byte(where, from), body.data(), first);
    if (first < body.size()) {
        PERDURE_CRASH_POINT("publish.wrap");
        std::memcpy(ring_byte(where, from + first), body.data() + first, body.size() - first);
    }
    PERDURE_CRASH_POINT("publish.commit");
    step(state_word(ring_header(where, place.position)), committed);  // The one commit point.
}

void void_claim(region& where, std::uint32_t slot, std::uint64_t position) noexcept {
    auto& header = ring_header(where, position);
    const std::uint32_t bytes = bytes_in(load(state_word(header)));
    PERDURE_CRASH_POINT("claim.padding");
    step(state_word(header), pack_state(bytes, slot + 1, record_state::padding));
}

result<ring_view> look(const region& where, std::uint64_t position) noexcept {
    auto& header = ring_header(where, position);
    const std::uint64_t packed = load(state_word(header));
    const ring_view seen{load(header.lsn), state_in(packed), participant_in(packed),
                         bytes_in(packed)};
    const bool known = seen.state >= record_state::free && seen.state <= record_state::padding;
    const bool sized = seen.state == record_state::free ||
                       (seen.bytes >= sizeof(record_header) && seen.bytes % record_alignment == 0 &&
                        seen.bytes <= record_bytes_max(where));
    if (!known || !sized || seen.lsn == 0) {
        where.report_garbled(errc::garbled);
        return errc::garbled;
    }
    return seen;
}

void read_record(const region& where, std::uint64_t position, const ring_view& seen,
                 std::vector<std::byte>& target) {
    const std::size_t at = target.size();
    if (seen.state == record_state::padding) {
        const record_header bare{seen.lsn, sizeof(record_header), 0,
                                 static_cast<std::uint16_t>(record_state::padding)};
        target.resize(at + sizeof bare);
        std::memcpy(target.data() + at, &bare, sizeof bare);
        return;
    }
    target.resize(at + seen.bytes);
    const std::uint64_t first = std::min<std::uint64_t>(until_end(where, position), seen.bytes);
    std::memcpy(target.data() + at, ring_byte(where, position), first);
    std::memcpy(target.data() + at + first, ring_byte(where, position + first), seen.bytes - first);
}

void move_head(region& where, std::uint64_t position) noexcept {
    auto& head = where.header().head.value;
    PERDURE_ASSERT(position >= peek(head) && position <= load(where.header().producer.tail));
    step(head, position);
}

}  // namespace perdure::shm
