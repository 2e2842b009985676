// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/projection.hpp, with a projection that counts what each account has paid: equal to
// a naive fold of the journal whoever is killed where, however many processes step it, and after a
// rebuild in a running world; who has nothing to fold commits nothing.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/core/scene.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct paid_row {
    shm::row_header header;
    shm::row_key key;  // Of the account.
    std::int64_t paid;
    std::uint64_t times;
};

result<std::uint32_t> open_paid(session& by) {
    shm::schema made;
    made.name = "paid";
    made.row_bytes = sizeof(paid_row);
    made.key_at = offsetof(paid_row, key);
    made.flags = shm::transient;
    made.fields = {{"key", shm::field_type::bytes, offsetof(paid_row, key), 16, 0, 0},
                   {"paid", shm::field_type::i64, offsetof(paid_row, paid), 8, 0, 0},
                   {"times", shm::field_type::u64, offsetof(paid_row, times), 8, 0, 0}};
    const auto there = shm::find_table(by.where(), "paid");
    if (there) return there;
    std::uint32_t number = 0;
    PERDURE_TRY(by.write([&](tx& in) -> result<> {
        number = PERDURE_TRY(shm::create_table(in, made));
        return {};
    }));
    return number;
}

projection_rule count_paid(std::uint32_t table) {
    projection_rule rule;
    rule.name = "paid by account";
    rule.wanted.only = {static_cast<std::uint16_t>(event_type::transferred)};
    rule.results = {table};
    rule.fold = [table](tx& in, const recorded_event& each) -> result<> {
        const auto event = PERDURE_TRY(each.event.as<transferred_v1>());
        const shm::row_key key{event.source.high, event.source.low};
        auto there = shm::edit_key<paid_row>(in, table, key);
        if (!there && there.error() != errc::not_found) return there.error();
        auto* row =
            there ? *there
                  : reinterpret_cast<paid_row*>(PERDURE_TRY(shm::insert_key(in, table, key)).copy);
        row->paid += event.amount;
        ++row->times;
        return {};
    };
    return rule;
}

using sums = std::map<std::uint64_t, std::pair<std::int64_t, std::uint64_t>>;

/// What the journal says, folded by hand up to an LSN.
sums naive(const world& in, std::uint64_t last) {
    sums out;
    auto from = in.follow(1, durability::applied);
    for (auto batch = from.next().value(); !batch.is_empty(); batch = from.next().value()) {
        shm::record_walk walk(batch.records);
        shm::record_view record;
        while (*walk.next(record) && record.lsn() <= last) {
            for (const auto event : record.events()) {
                if (event.type != static_cast<std::uint16_t>(event_type::transferred)) continue;
                const auto paid = event.as<transferred_v1>().value();
                auto& sum = out[paid.source.high];
                sum.first += paid.amount;
                ++sum.second;
            }
        }
    }
    return out;
}

sums results(session& by, std::uint32_t table) {
    sums out;
    for (std::uint64_t i = 0; i < 8; ++i) {
        const shm::row_key key{player(i).high, player(i).low};
        const auto row =
            by.read([&](view& seen) { return shm::get_key<paid_row>(seen, table, key); });
        if (row) out[key.high] = {row->paid, row->times};
    }
    return out;
}

struct counted : scene {
    world in = open();
    session by = in.join();
    receipt made = found(in, by, 8, 1'000'000);
    std::uint32_t table = open_paid(by).value();
    std::mt19937_64 random{3};

    void pay_some(int times) {
        for (int i = 0; i < times; ++i) {
            const auto from = random() % 8;
            const auto value = static_cast<amount>(1 + random() % 9);
            pay(in, by, from, (from + 1 + random() % 7) % 8, value).value();
        }
    }
    sums expected() { return naive(in, ~0ULL); }
    sums seen() { return results(by, table); }
};

/// Steps until there is nothing more; answers the events folded.
std::uint64_t catch_up(projection& fold, session& by, shm::record_source& from) {
    std::uint64_t applied = 0;
    for (;;) {
        const auto done = fold.step(by, from);
        BOOST_REQUIRE_MESSAGE(done.has_value(), name(done.error()));
        applied += done->applied;
        if (done->idle &&
            fold.cursor(by)->state == static_cast<std::uint32_t>(cursor_state::following)) {
            return applied;
        }
    }
}

