// SPDX-License-Identifier: Apache-2.0
//
// Claims: what is noted is read back, newest first, whatever its texts hold, by several handles and
// processes; the rebuild knows what is valid; a history has an end; the columns are those of
// docs/formats/catalog.md.
#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <sys/wait.h>

#include <map>

#include <perdure/tests/io/catalog_scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

const std::string awkward = "'); DROP TABLE checkpoints; --\n\"?:id @x $y %s\\ \x01 ü \xff ;/*";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(io_catalog, world_directory)

BOOST_AUTO_TEST_CASE(what_is_noted_is_read_back_newest_first) {
    auto catalog = io::catalog::open(path);
    BOOST_TEST(catalog.last_error() == "");
    BOOST_TEST(says(catalog.remark(), "there was none"), catalog.remark());
    for (int number = 1; number <= 3; ++number) must_note(catalog, checkpoint(number));
    auto second = checkpoint(2);
    second.state = checkpoint_fact::standing::rejected;
    must_note(catalog, second);  // Again, and it is still one, in its place.
    const std::vector expected{checkpoint(3), second, checkpoint(1)};
    BOOST_TEST((catalog.checkpoints(10) == expected));
    BOOST_TEST((catalog.checkpoints(2) == std::vector{checkpoint(3), second}));
    BOOST_TEST(catalog.checkpoints(0).empty());
    BOOST_TEST(catalog.checkpoints(SIZE_MAX).size() == 3U);

    io::recovery_fact recovery{.at_ns = 5,
                               .incarnation = 2,
                               .reason = "region lost",
                               .source = "journal",
                               .tried = {{"checkpoint 7", "damaged"}, {"journal", "sound"}},
                               .last_lsn = UINT64_MAX,
                               .lost_transactions = 0,
                               .milliseconds = 1234,
                               .phases = {{"replay", 1200}, {"indexes", 34}}};
    must_note(catalog, recovery);
    must_note(catalog, io::recovery_fact{.reason = "second"});
    const auto recoveries = catalog.recoveries(5);
    BOOST_REQUIRE(recoveries.size() == 2U);
    BOOST_TEST(recoveries[0].seq == 2U);
    BOOST_TEST(recoveries[0].reason == "second");
    recovery.seq = 1;
    BOOST_TEST((recoveries[1] == recovery));

    io::component_fact keeper{.name = "keeper", .state = "up", .last_activity_ns = 9};
    must_note(catalog, keeper);
    must_note(catalog, io::component_fact{.name = "mirror", .state = "late", .health = 40});
    keeper.health = 0;
    must_note(catalog, keeper);
    const auto components = catalog.components();
    BOOST_REQUIRE(components.size() == 2U);
    BOOST_TEST((components[0] == keeper));
    BOOST_TEST(components[1].health == 40);

    io::validation_fact scrub{.at_ns = 8, .kind = "scrub", .lsn = 300, .score = 99, .problems = 1};
    must_note(catalog, io::validation_fact{.kind = "verify"});
    must_note(catalog, scrub);
    scrub.seq = 2;
    BOOST_TEST((catalog.validations(1) == std::vector{scrub}));
}

BOOST_AUTO_TEST_CASE(texts_are_never_read_as_sql) {
    auto catalog = io::catalog::open(path);
    auto fact = checkpoint(1);
    fact.id = fact.parent = fact.trigger = fact.note = awkward + std::string("\0end", 4);
    must_note(catalog, fact);
    BOOST_TEST((catalog.checkpoints(9) == std::vector{fact}));
    io::recovery_fact recovery{.seq = 1,
                               .reason = awkward,
                               .source = awkward,
                               .tried = {{awkward, "]}"}, {"\"", awkward}},
                               .phases = {{awkward, UINT64_MAX}, {"", 0}}};
    must_note(catalog, recovery);
    BOOST_TEST((catalog.recoveries(9) == std::vector{recovery}));
    const io::component_fact component{.name = awkward, .state = awkward, .note = awkward};
    must_note(catalog, component);
    BOOST_TEST((catalog.components() == std::vector{component}));
    catalog.rebuild(std::vector{fact});
    BOOST_TEST(catalog.last_error() == "");
    BOOST_TEST((catalog.checkpoints(9) == std::vector{fact}));
}

