// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/restore.hpp about tables whose fields have changed: the new world has them as a
// newer program wants them, commits go on and survive a power loss in that layout; the old world
// is as it was; a refusal leaves nothing behind.
#include <boost/test/unit_test.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/past.hpp>
#include <perdure/io/restore.hpp>
#include <perdure/shm/described.hpp>
#include <perdure/tests/core/scene.hpp>
#include <thread>

namespace perdure::tests {

struct hero_v1 {
    shm::row_header header;
    shm::row_key key;
    std::uint64_t score;
    std::array<char, 16> name;
    std::uint64_t reserved;
};
static_assert(shm::mapped<hero_v1>);
BOOST_DESCRIBE_STRUCT(hero_v1, (), (key, score, name))

struct hero_v2 {
    shm::row_header header;
    std::array<char, 16> name;
    std::uint64_t season;
    shm::row_key key;
    std::uint64_t guild;
    std::uint64_t score;
};
static_assert(shm::mapped<hero_v2>);
BOOST_DESCRIBE_STRUCT(hero_v2, (), (name, season, key, guild, score))

}  // namespace perdure::tests

namespace {

using namespace perdure;
using namespace perdure::tests;
namespace fs = std::filesystem;

shm::schema old_heroes() { return shm::schema_of<hero_v1>("heroes"); }
shm::schema new_heroes() {
    return shm::schema_of<hero_v2>("heroes", {.version = 2, .indexes = {{"guild", "score"}}});
}
shm::row_key hero(std::uint64_t number) { return {number, 7}; }

struct heroes_scene : scene {
    verdict then;

