// SPDX-License-Identifier: Apache-2.0
//
// A small world of its own in which an author's test plays one plugin: opens accounts, moves the
// clock, makes the plugin's windows and events due, and looks at what became of it.
//
//     perdure::plugins::stage world({.file = "my-yield.so"});
//     world.asset("gold").account("treasury", {{"gold", 1000}}).account("alice");
//     world.load();
//     world.advance_windows(3);
//     world.run();
//     world.expect(world.balance("alice", "gold") == 30, "alice has her yield");
//
// Promise     The plugin's file, manifest, rights and commands are judged by what judges them in a
//             keeper: load_plugin(), registry, grant, admission, plan_window(). Time is virtual:
//             nothing happens but by calls of the test. World and files are gone with the object.
// Death       Of the plugin, where the test has asked for it or not: it is told, and the stage
//             goes on. A test that is killed leaves its folders in the places of temporary files.
// Threads     One. Stages may stand side by side, each with a thread of its own.
#pragma once

#include <perdure/plugins/abi/perdure_plugin.h>

#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <perdure/core/event_declaration.hpp>
#include <perdure/core/world.hpp>
#include <perdure/plugins/host/manifest.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace perdure::plugins {

class guest;

/// What a test wanted and did not find, in words: let it end main(), or the test's case.
class stage_failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct stage_terms {
    std::string file;           ///< The plugin's .so.
    std::string config = "{}";  ///< Its settings, JSON.
    /// In a process of its own, as in a keeper; else inside the test's, where a debugger sees it.
    /// Crashes and a hard limit are never had without.
    bool in_process = false;
    std::chrono::nanoseconds hard_limit{0};  ///< Instead of the manifest's; 0: the manifest's.
    /// A right that is taken away: "transfer", "debit treasury", "read balances", "mint gold",
    /// "emit paid". Empty: none.
    std::string without{};
    /// perdure_plugin_host; empty: $PERDURE_PLUGIN_HOST, or beside the installed command.
    std::string host_program{};
    bool is_debugged = false;  ///< A debugger may come to the process: see wait_for_debugger().
};

/// So much of an asset, in minor units.
struct holding {
    std::string asset;
    amount value = 0;
};

/// When the plugin's process is killed.
enum class crash_moment {
    before_commit,  ///< It has asked for the commit; nothing is changed.
    after_commit,   ///< The commit is made; it has not heard of that.
};

struct log_line {
    std::uint32_t level = 0;  ///< PERDURE_LOG_*
    std::string text;
};

/// A batch that changed nothing.
struct refusal {
    std::uint64_t window = 0;
    std::uint64_t position = 0;
    std::optional<std::uint64_t> command;  ///< Which of the batch, from 0; none: all of it.
    errc why{};
};

struct told_fact {
    std::uint64_t lsn = 0;
    std::string name;  ///< As it is declared: "transferred".
    std::uint16_t version = 0;
    std::map<std::string, std::int64_t> numbers;  ///< Its fields of at most 8 bytes.
    std::vector<std::byte> payload;
};

/// How far the plugin has come.
struct stage_place {
    std::uint64_t windows = 0;  ///< That are finished.
    std::uint64_t done = 0;     ///< Commits of the one at hand.
    std::uint64_t from_ns = 0;  ///< Where the next window begins, in world time.
    std::uint64_t cursor = 0;   ///< Events up to this LSN are done.
    std::uint32_t state_version = 0;
    std::string version;
};

enum class run_end {
    well,         ///< There is nothing left to do.
    answered,     ///< A call answered an error: `status`.
    died,         ///< Its process died, and nobody had asked for it.
    hung,         ///< A call was ended at its hard limit.
    broke_rules,  ///< It was ended for what it sent.
    not_started,  ///< It could not be started.
};

/// What became of a run.
struct run_report {
    run_end end = run_end::well;
    std::int32_t status = 0;
    errc cause{};               ///< Of one that could not be started.
    std::uint64_t windows = 0;  ///< That it has finished.
    std::uint64_t events = 0;   ///< That it was told.
    std::uint64_t commits = 0;  ///< That were accepted, repeated ones not counted.
    std::uint64_t skipped = 0;  ///< Windows that its manifest does not want made up.
    std::string why;            ///< Empty, or the end in words.
};

/// run() met an end that is not well.
class run_failure : public stage_failure {
  public:
    explicit run_failure(run_report what) : stage_failure(what.why), what_(std::move(what)) {}
    [[nodiscard]] const run_report& what_became() const noexcept { return what_; }

  private:
    run_report what_;
};

