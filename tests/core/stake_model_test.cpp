// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/stake.hpp, all operations together: random batches by three participants, with
// payouts that are doubled, too early and out of order, a treasury that runs dry and is filled,
// transactions that are given up, and jumps of world time, against a model on std::map. Each
// answer is the model's; after each batch so is every stake, programme and balance; every period is
// paid once and in the world's own time; what was paid is the closed form; value is conserved (K1
// to K5).
#include <rapidcheck.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/tests/core/ledger_draw.hpp>
#include <perdure/tests/core/staking.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using ledger_work::dice;
using number = std::uint64_t;

constexpr std::array names{"vault", "cellar", "tap"};
constexpr std::array methods{yield_method::simple, yield_method::compound, yield_method::simple};
constexpr number tap = 2;  // Paid by the faucet.

/// What a child would write down.
struct model {
    struct stake {
        number programme, who;
        amount principal, staked, paid;
        std::uint64_t since, anchor, periods, rate, told;
    };
    struct programme {
        std::uint64_t rate = 7 * percent;
        std::optional<std::uint64_t> closed;
        amount distributed = 0;
        std::uint64_t refused = 0;
    };
    std::map<std::array<number, 3>, stake> stakes;  // Programme, who, number.
    std::array<programme, 3> programmes;
    std::map<number, amount> purses;  // 0 to 3 the players, 4 the bank.
    amount minted = 0;
    amount budget = 0;
    std::uint64_t now_ns = 0;

    [[nodiscard]] std::uint64_t ended(const stake& its) const {
        // Period by period, as a child counts.
        std::uint64_t count = 0;
        for (std::uint64_t begin = its.since; begin + one_day <= now_ns; begin += one_day) {
            const auto& closed = programmes[its.programme].closed;
            if (closed && begin >= *closed) break;
            ++count;
        }
        return std::max(count, its.periods);
    }
    [[nodiscard]] static amount total(const stake& its, std::uint64_t to) {
        const yield_terms terms{its.rate, one_day, year_ns_standard, methods[its.programme]};
        return owed(terms, growth_of(terms), its.principal, to - its.anchor).value();
    }
    [[nodiscard]] static amount value(const stake& its, std::uint64_t to) {
        return total(its, to) - total(its, its.periods);
    }
    [[nodiscard]] errc may_pay(const stake& its, amount value) const {
        if (its.programme == tap) return minted + value > budget ? errc::budget_exceeded : errc{};
        return purses.at(4) < value ? errc::insufficient_funds : errc{};
    }
    void settle(stake& its, std::uint64_t to, amount value) {
        if (its.programme == tap) {
            minted += value;
        } else {
            purses[4] -= value;
        }
        if (methods[its.programme] == yield_method::compound) {
            its.staked += value;
        } else {
            purses[its.who] += value;
        }
        its.paid += value;
        its.periods = to;
        programmes[its.programme].distributed += value;
    }
};

struct operation {
    std::uint32_t what;
    std::uint64_t seed;
};

void showValue(const operation& one, std::ostream& out) {  // NOLINT: rapidcheck's name
    out << "{" << one.what << ", " << one.seed << "ULL}";
}

struct answers {
    errc real;
    errc expected;
};

/// One operation on both.
class economy {
  public:
    economy(staking& here, tx& by, model& ours) : here_(here), by_(by), ours_(ours) {}

    answers run(const operation& one) {
        dice any(one.seed);
        key_ = {any.below(3), any.below(4), any.below(2)};
        const auto found = ours_.stakes.find(key_);
        its_ = found == ours_.stakes.end() ? nullptr : &found->second;
        id_ = stake_of(names[key_[0]], key_[1], key_[2]);
        switch (one.what) {
            case 0:
            case 1: return stake(any);
            case 2: return unstake(any);
            case 3: return pay(any);
            case 4: return fund(any);
            case 5: return rate(any);
            case 6: return close(any);
            case 7: return refuse(any);
            case 8: return budget(any);
            default: return pay(any);
        }
    }

