// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/interprocess/file_mapping.hpp>
#include <cerrno>
#include <cstring>
#include <perdure/shm/capture_state.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/region.hpp>
#include <utility>

namespace perdure::shm {
namespace {

constexpr std::uint64_t huge_page = 2ULL << 20;
constexpr std::uint64_t bytes_room_min = 1ULL << 20;  // Of a region over bytes: what tables need.

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t step) noexcept {
    return (value + step - 1) / step * step;
}

std::uint32_t geometry_crc(const region_geometry& geometry) noexcept {
    return crc32c({reinterpret_cast<const std::byte*>(&geometry), offsetof(region_geometry, crc)});
}

/// Where the last byte of the mapping ends.
std::uint64_t mapped_end(const region_geometry& geometry) noexcept {
    return geometry.shadow_at + geometry.shadow_pages_max * page_bytes;
}

/// Places what captures need behind the pages.
void plan_capture(region_geometry& g, std::uint64_t shadow_bytes) noexcept {
    const std::uint64_t pages = (g.capacity_bytes - g.pages_at) / page_bytes;
    g.dirty_at = g.capacity_bytes;
    g.capture_at = g.dirty_at + 2 * round_up((pages + 63) / 64 * sizeof(std::uint64_t), page_bytes);
    g.shadow_at = g.capture_at + round_up(pages * sizeof(std::uint64_t), page_bytes);
    g.shadow_pages_max = shadow_bytes == 0 ? pages : std::min(pages, shadow_bytes / page_bytes);
}

/// Places every part; the answer has no checksum yet.
region_geometry plan(const region_options& options, std::uint64_t room = commit_step) {
    const bool power = (options.ring_bytes & (options.ring_bytes - 1)) == 0;
    if (!power || options.ring_bytes < 64 * 1024 || options.slot_count == 0 ||
        options.slot_count > slot_count_max || options.undo_bytes < page_bytes ||
        options.undo_bytes % page_bytes != 0 || options.first_lsn == 0) {
        throw failure(errc::wrong_format, "region options: ring, slot or undo size out of range",
                      "use a ring that is a power of two from 64 KiB, 1 to 1024 slots and an undo "
                      "area of whole pages");
    }
    region_geometry g{};
    g.format = region_format_version;
    g.header_bytes = sizeof(region_header);
    g.layout = layout_signature();
    g.world = options.world;
    g.boot = options.boot;
    g.generation = options.generation;
    g.incarnation = options.incarnation;
    g.undo_bytes = options.undo_bytes;
    g.ring_bytes = options.ring_bytes;
    g.slot_count = options.slot_count;
    g.slot_bytes = page_bytes + held_max * sizeof(std::uint32_t) + options.undo_bytes;
    g.slots_at = sizeof(region_header);
    g.stripes_at = g.slots_at + g.slot_count * g.slot_bytes;
    g.ring_at = g.stripes_at + stripe_count * sizeof(std::uint64_t);
    g.tables_at = g.ring_at + g.ring_bytes;
    g.pages_at = g.tables_at + table_count * sizeof(table_descriptor);
    g.capacity_bytes = round_up(options.capacity_bytes, page_bytes);
    if (g.capacity_bytes < g.pages_at + room) {
        throw failure(
            errc::region_full,
            "region.capacity " + std::to_string(g.capacity_bytes) +
                " bytes is too small for ring, slots and stripes",
            "set region.capacity to at least " + std::to_string(g.pages_at + room) + " bytes");
    }
    plan_capture(g, options.shadow_bytes);
    return g;
}

/// Writes what a fresh region holds but for the schemas' table and, last, the magic (G2).
void initialise(std::byte* start, const region_geometry& planned, const region_options& options,
                std::uint64_t committed) noexcept {
    auto& header = *reinterpret_cast<region_header*>(start);
    header.geometry = planned;
    header.geometry.crc = geometry_crc(header.geometry);
    header.committed_bytes.value = committed;
    header.page_next.value = 1;
    header.durable.lsn = options.first_lsn - 1;
    header.capture.state = pack(capture_state{});
    for (std::uint32_t i = 0; i < planned.slot_count; ++i) {
        auto& slot =
            *reinterpret_cast<slot_control*>(start + planned.slots_at + i * planned.slot_bytes);
        slot.claim = no_claim;
    }
    for (std::uint32_t i = 0; i < table_count; ++i) {
        auto& table = *reinterpret_cast<table_descriptor*>(start + planned.tables_at +
                                                           i * sizeof(table_descriptor));
        table.state = static_cast<std::uint32_t>(table_state::empty);
    }
    // Ring position 0 holds the header behind the tail: the first LSN, free.
    auto& first = *reinterpret_cast<record_header*>(start + planned.ring_at);
    first = {options.first_lsn, 0, 0, static_cast<std::uint16_t>(record_state::free)};
}

/// Only legal while nobody else is attached: a persisted or copied image may show locks as held.
void initialise_locks(std::byte* start, const region_geometry& geometry) noexcept {
    pthread_mutexattr_t kind;
    PERDURE_ASSERT(pthread_mutexattr_init(&kind) == 0);
    PERDURE_ASSERT(pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0);
    PERDURE_ASSERT(pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0);
    PERDURE_ASSERT(pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_NORMAL) == 0);
    for (std::uint32_t i = 0; i < geometry.slot_count; ++i) {
        auto& slot =
            *reinterpret_cast<slot_control*>(start + geometry.slots_at + i * geometry.slot_bytes);
        std::memset(&slot.life, 0, sizeof slot.life);
        auto* lock = reinterpret_cast<pthread_mutex_t*>(&slot.life);
        PERDURE_ASSERT(pthread_mutex_init(lock, &kind) == 0);
    }
    pthread_mutexattr_destroy(&kind);
}

