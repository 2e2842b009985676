// SPDX-License-Identifier: Apache-2.0
//
// Claims: nothing that lies in the catalog's place, and nothing that the disk or another process
// does, is more than a remark or an error that is remembered; notes arrive again when it is over.
// Damage is done by SQL, by bytes and by limits of the operating system.
#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include <perdure/tests/io/catalog_scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(io_catalog_damage, world_directory)

BOOST_AUTO_TEST_CASE(a_file_that_is_no_catalog_is_set_aside) {
    const std::vector<std::string> contents{"xx", std::string(4096, '\0'),
                                            std::string(100'000, 'g'),
                                            "SQLite format 3" + std::string(5000, '\0')};
    for (const std::string& text : contents) {
        write(text);
        BOOST_TEST(!io::catalog::look(path).has_value());
        auto catalog = io::catalog::open(path);
        BOOST_TEST(catalog.last_error() == "");
        BOOST_TEST(says(catalog.remark(), made_anew()), catalog.remark());
        BOOST_TEST(content(broken()) == text);
        must_work(catalog);
    }
    write("");  // What a keeper leaves that dies as it makes the file; SQLite knows no other.
    auto catalog = io::catalog::open(path);
    BOOST_TEST(catalog.remark() == "");
    must_work(catalog);
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_set_aside_or_has_lost_nothing) {
    {
        auto catalog = io::catalog::open(path);
        for (int number = 1; number < 10; ++number) must_note(catalog, checkpoint(number));
    }
    const std::string whole = content(file());
    BOOST_REQUIRE(whole.size() > 16384U);
    for (std::size_t bytes = 0; bytes < whole.size(); bytes += 1365) {
        write(whole.substr(0, bytes));
        auto catalog = io::catalog::open(path);
        BOOST_TEST(catalog.last_error() == "");
        // The last page may have nothing at its end.
        const bool is_there = bytes > whole.size() - 4096U && catalog.remark().empty();
        BOOST_TEST(catalog.checkpoints(99).size() == (is_there ? 9U : 0U));
        BOOST_TEST((is_there || bytes == 0 || says(catalog.remark(), made_anew())));
        must_note(catalog, checkpoint(8));
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_decays_while_it_is_open_is_set_aside_by_a_later_note) {
    auto catalog = io::catalog::open(path);
    must_work(catalog);
    const std::size_t bytes = content(file()).size();
    write(std::string(bytes, 'g'));
    catalog.note(checkpoint(1));
    BOOST_TEST(catalog.last_error() != "");
    must_note(catalog, checkpoint(2));
    BOOST_TEST(says(catalog.remark(), made_anew()), catalog.remark());
    BOOST_TEST((catalog.checkpoints(9) == std::vector{checkpoint(2)}));
}

BOOST_AUTO_TEST_CASE(a_file_of_another_schema_is_set_aside) {
    const std::vector<std::string> changes{"PRAGMA user_version = 2", "PRAGMA user_version = 0",
                                           "DROP TABLE components",
                                           "ALTER TABLE validations ADD COLUMN more TEXT"};
    for (const std::string& change : changes) {
        must_work(*std::make_unique<io::catalog>(io::catalog::open(path)));
        tool(file()).run(change);
        BOOST_TEST(!io::catalog::look(path).has_value());
        auto catalog = io::catalog::open(path);
        BOOST_TEST(catalog.last_error() == "");
        BOOST_TEST(says(catalog.remark(), made_anew()), catalog.remark());
        BOOST_TEST(catalog.checkpoints(9).empty());
        must_work(catalog);
    }
    tool(file()).run("CREATE VIEW mine AS SELECT id FROM checkpoints");  // People may add to it.
    tool(file()).run("PRAGMA journal_mode = WAL");
    auto catalog = io::catalog::open(path);
    BOOST_TEST(catalog.remark() == "");
    BOOST_TEST(catalog.checkpoints(9).size() == 1U);
}

BOOST_AUTO_TEST_CASE(no_symbolic_link_is_followed) {
    const std::string target = path + "/target";
    for (const bool exists : {false, true}) {
        if (exists) std::ofstream(target) << "precious";
        fs::remove(file());
        fs::create_symlink(target, file());
        BOOST_TEST(!io::catalog::look(path).has_value());
        auto catalog = io::catalog::open(path);
        BOOST_TEST(says(catalog.remark(), made_anew()), catalog.remark());
        BOOST_TEST(fs::is_symlink(broken()));
        BOOST_TEST(!fs::is_symlink(file()));
        must_work(catalog);
    }
    BOOST_TEST(content(target) == "precious");
}

BOOST_AUTO_TEST_CASE(a_directory_in_its_place_is_set_aside_with_all_it_holds) {
    write("garbage");
    must_work(*std::make_unique<io::catalog>(io::catalog::open(path)));
    fs::remove(file());
    fs::create_directory(file());
    std::ofstream(file() + "/precious") << "x";
    auto catalog = io::catalog::open(path);
    BOOST_TEST(catalog.last_error() == "");
    must_work(catalog);
    BOOST_TEST(fs::exists(broken() + "/precious"));
    // What has nowhere to go stays, and no folder of anybody is removed for it.
    write("garbage");
    auto stuck = io::catalog::open(path);
    BOOST_TEST(says(stuck.last_error(), "cannot be set aside"), stuck.last_error());
    BOOST_TEST(fs::exists(broken() + "/precious"));
    fs::remove_all(broken());
    must_work(stuck);
}

BOOST_AUTO_TEST_CASE(what_lies_beside_a_broken_file_does_not_touch_the_new_one) {
    const auto leave_beside = [&] {
        std::ofstream(file() + "-journal") << "its journal";
        std::ofstream(file() + "-wal") << "its log";
        std::ofstream(broken() + "-shm") << "of an older one";
    };
    const auto must_be_alone = [&] {
        auto catalog = io::catalog::open(path);
        must_work(catalog);
        BOOST_TEST(content(file() + "-journal") == "");  // Its own.
        BOOST_TEST(!fs::exists(file() + "-wal"));
    };
    leave_beside();  // As if its file had been taken away.
    must_be_alone();
    write("garbage");
    leave_beside();
    must_be_alone();
    BOOST_TEST(!fs::exists(broken() + "-shm"));
    fs::remove(file());
    fs::create_directory(file());  // SQLite has not seen this one: all of it is kept.
    leave_beside();
    must_be_alone();
    BOOST_TEST(content(broken() + "-journal") == "its journal");
    BOOST_TEST(content(broken() + "-wal") == "its log");
    BOOST_TEST(!fs::exists(broken() + "-shm"));
}

BOOST_AUTO_TEST_CASE(a_directory_that_refuses_is_an_error_that_is_remembered) {
    auto nowhere = io::catalog::open(path + "/nowhere");
    BOOST_TEST(says(nowhere.last_error(), "No such file"), nowhere.last_error());
    nowhere.note(checkpoint(1));
    BOOST_TEST(nowhere.last_error() != "");
    BOOST_TEST(nowhere.checkpoints(1).empty());
    fs::create_directory(path + "/nowhere");
    must_work(nowhere);

    constexpr uid_t somebody = 65534;
    const bool is_root = ::geteuid() == 0;  // Root may write everywhere.
    BOOST_REQUIRE((!is_root || ::chown(path.c_str(), somebody, somebody) == 0));
    BOOST_REQUIRE(::chmod(path.c_str(), 0500) == 0);
    BOOST_REQUIRE((!is_root || ::seteuid(somebody) == 0));
    auto refused = io::catalog::open(path);
    const std::string why = refused.last_error();
    refused.note(checkpoint(1));
    const std::string why_again = refused.last_error();
    BOOST_REQUIRE((!is_root || ::seteuid(0) == 0));
    BOOST_REQUIRE(::chmod(path.c_str(), 0700) == 0);
    BOOST_TEST(says(why, "Permission denied"), why);
    BOOST_TEST(why_again == why);
    must_work(refused);
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error_that_is_remembered) {
    auto catalog = io::catalog::open(path);
    must_note(catalog, checkpoint(1));
    auto heavy = checkpoint(2);
    heavy.note = std::string(1U << 20, 'n');
    struct rlimit before {};
    BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto disposition = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit tight{200'000, before.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    catalog.note(heavy);
    const std::string why = catalog.last_error();
    BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    static_cast<void>(std::signal(SIGXFSZ, disposition));
    BOOST_TEST(why != "");
    BOOST_TEST((catalog.checkpoints(9) == std::vector{checkpoint(1)}));
    must_note(catalog, heavy);
    BOOST_TEST(catalog.remark() == "");
}

BOOST_AUTO_TEST_CASE(a_lock_that_is_held_is_an_error_and_then_notes_arrive_again) {
    auto catalog = io::catalog::open(path);
    must_note(catalog, checkpoint(1));
    tool other(file());
    other.run("BEGIN EXCLUSIVE");
    for (int round = 0; round < 2; ++round) {
        catalog.note(checkpoint(2));
        BOOST_TEST(says(catalog.last_error(), "locked"), catalog.last_error());
    }
    BOOST_TEST(catalog.checkpoints(9).empty());
    const auto late = io::catalog::open(path);
    BOOST_TEST(says(late.last_error(), "locked"), late.last_error());
    BOOST_TEST(!fs::exists(broken()));
    other.run("COMMIT");
    must_note(catalog, checkpoint(2));
    BOOST_TEST(catalog.checkpoints(9).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_writer_that_is_killed_leaves_whole_notes) {
    constexpr int rounds = 20;
    std::uint64_t noted = 0;
    for (int round = 0; round < rounds; ++round) {
        std::array<int, 2> pipe{};
        BOOST_REQUIRE(::pipe(pipe.data()) == 0);
        const pid_t child = ::fork();
        BOOST_REQUIRE(child >= 0);
        if (child == 0) {
            auto catalog = io::catalog::open(path);
            for (;;) {
                catalog.note(io::validation_fact{.kind = "verify"});
                if (!catalog.last_error().empty() || ::write(pipe[1], "n", 1) != 1) ::_exit(1);
            }
        }
        ::close(pipe[1]);
        char byte = 0;
        for (int left = round % 5 + 1; left > 0; --left, ++noted) {
            BOOST_REQUIRE(::read(pipe[0], &byte, 1) == 1);
        }
        ::kill(child, SIGKILL);
        BOOST_TEST(::waitpid(child, nullptr, 0) == child);
        for (; ::read(pipe[0], &byte, 1) == 1; ++noted) {
        }
        ::close(pipe[0]);
        auto catalog = io::catalog::open(path);
        BOOST_TEST(catalog.last_error() == "");
        BOOST_TEST(catalog.remark() == "");
        const std::uint64_t found = catalog.validations(SIZE_MAX).size();
        BOOST_TEST((found == noted || found == noted + 1), found << " of " << noted);
        noted = found;  // The one that was killed before it could say so.
    }
}

BOOST_AUTO_TEST_CASE(a_file_taken_away_is_made_anew_for_all_its_handles) {
    auto one = io::catalog::open(path);
    auto other = io::catalog::open(path);
    auto reader = io::catalog::look(path);
    must_note(one, checkpoint(1));
    must_note(other, checkpoint(2));
    fs::remove(file());
    must_note(one, checkpoint(3));
    must_note(other, checkpoint(4));
    const std::vector expected{checkpoint(4), checkpoint(3)};
    BOOST_TEST((one.checkpoints(9) == expected));
    BOOST_TEST((reader->checkpoints(9) == expected));
}

BOOST_AUTO_TEST_SUITE_END()