BOOST_AUTO_TEST_CASE(what_was_noted_outlives_its_handle_and_is_for_the_owner_only) {
    {
        auto catalog = io::catalog::open(path), moved = std::move(catalog);
        must_work(moved);
    }
    auto again = io::catalog::open(path);
    BOOST_TEST(again.remark() == "");
    BOOST_TEST((again.checkpoints(9) == std::vector{checkpoint(7)}));
    must_note(again, checkpoint(8));
    for (const auto& entry : fs::directory_iterator(path)) {
        struct stat found {};
        BOOST_REQUIRE(::stat(entry.path().c_str(), &found) == 0);
        BOOST_TEST((found.st_mode & 07777U) == 0600U, entry.path());
    }
}

BOOST_AUTO_TEST_CASE(a_rebuild_adds_what_is_missing_and_retires_what_is_gone) {
    auto catalog = io::catalog::open(path);
    auto failed = checkpoint(1);
    failed.state = checkpoint_fact::standing::failed;
    for (const auto& fact : {failed, checkpoint(2), checkpoint(3)}) must_note(catalog, fact);
    auto poor = checkpoint(3);  // What the MANIFEST knows is less than what stands here.
    poor.note = poor.trigger = "";
    catalog.rebuild(std::vector{poor, checkpoint(4)});
    BOOST_TEST(catalog.last_error() == "");
    auto retired = checkpoint(2);
    retired.state = checkpoint_fact::standing::retired;
    const std::vector expected{checkpoint(4), checkpoint(3), retired, failed};
    BOOST_TEST((catalog.checkpoints(9) == expected));
    catalog.rebuild({});
    for (const auto& fact : catalog.checkpoints(9)) {
        BOOST_TEST((fact.state != checkpoint_fact::standing::valid));
    }
}

BOOST_AUTO_TEST_CASE(values_outside_their_range_are_refused) {
    auto catalog = io::catalog::open(path);
    catalog.note(io::component_fact{.name = "keeper", .state = "up", .health = 101});
    BOOST_TEST(says(catalog.last_error(), "CHECK"), catalog.last_error());
    catalog.note(io::validation_fact{.kind = "verify", .score = -1});
    BOOST_TEST(says(catalog.last_error(), "CHECK"), catalog.last_error());
    auto fact = checkpoint(1);
    fact.state = static_cast<checkpoint_fact::standing>(9);
    catalog.note(fact);
    BOOST_TEST(catalog.last_error() != "");
    must_work(catalog);
}

BOOST_AUTO_TEST_CASE(lists_that_somebody_has_changed_are_read_as_far_as_they_go) {
    auto catalog = io::catalog::open(path);
    must_note(catalog, io::recovery_fact{.tried = {{"a", "b"}}, .phases = {{"c", 1}}});
    tool other(file());
    for (const std::string text : {"", "{", "7", "[7, [], null]"}) {
        other.run("UPDATE recoveries SET tried = '" + text + "'");
        other.run("UPDATE recoveries SET phases = tried");
        const auto found = catalog.recoveries(1);
        BOOST_REQUIRE(found.size() == 1U);
        BOOST_TEST((found[0].tried.empty() && found[0].phases.empty()), text);
    }
    other.run("UPDATE recoveries SET tried = '[{\"what\": 1}]', phases = '[{\"name\": \"n\"}]'");
    const auto found = catalog.recoveries(1);
    BOOST_REQUIRE(found.size() == 1U);
    BOOST_TEST((found[0].tried == std::vector<io::recovery_fact::attempt>{{"", ""}}));
    BOOST_TEST((found[0].phases == std::vector<io::recovery_fact::phase>{{"n", 0}}));
}

BOOST_AUTO_TEST_CASE(who_looks_reads_and_changes_nothing) {
    BOOST_TEST(!io::catalog::look(path).has_value());
    BOOST_TEST(!fs::exists(file()));
    auto catalog = io::catalog::open(path);
    must_work(catalog);
    auto reader = io::catalog::look(path);
    BOOST_REQUIRE(reader.has_value());
    BOOST_TEST((reader->checkpoints(9) == std::vector{checkpoint(7)}));
    must_note(catalog, checkpoint(8));
    BOOST_TEST(reader->checkpoints(9).size() == 2U);
    reader->note(checkpoint(9));
    BOOST_TEST(says(reader->last_error(), "looked at"), reader->last_error());
    reader->rebuild({});
    BOOST_TEST(says(reader->last_error(), "looked at"), reader->last_error());
    BOOST_TEST((catalog.checkpoints(9) == std::vector{checkpoint(8), checkpoint(7)}));
}

