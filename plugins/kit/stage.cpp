// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <perdure/plugins/kit/guest.hpp>
#include <perdure/plugins/kit/ledger_text.hpp>
#include <perdure/shm/described.hpp>
#include <thread>

namespace perdure::plugins {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t tick_ns = tick_ns_least;
constexpr std::uint64_t wall_begin_ns = 1'767'225'600'000'000'000;  // 2026-01-01, the same always.
constexpr auto* issuer = "stage";                                   // Authority of all assets.

template <class T>
const T& expect_done(const result<T>& done, const std::string& what) {
    if (!done) throw stage_failure(what + ": " + std::string(name(done.error())));
    return *done;
}

/// What the library throws, as what a test catches.
template <class Work>
auto told(Work&& work) {
    try {
        return work();
    } catch (const failure& why) {
        throw stage_failure(why.thing() + "; " + why.todo());
    }
}

/// The wall clock of a world whose time is virtual.
class stage_clock final : public shm::park {
  public:
    std::uint64_t wall_ns() noexcept override { return wall_begin_ns + passed_ns; }
    std::uint64_t passed_ns = 0;
};

/// Two folders with a name of their own, gone with the object.
class stage_place_on_disk {
  public:
    stage_place_on_disk() {
        static std::atomic<int> made = 0;
        const auto name =
            "perdure-stage-" + std::to_string(::getpid()) + "-" + std::to_string(made++);
        disk = fs::temp_directory_path() / name;
        memory = fs::path("/dev/shm") / name;
        fs::create_directories(disk);
        fs::create_directories(memory);
    }
    stage_place_on_disk(const stage_place_on_disk&) = delete;
    stage_place_on_disk& operator=(const stage_place_on_disk&) = delete;
    ~stage_place_on_disk() {
        std::error_code ignored;
        fs::remove_all(disk, ignored);
        fs::remove_all(memory, ignored);
    }
    fs::path disk;
    fs::path memory;
};

world made_in(const stage_place_on_disk& place) {
    const auto directory = (place.disk / "world").string();
    world::create(directory);
    world_options how;
    how.region_directory = place.memory.string();
    how.capacity_bytes = 256ULL << 20;
    how.ring_bytes = 1ULL << 20;
    how.slot_count = 8;
    how.segment_bytes = 1ULL << 20;
    how.clock.tick_ns = tick_ns;
    return world::open(directory, how);
}

}  // namespace

struct stage::parts {
    explicit parts(const stage_terms& terms)
        : in(made_in(place)), by(in.join()), plugin(in, by, terms) {
        in.region().use(clock);
        expect_done(in.start_clock(by), "the clock");
        expect_done(by.write([&](tx& now) -> result<> {
            PERDURE_TRY(in.books().open_account(now, issuer, account_kind::treasury));
            return {};
        }),
                    "the issuer of assets");
        seen_lsn = shm::next_lsn(in.region()) - 1;
    }

    void write(const std::string& what, const std::function<result<>(tx&)>& work) {
        expect_done(by.write(work), what);
    }
    position has(const std::string& account, const std::string& asset) {
        return expect_done(by.read([&](view& seen) {
            return in.books().holding(seen, account_named(account), asset_id::of(asset));
        }),
                           asset + " of " + account);
    }

    stage_place_on_disk place;
    stage_clock clock;  // The region's until it is gone.
    world in;
    session by;
    guest plugin;
    std::map<std::string, std::string> owners;  // Of faucets.
    std::uint64_t seen_lsn = 0;                 // What was before load().
};

stage::stage(stage_terms terms)
    : parts_(told([&] { return std::make_unique<parts>(std::move(terms)); })) {}

stage::~stage() = default;

world& stage::in() noexcept { return parts_->in; }
session& stage::by() noexcept { return parts_->by; }
guest& stage::played() noexcept { return parts_->plugin; }

stage& stage::asset(const std::string& code, std::uint32_t scale) {
    parts_->write("asset " + code, [&](tx& now) -> result<> {
        PERDURE_TRY(in().books().create_asset(now, code, scale, account_id::of(issuer)));
        return {};
    });
    return *this;
}

stage& stage::account(const std::string& name, const std::vector<holding>& has, account_kind kind) {
    parts_->write("account " + name, [&](tx& now) -> result<> {
        const auto& books = in().books();
        const auto id = account_named(name);
        if (name.starts_with('@')) {
            PERDURE_TRY(books.open_account(now, id, kind));
        } else {
            PERDURE_TRY(books.open_account(now, name, kind));
        }
        for (const auto& each : has) {
            PERDURE_TRY(
                books.mint(now, account_id::of(issuer), id, asset_id::of(each.asset), each.value));
        }
        return {};
    });
    return *this;
}

