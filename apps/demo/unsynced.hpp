// SPDX-License-Identifier: Apache-2.0
//
// Remembers what a power cut would take: for each write to the world's files that no sync has
// covered yet, what stood there before. A killed process cannot lose the page cache; this can.
//
// Promise     drop() turns the files into what a disk holds that kept every synced byte and not one
//             unsynced byte: a legal image after power loss, and the harshest one.
// Death       The notes are in shared memory. A write is noted before it is made and struck out
//             after a sync of its file has ended, so a process killed between the two never makes
//             the image kinder than the truth.
// Threads     One writer at a time, by the keeper's lease; any process may look.
// Invariants  U1 no journal byte changes unless a note of what it was stands in the page first.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include <perdure/apps/cli/child.hpp>
#include <perdure/io/file.hpp>

namespace perdure::apps {

struct unsynced_page {
    static constexpr std::size_t path_max = 400;
    static constexpr std::size_t room_max = 64ULL << 20;

    /// A write that was begun. Followed by the bytes that stood there, none where there were zeros.
    struct note {
        std::uint64_t offset;
        std::uint64_t bytes;
        std::uint64_t kept;    ///< Bytes behind the note, rounded up to 8: 0 or `bytes`.
        std::uint64_t synced;  ///< 1: a sync has covered it.
        std::array<char, path_max> path;
    };

    std::uint64_t used;     ///< Bytes of `room` that hold notes; stored after the note is whole.
    std::uint64_t journal;  ///< How many of them are unsynced writes into the journal.
    std::uint64_t
        proved_lsn;      ///< The durable mark, read after a sync had ended: true whoever lies.
    std::uint64_t held;  ///< Number of the hold in force: who next syncs the journal stays there.
    std::array<std::byte, room_max> room;
};

/// Linux's calls, with notes.
class noting_calls final : public io::kernel_calls {
  public:
    /// Files in or below `folder` are noted. `page` must outlive it.
    noting_calls(unsynced_page& page, std::string folder)
        : page_(&page), folder_(std::move(folder)) {}

    /// The durable mark of the region that is attached now; nullptr before it goes.
    void watch(const std::uint64_t* durable_lsn) noexcept { durable_lsn_ = durable_lsn; }

    int open(const char* path, int flags, unsigned mode) noexcept override;
    int close(int descriptor) noexcept override;
    std::int64_t write(int descriptor, std::span<const std::byte> from,
                       std::uint64_t offset) noexcept override;
    int sync(int descriptor) noexcept override;
    int rename(const char* from, const char* to) noexcept override;

  private:
    void remember(int descriptor, const std::string& path, std::uint64_t offset,
                  std::span<const std::byte> from) noexcept;
    void count_journal() noexcept;
    void stay_while_held() noexcept;

    unsynced_page* page_;
    std::string folder_;
    const std::uint64_t* durable_lsn_ = nullptr;
    std::uint64_t held_ = 0;  // The last hold this process stayed in.
    std::map<int, std::string> open_;
};

/// Everything up to here is on disk, whatever a keeper says.
[[nodiscard]] std::uint64_t proved_lsn(const unsynced_page& page) noexcept;

/// True while a write into the journal that matters has no sync yet.
[[nodiscard]] bool has_unsynced(const unsynced_page& page) noexcept;

/// The next sync of a journal write is not begun until the hold with the next number replaces this
/// one: where the power goes at the worst moment. `number` counts from 1; 0 holds nobody.
void hold_syncs(unsynced_page& page, std::uint64_t number) noexcept;

struct dropped {
    std::uint64_t writes = 0;
    std::uint64_t bytes = 0;
};

/// Puts back what stood before every unsynced write, the latest first. Requires: no writer lives.
/// Throws failure: io_error.
dropped drop_unsynced(const unsynced_page& page);

}  // namespace perdure::apps
