// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <perdure/plugins/host/message_ring.hpp>
#include <perdure/shm/word.hpp>

namespace perdure::plugins {
namespace {

constexpr std::uint64_t mask = channel_ring_bytes - 1;
static_assert((channel_ring_bytes & mask) == 0);
static_assert(message_bytes_max + 2 * sizeof(message_header) < channel_ring_bytes);

// An answer takes some microseconds; who waits longer sleeps. measured: perf/plugins
constexpr int spins_before_sleep = 600;
// Whoever stores wakes who sleeps; who was not woken by an honest side lives with its own.
constexpr std::uint64_t slice_ns_max = 200'000'000;

constexpr std::uint64_t rounded(std::uint64_t bytes) noexcept { return (bytes + 7) / 8 * 8; }

/// This thread's processor, from 1.
std::uint64_t own_place() noexcept { return static_cast<std::uint64_t>(::sched_getcpu()) + 1; }

/// A word that the other side stores to, and what goes with it.
struct awaited {
    const std::uint64_t& word;
    const std::uint64_t& place;  ///< Where the other side ran when it last did.
    std::uint32_t& sleeps;       ///< Tells it that somebody wants to be woken.
};

/// Until `is_due` says true or the time is over. A side that does not look at `sleeps` costs a
/// slice.
template <class Condition>
bool await(const awaited& what, std::uint64_t until_ns, Condition&& is_due) noexcept {
    auto& waits = shm::system_park();
    if (is_due()) return true;
    // On our own processor the other side cannot go on before we sleep.
    const int spins = shm::peek(what.place) == own_place() ? 0 : spins_before_sleep;
    for (int turn = 0; turn < spins; ++turn) {
        if (is_due()) return true;
        waits.pause();
    }
    for (;;) {
        const std::uint32_t seen = shm::load(shm::low_half(what.word));
        shm::word(what.sleeps).store(1);
        // After the sign, so that who stores now either sees it or is seen.
        const bool due = is_due();
        const std::uint64_t now = waits.now_ns();
        if (!due && now < until_ns) {
            const auto slice = std::min(until_ns - now, slice_ns_max);
            waits.wait(shm::low_half(what.word), seen, std::chrono::nanoseconds(slice));
        }
        shm::word(what.sleeps).store(0);
        if (due || is_due()) return true;
        if (now >= until_ns) return false;
    }
}

/// Stores what the other side waits for, and wakes it if it sleeps.
void tell(std::uint64_t& word, std::uint64_t value, std::uint64_t& place,
          std::uint32_t& sleeps) noexcept {
    shm::put(place, own_place());
    shm::word(word).store(value);
    if (shm::word(sleeps).load() != 0) shm::system_park().wake(shm::low_half(word), 1);
}

}  // namespace

message_writer::message_writer(ring_place where) noexcept
    : ring_(where), tail_(shm::load(where.marks->tail)) {}

result<> message_writer::await_room(std::uint64_t bytes, std::uint64_t until_ns) noexcept {
    const auto used = [&] { return tail_ - shm::load(ring_.marks->head); };
    auto& marks = *ring_.marks;
    const awaited what{marks.head, marks.reader_place, marks.writer_sleeps};
    const bool has_room = await(what, until_ns, [&] {
        const std::uint64_t taken = used();
        return taken > channel_ring_bytes || channel_ring_bytes - taken >= bytes;
    });
    if (used() > channel_ring_bytes) return errc::garbled;  // M1
    if (!has_room) return errc::stalled;
    return {};
}

void message_writer::store(std::uint64_t at, std::span<const std::byte> bytes) noexcept {
    if (bytes.empty()) return;
    const std::uint64_t from = at & mask;
    const std::size_t first = std::min<std::size_t>(bytes.size(), channel_ring_bytes - from);
    std::memcpy(ring_.bytes + from, bytes.data(), first);
    std::memcpy(ring_.bytes, bytes.data() + first, bytes.size() - first);
}

result<> message_writer::send(message_kind kind, std::uint64_t number,
                              std::span<const std::byte> front, std::span<const std::byte> back,
                              std::uint64_t until_ns) noexcept {
    const std::uint64_t bytes = sizeof(message_header) + front.size() + back.size();
    if (bytes > message_bytes_max) return errc::value_too_large;
    PERDURE_TRY(await_room(rounded(bytes), until_ns));
    const message_header header{static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(kind),
                                number};
    store(tail_, std::as_bytes(std::span(&header, 1)));
    store(tail_ + sizeof header, front);
    store(tail_ + sizeof header + front.size(), back);
    tail_ += rounded(bytes);
    // M2: before the tail nobody looks at it; a death here leaves no message.
    tell(ring_.marks->tail, tail_, ring_.marks->writer_place, ring_.marks->reader_sleeps);
    return {};
}

message_reader::message_reader(ring_place where)
    : ring_(where), head_(shm::load(where.marks->head)) {
    copy_.reserve(message_bytes_max);
}

result<bool> message_reader::has_more() const noexcept {
    const std::uint64_t there = shm::load(ring_.marks->tail) - head_;
    if (there > channel_ring_bytes || there % 8 != 0) return errc::garbled;  // M1
    return there != 0;
}

void message_reader::copy(std::uint64_t at, std::span<std::byte> out) const noexcept {
    if (out.empty()) return;
    const std::uint64_t from = at & mask;
    const std::size_t first = std::min<std::size_t>(out.size(), channel_ring_bytes - from);
    std::memcpy(out.data(), ring_.bytes + from, first);
    std::memcpy(out.data() + first, ring_.bytes, out.size() - first);
}

/// The header is copied once and judged as copied: the writer may change it at any moment.
result<> message_reader::take(message& out) noexcept {
    const std::uint64_t there = shm::load(ring_.marks->tail) - head_;
    if (there > channel_ring_bytes || there < sizeof(message_header)) return errc::garbled;
    message_header header;
    copy(head_, std::as_writable_bytes(std::span(&header, 1)));
    if (header.bytes < sizeof header || header.bytes > message_bytes_max ||
        rounded(header.bytes) > there) {
        return errc::garbled;  // M2
    }
    copy_.resize(header.bytes - sizeof header);
    copy(head_ + sizeof header, copy_);
    head_ += rounded(header.bytes);
    tell(ring_.marks->head, head_, ring_.marks->reader_place, ring_.marks->writer_sleeps);
    out = {static_cast<message_kind>(header.kind), header.number, copy_};
    return {};
}

result<message> message_reader::receive(std::uint64_t until_ns) noexcept {
    message out;
    auto& marks = *ring_.marks;
    const awaited what{marks.tail, marks.writer_place, marks.reader_sleeps};
    const bool is_due = await(what, until_ns, [&] {
        const auto more = has_more();
        return !more || *more;
    });
    if (!is_due) return out;
    if (!PERDURE_TRY(has_more())) return out;
    PERDURE_TRY(take(out));
    return out;
}

}  // namespace perdure::plugins