stage& stage::faucet(const std::string& name, const holding& budget, const std::string& owner) {
    parts_->write("faucet " + name, [&](tx& now) -> result<> {
        PERDURE_TRY(in().books().open_faucet(
            now, account_id::of(issuer), name,
            {faucet_kind::faucet, asset_id::of(budget.asset), account_named(owner), budget.value}));
        return {};
    });
    parts_->owners[name] = owner;
    return *this;
}

stage& stage::draw(const std::string& faucet, const std::string& to, amount value) {
    parts_->write("faucet " + faucet, [&](tx& now) {
        return in().books().mint(now, faucet_id::of(faucet), account_named(parts_->owners[faucet]),
                                 account_named(to), value);
    });
    return *this;
}

stage& stage::transfer(const std::string& from, const std::string& to, const holding& what) {
    parts_->write("transfer from " + from + " to " + to, [&](tx& now) {
        return in().books().transfer(now, account_named(from), account_named(to),
                                     asset_id::of(what.asset), what.value);
    });
    return *this;
}

stage& stage::declare(const event_declaration& event) {
    expect_done(event_catalogue::open(by(), std::span(&event, 1)), "event " + event.name);
    return *this;
}

stage& stage::write(const std::function<result<>(tx&)>& work) {
    parts_->write("a transaction", work);
    return *this;
}

stage& stage::furnish() {
    const auto what = told([&] { return manifest::of_file(parts_->plugin.file()); });
    auto& where = in().region();
    for (const auto& table : what.wants.read) {
        if (shm::find_table(where, table)) continue;
        expect_done(shm::open_table(by(), shm::schema_of<allowance_row>(table)), "table " + table);
    }
    std::uint16_t type = 60'000;
    for (const auto* names : {&what.wants.emit, &what.follow}) {
        for (const auto& each : *names) {
            const auto known = expect_done(event_catalogue::read(where), "the declared events");
            if (known.type_named(each) != 0) continue;
            declare({each, type++, 1, 8, {{"number", shm::field_type::u64, 0, 8, {}}}, {}});
        }
    }
    for (const auto& [code, most] : what.wants.mint) {
        const auto id = asset_id::of(code);
        if (!by().read([&](view& seen) { return in().books().asset(seen, id); })) asset(code);
    }
    for (const auto& each : what.wants.debit) {
        const auto id = account_id::of(each);
        if (!by().read([&](view& seen) { return in().books().account(seen, id); })) account(each);
    }
    return *this;
}

stage& stage::advance(std::chrono::nanoseconds time) {
    if (time.count() <= 0) throw stage_failure("advance: time goes forward alone");
    const auto ticks = (static_cast<std::uint64_t>(time.count()) + tick_ns - 1) / tick_ns;
    parts_->clock.passed_ns += ticks * tick_ns;
    parts_->write("the clock",
                  [&](tx& now) { return in().clock().advance(now, {.ticks = ticks}); });
    const auto shown =
        in().clock().show(in().region(), shm::deadline::in(std::chrono::seconds(30)));
    if (!shown) throw stage_failure("the clock: " + std::string(name(shown.error())));
    return *this;
}

stage& stage::advance_windows(std::uint64_t count) {
    const auto& plugin = what();
    if (plugin.kind != plugin_kind::tick) throw stage_failure("this plugin has no windows");
    const auto now = world_ns();
    const auto from = parts_->plugin.row().from_ns;
    const auto ended = now < from ? 0 : (now - from) / plugin.every_ns;
    const auto to = from + (ended + count) * plugin.every_ns;
    return advance(std::chrono::nanoseconds(to - now));
}

std::uint64_t stage::world_ns() { return parts_->plugin.world_ns(); }

void stage::load() {
    told([&] { parts_->plugin.load(); });
}
void stage::upgrade(const std::string& file) {
    told([&] { parts_->plugin.upgrade(file); });
}

run_report stage::try_run() {
    return told([&] { return parts_->plugin.run(); });
}

run_report stage::run() {
    auto out = try_run();
    if (out.end != run_end::well) throw run_failure(std::move(out));
    return out;
}

void stage::crash_at(std::uint64_t commit, crash_moment when) {
    if (commit == 0) throw stage_failure("crash_at: commits are counted from 1");
    parts_->plugin.crash_at(commit, when);
}
bool stage::has_crashed() const noexcept { return parts_->plugin.has_crashed(); }
void stage::restart() { parts_->plugin.end(); }
void stage::forget_always(bool does) noexcept { parts_->plugin.forget_always(does); }

std::string stage::start_for_debugger() {
    run_report report;
    if (!told([&] { return parts_->plugin.start(report); })) throw run_failure(report);
    const auto process = std::to_string(parts_->plugin.running()->process());
    const auto file = parts_->plugin.stored();
    // The process knows the file under a name that nobody else does: its symbols are told by hand.
    std::ifstream maps("/proc/" + process + "/maps");
    std::string at;
    for (std::string line; std::getline(maps, line) && at.empty();) {
        if (line.find(file) != std::string::npos) at = line.substr(0, line.find('-'));
    }
    const auto symbols = fs::absolute(parts_->plugin.file()).string();
    return "gdb -p " + process +
           (at.empty() ? "" : " -ex 'add-symbol-file " + symbols + " -o 0x" + at + "'");
}

