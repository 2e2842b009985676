// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <perdure/plugins/host/event_feed.hpp>

namespace perdure::plugins {
namespace {

constexpr std::uint64_t records_a_turn = 8192;  // Also where none of them matters.

}  // namespace

event_feed::event_feed(subscription from, const event_catalogue& known,
                       const std::set<std::string>& follow, std::uint64_t cursor)
    : from_(std::move(from)), follows_all_(follow.empty()), lsn_(cursor) {
    for (const auto& name : follow) {
        if (const auto type = known.type_named(name); type != 0) followed_.insert(type);
    }
}

bool event_feed::is_followed(std::uint16_t type) const noexcept {
    return follows_all_ || followed_.contains(type);
}

/// False when the record does not fit behind what is there already.
result<bool> event_feed::add(const shm::record_view& record) {
    const std::size_t before = payload_.size();
    const std::uint64_t count_before = count_;
    for (const auto event : record.events()) {
        if (!is_followed(event.type)) continue;
        const told_event front{record.lsn(),
                               record.transaction().wall_ns,
                               record.transaction().world_time,
                               event.type,
                               event.version,
                               static_cast<std::uint32_t>(event.payload.size())};
        const auto* const at = reinterpret_cast<const std::byte*>(&front);
        payload_.insert(payload_.end(), at, at + sizeof front);
        payload_.insert(payload_.end(), event.payload.begin(), event.payload.end());
        payload_.resize((payload_.size() + 7) / 8 * 8);
        ++count_;
    }
    if (payload_.size() <= payload_bytes_max && count_ <= events_max) return true;
    if (count_before == 0) {
        // One record's events stay together, as far as a message can hold them.
        if (payload_.size() + sizeof(message_header) > message_bytes_max) {
            return errc::value_too_large;
        }
        return true;
    }
    payload_.resize(before);
    count_ = count_before;
    return false;
}

result<event_feed::batch> event_feed::next(std::uint64_t world_ns) {
    batch out;
    out.first_lsn = lsn_ + 1;
    payload_.assign(sizeof(events_message), std::byte{0});
    count_ = 0;
    shm::record_view record;
    for (;;) {
        if (held_) {
            record = *held_;
            held_.reset();
        } else if (!PERDURE_TRY(rest_.next(record))) {
            // Records lie in the subscription's buffer: the next batch would overwrite them.
            if (count_ != 0) break;
            const auto more = PERDURE_TRY(from_.next());
            if (more.is_empty()) break;
            rest_ = shm::record_walk(more.records);
            continue;
        }
        if (!PERDURE_TRY(add(record))) {
            held_ = record;
            break;
        }
        lsn_ = record.lsn();
        if (lsn_ - out.first_lsn >= records_a_turn) break;
    }
    const events_message front{out.first_lsn, lsn_, count_, world_ns};
    std::memcpy(payload_.data(), &front, sizeof front);
    out.last_lsn = lsn_;
    out.events = count_;
    out.payload = payload_;
    return out;
}

}  // namespace perdure::plugins