/// All of it throws stage_failure for what cannot be done, saying what and why. Accounts go by
/// name; "@7" is the one with number 7.
class stage {
  public:
    explicit stage(stage_terms terms = {});
    stage(const stage&) = delete;
    stage& operator=(const stage&) = delete;
    ~stage();

    // The world.
    stage& asset(const std::string& code, std::uint32_t scale = 0);
    stage& account(const std::string& name, const std::vector<holding>& has = {},
                   account_kind kind = account_kind::player);
    /// `owner` may draw on it, `budget.value` in all; 0: without bound.
    stage& faucet(const std::string& name, const holding& budget, const std::string& owner);
    stage& draw(const std::string& faucet, const std::string& to, amount value);
    stage& transfer(const std::string& from, const std::string& to, const holding& what);
    stage& declare(const event_declaration& event);
    /// Any transaction of a game's own.
    stage& write(const std::function<result<>(tx&)>& work);
    /// Opens what the plugin's manifest names and the world lacks, all of it empty.
    stage& furnish();
    [[nodiscard]] world& in() noexcept;
    [[nodiscard]] session& by() noexcept;

    // The clock: it moves in hundredths of a second, rounded up.
    stage& advance(std::chrono::nanoseconds time);
    /// So that `count` more windows of the plugin have ended. Requires: load() of a tick plugin.
    stage& advance_windows(std::uint64_t count);
    [[nodiscard]] std::uint64_t world_ns();

    // The plugin.
    void load();
    /// The new version takes over between two windows; the next run starts it, which brings the
    /// state to its version. `file` may want more rights than the version before.
    void upgrade(const std::string& file);
    /// Everything that is due, as a keeper would: windows by the manifest's policy, events from the
    /// cursor on. Throws run_failure unless it ends well.
    run_report run();
    /// The same, without throwing what became of the plugin.
    run_report try_run();
    /// From now on the plugin's process is killed at its commit number `commit`, counted from 1,
    /// once; run() then starts it again.
    void crash_at(std::uint64_t commit, crash_moment when);
    [[nodiscard]] bool has_crashed() const noexcept;
    /// A new instance, as after any end of the old one.
    void restart();
    /// Starts anew before every call: nothing that it has in memory lasts.
    void forget_always(bool does) noexcept;
    /// Starts the plugin's process; how a debugger of the same user comes to it, in a shell's
    /// words. Requires: is_debugged.
    std::string start_for_debugger();
    /// Waits until one has come, or `stops` says true: false then.
    bool wait_for_debugger(const std::function<bool()>& stops);

    // What became of it.
    [[nodiscard]] const manifest& what() const;
    [[nodiscard]] amount balance(const std::string& account, const std::string& asset);
    [[nodiscard]] amount held(const std::string& account, const std::string& asset);
    [[nodiscard]] amount supply(const std::string& asset);
    [[nodiscard]] bool is_frozen(const std::string& account);
    /// The bytes under a key of its state.
    [[nodiscard]] std::optional<std::string> state(const std::string& key);
    template <class T>
    [[nodiscard]] std::optional<T> state_as(const std::string& key) {
        const auto bytes = state(key);
        if (!bytes) return std::nullopt;
        T out{};
        if (bytes->size() != sizeof out) throw stage_failure("state " + key + ": another length");
        std::memcpy(&out, bytes->data(), sizeof out);
        return out;
    }
    [[nodiscard]] stage_place place();
    /// What the world's events have said, from load() on.
    [[nodiscard]] std::vector<told_fact> events();
    [[nodiscard]] const std::vector<log_line>& log() const noexcept;
    [[nodiscard]] bool has_said(std::string_view part) const noexcept;
    [[nodiscard]] const std::map<std::string, std::int64_t>& counts() const noexcept;
    [[nodiscard]] const std::vector<refusal>& refusals() const noexcept;
    /// Every batch that it wanted, a line for each command and each change of its state.
    [[nodiscard]] const std::vector<std::string>& wanted() const noexcept;
    /// Commits so far, refused and repeated ones too: what crash_at() counts.
    [[nodiscard]] std::uint64_t commits() const noexcept;
    [[nodiscard]] std::uint64_t accepted() const noexcept;
    /// Everything that counts, a line each, in a fixed order: supplies, balances, holds, freezes,
    /// the plugin's state and place. Equal texts are equal books.
    [[nodiscard]] std::string books();
    /// Also whether the world is sound: balances add up, indexes hold.
    void expect_sound();
    void expect(bool holds, const std::string& claim) const;

    /// The plugin itself, for what is built on a stage (guest.hpp, which is not installed).
    [[nodiscard]] guest& played() noexcept;

  private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

}  // namespace perdure::plugins