BOOST_AUTO_TEST_CASE(two_processes_open_and_write_at_once_and_nothing_is_lost) {
    constexpr std::uint64_t each = 20;
    write("garbage, set aside by one of them");
    std::vector<pid_t> children;
    for (std::uint64_t child = 0; child < 2; ++child) {
        children.push_back(::fork());
        BOOST_REQUIRE(children.back() >= 0);
        if (children.back() != 0) continue;
        auto catalog = io::catalog::open(path);
        for (std::uint64_t number = 0; number < each; ++number) {
            do {
                catalog.note(io::validation_fact{.kind = "verify", .lsn = number});
            } while (!catalog.last_error().empty());  // A busy machine may take over 200 ms.
        }
        ::_exit(0);
    }
    for (const pid_t child : children) {
        int status = 0;
        BOOST_TEST(::waitpid(child, &status, 0) == child);
        BOOST_TEST(status == 0);
    }
    auto catalog = io::catalog::open(path);
    BOOST_TEST(catalog.remark() == "");
    std::map<std::uint64_t, int> seen;
    for (const auto& fact : catalog.validations(SIZE_MAX)) ++seen[fact.lsn];
    BOOST_TEST(seen.size() == each);
    for (const auto& [lsn, count] : seen) BOOST_TEST(count == 2, lsn);
}

BOOST_AUTO_TEST_CASE(a_history_has_an_end) {
    {
        auto catalog = io::catalog::open(path);
        must_note(catalog, checkpoint(1));
        auto retired = checkpoint(2);
        retired.state = checkpoint_fact::standing::retired;
        must_note(catalog, retired);
    }
    const int more = io::catalog_history_rows_max;
    const std::string counting =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
        std::to_string(more) + ") ";
    tool other(file());
    other.run(counting + "INSERT INTO validations SELECT i, i, 'verify', i, 100, 0, '' FROM n");
    other.run(counting +
              "INSERT INTO recoveries "
              "SELECT i, i, 1, '', '', '[]', i, 0, 0, '[]' FROM n");
    other.run(counting +
              "INSERT INTO checkpoints SELECT 'c' || i, i, '', 'full', i, 0, 0, 0, 0, "
              "0, 0, '', 'retired', '' FROM n");
    auto catalog = io::catalog::open(path);
    BOOST_TEST(catalog.remark() == "");
    must_note(catalog, io::validation_fact{.kind = "last"});
    must_note(catalog, io::recovery_fact{.reason = "last"});
    must_note(catalog, checkpoint(3));
    const auto validations = catalog.validations(SIZE_MAX);
    BOOST_REQUIRE(validations.size() == static_cast<std::size_t>(more));
    BOOST_TEST(validations.front().kind == "last");
    BOOST_TEST(validations.back().seq == 2U);
    const auto recoveries = catalog.recoveries(SIZE_MAX);
    BOOST_REQUIRE(recoveries.size() == static_cast<std::size_t>(more));
    BOOST_TEST(recoveries.front().reason == "last");
    const auto checkpoints = catalog.checkpoints(SIZE_MAX);
    BOOST_TEST(checkpoints.size() == static_cast<std::size_t>(more) + 1U);
    BOOST_TEST((checkpoints[0] == checkpoint(3)));
    BOOST_TEST((checkpoints[1] == checkpoint(1)));  // Valid, however old; number 2 is gone.
}

BOOST_AUTO_TEST_CASE(the_columns_are_as_documented) {
    using columns = std::map<std::string, std::string>;
    const char* const source = std::getenv("PERDURE_SOURCE");
    BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest, which sets PERDURE_SOURCE");
    std::ifstream page(std::string(source) + "/docs/formats/catalog.md");
    std::map<std::string, columns> documented;
    columns* table = nullptr;
    for (std::string line; std::getline(page, line);) {
        std::istringstream words(line);
        std::string first;
        std::string name;
        std::string bar;
        std::string type;
        words >> first >> name >> bar >> type;
        if (first == "##") table = bar == "table" ? &documented[name] : nullptr;
        const bool is_row = type == "TEXT" || type == "INTEGER";
        if (first == "|" && is_row && table != nullptr) table->emplace(name, type);
    }
    const auto catalog = io::catalog::open(path);
    std::map<std::string, columns> found;
    for (const auto& row : tool(file()).ask(
             "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c "
             "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'")) {
        found[row[0]].emplace(row[1], row[2]);
    }
    BOOST_TEST(found.size() == 4U);
    BOOST_TEST((found == documented));
}

BOOST_AUTO_TEST_SUITE_END()
