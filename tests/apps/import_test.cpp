// SPDX-License-Identifier: Apache-2.0
//
// Claims: the words of an import mean what the documentation says, and nothing else; a line that
// means nothing is said to; what a file holds is counted before a line of it is played; a line's
// key is stable.
#include <boost/test/unit_test.hpp>

#include <limits>

#include <perdure/apps/import/plan.hpp>
#include <perdure/tests/apps/text_file.hpp>

namespace {

using namespace perdure;
using tests::text_file;

apps::line_rules rules_of(const std::string& columns, int scale = 2) {
    apps::line_rules made;
    made.columns = columns;
    made.scale = scale;
    return made;
}

/// The lines of a text as the rules read them, the header left out.
std::vector<apps::import_line> read_all(const std::string& text, const apps::line_rules& rules) {
    const text_file file(text);
    apps::csv_reader reader(file.path);
    BOOST_REQUIRE(reader.next());
    const apps::line_parser parser(rules, reader);
    std::vector<apps::import_line> made;
    while (reader.next()) {
        parser.parse(reader, made.emplace_back());
        made.back().time = {};  // Points into the reader.
    }
    return made;
}

bool is_bad_setting(const failure& why) { return why.reason() == errc::bad_setting; }

}  // namespace

BOOST_AUTO_TEST_SUITE(apps_import)

BOOST_AUTO_TEST_CASE(columns_are_found_by_name_or_refused) {
    const std::string text = "x,to,from,amount\n1,b,a,2.50\n1,b,a\n1,b,,1\n1,b,a,1e3\n";
    const auto lines = read_all(text, rules_of("amount=amount,from=from,to=to"));
    BOOST_TEST(lines.at(0).malformed == "");
    BOOST_TEST(lines.at(0).payer.name == "a");
    BOOST_TEST(lines.at(0).payee.name == "b");
    BOOST_TEST(lines.at(0).value == 250);
    BOOST_TEST(lines.at(1).malformed == "another number of fields than the header");
    BOOST_TEST(lines.at(2).malformed == "an account without a name");
    BOOST_TEST(lines.at(3).malformed == "the amount is no decimal number");
    for (const char* bad :
         {"", "from=from,to=to", "from=from,to=to,amount=value", "from", "who=x", "name=from",
          "from=from,from=from,to=to,amount=amount", "from==a{from,to=to,amount=amount",
          "from==a{who},to=to,amount=amount", "from=from,to=to,amount=amount*"}) {
        BOOST_CHECK_EXCEPTION(read_all(text, rules_of(bad)), failure, is_bad_setting);
    }
}

BOOST_AUTO_TEST_CASE(text_products_and_conditions_stand_for_columns) {
    auto rules = rules_of("from==bank/{town}-1,to==all,amount=price*count", 0);
    rules.where = "kind=buy|sell|gift";
    rules.reverse = "kind=sell";
    const auto lines = read_all(
        "kind,town,price,count\nbuy,x,3,4\nsell,y,3,\nlost,x,1,1\ngift,x,3,1.5\nbuy,x,3,-1\n"
        "buy,x,9000000000,9000000000\n",
        rules);
    BOOST_TEST(lines.at(0).payer.name == "bank/x-1");
    BOOST_TEST(lines.at(0).payee.name == "all");
    BOOST_TEST(lines.at(0).value == 12);
    BOOST_TEST(lines.at(1).payer.name == "all");
    BOOST_TEST(lines.at(1).value == 3);
    BOOST_TEST(lines.at(1).turned);
    BOOST_TEST(lines.at(2).left_out);
    BOOST_TEST(lines.at(3).malformed == "a factor of the amount is no whole number");
    BOOST_TEST(lines.at(4).value == -3);
    BOOST_TEST(lines.at(5).malformed == "the amount leaves 64 bits");
    rules.where = "kind";
    BOOST_CHECK_EXCEPTION(read_all("kind,town,price,count\n", rules), failure, is_bad_setting);
}

BOOST_AUTO_TEST_CASE(a_sign_turns_a_line_only_where_it_may) {
    auto rules = rules_of("from=a,to=b,amount=n,opening_from=o,opening_to=p");
    const std::string text = "a,b,n,o,p\nx,y,-2,1,5\nx,y,2,-1,5\n";
    BOOST_TEST(read_all(text, rules).at(0).value == -200);
    rules.is_signed = true;
    const auto lines = read_all(text, rules);
    BOOST_TEST(lines.at(0).value == 200);
    BOOST_TEST(lines.at(0).payer.name == "y");
    BOOST_TEST(lines.at(0).payer.opening.value() == 500);
    BOOST_TEST(lines.at(0).payee.opening.value() == 100);
    BOOST_TEST(lines.at(1).malformed == "a balance before the line is below zero");
    rules.reverse = "n=-2";
    BOOST_TEST(read_all(text, rules).at(0).payer.name == "x");
}

BOOST_AUTO_TEST_CASE(sums_are_judged_at_the_files_own_precision) {
    auto rules = rules_of("from==pool,to==me,amount=n,opening_to=o,after_to=p", 2);
    rules.shift = 24;
    rules.is_signed = true;
    const text_file file(
        "n,o,p\n1000000000000000000000001,0,1000000000000000000000001\n"
        "-1,1000000000000000000000001,1000000000000000000000000\n1,1,3\n5,0,5,\n");
    const auto seen = apps::survey(file.path, rules);
    BOOST_TEST(seen.to.right == 2U);
    BOOST_TEST(seen.to.wrong == 1U);
    BOOST_TEST(seen.from.right + seen.from.wrong == 0U);
    BOOST_TEST(seen.rounded == 3U);
    BOOST_TEST(seen.malformed == 1U);
}

