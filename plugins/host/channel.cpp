// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <perdure/plugins/host/channel.hpp>
#include <utility>

namespace perdure::plugins {
namespace {

[[noreturn]] void refuse(const char* call) {
    const int error = errno;
    const errc code = error == ENOSPC || error == ENOMEM ? errc::no_memory : errc::io_error;
    throw failure(code, std::string("a plugin's channel: ") + call + ": " + std::strerror(error),
                  "free memory, or raise the limit on open files");
}

}  // namespace

channel channel::create() {
    channel made;
    made.file_ = ::memfd_create("perdure plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (made.file_ < 0) refuse("memfd_create");
    if (::ftruncate(made.file_, static_cast<off_t>(channel_bytes)) != 0) refuse("ftruncate");
    // A shorter file under our mapping would be a SIGBUS of ours.
    constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (::fcntl(made.file_, F_ADD_SEALS, seals) != 0) refuse("F_ADD_SEALS");
    made.map();
    made.header_->magic = channel_magic;
    made.header_->bytes = channel_bytes;
    return made;
}

channel channel::adopt(int file) {
    channel made;
    made.file_ = file;
    struct stat facts {};
    if (::fstat(file, &facts) != 0) refuse("fstat");
    if (static_cast<std::uint64_t>(facts.st_size) != channel_bytes) {
        throw failure(errc::foreign, "a plugin's channel of another length",
                      "this program is started by `perdure serve`, of the same build");
    }
    made.map();
    ::close(std::exchange(made.file_, -1));
    if (made.header_->magic != channel_magic) {
        throw failure(errc::foreign, "not a plugin's channel",
                      "this program is started by `perdure serve`, of the same build");
    }
    return made;
}

void channel::map() {
    void* const at = ::mmap(nullptr, channel_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (at == MAP_FAILED) refuse("mmap");
    header_ = static_cast<channel_header*>(at);
}

channel::channel(channel&& other) noexcept
    : file_(std::exchange(other.file_, -1)), header_(std::exchange(other.header_, nullptr)) {}

channel& channel::operator=(channel&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(header_, other.header_);
    return *this;
}

channel::~channel() {
    if (header_ != nullptr) ::munmap(header_, channel_bytes);
    if (file_ >= 0) ::close(file_);
}

ring_place channel::down() const noexcept {
    return {&header_->down, reinterpret_cast<std::byte*>(header_) + channel_rings_at};
}

ring_place channel::up() const noexcept {
    return {&header_->up,
            reinterpret_cast<std::byte*>(header_) + channel_rings_at + channel_ring_bytes};
}

}  // namespace perdure::plugins
