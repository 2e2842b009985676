// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/historian where a world uses it: keepers, recoveries and checks leave their facts in
// catalog.db; whatever lies in its place, the world opens, is kept and checkpointed all the same,
// and says what was wrong.
#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <atomic>

#include <perdure/io/catalog.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/manifest.hpp>
#include <perdure/tests/core/scene.hpp>
#include <perdure/tests/io/catalog_scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct noted_scene : scene {
    bool has_gold = false;

    [[nodiscard]] std::string catalog_file() const { return io::catalog_path(directory()); }
    [[nodiscard]] io::catalog read() const {
        auto book = io::catalog::look(directory());
        BOOST_REQUIRE(book.has_value());
        return std::move(*book);
    }
    /// Keeps the world until something holds.
    static void keep_until(world& in, const std::function<bool()>& holds) {
        int turns = 0;
        in.keep([&] { return holds() || ++turns > 1'000'000; });
        BOOST_TEST(holds());
    }
    /// What everybody does with a world: opens it, writes, keeps it, has checkpoints taken.
    void live_through(const world_options& options) {
        auto in = world::open(directory(), options);
        auto by = in.join();
        if (!std::exchange(has_gold, true)) found(in, by, 4, 1000);
        for (int turn = 0; turn < 2; ++turn) {
            const auto paid = pay(in, by, 0, 1, 1).value();
            keep_until(in, [&] { return in.status().durable_lsn >= paid.lsn; });
        }
        BOOST_TEST(!in.checkpoint(true));  // Each keeper has taken one when it ended.
        BOOST_TEST(in.status().checkpoint.lsn == in.status().last_lsn);
        BOOST_TEST(in.verify(by).sound);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(io_historian_world, noted_scene)

BOOST_AUTO_TEST_CASE(a_keeper_leaves_its_checkpoints_its_check_and_the_state_of_its_parts) {
    live_through(options());
    auto book = read();
    std::optional<io::finding> found;
    io::kernel_calls calls;
    io::file_system files(calls);
    const auto promised =
        io::manifest::open(files, directory(), io::open_mode::read, found).value();
    const auto noted = book.checkpoints(9);
    BOOST_TEST_REQUIRE(noted.size() == promised.checkpoints().size());
    for (std::size_t i = 0; i < noted.size(); ++i) {
        const auto& entry = promised.checkpoints()[noted.size() - 1 - i];
        BOOST_TEST(noted[i].id == io::to_string(entry.id));
        BOOST_TEST(noted[i].lsn == entry.lsn);
        BOOST_TEST(noted[i].trigger == "shutdown");
        BOOST_TEST((noted[i].state == checkpoint_fact::standing::valid));
    }
    BOOST_TEST(book.recoveries(9).empty());  // It was made, and that is no recovery.
    const auto validations = book.validations(9);
    BOOST_TEST_REQUIRE(validations.size() == noted.size() + 1);
    BOOST_TEST(validations[0].kind == "verify");
    BOOST_TEST(validations[0].score == 100);
    BOOST_TEST(validations[1].kind == "checkpoint");
    auto parts = book.components();
    std::ranges::sort(parts, {}, &io::component_fact::name);
    BOOST_TEST_REQUIRE(parts.size() == 5U);
    const std::vector<std::string> names{"checkpoint", "files", "journal", "keeper", "region"};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        BOOST_TEST(parts[i].name == names[i]);
        BOOST_TEST(parts[i].state == "stopped", parts[i].name);
        BOOST_TEST(parts[i].last_activity_ns != 0U, parts[i].name);
    }
}

BOOST_AUTO_TEST_CASE(a_recovery_is_noted_by_who_recovered) {
    live_through(options());
    delete_region();
    {
        auto in = open();
        BOOST_TEST_REQUIRE(in.opened().recovered);
    }
    auto book = read();
    const auto found = book.recoveries(9);
    BOOST_TEST_REQUIRE(found.size() == 1U);
    BOOST_TEST(says(found[0].reason, "no region"), found[0].reason);
    BOOST_TEST(found[0].source == book.checkpoints(1)[0].id);
    BOOST_TEST(found[0].last_lsn == book.checkpoints(1)[0].lsn);
    BOOST_TEST(says(found[0].tried.back().verdict, "unknown"), found[0].tried.back().verdict);
}

BOOST_AUTO_TEST_CASE(a_damaged_checkpoint_is_told_from_one_that_was_retired) {
    live_through(options());
    const auto newest = read().checkpoints(1)[0];
    const auto path = io::checkpoint_path(directory(), newest.lsn);
    fs::resize_file(path, fs::file_size(path) / 2);
    delete_region();
    live_through(options());
    BOOST_TEST(fs::exists(path + ".rejected"));
    for (const auto& each : read().checkpoints(9)) {
        const bool is_it = each.id == newest.id;
        BOOST_TEST((each.state == checkpoint_fact::standing::rejected) == is_it, each.lsn);
    }
    BOOST_TEST(read().recoveries(1)[0].tried.size() > 2U);
}

