// SPDX-License-Identifier: Apache-2.0
#include <boost/json/basic_parser_impl.hpp>
#include <perdure/core/json_text.hpp>

namespace perdure {
namespace {

namespace json = boost::json;

/// Takes what the parser finds and keeps nothing.
struct no_document {
    static constexpr std::size_t max_object_size = ~std::size_t{0};
    static constexpr std::size_t max_array_size = ~std::size_t{0};
    static constexpr std::size_t max_key_size = ~std::size_t{0};
    static constexpr std::size_t max_string_size = ~std::size_t{0};
    using code = json::error_code;

    bool on_document_begin(code&) { return true; }
    bool on_document_end(code&) { return true; }
    bool on_object_begin(code&) { return true; }
    bool on_object_end(std::size_t, code&) { return true; }
    bool on_array_begin(code&) { return true; }
    bool on_array_end(std::size_t, code&) { return true; }
    bool on_key_part(json::string_view, std::size_t, code&) { return true; }
    bool on_key(json::string_view, std::size_t, code&) { return true; }
    bool on_string_part(json::string_view, std::size_t, code&) { return true; }
    bool on_string(json::string_view, std::size_t, code&) { return true; }
    bool on_number_part(json::string_view, code&) { return true; }
    bool on_int64(std::int64_t, json::string_view, code&) { return true; }
    bool on_uint64(std::uint64_t, json::string_view, code&) { return true; }
    bool on_double(double, json::string_view, code&) { return true; }
    bool on_bool(bool, code&) { return true; }
    bool on_null(code&) { return true; }
    bool on_comment_part(json::string_view, code&) { return true; }
    bool on_comment(json::string_view, code&) { return true; }
};

}  // namespace

bool is_json(std::span<const std::byte> text) {
    json::parse_options options;
    options.max_depth = 64;
    json::basic_parser<no_document> parser(options);
    json::error_code wrong;
    const auto* from = reinterpret_cast<const char*>(text.data());
    const std::size_t read = parser.write_some(false, from, text.size(), wrong);
    return !wrong && read == text.size() && parser.done();
}

}  // namespace perdure
