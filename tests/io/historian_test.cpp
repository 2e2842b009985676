// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/historian: what is told arrives in the catalog, in order; a full queue gives up the
// oldest and says how many; a keeper's catalog agrees with the MANIFEST whatever becomes of the
// file; where it cannot be written nobody waits and the reason is said; a forked child is let go.
#include <boost/test/unit_test.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include <perdure/io/catalog_facts.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/historian.hpp>
#include <perdure/io/manifest.hpp>
#include <perdure/tests/io/catalog_scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using standing = checkpoint_fact::standing;

/// Only a broken historian takes so long.
constexpr std::chrono::minutes patience{2};

io::checkpoint_entry entry(std::uint64_t lsn, const io::uuid& parent = {}) {
    return {.id = io::random_uuid(),
            .parent = parent,
            .lsn = lsn,
            .last_lsn = lsn,
            .cut_ns = 1'000'000'000 + lsn,
            .file_bytes = 10 * lsn};
}

io::checkpoint_news news_of(const io::checkpoint_entry& taken) {
    io::checkpoint_news news;
    news.is_valid = true;
    news.trigger = "interval";
    news.report.entry = taken;
    news.report.rows = 7;
    news.report.row_bytes = 700;
    news.report.gate_ns = 3'000;
    news.report.capture_ns = 12'000;
    news.report.write_ns = 9'000'000;
    return news;
}

io::checkpoint_news refusal_of(errc why, std::string_view trigger, std::string cause) {
    io::checkpoint_news news;
    news.trigger = trigger;
    news.refused = why;
    news.cause = std::move(cause);
    return news;
}

/// A directory with a MANIFEST that promises checkpoints.
struct kept_directory : world_directory {
    io::kernel_calls calls;
    io::file_system files{calls};

    kept_directory() {
        BOOST_REQUIRE(io::manifest::create(files, path, io::random_uuid()).has_value());
    }
    io::checkpoint_entry publish(std::uint64_t lsn) {
        std::optional<io::finding> found;
        auto promised = io::manifest::open(files, path, io::open_mode::read_write, found).value();
        const auto made = entry(lsn);
        BOOST_REQUIRE(promised.publish_checkpoint(made).has_value());
        return made;
    }
    /// By LSN, what the catalog says of checkpoints.
    [[nodiscard]] std::map<std::uint64_t, standing> states() const {
        std::map<std::uint64_t, standing> out;
        for (const auto& each : read().checkpoints(99)) out.emplace(each.lsn, each.state);
        return out;
    }
    [[nodiscard]] io::catalog read() const {
        auto book = io::catalog::look(path);
        BOOST_REQUIRE(book.has_value());
        return std::move(*book);
    }
};

std::string problem_in(const io::historian& by) {
    const auto sum = by.count();
    return sum.dropped + sum.failed == 0 ? sum.trouble : "facts were lost: " + sum.trouble;
}

