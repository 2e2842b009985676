// SPDX-License-Identifier: Apache-2.0
//
// Claims: a plugin is stored once under its hash, read-only, and found by it; what is no plugin is
// not stored; a copy that was changed is refused and replaced by the next add; whichever call of
// the disk fails, and however full it is, add says so, leaves no temporary file, and succeeds the
// next time; what add answered survives a power cut.
#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <perdure/plugins/host/store.hpp>
#include <perdure/tests/io/simulated_disk.hpp>

namespace {

using namespace perdure;
namespace fs = std::filesystem;

std::string sample(const std::string& name) {
    const char* const folder = std::getenv("PERDURE_SAMPLES");
    BOOST_REQUIRE_MESSAGE(folder != nullptr, "run through ctest, which sets PERDURE_SAMPLES");
    return std::string(folder) + '/' + name + ".so";
}

struct place {
    std::string path = "/tmp/perdure_store_XXXXXX";
    place() { BOOST_REQUIRE((::mkdtemp(path.data()) != nullptr)); }
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() { fs::remove_all(path); }
};

errc reason_of(auto&& work) {
    try {
        work();
    } catch (const failure& why) {
        BOOST_TEST(!why.todo().empty());
        return why.reason();
    }
    return errc{};
}

std::size_t temporaries(const tests::simulated_disk& disk) {
    const auto paths = disk.paths();
    return static_cast<std::size_t>(std::count_if(
        paths.begin(), paths.end(), [](const auto& path) { return path.ends_with(".adding"); }));
}

const std::string stored_name = "world/plugins/";

}  // namespace

BOOST_AUTO_TEST_SUITE(plugins_store)

BOOST_AUTO_TEST_CASE(a_plugin_is_stored_once_and_read_only) {
    const place world;
    io::kernel_calls calls;
    io::file_system files(calls);
    plugins::store kept(files, world.path);
    const auto added = kept.add(sample("sample_tick"));
    BOOST_TEST(added.what.id == "org.example.tick");
    const std::string path = kept.path_of(added.hash);
    BOOST_TEST(path == world.path + "/plugins/" + added.hash + ".so");
    struct stat before {};
    BOOST_REQUIRE(::stat(path.c_str(), &before) == 0);
    BOOST_TEST((before.st_mode & 0333U) == 0U);
    BOOST_TEST(plugins::inspect(path).hash == added.hash);

    BOOST_TEST(kept.add(sample("sample_tick")).hash == added.hash);
    struct stat after {};
    BOOST_REQUIRE(::stat(path.c_str(), &after) == 0);
    BOOST_TEST(after.st_ino == before.st_ino);
    const auto other = kept.add(sample("sample_sink"));
    BOOST_TEST(kept.path_of(other.hash) != path);
}

BOOST_AUTO_TEST_CASE(what_is_no_plugin_or_not_there_is_refused) {
    const place world;
    io::kernel_calls calls;
    io::file_system files(calls);
    plugins::store kept(files, world.path);
    BOOST_TEST((reason_of([&] { kept.add(sample("sample_no_entry")); }) == errc::bad_plugin));
    BOOST_TEST(!fs::exists(world.path + "/plugins"));
    BOOST_TEST((reason_of([&] { kept.add(world.path + "/none.so"); }) == errc::io_error));
    for (const std::string& hash :
         {std::string(64, 'a'), std::string("../../etc"), std::string()}) {
        BOOST_TEST(
            (reason_of([&] { static_cast<void>(kept.path_of(hash)); }) == errc::unknown_plugin));
    }
    plugins::store nowhere(files, world.path + "/no/world");
    BOOST_TEST((reason_of([&] { nowhere.add(sample("sample_tick")); }) == errc::io_error));
}

