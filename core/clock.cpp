// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/clock.hpp>
#include <perdure/shm/described.hpp>

namespace perdure {
namespace {

shm::schema clock_schema() {
    // A wall clock stands in it, which is no part of what a world means.
    return shm::schema_of<clock_row>("clocks", {.flags = shm::transient});
}

bool is_allowed(const clock_settings& how) noexcept {
    const bool is_named = how.missed == missed_policy::exact || how.missed == missed_policy::skip;
    return is_named && how.tick_ns >= tick_ns_least && how.tick_ns <= tick_ns_most;
}

void write_settings(clock_row& row, const clock_settings& how) noexcept {
    row.tick_ns = how.tick_ns;
    row.missed = static_cast<std::uint32_t>(how.missed);
    row.missed_max_ns = how.missed_max_ns;
}

}  // namespace

result<world_clock> world_clock::open(shm::session& by) {
    const auto table = PERDURE_TRY(shm::open_table(by, clock_schema()));
    PERDURE_TRY(by.write([&](shm::transaction& in) -> result<> {
        const auto there = shm::find_row(in, table, clock_key);
        if (there) return {};
        if (there.error() != errc::not_found) return there.error();
        const auto taken = PERDURE_TRY(shm::insert_key(in, table, clock_key));
        auto* row = reinterpret_cast<clock_row*>(taken.copy);
        write_settings(*row, clock_settings());
        row->mode = static_cast<std::uint32_t>(clock_mode::stopped);
        return {};
    }));
    return find(by.where());
}

result<world_clock> world_clock::find(shm::region& where) {
    const auto table = PERDURE_TRY(shm::find_table(where, clock_schema()));
    shm::reader by(where);
    const auto row =
        by.read([&](shm::view& seen) { return shm::find_row(seen, table, clock_key); });
    if (!row) return row.error() == errc::not_found ? errc::unknown_table : row.error();
    return world_clock(table, *row);
}

result<> world_clock::set(shm::transaction& by, const clock_settings& how) const noexcept {
    if (!is_allowed(how)) return errc::bad_setting;
    write_settings(*PERDURE_TRY(shm::edit_key<clock_row>(by, table_, clock_key)), how);
    return {};
}

result<> world_clock::start(shm::transaction& by, const clock_settings& how) const noexcept {
    PERDURE_TRY(set(by, how));
    auto* row = PERDURE_TRY(shm::edit_key<clock_row>(by, table_, clock_key));
    if (row->mode == static_cast<std::uint32_t>(clock_mode::live)) return {};
    row->mode = static_cast<std::uint32_t>(clock_mode::live);
    row->wall_ns = by.where().waits().wall_ns();  // While it stood nothing was missed.
    return {};
}

result<> world_clock::stop(shm::transaction& by) const noexcept {
    auto* row = PERDURE_TRY(shm::edit_key<clock_row>(by, table_, clock_key));
    row->mode = static_cast<std::uint32_t>(clock_mode::stopped);
    return {};
}

result<> world_clock::advance(shm::transaction& by, const time_passed& passed) const noexcept {
    if (passed.ticks == 0) return errc::bad_amount;
    auto* row = PERDURE_TRY(shm::edit_key<clock_row>(by, table_, clock_key));
    PERDURE_ASSERT(row->tick_ns >= tick_ns_least);
    std::uint64_t span = 0;
    std::uint64_t tick = 0;
    std::uint64_t to = 0;
    if (__builtin_mul_overflow(passed.ticks, row->tick_ns, &span) ||
        __builtin_add_overflow(row->world_ns, span, &to) ||
        __builtin_add_overflow(row->tick, passed.ticks, &tick)) {
        return errc::overflow;
    }
    const clock_ticked_v1 event{
        row->tick + 1,
        passed.ticks,
        row->world_ns,
        to,
        row->tick_ns,
        passed.dropped_ns,
        static_cast<std::uint32_t>(passed.reason),
        0,
    };
    row->tick = tick;
    row->world_ns = to;
    row->wall_ns = passed.wall_ns != 0 ? passed.wall_ns : by.where().waits().wall_ns();
    by.event(static_cast<std::uint16_t>(event_type::clock_ticked), 1,
             std::as_bytes(std::span(&event, 1)));
    return {};
}

result<> world_clock::show(shm::region& where, shm::deadline until) const noexcept {
    shm::reader by(where);
    const auto row = by.read([&](shm::view& seen) { return read(seen); }, until);
    if (!row) return row.error();
    show_tick(where, row->tick);
    return {};
}

void show_tick(shm::region& where, std::uint64_t tick) noexcept {
    const auto place = shm::word(where.header().world_time.value);
    std::uint64_t seen = place.load(std::memory_order_relaxed);
    // Who fails here has seen another one raise it; a tick is raised past once.
    while (seen < tick && !place.compare_exchange_weak(seen, tick, std::memory_order_relaxed)) {
    }
}

}  // namespace perdure
