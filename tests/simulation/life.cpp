// SPDX-License-Identifier: Apache-2.0
#include <perdure/tests/simulation/life.hpp>
#include <perdure/tests/simulation/teller.hpp>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

constexpr std::uint64_t steps_max = 60'000;
constexpr std::uint64_t hour_ns = 3'600'000'000'000;

}  // namespace

struct life::outcome {
    region_memory memory;
    std::unique_ptr<region> where;
    io::opening_report report;
    errc why{};
    [[nodiscard]] bool is_done() const noexcept { return why == errc{}; }
    /// All that was tried, for a fault's words.
    [[nodiscard]] std::string words() const {
        std::string all = is_done() ? "recovered" : "refused: " + std::string(name(why));
        for (const auto& each : report.tried) all += "; " + each.what + ": " + each.verdict;
        if (report.found) all += "; " + report.found->file + ": " + report.found->cause;
        return all;
    }
};

life::life(std::uint64_t seed, tally& counts) : at_(seed, counts) {
    set_up(seed);
    at_.by.on_point = [this](std::string_view point) {
        note_durable();
        // Behind it the space may be used again.
        if (point == "keeper.head") at_.must(at_.past.note(*at_.where));
    };
}

life::~life() {
    at_.by.on_point = {};
    // Whose calls were cut off in their midst cannot be taken apart any more.
    for (auto& each : keepers_) static_cast<void>(each.release());
}

void life::set_up(std::uint64_t seed) {
    at_.region = small_options();
    at_.region.slot_count = 8;
    // Too few shadow pages: captures are given up, and the third is copied in slices.
    if (seed % 3 == 1) at_.region.shadow_bytes = page_bytes * (1 + at_.draw(2));
    auto& policy = at_.policy;
    policy.strategy = static_cast<io::keep_strategy>(1 + at_.draw(4));
    policy.keep_count = 2 + at_.draw(3);
    policy.copy_bytes_max = at_.in_one_of(2) ? 1ULL << 30 : 1;
    policy.keep_ns = at_.in_one_of(3) ? hour_ns : policy.keep_ns;
    policy.full_every_ns = at_.in_one_of(3) ? hour_ns / 60 : policy.full_every_ns;
    at_.segment_bytes = at_.in_one_of(2) ? 16 << 10 : 64 << 10;
    at_.disk->delay_ns_max = at_.in_one_of(2) ? 2'000 : 500'000;
    deeds_left_ = 40 + at_.draw(160);
    tellers_max_ = 2 + at_.draw(3);
    constexpr std::uint64_t dangers[] = {25, 60, 150, 600};
    danger_ = dangers[at_.draw(std::size(dangers))];
}

/// A new world with its tables, all of it durable.
void life::populate() {
    at_.memory = take_memory();
    at_.where = std::make_unique<region>(region::over(at_.memory->span(), at_.region));
    at_.past.be_born(*at_.where);
    io::file_system files(*at_.disk);
    checkpoint_scene::must(io::manifest::create(files, "world", at_.region.world), "no MANIFEST");
    begin_region();
    io::keeper first(files, "world", {at_.segment_bytes, {}});
    auto self = session::join(*at_.where, &first).value();
    static_cast<void>(places::make(self));
    teller(at_, self).open_most();
    at_.must(at_.past.note(*at_.where));
    checkpoint_scene::must(first.help(*at_.where), "the first drain");
    look();
    acks_.erase(acks_.begin(), acks_.end() - 1);  // Before, the world was not whole.
}

void life::begin_region() {
    at_.by.forget_locks();
    at_.where->use(at_.by);
    at_.past.begin(*at_.where);
    durable_ = load(at_.where->header().durable.lsn);
    acks_.assign(1, {0, 0});
    epoch_ = load(at_.where->header().keeper.epoch);
}

void life::note_durable() {
    const auto lsn = load(at_.where->header().durable.lsn);
    if (lsn == durable_) return;
    at_.must(lsn > durable_, "the durable mark went back");
    durable_ = lsn;
    acks_.emplace_back(at_.disk->changes(), lsn);
}

