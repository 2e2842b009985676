// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/tables/selection.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace perdure::apps {
namespace {

constexpr std::size_t terms_max = 32;

struct spelling {
    std::string_view text;
    comparison how;
};
// The longer ones first, so that "<=" is not read as "<".
constexpr std::array<spelling, 7> operators{{{"!=", comparison::unequal},
                                             {"<=", comparison::at_most},
                                             {">=", comparison::at_least},
                                             {"^=", comparison::begins},
                                             {"=", comparison::equal},
                                             {"<", comparison::less},
                                             {">", comparison::more}}};

[[noreturn]] void refuse(std::string_view option, std::size_t at, const std::string& cause,
                         const std::string& todo) {
    throw failure(errc::bad_query,
                  std::string(option) + ", at character " + std::to_string(at + 1) + ": " + cause,
                  todo);
}

struct token {
    std::string text;
    std::size_t at = 0;
    bool quoted = false;
};

/// Cuts a condition into names, operators and constants.
class lexer {
  public:
    explicit lexer(std::string_view text) noexcept : text_(text) {}

    [[nodiscard]] bool is_at_end() {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
        return at_ == text_.size();
    }
    /// Requires: not at the end, in next_word() and next_operator().
    token next_word() {
        token out{"", at_, false};
        const char first = text_[at_];
        if (first == '\'' || first == '"') return next_quoted(first);
        while (at_ < text_.size() && !is_space(text_[at_]) &&
               std::string_view("=!<>^'\"").find(text_[at_]) == std::string_view::npos) {
            out.text += text_[at_++];
        }
        return out;
    }
    comparison next_operator(std::string_view field) {
        const std::string_view rest = text_.substr(std::min(at_, text_.size()));
        for (const auto& each : operators) {
            if (!rest.starts_with(each.text)) continue;
            at_ += each.text.size();
            return each.how;
        }
        const std::size_t end = std::min(rest.find(' '), rest.size());
        refuse("--where", at_,
               "after \"" + std::string(field) + "\" an operator was expected, and \"" +
                   std::string(rest.substr(0, end)) + "\" was found",
               "write one of = != < <= > >= ^=");
    }
    [[nodiscard]] std::size_t at() const noexcept { return at_; }

  private:
    static bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n'; }

