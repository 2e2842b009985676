// SPDX-License-Identifier: Apache-2.0
//
// Claims: a file has its name when all of it is durable, and not before; whatever call fails, no
// half file is left, what bore the name is as it was, and the refusal says what happened (on the
// simulated disk, failing at the n-th call until none is left to fail).
#include <boost/test/unit_test.hpp>

#include <perdure/apps/export/sink.hpp>
#include <perdure/tests/io/simulated_disk.hpp>

namespace {

using namespace perdure;
using tests::fault_kind;

const std::string path = "world/export.csv";

std::string content(tests::simulated_disk& disk, const std::string& name) {
    io::file_system files(disk);
    auto stream = files.open(name, io::open_mode::read);
    if (!stream) return "none";
    std::string text(stream->size().value(), '\0');
    static_cast<void>(stream->read(std::as_writable_bytes(std::span(text)), 0));
    return text;
}

std::vector<std::string> names(tests::simulated_disk& disk) {
    io::file_system files(disk);
    return files.list("world").value();
}

void write(tests::simulated_disk& disk, const std::string& text) {
    apps::file_sink to(disk, path);
    for (const char each : text) to.add(std::string(100, each));
    to.finish();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(apps_export)

BOOST_AUTO_TEST_CASE(a_file_appears_when_it_is_whole) {
    tests::simulated_disk disk;
    {
        apps::file_sink to(disk, path);
        to.add(std::string(1 << 20, 'x'));
        BOOST_TEST(content(disk, path) == "none");
        to.finish();
        BOOST_TEST(to.bytes() == 1U << 20);
    }
    BOOST_TEST(content(disk, path).size() == 1U << 20);
    BOOST_TEST(names(disk).size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_not_finished_is_not_there) {
    tests::simulated_disk disk;
    { apps::file_sink(disk, path).add(std::string(1 << 20, 'x')); }
    BOOST_TEST(names(disk).empty());
}

BOOST_AUTO_TEST_CASE(no_failure_leaves_a_half_file) {
    for (const auto kind : {fault_kind::no_space, fault_kind::input_output}) {
        std::uint64_t refused = 0;
        for (std::uint64_t call = 1;; ++call) {
            tests::simulated_disk disk;
            write(disk, "old");
            disk.plan({kind, disk.calls() + call, false});
            try {
                write(disk, std::string(9000, 'n'));
                if (!disk.has_faulted()) break;
            } catch (const failure& why) {
                ++refused;
                BOOST_TEST(why.thing().find("export.csv") != std::string::npos, why.thing());
                const bool full = why.reason() == errc::disk_full;
                BOOST_TEST(
                    (full || kind != fault_kind::no_space || why.reason() == errc::io_error));
            }
            disk.heal();
            BOOST_TEST(names(disk).size() == 1U, "call " << call << " left a part");
            const auto there = content(disk, path);
            BOOST_TEST((there.size() == 300 || there.size() == 900'000),
                       "call " << call << " left " << there.size() << " bytes");
        }
        BOOST_TEST(refused >= 4U);
    }
}

BOOST_AUTO_TEST_SUITE_END()