/// A free address at which the file's huge pages are the address space's, nullptr when none is
/// found. Only a hint: a mapping elsewhere works as well, with smaller pages.
void* aligned_place(std::uint64_t bytes) noexcept {
    void* found = ::mmap(nullptr, bytes + huge_page, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) return nullptr;
    ::munmap(found, bytes + huge_page);
    return reinterpret_cast<void*>(round_up(reinterpret_cast<std::uintptr_t>(found), huge_page));
}

[[noreturn]] void refuse(errc code, const std::string& path, const std::string& cause,
                         const std::string& todo) {
    throw failure(code, "region " + path + ": " + cause, todo);
}

[[noreturn]] void refuse_errno(const std::string& path, const char* call, int error) {
    const errc code = error == ENOSPC   ? errc::no_memory
                      : error == EEXIST ? errc::exists
                      : error == ENOENT ? errc::missing
                                        : errc::io_error;
    refuse(code, path, std::string(call) + ": " + std::strerror(error),
           error == ENOSPC ? "free space there, or set region.directory to a larger file system"
           : error == EACCES || error == EROFS
               ? "give this user write permission on the directory, or set region.directory"
               : "check the path and its file system");
}

bool lock_file(int file, short type) noexcept {
    struct flock whole {};
    whole.l_type = type;
    whole.l_whence = SEEK_SET;
    int answer = 0;
    do {
        answer = ::fcntl(file, F_OFD_SETLK, &whole);
    } while (answer != 0 && errno == EINTR);
    return answer == 0;
}

/// The creator holds the exclusive lock until the magic is there; waits for it, boundedly.
bool wait_for_share(int file) noexcept {
    for (int turn = 0; turn < 2000; ++turn) {
        if (lock_file(file, F_RDLCK)) return true;
        ::usleep(1000);
    }
    return false;
}

/// One byte that a fork's child reads as zero.
volatile std::uint8_t* life_page() {
    void* page =
        ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || ::madvise(page, page_bytes, MADV_WIPEONFORK) != 0) {
        throw failure(errc::no_memory, "region: no page for the fork sign", "free memory");
    }
    auto* alive = static_cast<volatile std::uint8_t*>(page);
    *alive = 1;
    return alive;
}

/// What the file must be long enough for: captures keep something of every committed page.
std::uint64_t file_end(const region_header& header) noexcept {
    const auto& g = header.geometry;
    const std::uint64_t committed = std::max(header.committed_bytes.value, g.pages_at);
    const std::uint64_t words = (committed - g.pages_at) / page_bytes * sizeof(std::uint64_t);
    const std::uint64_t shadows = header.capture.shadow_pages;
    return shadows == 0 ? g.capture_at + words : g.shadow_at + shadows * page_bytes;
}

