// SPDX-License-Identifier: Apache-2.0
//
// Claims: perdure_plugin.h is what abi_1.txt recorded, in C11 and in C++: no field and no constant
// has moved, changed or gone; a newer minor version may only have more, at a struct's end. Every
// byte of each struct belongs to a field that is looked at.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <map>
#include <span>
#include <sstream>

#include "abi_layout.h"

extern "C" const abi_line* abi_in_c(std::size_t* count);

namespace {

struct line {
    std::string owner;
    std::string field;
    std::uint64_t offset;
    std::uint64_t bytes;
    bool operator==(const line&) const = default;
};
using layout = std::vector<line>;

struct record {
    unsigned minor = 0;
    layout lines;
};

layout in_cpp() {
    layout all;
    for (const abi_line& each : abi_lines) {
        all.push_back({each.owner, each.field, each.offset, each.bytes});
    }
    return all;
}

layout in_c() {
    std::size_t count = 0;
    const abi_line* first = abi_in_c(&count);
    layout all;
    for (const abi_line& each : std::span(first, count)) {
        all.push_back({each.owner, each.field, each.offset, each.bytes});
    }
    return all;
}

record recorded() {
    const char* const source = std::getenv("PERDURE_SOURCE");
    BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest, which sets PERDURE_SOURCE");
    std::ifstream stream(std::string(source) + "/tests/plugins/abi_1.txt");
    BOOST_REQUIRE(stream);
    record out;
    for (std::string text; std::getline(stream, text);) {
        if (text.empty() || text[0] == '#') continue;
        std::istringstream words(text);
        line made{};
        words >> made.owner;
        if (made.owner == "minor") {
            words >> out.minor;
            continue;
        }
        words >> made.field >> made.offset >> made.bytes;
        BOOST_REQUIRE_MESSAGE(!words.fail(), "abi_1.txt cannot be read at: " + text);
        if (made.field == "-") made.field.clear();
        out.lines.push_back(made);
    }
    return out;
}

std::map<std::string, layout> by_owner(const layout& lines) {
    std::map<std::string, layout> out;
    for (const line& each : lines) out[each.owner].push_back(each);
    return out;
}

/// What of `now` breaks the promise to those who built for `before`.
std::vector<std::string> broken(const record& before, unsigned minor, const layout& now) {
    std::vector<std::string> out;
    if (minor < before.minor) out.push_back("the minor version went back");
    const bool may_grow = minor > before.minor;
    const auto structs = by_owner(now);
    for (const auto& [owner, old] : by_owner(before.lines)) {
        const auto found = structs.find(owner);
        if (found == structs.end()) {
            out.push_back(owner + " is gone");
            continue;
        }
        const layout& present = found->second;
        for (std::size_t i = 0; i < old.size(); ++i) {
            line wanted = old[i];
            if (i < present.size() && wanted.field.empty() && may_grow) {
                wanted.bytes = std::max(wanted.bytes, present[i].bytes);
            }
            if (i >= present.size() || present[i] != wanted) {
                out.push_back(owner + "." + old[i].field + " has moved, changed or gone");
            }
        }
        if (present.size() > old.size() && !may_grow) {
            out.push_back(owner + " has grown without a new minor version");
        }
    }
    for (const auto& [owner, lines] : structs) {
        if (!by_owner(before.lines).contains(owner) && !may_grow) {
            out.push_back(owner + " is new without a new minor version");
        }
    }
    return out;
}

bool is_whole(const layout& lines) {
    for (const auto& [owner, fields] : by_owner(lines)) {
        if (owner == "constant") continue;
        std::uint64_t end = 0;
        for (const line& each : std::span(fields).subspan(1)) {
            if (each.offset != end) return false;
            end += each.bytes;
        }
        if (end != fields.front().bytes) return false;
    }
    return true;
}

line& at(layout& lines, const std::string& owner, const std::string& field) {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const line& each) {
        return each.owner == owner && each.field == field;
    });
    BOOST_REQUIRE((found != lines.end()));
    return *found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plugins_abi_layout)

BOOST_AUTO_TEST_CASE(the_header_is_what_was_recorded_in_both_languages) {
    const record before = recorded();
    BOOST_TEST(before.lines.size() > 100U);
    for (const layout& now : {in_c(), in_cpp()}) {
        for (const std::string& each : broken(before, PERDURE_PLUGIN_ABI_MINOR, now)) {
            BOOST_ERROR(each);
        }
    }
    BOOST_TEST((in_c() == in_cpp()));
    static_assert(PERDURE_PLUGIN_ABI_MAJOR == 1, "another major version has another record");
}

BOOST_AUTO_TEST_CASE(no_struct_has_a_byte_that_no_field_has) {
    BOOST_TEST(is_whole(in_cpp()));
    layout grown = in_cpp();
    at(grown, "perdure_tick", "").bytes += 8;
    BOOST_TEST(!is_whole(grown));
}

BOOST_AUTO_TEST_CASE(what_breaks_the_promise_is_noticed) {
    const record before = recorded();
    const unsigned minor = before.minor;
    const auto changed = [&](auto&& change) {
        layout now = before.lines;
        change(now);
        return now;
    };
    const layout moved = changed([](layout& now) { at(now, "perdure_tick", "seed").offset += 8; });
    BOOST_TEST(broken(before, minor, moved).size() == 1U);
    BOOST_TEST(broken(before, minor + 1, moved).size() == 1U);
    const layout narrowed =
        changed([](layout& now) { at(now, "perdure_command", "amount").bytes = 4; });
    BOOST_TEST(broken(before, minor + 1, narrowed).size() == 1U);
    const layout renumbered =
        changed([](layout& now) { at(now, "constant", "PERDURE_COMMAND_HOLD").offset = 5; });
    BOOST_TEST(broken(before, minor + 1, renumbered).size() == 1U);
    const layout gone = changed([](layout& now) { now.erase(now.begin() + 1); });
    BOOST_TEST(!broken(before, minor + 1, gone).empty());
    const layout inserted = changed([](layout& now) {
        now.insert(now.begin() + 2, {now[1].owner, "between", now[1].offset, 8});
    });
    BOOST_TEST(!broken(before, minor + 1, inserted).empty());
}

BOOST_AUTO_TEST_CASE(a_newer_minor_version_may_append) {
    const record before = recorded();
    layout now = before.lines;
    line& whole = at(now, "perdure_tick", "");
    const line appended{"perdure_tick", "more", whole.bytes, 8};
    whole.bytes += 8;
    now.push_back(appended);
    BOOST_TEST(broken(before, before.minor + 1, now).empty());
    BOOST_TEST(!broken(before, before.minor, now).empty());
    BOOST_TEST(!broken({before.minor + 1, before.lines}, before.minor, before.lines).empty());
}

BOOST_AUTO_TEST_SUITE_END()
