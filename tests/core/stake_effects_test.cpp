// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/stake_events.cpp: what the events of programmes and stakes are declared to add and
// to set is what the rows have afterwards, and nothing that was counted changed without an event.
#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/shm/record_view.hpp>
#include <perdure/tests/core/staking.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

/// Columns of rows, as the events of all records so far say they must be.
class folded {
  public:
    explicit folded(event_catalogue known) : known_(std::move(known)) {}

    void take(const std::vector<std::byte>& bytes) {
        shm::record_walk walk(bytes);
        shm::record_view record;
        if (!walk.next(record).value()) return;
        for (const auto event : record.events()) {
            const auto* declared = known_.find(event);
            if (declared == nullptr || declared->type < 30 || declared->type > 36) continue;
            for (const auto& effect : declared->effects) apply(*declared, effect, event);
        }
    }
    [[nodiscard]] std::uint64_t word(const char* column, shm::row_key key) const {
        const auto found = words_.find({column, key.high, key.low});
        return found == words_.end() ? 0 : found->second;
    }

  private:
    void apply(const event_declaration& declared, const event_effect& effect,
               const shm::event_view& event) {
        const auto key = declared.key_of(effect, event).value();
        auto& word = words_[{effect.table + "." + effect.column, key.high, key.low}];
        const auto& field = declared.fields[effect.field];
        const auto value = field.bytes <= 8 ? declared.word_of(field, event).value() : 0;
        switch (effect.kind) {
            case effect_kind::adds: word += value; break;
            case effect_kind::subtracts: word -= value; break;
            case effect_kind::sets: word = value; break;
            case effect_kind::increments: ++word; break;
            case effect_kind::decrements: --word; break;
        }
    }

    event_catalogue known_;
    std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, std::uint64_t> words_;
};

BOOST_FIXTURE_TEST_CASE(declared_effects_are_what_the_rows_have, staking) {
    BOOST_TEST(!opened("vault", terms(yield_method::simple, 7 * percent)));
    BOOST_TEST(!opened("cellar", terms(yield_method::compound, 7 * percent)));
    for (const auto* name : {"vault", "cellar"}) {
        for (std::uint64_t who = 0; who < 3; ++who) {
            BOOST_TEST(!staked(name, who, 1, 100'000 + static_cast<amount>(who)));
        }
        pass_days(9);
        BOOST_TEST(!paid(stake_of(name, 0), 0, 4));
        BOOST_TEST(!paid(stake_of(name, 1), 0, 9));
        BOOST_TEST(!unstaked(stake_of(name, 1), {.part = 500}));
        BOOST_TEST(!unstaked(stake_of(name, 2)));
        BOOST_TEST(!refusal([&](tx& now) {
            return all.refuse(now, stake_of(name, 0), 9, errc::insufficient_funds);
        }));
        BOOST_TEST(!refusal(
            [&](tx& now) { return all.set_rate(now, banker, programme_id::of(name), percent); }));
        pass_days(3);
        BOOST_TEST(!unstaked(stake_of(name, 1), {.part = 700, .forfeits = true}));
    }
    BOOST_TEST(!refusal(
        [&](tx& now) { return all.close_programme(now, banker, programme_id::of("vault")); }));
    folded seen(event_catalogue::open(by[0], economy_events()).value());
    static_cast<void>(events<staked_v1>(event_type::staked, 1));  // Empties the ring.
    for (const auto& record : keeper.journal) seen.take(record);
    for (const auto* name : {"vault", "cellar"}) {
        const auto its = row(name);
        BOOST_TEST(seen.word("programmes.staked", its.key) ==
                   static_cast<std::uint64_t>(its.staked));
        BOOST_TEST(seen.word("programmes.stakes", its.key) == its.stakes);
        BOOST_TEST(seen.word("programmes.distributed", its.key) ==
                   static_cast<std::uint64_t>(its.distributed));
        BOOST_TEST(its.distributed > 0);
        BOOST_TEST(seen.word("programmes.refused", its.key) == its.refused);
        BOOST_TEST(seen.word("programmes.apy_ppb", its.key) == its.apy_ppb);
        BOOST_TEST(seen.word("programmes.closed_ns", its.key) == its.closed_ns);
        BOOST_TEST(seen.word("programmes.method", its.key) == its.method);
        for (const std::uint64_t who : {0, 1}) {
            const auto stake = row(stake_of(name, who));
            BOOST_TEST(seen.word("stakes.staked", stake.key) ==
                       static_cast<std::uint64_t>(stake.staked));
            BOOST_TEST(seen.word("stakes.paid", stake.key) ==
                       static_cast<std::uint64_t>(stake.paid));
            BOOST_TEST(seen.word("stakes.refused_to", stake.key) == stake.refused_to);
            BOOST_TEST(seen.word("stakes.since_ns", stake.key) == stake.since_ns);
        }
        BOOST_TEST(seen.word("stakes.staked", key_of(stake_of(name, 2))) == 0U);
        BOOST_TEST(seen.word("stakes.periods_paid", key_of(stake_of(name, 0))) == 4U);
    }
}

}  // namespace
