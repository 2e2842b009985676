// SPDX-License-Identifier: Apache-2.0
//
// The tables of docs/formats, read from the pages: each row of a table headed
// "## name, N bytes" says offset, size and name of a field.
#pragma once

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <boost/test/unit_test.hpp>

namespace perdure::tests {

struct field {
    std::size_t offset;
    std::size_t size;
    bool operator==(const field&) const = default;
};

struct layout {
    std::size_t bytes = 0;
    std::map<std::string, field> fields;
};

/// All tables of a page by their struct's name.
inline std::map<std::string, layout> tables_of(const std::string& page) {
    const char* const source = std::getenv("PERDURE_SOURCE");
    BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest, which sets PERDURE_SOURCE");
    std::ifstream stream(std::string(source) + "/docs/formats/" + page);
    BOOST_REQUIRE_MESSAGE(stream, page);
    std::map<std::string, layout> tables;
    layout* open = nullptr;
    for (std::string line; std::getline(stream, line);) {
        std::istringstream words(line);
        std::string first;
        std::string name;
        words >> first;
        if (first.starts_with("##")) {
            open = nullptr;
            std::size_t bytes = 0;
            std::string unit;
            if (words >> name >> bytes >> unit && unit == "bytes" && name.ends_with(',')) {
                open = &tables[name.substr(0, name.size() - 1)];
                open->bytes = bytes;
            }
        }
        field found{};
        char bar = 0;
        if (open != nullptr && first == "|" && words >> found.offset >> bar >> found.size >> bar &&
            bar == '|') {
            BOOST_REQUIRE(words >> name);
            BOOST_TEST(open->fields.emplace(name, found).second, page << ": " << name);
        }
    }
    return tables;
}

inline void check(const std::map<std::string, layout>& tables, const std::string& name,
                  const layout& code) {
    BOOST_TEST_CONTEXT(name) {
        const auto found = tables.find(name);
        BOOST_REQUIRE(found != tables.end());
        BOOST_TEST(found->second.bytes == code.bytes);
        BOOST_TEST(found->second.fields.size() == code.fields.size());
        std::size_t sum = 0;
        for (const auto& [field_name, place] : code.fields) {
            sum += place.size;
            const auto row = found->second.fields.find(field_name);
            BOOST_REQUIRE_MESSAGE(row != found->second.fields.end(), field_name);
            BOOST_TEST((row->second == place), field_name);
        }
        BOOST_TEST(sum == code.bytes);
    }
}

#define FIELD(type, name) \
    { \
#name, { offsetof(type, name), sizeof(type::name) } \
    }

}  // namespace perdure::tests
