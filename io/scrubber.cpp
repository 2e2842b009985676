// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/io/scrubber.hpp>

namespace perdure::io {

bool scrubber::begin_round(std::optional<finding>& found) {
    auto opened = manifest::open(*files_, directory_, open_mode::read, found);
    if (!opened) return false;
    promised_.emplace(std::move(*opened));
    checkpoint_ = segment_ = 0;
    return true;
}

/// What was retired while we read is nobody's loss.
bool scrubber::is_promised_still() const {
    std::optional<finding> ignored;
    const auto now = manifest::open(*files_, directory_, open_mode::read, ignored);
    if (!now) return true;
    if (checkpoint_ <= promised_->checkpoints().size() && segment_ == 0) {
        return checkpoint_ == 0 ||
               now->checkpoint(promised_->checkpoints()[checkpoint_ - 1].id) != nullptr;
    }
    const auto& id = promised_->segments()[segment_ - 1].id;
    return std::ranges::find(now->segments(), id, &segment_entry::id) != now->segments().end();
}

bool scrubber::is_new(const finding& found) {
    const place where(found.file, found.offset);
    met_.insert(where);
    return known_.insert(where).second;
}

/// Rot is on the disk: what the kernel has kept of the file since it was written tells nothing.
void scrubber::forget_cached(const std::string& path) {
    auto kept = files_->open(path, open_mode::read);
    if (kept) kept->drop_cache();
}

/// Opens the next checkpoint, or else the next sealed segment. False: the round has ended.
bool scrubber::next_file(std::optional<finding>& found) {
    const auto& checkpoints = promised_->checkpoints();
    if (checkpoint_ < checkpoints.size()) {
        const auto& entry = checkpoints[checkpoint_++];
        forget_cached(checkpoint_path(directory_, entry.lsn));
        auto opened =
            checkpoint_reader::open(*files_, checkpoint_path(directory_, entry.lsn), found);
        if (opened && opened->compare(*promised_, entry, found)) {
            reading_.emplace(std::move(*opened));
            section_ = 0;
        }
        return true;
    }
    const auto& segments = promised_->segments();
    if (segment_ == segments.size() || !segments[segment_].sealed) return false;
    const std::uint64_t first_lsn = segments[segment_++].first_lsn;
    forget_cached(segment_path(directory_, first_lsn));
    forget_cached(packed_path(directory_, first_lsn));
    auto opened = journal_reader::open(*files_, *promised_, first_lsn, found);
    if (opened) following_.emplace(std::move(*opened));
    return true;
}

std::uint64_t scrubber::read_section(std::optional<finding>& found) {
    if (section_ == reading_->sections() || !reading_->read(section_++, payload_, found)) {
        reading_.reset();
        return 0;
    }
    return payload_.size();
}

std::uint64_t scrubber::read_block(std::optional<finding>& found) {
    const std::uint64_t last = promised_->segments()[segment_ - 1].last_lsn;
    const auto more = following_->next(found);
    if (!more || !*more || following_->block().header.first_lsn > last) {
        following_.reset();
        return 0;
    }
    return following_->block().bytes.size();
}

std::optional<finding> scrubber::read_on(std::uint64_t bytes) {
    std::optional<finding> found;
    std::uint64_t read = 0;
    while (read < bytes && !found) {
        if (!promised_ && !begin_round(found)) break;
        if (reading_) {
            read += read_section(found);
        } else if (following_) {
            read += read_block(found);
        } else if (!next_file(found)) {
            promised_.reset();
            ++rounds_;
            known_ = std::exchange(met_, {});
            return {};
        }
    }
    if (!found || (promised_ && !is_promised_still()) || !is_new(*found)) return {};
    return found;
}

}  // namespace perdure::io