    token next_quoted(char mark) {
        token out{"", at_, true};
        const std::size_t end = text_.find(mark, at_ + 1);
        if (end == std::string_view::npos) {
            refuse("--where", at_, "the quoted text has no end",
                   std::string("close it with ") + mark);
        }
        out.text = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

template <class Number>
Number parse_number(const column& what, const token& from, Number least, Number most) {
    Number out{};
    const char* end = from.text.data() + from.text.size();
    const auto [stop, error] = std::from_chars(from.text.data(), end, out);
    const bool outside = error == std::errc::result_out_of_range ||
                         (error == std::errc() && stop == end && (out < least || out > most));
    if (outside) {
        refuse("--where", from.at, from.text + " is outside the range of " + what.name,
               "give " + std::to_string(least) + " to " + std::to_string(most));
    }
    if (from.quoted || error != std::errc() || stop != end) {
        refuse("--where", from.at,
               what.name + " is a whole number, and \"" + from.text + "\" is none",
               "write digits alone; amounts are compared in minor units");
    }
    return out;
}

int digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

opaque parse_bytes(const column& what, const token& from, comparison how) {
    std::string_view digits = from.text;
    if (digits.starts_with("0x")) digits.remove_prefix(2);
    opaque out;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        const int high = digit_of(digits[i]);
        const int low = digit_of(digits[i + 1]);
        if (high < 0 || low < 0) break;
        out.bytes += static_cast<char>(high * 16 + low);
    }
    const std::size_t width = what.field.bytes;
    const bool fits =
        how == comparison::begins ? out.bytes.size() <= width : out.bytes.size() == width;
    if (out.bytes.empty() || out.bytes.size() * 2 != digits.size() || !fits) {
        refuse("--where", from.at,
               what.name + " holds " + std::to_string(width) + " bytes, and \"" + from.text +
                   "\" are not " + (how == comparison::begins ? "the first of them" : "these"),
               "write " + std::to_string(2 * width) + " hexadecimal digits" +
                   (how == comparison::begins ? " or an even number below" : ""));
    }
    return out;
}

value parse_constant(const column& what, const token& from, comparison how) {
    if (how == comparison::begins && what.is_number()) {
        refuse("--where", from.at, "^= is for text and bytes, and " + what.name + " is a number",
               "write one of = != < <= > >=");
    }
    if (what.source != column_source::field) {
        return parse_number<std::uint64_t>(what, from, 0, UINT64_MAX);
    }
    switch (what.field.type) {
        case shm::field_type::u32: return parse_number<std::uint64_t>(what, from, 0, UINT32_MAX);
        case shm::field_type::blob:
        case shm::field_type::u64: return parse_number<std::uint64_t>(what, from, 0, UINT64_MAX);
        case shm::field_type::i64:
            return parse_number<std::int64_t>(what, from, INT64_MIN, INT64_MAX);
        case shm::field_type::bytes: return parse_bytes(what, from, how);
        case shm::field_type::text: break;
    }
    return from.text;
}

bool begins_with(const value& whole, const value& front) noexcept {
    if (const auto* text = std::get_if<std::string>(&whole)) {
        return text->starts_with(std::get<std::string>(front));
    }
    const auto* bytes = std::get_if<opaque>(&whole);
    return bytes != nullptr && bytes->bytes.starts_with(std::get<opaque>(front).bytes);
}

bool holds(const term& each, const stored_row& row) {
    const value found = read_value(each.what, row);
    switch (each.how) {
        case comparison::equal: return found == each.with;
        case comparison::unequal: return found != each.with;
        case comparison::less: return found < each.with;
        case comparison::at_most: return found <= each.with;
        case comparison::more: return found > each.with;
        case comparison::at_least: return found >= each.with;
        case comparison::begins: break;
    }
    return begins_with(found, each.with);
}

}  // namespace

std::vector<term> parse_where(const shm::schema& shape, std::string_view text) {
    std::vector<term> out;
    lexer from(text);
    while (!from.is_at_end()) {
        if (!out.empty()) {
            const token joint = from.next_word();
            if (joint.text != "and" || joint.quoted) {
                refuse("--where", joint.at,
                       "\"and\" was expected, and \"" + joint.text + "\" was found",
                       "join conditions by \"and\"; put text with blanks in quotes");
            }
            if (from.is_at_end()) {
                refuse("--where", from.at(), "nothing follows \"and\"", "add a condition");
            }
        }
        const token name = from.next_word();
        if (name.text.empty() || name.quoted) {
            refuse("--where", name.at, "a field's name was expected",
                   "write FIELD OPERATOR CONSTANT, for example available >= 100");
        }
        const column what = column_named(shape, name.text);
        static_cast<void>(from.is_at_end());  // Blanks before the operator.
        const comparison how = from.next_operator(name.text);
        if (from.is_at_end()) {
            refuse("--where", from.at(), "nothing follows the operator", "add a constant");
        }
        const token constant = from.next_word();
        if (constant.text.empty() && !constant.quoted) {
            refuse("--where", constant.at, "a constant was expected",
                   "write a number, hexadecimal digits, a word or 'text'");
        }
        if (out.size() == terms_max) {
            refuse("--where", name.at, "more than " + std::to_string(terms_max) + " conditions",
                   "ask in several queries");
        }
        out.push_back({what, how, parse_constant(what, constant, how)});
    }
    return out;
}

ordering parse_order(const shm::schema& shape, std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::string_view way = colon == std::string_view::npos ? "asc" : text.substr(colon + 1);
    if (way != "asc" && way != "desc") {
        refuse("--order", colon + 1, "\"" + std::string(way) + "\" is no direction",
               "write FIELD, FIELD:asc or FIELD:desc");
    }
    return {column_named(shape, text.substr(0, colon)), way == "desc"};
}

std::vector<column> parse_fields(const shm::schema& shape, std::string_view text) {
    if (text.empty()) return columns_of(shape);
    std::vector<column> out;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t comma = std::min(text.find(',', from), text.size());
        if (comma == from) {
            refuse("--fields", from, "a field's name was expected", "write a,b without blanks");
        }
        out.push_back(column_named(shape, text.substr(from, comma - from)));
        from = comma + 1;
    }
    return out;
}

bool holds(const std::vector<term>& all, const stored_row& row) {
    return std::ranges::all_of(all, [&](const term& each) { return holds(each, row); });
}

}  // namespace perdure::apps
