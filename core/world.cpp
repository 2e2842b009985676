// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <perdure/core/key_retention.hpp>
#include <perdure/core/leftovers.hpp>
#include <perdure/core/ticker.hpp>
#include <perdure/core/world.hpp>
#include <perdure/core/world_event_format.hpp>
#include <perdure/core/world_observer.hpp>
#include <perdure/io/audit.hpp>
#include <perdure/io/config.hpp>
#include <perdure/io/keeper.hpp>
#include <perdure/io/opening.hpp>
#include <perdure/io/spread.hpp>
#include <thread>

namespace perdure {
namespace {

[[noreturn]] void refuse(const std::string& directory, const std::string& cause, errc reason) {
    throw failure(reason, "world " + directory + ": " + cause + ": " + std::string(name(reason)),
                  std::string(remedy(reason)));
}

/// Of a new world's first region: its MANIFEST begins with 1.
constexpr std::uint64_t first_incarnation = 2;
constexpr std::chrono::seconds clock_patience{1};

io::opening_options opening_for(const world_options& options) {
    io::opening_options out;
    out.region_directory = options.region_directory;
    out.boot = options.boot_id;
    out.may_rebuild = options.may_recover;
    out.mode = options.mode;
    out.region.capacity_bytes = options.capacity_bytes;
    out.region.ring_bytes = options.ring_bytes;
    out.region.undo_bytes = options.undo_bytes;
    out.region.slot_count = options.slot_count;
    out.region.group = options.group;
    out.region.group_may = options.group_may;
    out.region.shadow_bytes = options.shadow_bytes;
    out.patience = options.patience;
    out.validators = options.validators;
    out.validators.emplace_back(io::why_unbalanced);
    return out;
}

/// What a process must know of a world's tables.
struct found_tables {
    ledger books;
    event_catalogue events;
    documents states;
    world_clock time;
    stakes locked;
};

/// The world's tables, those that are missing made: in a region nobody else has seen yet, or in a
/// world that an earlier build made.
result<> lay_tables(shm::region& where, shm::drain* hook) {
    auto by = session::join(where, hook);
    if (!by) return by.error();
    const auto books = PERDURE_TRY(ledger::open(*by));
    PERDURE_TRY(documents::open(*by));
    PERDURE_TRY(event_catalogue::open(*by, economy_events()));
    PERDURE_TRY(open_cursors(*by));
    const auto time = PERDURE_TRY(world_clock::open(*by));
    PERDURE_TRY(stakes::open(*by, books, time));
    return {};
}

/// Errors: unknown_table when an earlier build made the world with less than this one knows.
result<found_tables> find_tables(shm::region& where) {
    const auto books = PERDURE_TRY(ledger::find(where));
    auto states = PERDURE_TRY(documents::find(where));
    states.check_with(io::spread);
    auto events = PERDURE_TRY(event_catalogue::read(where));
    if (where.writable() && !events.has(economy_events())) return errc::unknown_table;
    const auto time = PERDURE_TRY(world_clock::find(where));
    const auto locked = PERDURE_TRY(stakes::find(where, books, time));
    return found_tables{books, std::move(events), states, time, locked};
}

/// Whether this process keeps the world, as far as the region says.
bool is_kept_here(const shm::region& where) noexcept {
    const auto& mark = where.header().keeper;
    return shm::load(mark.slot) != 0 &&
           shm::load(mark.pid) == static_cast<std::uint32_t>(::getpid());
}

/// The journal's own word of it, for whoever reads the events.
result<> note_recovery(shm::region& where, shm::drain& hook, const io::opening_report& report) {
    auto by = PERDURE_TRY(session::join(where, &hook));
    const world_recovered_v1 event{
        where.geometry().incarnation, report.last_lsn,
        report.checkpoint_lsn,        report.rows,
        report.transactions,          static_cast<std::uint64_t>(report.milliseconds * 1000),
    };
    const auto noted = by.write([&](tx& now) -> result<> {
        now.event(static_cast<std::uint16_t>(event_type::world_recovered), 1,
                  std::as_bytes(std::span(&event, 1)));
        return {};
    });
    if (!noted) return noted.error();
    return {};
}

}  // namespace

struct world::parts {
    std::string directory;
    io::kernel_calls linux_calls;
    io::kernel_calls& calls;
    io::file_system files;  ///< The keeper's, from whatever thread.
    std::unique_ptr<shm::region> region;
    std::unique_ptr<io::historian> historian;  ///< None where the world may only be read.
    std::unique_ptr<io::keeper> keeper;
    std::optional<found_tables> tables;
    std::uint64_t keys_kept = 0;
    clock_settings clock;
    std::uint64_t checkpoint_every_ns = 0;
    std::string region_directory;
    opening how;