void check_header(const std::string& path, const region_header& header, std::uint64_t file_bytes) {
    const auto& g = header.geometry;
    if (load(header.magic) != region_magic) {
        if (header.magic == 0) {
            refuse(errc::damaged, path, "its creator died before it was whole",
                   "remove the file; the world recovers from its journal");
        }
        refuse(errc::foreign, path, "not a Perdure region",
               "point region.directory elsewhere, or remove the file if nothing needs it");
    }
    if (g.format != region_format_version || g.header_bytes != sizeof(region_header) ||
        g.layout != layout_signature()) {
        refuse(errc::wrong_format, path,
               "format " + std::to_string(g.format) + " or another layout than this build's",
               "use the build that made it, or remove the file: the world recovers from its "
               "journal");
    }
    if (g.crc != geometry_crc(g)) {
        refuse(errc::damaged, path, "the header's checksum does not match",
               "remove the file; the world recovers from its journal");
    }
    const std::uint64_t expected = file_end(header);
    if (expected > file_bytes || header.committed_bytes.value > g.capacity_bytes ||
        g.pages_at > header.committed_bytes.value) {
        refuse(errc::damaged, path,
               "truncated: " + std::to_string(file_bytes) + " bytes, " + std::to_string(expected) +
                   " expected",
               "remove the file; the world recovers from its journal");
    }
}

}  // namespace

void region::map(access mode, std::uint64_t bytes) {
    namespace bip = boost::interprocess;
    const auto how = mode == access::read_write ? bip::read_write : bip::read_only;
    // Through our own descriptor: the name may be another file by now.
    const std::string self = "/proc/self/fd/" + std::to_string(file_);
    try {
        const bip::file_mapping file(self.c_str(), how);
        try {
            mapping_ = bip::mapped_region(file, how, 0, bytes, aligned_place(bytes));
        } catch (const bip::interprocess_exception&) {
            mapping_ = bip::mapped_region(file, how, 0, bytes);  // Another thread took the place.
        }
    } catch (const bip::interprocess_exception& error) {
        refuse_errno(path_, "mmap", error.get_native_error());
    }
    mode_ = mode;
    adopt(static_cast<std::byte*>(mapping_.get_address()));
}

void region::adopt(std::byte* start) noexcept {
    start_ = start;
    geometry_ = header().geometry;
    stripes_ = at<std::uint64_t>(geometry_.stripes_at);
    if (park_ == nullptr) park_ = &system_park();
}

region region::create(const std::string& path, const region_options& options) {
    const region_geometry planned = plan(options);
    region made;
    made.path_ = path;
    const mode_t for_group = options.group_may == access::read_write ? 0060 : 0040;
    const mode_t rights = options.group ? 0600 | for_group : 0600;
    made.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, rights);
    if (made.file_ < 0) refuse_errno(path, "open", errno);
    const std::uint64_t committed =
        std::min(planned.capacity_bytes, round_up(planned.pages_at + page_bytes, commit_step));
    try {
        if (!lock_file(made.file_, F_WRLCK)) refuse_errno(path, "lock", errno);
        if (options.group && ::fchown(made.file_, static_cast<uid_t>(-1), *options.group) != 0) {
            refuse_errno(path, "fchown", errno);
        }
        if (::fchmod(made.file_, rights) != 0) refuse_errno(path, "fchmod", errno);
        made.geometry_ = planned;
        int error = made.allocate(0, committed);
        if (error == 0) error = made.allocate_pages(0, (committed - planned.pages_at) / page_bytes);
        if (error != 0) refuse_errno(path, "posix_fallocate", error);
        made.map(access::read_write, mapped_end(planned));
        initialise_locks(made.start_, planned);
        initialise(made.start_, planned, options, committed);
        made.adopt(made.start_);
        lay_schemas(made);
        step(made.header().magic, region_magic);
        made.alive_ = life_page();
        if (!lock_file(made.file_, F_RDLCK)) refuse_errno(path, "lock", errno);
    } catch (...) {
        ::unlink(path.c_str());  // Nothing refers to it yet.
        throw;
    }
    return made;
}

