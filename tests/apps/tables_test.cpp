// SPDX-License-Identifier: Apache-2.0
//
// Claims: conditions, orders and field lists are read as documented, and each word that cannot be
// is refused by its place; values compare and print exactly; a query finds what a naive filter over
// the same rows finds, whichever way it goes (key, ordered index, table), in order and up to its
// limit; names stand beside the ledger's numbers. On a small world attached for reading alone.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <perdure/apps/export/row_text.hpp>
#include <perdure/apps/tables/money.hpp>
#include <perdure/apps/tables/path.hpp>
#include <perdure/tests/core/scene.hpp>

namespace {

using namespace perdure;
using apps::stored_row;
using shm::field_type;

struct ware_row {
    shm::row_header header;
    shm::row_key key;
    std::uint32_t kind;
    std::uint32_t reserved;
    std::uint64_t serial;
    std::int64_t worth;
    std::array<char, 16> name;
};
static_assert(shm::mapped<ware_row> && sizeof(ware_row) == 72);

shm::schema ware_schema() {
    shm::schema made;
    made.name = "wares";
    made.row_bytes = sizeof(ware_row);
    made.key_at = offsetof(ware_row, key);
    made.fields = {{"key", field_type::bytes, offsetof(ware_row, key), 16, 0, 0},
                   {"kind", field_type::u32, offsetof(ware_row, kind), 4, 0, 0},
                   {"serial", field_type::u64, offsetof(ware_row, serial), 8, 0, 0},
                   {"worth", field_type::i64, offsetof(ware_row, worth), 8, 0, 0},
                   {"name", field_type::text, offsetof(ware_row, name), 16, 0, 0}};
    made.indexes = {{1, 3}};  // kind, worth
    return made;
}

ware_row ware(std::uint64_t i) {
    ware_row row{};
    row.key = {i, i * i};
    row.kind = static_cast<std::uint32_t>(i % 5);
    row.serial = ~0ULL - i;
    row.worth = static_cast<std::int64_t>(i * 7919 % 1000) - 500;
    const std::string name = (i % 3 == 0 ? "sword " : "bow ") + std::to_string(i);
    std::memcpy(row.name.data(), name.data(), name.size());
    return row;
}

stored_row stored(const ware_row& row, std::uint64_t number = 0) {
    stored_row out{number, std::vector<std::byte>(sizeof row)};
    std::memcpy(out.bytes.data(), &row, sizeof row);
    return out;
}

bool fits(std::string_view condition, const ware_row& row, std::uint64_t number = 0) {
    return apps::holds(apps::parse_where(ware_schema(), condition), stored(row, number));
}

/// What a refused word says, thing and remedy.
std::string refusal(std::string_view condition) {
    try {
        static_cast<void>(apps::parse_where(ware_schema(), condition));
    } catch (const failure& why) {
        return (why.reason() == errc::bad_query ? "" : "WRONG REASON ") + std::string(why.what());
    }
    return "taken";
}

/// A world with a table of 700 wares, the even tenth of them gone again, seen from outside.
struct ware_world {
    static constexpr std::uint64_t count = 700;
    tests::scene place;
    world in = place.open();
    session by = in.join();
    std::unique_ptr<apps::world_reader> seen;
    apps::stored_table wares;

    ware_world() {
        std::uint32_t table = 0;
        by.write([&](tx& now) -> result<> {
              table = PERDURE_TRY(shm::create_table(now, ware_schema()));
              return {};
          }).value();
        for (std::uint64_t i = 0; i < count; ++i) {
            by.write([&](tx& now) -> result<> {
                  const ware_row wanted = ware(i);
                  auto* row = reinterpret_cast<ware_row*>(
                      PERDURE_TRY(shm::insert_key(now, table, wanted.key)).copy);
                  const auto header = row->header;
                  *row = wanted;
                  row->header = header;
                  return {};
              }).value();
        }
        for (std::uint64_t i = 0; i < count; i += 20) {
            by.write([&](tx& now) { return shm::erase_key(now, table, ware(i).key); }).value();
        }
        seen = std::make_unique<apps::world_reader>(apps::world_choice{place.directory(), {}});
        wares = seen->table_named("wares");
    }

