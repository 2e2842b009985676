// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/subscription.hpp>

#include <algorithm>
#include <utility>

namespace perdure::io {
namespace {

// What fits a core's own cache beside what the consumer does with it.
constexpr std::size_t batch_bytes = 128 << 10;
constexpr std::chrono::nanoseconds first_slice{20'000};
constexpr std::chrono::nanoseconds last_slice{1'000'000};
constexpr int turns_max = 1000;

}  // namespace

subscription::subscription(const shm::region& where, kernel_calls& calls,
                           const std::string& directory, std::uint64_t from_lsn, delivery level)
    : where_(&where),
      files_(std::make_unique<file_system>(calls)),
      finder_(*files_, directory, 1),
      ring_(where),
      next_lsn_(from_lsn == 0 ? 1 : from_lsn),
      level_(level) {}

std::uint64_t subscription::last_deliverable() const noexcept {
    if (level_ == delivery::applied) return ~0ULL;
    return shm::load(where_->header().durable.lsn);
}

result<shm::record_batch> subscription::next() {
    if (!where_->owned()) return errc::forked;
    const std::uint64_t last = last_deliverable();
    if (next_lsn_ > last) {
        // The place is noted while it is easily found: when the record is durable, the head will
        // have passed it.
        PERDURE_TRY(ring_.seek(next_lsn_));
        return shm::record_batch{{}, next_lsn_, next_lsn_};
    }
    // Between two looks the ring may move on; the files then have what it had.
    for (int turn = 0; turn < turns_max; ++turn) {
        if (PERDURE_TRY(ring_.seek(next_lsn_)) != shm::ring_place::gone) {
            const auto read = read_ring(last);
            if (read || read.error() != errc::not_found) return read;
        }
        const auto read = read_files(last);
        if (read || read.error() != errc::not_written) return read;
    }
    return errc::not_written;
}

result<shm::record_batch> subscription::read_ring(std::uint64_t last_lsn) {
    const std::uint64_t first = next_lsn_;
    if (ring_.next_lsn() != first) return shm::record_batch{{}, first, first};  // Not claimed yet.
    const auto bytes = PERDURE_TRY(ring_.read(first, last_lsn, batch_bytes, buffer_));
    next_lsn_ = ring_.next_lsn();
    from_ring_ += next_lsn_ - first;
    return shm::record_batch{std::span(buffer_).first(bytes), first, next_lsn_};
}

/// The rest of the block that holds the next LSN.
result<shm::record_batch> subscription::read_files(std::uint64_t last_lsn) {
    const std::uint64_t first = next_lsn_;
    const auto block = PERDURE_TRY(finder_.find(first));
    const std::uint64_t last = std::min(block.last_lsn, last_lsn);
    auto records = block.records;
    shm::record_walk walk(records);
    shm::record_view record;
    std::size_t from = 0;
    std::size_t end = records.size();
    const bool is_whole = first == block.first_lsn && last == block.last_lsn;
    while (!is_whole && PERDURE_TRY(walk.next(record))) {
        const auto at = static_cast<std::size_t>(record.bytes().data() - records.data());
        if (record.lsn() == first) from = at;
        if (record.lsn() != last) continue;
        end = at + record.bytes().size();
        break;
    }
    next_lsn_ = last + 1;
    from_files_ += next_lsn_ - first;
    return shm::record_batch{records.subspan(from, end - from), first, next_lsn_};
}

bool subscription::has_more() const noexcept {
    if (next_lsn_ <= shm::load(where_->header().durable.lsn)) return true;
    if (level_ == delivery::durable) return false;
    if (ring_.next_lsn() == next_lsn_) return ring_.is_ready();
    return next_lsn_ < shm::next_lsn(*where_);
}

bool subscription::wait(shm::deadline until) const noexcept {
    auto& waits = where_->waits();
    const auto& header = where_->header();
    const auto& place = level_ == delivery::applied ? header.producer.tail : header.durable.lsn;
    until = until.from(waits.now_ns());
    // Nobody wakes a reader, since it cannot say that it sleeps: slices, longer as time goes by.
    for (std::chrono::nanoseconds slice = first_slice;; slice = std::min(slice * 2, last_slice)) {
        const auto seen = static_cast<std::uint32_t>(shm::load(place));
        if (has_more()) return true;
        const std::uint64_t now = waits.now_ns();
        if (now >= until.at_ns) return false;
        const auto left = std::chrono::nanoseconds(
            std::min<std::uint64_t>(until.at_ns - now, last_slice.count()));
        waits.wait(shm::low_half(place), seen, std::min(left, slice));
    }
}

}  // namespace perdure::io
