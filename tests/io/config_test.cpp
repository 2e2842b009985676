// SPDX-License-Identifier: Apache-2.0
//
// Claims: file, variables and assignments override each other in that order, and each value knows
// who said it; an unknown key or section, a value out of range, a broken file is refused with
// place, cause and the nearest key; what print() writes is read back as the same configuration.
#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <perdure/io/config.hpp>

namespace {

using namespace perdure;

struct toml_file {
    std::string path = "/tmp/perdure_config_XXXXXX";

    explicit toml_file(const std::string& text) {
        ::close(::mkstemp(path.data()));
        std::ofstream(path) << text;
    }
    toml_file(const toml_file&) = delete;
    toml_file& operator=(const toml_file&) = delete;
    ~toml_file() { std::filesystem::remove(path); }
};

/// Runs `work`, which must throw a bad_setting, and answers its words.
template <class Work>
std::string refused(Work&& work) {
    try {
        work();
    } catch (const failure& why) {
        BOOST_TEST((why.reason() == errc::bad_setting));
        return why.thing() + " | " + why.todo();
    }
    BOOST_ERROR("nothing was refused");
    return {};
}

std::string refused_file(const std::string& text) {
    const toml_file file(text);
    const std::string words = refused([&] { io::config().read_file(file.path); });
    BOOST_TEST(words.find(file.path) == 0U, words);
    return words;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(io_config)

BOOST_AUTO_TEST_CASE(the_standard_is_what_the_table_says) {
    const io::config config;
    BOOST_TEST(config.number("region.capacity") == 8ULL << 30);
    BOOST_TEST(config.number("region.slots") == 64U);
    BOOST_TEST(config.text("log.level") == "info");
    BOOST_TEST(config.origin("log.level") == "standard");
}

BOOST_AUTO_TEST_CASE(an_absent_file_changes_nothing) {
    io::config config;
    config.read_file("/tmp/perdure_config_that_is_not_there");
    BOOST_TEST(config.print() == io::config().print());
}

BOOST_AUTO_TEST_CASE(the_last_of_file_variable_and_assignment_wins) {
    const toml_file file("[region]\nring = \"1MiB\"\nundo = 65536\nslots = 8\n");
    io::config config;
    config.read_file(file.path);
    BOOST_TEST(config.number("region.ring") == 1U << 20);
    BOOST_TEST(config.number("region.undo") == 65536U);
    BOOST_TEST(config.origin("region.ring") == file.path + ":2");

    config.read_environment(std::array{"PERDURE_REGION_RING=2MiB", "PERDURE_REGION_UNDO=32KiB",
                                       "PERDURE_LOG_ROTATE_BYTES=1MiB", "PERDURE_BIN=/elsewhere",
                                       "HOME=/root"});
    BOOST_TEST(config.number("region.ring") == 2U << 20);
    BOOST_TEST(config.number("log.rotate_bytes") == 1U << 20);
    BOOST_TEST(config.origin("region.ring") == "PERDURE_REGION_RING");

    config.assign("region.ring=4 MiB");
    BOOST_TEST(config.number("region.ring") == 4U << 20);
    BOOST_TEST(config.number("region.undo") == 32U << 10);
    BOOST_TEST(config.number("region.slots") == 8U);
    BOOST_TEST(config.origin("region.ring") == "command line");
}

BOOST_AUTO_TEST_CASE(an_unknown_key_is_refused_with_its_line_and_the_nearest_key) {
    const std::string words = refused_file("[region]\ncapcity = \"1GiB\"\n");
    BOOST_TEST(holds(words, ":2: no key is called region.capcity"), words);
    BOOST_TEST(holds(words, "did you mean region.capacity?"), words);
    BOOST_TEST(holds(refused_file("[regoin]\n"), "regoin"));
    BOOST_TEST(holds(refused_file("capacity = 1\n"), "no key is called capacity"));

    const std::string variable =
        refused([] { io::config().read_environment(std::array{"PERDURE_JOURNAL_SEGMNT=1MiB"}); });
    BOOST_TEST(holds(variable, "PERDURE_JOURNAL_SEGMNT: no key is called journal.segmnt"),
               variable);
    BOOST_TEST(holds(variable, "journal.segment"), variable);

    const std::string far = refused([] { io::config().assign("zzz=1"); });
    BOOST_TEST(holds(far, "world.toml"), far);
    BOOST_TEST(holds(refused([] { io::config().assign("region.ring"); }), "KEY=VALUE"));
}

BOOST_AUTO_TEST_CASE(a_value_outside_its_range_is_refused_and_changes_nothing) {
    io::config config;
    for (const char* bad :
         {"region.capacity=1MiB", "region.capacity=17TiB", "region.ring=3MiB", "region.ring=-1",
          "region.ring=", "region.ring=1MB", "region.undo=16385", "region.slots=1",
          "region.slots=1KiB", "region.slots=1025", "region.directory=here", "log.level=loud",
          "log.file=../x", "region.capacity=99999999999999999999",
          "region.capacity=18014398509481985KiB"}) {
        const std::string words = refused([&] { config.assign(bad); });
        BOOST_TEST(holds(words, "command line: "), words);
        BOOST_TEST(holds(words, "give "), words);
    }
    BOOST_TEST(config.print() == io::config().print());
    BOOST_TEST(holds(refused_file("[region]\nslots = 2.5\n"), "whole number"));
    BOOST_TEST(holds(refused_file("[region]\nslots = -2\n"), "whole number"));
    BOOST_TEST(holds(refused_file("[region]\nslots = [2]\n"), "whole number"));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_toml_is_refused_with_its_line) {
    BOOST_TEST(holds(refused_file("[region]\nring = \n"), ":2:"));
    BOOST_TEST(holds(refused_file("[region]\nring = \"1MiB\"\nring = \"2MiB\"\n"), ":3:"));
}

BOOST_AUTO_TEST_CASE(what_is_printed_is_read_back) {
    io::config config;
    config.assign("region.directory=/a \"place\"\\here");
    config.assign("region.slots=012");
    config.assign("log.level=warn");
    const toml_file file(config.print());
    io::config again;
    again.read_file(file.path);
    BOOST_TEST(again.print() == config.print());
    BOOST_TEST(again.text("region.directory") == "/a \"place\"\\here");
    BOOST_TEST(again.number("region.slots") == 12U);
    BOOST_TEST(again.origin("region.ring") == "standard");
}

BOOST_AUTO_TEST_CASE(text_that_no_file_can_hold_is_refused) {
    io::config config;
    for (const char* bad : {"\x01", "a\tb", "a\x7f", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf",
                            "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82"}) {
        const std::string words = refused([&] { config.assign(std::string("log.file=") + bad); });
        BOOST_TEST(holds(words, "UTF-8"), words);
    }
    config.assign("log.file=\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9f.log");
    const toml_file file(config.print());
    io::config again;
    again.read_file(file.path);
    BOOST_TEST(again.text("log.file") == config.text("log.file"));
}

BOOST_AUTO_TEST_CASE(bytes_are_printed_as_they_are_read) {
    for (const std::uint64_t bytes : {0ULL, 1ULL, 4097ULL, 1ULL << 10, 3ULL << 20, 5ULL << 40}) {
        const auto read = io::parse_bytes(io::print_bytes(bytes));
        BOOST_TEST(read.has_value());
        BOOST_TEST(*read == bytes);
    }
    BOOST_TEST((io::parse_bytes("20000000000 GiB").error() == errc::overflow));
    BOOST_TEST((io::parse_bytes("GiB").error() == errc::bad_setting));
}

BOOST_AUTO_TEST_CASE(a_span_is_said_in_milliseconds_or_more) {
    io::config config;
    BOOST_TEST(config.number("clock.tick") == 1000U);
    for (const auto& [text, milliseconds] : {std::pair{"100ms", 100U},
                                             {"10", 10U},
                                             {"2s", 2000U},
                                             {"5min", 300'000U},
                                             {"1h", 3'600'000U}}) {
        config.assign(std::string("clock.tick=") + text);
        BOOST_TEST(config.number("clock.tick") == milliseconds);
    }
    const std::string before = config.print();
    for (const char* bad :
         {"clock.tick=9ms", "clock.tick=3600001ms", "clock.tick=1d", "clock.tick=0.1s",
          "clock.tick=", "clock.missed=coarse", "clock.missed_max=10ms", "clock.missed_max=367d"}) {
        const std::string words = refused([&] { config.assign(bad); });
        BOOST_TEST(holds(words, "give "), words);
    }
    BOOST_TEST(holds(refused([&] { config.assign("clock.tick=1ms"); }), "give 10ms to 1h"));
    BOOST_TEST(config.print() == before);
    for (const std::uint64_t each : {0U, 1U, 999U, 1000U, 1500U, 60'000U, 86'400'000U}) {
        BOOST_TEST(io::parse_milliseconds(io::print_milliseconds(each)).value() == each);
    }
    BOOST_TEST(io::print_milliseconds(1500) == "1500ms");
    BOOST_TEST((io::parse_milliseconds("18446744073709551615s").error() == errc::overflow));
}

BOOST_AUTO_TEST_SUITE_END()
