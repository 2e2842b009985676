// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/journal.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <perdure/io/digest.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::io {
namespace {

constexpr std::uint64_t zero_chunk_bytes = 1U << 20;
constexpr std::size_t sector_bytes = 512;
static_assert(sizeof(segment_header) <= sector_bytes);

std::string spare_path(const manifest& promised) {
    return journal_directory(promised.directory()) + "/spare.new";
}

const std::vector<std::byte>& zeros() {
    static const auto* const chunk = new std::vector<std::byte>(zero_chunk_bytes);
    return *chunk;
}

}  // namespace

journal_writer::journal_writer(file_system& files, manifest& promised, journal_options options)
    : files_(files),
      promised_(promised),
      options_(std::move(options)),
      stored_codec_(make_codec(codec_id::stored)),
      codec_(make_codec(options_.codec)) {
    PERDURE_ASSERT(codec_ != nullptr);
    PERDURE_ASSERT(options_.segment_bytes >= 2 * block_alignment);
    PERDURE_ASSERT(options_.segment_bytes % block_alignment == 0);
}

/// Runs work that writes; W1: its first error is remembered and answered from then on.
template <class Work>
auto journal_writer::guarded(Work&& work) -> decltype(work()) {
    if (failed_) return errc::durability_lost;
    is_full_ = false;
    auto answer = work();
    if (!answer && answer.error() != errc::garbled && !is_full_) failed_ = answer.error();
    return answer;
}

result<> journal_writer::may_write() const {
    if (options_.fence) return options_.fence();
    return {};
}

result<std::unique_ptr<journal_writer>> journal_writer::open(file_system& files, manifest& promised,
                                                             journal_options options,
                                                             std::optional<finding>& found) {
    std::unique_ptr<journal_writer> writer(new journal_writer(files, promised, std::move(options)));
    PERDURE_TRY(writer->may_write());
    PERDURE_TRY(files.make_directory(journal_directory(promised.directory())));
    PERDURE_TRY(files.sync_directory(promised.directory()));
    PERDURE_TRY(writer->continue_last(found));
    if (!writer->stream_.is_open()) PERDURE_TRY(writer->rotate(0));
    return writer;
}

/// Finds the journal's end in the last segment. Leaves no open segment if the next one is due.
result<> journal_writer::continue_last(std::optional<finding>& found) {
    if (promised_.segments().empty()) {
        // Of a world that was restored the checkpoint stands for all records before.
        const auto& known = promised_.checkpoints();
        if (!known.empty()) position_.lsn = known.back().last_lsn + 1;
        durable_lsn_ = position_.lsn - 1;
        return {};
    }
    entry_ = promised_.segments().back();
    const std::string path = segment_path(promised_.directory(), entry_.first_lsn);
    auto stream = files_.open(path, open_mode::read_write);
    if (!stream) {
        const bool missing = stream.error() == errc::not_found;
        const errc reason = missing ? errc::missing : stream.error();
        found = finding{reason, path, 0, files_.last_error()};
        return reason;
    }
    // What a dead writer left in the page cache becomes durable here, before anybody counts on it.
    // And if its sync had failed, the cache may hold what the disk does not: read from the disk.
    PERDURE_TRY(stream->sync());
    stream->drop_cache();
    journal_reader reader =
        PERDURE_TRY(journal_reader::open(files_, promised_, entry_.first_lsn, found));
    while (PERDURE_TRY(reader.next(found))) {
    }
    position_ = reader.position();
    synced_seq_ = position_.seq - 1;
    durable_lsn_ = position_.lsn - 1;
    if (entry_.sealed) return {};
    segment_bytes_ = reader.segment_bytes();
    stream_ = std::move(*stream);
    if (reader.torn_tail()) PERDURE_TRY(erase_rest(segment_bytes_));
    return {};
}

/// Makes the torn tail zeros again, so that no later reader meets a block that never counted.
result<> journal_writer::erase_rest(std::uint64_t used_end) {
    std::vector<std::byte> found(zero_chunk_bytes);
    for (std::uint64_t at = position_.offset; at < used_end; at += zero_chunk_bytes) {
        const std::uint64_t length = std::min(zero_chunk_bytes, used_end - at);
        const auto chunk = std::span(found).first(static_cast<std::size_t>(length));
        const std::size_t got = PERDURE_TRY(stream_.read(chunk, at));
        const auto used = std::find_if(chunk.begin(), chunk.begin() + static_cast<long>(got),
                                       [](std::byte byte) { return byte != std::byte{0}; });
        if (used == chunk.begin() + static_cast<long>(got)) continue;
        PERDURE_TRY(may_write());
        PERDURE_TRY(stream_.write(std::span(zeros()).first(chunk.size()), at));
    }
    PERDURE_CRASH_POINT("journal.tail_erased");
    return stream_.sync();
}

result<> journal_writer::append(std::span<const std::byte> records, std::uint64_t first_lsn) {
    return guarded([&]() -> result<> {
        if (first_lsn != position_.lsn) return errc::garbled;
        while (!records.empty()) PERDURE_TRY(append_block(records));
        return {};
    });
}

