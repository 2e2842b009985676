// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/file.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <cstdio>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include <perdure/shm/crash_point.hpp>

namespace perdure::io {
namespace {

constexpr unsigned file_mode = 0600;
constexpr unsigned read_only_mode = 0444;
constexpr unsigned directory_mode = 0700;
constexpr int interrupted_max = 100;

template <class Result>
Result or_errno(Result answer) noexcept {
    return answer < 0 ? static_cast<Result>(-errno) : answer;
}

/// S2: EINTR says that nothing happened. Bounded, so that a broken kernel cannot hang us.
template <class Call>
auto uninterrupted(Call&& call) noexcept {
    auto answer = call();
    for (int i = 0; answer == -EINTR && i < interrupted_max; ++i) answer = call();
    return answer;
}

int whole_file_lock(int descriptor, short type) noexcept {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return or_errno(::fcntl(descriptor, F_OFD_SETLK, &lock));
}

}  // namespace

int kernel_calls::open(const char* path, int flags, unsigned mode) noexcept {
    return or_errno(::open(path, flags, mode));
}

int kernel_calls::close(int descriptor) noexcept { return or_errno(::close(descriptor)); }

std::int64_t kernel_calls::read(int descriptor, std::span<std::byte> into,
                                std::uint64_t offset) noexcept {
    return or_errno(::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset)));
}

std::int64_t kernel_calls::write(int descriptor, std::span<const std::byte> from,
                                 std::uint64_t offset) noexcept {
    return or_errno(::pwrite(descriptor, from.data(), from.size(), static_cast<off_t>(offset)));
}

int kernel_calls::sync(int descriptor) noexcept { return or_errno(::fdatasync(descriptor)); }

int kernel_calls::allocate(int descriptor, std::uint64_t bytes) noexcept {
    return -::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
}

int kernel_calls::reserve(int descriptor, std::uint64_t offset, std::uint64_t bytes) noexcept {
    return or_errno(::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                                static_cast<off_t>(bytes)));
}

int kernel_calls::truncate(int descriptor, std::uint64_t bytes) noexcept {
    return or_errno(::ftruncate(descriptor, static_cast<off_t>(bytes)));
}

std::int64_t kernel_calls::size(int descriptor) noexcept {
    struct stat facts {};
    if (::fstat(descriptor, &facts) != 0) return -errno;
    return facts.st_size;
}

int kernel_calls::rename(const char* from, const char* to) noexcept {
    return or_errno(::rename(from, to));
}

int kernel_calls::exchange(const char* one, const char* other) noexcept {
    return or_errno(::renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE));
}

int kernel_calls::unlink(const char* path) noexcept { return or_errno(::unlink(path)); }

int kernel_calls::make_directory(const char* path, unsigned mode) noexcept {
    return or_errno(::mkdir(path, mode));
}

int kernel_calls::sync_directory(const char* path) noexcept {
    const int descriptor = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    const int answer = or_errno(::fsync(descriptor));
    ::close(descriptor);
    return answer;
}

int kernel_calls::list(const char* path, std::vector<std::string>& names) noexcept {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path), &::closedir);
    if (folder == nullptr) return -errno;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(folder.get());
        if (entry == nullptr) return -errno;
        const std::string_view found = entry->d_name;
        if (found != "." && found != "..") names.emplace_back(found);
    }
}

int kernel_calls::lock(int descriptor, bool exclusive) noexcept {
    return whole_file_lock(descriptor, exclusive ? F_WRLCK : F_RDLCK);
}

int kernel_calls::unlock(int descriptor) noexcept { return whole_file_lock(descriptor, F_UNLCK); }

std::int64_t kernel_calls::free_bytes(const char* path) noexcept {
    struct statvfs facts {};
    if (::statvfs(path, &facts) != 0) return -errno;
    return static_cast<std::int64_t>(facts.f_bavail * facts.f_frsize);
}

void kernel_calls::start_writeback(int descriptor, std::uint64_t offset,
                                   std::uint64_t bytes) noexcept {
    static_cast<void>(::sync_file_range(descriptor, static_cast<off_t>(offset),
                                        static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE));
}

void kernel_calls::drop_cache(int descriptor) noexcept {
    static_cast<void>(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED));
}

errc file_system::refuse(std::string_view call, const std::string& thing, int number) {
    last_error_.assign(call).append(" ").append(thing).append(": ");
    last_error_ +=
        number == 0 ? "fewer bytes than asked for" : std::generic_category().message(number);
    switch (number) {
        case ENOENT: return errc::not_found;
        case EEXIST: return errc::exists;
        case ENOSPC:
        case EDQUOT:
        case EFBIG: return errc::disk_full;
        default: return errc::io_error;
    }
}

result<file> file_system::open(const std::string& path, open_mode mode) {
    int flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
    flags |= mode == open_mode::read ? O_RDONLY : O_RDWR;
    const bool is_frozen = mode == open_mode::create_read_only;
    if (mode == open_mode::create || is_frozen) flags |= O_CREAT | O_EXCL;
    if (mode == open_mode::open_or_create) flags |= O_CREAT;
    const unsigned rights = is_frozen ? read_only_mode : file_mode;
    const int descriptor = uninterrupted([&] { return calls_.open(path.c_str(), flags, rights); });
    if (descriptor < 0) return refuse("open", path, -descriptor);
    return file(*this, descriptor, path);
}

result<> file_system::rename(const std::string& from, const std::string& to) {
    const int answer = calls_.rename(from.c_str(), to.c_str());
    if (answer < 0) return refuse("rename", from + " -> " + to, -answer);
    return {};
}

result<> file_system::exchange(const std::string& one, const std::string& other) {
    const int answer = calls_.exchange(one.c_str(), other.c_str());
    if (answer < 0) return refuse("exchange", one + " <-> " + other, -answer);
    return {};
}

