// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/journal_reader.hpp>

#include <algorithm>
#include <utility>

namespace perdure::io {

result<journal_reader> journal_reader::open(file_system& files, const manifest& promised,
                                            std::uint64_t from_lsn, std::optional<finding>& found) {
    journal_reader reader(files, promised, from_lsn);
    PERDURE_TRY(reader.look_for_unpromised(found));
    const auto& segments = promised.segments();
    if (segments.empty()) return reader;
    const auto behind = std::find_if(segments.begin(), segments.end(),
                                     [&](const auto& entry) { return entry.first_lsn > from_lsn; });
    const auto skipped = behind - segments.begin() - 1;
    reader.position_.segment = static_cast<std::size_t>(std::max<std::ptrdiff_t>(skipped, 0));
    PERDURE_TRY(reader.enter_segment(found));
    return reader;
}

/// A block is written only after its segment stands in the MANIFEST. A segment with a block that
/// does not stand there means that the MANIFEST has lost its end.
result<> journal_reader::look_for_unpromised(std::optional<finding>& found) {
    const std::string folder = journal_directory(promised_->directory());
    const auto names = files_->list(folder);
    if (!names && names.error() == errc::not_found) return {};
    if (!names) {
        found = finding{names.error(), folder, 0, files_->last_error()};
        return names.error();
    }
    const auto& segments = promised_->segments();
    for (const std::string& name : *names) {
        if (!name.ends_with(".pj") && !name.ends_with(".pz")) continue;
        const std::string path = folder + "/" + name;
        const auto promises = [&](const segment_entry& entry) {
            return segment_path(promised_->directory(), entry.first_lsn) == path ||
                   packed_path(promised_->directory(), entry.first_lsn) == path;
        };
        if (std::any_of(segments.begin(), segments.end(), promises)) continue;
        auto stream = PERDURE_TRY(segment_stream::open_file(*files_, path));
        segment_header header;
        const auto broken = PERDURE_TRY(read_segment_header(stream, header));
        if (!broken.empty() || header.world != promised_->world()) continue;
        const bool retired = !segments.empty() && header.first_lsn < segments.front().first_lsn;
        if (retired) continue;
        stored_block block;
        const auto empty = PERDURE_TRY(read_block(stream, header, block_alignment, block));
        if (!empty.empty() || is_promised_by_now(header.segment)) continue;
        found = finding{errc::damaged, manifest_path(promised_->directory()), 0,
                        "it does not name the segment " + path + ", which holds blocks"};
        return errc::damaged;
    }
    return {};
}

/// Beside a keeper: what it has opened since our MANIFEST was read.
bool journal_reader::is_promised_by_now(const uuid& segment) const {
    std::optional<finding> ignored;
    const auto now = manifest::open(*files_, promised_->directory(), open_mode::read, ignored);
    return now &&
           std::ranges::find(now->segments(), segment, &segment_entry::id) != now->segments().end();
}

errc journal_reader::refuse(std::optional<finding>& found, errc reason, std::uint64_t offset,
                            std::string cause) const {
    const segment_entry& entry = promised_->segments()[position_.segment];
    std::string path = stream_.path();
    if (path.empty()) path = segment_path(promised_->directory(), entry.first_lsn);
    found = finding{reason, std::move(path), offset, std::move(cause)};
    return reason;
}

result<> journal_reader::enter_segment(std::optional<finding>& found) {
    const segment_entry& entry = promised_->segments()[position_.segment];
    stream_ = {};
    auto stream = segment_stream::open(*files_, promised_->directory(), entry.first_lsn);
    if (!stream) {
        if (stream.error() != errc::not_found) {
            return refuse(found, stream.error(), 0, files_->last_error());
        }
        return refuse(found, errc::missing, 0, "the MANIFEST promises it, there is no such file");
    }
    stream_ = std::move(*stream);
    const auto broken = read_segment_header(stream_, header_);
    if (!broken) return refuse(found, broken.error(), 0, files_->last_error());
    if (!broken->empty()) return refuse(found, errc::damaged, 0, std::string(*broken));
    const std::string_view differs = compare(header_, entry, promised_->world());
    if (!differs.empty()) return refuse(found, errc::damaged, 0, std::string(differs));
    position_.offset = block_alignment;
    position_.seq = entry.first_seq;
    position_.lsn = entry.first_lsn;
    position_.hash_before = entry.hash_before;
    return {};
}

result<bool> journal_reader::next(std::optional<finding>& found) {
    if (promised_->segments().empty()) return false;
    do {
        if (!PERDURE_TRY(step(found))) return false;
    } while (block_.header.last_lsn < from_lsn_);
    return true;
}

result<bool> journal_reader::step(std::optional<finding>& found) {
    const auto& segments = promised_->segments();
    const segment_entry* entry = &segments[position_.segment];
    if (entry->sealed && position_.seq == entry->last_seq + 1) {
        if (position_.lsn != entry->last_lsn + 1 || position_.hash_before != entry->hash_last) {
            return refuse(found, errc::damaged, position_.offset,
                          "the segment does not end as the MANIFEST says");
        }
        if (position_.segment + 1 == segments.size()) return false;
        ++position_.segment;
        PERDURE_TRY(enter_segment(found));
        return step(found);
    }
    std::string_view cause = PERDURE_TRY(read_here(found));
    if (!cause.empty() && !entry->sealed) {
        const auto rest = inspect_rest(stream_, header_, position_.offset, position_.seq);
        if (!rest) return refuse(found, rest.error(), position_.offset, files_->last_error());
        // Beside a keeper the block may have come between the two looks.
        if (rest->synced_at) cause = PERDURE_TRY(read_here(found));
        if (!cause.empty()) return end_here(cause, *rest, found);
    }
    if (!cause.empty()) {
        return refuse(found, errc::damaged, position_.offset,
                      std::string(cause) + ", and the MANIFEST promises LSNs up to " +
                          std::to_string(entry->last_lsn));
    }
    block_offset_ = position_.offset;
    position_.offset = block_end(position_.offset, block_.header.stored_bytes);
    position_.seq = block_.header.seq + 1;
    position_.lsn = block_.header.last_lsn + 1;
    position_.hash_before = block_.hash();
    return true;
}

std::string_view journal_reader::why_misplaced() const noexcept {
    const block_header& header = block_.header;
    if (header.seq != position_.seq) return "a block with another number stands here";
    if (header.first_lsn != position_.lsn) return "the block does not go on where the last ended";
    if (header.previous_hash != position_.hash_before) return "the hash chain is broken";
    return {};
}

/// Reads the block that begins here; answers why it is not the next one, nothing if it is.
result<std::string_view> journal_reader::read_here(std::optional<finding>& found) {
    const auto broken = read_block(stream_, header_, position_.offset, block_);
    if (!broken) return refuse(found, broken.error(), position_.offset, files_->last_error());
    return broken->empty() ? why_misplaced() : *broken;
}

/// Tells the end of the journal from damage.
result<bool> journal_reader::end_here(std::string_view cause, const segment_rest& rest,
                                      std::optional<finding>& found) {
    if (rest.synced_at) {
        return refuse(found, errc::damaged, position_.offset,
                      std::string(cause) + ", and the block at byte " +
                          std::to_string(*rest.synced_at) + " proves that one was synced here");
    }
    if (rest.used_end > position_.offset) {
        torn_tail_ = finding{errc::damaged, stream_.path(), position_.offset, std::string(cause)};
    }
    return false;
}

result<std::span<const std::byte>> journal_reader::records(std::optional<finding>& found) {
    const block_header& header = block_.header;
    raw_.resize(header.raw_bytes);
    const block_content content{header.first_lsn, header.last_lsn, header.raw_bytes};
    const auto decoded =
        codecs_.decode(static_cast<codec_id>(header.codec), block_.payload(), content, raw_);
    if (!decoded) {
        return refuse(found, decoded.error(), block_offset_,
                      std::string(codec_set::why(decoded.error())));
    }
    return std::span<const std::byte>(raw_);
}

void journal_reader::take_block(stored_block& block, finding& place) {
    std::swap(block, block_);
    place.file = stream_.path();
    place.offset = block_offset_;
}

}  // namespace perdure::io