/// Takes the front of `records` as one block.
result<> journal_writer::append_block(std::span<const std::byte>& records) {
    list_.clear();
    std::size_t used = PERDURE_TRY(list_.add(records, position_.lsn, block_raw_bytes));
    if (list_.size() == 0) {
        // One record that is larger than a block is otherwise allowed to be.
        const std::uint32_t bytes = header_at(records.data()).bytes;
        used = PERDURE_TRY(list_.add(records.first(bytes), position_.lsn, block_raw_bytes_max));
    }
    if (used == 0) return errc::garbled;
    codec_id encoded_by{};
    const std::size_t stored = encode(encoded_by);
    PERDURE_TRY(write_block(stored, encoded_by));
    records = records.subspan(used);
    return {};
}

/// Fills the buffer's payload and answers its length.
std::size_t journal_writer::encode(codec_id& encoded_by) {
    const std::size_t raw = list_.raw_bytes();
    const auto room_needed = static_cast<std::size_t>(block_end(0, raw));
    if (buffer_.size() < room_needed) buffer_.resize(room_needed);
    const auto room = std::span(buffer_).subspan(sizeof(block_header), raw);
    // A block takes whole pages, so what fits into one gains nothing by packing.
    const bool small = block_end(0, raw) == block_alignment;
    std::size_t stored = small ? 0 : codec_->encode(list_, room);
    encoded_by = codec_->id();
    if (stored == 0) {
        stored = stored_codec_->encode(list_, room);
        encoded_by = codec_id::stored;
    }
    PERDURE_ASSERT(stored > 0 && stored <= raw);
    return stored;
}

result<> journal_writer::write_block(std::size_t stored, codec_id encoded_by) {
    if (block_end(position_.offset, stored) > segment_bytes_) {
        const bool empty = stream_.is_open() && position_.offset == block_alignment;
        const std::uint64_t needed = block_end(block_alignment, stored);
        PERDURE_TRY(empty ? grow(needed) : rotate(needed));
    }
    block_header header{};
    header.magic = block_magic;
    header.format = journal_format_version;
    header.codec = static_cast<std::uint16_t>(encoded_by);
    header.header_bytes = sizeof header;
    header.world = promised_.world();
    header.segment = entry_.id;
    header.generation = entry_.generation;
    header.seq = position_.seq;
    header.synced_seq = synced_seq_;
    header.first_lsn = position_.lsn;
    header.last_lsn = position_.lsn + list_.size() - 1;
    header.wall_ns_first = list_.wall_ns_first();
    header.wall_ns_last = list_.wall_ns_last();
    header.epoch = options_.epoch;
    header.raw_bytes = static_cast<std::uint32_t>(list_.raw_bytes());
    header.stored_bytes = static_cast<std::uint32_t>(stored);
    header.previous_hash = position_.hash_before;
    const auto whole = static_cast<std::size_t>(block_end(0, stored));
    const auto filled = sizeof header + stored;
    complete(header, std::span(buffer_).subspan(sizeof header, stored));
    std::memcpy(buffer_.data(), &header, sizeof header);
    std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(filled),
              buffer_.begin() + static_cast<std::ptrdiff_t>(whole), std::byte{0});

    PERDURE_TRY(may_write());
    PERDURE_CRASH_POINT("journal.before_write");
    PERDURE_TRY(stream_.write(std::span(buffer_).first(whole), position_.offset));
    PERDURE_CRASH_POINT("journal.written");
    position_.hash_before = blake2b(std::span(buffer_).first(filled));
    position_.offset += whole;
    position_.lsn = header.last_lsn + 1;
    ++position_.seq;
    written_bytes_ += whole;
    if (shm::planted(shm::bug::ack_at_write)) durable_lsn_ = header.last_lsn;
    // Twice as fast as the segment fills, so that the next one is ready in time; by large steps,
    // since each is a write of its own beside the sync to come.
    spare_due_ += 2 * whole;
    if (spare_due_ < zero_chunk_bytes) return {};
    const auto filled_on = fill_spare(std::exchange(spare_due_, 0));
    // There is a segment to write to still.
    if (filled_on || std::exchange(is_full_, false)) return {};
    return filled_on.error();
}

/// Nothing counts on a spare: what a full disk did to it is nobody's loss (W4).
result<> journal_writer::drop_spare(errc why) {
    if (why != errc::disk_full) return why;
    is_full_ = true;
    spare_.close();
    spare_bytes_ = spare_filled_ = 0;
    static_cast<void>(files_.unlink(spare_path(promised_)));
    return why;
}

result<> journal_writer::sync() {
    return guarded([&]() -> result<> { return sync_now(); });
}

result<> journal_writer::sync_now() {
    if (synced_seq_ + 1 == position_.seq) return {};
    PERDURE_TRY(may_write());
    PERDURE_TRY(stream_.sync());
    PERDURE_CRASH_POINT("journal.synced");
    synced_seq_ = position_.seq - 1;
    durable_lsn_ = position_.lsn - 1;
    return {};
}