void life::look() {
    const auto& header = at_.where->header();
    at_.must(at_.past.note(*at_.where));
    note_durable();
    const auto head = load(header.head.value);
    const auto tail = load(header.producer.tail);
    at_.must(head <= tail && tail - head <= at_.where->geometry().ring_bytes, "R1: head and tail");
    at_.must(durable_ <= at_.past.last_lsn(), "durable before it was committed");
    const auto slots = at_.where->geometry().slot_count;
    at_.must(load(header.producer.lock) <= slots && load(header.gate.value) <= slots,
             "a lock is held by nobody's slot");
    for (std::uint32_t i = 0; i < slots; ++i) {
        at_.must(load(at_.where->slot(i).active) != slot_fenced, "a slot was fenced");
    }
    const auto epoch = load(header.keeper.epoch);
    at_.must(epoch >= epoch_, "the fencing epoch went back");
    at_.counts->takeovers += epoch - epoch_;
    epoch_ = epoch;
    at_.by.remember(at_.past.last_lsn());
}

std::string life::live() {
    try {
        populate();
        while (at_.fault.empty() && at_.by.steps() < steps_max) {
            std::erase_if(tellers_, [&](auto each) { return !at_.by.is_alive(each); });
            if (deeds_left_ == 0 && tellers_.empty()) break;
            if (at_.in_one_of(danger_)) meet_disaster();
            attend();
            at_.by.step(*at_.where);
            look();
            if (load(at_.where->header().durable.failed) != 0) lose_power();
        }
        if (at_.fault.empty()) come_to_rest();
        if (at_.fault.empty()) check_image();
        if (at_.fault.empty()) check_moment();
    } catch (const std::exception& what) {
        at_.must(false, what.what());
    }
    ++at_.counts->lives;
    at_.counts->steps += at_.by.steps();
    return at_.fault;
}

/// Starts who is missing, ends who has nothing more to do here.
void life::attend() {
    if (!keepers_.empty() && keepers_.back() && keepers_.back()->exits()) {
        kill(keepers_.back()->process());
    }
    const bool is_kept = !keepers_.empty() && at_.by.is_alive(keepers_.back()->process());
    if (!is_kept && at_.in_one_of(40)) {
        keepers_.push_back(std::make_unique<keeping>(at_, ++processes_));
    }
    if (deeds_left_ != 0 && tellers_.size() < tellers_max_ && at_.in_one_of(10)) {
        const auto deeds = std::min(deeds_left_, 1 + at_.draw(30));
        deeds_left_ -= deeds;
        tellers_.push_back(++processes_);
        at_.by.start(processes_, [this, deeds] { teller::live(at_, deeds); });
    }
    if (heals_at_ != 0 && at_.by.steps() >= heals_at_) {
        at_.disk->heal();
        heals_at_ = 0;
    }
}

