// SPDX-License-Identifier: Apache-2.0
//
// Claims: docs/errors.md has one row for every errc, with its number, its name and the very words
// of remedy(), what it means and who answers it; and no row for any other (by asking name() about
// every number there can be, and by reading the table as people do).
#include <perdure/shm/error.hpp>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

using perdure::errc;

namespace {

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(' ');
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// The cells between the bars.
std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells;
    for (std::size_t from = line.find('|'); from != std::string::npos;) {
        const auto next = line.find('|', from + 1);
        if (next == std::string::npos) break;
        cells.push_back(trimmed(line.substr(from + 1, next - from - 1)));
        from = next;
    }
    return cells;
}

/// Rows by number: name, what to do, what it means, who answers it.
std::map<int, std::vector<std::string>> catalogue() {
    const char* source = std::getenv("PERDURE_SOURCE");
    BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest: PERDURE_SOURCE is not set");
    std::ifstream file(std::string(source) + "/docs/errors.md");
    BOOST_REQUIRE(file.is_open());
    std::map<int, std::vector<std::string>> rows;
    for (std::string line; std::getline(file, line);) {
        auto cells = cells_of(line);
        if (cells.empty() || cells[0].find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        const int number = std::stoi(cells[0]);
        cells.erase(cells.begin());
        BOOST_TEST(rows.emplace(number, std::move(cells)).second,
                   "docs/errors.md has two rows of number " << number);
    }
    return rows;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shm_error_catalogue)

BOOST_AUTO_TEST_CASE(every_errc_has_its_row_in_its_own_words) {
    const auto rows = catalogue();
    std::size_t known = 0;
    for (int number = 1; number < 65536; ++number) {
        const auto code = static_cast<errc>(number);
        if (name(code) == "unknown") continue;
        ++known;
        const auto row = rows.find(number);
        const std::string wanted = "| " + std::to_string(number) + " | `" +
                                   std::string(name(code)) + "` | " + std::string(remedy(code)) +
                                   " | WHAT IT MEANS | WHO ANSWERS IT |";
        BOOST_TEST((row != rows.end()), "docs/errors.md lacks a row; add: " << wanted);
        if (row == rows.end()) continue;
        const auto& cells = row->second;
        BOOST_TEST_REQUIRE(cells.size() == 4U, "row " << number << " has other columns");
        BOOST_TEST((cells[0] == "`" + std::string(name(code)) + "`" && cells[1] == remedy(code)),
                   "docs/errors.md says otherwise of " << number << "; write: " << wanted);
        BOOST_TEST((!cells[2].empty() && !cells[3].empty()),
                   "row " << number << " does not say what it means, or who answers it");
    }
    BOOST_TEST(known >= 39U);
}

BOOST_AUTO_TEST_CASE(no_row_is_of_an_errc_that_is_not_there) {
    for (const auto& [number, cells] : catalogue()) {
        BOOST_TEST(name(static_cast<errc>(number)) != "unknown",
                   "docs/errors.md: " << number << " is no errc of this build");
    }
}

BOOST_AUTO_TEST_SUITE_END()