  private:
    template <class T>
    static errc said(const result<T>& answer) {
        return answer ? errc{} : answer.error();
    }
    answers stake(dice& any) {
        const auto value = any.value() % 60'000 * 17;
        const auto real = said(here_.all.stake(by_, programme_id::of(names[key_[0]]),
                                               player(key_[1]), key_[2], value));
        if (value <= 0) return {real, errc::bad_amount};
        auto& in = ours_.programmes[key_[0]];
        if (in.closed) return {real, errc::programme_closed};
        if (its_ != nullptr) return {real, errc::exists};
        if (ours_.purses[key_[1]] < value) return {real, errc::insufficient_funds};
        ours_.purses[key_[1]] -= value;
        ours_.stakes[key_] = {key_[0], key_[1], value, value, 0, ours_.now_ns, 0, 0, in.rate, 0};
        return {real, {}};
    }
    answers pay(dice& any) {
        // Mostly what is due; else anything near it.
        const auto due = its_ == nullptr ? 0 : ours_.ended(*its_);
        const auto paid = its_ == nullptr ? 0 : its_->periods;
        auto from = paid;
        auto to = due;
        if (any.below(3) == 0) from = paid + any.below(4) - std::min<number>(paid, any.below(4));
        if (any.below(2) == 0) to = due + any.below(3) - std::min<number>(due, any.below(5));
        const auto answer = here_.all.pay(by_, id_, from, to);
        const auto real = said(answer);
        if (from >= to) return {real, errc::out_of_step};
        if (its_ == nullptr) return {real, errc::unknown_stake};
        if (from != paid || to > due) return {real, errc::out_of_step};
        const auto value = model::value(*its_, to);
        if (const auto why = ours_.may_pay(*its_, value); why != errc{}) return {real, why};
        ours_.settle(*its_, to, value);
        if (answer && *answer != value) return {errc::garbled, {}};
        return {real, {}};
    }
    answers unstake(dice& any) {
        unstake_choice how;
        if (any.below(2) == 0) how.part = static_cast<amount>(any.below(300'000)) - 1'000;
        how.forfeits = any.below(4) == 0;
        const auto real = said(here_.all.unstake(by_, id_, how));
        if (its_ == nullptr) return {real, errc::unknown_stake};
        const auto to = ours_.ended(*its_);
        const auto value = how.forfeits ? 0 : model::value(*its_, to);
        const auto inward = methods[key_[0]] == yield_method::compound ? value : 0;
        const auto part = how.part.value_or(its_->staked + inward);
        if (part <= 0) return {real, errc::bad_amount};
        if (part > its_->staked + inward) return {real, errc::insufficient_funds};
        if (const auto why = ours_.may_pay(*its_, value); why != errc{} && !how.forfeits) {
            return {real, why};
        }
        if (!how.forfeits) ours_.settle(*its_, to, value);
        its_->staked -= part;
        its_->principal = its_->staked;
        its_->anchor = its_->periods = to;
        ours_.purses[key_[1]] += part;
        if (its_->staked == 0) ours_.stakes.erase(key_);
        return {real, {}};
    }
    answers refuse(dice& any) {
        const auto due = its_ == nullptr ? 0 : ours_.ended(*its_);
        const auto to = due + any.below(2);
        const auto answer = here_.all.refuse(by_, id_, to, errc::insufficient_funds);
        const auto real = said(answer);
        if (its_ == nullptr) return {real, errc::unknown_stake};
        if (to > due || to <= its_->periods) return {real, errc::out_of_step};
        const bool news = its_->told < to;
        if (news) its_->told = to, ++ours_.programmes[key_[0]].refused;
        if (answer && *answer != news) return {errc::garbled, {}};
        return {real, {}};
    }
    /// Units from a player to the bank, or back.
    answers fund(dice& any) {
        const bool back = any.below(2) == 0;
        const auto value = static_cast<amount>(1 + any.below(400));
        const auto from = back ? 4 : key_[1];
        const auto to = back ? key_[1] : 4;
        const auto real = said(here_.books.transfer(by_, back ? bank : player(key_[1]),
                                                    back ? player(key_[1]) : bank, gold, value));
        if (ours_.purses[from] < value) return {real, errc::insufficient_funds};
        ours_.purses[from] -= value;
        ours_.purses[to] += value;
        return {real, {}};
    }
    answers budget(dice& any) {
        ours_.budget = ours_.minted + static_cast<amount>(any.below(30)) + 1;
        return {said(here_.books.set_budget(by_, treasury, mint_works, ours_.budget)), {}};
    }
    answers rate(dice& any) {
        const auto apy = any.below(30) * percent;
        const auto real =
            said(here_.all.set_rate(by_, banker, programme_id::of(names[key_[0]]), apy));
        if (ours_.programmes[key_[0]].closed) return {real, errc::programme_closed};
        ours_.programmes[key_[0]].rate = apy;
        return {real, {}};
    }
    answers close(dice& any) {
        if (any.below(12) != 0) return {};
        const auto real =
            said(here_.all.close_programme(by_, banker, programme_id::of(names[key_[0]])));
        if (ours_.programmes[key_[0]].closed) return {real, errc::programme_closed};
        ours_.programmes[key_[0]].closed = ours_.now_ns;
        return {real, {}};
    }

    staking& here_;
    tx& by_;
    model& ours_;
    std::array<number, 3> key_{};
    model::stake* its_ = nullptr;
    stake_id id_{};
};

struct compared : staking {
    model ours;
    std::map<errc, std::uint64_t> refusals;
    std::uint64_t payouts = 0;

    compared() : staking(2'000) {
        for (number i = 0; i < names.size(); ++i) {
            auto with = terms(methods[i], 7 * percent);
            if (i == tap) with.from = mint_works;
            RC_ASSERT(!opened(names[i], with));
        }
        for (number who = 0; who < 4; ++who) ours.purses[who] = 1'000'000;
        ours.purses[4] = ours.budget = 2'000;
    }

    /// One transaction, which is given up as a whole if `given_up`.
    void run(const std::vector<operation>& batch, std::size_t who, bool given_up) {
        model after;
        std::map<errc, std::uint64_t> said;
        std::string difference;
        const auto done = by[who].write([&](tx& now) -> result<> {
            after = ours;
            said.clear();
            difference.clear();
            for (const auto& one : batch) {
                const auto both = economy(*this, now, after).run(one);
                if (both.real == errc::conflict) return errc::conflict;
                if (both.real != both.expected) {
                    difference = "operation " + std::to_string(one.what) + ": " +
                                 std::string(name(both.real)) + " instead of " +
                                 std::string(name(both.expected));
                    return errc::garbled;
                }
                ++said[both.real];
            }
            return given_up ? result<>(errc::not_found) : result<>();
        });
        RC_ASSERT(difference == "");
        RC_ASSERT(done.has_value() == !given_up);
        for (const auto& [code, times] : said) refusals[code] += times;
        if (!given_up) ours = after;
        compare();
    }

    void compare() {
        std::array<amount, 3> staked{};
        std::array<number, 3> count{};
        for (const auto& [key, its] : ours.stakes) {
            const auto real = row(stake_of(names[key[0]], key[1], key[2]));
            RC_ASSERT(real.principal == its.principal && real.staked == its.staked);
            RC_ASSERT(real.paid == its.paid && real.periods_paid == its.periods);
            RC_ASSERT(real.since_ns == its.since && real.apy_ppb == its.rate);
            RC_ASSERT(real.last_payout_ns == its.since + its.periods * one_day);
            RC_ASSERT(real.last_payout_ns <= ours.now_ns);
            RC_ASSERT(real.refused_to == its.told);
            staked[key[0]] += its.staked;
            ++count[key[0]];
        }
        amount distributed = 0;
        for (number i = 0; i < names.size(); ++i) {
            const auto real = row(names[i]);
            RC_ASSERT(real.staked == staked[i] && real.stakes == count[i]);
            RC_ASSERT(escrow(names[i]) == staked[i]);
            RC_ASSERT(real.distributed == ours.programmes[i].distributed);
            RC_ASSERT(real.refused == ours.programmes[i].refused);
            distributed += i == tap ? real.distributed : 0;
        }
        RC_ASSERT(distributed == ours.minted);
        for (number who = 0; who < 4; ++who) RC_ASSERT(balance(player(who)) == ours.purses[who]);
        RC_ASSERT(balance(bank) == ours.purses[4]);
    }

    void jump(std::uint64_t hours) {
        pass_hours(hours);
        ours.now_ns += hours * 3'600'000'000'000;
    }
};

/// Every period of every stake that was ever paid, from the events alone.
void check_periods(compared& here) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> next;
    amount sum = 0;
    for (const auto& each : here.events<yield_paid_v1>(event_type::yield_paid, 1)) {
        auto& at = next[{each.stake.high, each.stake.low}];
        // A stake of the same number that was made anew begins again.
        if (each.from_period == 0) at = 0;
        RC_ASSERT(each.from_period >= at && each.to_period > each.from_period);
        at = each.to_period;
        sum += each.amount;
        ++here.payouts;
    }
    amount distributed = 0;
    for (const auto& each : here.ours.programmes) distributed += each.distributed;
    RC_ASSERT(sum == distributed);
}

BOOST_AUTO_TEST_CASE(stakes_are_what_a_child_would_write) {
    const int batches = is_torture() ? 3'000 : 120;
    std::map<errc, std::uint64_t> refusals;
    std::uint64_t payouts = 0;
    const auto one = rc::gen::map(
        rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, 16), rc::gen::arbitrary<std::uint64_t>()),
        [](const auto& drawn) {
            return operation{drawn.first, drawn.second};
        });
    const bool held = rc::check("stakes against a model", [&] {
        compared here;
        const int turns = *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, batches));
        for (int turn = 0; turn < turns; ++turn) {
            const auto count = static_cast<std::size_t>(
                *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, 10)));
            const auto batch = *rc::gen::container<std::vector<operation>>(count, one);
            here.run(batch, *rc::gen::inRange<std::size_t>(0, 3), *rc::gen::inRange(0, 8) == 0);
            if (*rc::gen::inRange(0, 3) != 0) here.jump(*rc::gen::inRange<std::uint64_t>(1, 60));
        }
        RC_ASSERT(here.faults() == "");
        check_periods(here);
        for (const auto& [code, times] : here.refusals) refusals[code] += times;
        payouts += here.payouts;
    });
    BOOST_TEST(held);
    for (const auto& [code, times] : refusals) BOOST_TEST_MESSAGE(name(code) << " " << times);
    BOOST_TEST(payouts > 500U);
    for (const auto code :
         {errc::unknown_stake, errc::programme_closed, errc::exists, errc::insufficient_funds,
          errc::budget_exceeded, errc::bad_amount, errc::out_of_step}) {
        BOOST_TEST(refusals[code] != 0U, name(code));
    }
}

}  // namespace
