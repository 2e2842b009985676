// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/manifest.hpp>

#include <algorithm>
#include <cstdio>

#include <perdure/io/checkpoint_format.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure::io {
namespace {

std::span<const std::byte> bytes_of(const manifest_record& record) noexcept {
    return std::as_bytes(std::span(&record, 1));
}

std::uint32_t checksum(const manifest_record& record) noexcept {
    return shm::crc32c(bytes_of(record).first(offsetof(manifest_record, crc)));
}

constexpr std::uint64_t spare_records = 64;

bool is_intact(const manifest_record& record) noexcept {
    return record.magic == manifest_magic && record.crc == checksum(record);
}

bool is_reserved_zero(const manifest_record& record) noexcept {
    return record.reserved_back == 0 && std::all_of(record.reserved.begin(), record.reserved.end(),
                                                    [](std::uint8_t byte) { return byte == 0; });
}

/// Reads record `seq`; an answer of false is the file's end.
result<bool> read_record(const file& stream, std::uint64_t seq, manifest_record& into) {
    const auto room = std::as_writable_bytes(std::span(&into, 1));
    const std::size_t got = PERDURE_TRY(stream.read(room, (seq - 1) * manifest_record_bytes));
    std::fill(room.begin() + static_cast<std::ptrdiff_t>(got), room.end(), std::byte{0});
    return got != 0;
}

void name_segment(manifest_record& record, const segment_entry& entry) noexcept {
    record.segment = entry.id;
    record.generation = entry.generation;
    record.first_lsn = entry.first_lsn;
    record.first_seq = entry.first_seq;
}

}  // namespace

std::string manifest_path(const std::string& directory) { return directory + "/MANIFEST"; }

std::string journal_directory(const std::string& directory) { return directory + "/journal"; }

std::string checkpoint_directory(const std::string& directory) {
    return directory + "/checkpoints";
}

std::string checkpoint_path(const std::string& directory, std::uint64_t lsn) {
    char name[32];
    std::snprintf(name, sizeof name, "/%020llu.pcp", static_cast<unsigned long long>(lsn));
    return checkpoint_directory(directory) + name;
}

std::string segment_path(const std::string& directory, std::uint64_t first_lsn) {
    char name[32];
    std::snprintf(name, sizeof name, "/%020llu.pj", static_cast<unsigned long long>(first_lsn));
    return journal_directory(directory) + name;
}

result<> manifest::create(file_system& files, const std::string& directory, const uuid& world) {
    const std::string path = manifest_path(directory);
    const std::string draft = path + ".new";
    // Only a clear no will do: a rename below would replace what an unreadable disk hides.
    const auto present = files.open(path, open_mode::read);
    if (present) return errc::exists;
    if (present.error() != errc::not_found) return present.error();
    const result<> removed = files.unlink(draft);
    if (!removed && removed.error() != errc::not_found) return removed;
    manifest fresh(directory, PERDURE_TRY(files.open(draft, open_mode::create)));
    fresh.world_ = world;
    fresh.incarnation_ = 1;
    manifest_record first = fresh.blank(manifest_kind::world);
    PERDURE_TRY(fresh.append(first));
    PERDURE_TRY(files.rename(draft, path));
    return files.sync_directory(directory);
}

result<manifest> manifest::open(file_system& files, const std::string& directory, open_mode mode,
                                std::optional<finding>& found) {
    PERDURE_ASSERT(mode == open_mode::read || mode == open_mode::read_write);
    const std::string path = manifest_path(directory);
    auto stream = files.open(path, mode);
    if (!stream) {
        const bool missing = stream.error() == errc::not_found;
        const errc reason = missing ? errc::missing : stream.error();
        found = finding{reason, path, 0, missing ? "there is no such file" : files.last_error()};
        return reason;
    }
    manifest loaded(directory, std::move(*stream));
    if (mode == open_mode::read_write) {
        // What a dead writer left in the page cache only becomes durable, or is not read at all.
        PERDURE_TRY(loaded.stream_.sync());
        loaded.stream_.drop_cache();
    }
    const result<> verdict = loaded.load(found);
    if (!verdict) {
        if (!found) found = finding{verdict.error(), path, 0, files.last_error()};
        return verdict.error();
    }
    return loaded;
}

