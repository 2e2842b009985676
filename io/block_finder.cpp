// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/block_finder.hpp>

#include <algorithm>
#include <utility>

namespace perdure::io {
namespace {

constexpr std::size_t segments_kept = 16;

/// The one to be replaced: an unused place, or what was asked for longest ago.
template <class Kept>
Kept& oldest(std::vector<Kept>& all, std::size_t kept) {
    if (all.size() < kept) return all.emplace_back();
    return *std::min_element(all.begin(), all.end(),
                             [](const auto& a, const auto& b) { return a.asked < b.asked; });
}

}  // namespace

block_finder::block_finder(file_system& files, std::string directory, std::size_t blocks_kept)
    : files_(&files), directory_(std::move(directory)) {
    PERDURE_ASSERT(blocks_kept != 0);
    segments_.reserve(segments_kept);
    blocks_.resize(blocks_kept);
}

errc block_finder::refuse(const segment_entry& entry, std::uint64_t offset, errc reason,
                          std::string cause) {
    found_ = finding{reason, segment_path(directory_, entry.first_lsn), offset, std::move(cause)};
    const auto known = std::ranges::find(segments_, entry.id,
                                         [](const known_segment& each) { return each.entry.id; });
    if (known != segments_.end()) found_->file = known->stream.path();
    return reason;
}

result<> block_finder::read_manifest() {
    promised_ = PERDURE_TRY(manifest::open(*files_, directory_, open_mode::read, found_));
    return {};
}

/// The segment that holds the LSN, or would; nullptr when it lies before the first.
const segment_entry* block_finder::entry_of(std::uint64_t lsn) const noexcept {
    const auto& all = promised_->segments();
    const auto behind =
        std::upper_bound(all.begin(), all.end(), lsn,
                         [](std::uint64_t wanted, const auto& e) { return wanted < e.first_lsn; });
    return behind == all.begin() ? nullptr : &*(behind - 1);
}

result<std::uint64_t> block_finder::first_lsn() {
    PERDURE_TRY(read_manifest());
    const auto& all = promised_->segments();
    return all.empty() ? std::uint64_t{0} : all.front().first_lsn;
}

result<found_block> block_finder::find(std::uint64_t lsn) {
    for (auto& each : blocks_) {
        if (each.asked == 0 || lsn < each.first_lsn || lsn > each.last_lsn) continue;
        each.asked = ++clock_;
        return found_block{each.first_lsn, each.last_lsn, each.raw};
    }
    // The last segment may have been sealed and another begun since the MANIFEST was read.
    for (const bool is_read_anew : {false, true}) {
        if (is_read_anew || !promised_) PERDURE_TRY(read_manifest());
        const segment_entry* entry = entry_of(lsn);
        if (entry == nullptr) {
            if (is_read_anew)
                return promised_->segments().empty() ? errc::not_written : errc::history_gone;
            continue;
        }
        if (entry->sealed && lsn > entry->last_lsn) continue;
        const auto segment = enter(*entry);
        // A segment may have been retired under a MANIFEST that still named it.
        if (!segment && segment.error() == errc::missing && !is_read_anew) continue;
        if (!segment) return segment.error();
        PERDURE_TRY(learn(**segment, lsn));
        if (lsn < (*segment)->next_lsn) return decode(**segment, lsn);
    }
    return errc::not_written;
}

result<> block_finder::read_header(known_segment& segment) {
    const auto broken = read_segment_header(segment.stream, segment.header);
    if (!broken) return refuse(segment.entry, 0, broken.error(), files_->last_error());
    if (!broken->empty()) return refuse(segment.entry, 0, errc::damaged, std::string(*broken));
    const std::string_view differs = compare(segment.header, segment.entry, promised_->world());
    if (differs.empty()) return {};
    return refuse(segment.entry, 0, errc::damaged, std::string(differs));
}

result<block_finder::known_segment*> block_finder::enter(const segment_entry& entry) {
    for (auto& each : segments_) {
        if (each.asked == 0 || each.entry.id != entry.id) continue;
        each.entry = entry;  // It may have been sealed since.
        each.asked = ++clock_;
        return &each;
    }
    auto stream = segment_stream::open(*files_, directory_, entry.first_lsn);
    if (!stream) {
        const bool missing = stream.error() == errc::not_found;
        return refuse(
            entry, 0, missing ? errc::missing : stream.error(),
            missing ? "the MANIFEST promises it, there is no such file" : files_->last_error());
    }
    auto& place = oldest(segments_, segments_kept);
    place = known_segment{};
    place.entry = entry;
    place.stream = std::move(*stream);
    place.next_lsn = entry.first_lsn;
    PERDURE_TRY(read_header(place));
    place.asked = ++clock_;
    return &place;
}

/// Reads block headers until one holds the LSN, or there is none.
result<> block_finder::learn(known_segment& segment, std::uint64_t lsn) {
    bool is_read_anew = false;
    while (segment.next_lsn <= lsn) {
        block_header header{};
        const auto cause =
            read_block_header(segment.stream, segment.header, segment.next_offset, header);
        if (!cause) {
            return refuse(segment.entry, segment.next_offset, cause.error(), files_->last_error());
        }
        const bool follows = cause->empty() && header.first_lsn == segment.next_lsn;
        if (!follows && !segment.entry.sealed && !is_read_anew) {
            // An empty segment may have been made longer for one large block.
            PERDURE_TRY(read_header(segment));
            is_read_anew = true;
            continue;
        }
        if (!follows && !segment.entry.sealed) return {};
        if (!follows) {
            return refuse(segment.entry, segment.next_offset, errc::damaged,
                          cause->empty() ? "the block does not go on where the last ended"
                                         : std::string(*cause));
        }
        segment.blocks.push_back({header.first_lsn, segment.next_offset});
        segment.next_offset = block_end(segment.next_offset, header.stored_bytes);
        segment.next_lsn = header.last_lsn + 1;
    }
    return {};
}

/// Requires: the segment's headers are known beyond the LSN.
result<found_block> block_finder::decode(known_segment& segment, std::uint64_t lsn) {
    const auto behind = std::upper_bound(
        segment.blocks.begin(), segment.blocks.end(), lsn,
        [](std::uint64_t wanted, const auto& each) { return wanted < each.first_lsn; });
    PERDURE_ASSERT(behind != segment.blocks.begin());
    const block_place place = *(behind - 1);
    const auto cause = read_block(segment.stream, segment.header, place.offset, stored_);
    if (!cause) return refuse(segment.entry, place.offset, cause.error(), files_->last_error());
    if (!cause->empty()) {
        return refuse(segment.entry, place.offset, errc::damaged, std::string(*cause));
    }
    const block_header& header = stored_.header;
    if (header.first_lsn != place.first_lsn || header.last_lsn < lsn) {
        return refuse(segment.entry, place.offset, errc::damaged,
                      "the block has changed since its header was read");
    }
    auto& kept = oldest(blocks_, blocks_.size());
    kept.asked = 0;  // Nothing until it is whole.
    kept.raw.resize(header.raw_bytes);
    const block_content content{header.first_lsn, header.last_lsn, header.raw_bytes};
    const auto decoded =
        codecs_.decode(static_cast<codec_id>(header.codec), stored_.payload(), content, kept.raw);
    if (!decoded) {
        return refuse(segment.entry, place.offset, decoded.error(),
                      std::string(codec_set::why(decoded.error())));
    }
    kept.first_lsn = header.first_lsn;
    kept.last_lsn = header.last_lsn;
    kept.asked = ++clock_;
    return found_block{kept.first_lsn, kept.last_lsn, kept.raw};
}

}  // namespace perdure::io
