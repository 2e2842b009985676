// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <perdure/shm/schema.hpp>

namespace perdure::shm {
namespace {

template <std::size_t Size>
void write_text(std::array<char, Size>& target, std::string_view text) noexcept {
    std::memcpy(target.data(), text.data(), std::min(text.size(), Size));
}

template <std::size_t Size>
std::string read_text(const std::array<char, Size>& source) {
    return {source.data(), ::strnlen(source.data(), Size)};
}

bool has_known_type(const field& candidate) noexcept {
    switch (candidate.type) {
        case field_type::u32: return candidate.bytes == 4;
        case field_type::u64:
        case field_type::i64: return candidate.bytes == 8;
        case field_type::bytes:
        case field_type::text: return candidate.bytes > 0;
    }
    return false;
}

}  // namespace

result<> schema::validate() const noexcept {
    if (name.empty() || name.size() >= schema_name_bytes || fields.size() > fields_max) {
        return errc::bad_schema;
    }
    const bool row_fits = row_bytes % 8 == 0 && row_bytes >= 24 && row_bytes <= page_bytes;
    const bool key_fits = key_at == 0 || (key_at % 8 == 0 && key_at >= sizeof(row_header) &&
                                          key_at + 16 <= row_bytes);
    if (!row_fits || !key_fits) return errc::bad_schema;  // S1, S3
    std::uint32_t end = sizeof(row_header);
    for (const auto& each : fields) {
        const bool named = !each.name.empty() && each.name.size() < field_name_bytes;
        if (!named || !has_known_type(each) || each.offset < end) return errc::bad_schema;
        end = static_cast<std::uint32_t>(each.offset) + each.bytes;
        if (end > row_bytes) return errc::bad_schema;  // S2
        if ((each.flags & (adds | subtracts)) == 0) continue;
        const bool grouped = each.group_offset >= sizeof(row_header) &&
                             each.group_offset % 4 == 0 && each.group_offset + 4U <= row_bytes;
        if (each.type != field_type::i64 || each.offset % 8 != 0 || !grouped) {
            return errc::bad_schema;  // S4
        }
    }
    return {};
}

bool schema::is_balanced() const noexcept {
    return std::any_of(fields.begin(), fields.end(),
                       [](const field& each) { return (each.flags & (adds | subtracts)) != 0; });
}

schema_row to_row(const schema& from) noexcept {
    PERDURE_ASSERT(from.validate().has_value());
    schema_row row{};
    write_text(row.name, from.name);
    row.version = from.version;
    row.row_bytes = from.row_bytes;
    row.flags = from.flags;
    row.key_at = from.key_at;
    row.field_count = static_cast<std::uint32_t>(from.fields.size());
    for (std::size_t i = 0; i < from.fields.size(); ++i) {
        const auto& source = from.fields[i];
        auto& target = row.fields[i];
        write_text(target.name, source.name);
        target.type = static_cast<std::uint16_t>(source.type);
        target.offset = source.offset;
        target.bytes = source.bytes;
        target.flags = source.flags;
        target.group_offset = source.group_offset;
    }
    return row;
}

result<schema> from_row(const schema_row& row) {
    if (row.field_count > fields_max) return errc::bad_schema;
    schema out;
    out.name = read_text(row.name);
    out.version = row.version;
    out.row_bytes = row.row_bytes;
    out.flags = row.flags;
    out.key_at = row.key_at;
    for (std::uint32_t i = 0; i < row.field_count; ++i) {
        const auto& source = row.fields[i];
        out.fields.push_back({read_text(source.name), static_cast<field_type>(source.type),
                              source.offset, source.bytes, source.flags, source.group_offset});
    }
    PERDURE_TRY(out.validate());
    return out;
}

table_shape shape_of(const schema_row& row) {
    table_shape shape;
    shape.row_bytes = row.row_bytes;
    shape.flags = row.flags;
    shape.key_at = row.key_at;
    shape.index = row.index;
    for (std::uint32_t i = 0; i < std::min(row.field_count, fields_max); ++i) {
        const auto& each = row.fields[i];
        if ((each.flags & adds) != 0) shape.rules.push_back({each.offset, each.group_offset, 1});
        if ((each.flags & subtracts) != 0) {
            shape.rules.push_back({each.offset, each.group_offset, -1});
        }
    }
    for (const auto& rule : shape.rules) {
        for (const unsigned word : {rule.offset / 8U, rule.group_offset / 8U}) {
            shape.rule_words |= word < change_words_max ? 1U << word : ~0U;
        }
    }
    return shape;
}

}  // namespace perdure::shm