result<> file_system::unlink(const std::string& path) {
    const int answer = calls_.unlink(path.c_str());
    if (answer < 0) return refuse("unlink", path, -answer);
    return {};
}

result<> file_system::make_directory(const std::string& path) {
    const int answer = calls_.make_directory(path.c_str(), directory_mode);
    if (answer < 0 && answer != -EEXIST) return refuse("mkdir", path, -answer);
    return {};
}

result<> file_system::sync_directory(const std::string& path) {
    const int answer = calls_.sync_directory(path.c_str());
    if (answer < 0) return refuse("fsync directory", path, -answer);
    return {};
}

result<std::vector<std::string>> file_system::list(const std::string& path) {
    std::vector<std::string> names;
    const int answer = calls_.list(path.c_str(), names);
    if (answer < 0) return refuse("list", path, -answer);
    std::sort(names.begin(), names.end());
    return names;
}

result<std::uint64_t> file_system::free_bytes(const std::string& path) {
    const std::int64_t answer = calls_.free_bytes(path.c_str());
    if (answer < 0) return refuse("statvfs", path, static_cast<int>(-answer));
    return static_cast<std::uint64_t>(answer);
}

result<std::size_t> file::read(std::span<std::byte> into, std::uint64_t offset) const {
    PERDURE_ASSERT(is_open());
    std::size_t done = 0;
    while (done < into.size()) {
        const std::int64_t count = uninterrupted(
            [&] { return system_->calls_.read(descriptor_, into.subspan(done), offset + done); });
        if (count < 0) return system_->refuse("read", path_, static_cast<int>(-count));
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

result<> file::write(std::span<const std::byte> from, std::uint64_t offset) {
    PERDURE_ASSERT(is_open());
    if (failed_) return errc::durability_lost;
    const std::int64_t count =
        uninterrupted([&] { return system_->calls_.write(descriptor_, from, offset); });
    if (count == static_cast<std::int64_t>(from.size())) return {};
    failed_ = true;
    int why = count < 0 ? static_cast<int>(-count) : 0;
    if (why == 0) {  // What did not fit, as a rule, before anything at all is refused.
        const std::int64_t free = system_->calls_.free_bytes(folder_of(path_).c_str());
        if (free >= 0 && free < static_cast<std::int64_t>(from.size()) - count) why = ENOSPC;
    }
    return system_->refuse("write", path_, why);
}

result<> file::sync() {
    PERDURE_ASSERT(is_open());
    if (failed_) return errc::durability_lost;
    int answer = system_->calls_.sync(descriptor_);
#if defined(PERDURE_RIG)
    if (answer < 0 && shm::planted(shm::bug::retry_after_failed_sync)) {
        answer = system_->calls_.sync(descriptor_);
    }
#endif
    if (answer == 0) return {};
    failed_ = true;
    return system_->refuse("fdatasync", path_, -answer);
}

result<> file::allocate(std::uint64_t bytes) {
    PERDURE_ASSERT(is_open());
    const int answer = uninterrupted([&] { return system_->calls_.allocate(descriptor_, bytes); });
    if (answer < 0) return system_->refuse("fallocate", path_, -answer);
    return {};
}

result<> file::reserve(std::uint64_t offset, std::uint64_t bytes) {
    PERDURE_ASSERT(is_open());
    const int answer =
        uninterrupted([&] { return system_->calls_.reserve(descriptor_, offset, bytes); });
    if (answer < 0 && answer != -EOPNOTSUPP) return system_->refuse("fallocate", path_, -answer);
    return {};
}

result<> file::truncate(std::uint64_t bytes) {
    PERDURE_ASSERT(is_open());
    const int answer = uninterrupted([&] { return system_->calls_.truncate(descriptor_, bytes); });
    if (answer < 0) return system_->refuse("ftruncate", path_, -answer);
    return {};
}

result<> file::rename(const std::string& to) {
    PERDURE_ASSERT(is_open());
    PERDURE_TRY(system_->rename(path_, to));
    path_ = to;
    return {};
}

result<std::uint64_t> file::size() const {
    PERDURE_ASSERT(is_open());
    const std::int64_t bytes = system_->calls_.size(descriptor_);
    if (bytes < 0) return system_->refuse("fstat", path_, static_cast<int>(-bytes));
    return static_cast<std::uint64_t>(bytes);
}

result<bool> file::try_lock(bool exclusive) {
    PERDURE_ASSERT(is_open());
    const int answer = uninterrupted([&] { return system_->calls_.lock(descriptor_, exclusive); });
    if (answer == 0) return true;
    if (answer == -EAGAIN || answer == -EACCES) return false;
    return system_->refuse("lock", path_, -answer);
}

result<> file::unlock() {
    PERDURE_ASSERT(is_open());
    const int answer = system_->calls_.unlock(descriptor_);
    if (answer < 0) return system_->refuse("unlock", path_, -answer);
    return {};
}

void file::start_writeback(std::uint64_t offset, std::uint64_t bytes) noexcept {
    PERDURE_ASSERT(is_open());
    system_->calls_.start_writeback(descriptor_, offset, bytes);
}

void file::drop_cache() noexcept {
    PERDURE_ASSERT(is_open());
    system_->calls_.drop_cache(descriptor_);
}

void file::close() noexcept {
    if (descriptor_ < 0) return;
    // A failed close loses nothing that a sync promised; the descriptor is gone either way.
    static_cast<void>(system_->calls_.close(std::exchange(descriptor_, -1)));
}

void file::swap(file& other) noexcept {
    std::swap(system_, other.system_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(failed_, other.failed_);
    std::swap(path_, other.path_);
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace perdure::io