result<> manifest::load(std::optional<finding>& found) {
    const auto refuse = [&](errc reason, std::uint64_t seq, const char* cause) -> result<> {
        found = finding{reason, stream_.path(), (seq - 1) * manifest_record_bytes, cause};
        return reason;
    };
    for (std::uint64_t seq = 1;; ++seq) {
        manifest_record record;
        if (!PERDURE_TRY(read_record(stream_, seq, record))) {
            if (seq == 1) return refuse(errc::damaged, seq, "the file is empty");
            return {};
        }
        if (!is_intact(record)) {
            if (seq == 1) {
                const bool ours = record.magic == manifest_magic;
                return refuse(ours ? errc::damaged : errc::foreign, seq,
                              ours ? "the checksum of the first record is wrong"
                                   : "the file does not begin with PDMANFST");
            }
            // A torn append has nothing behind it; anything else was intact once.
            manifest_record later;
            for (std::uint64_t next = seq + 1; PERDURE_TRY(read_record(stream_, next, later));
                 ++next) {
                if (is_intact(later)) {
                    return refuse(errc::damaged, seq, "a broken record before an intact one");
                }
            }
            return {};
        }
        if (record.format != manifest_format_version ||
            record.record_bytes != manifest_record_bytes) {
            return refuse(errc::wrong_format, seq, "the record has another format version");
        }
        if (record.seq != seq || record.previous_hash != last_hash_ || !is_reserved_zero(record)) {
            return refuse(errc::damaged, seq, "the record does not follow the one before it");
        }
        if (!apply(record)) {
            return refuse(errc::damaged, seq, "the record contradicts earlier ones");
        }
        seq_ = seq;
        last_hash_ = blake2b(bytes_of(record));
    }
}

/// False if the record cannot follow what was read before it.
bool manifest::apply(const manifest_record& record) {
    const auto kind = static_cast<manifest_kind>(record.kind);
    if (kind == manifest_kind::world) {
        if (record.seq != 1 || record.incarnation != 1) return false;
        world_ = record.world;
        incarnation_ = 1;
        return true;
    }
    if (record.world != world_ || record.seq == 1) return false;
    switch (kind) {
        case manifest_kind::segment_opened:
        case manifest_kind::segment_sealed:
        case manifest_kind::segment_retired:
            return apply_segment(record, !segments_.empty() && !segments_.back().sealed);
        case manifest_kind::incarnation:
            if (record.incarnation != incarnation_ + 1) return false;
            incarnation_ = record.incarnation;
            return true;
        case manifest_kind::checkpoint_published:
        case manifest_kind::checkpoint_retired: return apply_checkpoint(record);
        default: return false;
    }
}

bool manifest::apply_segment(const manifest_record& record, bool is_open) {
    switch (static_cast<manifest_kind>(record.kind)) {
        case manifest_kind::segment_opened: {
            if (is_open || record.incarnation != incarnation_) return false;
            if (!segments_.empty() && (segments_.back().last_lsn + 1 != record.first_lsn ||
                                       segments_.back().last_seq + 1 != record.first_seq ||
                                       segments_.back().hash_last != record.hash)) {
                return false;
            }
            segments_.push_back({record.segment,
                                 record.generation,
                                 record.first_lsn,
                                 record.first_seq,
                                 record.hash,
                                 false,
                                 0,
                                 0,
                                 {}});
            return true;
        }
        case manifest_kind::segment_sealed: {
            if (!is_open || record.incarnation != incarnation_) return false;
            segment_entry& entry = segments_.back();
            if (entry.id != record.segment || record.last_lsn < entry.first_lsn ||
                record.last_seq < entry.first_seq) {
                return false;
            }
            entry.sealed = true;
            entry.last_lsn = record.last_lsn;
            entry.last_seq = record.last_seq;
            entry.hash_last = record.hash;
            return true;
        }
        case manifest_kind::segment_retired: {
            if (segments_.size() < 2 || segments_.front().id != record.segment) return false;
            segments_.erase(segments_.begin());
            return true;
        }
        default: return false;
    }
}

