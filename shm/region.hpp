// SPDX-License-Identifier: Apache-2.0
//
// The memory that several processes share: created, attached, mapped once, grown in place.
//
// Promise     The whole capacity is mapped at one address for the life of the object; memory is
//             committed in steps before it is touched, so a full tmpfs is an answer, never SIGBUS.
// Death       A creator that dies leaves a file without a magic; attach refuses it by name. Growth
//             is idempotent: a death between commit and the header's store commits the same step
//             again.
// Power loss  Nothing here survives it; the journal does.
// Threads     Creation and attach: one thread. Everything else: any thread of any process.
// Invariants  G1 to G4 of region_format.hpp.
// Format      region_format.hpp, docs/formats/region.md
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <memory>
#include <optional>
#include <perdure/shm/error.hpp>
#include <perdure/shm/park.hpp>
#include <perdure/shm/region_format.hpp>
#include <perdure/shm/word.hpp>
#include <span>
#include <string>

namespace perdure::shm {

/// A signature over name, offset and size of every mapped field: other builds' regions are refused.
std::uint64_t layout_signature() noexcept;

enum class access { read_write, read_only };

inline constexpr std::uint64_t commit_step = 16ULL << 20;  ///< Memory is taken in this much.

struct region_options {
    std::uint64_t capacity_bytes = 8ULL << 30;  ///< Address space; memory is taken as it is used.
    std::uint64_t ring_bytes = 32ULL << 20;     ///< A power of two.
    std::uint64_t undo_bytes = 128ULL << 10;    ///< A participant.
    std::uint32_t slot_count = 64;              ///< Participants at one time.
    /// The most that shadow pages may take; address space as well. 0: a page for each page.
    std::uint64_t shadow_bytes = 0;
    std::array<std::uint64_t, 2> world{};
    std::array<std::uint64_t, 2> boot{};
    std::uint64_t generation = 1;
    std::uint64_t incarnation = 1;
    std::uint64_t first_lsn = 1;         ///< LSN of the first record this region will take.
    std::optional<std::uint32_t> group;  ///< Group that may attach; nobody else by default.
    access group_may = access::read_write;
};

/// What an attacher expects; a mismatch is refused.
struct region_identity {
    std::array<std::uint64_t, 2> world{};
    std::array<std::uint64_t, 2> boot{};
};

class region {
  public:
    /// Makes the file at `path`, which must not exist. The caller's process is attached afterwards.
    /// Throws failure: exists, no_memory, io_error, bad options.
    static region create(const std::string& path, const region_options& options);

    /// Throws failure: missing, foreign, wrong_format, damaged, no_memory, io_error. Life locks are
    /// initialised here, and only if nobody else is attached; repairing the dead is
    /// participant.hpp's sweep().
    static region attach(const std::string& path, const region_identity& identity, access mode);

    /// A region over zeroed bytes the caller owns, aligned to a page: for tests and simulation.
    static region over(std::span<std::byte> bytes, const region_options& options);
    /// The same, without initialising: the bytes already hold a region.
    static region view(std::span<std::byte> bytes);

    region(const region&) = delete;
    region& operator=(const region&) = delete;
    region(region&&) noexcept;
    region& operator=(region&&) noexcept;
    ~region();

    [[nodiscard]] region_header& header() const noexcept { return *at<region_header>(0); }
    [[nodiscard]] const region_geometry& geometry() const noexcept { return geometry_; }

    template <class T>
    [[nodiscard]] T* at(std::uint64_t offset) const noexcept {
        return reinterpret_cast<T*>(start_ + offset);
    }
    [[nodiscard]] std::uint64_t offset_of(const void* place) const noexcept {
        return static_cast<std::uint64_t>(static_cast<const std::byte*>(place) - start_);
    }
    [[nodiscard]] std::byte* start() const noexcept { return start_; }

