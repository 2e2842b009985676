// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/import_log.hpp: an import is found again as it was stored, by whoever opens the
// world; a refused line is noted once and forgotten with its key; a closed import stays closed.
#include <boost/test/unit_test.hpp>
#include <perdure/core/import_log.hpp>
#include <perdure/tests/core/scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr shm::row_key identity{7, 8};
constexpr shm::transaction_key line{1, 2};

import_entry entry(std::uint64_t lines) {
    import_entry made{};
    made.key = identity;
    made.state = static_cast<std::uint32_t>(import_state::begun);
    made.lines = lines;
    made.columns.fill('c');
    return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(core_import_log)

BOOST_AUTO_TEST_CASE(an_entry_is_stored_found_again_and_stays_closed) {
    const scene here;
    world in = here.open();
    session by = in.join();
    BOOST_CHECK(import_log::find(in.region()).error() == errc::unknown_table);
    const import_log log = import_log::open(by).value();
    const auto put = [&](std::uint64_t lines) {
        return by.write([&](tx& now) { return log.put(now, entry(lines)); });
    };
    BOOST_TEST(put(3).has_value());
    BOOST_TEST(put(4).has_value());
    const import_log again = import_log::find(in.region()).value();
    const auto found = by.read([&](view& seen) { return again.get(seen, identity); });
    BOOST_REQUIRE(found);
    BOOST_TEST(found->lines == 4U);
    BOOST_TEST((found->columns == entry(0).columns));
    BOOST_TEST(by.write([&](tx& now) { return log.close(now, identity); }).has_value());
    BOOST_CHECK(put(5).error() == errc::import_closed);
    BOOST_TEST(by.read([&](view& seen) { return log.get(seen, identity); })->lines == 4U);
    BOOST_CHECK(by.write([&](tx& now) {
                      return log.close(now, {9, 9});
                  }).error() == errc::not_found);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_AUTO_TEST_CASE(a_refused_line_is_noted_once_and_forgotten_with_its_key) {
    const scene here;
    world in = here.open();
    session by = in.join();
    const import_log log = import_log::open(by).value();
    const auto refuse = [&] {
        return by.write([&](tx& now) { return log.refuse(now, line, 5, errc::same_account); });
    };
    const auto refusal = [&] { return by.read([&](view& v) { return log.refusal(v, line); }); };
    const auto once = [&](bool& before) {
        return by.write([&](tx& now) -> result<> {
            before = PERDURE_TRY(in.books().once(now, line, key_life::pinned)).has_value();
            return {};
        });
    };
    const auto forget = [&] {
        return by.write([&](tx& now) { return log.forget(now, in.books(), line); });
    };
    bool before = true;
    BOOST_TEST(refuse().has_value());
    BOOST_CHECK(refuse().error() == errc::exists);
    BOOST_TEST(refusal()->line == 5U);
    BOOST_TEST(refusal()->reason == static_cast<std::uint64_t>(errc::same_account));
    BOOST_TEST(once(before).has_value());
    BOOST_TEST(!before);
    BOOST_TEST(forget().has_value());
    BOOST_CHECK(refusal().error() == errc::not_found);
    BOOST_TEST(once(before).has_value());
    BOOST_TEST(!before);
    BOOST_TEST(forget().has_value());
    BOOST_TEST(forget().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