void must_flush(io::historian& by) {
    BOOST_TEST_REQUIRE(by.flush(patience));
    BOOST_TEST(problem_in(by) == "");
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(io_historian, kept_directory)

BOOST_AUTO_TEST_CASE(checkpoints_arrive_with_their_check_and_with_those_they_retired) {
    io::historian by(path);
    const auto first = entry(100);
    const auto second = entry(200, first.id);
    by.took(news_of(first));
    auto news = news_of(second);
    news.retired = {first, entry(50)};
    by.took(news);
    by.took(refusal_of(errc::disk_full, "journal", "disk_full: no space"));
    by.took(refusal_of(errc::damaged, "request", "reads back as something else"));
    by.took(refusal_of(errc::damaged, "scrub", "300.pj at byte 7: rot"));
    must_flush(by);

    auto book = read();
    BOOST_TEST((states() == std::map<std::uint64_t, standing>{{0, standing::rejected},
                                                              {50, standing::retired},
                                                              {100, standing::retired},
                                                              {200, standing::valid}}));
    for (const auto& each : book.checkpoints(9)) {
        if (each.lsn == 0) {
            BOOST_TEST(says(each.id, "failed-"), each.id);
            BOOST_TEST((each.state == standing::failed) == says(each.note, "no space"), each.note);
        }
        if (each.lsn != 200) continue;
        BOOST_TEST(each.id == io::to_string(second.id));
        BOOST_TEST(each.parent == io::to_string(first.id));
        BOOST_TEST((each.kind == checkpoint_fact::extent::incremental));
        BOOST_TEST(each.created_ns == second.cut_ns);
        BOOST_TEST((each.rows == 7 && each.raw_bytes == 700 && each.stored_bytes == 2000));
        BOOST_TEST((each.cut_us == 3 && each.capture_us == 12 && each.write_ms == 9));
        BOOST_TEST(each.trigger == "interval");
    }
    BOOST_TEST(book.checkpoints(9).size() == 5U);
    std::vector<std::string> seen;
    for (const auto& each : book.validations(9)) {
        seen.push_back(each.kind + " " + std::to_string(each.lsn) + " " +
                       std::to_string(each.score));
    }
    const std::vector<std::string> expected{"scrub 0 75", "checkpoint 0 0", "checkpoint 200 100",
                                            "checkpoint 100 100"};
    BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_recovery_arrives_with_what_was_tried_and_names_its_checkpoint) {
    const auto promised = publish(300);
    io::opening_report report;
    report.reason = "there is no region";
    report.tried = {{"checkpoint of LSN 400", "damaged"}, {"checkpoint of LSN 300", "accepted"}};
    report.checkpoint_lsn = 300;
    report.last_lsn = 345;
    report.rows = 12;
    report.transactions = 45;
    report.torn_tail = "1.pj at byte 9: half a block";
    report.load_ms = 3.6;
    report.milliseconds = 20;
    io::historian by(path);
    by.recovered(report, 3);
    report.checkpoint_lsn = 0;
    report.torn_tail.clear();
    by.recovered(report, 4);
    must_flush(by);
    auto found = read().recoveries(9);
    BOOST_TEST_REQUIRE(found.size() == 2U);
    BOOST_TEST(found[0].source == "journal");
    BOOST_TEST(found[1].source == io::to_string(promised.id));
    BOOST_TEST(found[1].incarnation == 3U);
    BOOST_TEST(found[1].reason == report.reason);
    BOOST_TEST(found[1].last_lsn == 345U);
    BOOST_TEST(found[1].milliseconds == 20U);
    BOOST_TEST(found[1].at_ns != 0U);
    BOOST_TEST((found[1].phases.front() == io::recovery_fact::phase{"load", 4}));
    BOOST_TEST_REQUIRE(found[1].tried.size() == 3U);
    BOOST_TEST(found[1].tried[0].verdict == "damaged");
    for (const auto& each : found) {
        BOOST_TEST(each.lost_transactions == 0U);
        BOOST_TEST(each.tried[2].what == "result");
        for (const auto* words : {"12 rows", "45 transactions", "unknown"}) {
            BOOST_TEST(says(each.tried[2].verdict, words), each.tried[2].verdict);
        }
    }
    BOOST_TEST(says(found[1].tried[2].verdict, "half a block"), found[1].tried[2].verdict);
}

BOOST_AUTO_TEST_CASE(a_validation_scores_by_its_problems_and_of_observations_the_newest_stays) {
    io::historian by(path);
    const std::vector<std::string> problems{"one", "two", "three", "four", "five"};
    for (std::size_t count = 0; count <= problems.size(); ++count) {
        by.validated({"verify", 10 * count, std::span(problems).first(count)});
    }
    by.observed({{.name = "keeper", .state = "old"}, {.name = "journal", .state = "old"}});
    by.observed({{.name = "keeper", .state = "new", .health = 40}});
    must_flush(by);
    by.observed({{.name = "keeper", .state = "newer", .health = 50}});
    must_flush(by);
    std::vector<int> scores;
    auto book = read();
    for (const auto& each : book.validations(9)) scores.push_back(each.score);
    const std::vector<int> expected{0, 0, 25, 50, 75, 100};
    BOOST_TEST(scores == expected, boost::test_tools::per_element());
    BOOST_TEST(book.validations(1)[0].problems == 5U);
    BOOST_TEST(book.validations(1)[0].note == "one; two; three");
    const auto parts = book.components();
    for (const auto& each : parts) {
        if (each.name == "keeper") BOOST_TEST(each.state == "newer");
    }
    BOOST_TEST(!parts.empty());
}

BOOST_AUTO_TEST_CASE(a_full_queue_gives_up_the_oldest_and_counts_it) {
    constexpr std::uint64_t told = 100;
    io::historian by(path, {.facts_max = 4});
    { const auto made = io::catalog::open(path); }
    {
        tool other(file());
        other.run("BEGIN EXCLUSIVE");  // Nothing can be written as long as it is open.
        for (std::uint64_t lsn = 1; lsn <= told; ++lsn) by.validated({"verify", lsn});
        BOOST_TEST(by.count().dropped != 0U);
        BOOST_TEST(by.count().written == 0U);
    }
    BOOST_TEST_REQUIRE(by.flush(patience));
    by.validated({"verify", told + 1});
    BOOST_TEST_REQUIRE(by.flush(patience));
    const auto sum = by.count();
    BOOST_TEST(sum.written + sum.dropped + sum.failed == told + 1);
    auto found = read().validations(999);
    BOOST_TEST(found.size() == sum.written);
    BOOST_TEST_REQUIRE(!found.empty());
    BOOST_TEST(found.front().lsn == told + 1);
    for (std::size_t i = 1; i < found.size(); ++i) BOOST_TEST(found[i].lsn < found[i - 1].lsn);
}

BOOST_AUTO_TEST_CASE(who_stops_waits_no_longer_than_agreed_and_what_comes_later_is_given_up) {
    io::historian by(path, {.drain = std::chrono::milliseconds(20)});
    { const auto made = io::catalog::open(path); }
    tool other(file());
    other.run("BEGIN EXCLUSIVE");
    for (std::uint64_t lsn = 1; lsn <= 50; ++lsn) by.validated({"verify", lsn});
    by.stop();
    const auto dropped = by.count().dropped;
    BOOST_TEST(dropped >= 40U);  // It tried a few; each try takes the catalog's whole patience.
    by.validated({"verify", 51});
    BOOST_TEST(by.count().dropped == dropped + 1);
    by.stop();
}

BOOST_AUTO_TEST_CASE(what_waits_when_it_ends_is_written_first) {
    {
        io::historian by(path);
        by.keep();
        for (std::uint64_t lsn = 1; lsn <= 5; ++lsn) by.validated({"verify", lsn});
    }
    BOOST_TEST(read().validations(9).size() == 5U);
}

BOOST_AUTO_TEST_CASE(a_keepers_catalog_agrees_with_the_manifest_whatever_becomes_of_the_file) {
    publish(100);
    publish(200);
    {
        auto book = io::catalog::open(path);
        for (const std::uint64_t lsn : {40U, 50U}) must_note(book, io::fact_of(entry(lsn)));
    }
    fs::create_directories(io::checkpoint_directory(path));
    std::ofstream(io::checkpoint_path(path, 50) + ".rejected") << "rot";
    std::map<std::uint64_t, standing> expected{{40, standing::retired},
                                               {50, standing::rejected},
                                               {100, standing::valid},
                                               {200, standing::valid}};
    io::historian by(path);
    by.keep();
    must_flush(by);
    BOOST_TEST((states() == expected));
    expected.erase(40);
    expected.erase(50);
    const auto says_so = [&](const char* what) {
        by.validated({"verify", 7});  // Whatever it is that comes next.
        BOOST_TEST_REQUIRE(by.flush(patience), what);
        by.validated({"verify", 8});
        BOOST_TEST_REQUIRE(by.flush(patience), what);
        BOOST_TEST(by.count().trouble == "", what);
        BOOST_TEST((states() == expected), what);
    };
    fs::remove(file());
    says_so("a file that was deleted");
    fs::remove(file());
    fs::create_directory(file());
    says_so("a directory in its place");
    BOOST_TEST(says(by.count().remark, made_anew()), by.count().remark);
    write(std::string(1 << 16, 'g'));
    says_so("garbage");
    BOOST_TEST(fs::exists(broken()));
    tool(file()).run("DROP TABLE recoveries");
    fs::copy_file(file(), path + "/other");
    fs::rename(path + "/other", file());
    says_so("another file of another schema");
    expected.emplace(300, standing::valid);
    by.took(news_of(publish(300)));
    must_flush(by);
    BOOST_TEST((states() == expected));
    by.rest();
}

BOOST_AUTO_TEST_CASE(a_reader_that_holds_the_file_costs_notes_and_no_checkpoint) {
    io::historian by(path);
    by.keep();
    must_flush(by);
    {
        tool reader(file());
        reader.run("BEGIN");
        BOOST_TEST(reader.ask("SELECT count(*) FROM checkpoints")[0][0] == "0");
        by.took(news_of(publish(100)));
        BOOST_TEST_REQUIRE(by.flush(patience));
        BOOST_TEST(by.count().failed != 0U);
        BOOST_TEST(says(by.count().trouble, "lock"), by.count().trouble);
    }
    by.validated({"verify", 1});
    BOOST_TEST_REQUIRE(by.flush(patience));
    BOOST_TEST(by.count().trouble == "");
    BOOST_TEST((states() == std::map<std::uint64_t, standing>{{100, standing::valid}}));
}

BOOST_AUTO_TEST_CASE(where_nothing_can_be_written_it_says_why_and_nobody_waits) {
    io::historian by(path + "/nowhere");
    by.keep();
    by.validated({"verify", 1});
    by.observed({{.name = "keeper"}});
    BOOST_TEST_REQUIRE(by.flush(patience));
    const auto sum = by.count();
    BOOST_TEST(sum.written == 0U);
    BOOST_TEST(sum.failed == 3U);
    BOOST_TEST(says(sum.trouble, "nowhere"), sum.trouble);
    BOOST_TEST(!fs::exists(path + "/nowhere"));
}

BOOST_AUTO_TEST_CASE(a_forked_childs_copy_does_nothing_and_can_be_destroyed) {
    auto by = std::make_unique<io::historian>(path);
    by->keep();
    by->validated({"verify", 1});  // There is a thread, whatever it does at the moment.
    const pid_t child = ::fork();
    BOOST_TEST_REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(120);
        by->validated({"verify", 2});
        by->rest();
        const bool is_deaf = !by->flush(patience) && by->count().written == 0;
        by.reset();
        ::_exit(is_deaf ? 0 : 1);
    }
    int status = -1;
    BOOST_TEST(::waitpid(child, &status, 0) == child);
    BOOST_TEST(status == 0);
    must_flush(*by);
    BOOST_TEST(read().validations(9).size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