bool stage::wait_for_debugger(const std::function<bool()>& stops) {
    const auto* one = parts_->plugin.running();
    if (one == nullptr || one->process() == 0) throw stage_failure("no process to debug");
    const auto path = "/proc/" + std::to_string(one->process()) + "/status";
    while (!stops()) {
        std::ifstream status(path);
        if (!status) throw stage_failure("the plugin's process is gone");
        for (std::string word; status >> word;) {
            int tracer = 0;
            if (word == "TracerPid:" && status >> tracer && tracer != 0) return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
}

const manifest& stage::what() const {
    if (!parts_->plugin.is_loaded()) throw stage_failure("no plugin is loaded: call load() first");
    return parts_->plugin.what();
}
amount stage::balance(const std::string& account, const std::string& asset) {
    return parts_->has(account, asset).available;
}
amount stage::held(const std::string& account, const std::string& asset) {
    return parts_->has(account, asset).held;
}
amount stage::supply(const std::string& asset) {
    return expect_done(
               by().read([&](view& seen) { return in().books().asset(seen, asset_id::of(asset)); }),
               "asset " + asset)
        .supply;
}
bool stage::is_frozen(const std::string& account) {
    return expect_done(by().read([&](view& seen) {
               return in().books().account(seen, account_named(account));
           }),
                       "account " + account)
               .frozen_until > parts_->clock.wall_ns();
}

std::optional<std::string> stage::state(const std::string& key) {
    static_cast<void>(what());
    const auto name_bytes = std::as_bytes(std::span(key.data(), key.size()));
    const auto found = by().read([&](view& seen) {
        return parts_->plugin.tables()->state(seen, parts_->plugin.plugin(), name_bytes);
    });
    if (!found && found.error() == errc::not_found) return std::nullopt;
    const auto& bytes = expect_done(found, "state " + key);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

stage_place stage::place() {
    const auto row = parts_->plugin.row();
    return {row.window, row.done,          row.from_ns,
            row.cursor, row.state_version, std::string(text_in(row.version))};
}

std::vector<told_fact> stage::events() {
    std::vector<told_fact> out;
    const auto known = expect_done(event_catalogue::read(in().region()), "the declared events");
    auto from = in().follow(parts_->seen_lsn + 1, durability::applied);
    for (;;) {
        const auto more = expect_done(from.next(), "the events");
        if (more.is_empty()) return out;
        shm::record_walk walk(more.records);
        shm::record_view record;
        while (expect_done(walk.next(record), "a record")) {
            for (const auto event : record.events()) {
                told_fact fact{record.lsn(), "", event.version, {}, {}};
                fact.payload.assign(event.payload.begin(), event.payload.end());
                const auto* const declared = known.find(event);
                if (declared != nullptr) fact.name = declared->name;
                for (std::size_t i = 0; declared != nullptr && i < declared->fields.size(); ++i) {
                    const auto& field = declared->fields[i];
                    const auto word = field.bytes > 8 ? result<std::uint64_t>(errc::garbled)
                                                      : declared->word_of(field, event);
                    if (word) fact.numbers[field.name] = static_cast<std::int64_t>(*word);
                }
                out.push_back(std::move(fact));
            }
        }
    }
}

const std::vector<log_line>& stage::log() const noexcept { return parts_->plugin.lines; }
bool stage::has_said(std::string_view part) const noexcept {
    return std::ranges::any_of(
        log(), [&](const log_line& line) { return line.text.find(part) != std::string::npos; });
}
const std::map<std::string, std::int64_t>& stage::counts() const noexcept {
    return parts_->plugin.counts;
}
const std::vector<refusal>& stage::refusals() const noexcept { return parts_->plugin.refusals; }
const std::vector<std::string>& stage::wanted() const noexcept { return parts_->plugin.wanted; }
std::uint64_t stage::commits() const noexcept { return parts_->plugin.commits; }
std::uint64_t stage::accepted() const noexcept { return parts_->plugin.accepted; }

std::string stage::books() {
    return books_text(in(), parts_->plugin.tables(), parts_->plugin.plugin());
}

void stage::expect_sound() {
    const auto found = told([&] { return in().verify(by()); });
    if (found.sound && found.conserved) return;
    std::string all = found.conserved ? "" : "balances do not add up to supplies";
    for (const auto& each : found.problems) all += "; " + each;
    throw stage_failure("the world is not sound: " + all);
}

void stage::expect(bool holds, const std::string& claim) const {
    if (holds) return;
    std::string text = "it does not hold that " + claim;
    if (!log().empty()) text += "; the plugin's last line: " + log().back().text;
    throw stage_failure(text);
}

}  // namespace perdure::plugins
