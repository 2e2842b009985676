// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/record_finder.hpp>

namespace perdure::io {
namespace {

constexpr std::size_t blocks_kept = 8;
constexpr int ring_tries = 64;

/// Where each of the records begins.
result<> list_places(std::span<const std::byte> records, std::vector<std::size_t>& into) {
    into.clear();
    shm::record_walk walk(records);
    shm::record_view record;
    while (PERDURE_TRY(walk.next(record))) {
        into.push_back(static_cast<std::size_t>(record.bytes().data() - records.data()));
    }
    return {};
}

}  // namespace

record_finder::record_finder(const shm::region& where, kernel_calls& calls,
                             const std::string& directory)
    : where_(&where),
      files_(std::make_unique<file_system>(calls)),
      finder_(*files_, directory, blocks_kept) {}

result<shm::record_view> record_finder::find(std::uint64_t lsn) {
    if (lsn == 0) return errc::history_gone;
    for (int turn = 0; turn < ring_tries; ++turn) {
        if (lsn >= ring_first_ && lsn - ring_first_ < places_.size()) {
            return shm::record_view::front_of(std::span(ring_).subspan(places_[lsn - ring_first_]));
        }
        if (lsn <= shm::load(where_->header().durable.lsn)) return find_in_block(lsn);
        if (lsn >= shm::next_lsn(*where_)) return errc::not_written;
        const auto copied = copy_ring();
        if (!copied && copied.error() != errc::not_found) return copied.error();
    }
    return errc::not_written;
}

/// All of the ring that is not durable yet. Errors: not_found when it moved on meanwhile.
result<> record_finder::copy_ring() {
    shm::ring_reader reader(*where_);
    const std::uint64_t first = shm::load(where_->header().durable.lsn) + 1;
    places_.clear();
    if (PERDURE_TRY(reader.seek(first)) != shm::ring_place::here) return errc::not_found;
    const auto bytes = PERDURE_TRY(
        reader.read(first, ~0ULL, static_cast<std::size_t>(where_->geometry().ring_bytes), ring_));
    PERDURE_TRY(list_places(std::span(ring_).first(bytes), places_));
    ring_first_ = first;
    return {};
}

result<shm::record_view> record_finder::find_in_block(std::uint64_t lsn) {
    const auto block = PERDURE_TRY(finder_.find(lsn));
    if (block.records.data() != block_ || block.first_lsn != block_first_) {
        block_ = nullptr;
        PERDURE_TRY(list_places(block.records, block_places_));
        block_ = block.records.data();
        block_first_ = block.first_lsn;
    }
    if (lsn - block_first_ >= block_places_.size()) return errc::damaged;
    return shm::record_view::front_of(block.records.subspan(block_places_[lsn - block_first_]));
}

}  // namespace perdure::io