    [[nodiscard]] slot_control& slot(std::uint32_t number) const noexcept {
        return *at<slot_control>(geometry_.slots_at + number * geometry_.slot_bytes);
    }
    [[nodiscard]] std::uint32_t* held(std::uint32_t number) const noexcept {
        return at<std::uint32_t>(geometry_.slots_at + number * geometry_.slot_bytes + page_bytes);
    }
    [[nodiscard]] std::uint64_t undo_at(std::uint32_t number) const noexcept {
        return geometry_.slots_at + number * geometry_.slot_bytes + page_bytes +
               held_max * sizeof(std::uint32_t);
    }
    [[nodiscard]] std::uint64_t& stripe(std::uint32_t number) const noexcept {
        return stripes_[number];
    }
    [[nodiscard]] table_descriptor& descriptor(std::uint32_t table) const noexcept {
        return *at<table_descriptor>(geometry_.tables_at + table * sizeof(table_descriptor));
    }
    [[nodiscard]] std::uint64_t page_at(std::uint64_t page) const noexcept {
        return geometry_.pages_at + page * page_bytes;
    }
    [[nodiscard]] std::uint64_t page_count() const noexcept {
        return (geometry_.capacity_bytes - geometry_.pages_at) / page_bytes;
    }

    /// The word of a dirty bitmap, 0 or 1, that holds the page's bit.
    [[nodiscard]] std::uint64_t& dirty_word(std::uint32_t bitmap,
                                            std::uint64_t page) const noexcept {
        const std::uint64_t bytes = (geometry_.capture_at - geometry_.dirty_at) / 2;
        return at<std::uint64_t>(geometry_.dirty_at + bitmap * bytes)[page / 64];
    }
    [[nodiscard]] std::uint64_t& capture_of(std::uint64_t page) const noexcept {
        return at<std::uint64_t>(geometry_.capture_at)[page];
    }
    [[nodiscard]] std::byte* shadow(std::uint64_t slot) const noexcept {
        return at<std::byte>(geometry_.shadow_at + slot * page_bytes);
    }

    /// Sees to it that every page below `end` has memory behind it, and behind what captures keep
    /// of it. Errors: region_full beyond the capacity, no_memory when the file system has none.
    result<> commit_pages(std::uint64_t end) noexcept;
    /// The same for shadow pages; they are touched, too. Answers how many there are now: fewer than
    /// asked for where the maximum or the file system ends. Requires: the caller keeps the world.
    std::uint64_t commit_shadows(std::uint64_t count) noexcept;

    /// Has the kernel map committed bytes [from, to) of the region for writing, all at once: a
    /// tenth of what as many page faults take. Requires: whole pages.
    void populate(std::uint64_t from, std::uint64_t to) const noexcept;

    /// Touches every committed page, so that the first transactions meet no page fault.
    void warm() const noexcept;

    [[nodiscard]] bool writable() const noexcept { return mode_ == access::read_write; }
    /// False in a child that inherited this object through fork().
    [[nodiscard]] bool owned() const noexcept { return *alive_ != 0; }
    [[nodiscard]] park& waits() const noexcept { return *park_; }
    void use(park& waits) noexcept { park_ = &waits; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// Gives the file another name on the same file system. Throws failure: io_error.
    void rename(const std::string& path);

    /// Records a broken structure in the region's counters; the caller fences it.
    void report_garbled(errc what) const noexcept;

  private:
    region() = default;
    void map(access mode, std::uint64_t bytes);
    void adopt(std::byte* start) noexcept;
    [[nodiscard]] int allocate(std::uint64_t from, std::uint64_t to) const noexcept;
    [[nodiscard]] int allocate_pages(std::uint64_t from, std::uint64_t to) const noexcept;

    std::string path_;
    int file_ = -1;
    access mode_ = access::read_write;
    boost::interprocess::mapped_region mapping_;
    std::byte* start_ = nullptr;
    std::uint64_t* stripes_ = nullptr;
    region_geometry geometry_{};
    park* park_ = nullptr;
    volatile std::uint8_t* alive_ = nullptr;
};

}  // namespace perdure::shm
