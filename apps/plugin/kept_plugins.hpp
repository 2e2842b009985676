// SPDX-License-Identifier: Apache-2.0
//
// The plugins of a world that `perdure serve` keeps, with a log each.
//
// Threads     The keeper's; what plugins say comes from their own.
#pragma once

#include <map>
#include <mutex>
#include <perdure/io/config.hpp>
#include <perdure/io/log.hpp>
#include <perdure/plugins/host/supervisor.hpp>

namespace perdure::apps {

class kept_plugins {
  public:
    /// Requires: `kept` and `log` outlive it. Throws failure: bad_setting.
    kept_plugins(world& kept, const io::config& config, io::log& log);

    /// This process keeps the world from now on.
    void begin();
    /// Asks all to end. True when they have, or there were none.
    bool stop();

  private:
    void say(std::string_view id, std::uint32_t level, std::string_view text);

    world* kept_;
    io::log* log_;
    plugins::host_terms with_;
    std::mutex turn_;  // Of the logs.
    std::map<std::string, io::log, std::less<>> logs_;
    int nowhere_ = -1;  // What logs take for a terminal.
    std::optional<plugins::supervisor> all_;
};

}  // namespace perdure::apps