    /// Numbers of the wares found, as their keys say.
    std::vector<std::uint64_t> found(const std::string& condition, const std::string& order = "",
                                     std::uint64_t limit = 0, std::string path = "") {
        apps::selection wanted;
        wanted.where = apps::parse_where(wares.shape, condition);
        if (!order.empty()) wanted.order = apps::parse_order(wares.shape, order);
        wanted.limit = limit;
        std::vector<std::uint64_t> out;
        const auto report = apps::select(*seen, wares, wanted, [&](const stored_row& row) {
            out.push_back(reinterpret_cast<const ware_row*>(row.bytes.data())->key.high);
        });
        if (!path.empty()) BOOST_TEST(report.path == path);
        BOOST_TEST(report.rows == out.size());
        return out;
    }

    /// The same by asking every ware there is.
    template <class Fits, class Before>
    static std::vector<std::uint64_t> naive(Fits fits, Before before) {
        std::vector<std::uint64_t> out;
        for (std::uint64_t i = 0; i < count; ++i) {
            if (i % 20 != 0 && fits(ware(i))) out.push_back(i);
        }
        std::ranges::stable_sort(
            out, [&](auto left, auto right) { return before(ware(left), ware(right)); });
        return out;
    }
};

std::vector<std::uint64_t> sorted(std::vector<std::uint64_t> all) {
    std::ranges::sort(all);
    return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(apps_tables)

BOOST_AUTO_TEST_CASE(conditions_compare_by_type) {
    const ware_row row = ware(7);  // kind 2, serial 2^64 - 8, worth -67, "bow 7"
    for (const auto* holds :
         {"", "kind = 2", "kind=2 and kind<3 and kind<=2 and kind>1 and kind>=2 and kind!=3",
          "serial = 18446744073709551608", "serial > 9223372036854775807", "worth = -67",
          "worth < 0 and worth > -68", "name = 'bow 7'", "name = \"bow 7\"", "name ^= bow",
          "name ^= ''", "name != bow", "name < sword", "row = 0", "lsn = 0",
          "key = 0x07000000000000003100000000000000", "key ^= 07",
          "key != "
          "00000000000000000000000000000000",
          "  kind   >=  2  "}) {
        BOOST_TEST(fits(holds, row), holds);
    }
    for (const auto* fails : {"kind = 3", "kind = 2 and kind = 3", "worth > 0", "name = 'bow 77'",
                              "name ^= ow", "key ^= 08", "row > 0", "serial < 1"}) {
        BOOST_TEST(!fits(fails, row), fails);
    }
}

BOOST_AUTO_TEST_CASE(a_word_that_cannot_be_read_is_named_with_its_place) {
    const std::pair<const char*, const char*> cases[] = {
        {"color = red", "no field is called \"color\""},
        {"color = red", "row, lsn, key, kind, serial, worth, name"},
        {"kind ~ 3", "at character 6: after \"kind\" an operator was expected, and \"~\""},
        {"kind", "an operator was expected"},
        {"kind =", "nothing follows the operator"},
        {"kind = = 3", "a constant was expected"},
        {"kind = 3 or kind = 4", "\"and\" was expected, and \"or\" was found"},
        {"kind = 3 and", "nothing follows \"and\""},
        {"= 3", "at character 1: a field's name was expected"},
        {"kind = three", "kind is a whole number, and \"three\" is none"},
        {"kind = '3'", "kind is a whole number"},
        {"worth > 12.50", "minor units"},
        {"kind = 4294967296", "give 0 to 4294967295"},
        {"kind = -1", "kind"},
        {"worth = 9223372036854775808", "give -9223372036854775808 to 9223372036854775807"},
        {"serial = 18446744073709551616", "outside the range"},
        {"kind ^= 3", "^= is for text and bytes"},
        {"name = 'bow", "at character 8: the quoted text has no end"},
        {"key = 07", "write 32 hexadecimal digits"},
        {"key = nothex", "hexadecimal digits"},
        {"key ^= 0x7", "an even number below"},
    };
    for (const auto& [condition, words] : cases) {
        const std::string said = refusal(condition);
        BOOST_TEST((said.find(words) != std::string::npos && said.find("WRONG") == said.npos),
                   condition << " was answered: " << said);
    }
    BOOST_CHECK_THROW((void)apps::parse_order(ware_schema(), "worth:up"), failure);
    BOOST_CHECK_THROW((void)apps::parse_order(ware_schema(), "wort"), failure);
    BOOST_CHECK_THROW((void)apps::parse_fields(ware_schema(), "kind,,worth"), failure);
    std::string many = "kind = 1";
    for (int i = 0; i < 40; ++i) many += " and kind = 1";
    BOOST_TEST(refusal(many).find("more than 32 conditions") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(text_is_printed_so_that_nothing_misreads_it) {
    std::string out;
    apps::append_json(out, std::string_view("a\"\\\n\x1b[2J \xc3\xa9 \xff \xed\xa0\x80"));
    BOOST_TEST(out == "\"a\\\"\\\\\\u000a\\u001b[2J \xc3\xa9 \\ufffd \\ufffd\\ufffd\\ufffd\"");
    BOOST_TEST(apps::print_shown(std::string("x\x1b[2J\xc3\xa9\xff")) == "x?[2J\xc3\xa9?");
    out.clear();
    for (const auto* cell : {"plain", "a,b", "say \"hi\"", "two\r\nlines"}) {
        apps::append_csv(out, cell);
        out += ';';
    }
    BOOST_TEST(out == "plain;\"a,b\";\"say \"\"hi\"\"\";\"two\r\nlines\";");
    const auto columns = apps::export_columns(ware_schema());
    out.clear();
    apps::append_json_row(out, columns, stored(ware(7), 3));
    BOOST_TEST(out ==
               "{\"row\":3,\"lsn\":0,\"key\":\"07000000000000003100000000000000\",\"kind\":2,"
               "\"serial\":18446744073709551608,\"worth\":-67,\"name\":\"bow 7\"}");
}

BOOST_AUTO_TEST_CASE(a_query_finds_what_a_naive_filter_finds) {
    ware_world in;
    const auto any = [](const ware_row&, const ware_row&) { return false; };
    const auto by_worth = [](const ware_row& l, const ware_row& r) { return l.worth < r.worth; };
    const auto down = [](const ware_row& l, const ware_row& r) { return l.worth > r.worth; };
    BOOST_TEST(in.found("") == in.naive([](const ware_row&) { return true; }, any));
    BOOST_TEST(in.found("name ^= sword", "", 0, "table scan") ==
               in.naive([](const ware_row& row) { return row.name[0] == 's'; }, any));
    BOOST_TEST(in.found("key = 07000000000000003100000000000000", "", 0, "primary key") ==
               std::vector<std::uint64_t>{7});
    BOOST_TEST(in.found("key = 07000000000000003100000000000000 and kind = 3").empty());
    BOOST_TEST(in.found("key = 14000000000000009001000000000000").empty());  // Erased.

    const auto third = [](const ware_row& row) { return row.kind == 3; };
    const std::string path = "index on kind,worth";
    BOOST_TEST(sorted(in.found("kind = 3", "", 0, path)) == in.naive(third, any));
    BOOST_TEST(in.found("kind = 3", "worth", 0, path) == in.naive(third, by_worth));
    auto wanted = in.naive(third, down);
    BOOST_TEST(in.found("kind = 3", "worth:desc", 0, path) == wanted);
    wanted.resize(10);
    BOOST_TEST(in.found("kind = 3", "worth:desc", 10, path) == wanted);
    BOOST_TEST(in.found("kind = 3 and worth > -100 and worth <= 250", "worth", 0, path) ==
               in.naive(
                   [](const ware_row& row) {
                       return row.kind == 3 && row.worth > -100 && row.worth <= 250;
                   },
                   by_worth));
    BOOST_TEST(sorted(in.found("kind > 1 and kind < 4", "", 0, path)) ==
               in.naive([](const ware_row& row) { return row.kind == 2 || row.kind == 3; }, any));
    // No index begins with it: a heap of the first ones, equal values by row number.
    auto first = in.naive([](const ware_row&) { return true; }, by_worth);
    first.resize(25);
    BOOST_TEST(in.found("", "worth", 25, "table scan") == first);
}

BOOST_AUTO_TEST_CASE(the_limit_says_whether_there_is_more) {
    ware_world in;
    apps::selection wanted;
    const auto more = [&](std::uint64_t limit, bool ordered) {
        wanted.limit = limit;
        wanted.order.reset();
        if (ordered) wanted.order = apps::parse_order(in.wares.shape, "name");
        return apps::select(*in.seen, in.wares, wanted, [](const stored_row&) {}).more;
    };
    for (const bool ordered : {false, true}) {
        BOOST_TEST(more(10, ordered));
        BOOST_TEST(!more(665, ordered));
        BOOST_TEST(!more(0, ordered));
    }
}

BOOST_AUTO_TEST_CASE(an_unknown_table_is_named_with_those_there_are) {
    ware_world in;
    BOOST_CHECK_EXCEPTION(static_cast<void>(in.seen->table_named("ware")), failure,
                          [](const failure& why) {
                              return why.reason() == errc::unknown_table &&
                                     why.todo().find("did you mean wares?") != std::string::npos;
                          });
    for (const auto& each : in.seen->tables()) {
        BOOST_TEST((each.shape.name.find('.') == std::string::npos), each.shape.name);
    }
}

BOOST_AUTO_TEST_CASE(names_and_amounts_stand_beside_the_ledgers_numbers) {
    tests::scene place;
    world in = place.open();
    session by = in.join();
    tests::found(in, by, 3, 12'50);
    apps::world_reader seen({place.directory(), {}});
    apps::money names(seen);
    const auto balances = seen.table_named("balances");
    const auto available = apps::column_named(balances.shape, "available");
    const auto asset = apps::column_named(balances.shape, "asset");
    apps::table_scan scan(seen, balances);
    int rows = 0;
    for (stored_row row; scan.next(row); ++rows) {
        BOOST_TEST(names.shown(balances, asset, row).value_or("") == "gold");
        BOOST_TEST(names.account(balances, row).has_value());
        if (std::get<std::int64_t>(apps::read_value(available, row)) == 1250) {
            BOOST_TEST(names.shown(balances, available, row).value_or("") == "12.50");
        }
    }
    BOOST_TEST(rows >= 3);
    const auto assets = seen.table_named("assets");
    apps::table_scan all(seen, assets);
    stored_row row;
    BOOST_TEST_REQUIRE(all.next(row));
    BOOST_TEST(!names.account(assets, row).has_value());
    BOOST_TEST(names.shown(assets, apps::column_named(assets.shape, "supply"), row).value_or("") ==
               "37.50");
}

BOOST_AUTO_TEST_CASE(a_row_that_a_stopped_transaction_holds_is_refused_by_its_holder) {
    tests::scene place;
    world in = place.open();
    session by = in.join();
    tests::found(in, by, 3, 1000);
    apps::world_reader seen({place.directory(), {}});
    const auto balances = seen.table_named("balances");
    const auto held = by.write([&](tx& now) -> result<> {
        PERDURE_TRY(in.books().transfer(now, tests::player(0), tests::player(1), tests::gold, 1));
        apps::table_scan scan(seen, balances);
        stored_row row;
        BOOST_CHECK_EXCEPTION(
            [&] {
                while (scan.next(row)) {
                }
            }(),
            failure,
            [](const failure& why) {
                return why.reason() == errc::busy &&
                       why.thing().find("process " + std::to_string(::getpid())) !=
                           std::string::npos;
            });
        return errc::bad_amount;
    });
    BOOST_TEST((held.error() == errc::bad_amount));
    apps::table_scan scan(seen, balances);  // It was given back.
    int rows = 0;
    for (stored_row row; scan.next(row);) ++rows;
    BOOST_TEST(rows >= 3);
}

BOOST_AUTO_TEST_SUITE_END()