region region::attach(const std::string& path, const region_identity& identity, access mode) {
    region made;
    made.path_ = path;
    const int how = mode == access::read_write ? O_RDWR : O_RDONLY;
    made.file_ = ::open(path.c_str(), how | O_NOFOLLOW | O_CLOEXEC);
    if (made.file_ < 0) refuse_errno(path, "open", errno);
    struct stat facts {};
    if (::fstat(made.file_, &facts) != 0) refuse_errno(path, "fstat", errno);
    if (mode == access::read_write && facts.st_uid != ::geteuid() && ::geteuid() != 0 &&
        (facts.st_mode & S_IWGRP) == 0) {
        refuse(errc::foreign, path, "belongs to user " + std::to_string(facts.st_uid),
               "run as that user, or set access.group for the world");
    }
    // Exclusive means nobody is attached: only then may locks be made anew.
    const bool alone = mode == access::read_write && lock_file(made.file_, F_WRLCK);
    if (!alone && !wait_for_share(made.file_)) {
        refuse(errc::stalled, path, "its creator has held it for two seconds",
               "look for a stopped process that is creating this world");
    }
    region_header header{};
    const auto got = ::pread(made.file_, &header, sizeof header, 0);
    if (got != static_cast<ssize_t>(sizeof header)) {
        refuse(errc::damaged, path, "truncated: no whole header",
               "remove the file; the world recovers from its journal");
    }
    check_header(path, header, static_cast<std::uint64_t>(facts.st_size));
    if (header.geometry.world != identity.world) {
        refuse(errc::foreign, path, "belongs to another world",
               "remove the file if no other world uses it");
    }
    if (header.geometry.boot != identity.boot) {
        refuse(errc::missing, path, "was left by an earlier boot of the machine",
               "nothing: opening the world recovers from its journal");
    }
    made.map(mode, mapped_end(header.geometry));
    made.alive_ = life_page();
    if (alone) {
        initialise_locks(made.start_, made.geometry_);
        if (!lock_file(made.file_, F_RDLCK)) refuse_errno(path, "lock", errno);
    }
    return made;
}

region region::over(std::span<std::byte> bytes, const region_options& options) {
    region_options sized = options;
    // All of it lies in the buffer: capture words take a 512th of it, bitmaps next to nothing.
    if (sized.shadow_bytes == 0) sized.shadow_bytes = bytes.size() / 16 / page_bytes * page_bytes;
    const std::uint64_t behind = sized.shadow_bytes + bytes.size() / 500 + 4 * page_bytes;
    sized.capacity_bytes = (bytes.size() - behind) / page_bytes * page_bytes;
    const region_geometry planned = plan(sized, bytes_room_min);
    PERDURE_ASSERT(mapped_end(planned) <= bytes.size());
    std::memset(bytes.data(), 0, planned.pages_at + page_bytes);
    std::memset(bytes.data() + planned.dirty_at, 0, planned.shadow_at - planned.dirty_at);
    initialise_locks(bytes.data(), planned);
    initialise(bytes.data(), planned, sized, planned.capacity_bytes);
    region bare;
    bare.adopt(bytes.data());
    lay_schemas(bare);
    step(bare.header().magic, region_magic);
    return view(bytes);
}

region region::view(std::span<std::byte> bytes) {
    region made;
    const auto& header = *reinterpret_cast<const region_header*>(bytes.data());
    // A buffer ends where its owner says: it is long enough for all that over() laid into it.
    check_header("(buffer)", header, std::max<std::uint64_t>(bytes.size(), file_end(header)));
    made.adopt(bytes.data());
    made.alive_ = life_page();
    return made;
}

region::region(region&& other) noexcept { *this = std::move(other); }

region& region::operator=(region&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    std::swap(mode_, other.mode_);
    mapping_.swap(other.mapping_);
    std::swap(start_, other.start_);
    std::swap(stripes_, other.stripes_);
    std::swap(geometry_, other.geometry_);
    std::swap(park_, other.park_);
    std::swap(alive_, other.alive_);
    return *this;
}

region::~region() {
    if (alive_ != nullptr) ::munmap(const_cast<std::uint8_t*>(alive_), page_bytes);
    if (file_ >= 0) ::close(file_);
}

void region::rename(const std::string& path) {
    if (::rename(path_.c_str(), path.c_str()) != 0) refuse_errno(path, "rename", errno);
    path_ = path;
}

void region::report_garbled(errc what) const noexcept {
    if (!writable()) return;
    auto& counters = header().counters;
    word(counters.garbled).fetch_add(1);
    put(counters.last_error, static_cast<std::uint64_t>(what));
}

}  // namespace perdure::shm
