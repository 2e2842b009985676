// SPDX-License-Identifier: Apache-2.0
//
// Looks after one plugin while this process keeps the world: starts it, calls it for every window
// and event it is due, judges what it wants, ends it when it does wrong and starts it again.
//
// Promise     Every window is run to its end once, and every event is told until its effects are
//             committed, whoever dies meanwhile. What a plugin does costs that plugin alone: its
//             calls, waits and deaths happen on its own thread.
// Death       Of the plugin: started again by restart_policy, or quarantined. Of this process: the
//             kernel ends the plugin's, and the next keeper goes on from the plugin's row.
// Threads     Its own. The constructor and the others may be called from any other thread.
// Invariants  U1, U2 (registry_format.hpp).
#pragma once

#include <atomic>
#include <perdure/core/world.hpp>
#include <perdure/plugins/host/event_feed.hpp>
#include <perdure/plugins/host/instance.hpp>
#include <perdure/plugins/host/restart_policy.hpp>
#include <perdure/plugins/host/shadow.hpp>
#include <perdure/plugins/host/window_plan.hpp>
#include <thread>

namespace perdure::plugins {

/// What the minders of a world share. All of it must outlive them.
struct host_terms {
    world* kept = nullptr;
    const registry* plugins = nullptr;
    std::string program;     ///< perdure_plugin_host
    std::uint32_t user = 0;  ///< For plugins' processes where this one is root.
    /// Told, on the minder's thread, what a plugin logs and what becomes of it.
    std::function<void(std::string_view id, std::uint32_t level, std::string_view text)> say;
};

class minder final : outlet {
  public:
    minder(const host_terms& with, const plugin_row& first);
    minder(const minder&) = delete;
    minder& operator=(const minder&) = delete;
    /// Ends the plugin, in good order if it answers in time.
    ~minder();

    void stop() noexcept { stops_.store(true); }
    /// There is nothing left to look after: unloaded, disabled, quarantined, or stopped.
    [[nodiscard]] bool has_ended() const noexcept { return ended_.load(); }
    /// Its process, 0 while there is none.
    [[nodiscard]] int process() const noexcept { return process_.load(); }
    [[nodiscard]] const std::string& id() const noexcept { return id_; }

  private:
    void run() noexcept;
    void turn(session& by);
    bool start(session& by, const plugin_row& row);
    bool begin(session& by, const plugin_row& row);
    bool deliver(session& by, const plugin_row& row);
    bool deliver_tick(session& by, const plugin_row& row);
    bool deliver_events(session& by);
    bool skip(session& by, const due_window& due);
    bool hand_over(message_kind kind, std::span<const std::byte> payload, std::string_view what);
    bool accept(const call_outcome& end, std::string_view what);
    void lost(session& by, const call_outcome& end);
    void refuse(session& by, const failure& why);
    void end_instance();
    [[nodiscard]] instance_terms terms_for(const manifest& what, const std::string& path) const;
    [[nodiscard]] std::string stored(const std::string& file) const;
    bool configure(instance& which, const manifest& what, const plugin_row& row, bool dry_run);
    void migrate(session& by, std::uint32_t from, std::uint32_t to);

    // Upgrades: minder_upgrade.cpp.
    bool mind_upgrade(session& by, const plugin_row& row);
    bool start_next(session& by, const plugin_row& row);
    void shadow(session& by, message_kind kind, std::span<const std::byte> payload,
                std::uint64_t call);
    void compare(session& by, std::uint64_t call);
    void give_up(session& by, errc cause, const std::string& why);
    void stand_probation(session& by);
    void give_back(session& by, errc cause);
    bool migrate_back(session& by);
    [[nodiscard]] bool is_on_probation() const noexcept;

    void rest(bool was_idle);
    std::uint64_t note_step(session& by, const step_note& note, plugin_state next) const;
    void say(std::uint32_t level, std::string_view text) const { with_.say(id_, level, text); }
    [[nodiscard]] std::uint64_t world_ns(session& by) const;

    commit_answer commit(std::span<const std::byte> batch) override;
    void log(std::uint32_t level, std::string_view text) override;
    void count(std::string_view name, std::int64_t more) override;

    host_terms with_;
    std::string id_;
    account_id plugin_;
    manifest what_;
    std::string file_;  // Of the instance at hand.
    std::unique_ptr<instance> one_;
    std::optional<event_catalogue> events_;
    std::optional<admission> desk_;
    std::optional<event_feed> feed_;
    session* by_ = nullptr;  // While the thread runs.
    plugin_call call_;
    restart_policy patience_;
    std::uint64_t retry_at_ = 0;
    std::uint64_t done_before_ = 0;  // Commits of the window, before the call at hand.
    std::uint32_t idle_turns_ = 0;
    std::uint64_t passed_lsn_ = 0;  // The cursor as it is stored.
    std::uint64_t denied_ = 0;
    std::map<std::string, std::int64_t> counts_;
    std::optional<upgrade_row> upgrade_;  // As the last turn has seen it.
    std::unique_ptr<instance> next_;      // The new version, beside the old one.
    manifest next_what_;
    shadow_outlet shadow_;                   // What the new version wants in this window,
    wish wanted_;                            // and what the old one did,
    std::optional<std::uint64_t> shadowed_;  // in this one,
    bool is_shadow_done_ = false;            // to its end.
    std::uint64_t calls_ = 0;                // With a window or events, that it has answered well,
    std::uint64_t call_ns_ = 0;              // and the time that they took.
    std::atomic<bool> stops_ = false;
    std::atomic<bool> ended_ = false;
    std::atomic<int> process_ = 0;
    std::thread thread_;  // Last: everything is there when it begins.
};

}  // namespace perdure::plugins
