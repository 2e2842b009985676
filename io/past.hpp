// SPDX-License-Identifier: Apache-2.0
//
// A world as it was: any LSN that the kept checkpoints and the kept journal lead to.
//
// Promise     The region that at() answers is the state behind that record, checked by the same
//             validators as after a recovery. The world's files are only read; a keeper may be at
//             work on them.
// Death       A region nobody else can see: its file has no name.
// Threads     One object, one thread.
#pragma once

#include <perdure/io/recovery.hpp>
#include <perdure/shm/record_view.hpp>

namespace perdure::io {

/// A point in a world's history, as people say it.
struct past_point {
    enum class kind : std::uint8_t {
        latest = 1,   ///< What is durable.
        lsn,          ///< `number` is the last record's.
        time,         ///< `number` is the wall clock that no record passes, in nanoseconds.
        checkpoint,   ///< `text`: LSN of one, "v" and its version, or its identifier's beginning.
        before_event  ///< `number`: type of the event whose last record is the first left out.
    };
    kind by = kind::latest;
    std::uint64_t number = 0;
    std::string text{};
};

class past {
  public:
    /// Throws failure: missing, damaged, foreign, wrong_format, io_error.
    past(kernel_calls& calls, std::string directory);

    /// The last record of the point's state. Throws failure: not_found (no such point, or it is
    /// older than what is kept), damaged, io_error.
    [[nodiscard]] std::uint64_t lsn_of(const past_point& point);

    /// The state behind record `lsn`, in memory of its own. `how` says where, and the validators.
    /// Throws failure: history_gone, damaged, no_memory, io_error.
    [[nodiscard]] std::unique_ptr<shm::region> at(std::uint64_t lsn, const opening_options& how,
                                                  opening_report& report,
                                                  bool oldest_first = false);

    /// The newest whole state that can still be had, whatever is lost; report.lost says how many
    /// records at least. nullptr: there is none. Throws failure: no_memory, io_error.
    [[nodiscard]] std::unique_ptr<shm::region> salvage(const opening_options& how,
                                                       opening_report& report);

    [[nodiscard]] const manifest& promised() const noexcept { return *promised_; }

  private:
    [[nodiscard]] recovery_order order_from(const opening_options& how) const;
    [[noreturn]] void refuse(errc reason, const std::string& cause, const std::string& todo) const;
    [[nodiscard]] std::uint64_t last_before(
        const std::function<bool(const shm::record_view&)>& is_behind, bool last_one);
    [[nodiscard]] const checkpoint_entry& checkpoint_named(const std::string& text) const;

    file_system files_;
    std::string directory_;
    std::optional<manifest> promised_;
};

/// "2026-11-22", "2026-11-22 14:03:05", "2026-11-22T14:03:05.948Z", or seconds since 1970:
/// nanoseconds since 1970, in UTC. Answers bad_setting.
[[nodiscard]] result<std::uint64_t> parse_time(std::string_view text) noexcept;

}  // namespace perdure::io
