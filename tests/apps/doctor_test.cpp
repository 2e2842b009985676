// SPDX-License-Identifier: Apache-2.0
//
// Claims: a disk that answers faster than disks can, memory in a disk's place, and mounts without
// barriers are called bad, a slow disk is only worth a look (by figures given to the verdict); each
// verdict that is not ok says what to do.
#include <boost/test/unit_test.hpp>

#include <filesystem>

#include <perdure/apps/doctor/check.hpp>

namespace {

using namespace perdure;
using apps::health;

health verdict(double median_us, const std::string& mount) {
    const auto found = apps::judge_sync({median_us, median_us * 3}, "/world", mount);
    BOOST_TEST((found.found == health::ok) == found.todo.empty());
    BOOST_TEST(found.seen.find("/world") != std::string::npos);
    return found.found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(apps_doctor)

BOOST_AUTO_TEST_CASE(a_disk_that_answers_too_fast_is_not_believed) {
    BOOST_TEST((verdict(4, "ext4 on /dev/vda1, rw") == health::bad));
    BOOST_TEST((verdict(300, "ext4 on /dev/vda1, rw") == health::ok));
    BOOST_TEST((verdict(300, "") == health::ok));
    BOOST_TEST((verdict(60'000, "ext4 on /dev/sda1, rw") == health::warn));
    BOOST_TEST((verdict(300, "tmpfs on none, rw") == health::bad));
    BOOST_TEST((verdict(300, "ext4 on /dev/vda1, rw,nobarrier") == health::bad));
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_written_is_said) {
    const auto found = apps::check_disk_sync("/proc/no-such-folder");
    BOOST_TEST((found.found == health::bad));
    BOOST_TEST(found.seen.find("No such file") != std::string::npos, found.seen);
}

BOOST_AUTO_TEST_CASE(a_measurement_leaves_nothing_behind) {
    const auto folder =
        std::filesystem::temp_directory_path() / ("perdure-doctor-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    BOOST_TEST(apps::check_disk_sync(folder).seen.find("µs") != std::string::npos);
    BOOST_TEST(std::filesystem::is_empty(folder));
    std::filesystem::remove(folder);
}

BOOST_AUTO_TEST_CASE(every_check_of_the_machine_says_what_was_seen_and_what_to_do) {
    const auto all = apps::check_machine({});
    BOOST_TEST(all.size() >= 9U);
    for (const auto& each : all) {
        BOOST_TEST(!each.seen.empty(), each.name);
        BOOST_TEST((each.found == health::ok) == each.todo.empty(), each.name);
    }
    BOOST_TEST(!apps::mount_of("/dev/shm").empty());
}

BOOST_AUTO_TEST_SUITE_END()