BOOST_AUTO_TEST_CASE(accounts_have_a_kind_and_a_balance) {
    auto rules = rules_of("name=n,kind=k,balance=b");
    rules.accounts = true;
    rules.kind = "agent";
    const auto lines = read_all("n,k,b\na,,1\nb,market,0\nc,duck,1\nd,player,-1\n", rules);
    BOOST_TEST((lines.at(0).kind == account_kind::agent));
    BOOST_TEST(lines.at(0).value == 100);
    BOOST_TEST((lines.at(1).kind == account_kind::market));
    BOOST_TEST(lines.at(2).malformed == "there is no such kind of account");
    BOOST_TEST(lines.at(3).malformed == "the balance is below zero");
    rules.kind = "duck";
    BOOST_CHECK_EXCEPTION(read_all("n,k,b\n", rules), failure, is_bad_setting);
}

BOOST_AUTO_TEST_CASE(a_file_is_surveyed_before_it_is_played) {
    const text_file file(
        "t,to,from,amount\n9,b,a,2.505\n10,b,a\n10,b,,1\n8,b,a,1e3\n2,c,b,1\n1,c,a,1\n");
    auto rules = rules_of("amount=amount,from=from,to=to,time=t");
    auto seen = apps::survey(file.path, rules);
    BOOST_TEST(seen.lines == 6U);
    BOOST_TEST(seen.last_line == 7U);
    BOOST_TEST(seen.malformed == 3U);
    BOOST_TEST(seen.malformed_by_cause.size() == 3U);
    BOOST_TEST(seen.first_malformed.at(0).line == 3U);
    BOOST_TEST(seen.accounts == 3U);
    BOOST_TEST(seen.rounded == 1U);
    BOOST_TEST(seen.back_in_time == 2U);
    BOOST_TEST(seen.outflow_max == 350);
    rules.on_bad_line = "stop";
    seen = apps::survey(file.path, rules);
    BOOST_TEST(seen.stopped);
    BOOST_TEST(seen.lines == 2U);
    BOOST_TEST(seen.last_line == 3U);
}

BOOST_AUTO_TEST_CASE(opening_rules_are_understood_or_refused) {
    auto rules = rules_of("");
    rules.opening = "fixed:12.5";
    BOOST_TEST(apps::opening_choice::of(rules).fixed == 1250);
    for (const char* bad : {"", "fixed:", "fixed:-1", "gift", "fixed:1e3"}) {
        rules.opening = bad;
        BOOST_CHECK_EXCEPTION(static_cast<void>(apps::opening_choice::of(rules)), failure,
                              is_bad_setting);
    }
}

BOOST_AUTO_TEST_CASE(the_grant_covers_what_anybody_pays_or_is_refused) {
    apps::file_survey seen;
    seen.accounts = 20'000;
    seen.outflow_max = 5'000'000'000'000;
    BOOST_TEST(apps::choose_grant(seen, 0) == 10'000'000'000'000);
    seen.outflow_max = 7;
    BOOST_TEST(apps::choose_grant(seen, 0) == 1'000'000'000'000);
    BOOST_TEST(apps::choose_grant(seen, 55) == 55);
    const auto is_overflow = [](const failure& why) { return why.reason() == errc::overflow; };
    seen.accounts = 10'000'000;
    BOOST_CHECK_EXCEPTION(static_cast<void>(apps::choose_grant(seen, 0)), failure, is_overflow);
    seen.accounts = 1;
    seen.outflow_max = std::numeric_limits<amount>::max();
    BOOST_CHECK_EXCEPTION(static_cast<void>(apps::choose_grant(seen, 0)), failure, is_overflow);
}

BOOST_AUTO_TEST_CASE(a_key_depends_on_the_file_on_what_its_lines_mean_and_on_the_line) {
    const text_file file("a\n");
    const text_file other("b\n");
    const auto rules = rules_of("c");
    const auto identity = apps::identify(file.path, rules);
    BOOST_TEST((identity == apps::identify(file.path, rules)));
    BOOST_TEST((identity != apps::identify(other.path, rules)));
    std::vector<apps::line_rules> others(7, rules);
    others[0].columns = "d";
    others[1].scale = 3;
    others[2].asset = "gold";
    others[3].shift = 1;
    others[4].where = "a=b";
    others[5].reverse = "a=b";
    others[6].is_signed = true;
    for (const auto& each : others) {
        BOOST_TEST((identity != apps::identify(file.path, each)));
    }
    auto same = rules;
    same.opening = "zero";
    same.budget = "5";
    same.on_bad_line = "stop";
    BOOST_TEST((identity == apps::identify(file.path, same)));
    BOOST_TEST((apps::parse_identity(apps::print_identity(identity)) == identity));
    BOOST_TEST((apps::key_of_line(identity, 1) == apps::key_of_line(identity, 1)));
    BOOST_TEST(!(apps::key_of_line(identity, 1) == apps::key_of_line(identity, 2)));
}

BOOST_AUTO_TEST_SUITE_END()
