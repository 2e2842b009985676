// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp, faucets and sinks: value comes and goes through a name, by its own
// authority, within its budget; each event names it.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/open_ledger.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

const faucet_id quests = faucet_id::of("quests");
const faucet_id tax = faucet_id::of("tax");
constexpr account_id guild = player(2);

struct tapped_ledger : open_ledger {
    tapped_ledger() {
        found(3, 1000);
        BOOST_TEST_REQUIRE(!opened("quests", {faucet_kind::faucet, gold, guild, 500}));
        BOOST_TEST_REQUIRE(!opened("tax", {faucet_kind::sink, gold, treasury, 0}));
    }
    std::optional<errc> opened(std::string_view name, const faucet_terms& terms,
                               account_id issuer = treasury) {
        return refusal([&](tx& now) { return books.open_faucet(now, issuer, name, terms); });
    }
    std::optional<errc> minted(faucet_id by_name, account_id who, amount value) {
        return refusal([&](tx& now) {
            return books.mint(now, by_name, who, player(0), value, {.reason = 5});
        });
    }
    std::optional<errc> burned(faucet_id by_name, account_id who, amount value) {
        return refusal([&](tx& now) { return books.burn(now, by_name, who, player(0), value); });
    }
    std::optional<errc> bounded(account_id who, faucet_id name, amount budget) {
        return refusal([&](tx& now) { return books.set_budget(now, who, name, budget); });
    }
    faucet_row look_at(faucet_id name) {
        return by[0].read([&](view& seen) { return books.faucet(seen, name); }).value();
    }
};

BOOST_FIXTURE_TEST_CASE(a_faucet_gives_until_its_budget_is_used, tapped_ledger) {
    BOOST_TEST(!minted(quests, guild, 300));
    BOOST_TEST((minted(quests, guild, 201) == errc::budget_exceeded));
    BOOST_TEST(!minted(quests, guild, 200));
    BOOST_TEST((minted(quests, guild, 1) == errc::budget_exceeded));
    BOOST_TEST(look_at(quests).used == 500);
    BOOST_TEST(balance(player(0)) == 1500);
    BOOST_TEST(!bounded(treasury, quests, 510));
    BOOST_TEST(!minted(quests, guild, 10));
    BOOST_TEST(!bounded(treasury, quests, 0));
    BOOST_TEST(!minted(quests, guild, 100'000));
    BOOST_TEST(faults() == "");
    const auto moved = events<supply_moved_v2>(event_type::minted, 2);
    BOOST_TEST((moved.back().faucet == key_of(quests)));
    BOOST_TEST((moved.back().actor == account_words{guild.high, guild.low}));
    BOOST_TEST(moved.back().reason == 5U);
    BOOST_TEST(events<faucet_set_v1>(event_type::budget_set, 1).size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_sink_takes_and_counts, tapped_ledger) {
    BOOST_TEST(!burned(tax, treasury, 250));
    BOOST_TEST(look_at(tax).used == 250);
    BOOST_TEST(balance(player(0)) == 750);
    const auto unit = by[0].read([&](view& seen) { return books.asset(seen, gold); }).value();
    BOOST_TEST(unit.burned == 250);
    BOOST_TEST(unit.supply == 2750);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(each_refusal_changes_nothing, tapped_ledger) {
    const auto before = look().image_hash;
    BOOST_TEST((minted(quests, treasury, 1) == errc::not_authorised));
    BOOST_TEST((minted(tax, treasury, 1) == errc::wrong_faucet));
    BOOST_TEST((burned(quests, guild, 1) == errc::wrong_faucet));
    BOOST_TEST((minted(faucet_id::of("wells"), guild, 1) == errc::unknown_faucet));
    BOOST_TEST((minted(quests, guild, 0) == errc::bad_amount));
    BOOST_TEST((burned(tax, treasury, 1001) == errc::insufficient_funds));
    const faucet_terms terms{faucet_kind::faucet, gold, guild, 0};
    BOOST_TEST((opened("quests", terms) == errc::exists));
    BOOST_TEST((opened("", terms) == errc::unknown_faucet));
    BOOST_TEST((opened(std::string(33, 'q'), terms) == errc::unknown_faucet));
    BOOST_TEST((opened("mine", terms, guild) == errc::not_authorised));
    BOOST_TEST((opened("mine", {faucet_kind::faucet, asset_id::of("none"), guild, 0}) ==
                errc::unknown_asset));
    BOOST_TEST((opened("mine", {faucet_kind::faucet, gold, guild, -1}) == errc::bad_amount));
    BOOST_TEST((bounded(guild, quests, 1) == errc::not_authorised));
    BOOST_TEST((bounded(treasury, quests, -1) == errc::bad_amount));
    BOOST_TEST((bounded(treasury, faucet_id::of("wells"), 1) == errc::unknown_faucet));
    BOOST_TEST(look().image_hash == before);
}

}  // namespace
