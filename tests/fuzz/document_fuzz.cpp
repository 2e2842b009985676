// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever bytes a document of kind JSON is given, they are JSON for the world exactly when
// Boost.JSON parses them, equal values have no differences, and every difference between two names
// a value that is there. The first line of an input is the version before, the rest the one after.
#include <boost/json.hpp>
#include <perdure/apps/cli/json_diff.hpp>
#include <perdure/core/json_text.hpp>
#include <perdure/tests/fuzz/target.hpp>

using namespace perdure;

namespace {

void must(bool holds) {
    if (!holds) std::abort();
}

/// The value, if the text is one; both readers must agree.
std::optional<boost::json::value> parsed(std::string_view text) {
    boost::json::parse_options how;
    how.max_depth = 64;
    boost::system::error_code refused;
    auto value = boost::json::parse(text, refused, {}, how);
    must(is_json(std::as_bytes(std::span(text))) == !refused.failed());
    if (refused.failed()) return std::nullopt;
    return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    const std::string_view all(reinterpret_cast<const char*>(bytes), count);
    const auto end = std::min(all.find('\n'), all.size());
    const auto before = parsed(all.substr(0, end));
    const auto after = parsed(all.substr(std::min(all.size(), end + 1)));
    if (before) must(apps::differences(*before, *before).empty());
    if (!before || !after) return 0;
    const auto found = apps::differences(*before, *after);
    for (const auto& each : found) must(each.before != nullptr || each.after != nullptr);
    const auto first = boost::json::serialize(*before);
    const bool has_no_number = first.find("NaN") != std::string::npos;
    must(!(*before == *after) || found.empty());
    must(!found.empty() || *before == *after || has_no_number);
    return 0;
}

std::vector<std::string> tests::seeds() {
    return {
        "{\"open\":true,\"bids\":[[101,5]]}\n{\"open\":false,\"bids\":[[101,5],[100,7]]}",
        "[1,2.5,-3e7,null,\"a\\u00e9\\n\"]\n[1,2.5,-3e7,null]",
        "{\"a\":{\"b\":{\"~/\":1}}}\n{\"a\":{\"b\":{\"~/\":2,\"\":[]}}}",
        "nonsense\n{}",
        // Where readers of JSON are known to differ.
        "\"\\udc00\"\n\"\\ud834\\udd1e\"",
        "\xef\xbb\xbf{}\n[1e400,123456789012345678901234567890]",
        "[-0,1.0E+2,0.5e-07]\n[01]",
        std::string(60, '[') + std::string(60, ']') + "\n" + std::string(64, '[') +
            std::string(64, ']'),
        std::string(65, '[') + std::string(65, ']') + "\n\"\xed\xa0\x80\"",
        "[-0,0.0E66801]\n[-0,0.0E66801]",
        "{\"a\":1,}\n{\"a\":1,\"a\":2}",
    };
}
