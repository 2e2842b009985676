// SPDX-License-Identifier: Apache-2.0
//
// The plugin of a stage: loaded, started, called for what is due, killed where a test wants it,
// started again.
//
// Promise     A call and its judgement are those of a keeper (minder.hpp); only when it happens is
//             the test's matter. After an end that was asked for the same generation goes on, so
//             that LSNs are those of a run without.
// Threads     One: the session's.
#pragma once

#include <perdure/plugins/host/event_feed.hpp>
#include <perdure/plugins/host/instance.hpp>
#include <perdure/plugins/host/window_plan.hpp>
#include <perdure/plugins/kit/stage.hpp>

namespace perdure::plugins {

class guest final : public outlet {
  public:
    /// Requires: world and session outlive it.
    guest(world& in, session& by, stage_terms terms);
    guest(const guest&) = delete;
    guest& operator=(const guest&) = delete;
    ~guest();

    void load();
    void upgrade(const std::string& file);
    run_report run();
    /// Its instance, configured and active, if there is none yet. False: the report says why.
    bool start(run_report& into);
    /// Only loaded and created. Requires: there is none.
    bool make(run_report& into);
    /// One call more than what is due. Requires: start().
    call_outcome ask(message_kind kind, std::span<const std::byte> payload);
    call_outcome configure(std::string_view given, bool dry_run);
    /// In good order; false when it did not answer in time.
    bool end();
    void drop();
    void crash_at(std::uint64_t commit, crash_moment when) noexcept;
    void forget_always(bool does) noexcept { forgets_ = does; }

    [[nodiscard]] bool has_crashed() const noexcept { return has_crashed_; }
    [[nodiscard]] bool is_loaded() const noexcept { return tables_.has_value(); }
    [[nodiscard]] const manifest& what() const noexcept { return what_; }
    [[nodiscard]] const registry* tables() const noexcept { return tables_ ? &*tables_ : nullptr; }
    [[nodiscard]] account_id plugin() const noexcept { return plugin_; }
    [[nodiscard]] plugin_row row();
    [[nodiscard]] instance* running() const noexcept { return one_.get(); }
    [[nodiscard]] std::string stored();
    [[nodiscard]] const std::string& file() const noexcept { return terms_.file; }
    /// System calls that its processes were refused, and the last one's number.
    [[nodiscard]] instance::denial denied() const noexcept { return denied_; }
    [[nodiscard]] std::uint64_t world_ns();

    std::vector<log_line> lines;
    std::map<std::string, std::int64_t> counts;
    std::vector<refusal> refusals;
    std::vector<std::string> wanted;
    std::uint64_t commits = 0;
    std::uint64_t accepted = 0;

  private:
    enum class step {
        done,  ///< The call has answered well.
        cut,   ///< Its process was killed as the test wanted.
        over,  ///< The report says why.
    };
    step begin(run_report& into);
    step judge(const call_outcome& end, const std::string& what, run_report& into);
    step migrate(const plugin_row& row, run_report& into);
    std::optional<step> tick(run_report& into);
    std::optional<step> tell(run_report& into);
    void note_denied(const std::string& what);
    void skip(const due_window& due);
    void take_over();
    bool is_killed(crash_moment when);
    [[nodiscard]] std::uint64_t hard_ns() const noexcept;
    [[nodiscard]] bool wants_process() const noexcept;

    commit_answer commit(std::span<const std::byte> batch) override;
    void log(std::uint32_t level, std::string_view text) override;
    void count(std::string_view name, std::int64_t more) override;

    world* in_;
    session* by_;
    stage_terms terms_;
    manifest what_;
    account_id plugin_;
    std::optional<registry> tables_;
    std::optional<event_catalogue> events_;
    std::optional<admission> desk_;
    std::optional<event_feed> feed_;
    std::unique_ptr<instance> one_;
    plugin_call call_;
    std::string active_file_;  // What the present generation runs.
    std::uint64_t crash_at_ = 0;
    crash_moment crash_when_ = crash_moment::before_commit;
    instance::denial denied_;
    std::uint64_t denied_here_ = 0;  // Of the instance at hand.
    bool has_crashed_ = false;
    bool forgets_ = false;
};

}  // namespace perdure::plugins
