// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/tables/value.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include <fmt/format.h>

namespace perdure::apps {
namespace {

template <class T>
T load_from(std::span<const std::byte> row, std::size_t offset) noexcept {
    T out{};
    std::memcpy(&out, row.data() + offset, sizeof out);
    return out;
}

/// Length of the well-formed UTF-8 sequence at the front (Unicode, table 3-7), 0 when there is
/// none.
std::size_t sequence_bytes(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t i, unsigned least = 0x80, unsigned most = 0xbf) {
        return i < text.size() && at(i) >= least && at(i) <= most;
    };
    const unsigned lead = at(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        const bool second = follows(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf);
        return second && follows(2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const bool second = follows(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf);
        return second && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

/// C0, DEL, and C1 as UTF-8 encodes them: what a terminal may take for a command.
bool is_control(std::string_view sequence) noexcept {
    const auto first = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
    return first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
}

std::string hexadecimal(std::string_view bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char each : bytes) {
        const auto byte = static_cast<unsigned char>(each);
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

}  // namespace

std::vector<column> columns_of(const shm::schema& shape) {
    std::vector<column> out;
    for (const auto& field : shape.fields) {
        out.push_back({field.name, column_source::field, field});
    }
    return out;
}

column column_named(const shm::schema& shape, std::string_view name) {
    for (const auto& field : shape.fields) {
        if (field.name == name) return {field.name, column_source::field, field};
    }
    if (name == "row") return {"row", column_source::row, {}};
    if (name == "lsn") return {"lsn", column_source::lsn, {}};
    std::string there = "row, lsn";
    for (const auto& field : shape.fields) there += ", " + field.name;
    throw failure(errc::bad_query,
                  "table " + shape.name + ": no field is called \"" + std::string(name) + '"',
                  "name one of: " + there);
}

value read_value(const column& from, const stored_row& row) {
    const std::span<const std::byte> bytes = row.bytes;
    if (from.source == column_source::row) return row.row;
    if (from.source == column_source::lsn) return load_from<std::uint64_t>(bytes, 0);
    const auto& field = from.field;
    PERDURE_ASSERT(std::size_t{field.offset} + field.bytes <= bytes.size());
    const std::string_view stored(reinterpret_cast<const char*>(bytes.data()) + field.offset,
                                  field.bytes);
    switch (field.type) {
        case shm::field_type::u32:
            return std::uint64_t{load_from<std::uint32_t>(bytes, field.offset)};
        case shm::field_type::u64: return load_from<std::uint64_t>(bytes, field.offset);
        case shm::field_type::i64: return load_from<std::int64_t>(bytes, field.offset);
        case shm::field_type::text: return std::string(stored.substr(0, stored.find('\0')));
        case shm::field_type::blob: return load_from<shm::blob_ref>(bytes, field.offset).bytes;
        case shm::field_type::bytes: break;
    }
    return opaque{std::string(stored)};
}

std::string print_plain(const value& what) {
    if (const auto* number = std::get_if<std::uint64_t>(&what)) return std::to_string(*number);
    if (const auto* number = std::get_if<std::int64_t>(&what)) return std::to_string(*number);
    if (const auto* text = std::get_if<std::string>(&what)) return *text;
    return hexadecimal(std::get<opaque>(what).bytes);
}

std::string print_shown(const value& what) {
    const std::string plain = print_plain(what);
    std::string out;
    for (std::string_view rest = plain; !rest.empty();) {
        const std::size_t length = sequence_bytes(rest);
        if (length == 0 || is_control(rest.substr(0, length))) {
            out += '?';
        } else {
            out += rest.substr(0, length);
        }
        rest.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

void append_json(std::string& to, std::string_view text) {
    to += '"';
    while (!text.empty()) {
        const std::size_t length = sequence_bytes(text);
        const char first = text[0];
        if (length == 0) {
            to += "\\ufffd";
        } else if (first == '"' || first == '\\') {
            to += '\\';
            to += first;
        } else if (is_control(text.substr(0, length))) {
            const unsigned code = length == 1 ? static_cast<unsigned char>(first)
                                              : static_cast<unsigned char>(text[1]);
            fmt::format_to(std::back_inserter(to), "\\u{:04x}", code);
        } else {
            to += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    to += '"';
}

void append_json(std::string& to, const value& what) {
    const bool is_number = what.index() < 2;
    is_number ? void(to += print_plain(what))
              : append_json(to, std::string_view(print_plain(what)));
}

void append_csv(std::string& to, std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
        to += text;
        return;
    }
    to += '"';
    for (const char each : text) {
        if (each == '"') to += '"';
        to += each;
    }
    to += '"';
}

}  // namespace perdure::apps
