// SPDX-License-Identifier: Apache-2.0
//
// The seam between io and the operating system: every file call of io goes through here.
//
// Promise     kernel_calls is the whole list of what io asks of the system; a test puts another
//             one in its place, counts, fails or records calls, and io cannot tell the difference.
//             read and write move all bytes or answer an error; a short write is an error.
// Power loss  Written bytes count from sync() of the file, names from sync_directory() of the
//             folder. A failed write or sync is final for the file: its handle refuses both from
//             then on, because a second fdatasync would succeed without the data being there.
// Threads     One file_system and its files belong to one thread.
// Invariants  S1 nothing is written or synced through a handle after a write or sync failed on it.
//             S2 only a call that did nothing (EINTR) is ever made again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <perdure/shm/error.hpp>

namespace perdure::io {

/// The calls themselves, answering like the kernel: a count or 0, or a negative errno.
/// This one passes them on to Linux.
class kernel_calls {
  public:
    kernel_calls() = default;
    virtual ~kernel_calls() = default;

    virtual int open(const char* path, int flags, unsigned mode) noexcept;
    virtual int close(int descriptor) noexcept;
    virtual std::int64_t read(int descriptor, std::span<std::byte> into,
                              std::uint64_t offset) noexcept;
    virtual std::int64_t write(int descriptor, std::span<const std::byte> from,
                               std::uint64_t offset) noexcept;
    virtual int sync(int descriptor) noexcept;
    virtual int allocate(int descriptor, std::uint64_t bytes) noexcept;
    /// Space from `offset` on for writes to come; the size stays as it is.
    virtual int reserve(int descriptor, std::uint64_t offset, std::uint64_t bytes) noexcept;
    virtual int truncate(int descriptor, std::uint64_t bytes) noexcept;
    virtual std::int64_t size(int descriptor) noexcept;
    virtual int rename(const char* from, const char* to) noexcept;
    /// Both exist afterwards, each under the other's name.
    virtual int exchange(const char* one, const char* other) noexcept;
    virtual int unlink(const char* path) noexcept;
    virtual int make_directory(const char* path, unsigned mode) noexcept;
    virtual int sync_directory(const char* path) noexcept;
    virtual int list(const char* path, std::vector<std::string>& names) noexcept;
    /// An OFD lock on the whole file, never waited for: -EAGAIN if somebody else holds it.
    virtual int lock(int descriptor, bool exclusive) noexcept;
    virtual int unlock(int descriptor) noexcept;
    /// What the file system of a path still has for us, in bytes.
    virtual std::int64_t free_bytes(const char* path) noexcept;
    /// Advice; what they answer changes nothing that is promised.
    virtual void start_writeback(int descriptor, std::uint64_t offset,
                                 std::uint64_t bytes) noexcept;
    virtual void drop_cache(int descriptor) noexcept;

  protected:
    kernel_calls(const kernel_calls&) = default;
    kernel_calls& operator=(const kernel_calls&) = default;
};

class file;

enum class open_mode {
    read = 1,        ///< An existing file, for reading.
    read_write = 2,  ///< An existing file.
    create = 3,      ///< A new file; errc::exists if there is one.
    open_or_create = 4,
    create_read_only = 5,  ///< A new file that this handle alone may write, and everybody read.
};

/// Paths, results and the last error's text on top of kernel_calls.
class file_system {
  public:
    explicit file_system(kernel_calls& calls) noexcept : calls_(calls) {}
    file_system(const file_system&) = delete;
    file_system& operator=(const file_system&) = delete;
    ~file_system() = default;

    /// Never follows a symbolic link at the path's end, never survives exec.
    /// Answers not_found, exists, disk_full, io_error.
    [[nodiscard]] result<file> open(const std::string& path, open_mode mode);
    result<> rename(const std::string& from, const std::string& to);
    /// Atomically. Answers not_found, io_error.
    result<> exchange(const std::string& one, const std::string& other);
    /// Answers not_found if there is no such file.
    result<> unlink(const std::string& path);
    /// An existing directory is a success.
    result<> make_directory(const std::string& path);
    result<> sync_directory(const std::string& path);
    /// The names in a directory, sorted, without "." and "..".
    [[nodiscard]] result<std::vector<std::string>> list(const std::string& path);
    [[nodiscard]] result<std::uint64_t> free_bytes(const std::string& path);

    /// For another file_system, in another thread.
    [[nodiscard]] kernel_calls& calls() const noexcept { return calls_; }

    /// "fdatasync WORLD/journal/…: Input/output error" of the last refused call, for the log.
    [[nodiscard]] const std::string& last_error() const noexcept { return last_error_; }

  private:
    friend class file;
    [[nodiscard]] errc refuse(std::string_view call, const std::string& thing, int number);

    kernel_calls& calls_;
    std::string last_error_;
};

/// An open file; closes itself.
class file {
  public:
    file() noexcept = default;
    file(const file&) = delete;
    file& operator=(const file&) = delete;
    file(file&& other) noexcept { swap(other); }
    file& operator=(file&& other) noexcept {
        file(std::move(other)).swap(*this);
        return *this;
    }
    ~file() { close(); }

    /// Reads up to into.size() bytes; fewer only at the file's end.
    [[nodiscard]] result<std::size_t> read(std::span<std::byte> into, std::uint64_t offset) const;
    /// Writes all of it with one call, or fails for good (S1).
    result<> write(std::span<const std::byte> from, std::uint64_t offset);
    /// fdatasync; a failure is for good (S1).
    result<> sync();
    /// Reserves blocks, so that a full disk is met here; the size becomes at least `bytes`.
    result<> allocate(std::uint64_t bytes);
    /// Space for what will be appended, so that a full disk is met here; the size stays. A file
    /// system that cannot is no error.
    result<> reserve(std::uint64_t offset, std::uint64_t bytes);
    result<> truncate(std::uint64_t bytes);
    /// Gives the open file another name, replacing what bears it.
    result<> rename(const std::string& to);
    [[nodiscard]] result<std::uint64_t> size() const;
    /// False if another open file holds a lock that excludes this one. Dies with the descriptor.
    [[nodiscard]] result<bool> try_lock(bool exclusive);
    result<> unlock();
    void start_writeback(std::uint64_t offset, std::uint64_t bytes) noexcept;
    /// Makes the next read come from the disk where pages are clean: what a failed sync of an
    /// earlier process left in the page cache is not what the disk holds.
    void drop_cache() noexcept;
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
    [[nodiscard]] bool is_failed() const noexcept { return failed_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    friend class file_system;
    file(file_system& system, int descriptor, std::string path) noexcept
        : system_(&system), descriptor_(descriptor), path_(std::move(path)) {}
    void swap(file& other) noexcept;

    file_system* system_ = nullptr;
    int descriptor_ = -1;
    bool failed_ = false;
    std::string path_;
};

/// The folder of a path, "." where it names none.
[[nodiscard]] std::string folder_of(const std::string& path);

}  // namespace perdure::io
