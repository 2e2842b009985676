// SPDX-License-Identifier: Apache-2.0
//
// Claims: after a power cut the files hold what they held at their last sync, byte for byte, in
// whatever order writes overlapped; a rename takes the notes along; a sync strikes out only its own
// file's; a held sync begins only when the next hold comes; filling with zeros costs no note; a
// latency's bucket holds it.
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include <perdure/apps/demo/stage.hpp>

namespace {

using namespace perdure;

struct rig {
    std::string folder = "/tmp/perdure_unsynced_XXXXXX";
    apps::shared_page page = apps::shared_page::make(sizeof(apps::unsynced_page));
    std::unique_ptr<apps::noting_calls> calls;
    std::unique_ptr<io::file_system> files;

    rig() {
        BOOST_REQUIRE(::mkdtemp(folder.data()) != nullptr);
        std::filesystem::create_directory(folder + "/journal");
        calls = std::make_unique<apps::noting_calls>(notes(), folder);
        files = std::make_unique<io::file_system>(*calls);
    }
    rig(const rig&) = delete;
    rig& operator=(const rig&) = delete;
    ~rig() { std::filesystem::remove_all(folder); }

    [[nodiscard]] apps::unsynced_page& notes() const { return page.as<apps::unsynced_page>(); }
    [[nodiscard]] std::string name(const char* file) const { return folder + "/journal/" + file; }
    io::file open(const char* file) {
        return files->open(name(file), io::open_mode::open_or_create).value();
    }
    [[nodiscard]] std::string content(const char* file) const {
        std::ostringstream text;
        text << std::ifstream(name(file)).rdbuf();
        return text.str();
    }
};

void put(io::file& into, std::uint64_t at, std::string_view text) {
    BOOST_REQUIRE(into.write(std::as_bytes(std::span(text)), at).has_value());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(apps_unsynced)

BOOST_AUTO_TEST_CASE(only_what_was_synced_is_left) {
    rig r;
    io::file one = r.open("one");
    put(one, 0, "hello, world");
    BOOST_TEST(apps::has_unsynced(r.notes()));
    BOOST_REQUIRE(one.sync().has_value());
    BOOST_TEST(!apps::has_unsynced(r.notes()));
    put(one, 0, "HELLO");
    put(one, 3, "lo, there");
    put(one, 12, "!!");
    const auto gone = apps::drop_unsynced(r.notes());
    BOOST_TEST(gone.writes == 3U);
    BOOST_TEST(gone.bytes == 16U);
    BOOST_TEST(r.content("one") == std::string("hello, world\0\0", 14));
}

BOOST_AUTO_TEST_CASE(a_sync_covers_its_own_file_and_a_rename_takes_notes_along) {
    rig r;
    io::file one = r.open("one");
    io::file two = r.open("two");
    put(one, 0, "one");
    put(two, 0, "two");
    BOOST_REQUIRE(two.rename(r.name("three")).has_value());
    BOOST_REQUIRE(one.sync().has_value());
    BOOST_TEST(apps::has_unsynced(r.notes()));
    apps::drop_unsynced(r.notes());
    BOOST_TEST(r.content("one") == "one");
    BOOST_TEST(r.content("three") == std::string(3, '\0'));
    BOOST_REQUIRE(two.sync().has_value());
    BOOST_TEST(r.notes().used == 0U);
}

BOOST_AUTO_TEST_CASE(a_held_sync_begins_when_the_next_hold_comes) {
    rig r;
    io::file one = r.open("one");
    put(one, 0, "one");
    apps::hold_syncs(r.notes(), 1);
    std::atomic<bool> is_over{false};
    std::thread syncs([&] {
        PERDURE_ASSERT(one.sync().has_value());
        is_over = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    BOOST_TEST(!is_over);
    BOOST_TEST(apps::has_unsynced(r.notes()));
    apps::hold_syncs(r.notes(), 2);
    syncs.join();
    BOOST_TEST(!apps::has_unsynced(r.notes()));
    BOOST_TEST(one.sync().has_value());  // Nothing unsynced: no hold.
}

BOOST_AUTO_TEST_CASE(zeros_over_zeros_and_files_elsewhere_are_not_noted) {
    rig r;
    io::file one = r.open("one");
    put(one, 0, std::string(8192, '\0'));
    BOOST_TEST(r.notes().used == 0U);
    const std::string elsewhere = r.folder + ".elsewhere";
    auto other = r.files->open(elsewhere, io::open_mode::open_or_create);
    BOOST_REQUIRE(other.has_value());
    // The folder's name is a prefix of it, but it does not lie in the folder.
    put(*other, 0, "text");
    BOOST_TEST(r.notes().used == 0U);
    std::filesystem::remove(elsewhere);
}

BOOST_AUTO_TEST_CASE(any_mix_of_writes_and_syncs_comes_back_as_it_was_synced) {
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        rig r;
        std::mt19937 dice(seed);
        io::file one = r.open("one");
        std::string now(600, '\0');
        std::string synced = now;
        put(one, 0, now);
        for (int step = 0; step < 40; ++step) {
            if (dice() % 6 == 0) {
                BOOST_REQUIRE(one.sync().has_value());
                synced = now;
                continue;
            }
            const std::size_t at = dice() % 500;
            const std::string text(1 + dice() % 99,
                                   static_cast<char>(dice() % 3 == 0 ? 0 : dice()));
            put(one, at, text);
            now.replace(at, text.size(), text);
        }
        BOOST_TEST(r.content("one") == now);
        apps::drop_unsynced(r.notes());
        BOOST_TEST(r.content("one") == synced, "seed " << seed);
    }
}

BOOST_AUTO_TEST_CASE(a_latency_lies_in_its_bucket) {
    for (std::uint64_t ns = 0; ns < 1ULL << 38; ns += 1 + ns / 7) {
        const auto bucket = apps::latency_counts::bucket_of(ns);
        BOOST_TEST(bucket < apps::latency_counts::buckets);
        const double end = apps::latency_counts::upper_end(bucket);
        BOOST_TEST(static_cast<double>(ns) <= end);
        BOOST_TEST(end <= static_cast<double>(ns) * 1.25 + 1);
    }
}

BOOST_AUTO_TEST_SUITE_END()
