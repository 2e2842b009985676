// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <perdure/plugins/abi/perdure_plugin.h>
#include <perdure/apps/plugin/kept_plugins.hpp>
#include <perdure/apps/plugin/log_place.hpp>

namespace perdure::apps {
namespace {

io::log_level level_of(std::uint32_t level) noexcept {
    switch (level) {
        case PERDURE_LOG_DEBUG: return io::log_level::debug;
        case PERDURE_LOG_WARN: return io::log_level::warn;
        case PERDURE_LOG_ERROR: return io::log_level::error;
        default: return io::log_level::note;
    }
}

}  // namespace

kept_plugins::kept_plugins(world& kept, const io::config& config, io::log& log)
    : kept_(&kept), log_(&log), nowhere_(::open("/dev/null", O_WRONLY | O_CLOEXEC)) {
    with_.kept = &kept;
    with_.program = plugins::find_host_program();
    with_.user = static_cast<std::uint32_t>(config.number("plugins.user"));
    with_.say = [this](std::string_view id, std::uint32_t level, std::string_view text) {
        say(id, level, text);
    };
}

void kept_plugins::begin() { all_.emplace(with_); }

bool kept_plugins::stop() {
    if (!all_) return true;
    all_->stop();
    return all_->has_ended();
}

/// Everything into the plugin's own log; what went wrong into the keeper's, too.
void kept_plugins::say(std::string_view id, std::uint32_t level, std::string_view text) {
    const auto how = level_of(level);
    if (id.empty() || how == io::log_level::error) {
        log_->write(how, text, {{"plugin", id}});
    }
    if (id.empty()) return;
    const std::lock_guard mine(turn_);
    auto at = logs_.find(id);
    if (at == logs_.end()) {
        try {
            io::log_options options;
            options.least = io::log_level::debug;
            options.file = plugin_log_path(kept_->directory(), id);
            options.rotate_bytes = 4ULL << 20;
            options.rotate_count = 2;
            options.terminal = nowhere_;
            at = logs_.emplace(std::string(id), io::log(options)).first;
        } catch (const failure& why) {
            log_->warn(why.thing(), {{"plugin", id}});
            return;
        }
    }
    at->second.write(how, text);
}

}  // namespace perdure::apps
