// SPDX-License-Identifier: Apache-2.0
//
// One worker of an import: reads the whole file and applies every N-th line. Which lines are whose
// depends on nothing but N, and the keys not even on that.
#include <perdure/apps/import/part.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include <perdure/apps/cli/child.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/import/plan.hpp>
#include <perdure/core/import_log.hpp>

namespace perdure::apps {
namespace {

void count(std::uint64_t& place) noexcept {
    std::atomic_ref(place).fetch_add(1, std::memory_order_release);
}

/// Balances beside what the file says they are. A difference is told when it changes by more than
/// rounding explains; one missing line is then one departure, however many lines follow it.
class comparison {
  public:
    explicit comparison(import_row& row) noexcept : row_(row) {}

    void look(std::uint64_t number, const party& side, amount ours, bool rounded) {
        const amount difference = ours - *side.after;
        amount& before = last_[side.name];
        count(row_.compared);
        if (difference == 0) count(row_.equal);
        const auto magnitude = static_cast<std::uint64_t>(std::abs(difference));
        row_.difference_max = std::max(row_.difference_max, magnitude);
        // Three numbers, each off by half a unit at most, move a difference by one.
        if (std::abs(difference - before) > (rounded ? 1 : 0)) {
            if (row_.departures < import_row::notes_max) {
                row_.first_departures[row_.departures] = {number, difference};
            }
            count(row_.departures);
        }
        before = difference;
    }

  private:
    import_row& row_;
    std::unordered_map<std::string, amount> last_;
};

class importer {
  public:
    importer(const part_order& order, world& in, import_row& row)
        : order_(order),
          world_(in),
          by_(in.join()),
          log_(import_log::find(in.region()).value()),
          row_(row),
          identity_(parse_identity(order.identity)),
          asset_(asset_id::of(order.rules.asset)),
          treasury_(account_id::of(import_treasury)),
          faucet_(faucet_id::of(import_faucet(order.rules.asset))),
          opening_(opening_choice::of(order.rules)),
          stops_(order.rules.on_bad_line == "stop"),
          comparison_(row) {}

