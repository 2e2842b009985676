// SPDX-License-Identifier: Apache-2.0
//
// All plugins of a world that this process keeps: one minder each, as their rows come and go.
//
// Promise     What an operator changes in the registry is followed within look_every, a world's
//             first plugin within five times that. A world without plugins is only looked at.
// Death       Plugins' processes end with this one; the next keeper starts them again.
// Threads     Its own, and one for each plugin; the keeper waits for none of them.
#pragma once

#include <list>
#include <perdure/plugins/host/minder.hpp>

namespace perdure::plugins {

class supervisor {
  public:
    static constexpr std::chrono::milliseconds look_every{50};

    /// Requires: this process keeps the world until the supervisor has ended. `with.plugins` is
    /// the supervisor's own matter.
    explicit supervisor(host_terms with);
    supervisor(const supervisor&) = delete;
    supervisor& operator=(const supervisor&) = delete;
    /// Ends all plugins, and waits for that.
    ~supervisor();

    /// Asks all plugins to end.
    void stop() noexcept { stops_.store(true); }
    /// Whether they have, after stop().
    [[nodiscard]] bool has_ended() const noexcept { return ended_.load(); }

  private:
    void run() noexcept;
    void look();
    void find_tables();

    host_terms with_;
    std::optional<registry> registry_;  // None until somebody has loaded a plugin.
    shm::reader reader_;
    std::list<minder> minders_;
    std::atomic<bool> stops_ = false;
    std::atomic<bool> ended_ = false;
    std::thread thread_;  // Last: everything is there when it begins.
};

/// perdure_plugin_host beside this program, or in the libexec folder of its installation; "" where
/// it is not.
std::string find_host_program();

}  // namespace perdure::plugins