BOOST_AUTO_TEST_CASE(a_problem_costs_a_check_its_score) {
    auto in = open();
    auto by = in.join();
    const auto paid = found(in, by, 4, 1000);
    BOOST_TEST_REQUIRE(in.wait(by, paid, durability::durable).has_value());
    for (const auto& each : fs::directory_iterator(io::journal_directory(directory()))) {
        fs::resize_file(each.path(), 100);
    }
    BOOST_TEST(!in.verify(by).sound);
    BOOST_TEST_REQUIRE(eventually([&] { return in.history().written == 1; }));
    const auto noted = read().validations(1);
    BOOST_TEST_REQUIRE(noted.size() == 1U);
    BOOST_TEST(noted[0].score < 100);
    BOOST_TEST(noted[0].problems != 0U);
    BOOST_TEST(!noted[0].note.empty());
}

BOOST_AUTO_TEST_CASE(whatever_lies_in_the_catalogs_place_the_world_goes_on) {
    const auto put = [&](int what) {
        fs::remove_all(catalog_file());
        fs::remove_all(catalog_file() + ".broken");
        switch (what) {
            case 0: std::ofstream(catalog_file()) << std::string(1 << 15, 'x'); break;
            case 1: fs::create_directories(catalog_file() + "/full"); break;
            case 2: fs::create_symlink("/dev/zero", catalog_file()); break;
            default: std::ofstream(catalog_file()) << "SQLite format 3"; break;
        }
    };
    for (int what = 0; what < 4; ++what) {
        put(what);
        live_through(options());
        put(what);
        {
            auto in = open();
            auto by = in.join();
            BOOST_TEST(in.verify(by).sound);
            BOOST_TEST_REQUIRE(eventually([&] { return in.history().written != 0; }), what);
            BOOST_TEST(says(in.history().remark, "catalog.db.broken"), in.history().remark);
            BOOST_TEST(in.history().trouble == "");
        }
        live_through(options());
        for (const auto& each : read().checkpoints(99)) {
            BOOST_TEST((each.state == checkpoint_fact::standing::valid), what);
        }
        BOOST_TEST(read().checkpoints(99).size() >= 2U);
    }
}

BOOST_AUTO_TEST_CASE(a_directory_that_takes_no_new_file_costs_the_history_and_nothing_else) {
    live_through(options());
    fs::remove(catalog_file());
    fs::remove(catalog_file() + "-journal");
    // Somebody who is not root, and may write every file that is there.
    constexpr uid_t nobody = 65534;
    if (::geteuid() == 0) {
        for (const auto& top : {disk(), memory()}) {
            BOOST_REQUIRE(::chown(top.c_str(), nobody, nobody) == 0);
            for (const auto& each : fs::recursive_directory_iterator(top)) {
                BOOST_REQUIRE(::lchown(each.path().c_str(), nobody, nobody) == 0);
            }
        }
    }
    BOOST_REQUIRE(::chmod(directory().c_str(), 0555) == 0);
    child other([&] {
        if (::geteuid() == 0 && (::setgid(nobody) != 0 || ::setuid(nobody) != 0)) return 1;
        auto in = open();
        auto by = in.join();
        for (int turn = 0; turn < 2; ++turn) {
            const auto paid = pay(in, by, 0, 1, 1).value();
            in.keep([&] { return in.status().durable_lsn >= paid.lsn; });
        }
        if (in.status().checkpoint.lsn != in.status().last_lsn) return 2;
        if (!in.verify(by).sound) return 3;
        if (!eventually([&] { return in.history().failed != 0; })) return 4;
        const auto told = in.history().trouble;
        std::printf("it says: %s\n", told.c_str());
        return says(told, "catalog.db") && says(told, "Permission denied") ? 0 : 5;
    });
    BOOST_TEST(other.wait() == 0);
    BOOST_REQUIRE(::chmod(directory().c_str(), 0755) == 0);
    BOOST_TEST(!fs::exists(catalog_file()));
}

BOOST_AUTO_TEST_CASE(a_standby_tells_nothing) {
    shared_one<std::atomic<bool>> stop;
    auto in = open();
    auto by = in.join();
    found(in, by, 4, 1000);
    const auto keeper = [&] {
        auto there = open();
        there.keep([&] { return stop->load(); });
        return 0;
    };
    child first(keeper);
    const auto pid = static_cast<std::uint32_t>(first.pid());
    BOOST_TEST_REQUIRE(eventually([&] { return in.status().keeper_pid == pid; }));
    BOOST_TEST_REQUIRE(eventually([&] {
        auto book = io::catalog::look(directory());
        return book && book->components().size() == 5;
    }));
    int turns = 0;
    in.keep([&] { return ++turns > 3; });
    BOOST_TEST(in.history().written == 0U);
    for (const auto& each : read().components()) BOOST_TEST(each.state != "stopped", each.name);
    stop->store(true);
    BOOST_TEST(first.wait() == 0);
    for (const auto& each : read().components()) BOOST_TEST(each.state == "stopped", each.name);
}

BOOST_AUTO_TEST_CASE(who_only_reads_notes_nothing) {
    live_through(options());
    const auto before = world_directory::content(catalog_file());
    auto reading = options();
    reading.mode = shm::access::read_only;
    {
        const auto in = world::open(directory(), reading);
        BOOST_TEST(in.history().written == 0U);
        const auto then = world::recall(directory(), options(), {});
        BOOST_TEST(then.history().written == 0U);
    }
    BOOST_TEST((world_directory::content(catalog_file()) == before));
}

BOOST_AUTO_TEST_SUITE_END()
