// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/world_observer.hpp>

#include <unistd.h>

#include <utility>

namespace perdure {
namespace {

constexpr std::uint64_t observe_every_ns = 10'000'000'000;

}  // namespace

std::vector<io::component_fact> observer::look() {
    condition now = look_at(*where_, checkpoint_every_ns_);
    if (now.durable_lsn != before_.durable_lsn) written_ns_ = now.wall_ns;
    std::vector<io::component_fact> out;
    for (auto& each : components_of(now)) {
        const std::uint64_t active_ns = each.name == "journal"      ? written_ns_
                                        : each.name == "checkpoint" ? now.checkpoint.wall_ns
                                                                    : now.wall_ns;
        std::string& words = each.alarm.empty() ? each.note : each.alarm;
        out.push_back({each.name, each.state, each.health, active_ns, std::move(words)});
    }
    before_ = std::move(now);
    return out;
}

void observer::step() {
    const std::uint64_t now_ns = where_->waits().now_ns();
    if (now_ns < next_ns_) return;
    if (!is_keeping_) {
        const auto& mark = where_->header().keeper;
        const bool is_ours = shm::load(mark.pid) == static_cast<std::uint32_t>(::getpid());
        if (shm::load(mark.slot) == 0 || !is_ours) return;  // It stands by.
        is_keeping_ = true;
        to_->keep();
    }
    next_ns_ = now_ns + observe_every_ns;
    to_->observed(look());
}

void observer::end() {
    if (!is_keeping_) return;
    auto parts = look();
    const auto told = to_->count();
    for (auto& each : parts) {
        if (each.name == "keeper") {
            each.health = 100;
            each.note = "epoch " + std::to_string(before_.keeper_epoch);
            if (const auto lost = told.dropped + told.failed; lost != 0) {
                each.note += "; facts of this history that were lost: " + std::to_string(lost);
            }
        }
        const bool is_ill = each.state == "failed" || each.state == "damaged";
        if (each.health != 0 && !is_ill) each.state = "stopped";
    }
    to_->observed(std::move(parts));
}

}  // namespace perdure