    parts(std::string where, io::kernel_calls* given)
        : directory(std::move(where)),
          calls(given != nullptr ? *given : linux_calls),
          files(calls) {}

    /// Builds the state of `lsn` from the oldest checkpoint or the journal's beginning, and from
    /// the newest checkpoint; what differs from what lives.
    std::vector<std::string> compare_replays(std::uint64_t lsn, const verdict& live) const {
        std::vector<std::string> problems;
        io::opening_options place;
        place.region_directory = region_directory;
        place.region.capacity_bytes = region->geometry().capacity_bytes;
        place.region.ring_bytes = 64 << 10;
        for (const bool oldest_first : {true, false}) {
            try {
                io::past history(calls, directory);
                io::opening_report report;
                const auto again = history.at(lsn, place, report, oldest_first);
                const auto examined = io::examine(io::take_image(*again));
                if (examined.image_hash == live.image_hash) continue;
                problems.push_back("replayed from " + report.tried.back().what +
                                   ", the state is another one");
            } catch (const failure& why) {
                problems.push_back(why.thing());
            }
        }
        return problems;
    }

    /// What keep() tells of checkpoints: to the history first, then to whom the options name.
    std::function<void(const io::checkpoint_news&)> teller(const world_options& options) {
        return [to = historian.get(), next = options.checkpoint_taken](const auto& news) {
            if (to != nullptr) to->took(news);
            if (next) next(news);
        };
    }