void life::meet_disaster() {
    switch (at_.draw(16)) {
        case 0:
        case 1:
        case 2:
        case 3: return kill_one(false);
        case 4:
        case 5:
        case 6: return kill_one(true);
        case 7: return kill_all();
        case 8:
        case 9: return lose_power();
        case 10: return plan_fault();
        case 11:
        case 12: {
            if (at_.by.is_idle()) return;
            auto& one = *at_.by.tasks()[at_.draw(at_.by.tasks().size())];
            one.stopped_until = at_.by.steps() + at_.draw(400);
            ++at_.counts->stops;
            return;
        }
        case 13: at_.by.pass(at_.draw(10'000'000'000)); break;
        default:
            at_.by.set_wall_by(static_cast<std::int64_t>(at_.draw(20 * hour_ns)) -
                               static_cast<std::int64_t>(10 * hour_ns));
    }
    ++at_.counts->clocks;
}

void life::plan_fault() {
    if (heals_at_ != 0) return;
    const auto kind = static_cast<fault_kind>(at_.draw(4));
    const bool for_ever = kind != fault_kind::interrupted && at_.in_one_of(2);
    at_.disk->plan({kind, at_.disk->calls() + 1 + at_.draw(60), for_ever});
    heals_at_ = at_.by.steps() + 50 + at_.draw(600);
    ++at_.counts->faults;
}

void life::kill(std::uint32_t process) {
    at_.by.kill(process, *at_.where);
    at_.disk->close_of(process);
}

void life::kill_one(bool keeper) {
    if (keeper) {
        if (keepers_.empty() || !at_.by.is_alive(keepers_.back()->process())) return;
        kill(keepers_.back()->process());
        ++at_.counts->keepers_killed;
    } else if (!tellers_.empty()) {
        kill(tellers_[at_.draw(tellers_.size())]);
        ++at_.counts->tellers_killed;
    }
}

/// The machine stays up, and with it the region.
void life::kill_all() {
    while (!at_.by.is_idle()) kill(at_.by.tasks().front()->process);
    ++at_.counts->all_killed;
    if (!at_.in_one_of(3)) return;
    sweep(*at_.where);
    at_.must(at_.past.note(*at_.where));
    at_.must(at_.past.difference(*at_.where, at_.past.last_lsn()));
}

life::outcome life::recover(simulated_disk& disk, std::uint64_t lsn_max) {
    outcome out;
    io::file_system files(disk);
    const auto promised = io::manifest::open(files, "world", io::open_mode::read, out.report.found);
    if (!promised) {
        out.why = promised.error();
        return out;
    }
    io::recovery_order order;
    order.lsn_max = lsn_max;
    order.fresh = [&](bool) {
        auto like = at_.region;
        like.incarnation = like.generation = promised->incarnation() + 1;
        out.where.reset();
        out.memory = take_memory();
        auto made = std::make_unique<region>(region::over(out.memory->span(), like));
        made->use(at_.by);
        return made;
    };
    auto best = io::recover_best(files, *promised, order, out.report);
    if (best) {
        out.where = std::move(best->region);
    } else {
        out.why = best.error();
    }
    ++at_.counts->recoveries;
    at_.counts->from_checkpoint += out.report.checkpoint_lsn != 0 ? 1 : 0;
    return out;
}

void life::lose_power() {
    look();
    while (!at_.by.is_idle()) kill(at_.by.tasks().front()->process);
    tellers_.clear();
    heals_at_ = 0;
    ++at_.counts->losses;
    const auto how = all_losses[at_.draw(std::size(all_losses))];
    at_.by.remember(static_cast<std::uint64_t>(how));
    auto delay = at_.disk->delay_ns_max;
    const auto image = at_.disk->after_power_loss(at_.disk->changes(), how, at_.by.random());
    at_.disk = std::make_unique<shared_disk>(image, at_.by);
    at_.disk->delay_ns_max = delay;
    if (at_.in_one_of(6)) {
        at_.disk->plan({fault_kind::input_output, 1 + at_.draw(60), at_.in_one_of(2)});
        auto got = recover(*at_.disk, ~0ULL);
        const bool was_met = at_.disk->has_faulted();
        at_.disk->heal();
        if (got.is_done()) return accept(std::move(got));
        ++at_.counts->refused;
        at_.must(was_met, "with a sound disk: " + got.words());
    }
    accept(recover(*at_.disk, ~0ULL));
}

/// The world goes on in what was recovered, as io/opening does it.
void life::accept(outcome&& got) {
    at_.must(got.is_done(), got.words());
    if (!got.is_done()) return;
    const auto lsn = got.report.last_lsn;
    at_.must(lsn >= durable_, "I2: LSN " + std::to_string(durable_) +
                                  " was durable, recovered is up to " + std::to_string(lsn));
    at_.must(at_.past.difference(*got.where, lsn));
    if (!at_.fault.empty()) return;
    at_.counts->beyond += lsn > durable_ ? 1 : 0;
    io::file_system files(*at_.disk);
    std::optional<io::finding> found;
    auto all = io::manifest::open(files, "world", io::open_mode::read_write, found);
    at_.must(all && all->raise_incarnation(), "the MANIFEST after a recovery");
    at_.past.forget_behind(lsn);
    at_.where = std::move(got.where);
    at_.memory = std::move(got.memory);
    begin_region();
}

/// All come to their ends, or none; then nothing is left to do or to repair.
void life::come_to_rest() {
    at_.disk->heal();
    if (at_.in_one_of(2)) {
        at_.ends = true;
        for (const auto& each : at_.by.tasks()) each->stopped_until = 0;
        for (int i = 0; i < 100'000 && !at_.by.is_idle() && at_.fault.empty(); ++i) {
            if (keepers_.size() != 0 && keepers_.back()->exits()) kill(keepers_.back()->process());
            at_.by.step(*at_.where);
            look();
        }
        at_.must(at_.by.is_idle(), "somebody waits for ever");
    }
    while (!at_.by.is_idle()) kill(at_.by.tasks().front()->process);
    for (const auto& each : keepers_) at_.disk->close_of(each->process());
    if (load(at_.where->header().durable.failed) != 0) lose_power();
    if (!at_.fault.empty()) return;
    sweep(*at_.where);
    io::file_system files(*at_.disk);
    io::keeper last(files, "world", {at_.segment_bytes, {}});
    const auto drained = last.help(*at_.where);
    at_.must(drained.has_value(), drained
                                      ? ""
                                      : "the last drain: " + std::string(name(drained.error())) +
                                            (last.found() ? ": " + last.found()->cause : ""));
    look();
    at_.must(durable_ == at_.past.last_lsn(), "the last drain left something");
    at_.must(at_.past.difference(*at_.where, at_.past.last_lsn()));
}

/// Power might have failed earlier, too.
void life::check_image() {
    const auto first = acks_.front().first;
    const auto changes = first + at_.draw(at_.disk->changes() - first + 1);
    const auto how = all_losses[at_.draw(std::size(all_losses))];
    auto image = at_.disk->after_power_loss(changes, how, at_.by.random());
    std::uint64_t acknowledged = 0;
    for (const auto& each : acks_) {
        if (each.first <= changes) acknowledged = each.second;
    }
    const auto got = recover(image, ~0ULL);
    at_.must(got.is_done() && got.report.tried.size() == 1,
             "power lost after " + std::to_string(changes) + " changes, loss " +
                 std::to_string(static_cast<int>(how)) + ": " + got.words());
    if (!got.is_done()) return;
    const auto lsn = got.report.last_lsn;
    at_.must(lsn >= acknowledged, "I2: LSN " + std::to_string(acknowledged) +
                                      " was durable, recovered is up to " + std::to_string(lsn));
    at_.counts->beyond += lsn > acknowledged ? 1 : 0;
    at_.must(at_.past.difference(*got.where, lsn));
}

/// A promised checkpoint leads to its own moment, and the journal to one behind it.
void life::check_moment() {
    io::file_system files(*at_.disk);
    std::optional<io::finding> found;
    const auto promised = io::manifest::open(files, "world", io::open_mode::read, found);
    at_.must(promised.has_value(), "the MANIFEST at the end");
    if (!promised || promised->checkpoints().empty()) return;
    const auto& all = promised->checkpoints();
    const auto& one = all[at_.draw(all.size())];
    const bool is_reached = promised->segments().front().first_lsn <= one.lsn + 1;
    // Slices are of no one moment without the journal behind their cut.
    if (!is_reached && one.last_lsn != one.lsn) return;
    auto lsn = one.last_lsn;
    if (is_reached && at_.in_one_of(3)) lsn += at_.draw(at_.past.last_lsn() - lsn + 1);
    const auto got = recover(*at_.disk, lsn);
    at_.must(got.is_done() && got.report.last_lsn == lsn,
             "the moment of LSN " + std::to_string(lsn) + ": " + got.words());
    if (!at_.fault.empty()) return;
    ++at_.counts->moments;
    at_.must(at_.past.difference(*got.where, lsn));
}

}  // namespace perdure::tests
