// SPDX-License-Identifier: Apache-2.0
//
// The MANIFEST of a world: what must be found on disk, so that a start that finds less can refuse.
//
// Promise     What was recorded with success is found again by every later open, or that open says
//             damaged. Only the last record may be torn, and only while it was never acknowledged.
// Death       A writer killed in an append leaves a torn last record; the next append writes
//             over it.
// Power loss  Each append ends with a sync. A failed one is final: the handle refuses from then on.
// Threads     One writer, by the keeper's lease; readers open their own.
// Format      manifest_format.hpp, docs/formats/manifest.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <perdure/io/file.hpp>
#include <perdure/io/finding.hpp>
#include <perdure/io/manifest_format.hpp>

namespace perdure::io {

/// A segment as the MANIFEST promises it.
struct segment_entry {
    uuid id;
    std::uint64_t generation;
    std::uint64_t first_lsn;
    std::uint64_t first_seq;
    block_hash hash_before;
    bool sealed;  ///< The rest says something only then.
    std::uint64_t last_lsn;
    std::uint64_t last_seq;
    block_hash hash_last;
};

/// A checkpoint as the MANIFEST promises it.
struct checkpoint_entry {
    uuid id{};
    uuid parent{};  ///< Zero: a full one.
    std::uint64_t lsn = 0;
    std::uint64_t last_lsn = 0;  ///< Replay has to reach it; see checkpoint_format.hpp, P4.
    std::uint64_t cut_ns = 0;
    std::uint64_t file_bytes = 0;
    block_hash link{};
    /// Which of all the world's checkpoints it is, from 1 in the order in which they were
    /// published, retired ones included. Known of entries that a MANIFEST answers.
    std::uint64_t version = 0;

    [[nodiscard]] bool is_full() const noexcept { return parent == uuid{}; }
};

class manifest {
  public:
    /// Writes the MANIFEST of a new world: under another name first, so that it is there in whole
    /// or not at all. Answers exists, disk_full, io_error.
    static result<> create(file_system& files, const std::string& directory, const uuid& world);

    /// Reads and checks it. Answers missing, damaged, foreign, wrong_format, io_error; `found` says
    /// where and why. Only a manifest opened to write may append.
    [[nodiscard]] static result<manifest> open(file_system& files, const std::string& directory,
                                               open_mode mode, std::optional<finding>& found);

    [[nodiscard]] const uuid& world() const noexcept { return world_; }
    [[nodiscard]] std::uint64_t incarnation() const noexcept { return incarnation_; }
    /// Segments still needed, by rising first LSN; only the last may be unsealed.
    [[nodiscard]] const std::vector<segment_entry>& segments() const noexcept { return segments_; }
    /// Checkpoints that were not retired, in the order in which they were published.
    [[nodiscard]] const std::vector<checkpoint_entry>& checkpoints() const noexcept {
        return checkpoints_;
    }
    /// nullptr: none of that identifier.
    [[nodiscard]] const checkpoint_entry* checkpoint(const uuid& id) const noexcept;
    [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

    /// Requires: every earlier segment is sealed, and the file is there under its name.
    result<> open_segment(const segment_entry& entry);
    /// Requires: `entry` is the unsealed one, completed by its last block, which is synced.
    result<> seal_segment(const segment_entry& entry);
    /// Requires: it is the oldest and sealed. Its file may be unlinked afterwards, not before.
    result<> retire_segment(const uuid& id);
    result<> raise_incarnation();
    /// Requires: its file is there under its name, verified, and so is its parent.
    result<> publish_checkpoint(const checkpoint_entry& entry);
    /// Requires: no other has it as its parent. Its file may be unlinked afterwards, not before.
    result<> retire_checkpoint(const uuid& id);

    /// Makes room in the file for as many records, so that none of them meets a full disk. Answers
    /// disk_full, io_error; nothing has changed then.
    result<> reserve(std::uint64_t records);
    /// Whether an append failed half way: final. disk_full without it is not.
    [[nodiscard]] bool is_failed() const noexcept { return stream_.is_failed(); }

  private:
    manifest(std::string directory, file stream) noexcept
        : directory_(std::move(directory)), stream_(std::move(stream)) {}

    [[nodiscard]] result<> load(std::optional<finding>& found);
    [[nodiscard]] bool apply(const manifest_record& record);
    [[nodiscard]] bool apply_segment(const manifest_record& record, bool is_open);
    [[nodiscard]] bool apply_checkpoint(const manifest_record& record);
    [[nodiscard]] manifest_record blank(manifest_kind kind) const noexcept;
    result<> append(manifest_record& record);

    std::string directory_;
    file stream_;
    uuid world_{};
    std::uint64_t incarnation_ = 0;
    std::uint64_t seq_ = 0;
    std::uint64_t reserved_ = 0;  // Records that the file has room for, as far as is known.
    block_hash last_hash_{};
    std::vector<segment_entry> segments_;
    std::vector<checkpoint_entry> checkpoints_;
    std::uint64_t published_ = 0;  ///< Checkpoints, retired ones included.
};

/// WORLD/MANIFEST.
[[nodiscard]] std::string manifest_path(const std::string& directory);
/// WORLD/journal.
[[nodiscard]] std::string journal_directory(const std::string& directory);
/// WORLD/checkpoints.
[[nodiscard]] std::string checkpoint_directory(const std::string& directory);
/// WORLD/checkpoints/<LSN, 20 digits>.pcp.
[[nodiscard]] std::string checkpoint_path(const std::string& directory, std::uint64_t lsn);
/// WORLD/journal/<first LSN, 20 digits>.pj.
[[nodiscard]] std::string segment_path(const std::string& directory, std::uint64_t first_lsn);

}  // namespace perdure::io
