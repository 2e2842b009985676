// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/event_catalogue.hpp and core/event_filter.hpp: what is declared is what events do,
// row by row and to the last unit; declarations come back from the region as they went in, also
// after a recovery and without write access; what is garbled is refused; filters pass what they
// say.
#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/tests/core/scene.hpp>
#include <random>
#include <set>

namespace {

using namespace perdure;
using namespace perdure::tests;

using cell = std::tuple<std::uint32_t, std::uint64_t, std::uint64_t, std::uint32_t>;

struct eventful : scene {
    world in = open();
    session by = in.join();
    receipt made = found(in, by, 8, 10'000);
    const event_catalogue& known = in.events();

    /// The primary key of a row as it is now.
    shm::row_key key_of_row(std::uint32_t table, std::uint64_t row) {
        auto& where = in.region();
        const auto at = shm::locate(where, table, row);
        BOOST_TEST_REQUIRE(at != 0U);
        shm::row_key key;
        std::memcpy(&key, where.at<std::byte>(at + where.descriptor(table).key_at), sizeof key);
        return key;
    }
};

bool is_movement(std::uint16_t type) {
    const auto which = static_cast<event_type>(type);
    return (which >= event_type::transferred && which <= event_type::posted) ||
           (which >= event_type::item_created && which <= event_type::item_destroyed);
}

const auto sword = asset_id::of("sword");
const auto quests = faucet_id::of("quests");

/// One random operation of the ledger; a refusal changes nothing.
result<> move_something(const ledger& books, tx& now, std::mt19937_64& random) {
    const auto who = player(random() % 8);
    const auto other = player(random() % 8);
    const auto value = static_cast<amount>(1 + random() % 300);
    const shm::row_key hold{random() % 12, 77};
    const item_id item{sword, random() % 20};
    const std::array legs{leg{who, gold, -value}, leg{other, gold, value - 1},
                          leg{player(random() % 8), gold, 1}};
    switch (random() % 12) {
        case 0: return books.mint(now, treasury, who, gold, value);
        case 1: return books.burn(now, treasury, who, gold, value);
        case 2: return books.mint(now, quests, treasury, who, value);
        case 3: return books.hold(now, hold, who, gold, value);
        case 4: return books.release(now, hold, value / 2 + 1);
        case 5: return books.capture(now, hold, other);
        case 6: return books.post(now, legs);
        case 7: return books.create_item(now, treasury, item, who);
        case 8: return books.move_item(now, who, other, item);
        case 9: return books.destroy_item(now, treasury, item);
        default: return books.transfer(now, who, other, gold, value);
    }
}

BOOST_FIXTURE_TEST_CASE(declared_effects_are_what_events_do_to_the_last_unit, eventful) {
    const auto& books = in.books();
    const auto numbers = books.numbers();
    std::mt19937_64 random(11);
    const auto laid = by.write([&](tx& now) -> result<> {
        PERDURE_TRY(books.create_asset(now, "sword", 0, treasury, unique));
        PERDURE_TRY(
            books.open_faucet(now, treasury, "quests", {faucet_kind::faucet, gold, treasury, 0}));
        return {};
    });
    BOOST_TEST_REQUIRE(laid.has_value());
    for (int turn = 0; turn < 4000; ++turn) {
        static_cast<void>(by.write([&](tx& now) -> result<> {
            // Up to four movements in one record, a row touched more than once among them.
            for (auto moves = 1 + random() % 4; moves != 0; --moves) {
                PERDURE_TRY(move_something(books, now, random));
            }
            return {};
        }));
    }
    auto from = in.follow(made.lsn + 1, durability::applied);
    std::uint64_t records = 0;
    std::set<std::uint16_t> seen;
    for (auto batch = from.next().value(); !batch.is_empty(); batch = from.next().value()) {
        shm::record_walk walk(batch.records);
        shm::record_view record;
        while (*walk.next(record)) {
            std::vector<predicted_change> predicted;
            bool movements_alone = record.events().size() != 0;
            for (const auto event : record.events()) {
                movements_alone = movements_alone && is_movement(event.type);
                if (movements_alone)
                    BOOST_TEST_REQUIRE(known.predict(event, predicted).has_value());
            }
            if (!movements_alone) continue;
            std::map<cell, std::uint64_t> expected;
            for (const auto& each : predicted) {
                expected[{each.table, each.key.high, each.key.low, each.word}] += each.gained;
            }
            const auto is_compared = [&](std::uint32_t table) {
                return table == numbers.balances || table == numbers.assets ||
                       table == numbers.faucets;
            };
            std::erase_if(expected, [&](const auto& each) {
                return each.second == 0 || !is_compared(std::get<0>(each.first));
            });
            std::map<cell, std::uint64_t> real;
            bool is_new = false;
            shm::change_view change;
            while (*record.next(change)) {
                const auto table = change.header.table;
                if (!is_compared(table)) continue;
                // A new balance row says more than its units.
                if (change.gained(1) != 0) is_new = true;
                const auto key = key_of_row(table, change.header.row);
                for (std::uint32_t word = 2; word < 32; ++word) {
                    if (const auto gained = change.gained(word); gained != 0) {
                        real[{table, key.high, key.low, word}] = gained;
                    }
                }
            }
            if (is_new) continue;
            BOOST_TEST_REQUIRE((expected == real), "LSN " << record.lsn());
            for (const auto event : record.events()) seen.insert(event.type);
            ++records;
        }
    }
    BOOST_TEST(records > 1000U);
    BOOST_TEST(seen.size() == 10U);  // Each kind of movement.
}

BOOST_FIXTURE_TEST_CASE(declarations_come_back_as_they_went_in, eventful) {
    BOOST_TEST((known.has(economy_events())));
    BOOST_TEST(known.all().size() == economy_events().size());
    for (const auto& each : economy_events()) BOOST_TEST((from_row(to_row(each)).value() == each));
    auto options = this->options();
    options.mode = shm::access::read_only;
    const auto reader = world::open(directory(), options);
    BOOST_TEST((reader.events().all() == known.all()));
    BOOST_TEST(in.wait(by, pay(in, by, 0, 1, 1).value(), durability::durable).has_value());
    const auto before = known.all();
    delete_region();
    const auto again = open();
    BOOST_TEST(again.opened().recovered);
    BOOST_TEST((again.events().all() == before));
}

BOOST_FIXTURE_TEST_CASE(who_may_only_read_follows_all_the_same, eventful) {
    auto options = this->options();
    options.mode = shm::access::read_only;
    const auto reader = world::open(directory(), options);
    for (std::uint64_t i = 0; i < 3000; ++i) pay(in, by, i % 8, (i + 1) % 8, 1).value();
    for (const auto level : {durability::applied, durability::durable}) {
        auto from = reader.follow(1, level);
        const auto last =
            level == durability::applied ? in.status().last_lsn : in.status().durable_lsn;
        while (from.next_lsn() <= last) BOOST_TEST_REQUIRE(!from.next().value().is_empty());
        BOOST_TEST(from.next_lsn() == last + 1);
        BOOST_TEST(from.next().value().is_empty());
        BOOST_TEST(from.from_files() != 0U);
    }
}

struct scored_v1 {
    account_words account;
    std::uint64_t points;
};

struct scored_v2 {
    account_words account;
    std::uint64_t points;
    std::int64_t prize;
};

const auto score = static_cast<event_type>(1900);

BOOST_FIXTURE_TEST_CASE(others_declare_theirs_and_a_newer_version_is_read_as_the_known_one,
                        eventful) {
    const event_declaration first = declaration_of<scored_v1>("scored", score, 1)
                                        .field("account", &scored_v1::account)
                                        .field("points", &scored_v1::points);
    const auto entered = event_catalogue::open(by, {&first, 1});
    BOOST_TEST_REQUIRE(entered.has_value());
    BOOST_TEST(entered->all().size() == known.all().size() + 1);
    BOOST_TEST((*entered->find(1900, 1) == first));
    BOOST_TEST((*entered->find(1900, 7) == first));
    BOOST_TEST((entered->find(1901, 1) == nullptr));
    BOOST_TEST(entered->type_named("scored") == 1900U);
    BOOST_TEST(entered->type_named("scorched") == 0U);
    BOOST_TEST(event_catalogue::open(by, {&first, 1}).has_value());
    auto other = first;
    other.fields[1].name = "goals";
    BOOST_TEST(event_catalogue::open(by, {&other, 1}).error() == errc::schema_mismatch);  // Y1
    const event_declaration second = declaration_of<scored_v2>("scored", score, 2)
                                         .field("account", &scored_v2::account)
                                         .field("points", &scored_v2::points)
                                         .field("prize", &scored_v2::prize);
    const auto both = event_catalogue::open(by, {&second, 1});
    BOOST_TEST_REQUIRE(both.has_value());
    BOOST_TEST((*both->find(1900, 1) == first));
    BOOST_TEST((*both->find(1900, 2) == second));
}

BOOST_FIXTURE_TEST_CASE(a_garbled_declaration_is_refused, eventful) {
    const auto sound = to_row(economy_events()[3]);
    std::mt19937_64 random(5);
    std::uint64_t refused = 0;
    for (int turn = 0; turn < 20'000; ++turn) {
        auto row = sound;
        auto* bytes = reinterpret_cast<std::byte*>(&row);
        bytes[32 + random() % (sizeof row - 32)] = static_cast<std::byte>(random());
        const auto seen = from_row(row);
        if (!seen) ++refused;
        if (seen) BOOST_TEST_REQUIRE(seen->validate().has_value());
    }
    BOOST_TEST(refused > 100U);
    auto row = sound;
    row.fields[0].offset = 48;
    BOOST_TEST(from_row(row).error() == errc::bad_schema);
    row = sound;
    row.effects[0].key[0].field = 15;
    BOOST_TEST(from_row(row).error() == errc::bad_schema);
    row = sound;
    row.effects[1].key[1].at = 13;
    BOOST_TEST(from_row(row).error() == errc::bad_schema);
}

BOOST_FIXTURE_TEST_CASE(a_filter_passes_what_it_says_and_nothing_else, eventful) {
    const transferred_v1 paid{{2, 0}, {3, 0}, 5, gold.value, 0, 0};
    const shm::event_view event{3, 1, std::as_bytes(std::span(&paid, 1))};
    const auto passes = [&](const event_filter& filter, const shm::event_view& what) {
        return filter.passes(known, what);
    };
    BOOST_TEST(passes({}, event));
    BOOST_TEST(passes({{3}, {}, {}}, event));
    BOOST_TEST(passes({{4, 3}, player(1), gold}, event));
    BOOST_TEST(passes({{}, player(2), {}}, event));
    BOOST_TEST(!passes({{4}, {}, {}}, event));
    BOOST_TEST(!passes({{}, player(3), {}}, event));
    BOOST_TEST(!passes({{}, {}, asset_id::of("silver")}, event));
    const shm::event_view unknown{901, 1, event.payload};
    BOOST_TEST(passes({{901}, {}, {}}, unknown));
    BOOST_TEST(!passes({{901}, player(1), {}}, unknown));
    const shm::event_view cut{3, 1, event.payload.first(8)};
    BOOST_TEST(!passes({{}, player(1), {}}, cut));
}

}  // namespace