bool manifest::apply_checkpoint(const manifest_record& record) {
    if (record.incarnation != incarnation_ || record.segment == uuid{}) return false;
    const auto place = std::ranges::find(checkpoints_, record.segment, &checkpoint_entry::id);
    if (static_cast<manifest_kind>(record.kind) == manifest_kind::checkpoint_retired) {
        if (place == checkpoints_.end()) return false;
        const bool is_needed = std::ranges::find(checkpoints_, record.segment,
                                                 &checkpoint_entry::parent) != checkpoints_.end();
        if (is_needed) return false;
        checkpoints_.erase(place);
        return true;
    }
    const checkpoint_entry entry{record.segment,  record.parent, record.first_lsn,
                                 record.last_lsn, record.cut_ns, record.file_bytes,
                                 record.hash,     published_ + 1};
    const auto* newest = checkpoints_.empty() ? nullptr : &checkpoints_.back();
    const bool is_full = record.generation == static_cast<std::uint64_t>(checkpoint_kind::full);
    if (place != checkpoints_.end() || is_full != entry.is_full() || entry.lsn == 0 ||
        entry.last_lsn < entry.lsn || entry.file_bytes == 0 ||
        std::ranges::find(checkpoints_, entry.lsn, &checkpoint_entry::lsn) != checkpoints_.end() ||
        (!is_full &&
         (newest == nullptr || newest->id != entry.parent || newest->last_lsn > entry.lsn))) {
        return false;
    }
    checkpoints_.push_back(entry);
    ++published_;
    return true;
}

const checkpoint_entry* manifest::checkpoint(const uuid& id) const noexcept {
    const auto place = std::ranges::find(checkpoints_, id, &checkpoint_entry::id);
    return place == checkpoints_.end() ? nullptr : &*place;
}

manifest_record manifest::blank(manifest_kind kind) const noexcept {
    manifest_record record{};
    record.magic = manifest_magic;
    record.format = manifest_format_version;
    record.kind = static_cast<std::uint16_t>(kind);
    record.record_bytes = manifest_record_bytes;
    record.seq = seq_ + 1;
    record.written_ns = wall_clock_ns();
    record.world = world_;
    record.incarnation = incarnation_;
    record.previous_hash = last_hash_;
    return record;
}

result<> manifest::reserve(std::uint64_t records) {
    if (seq_ + records <= reserved_) return {};
    // More than is asked for: what makes room on a full disk needs some itself.
    const std::uint64_t end = seq_ + records + spare_records;
    PERDURE_TRY(
        stream_.reserve(seq_ * manifest_record_bytes, (end - seq_) * manifest_record_bytes));
    reserved_ = end;
    return {};
}

result<> manifest::append(manifest_record& record) {
    PERDURE_ASSERT(record.seq == seq_ + 1);
    const auto room = reserve(seq_ + 1 + spare_records / 2 <= reserved_ ? 1 : spare_records / 2);
    if (!room && seq_ + 1 > reserved_) return room;
    record.crc = checksum(record);
    // First, so that nothing that the next open would refuse is ever written. A failed write leaves
    // this object ahead of the file, and refusing every further append.
    PERDURE_ASSERT(apply(record));
    PERDURE_TRY(stream_.write(bytes_of(record), seq_ * manifest_record_bytes));
    PERDURE_CRASH_POINT("manifest.written");
    PERDURE_TRY(stream_.sync());
    PERDURE_CRASH_POINT("manifest.synced");
    seq_ = record.seq;
    last_hash_ = blake2b(bytes_of(record));
    return {};
}

result<> manifest::open_segment(const segment_entry& entry) {
    manifest_record record = blank(manifest_kind::segment_opened);
    name_segment(record, entry);
    record.hash = entry.hash_before;
    return append(record);
}

result<> manifest::seal_segment(const segment_entry& entry) {
    manifest_record record = blank(manifest_kind::segment_sealed);
    name_segment(record, entry);
    record.last_lsn = entry.last_lsn;
    record.last_seq = entry.last_seq;
    record.hash = entry.hash_last;
    return append(record);
}

result<> manifest::retire_segment(const uuid& id) {
    manifest_record record = blank(manifest_kind::segment_retired);
    record.segment = id;
    return append(record);
}

result<> manifest::publish_checkpoint(const checkpoint_entry& entry) {
    const auto kind = entry.is_full() ? checkpoint_kind::full : checkpoint_kind::incremental;
    manifest_record record = blank(manifest_kind::checkpoint_published);
    record.segment = entry.id;
    record.generation = static_cast<std::uint64_t>(kind);
    record.first_lsn = entry.lsn;
    record.last_lsn = entry.last_lsn;
    record.hash = entry.link;
    record.parent = entry.parent;
    record.cut_ns = entry.cut_ns;
    record.file_bytes = entry.file_bytes;
    return append(record);
}

result<> manifest::retire_checkpoint(const uuid& id) {
    manifest_record record = blank(manifest_kind::checkpoint_retired);
    record.segment = id;
    return append(record);
}

result<> manifest::raise_incarnation() {
    manifest_record record = blank(manifest_kind::incarnation);
    record.incarnation = incarnation_ + 1;
    return append(record);
}

}  // namespace perdure::io