    heroes_scene() {
        auto in = open();
        auto by = in.join();
        auto last = found(in, by, 8, 1000);
        const auto table = shm::open_table(by, old_heroes()).value();
        for (std::uint64_t i = 0; i < 300; ++i) {
            last = by.write([&](tx& now) -> result<> {
                         auto taken = PERDURE_TRY(shm::insert_key(now, table, hero(i)));
                         auto* row = reinterpret_cast<hero_v1*>(taken.copy);
                         row->score = i * 3;
                         row->name = {'h', static_cast<char>('a' + i % 26)};
                         return {};
                     }).value();
            if (i == 100) in.checkpoint(true);
            if (i == 200) in.checkpoint(false);
        }
        // Behind the checkpoints, in the old layout: the journal's part.
        for (std::uint64_t i = 0; i < 300; i += 5) {
            last = by.write([&](tx& now) { return shm::erase_key(now, table, hero(i)); }).value();
        }
        BOOST_TEST_REQUIRE(in.wait(by, last, durability::durable).has_value());
        then = in.verify(by);
        BOOST_TEST_REQUIRE(then.sound);
    }
    [[nodiscard]] std::string target() const { return disk() + "/newer"; }
    io::restore_report restore(const shm::schema& wanted) const {
        io::restore_order order;
        order.from = directory();
        order.to = target();
        order.point = {io::past_point::kind::latest, 0, {}};
        order.how.region_directory = memory();
        order.how.region.capacity_bytes = 64ULL << 20;
        order.how.region.ring_bytes = 64ULL << 10;
        order.tables.wanted = {wanted};
        io::kernel_calls calls;
        return io::restore_world(calls, order);
    }
};

/// Heroes that are there, as the new program sees them.
std::size_t check_heroes(session& by, std::uint32_t table) {
    std::size_t there = 0;
    for (std::uint64_t i = 0; i < 300; ++i) {
        const auto seen =
            by.read([&](view& in) { return shm::get_key<hero_v2>(in, table, hero(i)); });
        BOOST_TEST_REQUIRE(seen.has_value() == (i % 5 != 0), "hero " << i);
        if (!seen) continue;
        ++there;
        BOOST_TEST_REQUIRE(seen->score == i * 3);
        BOOST_TEST_REQUIRE(seen->name[1] == static_cast<char>('a' + i % 26));
        BOOST_TEST_REQUIRE(seen->season == 0U);
        BOOST_TEST_REQUIRE(seen->guild == 0U);
    }
    return there;
}

BOOST_FIXTURE_TEST_CASE(a_newer_program_finds_its_fields_by_name, heroes_scene) {
    const auto report = restore(new_heroes());
    BOOST_TEST((report.evolved == std::vector<std::string>{"heroes"}));
    BOOST_TEST(report.lsn == then.last_lsn);
    std::string hash;
    {
        auto in = world::open(target(), options());
        auto by = in.join();
        const auto table = shm::open_table(by, new_heroes()).value();
        BOOST_TEST((shm::open_table(by, old_heroes()).error() == errc::schema_mismatch));
        BOOST_TEST(check_heroes(by, table) == 240U);
        BOOST_TEST(balance_of(in, by, player(3)).value() == 1000);
        const auto joined = by.write([&](tx& now) -> result<> {
            auto* row = PERDURE_TRY(shm::edit_key<hero_v2>(now, table, hero(1)));
            row->guild = 12;
            row->score += 0;
            return {};
        });
        BOOST_TEST_REQUIRE(joined.has_value());
        BOOST_TEST(joined->lsn > then.last_lsn);
        BOOST_TEST(in.wait(by, *joined, durability::durable).has_value());
        const auto now = in.verify(by, {.deep = true});
        BOOST_TEST(now.sound, (now.problems.empty() ? "" : now.problems.front()));
        hash = now.image_hash;
    }
    fs::remove(fs::read_symlink(target() + "/region"));
    auto in = world::open(target(), options());
    auto by = in.join();
    BOOST_TEST(in.opened().recovered);
    BOOST_TEST(in.verify(by).image_hash == hash);
    const auto table = shm::open_table(by, new_heroes()).value();
    BOOST_TEST(by.read([&](view& seen) { return shm::get_key<hero_v2>(seen, table, hero(1)); })
                   .value()
                   .guild == 12U);
}

BOOST_FIXTURE_TEST_CASE(the_old_world_is_as_it_was, heroes_scene) {
    restore(new_heroes());
    auto in = open();
    auto by = in.join();
    BOOST_TEST(in.verify(by).image_hash == then.image_hash);
    BOOST_TEST(shm::open_table(by, old_heroes()).has_value());
}

BOOST_FIXTURE_TEST_CASE(the_new_world_knows_of_no_time_before_it, heroes_scene) {
    const auto before = io::wall_clock_ns();
    std::this_thread::sleep_for(std::chrono::milliseconds{20});  // Records tell the time coarsely.
    const auto made = restore(new_heroes());
    {
        auto in = world::open(target(), options());
        auto by = in.join();
        const auto paid = pay(in, by, 1, 2, 5).value();
        BOOST_TEST_REQUIRE(in.wait(by, paid, durability::durable).has_value());
    }
    io::kernel_calls calls;
    io::past history(calls, target());
    const auto at = [&](std::uint64_t ns) {
        return history.lsn_of({io::past_point::kind::time, ns, {}});
    };
    BOOST_CHECK_EXCEPTION(at(before), failure, [](const auto& why) {
        return why.reason() == errc::not_found && why.thing().find("later") != std::string::npos;
    });
    BOOST_TEST(at(io::wall_clock_ns()) > made.lsn);
}

BOOST_FIXTURE_TEST_CASE(a_refusal_names_table_and_field_and_leaves_nothing, heroes_scene) {
    auto wanted = new_heroes();
    wanted.fields[4].name = "points";
    BOOST_CHECK_EXCEPTION(restore(wanted), failure, [](const auto& why) {
        return why.reason() == errc::schema_mismatch &&
               why.thing().find("table heroes: field score goes") != std::string::npos;
    });
    for (const auto& each : fs::directory_iterator(disk())) {
        BOOST_TEST(each.path().filename() == "world");
    }
}

}  // namespace
