// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/byte_source.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <zstd.h>

namespace perdure::io {
namespace {

constexpr std::array<std::uint8_t, 4> zstd_magic{0x28, 0xb5, 0x2f, 0xfd};
// A frame may ask for a window of up to this; more is refused as damaged.
constexpr int window_log_max = 27;

[[noreturn]] void refuse(const std::string& path, int number) {
    throw failure(number == ENOENT ? errc::not_found : errc::io_error,
                  path + ": " + std::strerror(number), "check the path and its permissions");
}

class descriptor {
  public:
    explicit descriptor(const std::string& path)
        : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (number_ < 0) refuse(path, errno);
        struct stat facts {};
        if (::fstat(number_, &facts) == 0 && S_ISDIR(facts.st_mode)) {
            ::close(number_);
            refuse(path, EISDIR);
        }
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() { ::close(number_); }
    [[nodiscard]] int number() const noexcept { return number_; }

  private:
    int number_;
};

struct free_stream {
    void operator()(ZSTD_DCtx* stream) const noexcept { ZSTD_freeDCtx(stream); }
};

}  // namespace

struct byte_source::state {
    explicit state(const std::string& path) : file(path), packed(ZSTD_DStreamInSize()) {}

    descriptor file;
    std::unique_ptr<ZSTD_DCtx, free_stream> unpacker;  // None: the file stands as it is.
    std::vector<std::byte> packed;
    std::size_t at = 0;   // Of `packed`, not yet used.
    std::size_t end = 0;  // Of `packed`.
    bool in_frame = false;

    result<std::size_t> fill() noexcept {
        ssize_t got = 0;
        do {
            got = ::read(file.number(), packed.data(), packed.size());
        } while (got < 0 && errno == EINTR);
        if (got < 0) return errc::io_error;
        at = 0;
        end = static_cast<std::size_t>(got);
        return end;
    }
};

byte_source::byte_source(const std::string& path) : state_(std::make_unique<state>(path)) {
    const auto first = state_->fill();
    if (!first) refuse(path, errno);
    if (*first < zstd_magic.size() ||
        std::memcmp(state_->packed.data(), zstd_magic.data(), zstd_magic.size()) != 0) {
        return;
    }
    state_->unpacker.reset(ZSTD_createDCtx());
    PERDURE_ASSERT(state_->unpacker != nullptr);
    ZSTD_DCtx_setParameter(state_->unpacker.get(), ZSTD_d_windowLogMax, window_log_max);
}

byte_source::byte_source(byte_source&&) noexcept = default;
byte_source& byte_source::operator=(byte_source&&) noexcept = default;
byte_source::~byte_source() = default;

result<std::size_t> byte_source::read(std::span<std::byte> into) noexcept {
    state& s = *state_;
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0 && out.size > 0) {
        if (s.at == s.end && PERDURE_TRY(s.fill()) == 0) {
            if (s.in_frame) return errc::damaged;
            break;
        }
        if (s.unpacker == nullptr) {
            const std::size_t count = std::min(s.end - s.at, into.size());
            std::memcpy(into.data(), s.packed.data() + s.at, count);
            s.at += count;
            return count;
        }
        ZSTD_inBuffer in{s.packed.data(), s.end, s.at};
        const std::size_t more = ZSTD_decompressStream(s.unpacker.get(), &out, &in);
        if (ZSTD_isError(more) != 0) return errc::damaged;
        s.at = in.pos;
        s.in_frame = more != 0;
    }
    return out.pos;
}

block_hash hash_file(const std::string& path, std::span<const std::byte> more) {
    const descriptor file(path);
    struct stat facts {};
    if (::fstat(file.number(), &facts) != 0) refuse(path, errno);
    const auto bytes = static_cast<std::size_t>(facts.st_size);
    if (bytes == 0) return blake2b({}, more);
    void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.number(), 0);
    if (mapped == MAP_FAILED) refuse(path, errno);
    const block_hash made = blake2b({static_cast<const std::byte*>(mapped), bytes}, more);
    ::munmap(mapped, bytes);
    return made;
}

}  // namespace perdure::io
