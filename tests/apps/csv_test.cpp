// SPDX-License-Identifier: Apache-2.0
//
// Claims: RFC 4180 is read as written, with either line end, packed or not, across any buffer
// border; what is broken is said to be and the next record is whole again.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>

#include <perdure/apps/import/csv.hpp>
#include <perdure/tests/apps/text_file.hpp>

namespace {

using namespace perdure;
using tests::text_file;
using records = std::vector<std::vector<std::string>>;

records read_all(const std::string& text) {
    const text_file file(text);
    apps::csv_reader reader(file.path);
    records found;
    while (reader.next()) {
        BOOST_TEST(reader.broken() == "");
        found.emplace_back(reader.fields().begin(), reader.fields().end());
    }
    return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(apps_csv)

BOOST_AUTO_TEST_CASE(plain_and_quoted_fields_are_read_with_either_line_end) {
    const records wanted{{"a", "b", ""}, {"1", "x,y", "say \"hi\""}, {"2\n3", "", "z"}};
    BOOST_TEST((read_all("a,b,\n1,\"x,y\",\"say \"\"hi\"\"\"\n\"2\n3\",,z\n") == wanted));
    BOOST_TEST((read_all("a,b,\r\n1,\"x,y\",\"say \"\"hi\"\"\"\r\n\"2\n3\",,z") == wanted));
    BOOST_TEST((read_all("\xef\xbb\xbf"
                         "a\n\n\r\nb") == records{{"a"}, {"b"}}));
    BOOST_TEST(read_all("").empty());
    BOOST_TEST((read_all("a\rb,c\r") == records{{"a\rb", "c"}}));
}

BOOST_AUTO_TEST_CASE(a_record_knows_its_line_and_a_broken_one_spoils_no_other) {
    const text_file file("h\n\"two\nlines\"\n\"x\"y\n" + std::string(70'000, 'l') +
                         "\nlast\n\"open\n");
    apps::csv_reader reader(file.path);
    struct {
        std::uint64_t line;
        std::string_view broken;
    } const wanted[]{{1, ""},
                     {2, ""},
                     {4, "text behind a closing quote"},
                     {5, "longer than 64 KiB"},
                     {6, ""},
                     {7, "a quote is never closed"}};
    for (const auto& each : wanted) {
        BOOST_REQUIRE(reader.next());
        BOOST_TEST(reader.line() == each.line);
        BOOST_TEST(reader.broken() == each.broken);
    }
    BOOST_TEST(!reader.next());
}

BOOST_AUTO_TEST_CASE(records_across_buffer_borders_are_whole) {
    std::string text;
    records wanted;
    for (int i = 0; i < 30'000; ++i) {
        wanted.push_back({std::to_string(i), std::string(static_cast<std::size_t>(i % 17), 'q')});
        text += wanted.back()[0] + ",\"" + wanted.back()[1] + "\"\r\n";
    }
    BOOST_TEST((read_all(text) == wanted));
}

BOOST_AUTO_TEST_CASE(a_packed_file_reads_as_the_plain_one_and_its_half_is_damaged) {
    std::string text = "from,to,amount\n";
    for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + ",b,1\n";
    const text_file plain(text);
    const std::string packed = plain.path + ".zst";
    // NOLINTNEXTLINE(cert-env33-c): the packer is a program; the path is this test's own.
    BOOST_REQUIRE(std::system(("zstd -q -f " + plain.path).c_str()) == 0);
    apps::csv_reader reader(packed);
    std::uint64_t count = 0;
    while (reader.next()) ++count;
    BOOST_TEST(count == 100'001U);

    std::filesystem::resize_file(packed, std::filesystem::file_size(packed) / 2);
    apps::csv_reader half(packed);
    BOOST_CHECK_EXCEPTION(while (half.next()) continue, failure,
                          [](const failure& why) { return why.reason() == errc::damaged; });
    std::filesystem::remove(packed);
}

BOOST_AUTO_TEST_SUITE_END()
