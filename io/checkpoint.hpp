// SPDX-License-Identifier: Apache-2.0
//
// Takes a checkpoint beside writers: capture, rows through Cereal and zstd on a pipeline, a file
// that was read back before it counts.
//
// Promise     A checkpoint that take() answers equals the state at its cut and lies under its name
//             for good. It is the caller's to publish in the MANIFEST; after that forget(), or
//             shm::abandon_capture(): what was captured is clean, or dirty again.
// Death       A keeper killed anywhere leaves at most a file that nobody promised, and a capture
//             that the next keeper abandons.
// Power loss  The file is synced, verified, named, its folder synced, in this order.
// Threads     One object, one thread, which keeps the world; packing is spread over further ones.
// Format      checkpoint_format.hpp
#pragma once

#include <functional>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/page_scan.hpp>

namespace perdure::io {

struct checkpoint_order {
    std::string directory;
    uuid world{};
    std::uint64_t incarnation = 0;
    std::uint64_t epoch = 0;
    std::optional<checkpoint_entry> parent;     ///< None: a full one.
    bool sliced = false;                        ///< After captures were given up twice.
    std::uint64_t copy_bytes_max = 1ULL << 30;  ///< Copied pages held in memory at a time.
    unsigned threads = 1;                       ///< That pack.
    /// Asked before every write to the file; an error ends the work.
    std::function<result<>()> fence;
    /// Asked as often: true ends the work with errc::stalled.
    std::function<bool()> stops{};
    /// Answers when every record up to the LSN is durable.
    std::function<result<>(std::uint64_t lsn)> await_durable;
};

/// What a checkpoint holds and what it has cost.
struct checkpoint_report {
    checkpoint_entry entry;
    std::uint64_t rows = 0;
    std::uint64_t row_bytes = 0;
    std::uint64_t pages = 0;
    std::uint64_t gate_ns = 0;     ///< How long the cut kept writers out.
    std::uint64_t capture_ns = 0;  ///< From the cut until writers shadow no more.
    std::uint64_t write_ns = 0;    ///< From the cut until file and name are durable.
    std::uint64_t shadows = 0;     ///< Pages that writers had to copy.
    bool sliced = false;
};

class checkpoint_taker {
  public:
    /// Requires: `self` is a participant of the thread that takes.
    checkpoint_taker(file_system& files, shm::region& where, shm::participant& self);

    /// Errors: conflict (the pool of shadow pages ran out), stalled, garbled, damaged (what was
    /// written reads back as something else), disk_full, io_error, and the fence's own. Nothing
    /// is left of the checkpoint then.
    result<checkpoint_report> take(const checkpoint_order& order);

    /// Requires: what take() answered was published.
    void forget() noexcept { capture_.forget(); }

    [[nodiscard]] const std::optional<finding>& found() const noexcept { return found_; }

  private:
    struct work;
    result<> run(work& at);
    result<> write_rows(work& at);
    result<> copy_on(work& at, std::vector<page_run>& runs);
    result<> end_capture(work& at);
    result<> pack(work& at, std::vector<page_run>& runs);
    result<> verify(const work& at, const checkpoint_entry& entry);

    file_system* files_;
    shm::region* where_;
    shm::capture capture_;
    page_scan scan_;
    std::optional<finding> found_;
};

}  // namespace perdure::io