BOOST_FIXTURE_TEST_CASE(results_are_those_of_a_naive_fold, counted) {
    pay_some(3000);
    auto fold = projection::open(by, in.events(), count_paid(table)).value();
    auto from = in.follow(1, durability::applied);
    BOOST_TEST(catch_up(fold, by, from) == 3000U);
    BOOST_TEST((seen() == expected()));
    for (int turn = 0; turn < 200; ++turn) {
        pay_some(1 + turn % 5);
        catch_up(fold, by, from);
        BOOST_TEST_REQUIRE((seen() == expected()));
    }
    BOOST_TEST(fold.cursor(by)->applied == 3000U + 600U);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_FIXTURE_TEST_CASE(without_a_match_nothing_is_committed, counted) {
    auto rule = count_paid(table);
    rule.wanted.account = player(7);
    auto fold = projection::open(by, in.events(), rule).value();
    auto from = in.follow(1, durability::applied);
    catch_up(fold, by, from);
    const auto last = in.status().last_lsn;
    for (int i = 0; i < 300; ++i) pay(in, by, 0, 1, 1).value();
    catch_up(fold, by, from);
    BOOST_TEST(in.status().last_lsn == last + 300);
    // Own commits are no matches either.
    for (int i = 0; i < 100; ++i) BOOST_TEST(catch_up(fold, by, from) == 0U);
    BOOST_TEST(in.status().last_lsn == last + 300);
    const auto cursor = fold.cursor(by)->lsn;
    for (std::uint64_t i = 0; i < 3 * projection::cursor_lag_max; ++i) pay(in, by, 0, 1, 1).value();
    catch_up(fold, by, from);
    BOOST_TEST(fold.cursor(by)->lsn >= cursor + 2 * projection::cursor_lag_max);
    BOOST_TEST(in.status().last_lsn <= last + 300 + 3 * projection::cursor_lag_max + 4);
}

BOOST_FIXTURE_TEST_CASE(a_refused_event_leaves_cursor_and_results_as_they_were, counted) {
    auto rule = count_paid(table);
    bool refuse = true;
    rule.fold = [&, count = rule.fold](tx& now, const recorded_event& each) -> result<> {
        PERDURE_TRY(count(now, each));
        if (refuse && each.lsn % 16 == 0) return errc::overflow;
        return {};
    };
    pay_some(100);
    auto fold = projection::open(by, in.events(), rule).value();
    auto from = in.follow(1, durability::applied);
    BOOST_TEST(fold.step(by, from).error() == errc::overflow);
    BOOST_TEST(fold.cursor(by)->lsn == 0U);
    BOOST_TEST(seen().empty());
    refuse = false;
    BOOST_TEST(catch_up(fold, by, from) == 100U);
    BOOST_TEST((seen() == expected()));
}

BOOST_FIXTURE_TEST_CASE(a_name_has_one_cursor_and_a_long_one_is_refused, counted) {
    auto rule = count_paid(table);
    rule.name = std::string(40, 'x');
    BOOST_TEST(projection::open(by, in.events(), rule).error() == errc::bad_schema);
    rule.name = "";
    BOOST_TEST(projection::open(by, in.events(), rule).error() == errc::bad_schema);
}

BOOST_FIXTURE_TEST_CASE(the_slowest_cursor_is_what_was_committed, counted) {
    auto& where = by.where();
    std::uint32_t cursors = 0;
    BOOST_TEST(slowest_cursor(where, cursors) == ~0ULL);
    pay_some(100);
    auto fold = projection::open(by, in.events(), count_paid(table)).value();
    auto from = in.follow(1, durability::applied);
    catch_up(fold, by, from);
    const auto lsn = fold.cursor(by)->lsn;
    BOOST_TEST(slowest_cursor(where, cursors) == lsn);
    // While somebody writes it, it may yet be taken back: nothing may go.
    const auto stripe = shm::stripe_of(cursors, 0);
    BOOST_TEST_REQUIRE(shm::take_stripe(where, stripe, 99));
    BOOST_TEST(slowest_cursor(where, cursors) == 0U);
    shm::release_stripe(where, stripe, 99);
    BOOST_TEST(slowest_cursor(where, cursors) == lsn);
}

/// Another process that steps the projection, and pays, until it is told to stop.
int step_elsewhere(const scene& where, std::uint32_t table, const std::atomic<bool>& stop,
                   durability level) {
    auto in = where.open();
    auto by = in.join();
    auto fold = projection::open(by, in.events(), count_paid(table));
    if (!fold) return 1;
    auto from = in.follow(1, level);
    for (std::uint64_t i = 0; !stop.load(); ++i) {
        const auto done = fold->step(by, from);
        if (!done) return 2;
        if (i % 4 == 0 && !pay(in, by, i % 8, (i + 3) % 8, 1)) return 3;
    }
    return 0;
}

BOOST_FIXTURE_TEST_CASE(two_processes_that_step_it_fold_each_event_once, counted) {
    shared_one<std::atomic<bool>> stop;
    child first([&] { return step_elsewhere(*this, table, *stop, durability::applied); });
    child second([&] { return step_elsewhere(*this, table, *stop, durability::applied); });
    auto fold = projection::open(by, in.events(), count_paid(table)).value();
    auto from = in.follow(1, durability::applied);
    for (int turn = 0; turn < 600; ++turn) {
        pay_some(2);
        BOOST_TEST_REQUIRE(fold.step(by, from).has_value());
    }
    stop->store(true);
    BOOST_TEST(first.wait() == 0);
    BOOST_TEST(second.wait() == 0);
    catch_up(fold, by, from);
    BOOST_TEST((seen() == expected()));
    BOOST_TEST(in.verify(by).sound);
}

#if defined(PERDURE_RIG)
BOOST_FIXTURE_TEST_CASE(whoever_is_killed_where_each_event_is_folded_once, counted) {
    shared_one<std::atomic<bool>> never;
    auto fold = projection::open(by, in.events(), count_paid(table)).value();
    auto from = in.follow(1, durability::applied);
    std::uint64_t killed = 0;
    for (int turn = 0; turn < 40; ++turn) {
        child other([&] {
            // At a store of its own, wherever that is: in a payment, a fold, a rebuild.
            shm::arm({"", 1 + 137 * static_cast<std::uint64_t>(turn)});
            return step_elsewhere(*this, table, *never, durability::applied);
        });
        if (turn % 8 == 5) BOOST_TEST_REQUIRE(fold.rebuild(by).has_value());
        for (int i = 0; i < 20; ++i) {
            pay_some(3);
            if (turn % 2 == 0) BOOST_TEST_REQUIRE(fold.step(by, from).has_value());
        }
        if (other.wait() == 128 + SIGKILL) ++killed;
        // What it left behind is repaired by whoever comes.
        catch_up(fold, by, from);
        BOOST_TEST_REQUIRE((seen() == expected()), "turn " << turn);
    }
    BOOST_TEST(killed == 40U);
    BOOST_TEST(in.verify(by).sound);
}
#endif

BOOST_FIXTURE_TEST_CASE(a_rebuild_leads_to_the_same_while_others_pay, counted) {
    shared_one<std::atomic<bool>> stop;
    pay_some(2000);
    auto fold = projection::open(by, in.events(), count_paid(table)).value();
    auto from = in.follow(1, durability::applied);
    catch_up(fold, by, from);
    const auto before = seen();
    child busy([&] {
        auto there = open();
        auto me = there.join();
        for (std::uint64_t i = 0; !stop->load(); ++i) {
            if (!pay(there, me, i % 8, (i + 1) % 8, 1)) return 1;
            ::usleep(50);
        }
        return 0;
    });
    for (int turn = 0; turn < 3; ++turn) {
        BOOST_TEST_REQUIRE(fold.rebuild(by).has_value());
        BOOST_TEST(fold.cursor(by)->state == static_cast<std::uint32_t>(cursor_state::emptying));
        bool was_empty = false;
        for (;;) {
            BOOST_TEST_REQUIRE(fold.step(by, from).has_value());
            const auto now = fold.cursor(by).value();
            if (now.state == static_cast<std::uint32_t>(cursor_state::following)) break;
            was_empty = was_empty || seen().empty();
            // While it is not whole the row says so (X1 holds all the same).
            if (now.state == static_cast<std::uint32_t>(cursor_state::rebuilding)) {
                BOOST_TEST_REQUIRE(now.target >= 2000U);
            }
        }
        BOOST_TEST(was_empty);
    }
    stop->store(true);
    BOOST_TEST(busy.wait() == 0);
    catch_up(fold, by, from);
    BOOST_TEST((seen() == expected()));
    for (const auto& [who, sum] : before) BOOST_TEST(seen()[who].second >= sum.second);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_AUTO_TEST_CASE(it_comes_back_with_its_results_after_power_loss) {
    std::optional<counted> then;
    then.emplace();
    then->pay_some(500);
    auto fold = projection::open(then->by, then->in.events(), count_paid(then->table)).value();
    auto from = then->in.follow(1, durability::applied);
    catch_up(fold, then->by, from);
    const auto paid = pay(then->in, then->by, 0, 1, 1).value();
    BOOST_TEST(then->in.wait(then->by, paid, durability::durable).has_value());
    then->pay_some(50);  // Some of it is lost, cursor and results alike.
    catch_up(fold, then->by, from);
    then->delete_region();
    auto again = then->open();
    auto me = again.join();
    BOOST_TEST(again.opened().recovered);
    auto resumed = projection::open(me, again.events(), count_paid(then->table)).value();
    const auto cursor = resumed.cursor(me).value();
    BOOST_TEST(cursor.lsn >= 500U);
    BOOST_TEST((results(me, then->table) == naive(again, cursor.lsn)));
    auto onwards = again.follow(cursor.lsn + 1, durability::applied);
    catch_up(resumed, me, onwards);
    BOOST_TEST((results(me, then->table) == naive(again, ~0ULL)));
}

}  // namespace