    /// What the slowest projection has read: the journal behind it stays.
    std::function<std::uint64_t()> oldest_cursor() {
        return
            [this, table = std::uint32_t{0}]() mutable { return slowest_cursor(*region, table); };
    }
};

void world::create(const std::string& directory) {
    io::kernel_calls calls;
    io::file_system files(calls);
    io::create_world(files, directory);
}

world world::open(const std::string& directory) {
    io::config config;
    config.read_file(directory + "/world.toml");
    config.read_environment();
    return open(directory, options_from(config));
}

world world::open(const std::string& directory, const world_options& options) {
    auto made = std::make_unique<parts>(directory, options.calls);
    io::opening_report report;
    const auto dress = [&](shm::region& fresh) {
        const auto laid = lay_tables(fresh, nullptr);
        if (!laid) refuse(directory, "the economy's tables cannot be made", laid.error());
    };
    made->region = io::open_world(made->files, directory, opening_for(options), report, dress);
    if (made->region->writable()) shm::sweep(*made->region);  // The first duty of who attaches.
    if (made->region->writable()) made->historian = std::make_unique<io::historian>(directory);
    made->keeper = std::make_unique<io::keeper>(
        made->files, directory,
        io::keeper_options{options.segment_bytes,
                           io::checkpointer_options{options.checkpoints, made->teller(options),
                                                    made->oldest_cursor(), options.room_changed}});
    auto found = find_tables(*made->region);
    if (!found && found.error() == errc::unknown_table && made->region->writable()) {
        const auto laid = lay_tables(*made->region, made->keeper.get());
        if (!laid) refuse(directory, "the economy's tables cannot be made", laid.error());
        found = find_tables(*made->region);
    }
    if (!found) refuse(directory, "the economy's tables are not all there", found.error());
    made->tables.emplace(std::move(*found));
    made->keys_kept = options.keys_kept;
    made->clock = options.clock;
    made->checkpoint_every_ns = options.checkpoints.every_ns;
    made->region_directory = options.region_directory;
    made->how = {report.rebuilt,      report.reason.empty() ? report.remark : report.reason,
                 report.torn_tail,    report.last_lsn,
                 report.transactions, report.checkpoint_lsn,
                 report.rows,         report.tried,
                 report.components,   report.load_ms,
                 report.replay_ms,    report.index_ms,
                 report.milliseconds};
    const auto number = made->region->geometry().incarnation;
    const bool is_new = number == first_incarnation && report.last_lsn == 0;
    if (report.rebuilt && !is_new) {
        // Its files know it only as of the last checkpoint. Nobody's answer: a keeper does it too.
        static_cast<void>(
            made->tables->time.show(*made->region, shm::deadline::in(clock_patience)));
        made->historian->recovered(report, number);
        const auto noted = note_recovery(*made->region, *made->keeper, report);
        if (!noted) refuse(directory, "its recovery cannot be told", noted.error());
    }
    return world(std::move(made));
}

world world::recall(const std::string& directory, const world_options& options,
                    const io::past_point& point) {
    auto made = std::make_unique<parts>(directory, options.calls);
    io::past history(made->calls, directory);
    auto how = opening_for(options);
    how.region.ring_bytes = 64 << 10;
    io::opening_report report;
    made->region = history.at(history.lsn_of(point), how, report);
    made->keeper = std::make_unique<io::keeper>(made->files, directory, io::keeper_options{});
    auto found = find_tables(*made->region);
    if (!found) refuse(directory, "the economy's tables were not all there", found.error());
    made->tables.emplace(std::move(*found));
    made->how.last_lsn = report.last_lsn;
    return world(std::move(made));
}

world::world(std::unique_ptr<parts> made) noexcept : parts_(std::move(made)) {}
world::world(world&&) noexcept = default;
world& world::operator=(world&&) noexcept = default;
world::~world() = default;

session world::join() {
    auto made = session::join(*parts_->region, parts_->keeper.get());
    if (!made) refuse(parts_->directory, "cannot join", made.error());
    return std::move(*made);
}

result<> world::wait(session& by, const receipt& paid, durability level, shm::deadline until) {
    if (level == durability::applied) return {};
    return by.wait_durable(paid, until);
}

subscription world::follow(std::uint64_t from_lsn, durability level) const {
    const auto when = level == durability::durable ? io::delivery::durable : io::delivery::applied;
    return {*parts_->region, parts_->calls, parts_->directory, from_lsn, when};
}

io::snapshot world::snapshot(const io::snapshot_order& order) const {
    auto taken = io::snapshot::take(*parts_->region, parts_->calls, parts_->directory, order);
    if (!taken) refuse(parts_->directory, "no snapshot of it", taken.error());
    return std::move(*taken);
}

const event_catalogue& world::events() const noexcept { return parts_->tables->events; }

void world::warm() const noexcept { parts_->region->warm(); }

shm::drain& world::drain() const noexcept { return *parts_->keeper; }

const ledger& world::books() const noexcept { return parts_->tables->books; }

const perdure::documents& world::documents() const noexcept { return parts_->tables->states; }

const world_clock& world::clock() const noexcept { return parts_->tables->time; }

const perdure::stakes& world::stakes() const noexcept { return parts_->tables->locked; }

result<receipt> world::start_clock(session& by) {
    return by.write([&](tx& now) { return clock().start(now, parts_->clock); });
}

const opening& world::opened() const noexcept { return parts_->how; }

shm::region& world::region() const noexcept { return *parts_->region; }

const std::string& world::directory() const noexcept { return parts_->directory; }

condition world::status() const { return look_at(*parts_->region, parts_->checkpoint_every_ns); }

io::historian::tally world::history() const {
    return parts_->historian ? parts_->historian->count() : io::historian::tally();
}

verdict world::verify(session& by, const verify_options& how) {
    auto& where = *parts_->region;
    if (const auto closed = shm::close_gate(by.self(), how.until); !closed) {
        refuse(parts_->directory, "no quiet moment to look at it", closed.error());
    }
    io::image taken;
    try {
        taken = io::take_image(where);
    } catch (...) {
        shm::open_gate(by.self());
        throw;
    }
    shm::open_gate(by.self());
    auto examined = io::examine(taken);
    verdict out;
    out.state_hash = examined.state_hash;
    out.image_hash = examined.image_hash;
    out.conserved = examined.conserved;
    out.problems = std::move(examined.problems);
    out.last_lsn = taken.last_lsn;
    out.durable_lsn = shm::load(where.header().durable.lsn);
    if (shm::load(where.header().counters.garbled) != 0) {
        out.problems.emplace_back("the region has met garbled structures since it was made");
    }
    io::file_system files(parts_->calls);  // Of its own: a keeper may be at work in another thread.
    const auto add = [&](std::vector<std::string> found) {
        for (auto& each : found) {  // Several look at the same files.
            const bool is_known = std::ranges::find(out.problems, each) != out.problems.end();
            if (!is_known) out.problems.push_back(std::move(each));
        }
    };
    add(io::check_journal(files, parts_->directory, out.durable_lsn));
    if (how.deep) {
        add(io::check_checkpoints(files, parts_->directory));
        const receipt last{taken.last_lsn, where.geometry().incarnation};
        const auto durable = taken.last_lsn == 0 ? result<>() : by.wait_durable(last, how.until);
        if (!durable) refuse(parts_->directory, "its last commits stay unwritten", durable.error());
        add(parts_->compare_replays(taken.last_lsn, out));
    }
    out.sound = out.problems.empty();
    if (parts_->historian) {
        parts_->historian->validated({how.deep ? "deep" : "verify", out.last_lsn, out.problems});
    }
    return out;
}

bool world::checkpoint(bool full, shm::deadline until) {
    auto& where = *parts_->region;
    until = until.from(where.waits().now_ns());
    constexpr std::chrono::milliseconds pause{10};  // Whoever has the lease and keeps nothing.
    result<bool> made = errc::lease_held;
    for (;;) {
        made = parts_->keeper->checkpoint(where, full);
        if (made || made.error() != errc::lease_held) break;
        made = io::ask_checkpoint(where, full, until);
        if (made || made.error() != errc::lease_held) break;
        if (where.waits().now_ns() >= until.at_ns) break;
        std::this_thread::sleep_for(pause);
    }
    if (made) return *made;
    std::string cause = "no checkpoint was taken";
    if (const auto& found = parts_->keeper->found(); found) cause += ": " + found->cause;
    refuse(parts_->directory, cause, made.error());
}

void world::keep(const std::function<bool()>& stop) {
    key_retention keys(*parts_->region, books(), parts_->keys_kept);
    leftovers values(*parts_->region, documents().blobs());
    ticker time(*parts_->region, clock());
    std::optional<observer> watched;
    if (parts_->historian) {
        watched.emplace(*parts_->region, *parts_->historian, parts_->checkpoint_every_ns);
    }
    const auto ended = parts_->keeper->run(*parts_->region, [&] {
        if (stop()) return true;
        keys.step();
        values.step();
        if (is_kept_here(*parts_->region)) time.step();
        if (watched) watched->step();
        return false;
    });
    if (watched) watched->end();
    if (ended) return;
    std::string cause = "the keeper stops";
    if (const auto& found = parts_->keeper->found(); found) {
        cause +=
            ": " + found->file + " at byte " + std::to_string(found->offset) + ": " + found->cause;
    } else if (!parts_->files.last_error().empty()) {
        cause += ": " + parts_->files.last_error();
    }
    refuse(parts_->directory, cause, ended.error());
}

}  // namespace perdure
