// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/io/room.hpp>

namespace perdure::io {

std::string_view name(room_state state) noexcept {
    switch (state) {
        case room_state::roomy: return "roomy";
        case room_state::tight: return "tight";
        case room_state::shedding: return "shedding";
        case room_state::refusing: return "refusing";
    }
    return "unknown";
}

room_state judge_room(std::uint64_t free_bytes, std::uint64_t wanted) noexcept {
    if (free_bytes >= wanted) return room_state::roomy;
    return free_bytes >= wanted / 2 ? room_state::tight : room_state::shedding;
}

removals what_to_shed(const checkpoint_policy& policy, const manifest& promised,
                      std::uint64_t cursor_lsn) {
    removals out;
    const auto& all = promised.checkpoints();
    std::vector<std::size_t> fulls;  // Each begins a generation.
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].is_full()) fulls.push_back(i);
    }
    if (fulls.size() < generations_min) return out;
    const std::size_t oldest = fulls.size() > generations_min ? fulls[1] : fulls[0];
    // From the chain's end: nobody goes before those that hang on it.
    for (std::size_t i = oldest; i-- > 0;) out.checkpoints.push_back(all[i]);
    if (policy.strategy == keep_strategy::event_sourced) return out;
    const bool is_short = policy.strategy == keep_strategy::snapshot_only;
    const auto& from = all[is_short ? fulls[fulls.size() - generations_min] : oldest];
    std::uint64_t needed = std::min(from.lsn, cursor_lsn);
    for (std::size_t i = oldest; i < all.size(); ++i) {
        if (all[i].last_lsn > all[i].lsn) needed = std::min(needed, all[i].lsn);  // Slices.
    }
    for (const auto& segment : promised.segments()) {
        if (!segment.sealed || segment.last_lsn > needed) break;
        out.segments.push_back(segment);
    }
    return out;
}

}  // namespace perdure::io
