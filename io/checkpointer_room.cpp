// SPDX-License-Identifier: Apache-2.0
//
// What the checkpointer does beside checkpoints: packs, reads again, and lets history go.
#include <algorithm>
#include <perdure/io/checkpointer.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/region.hpp>

namespace perdure::io {
namespace {

constexpr std::chrono::milliseconds beside_pause{100};
constexpr std::uint64_t pauses = std::chrono::seconds(1) / beside_pause;
constexpr std::uint64_t pack_rest_ns = 5'000'000'000;  // Where there was nothing to pack.
constexpr std::uint64_t look_every_ns = 1'000'000'000;
constexpr std::size_t rotten_max = 64;

/// What a file must answer while one thread has nothing else to do: a second's tenth part.
std::uint64_t portion(std::uint64_t bytes_a_second) noexcept {
    return std::max<std::uint64_t>(1, bytes_a_second / pauses);
}

}  // namespace

std::chrono::milliseconds checkpointer::pause_beside() noexcept { return beside_pause; }

/// A portion of each, without the lock.
void checkpointer::work_beside(scrubber& again, segment_packer& packer,
                               std::unique_lock<std::mutex>& mine, std::uint64_t now_ns) {
    const auto& policy = options_.policy;
    const bool packs = policy.pack_bytes != 0 && !is_tight_ && now_ns >= pack_at_ns_;
    if (is_tight_) packer.give_up();
    mine.unlock();
    std::optional<finding> found;
    if (policy.scrub_bytes != 0) found = again.read_on(portion(policy.scrub_bytes));
    result<bool> packed = true;
    if (packs) packed = packer.pack_on(portion(policy.pack_bytes));
    mine.lock();
    rotten_places_ = again.damaged();
    is_all_read_ = again.rounds() != 0;
    if (!packed || !*packed) pack_at_ns_ = now_ns + pack_rest_ns;
    if (!packed && packed.error() == errc::disk_full) is_tight_ = true;
    if (!packed && packed.error() == errc::damaged) {
        rotten_.push_back({errc::damaged, journal_directory(directory_), 0,
                           "what was packed did not read back as it was; it was dropped"});
    }
    if (found && rotten_.size() < rotten_max) rotten_.push_back(std::move(*found));
}

/// Removes what is not needed any more, in the MANIFEST first.
result<> checkpointer::let_go(const moment& now, const removals& goes) {
    for (const auto& each : goes.checkpoints) {
        PERDURE_CRASH_POINT("retention.checkpoint");
        PERDURE_TRY(now.promised.retire_checkpoint(each.id));
        PERDURE_CRASH_POINT("retention.checkpoint_retired");
        static_cast<void>(files_->unlink(checkpoint_path(directory_, each.lsn)));
    }
    for (const auto& each : goes.segments) {
        PERDURE_CRASH_POINT("retention.segment");
        PERDURE_TRY(now.promised.retire_segment(each.id));
        PERDURE_CRASH_POINT("retention.segment_retired");
        // In this order: who looks for it looks in this order, too.
        static_cast<void>(files_->unlink(segment_path(directory_, each.first_lsn)));
        static_cast<void>(files_->unlink(packed_path(directory_, each.first_lsn)));
    }
    return {};
}

result<bool> checkpointer::make_room(const moment& now) {
    const std::uint64_t cursor = options_.oldest_cursor ? options_.oldest_cursor() : ~0ULL;
    const auto goes = what_to_shed(options_.policy, now.promised, cursor);
    if (goes.checkpoints.empty() && goes.segments.empty()) return false;
    PERDURE_TRY(let_go(now, goes));
    tell_room(now, room_state::shedding, goes);
    return true;
}

void checkpointer::tell_room(const moment& now, room_state state, const removals& gone) {
    auto& mark = now.where.header().durable;
    const auto known = static_cast<room_state>(shm::load(mark.room));
    shm::put(mark.room, static_cast<std::uint32_t>(state));
    const bool is_news = known != state && (known != room_state{} || state != room_state::roomy);
    if (!is_news && gone.checkpoints.empty() && gone.segments.empty()) return;
    if (!options_.room_changed) return;
    options_.room_changed(
        {state, shm::load(mark.free_bytes), gone.checkpoints.size(), gone.segments.size()});
}

/// Looks at the disk, once a second, and lets a generation go while there is too little room.
result<> checkpointer::watch_room(const moment& now) {
    const std::uint64_t at = now.where.waits().now_ns();
    if (at < looked_ns_ + look_every_ns && looked_ns_ != 0) return {};
    looked_ns_ = at;
    const auto free = files_->free_bytes(directory_);
    if (!free) return {};
    auto& mark = now.where.header().durable;
    shm::put(mark.free_bytes, *free);
    if (shm::load(mark.refusing) != 0) return {};  // The keeper knows better.
    const auto state = judge_room(*free, options_.policy.free_bytes);
    is_tight_ = state != room_state::roomy;
    tell_room(now, state, {});
    if (state != room_state::shedding) return {};
    const auto made = make_room(now);
    return made ? result<>() : made.error();
}

}  // namespace perdure::io
