// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <perdure/plugins/host/supervisor.hpp>

namespace perdure::plugins {

supervisor::supervisor(host_terms with)
    : with_(std::move(with)), reader_(with_.kept->region()), thread_([this] { run(); }) {}

supervisor::~supervisor() {
    stop();
    thread_.join();
}

void supervisor::run() noexcept {
    // To look for tables costs a hundred times as much as to look into them. measured: perf/plugins
    constexpr std::uint32_t looks_a_search = 5;
    for (std::uint32_t turn = 0; !stops_.load(); ++turn) {
        try {
            if (!registry_ && turn % looks_a_search == 0) find_tables();
            if (registry_) look();
        } catch (const std::exception& error) {
            with_.say("", PERDURE_LOG_ERROR, std::string("plugins: ") + error.what());
        }
        std::this_thread::sleep_for(look_every);
    }
    for (auto& each : minders_) each.stop();
    minders_.clear();
    ended_.store(true);
}

void supervisor::find_tables() {
    const auto found = registry::find(with_.kept->region());
    if (!found) return;
    registry_ = *found;
    with_.plugins = &*registry_;
}

void supervisor::look() {
    minders_.remove_if([](const minder& each) { return each.has_ended(); });
    const auto rows = registry_->all(reader_);
    if (!rows) return;  // Somebody writes them: the next look.
    for (const auto& row : *rows) {
        const bool is_wanted = row.state == static_cast<std::uint32_t>(plugin_state::loaded) ||
                               row.state == static_cast<std::uint32_t>(plugin_state::active);
        const bool is_known = std::ranges::any_of(
            minders_, [&](const minder& each) { return each.id() == text_in(row.id); });
        if (is_wanted && !is_known) minders_.emplace_back(with_, row);
    }
}

std::string find_host_program() {
    std::error_code ignored;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
    for (const auto* place : {"", "../libexec/perdure"}) {
        const auto path = self.parent_path() / place / "perdure_plugin_host";
        if (::access(path.c_str(), X_OK) == 0) return path.lexically_normal().string();
    }
    return {};
}

}  // namespace perdure::plugins
