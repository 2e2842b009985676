// SPDX-License-Identifier: Apache-2.0
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <perdure/io/segment_packer.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure::io {
namespace {

// measured on imported ledgers: level 19 takes a tenth off what level 3 leaves, and thirty
// times as long (docs/decisions/0028-packed-segments.md).
constexpr int packing_level = 3;
constexpr int sampling_level = 1;
constexpr std::uint64_t samples = 4;
constexpr std::string_view draft_end = ".pz.new";

bool is_worth_it(std::uint64_t before, std::uint64_t after) noexcept {
    return after * 100 <= before * (100 - segment_packer::least_gain);
}

std::string_view name_in(std::string_view path) noexcept {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

bool is_packing_draft(std::string_view name) noexcept { return name.ends_with(draft_end); }

void segment_packer::free_context::operator()(ZSTD_CCtx_s* context) const noexcept {
    ZSTD_freeCCtx(context);
}

segment_packer::segment_packer(file_system& files, packing_order order)
    : files_(&files), order_(std::move(order)), packing_(ZSTD_createCCtx()) {
    if (packing_ == nullptr) throw std::bad_alloc();
    frame_.resize(order_.frame_bytes);
    stored_.resize(ZSTD_compressBound(order_.frame_bytes));
}

void segment_packer::give_up() noexcept {
    stage_ = stage::idle;
    walk_.reset();
    if (!draft_.is_open()) return;
    draft_.close();
    static_cast<void>(files_->unlink(draft_path_));
}

void segment_packer::leave_alone() noexcept {
    left_alone_.push_back(entry_.id);
    give_up();
}

/// Takes the oldest sealed segment that is still in a file of its own. False: there is none.
result<bool> segment_packer::choose() {
    std::optional<finding> found;
    const auto promised =
        PERDURE_TRY(manifest::open(*files_, order_.directory, open_mode::read, found));
    const auto names = PERDURE_TRY(files_->list(journal_directory(order_.directory)));
    const auto& all = promised.segments();
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        const std::string path = segment_path(order_.directory, all[i].first_lsn);
        if (!std::ranges::binary_search(names, name_in(path)) ||
            std::ranges::find(left_alone_, all[i].id) != left_alone_.end()) {
            continue;
        }
        entry_ = all[i];
        world_ = promised.world();
        auto stream = segment_stream::open_file(*files_, path);
        if (!stream && stream.error() == errc::not_found) continue;  // Retired meanwhile.
        if (!stream) return stream.error();
        walk_.emplace(std::move(*stream), entry_, world_);
        stage_ = stage::measuring;
        return true;
    }
    return false;
}

/// Looks at a few frames first; then at every block, which tells where the last one ends.
result<std::uint64_t> segment_packer::measure() {
    const std::uint64_t before = walk_->offset();
    const auto cause = PERDURE_TRY(walk_->step());
    if (!cause.empty()) {  // Whoever scrubs tells of it.
        leave_alone();
        return std::uint64_t{1};
    }
    if (before == 0) {
        const std::uint64_t length = walk_->header().segment_bytes;
        std::uint64_t seen = 0;
        std::uint64_t kept = 0;
        for (std::uint64_t i = 0; i < samples; ++i) {
            const auto got = PERDURE_TRY(walk_->stream().read(frame_, length / samples * i));
            const std::size_t took = ZSTD_compressCCtx(
                packing_.get(), stored_.data(), stored_.size(), frame_.data(), got, sampling_level);
            PERDURE_ASSERT(ZSTD_isError(took) == 0);
            seen += got;
            kept += took;
        }
        if (!is_worth_it(seen, kept)) leave_alone();
        return seen;
    }
    const std::uint64_t read = walk_->offset() - before;
    if (!walk_->has_ended()) return read;
    header_ = {};
    header_.magic = packed_magic;
    header_.format = packed_format_version;
    header_.header_bytes = sizeof header_;
    header_.segment_bytes = walk_->header().segment_bytes;
    header_.used_bytes = walk_->offset();
    header_.frame_bytes = order_.frame_bytes;
    header_.frames = static_cast<std::uint32_t>((header_.used_bytes + order_.frame_bytes - 1) /
                                                order_.frame_bytes);
    index_.clear();
    file_bytes_ = sizeof header_ + header_.frames * sizeof(packed_frame);
    draft_path_ = packed_path(order_.directory, entry_.first_lsn);
    draft_path_.insert(draft_path_.size() - 3, "." + std::to_string(order_.epoch));  // Q1
    draft_path_ += ".new";
    const auto removed = files_->unlink(draft_path_);
    if (!removed && removed.error() != errc::not_found) return removed.error();
    draft_ = PERDURE_TRY(files_->open(draft_path_, open_mode::create));
    stage_ = stage::packing;
    return read;
}

result<std::uint64_t> segment_packer::pack_frame() {
    const std::uint64_t from = std::uint64_t{order_.frame_bytes} * index_.size();
    const auto wanted = static_cast<std::size_t>(
        std::min<std::uint64_t>(order_.frame_bytes, header_.used_bytes - from));
    const auto frame = std::span(frame_).first(wanted);
    if (PERDURE_TRY(walk_->stream().read(frame, from)) != wanted) return errc::damaged;
    const std::size_t took = ZSTD_compressCCtx(packing_.get(), stored_.data(), stored_.size(),
                                               frame.data(), frame.size(), packing_level);
    PERDURE_ASSERT(ZSTD_isError(took) == 0);
    const auto stored = std::span<const std::byte>(stored_).first(took);
    PERDURE_CRASH_POINT("packing.frame");
    PERDURE_TRY(draft_.write(stored, file_bytes_));
    index_.push_back({static_cast<std::uint32_t>(took), shm::crc32c(stored)});
    file_bytes_ += took;
    if (index_.size() == header_.frames) PERDURE_TRY(finish_draft());
    return wanted;
}

/// What is whole goes to the disk, and is read from there again.
result<> segment_packer::finish_draft() {
    if (!is_worth_it(header_.used_bytes, file_bytes_)) {
        leave_alone();
        return {};
    }
    const auto index = std::as_bytes(std::span(index_));
    header_.index_crc = shm::crc32c(index);
    const auto header = std::as_bytes(std::span(&header_, 1));
    header_.crc = shm::crc32c(header.first(offsetof(packed_header, crc)));
    PERDURE_TRY(draft_.write(index, sizeof header_));
    PERDURE_TRY(draft_.write(header, 0));
    PERDURE_CRASH_POINT("packing.written");
    if (!shm::planted(shm::bug::packed_unsynced)) PERDURE_TRY(draft_.sync());
    draft_.drop_cache();
    PERDURE_CRASH_POINT("packing.synced");
    auto again = PERDURE_TRY(segment_stream::open_file(*files_, draft_path_));
    walk_.emplace(std::move(again), entry_, world_);
    stage_ = stage::checking;
    return {};
}

result<std::uint64_t> segment_packer::check_block() {
    if (shm::planted(shm::bug::packed_unchecked)) {
        PERDURE_TRY(publish());
        return std::uint64_t{1};
    }
    const std::uint64_t before = walk_->offset();
    const auto cause = PERDURE_TRY(walk_->step());
    if (!cause.empty()) return errc::damaged;  // Not what was written.
    const std::uint64_t read = walk_->offset() - before;
    if (walk_->has_ended()) PERDURE_TRY(publish());
    return read;
}

result<> segment_packer::publish() {
    const std::string own = segment_path(order_.directory, entry_.first_lsn);
    const std::string packed = packed_path(order_.directory, entry_.first_lsn);
    if (order_.fence) PERDURE_TRY(order_.fence());
    if (shm::planted(shm::bug::original_gone_first)) {
        PERDURE_TRY(files_->unlink(own));
        PERDURE_TRY(files_->sync_directory(journal_directory(order_.directory)));
    }
    PERDURE_CRASH_POINT("packing.before_rename");
    PERDURE_TRY(draft_.rename(packed));
    draft_.close();
    PERDURE_CRASH_POINT("packing.renamed");
    PERDURE_TRY(files_->sync_directory(journal_directory(order_.directory)));
    PERDURE_CRASH_POINT("packing.in_place");
    if (order_.fence) PERDURE_TRY(order_.fence());
    // A retired one may be gone already.
    static_cast<void>(files_->unlink(own));
    PERDURE_CRASH_POINT("packing.unlinked");
    ++packed_.segments;
    packed_.bytes_before += header_.segment_bytes;
    packed_.bytes_after += file_bytes_;
    give_up();
    return {};
}

result<std::uint64_t> segment_packer::step() {
    switch (stage_) {
        case stage::measuring: return measure();
        case stage::packing: return pack_frame();
        case stage::checking: return check_block();
        case stage::idle: break;
    }
    return std::uint64_t{0};
}

result<bool> segment_packer::pack_on(std::uint64_t bytes) {
    std::uint64_t read = 0;
    while (read < bytes) {
        if (stage_ == stage::idle) {
            const auto chosen = choose();
            if (!chosen) return chosen.error();
            if (!*chosen) return read != 0;
        }
        const auto done = step();
        if (!done) {
            leave_alone();
            return done.error();
        }
        read += std::max<std::uint64_t>(*done, 1);
    }
    return true;
}

}  // namespace perdure::io
