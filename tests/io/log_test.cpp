// SPDX-License-Identifier: Apache-2.0
//
// Claims: an entry is one line whatever its texts hold; off a terminal and in the file lines are
// JSON, at a terminal they are words; what lies below the level is not written; the file is rotated
// by size.
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <perdure/io/log.hpp>

namespace {

using namespace perdure;

struct log_directory {
    std::string path = "/tmp/perdure_log_XXXXXX";

    log_directory() { BOOST_REQUIRE(::mkdtemp(path.data()) != nullptr); }
    log_directory(const log_directory&) = delete;
    log_directory& operator=(const log_directory&) = delete;
    ~log_directory() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file() const { return path + "/log/keeper.log"; }
};

/// Both ends of a pipe, or of a terminal.
struct ends {
    int ours = -1;
    int theirs = -1;

    explicit ends(bool terminal) {
        std::array<int, 2> pipe{};
        if (terminal) {
            BOOST_REQUIRE(::openpty(&ours, &theirs, nullptr, nullptr, nullptr) == 0);
        } else {
            BOOST_REQUIRE(::pipe(pipe.data()) == 0);
            ours = pipe[0], theirs = pipe[1];
        }
        ::fcntl(ours, F_SETFL, O_NONBLOCK);
    }
    ends(const ends&) = delete;
    ends& operator=(const ends&) = delete;
    ~ends() { ::close(ours), ::close(theirs); }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::array<char, 65536> room{};
        const auto got = ::read(ours, room.data(), room.size());
        std::istringstream text(std::string(room.data(), got > 0 ? static_cast<size_t>(got) : 0));
        std::vector<std::string> found;
        for (std::string line; std::getline(text, line);) found.push_back(line);
        return found;
    }
};

io::log_options to(const ends& where) {
    io::log_options options;
    options.terminal = where.theirs;
    return options;
}

const std::string awkward = "a \"quoted\"\nline\t\\ {0} \x01 %v ü";

}  // namespace

BOOST_AUTO_TEST_SUITE(io_log)

BOOST_AUTO_TEST_CASE(off_a_terminal_each_entry_is_one_json_object) {
    const ends pipe(false);
    io::log log(to(pipe));
    log.note(awkward, {{"path", awkward}, {"count", 12}});
    log.error("second");
    const auto lines = pipe.lines();
    BOOST_REQUIRE(lines.size() == 2U);
    const auto entry = boost::json::parse(lines[0]).as_object();
    BOOST_TEST(entry.at("message").as_string() == awkward);
    BOOST_TEST(entry.at("path").as_string() == awkward);
    BOOST_TEST(entry.at("count").as_int64() == 12);
    BOOST_TEST(entry.at("level").as_string() == "info");
    BOOST_TEST(entry.at("pid").as_int64() == ::getpid());
    const std::string time(entry.at("time").as_string());
    BOOST_TEST(time.size() == 27U, time);
    BOOST_TEST(boost::json::parse(lines[1]).as_object().at("level").as_string() == "error");
}

BOOST_AUTO_TEST_CASE(at_a_terminal_each_entry_is_one_line_of_words) {
    if (::access("/dev/pts/ptmx", F_OK) != 0) {
        BOOST_TEST_MESSAGE("SKIPPED, no /dev/pts here: what the log looks like at a terminal");
        return;
    }
    const ends terminal(true);
    io::log log(to(terminal));
    log.warn(awkward, {{"path", awkward}, {"plain", "word"}, {"count", 12}});
    const auto lines = terminal.lines();
    BOOST_REQUIRE(lines.size() == 1U);
    BOOST_TEST((lines[0].find("warn ") != std::string::npos), lines[0]);
    BOOST_TEST((lines[0].find("plain=word  count=12") != std::string::npos), lines[0]);
    BOOST_TEST((lines[0].front() != '{'), lines[0]);
}

BOOST_AUTO_TEST_CASE(what_lies_below_the_level_is_not_written) {
    const ends pipe(false);
    io::log_options options = to(pipe);
    options.least = io::level_named("warn");
    io::log log(options);
    log.debug("no");
    log.note("no");
    log.warn("yes");
    BOOST_TEST(pipe.lines().size() == 1U);
    options.least = io::log_level::off;
    io::log(options).error("no");
    BOOST_TEST(pipe.lines().empty());
}

BOOST_AUTO_TEST_CASE(the_file_is_rotated_by_size_and_loses_no_recent_entry) {
    const log_directory place;
    const ends pipe(false);
    io::log_options options = to(pipe);
    options.file = place.file();
    options.rotate_bytes = 4096;
    options.rotate_count = 2;
    io::log log(options);
    for (int entry = 0; entry < 200; ++entry) {
        log.note("entry", {{"number", entry}});
        static_cast<void>(pipe.lines());  // A full pipe would hold us up.
    }
    std::vector<std::int64_t> numbers;
    std::size_t files = 0;
    for (const char* name : {"keeper.2.log", "keeper.1.log", "keeper.log"}) {
        const std::string path = place.path + "/log/" + name;
        BOOST_TEST(std::filesystem::exists(path), path);
        BOOST_TEST(std::filesystem::file_size(path) <= 4096U);
        ++files;
        std::ifstream stream(path);
        for (std::string line; std::getline(stream, line);) {
            numbers.push_back(boost::json::parse(line).as_object().at("number").as_int64());
        }
    }
    BOOST_TEST(files == 3U);
    BOOST_TEST(numbers.back() == 199);
    for (std::size_t i = 1; i < numbers.size(); ++i) BOOST_TEST(numbers[i] == numbers[i - 1] + 1);
    BOOST_TEST(!std::filesystem::exists(place.path + "/log/keeper.3.log"));
}

BOOST_AUTO_TEST_CASE(a_log_file_that_cannot_be_made_is_refused) {
    io::log_options options;
    options.file = "/proc/perdure/keeper.log";
    try {
        const io::log log(options);
        BOOST_ERROR("nothing was refused");
    } catch (const failure& why) {
        BOOST_TEST((why.reason() == errc::io_error));
        BOOST_TEST((why.thing().find(options.file) != std::string::npos), why.thing());
    }
}

BOOST_AUTO_TEST_SUITE_END()
