// SPDX-License-Identifier: Apache-2.0
//
// A disk in memory under io's seam: counts calls, fails the n-th, remembers every write, sync,
// rename and unlink, and builds from that what a disk may hold after a power loss.
//
// The fault model, stated before the injector:
//   * Written bytes and file lengths last from a successful sync of the file, names from a
//     successful sync of the folder. Until then each write may be on disk or not, alone, in any
//     order, or in part by sectors of 512 bytes; names change in order, but any number of the
//     latest changes may be missing.
//   * A failed sync leaves the pages clean and the disk without them: a second sync succeeds and
//     saves nothing. Dropping the cache shows what the disk holds.
//   * A failed or short write has written a front part.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <perdure/io/file.hpp>

namespace perdure::tests {

enum class fault_kind { input_output, no_space, short_write, interrupted };

struct planned_fault {
    fault_kind kind;
    std::uint64_t call;  ///< The how-manieth call fails, from 1.
    bool for_ever;       ///< All later ones of the same sort too.
};

/// What happens to that which no sync has covered.
enum class loss {
    nothing,  ///< All of it is there: the process died, the machine did not.
    all,      ///< None of it is.
    one,      ///< All but one write.
    two,      ///< All but two.
    some,     ///< Each write by the toss of a coin, later ones before earlier ones.
    torn,     ///< All, but some sectors of one write are missing.
    names,    ///< All writes; the latest changes of names are missing.
};
inline constexpr loss all_losses[] = {loss::nothing, loss::all,  loss::one,  loss::two,
                                      loss::some,    loss::torn, loss::names};

class simulated_disk : public io::kernel_calls {
  public:
    simulated_disk() { directories_.insert("world"); }

    void plan(planned_fault fault) { fault_ = fault; }
    void heal() { fault_.reset(); }
    /// Calls that could have failed so far.
    [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
    [[nodiscard]] bool has_faulted() const noexcept { return faulted_; }
    /// Changes so far; a power loss may come after any of them.
    [[nodiscard]] std::size_t changes() const noexcept { return trace_.size(); }
    /// Successful syncs of the file so far that are followed by no later write to it.
    [[nodiscard]] bool is_synced(const std::string& path) const;

    /// What a disk may hold if power is lost after the first `changes` changes.
    [[nodiscard]] simulated_disk after_power_loss(std::size_t changes, loss how,
                                                  std::mt19937_64& random) const;

    /// How much all files together may take from now on; more answers ENOSPC, and writes nothing
    /// but what fits.
    void hold(std::uint64_t bytes) { room_ = bytes; }
    /// What they take: lengths, and what was reserved beyond.
    [[nodiscard]] std::uint64_t used() const;

    /// A file's bytes, for tests that damage them.
    [[nodiscard]] std::vector<std::byte>& content(const std::string& path) {
        return files_[names_.at(path)];
    }
    void put(const std::string& path, std::vector<std::byte> bytes);
    void remove(const std::string& path) { names_.erase(path); }
    [[nodiscard]] bool exists(const std::string& path) const { return names_.contains(path); }
    [[nodiscard]] std::vector<std::string> paths() const;

    int open(const char* path, int flags, unsigned mode) noexcept override;
    int close(int descriptor) noexcept override;
    std::int64_t read(int descriptor, std::span<std::byte> into,
                      std::uint64_t offset) noexcept override;
    std::int64_t write(int descriptor, std::span<const std::byte> from,
                       std::uint64_t offset) noexcept override;
    int sync(int descriptor) noexcept override;
    int allocate(int descriptor, std::uint64_t bytes) noexcept override;
    int reserve(int descriptor, std::uint64_t offset, std::uint64_t bytes) noexcept override;
    int truncate(int descriptor, std::uint64_t bytes) noexcept override;
    std::int64_t size(int descriptor) noexcept override;
    int rename(const char* from, const char* to) noexcept override;
    int unlink(const char* path) noexcept override;
    int make_directory(const char* path, unsigned mode) noexcept override;
    int sync_directory(const char* path) noexcept override;
    int list(const char* path, std::vector<std::string>& names) noexcept override;
    int lock(int descriptor, bool exclusive) noexcept override;
    int unlock(int descriptor) noexcept override;
    std::int64_t free_bytes(const char* path) noexcept override;
    void start_writeback(int, std::uint64_t, std::uint64_t) noexcept override {}
    void drop_cache(int descriptor) noexcept override;

  private:
    enum class what { write, resize, create, rename, unlink, sync, sync_folder };
    struct change {
        what kind;
        std::size_t inode = 0;
        std::uint64_t offset = 0;  // Of a write; the new length of a resize.
        std::vector<std::byte> bytes;
        std::string path;    // Of a name; the folder of a sync_folder.
        std::string target;  // Of a rename.
        bool lost = false;   // A failed sync has dropped it.
    };
    using name_map = std::map<std::string, std::size_t>;

    [[nodiscard]] int fault_of(bool is_write = false) noexcept;
    [[nodiscard]] bool has_room(std::size_t inode, std::uint64_t end) const;
    static void apply(const change& one, std::vector<std::byte>& bytes);
    static void apply_sectors(const change& one, std::vector<std::byte>& bytes,
                              std::mt19937_64& random);
    static void apply_name(const change& one, name_map& names);
    [[nodiscard]] std::vector<bool> durable_changes(std::size_t count) const;

    /// The calls of many threads are made one after the other; a copy has a lock of its own.
    struct call_lock : std::recursive_mutex {
        call_lock() = default;
        call_lock(const call_lock& /*other*/) : std::recursive_mutex() {}
        call_lock& operator=(const call_lock& /*other*/) { return *this; }
    };

    call_lock one_at_a_time_;
    std::vector<std::vector<std::byte>> files_;  // By inode, as the page cache has them.
    std::vector<std::vector<std::byte>> born_;   // By inode, what the image started with.
    name_map names_;
    name_map names_born_;
    std::set<std::string> directories_;
    std::map<int, std::size_t> open_;
    int next_descriptor_ = 100;
    std::vector<change> trace_;
    std::optional<planned_fault> fault_;
    std::optional<std::uint64_t> room_;
    std::map<std::size_t, std::uint64_t> reserved_;  // Up to which byte, by inode.
    std::uint64_t calls_ = 0;
    bool faulted_ = false;
    bool write_fault_pending_ = false;
};

}  // namespace perdure::tests