    /// False when it could not come to the end.
    bool run() {
        csv_reader reader(order_.file);
        reader.next();
        const line_parser parser(order_.rules, reader);
        const auto began = std::chrono::steady_clock::now();
        import_line line;
        for (std::uint64_t index = 0; reader.next(); ++index) {
            if (order_.end_line != 0 && reader.line() >= order_.end_line) break;
            if (index % order_.of != order_.place) continue;
            parser.parse(reader, line);
            if (line.left_out) {
                count(row_.left_out);
            } else if (!line.malformed.empty()) {
                count(row_.malformed);
            } else if (!decide(reader.line(), line)) {
                return false;
            }
            count(row_.done);
            if (order_.rate == 0) continue;
            std::this_thread::sleep_until(
                began + std::chrono::nanoseconds((index + 1) * 1'000'000'000 / order_.rate));
        }
        return true;
    }

  private:
    static shm::deadline patience() { return shm::deadline::in(std::chrono::seconds(60)); }

    /// False when no more lines can be decided.
    bool decide(std::uint64_t number, const import_line& line) {
        const auto key = key_of_line(identity_, number);
        if (order_.resumed) {
            const auto refused = by_.read([&](view& v) { return log_.refusal(v, key); });
            if (refused) {
                note_refusal(number, static_cast<errc>(refused->reason));
                return true;
            }
        }
        bool before = false;
        const auto applied = by_.write(
            [&](tx& in) -> result<> {
                before = PERDURE_TRY(world_.books().once(in, key, key_life::pinned)).has_value();
                if (before) return {};
                return order_.rules.accounts ? open(in, line) : move(in, line, number);
            },
            patience());
        if (!applied) return refuse(number, key, line, applied.error());
        count(before ? row_.already_applied : row_.applied);
        if (before) return true;
        // This commit is proof that both are there; an earlier one is not looked into.
        known_.insert(line.payee.name);
        if (!line.payer.name.empty()) known_.insert(line.payer.name);
        compare(number, line);
        return true;
    }

    /// A refused line leaves nothing behind but the note that it was refused, so that it is not
    /// decided otherwise when the import is resumed.
    bool refuse(std::uint64_t number, const shm::transaction_key& key, const import_line& line,
                errc reason) {
        bool is_final = std::ranges::find(refusal_reasons, reason) == refusal_reasons.end();
        if (!is_final && !stops_) {
            const auto noted =
                by_.write([&](tx& in) { return log_.refuse(in, key, number, reason); }, patience());
            if (!noted && noted.error() != errc::exists) {
                reason = noted.error();
                is_final = true;
            }
        }
        if (is_final || stops_) {
            row_.stopped = {number, static_cast<std::uint64_t>(reason)};
            return false;
        }
        note_refusal(number, reason);
        compare(number, line);
        return true;
    }

    result<> move(tx& in, const import_line& line, std::uint64_t number) {
        for (const party* each : {&line.payer, &line.payee}) {
            if (!known_.contains(each->name)) PERDURE_TRY(meet(in, *each));
        }
        return world_.books().transfer(in, account_id::of(line.payer.name),
                                       account_id::of(line.payee.name), asset_, line.value,
                                       {0, number});
    }

    result<> open(tx& in, const import_line& line) {
        PERDURE_TRY(world_.books().open_account(in, line.payee.name, line.kind));
        return give(in, account_id::of(line.payee.name), line.value);
    }

    /// Opens it and gives it what it begins with, unless it is open, or has held this asset before.
    result<> meet(tx& in, const party& who) {
        const ledger& books = world_.books();
        const auto opened = books.open_account(in, who.name, account_kind::player);
        if (!opened && opened.error() != errc::exists) return opened.error();
        const auto account = account_id::of(who.name);
        const auto held =
            shm::get_key<balance_row>(in, books.numbers().balances, key_of(account, asset_));
        if (held) return {};
        if (held.error() != errc::not_found) return held.error();
        return give(in, account, who.opening.value_or(standard_opening()));
    }

    [[nodiscard]] amount standard_opening() const noexcept {
        if (opening_.rule == opening_rule::grant) return order_.grant;
        return opening_.rule == opening_rule::fixed ? opening_.fixed : 0;
    }

    /// From the faucet, which keeps to its budget whatever the number of workers.
    result<> give(tx& in, account_id to, amount value) {
        if (value == 0) return {};
        return world_.books().mint(in, faucet_, treasury_, to, value);
    }

    void compare(std::uint64_t number, const import_line& line) {
        for (const party* each : {&line.payer, &line.payee}) {
            if (!each->after) continue;
            const auto ours = by_.read([&](view& v) {
                return world_.books().balance(v, account_id::of(each->name), asset_);
            });
            // A refused line opens nobody: then there is nothing to compare.
            if (ours) comparison_.look(number, *each, *ours, line.rounded);
        }
    }

    void note_refusal(std::uint64_t number, errc reason) {
        if (row_.refused < import_row::notes_max) {
            row_.first_refused[row_.refused] = {number, static_cast<std::uint64_t>(reason)};
        }
        const auto at = std::ranges::find(refusal_reasons, reason) - refusal_reasons.begin();
        PERDURE_ASSERT(at < std::ssize(refusal_reasons));
        count(row_.refused_by[static_cast<std::size_t>(at)]);
        count(row_.refused);
    }

    const part_order& order_;
    world& world_;
    session by_;
    import_log log_;
    import_row& row_;
    import_identity identity_;
    asset_id asset_;
    account_id treasury_;
    faucet_id faucet_;
    opening_choice opening_;
    bool stops_;
    comparison comparison_;
    std::unordered_set<std::string> known_;
};

}  // namespace

int import_part(const part_order& order) {
    const auto page = shared_page::inherit(import_descriptor, sizeof(import_page));
    world in = open_world(order.where);
    importer work(order, in, page.as<import_page>().rows.at(order.place));
    return work.run() ? exit_done : exit_refused;
}

}  // namespace perdure::apps
