// SPDX-License-Identifier: Apache-2.0
//
// Writes the catalog on a thread of its own, so that nobody who keeps or opens a world waits for
// it.
//
// Promise     What is told is put down in order; a few tries, then it is counted as failed. A full
//             queue gives up the oldest fact and counts it. Nothing here throws, waits for the
//             disk or is needed by anybody: what became of it is said by count().
// Death       What waits in the queue is lost; the next keeper fills in the checkpoints from the
//             MANIFEST.
// Threads     Any may tell. The thread exists while there is something to write, and while keep()
//             holds. Behind a fork() the child's copy is deaf and dumb.
// Format      catalog.hpp
#pragma once

#include <chrono>
#include <memory>
#include <perdure/io/catalog.hpp>
#include <perdure/io/checkpointer.hpp>
#include <perdure/io/opening.hpp>

namespace perdure::io {

struct historian_limits {
    std::size_t facts_max = 1024;
    /// How long stop() waits for what is not yet written; the rest is given up.
    std::chrono::milliseconds drain{5000};
};

class historian {
  public:
    explicit historian(std::string directory, historian_limits limits = {});
    historian(const historian&) = delete;
    historian& operator=(const historian&) = delete;
    ~historian();

    /// A checkpoint that was taken, or was not; what it made superfluous; its own verification.
    void took(const checkpoint_news& news) noexcept;
    /// Requires: the region was rebuilt; `incarnation` is its own.
    void recovered(const opening_report& report, std::uint64_t incarnation) noexcept;

    struct validation {
        std::string_view kind;
        std::uint64_t lsn = 0;
        std::span<const std::string> problems{};
    };
    void validated(const validation& made) noexcept;

    /// Replaces what was observed before and is not written yet.
    void observed(std::vector<component_fact> now) noexcept;

    /// From here on this process keeps the world: the catalog is made to agree with the MANIFEST,
    /// now and whenever it is found to be another file.
    void keep() noexcept;
    void rest() noexcept;

    /// Writes what waits and ends the thread; what is told afterwards is given up.
    void stop() noexcept;
    /// False: the patience ended before all was dealt with.
    bool flush(std::chrono::milliseconds patience) noexcept;

    struct tally {
        std::uint64_t written = 0;
        std::uint64_t dropped = 0;  ///< Gave way to newer ones in a full queue, or at the end.
        std::uint64_t failed = 0;   ///< The catalog refused them.
        std::string remark{};       ///< What was done about the file; empty if all was well.
        std::string trouble{};      ///< Why the last fact was not written; empty if it was.
    };
    [[nodiscard]] tally count() const;

  private:
    void scrubbed(const checkpoint_news& news) noexcept;

    struct desk;
    std::shared_ptr<desk> desk_;  // The thread's, too: it may outlive a stop() that ran out.
};

}  // namespace perdure::io