result<bool> journal_writer::prepare(std::uint64_t bytes) {
    return guarded([&]() -> result<bool> { return fill_spare(bytes); });
}

result<> journal_writer::start_spare(std::uint64_t segment_bytes) {
    const std::string path = spare_path(promised_);
    spare_.close();
    const result<> removed = files_.unlink(path);
    if (!removed && removed.error() != errc::not_found) return removed;
    auto made = files_.open(path, open_mode::create);
    if (!made) return drop_spare(made.error());
    spare_ = std::move(*made);
    spare_bytes_ = segment_bytes;
    spare_filled_ = 0;
    const auto room = spare_.allocate(segment_bytes);
    return room ? room : drop_spare(room.error());
}

/// Overwriting sectors that were written before makes a sync half as long as filling a hole.
result<bool> journal_writer::fill_spare(std::uint64_t bytes) {
    PERDURE_TRY(may_write());
    if (spare_bytes_ == 0) PERDURE_TRY(start_spare(options_.segment_bytes));
    const std::uint64_t end = std::min(spare_bytes_, spare_filled_ + bytes);
    while (spare_filled_ < end) {
        const std::uint64_t length = std::min(zero_chunk_bytes, end - spare_filled_);
        const auto chunk = std::span(zeros()).first(static_cast<std::size_t>(length));
        const auto written = spare_.write(chunk, spare_filled_);
        if (!written) return drop_spare(written.error()).error();
        spare_.start_writeback(spare_filled_, length);
        spare_filled_ += length;
    }
    return spare_filled_ < spare_bytes_;
}

/// Makes a segment without blocks long enough for its first. The header changes last, within one
/// sector: whoever finds the old one finds a shorter, still empty segment.
result<> journal_writer::grow(std::uint64_t segment_bytes) {
    PERDURE_TRY(may_write());
    const auto room = stream_.allocate(segment_bytes);
    if (!room) {
        is_full_ = room.error() == errc::disk_full;
        return room;
    }
    for (std::uint64_t at = segment_bytes_; at < segment_bytes; at += zero_chunk_bytes) {
        const std::uint64_t length = std::min(zero_chunk_bytes, segment_bytes - at);
        const auto chunk = std::span(zeros()).first(static_cast<std::size_t>(length));
        PERDURE_TRY(stream_.write(chunk, at));
    }
    PERDURE_TRY(stream_.sync());
    PERDURE_CRASH_POINT("segment.longer");
    const auto page = make_segment_page(entry_, promised_.world(), segment_bytes);
    PERDURE_TRY(stream_.write(std::span(page).first(sector_bytes), 0));
    PERDURE_TRY(stream_.sync());
    PERDURE_CRASH_POINT("segment.grown");
    segment_bytes_ = segment_bytes;
    return {};
}

/// Ends the segment at hand and makes the spare the next one.
result<> journal_writer::rotate(std::uint64_t segment_bytes_min) {
    if (stream_.is_open()) PERDURE_TRY(sync_now());
    const std::uint64_t wanted = std::max(options_.segment_bytes, segment_bytes_min);
    if (spare_bytes_ < wanted) PERDURE_TRY(start_spare(wanted));
    while (PERDURE_TRY(fill_spare(zero_chunk_bytes))) {
    }
    const auto room = promised_.reserve(2);
    if (!room) {
        is_full_ = room.error() == errc::disk_full;
        return room;
    }
    segment_entry fresh{};
    fresh.id = random_uuid();
    fresh.generation = 1;
    fresh.first_lsn = position_.lsn;
    fresh.first_seq = position_.seq;
    fresh.hash_before = position_.hash_before;
    PERDURE_TRY(spare_.write(make_segment_page(fresh, promised_.world(), spare_bytes_), 0));
    PERDURE_TRY(spare_.sync());
    PERDURE_CRASH_POINT("segment.before_rename");
    const std::string path = segment_path(promised_.directory(), fresh.first_lsn);
    PERDURE_TRY(spare_.rename(path));
    PERDURE_CRASH_POINT("segment.renamed");
    PERDURE_TRY(files_.sync_directory(journal_directory(promised_.directory())));
    PERDURE_CRASH_POINT("segment.in_place");

    if (stream_.is_open()) {
        entry_.last_lsn = position_.lsn - 1;
        entry_.last_seq = position_.seq - 1;
        entry_.hash_last = position_.hash_before;
        PERDURE_TRY(promised_.seal_segment(entry_));
        PERDURE_CRASH_POINT("segment.sealed");
    }
    PERDURE_TRY(promised_.open_segment(fresh));
    PERDURE_CRASH_POINT("segment.opened");
    stream_ = std::move(spare_);
    entry_ = fresh;
    segment_bytes_ = std::exchange(spare_bytes_, 0);
    position_.offset = block_alignment;
    return {};
}

}  // namespace perdure::io