BOOST_AUTO_TEST_CASE(a_copy_that_was_changed_is_refused_and_replaced) {
    const place world;
    io::kernel_calls calls;
    io::file_system files(calls);
    plugins::store kept(files, world.path);
    const std::string hash = kept.add(sample("sample_tick")).hash;
    const std::string path = kept.path_of(hash);
    for (const bool cut : {false, true}) {
        fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
        if (cut) {
            fs::resize_file(path, fs::file_size(path) - 1);
        } else {
            std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
            stream.seekp(5000);
            stream.put('!');
        }
        BOOST_TEST((reason_of([&] { static_cast<void>(kept.path_of(hash)); }) == errc::damaged));
        BOOST_TEST(kept.add(sample("sample_tick")).hash == hash);
        BOOST_TEST(kept.path_of(hash) == path);
    }
}

BOOST_AUTO_TEST_CASE(a_second_process_that_adds_is_told_so) {
    const place world;
    io::kernel_calls calls;
    io::file_system files(calls);
    plugins::store kept(files, world.path);
    kept.add(sample("sample_tick"));
    {
        auto lock = files.open(world.path + "/plugins/lock", io::open_mode::read_write).value();
        BOOST_REQUIRE(lock.try_lock(true).value());
        BOOST_TEST((reason_of([&] { kept.add(sample("sample_sink")); }) == errc::busy));
    }
    kept.add(sample("sample_sink"));
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_named_and_nothing_is_left) {
    tests::simulated_disk disk;
    io::file_system files(disk);
    plugins::store kept(files, "world");
    disk.hold(4096);
    BOOST_TEST((reason_of([&] { kept.add(sample("sample_tick")); }) == errc::disk_full));
    BOOST_TEST(temporaries(disk) == 0U);
    BOOST_TEST(disk.used() <= 4096U);
    disk.hold(~0ULL);
    const std::string hash = kept.add(sample("sample_tick")).hash;
    BOOST_TEST(kept.path_of(hash) == stored_name + hash + ".so");
}

BOOST_AUTO_TEST_CASE(whichever_call_fails_it_is_said_and_the_next_add_succeeds) {
    const std::string file = sample("sample_sink");
    const std::string hash = plugins::inspect(file).hash;
    using tests::fault_kind;
    for (const auto kind :
         {fault_kind::input_output, fault_kind::no_space, fault_kind::short_write}) {
        std::uint64_t failed = 0;
        for (std::uint64_t call = 1;; ++call) {
            BOOST_REQUIRE(call < 1000U);
            tests::simulated_disk disk;
            io::file_system files(disk);
            plugins::store kept(files, "world");
            disk.plan({kind, call, false});
            const errc reason = reason_of([&] { kept.add(file); });
            if (call > disk.calls()) break;
            disk.heal();
            if (reason != errc{}) {
                ++failed;
                const bool is_named = reason == errc::io_error || reason == errc::disk_full;
                BOOST_TEST(is_named, "call " << call);
            }
            kept.add(file);
            BOOST_TEST(temporaries(disk) == 0U, "after call " << call);
            BOOST_TEST(kept.path_of(hash) == stored_name + hash + ".so");
        }
        BOOST_TEST(failed >= 1U);
    }
}

BOOST_AUTO_TEST_CASE(what_add_answered_survives_a_power_cut) {
    const std::string file = sample("sample_sink");
    tests::simulated_disk disk;
    io::file_system files(disk);
    const std::string hash = plugins::store(files, "world").add(file).hash;
    std::mt19937_64 random(11);
    for (std::size_t changes = 0; changes <= disk.changes(); ++changes) {
        for (const auto how : tests::all_losses) {
            auto left = disk.after_power_loss(changes, how, random);
            io::file_system again(left);
            plugins::store kept(again, "world");
            // Whole or not there; once add had answered, whole.
            const errc reason = reason_of([&] { static_cast<void>(kept.path_of(hash)); });
            const bool is_whole = reason == errc{};
            BOOST_TEST((is_whole || reason == errc::unknown_plugin), "after change " << changes);
            if (changes == disk.changes()) BOOST_TEST(is_whole);
            kept.add(file);
            BOOST_TEST(temporaries(left) == 0U);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
