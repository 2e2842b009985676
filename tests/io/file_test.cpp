// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/file, on the real file system in a directory of its own: flags, locks, sticky
// failure; and on the simulated disk: which calls are made again and which never are.
#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <perdure/io/file.hpp>
#include <perdure/tests/io/simulated_disk.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct real_directory {
    std::string path = "/tmp/perdure_file_XXXXXX";
    io::kernel_calls calls;
    io::file_system files{calls};

    real_directory() { BOOST_REQUIRE(::mkdtemp(path.data()) != nullptr); }
    real_directory(const real_directory&) = delete;
    real_directory& operator=(const real_directory&) = delete;
    ~real_directory() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string operator/(const char* name) const { return path + "/" + name; }
};

std::vector<std::byte> text(std::string_view letters) {
    const auto bytes = std::as_bytes(std::span(letters));
    return {bytes.begin(), bytes.end()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(io_file)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back_and_short_at_the_end) {
    real_directory folder;
    auto stream = folder.files.open(folder / "a", io::open_mode::create);
    BOOST_REQUIRE(stream);
    BOOST_REQUIRE(stream->write(text("hello"), 3));
    BOOST_REQUIRE(stream->sync());
    BOOST_TEST(stream->size().value() == 8U);
    std::vector<std::byte> back(10);
    BOOST_TEST(stream->read(back, 3).value() == 5U);
    back.resize(5);
    BOOST_TEST((back == text("hello")));
    BOOST_REQUIRE(stream->allocate(5000));
    BOOST_TEST(stream->size().value() == 5000U);
    BOOST_REQUIRE(stream->truncate(4));
    BOOST_TEST(stream->size().value() == 4U);
}

BOOST_AUTO_TEST_CASE(opening_says_what_stands_in_its_way) {
    real_directory folder;
    BOOST_TEST((folder.files.open(folder / "a", io::open_mode::read).error() == errc::not_found));
    BOOST_TEST(folder.files.last_error().find("No such file") != std::string::npos);
    BOOST_REQUIRE(folder.files.open(folder / "a", io::open_mode::create));
    BOOST_TEST((folder.files.open(folder / "a", io::open_mode::create).error() == errc::exists));
    std::filesystem::create_symlink(folder / "a", folder / "link");
    BOOST_TEST((folder.files.open(folder / "link", io::open_mode::read).error() == errc::io_error));
}

BOOST_AUTO_TEST_CASE(files_are_private_and_do_not_survive_exec) {
    real_directory folder;
    BOOST_REQUIRE(folder.files.make_directory(folder / "d"));
    BOOST_REQUIRE(folder.files.make_directory(folder / "d"));
    const auto stream = folder.files.open(folder / "d/a", io::open_mode::create);
    BOOST_REQUIRE(stream);
    struct stat facts {};
    BOOST_REQUIRE(::stat((folder / "d/a").c_str(), &facts) == 0);
    BOOST_TEST((facts.st_mode & 0777) == 0600U);
    BOOST_REQUIRE(::stat((folder / "d").c_str(), &facts) == 0);
    BOOST_TEST((facts.st_mode & 0777) == 0700U);
    bool seen = false;
    for (int descriptor = 3; descriptor < 64; ++descriptor) {
        struct stat other {};
        if (::fstat(descriptor, &other) != 0 || !S_ISREG(other.st_mode)) continue;
        if (std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor)) !=
            folder / "d/a") {
            continue;
        }
        seen = true;
        BOOST_TEST((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
    }
    BOOST_TEST(seen);
}

BOOST_AUTO_TEST_CASE(a_lock_excludes_other_open_files_and_dies_with_its_own) {
    real_directory folder;
    auto first = folder.files.open(folder / "lock", io::open_mode::open_or_create);
    auto second = folder.files.open(folder / "lock", io::open_mode::open_or_create);
    BOOST_REQUIRE((first && second));
    BOOST_TEST(first->try_lock(true).value());
    BOOST_TEST(!second->try_lock(true).value());
    BOOST_TEST(!second->try_lock(false).value());
    first->close();
    BOOST_TEST(second->try_lock(false).value());
}

BOOST_AUTO_TEST_CASE(names_change_and_are_listed_in_order) {
    real_directory folder;
    for (const char* name : {"c", "a", "b"}) {
        BOOST_REQUIRE(folder.files.open(folder / name, io::open_mode::create));
    }
    BOOST_REQUIRE(folder.files.rename(folder / "a", folder / "d"));
    BOOST_REQUIRE(folder.files.unlink(folder / "b"));
    BOOST_TEST((folder.files.unlink(folder / "b") == result<>(errc::not_found)));
    BOOST_REQUIRE(folder.files.sync_directory(folder.path));
    const auto names = folder.files.list(folder.path);
    BOOST_REQUIRE(names);
    BOOST_TEST((*names == std::vector<std::string>{"c", "d"}));
}

BOOST_AUTO_TEST_CASE(a_failed_or_short_write_is_for_good) {
    for (const fault_kind kind :
         {fault_kind::input_output, fault_kind::no_space, fault_kind::short_write}) {
        simulated_disk disk;
        io::file_system files(disk);
        auto stream = files.open("world/a", io::open_mode::create);
        BOOST_REQUIRE(stream);
        disk.plan({kind, disk.calls() + 1, false});
        const auto expected = kind == fault_kind::no_space ? errc::disk_full : errc::io_error;
        BOOST_TEST((stream->write(text("hello"), 0) == result<>(expected)));
        BOOST_TEST(stream->is_failed());
        const std::uint64_t calls = disk.calls();
        BOOST_TEST((stream->write(text("hello"), 0) == result<>(errc::durability_lost)));
        BOOST_TEST((stream->sync() == result<>(errc::durability_lost)));
        BOOST_TEST(disk.calls() == calls);
    }
}

BOOST_AUTO_TEST_CASE(a_failed_sync_is_never_tried_again_not_even_when_interrupted) {
    for (const fault_kind kind : {fault_kind::input_output, fault_kind::interrupted}) {
        simulated_disk disk;
        io::file_system files(disk);
        auto stream = files.open("world/a", io::open_mode::create);
        BOOST_REQUIRE(stream->write(text("hello"), 0));
        const std::uint64_t calls = disk.calls();
        disk.plan({kind, calls + 1, false});
        BOOST_TEST((stream->sync() == result<>(errc::io_error)));
        BOOST_TEST((stream->sync() == result<>(errc::durability_lost)));
        BOOST_TEST(disk.calls() == calls + 1);
        BOOST_TEST(!disk.is_synced("world/a"));
    }
}

BOOST_AUTO_TEST_CASE(an_interrupted_write_did_nothing_and_is_made_again_within_bounds) {
    simulated_disk disk;
    io::file_system files(disk);
    auto stream = files.open("world/a", io::open_mode::create);
    disk.plan({fault_kind::interrupted, disk.calls() + 1, false});
    BOOST_TEST(stream->write(text("hello"), 0).has_value());
    disk.plan({fault_kind::interrupted, disk.calls() + 1, true});
    BOOST_TEST((stream->write(text("hello"), 0) == result<>(errc::io_error)));
}

BOOST_AUTO_TEST_SUITE_END()
