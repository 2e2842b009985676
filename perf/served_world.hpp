// SPDX-License-Identifier: Apache-2.0
//
// A world that the installed `perdure serve` keeps, and the plugins in it, reached as an operator
// reaches them: through the installed command.
//
// Promise     Its keeper, the plugins' processes and its directories go when the object does.
// Death       The keeper ends with this process (PR_SET_PDEATHSIG), plugins' processes with it.
// Threads     One.
#pragma once

#include "bazaar.hpp"

#include <map>

namespace perdure::perf {

class served_world {
  public:
    struct choice {
        std::uint64_t accounts = 0;
        const char* tick = "10ms";  ///< Of world time, once it goes.
    };
    served_world(const options& asked, const choice& how);
    served_world(const served_world&) = delete;
    served_world& operator=(const served_world&) = delete;
    ~served_world();

    [[nodiscard]] world& in() noexcept { return *world_; }
    [[nodiscard]] session& by() noexcept { return *session_; }
    [[nodiscard]] pid_t keeper() const noexcept { return keeper_; }
    /// Plugins' processes, in no order.
    [[nodiscard]] std::vector<pid_t> hosts() const;
    void await_hosts(std::size_t count) const;

    /// `perdure plugin VERB WORLD ...`; answers what it printed. Throws engine_failure when it
    /// fails.
    std::string plugin(std::vector<std::string> words) const;
    /// A plugin that was built beside this program.
    void load(const std::string& name, const std::string& config = "{}", bool is_inline = false);

    /// Waits until a plugin's log has a line that begins so; answers that line and those before it
    /// that were not answered yet.
    std::vector<std::string> await_line(const std::string& id, std::string_view front);

    /// Moves world time by so much at once.
    void pass(std::chrono::milliseconds time);

  private:
    void start(const choice& how);
    void stop() noexcept;
    [[nodiscard]] std::vector<std::string> log_of(const std::string& id) const;

    run_place place_;
    std::string directory_;
    std::string program_;
    pid_t keeper_ = 0;
    std::optional<world> world_;
    std::optional<session> session_;
    std::map<std::string, std::size_t> told_;  // Lines of a log that were answered.
};

/// Processor time that a process has used.
struct cpu_use {
    std::uint64_t main_ns = 0;  ///< Its main thread: the keeper itself, where it is one.
    std::uint64_t others_ns = 0;
};
[[nodiscard]] cpu_use cpu_use_of(pid_t process);

}  // namespace perdure::perf
