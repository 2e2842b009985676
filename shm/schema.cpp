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

std::size_t words_of(const field& part) noexcept { return (part.bytes + 7U) / 8; }

bool has_known_type(const field& candidate) noexcept {
    switch (candidate.type) {
        case field_type::u32: return candidate.bytes == 4;
        case field_type::u64:
        case field_type::i64: return candidate.bytes == 8;
        case field_type::bytes:
        case field_type::text: return candidate.bytes > 0;
        case field_type::blob: return candidate.bytes == 16 && candidate.offset % 8 == 0;  // S6
    }
    return false;
}

/// S5.
bool is_sound(const ordered_index& index, const std::vector<field>& fields) noexcept {
    if (index.empty() || index.size() > index_fields_max) return false;
    std::size_t words = 0;
    for (const auto number : index) {
        if (number >= fields.size() || fields[number].type == field_type::blob) return false;
        words += words_of(fields[number]);
    }
    return words <= index_key_words;
}

}  // namespace

result<> schema::validate() const noexcept {
    if (name.empty() || name.size() >= schema_name_bytes || fields.size() > fields_max) {
        return errc::bad_schema;
    }
    const bool row_fits = row_bytes % 8 == 0 && row_bytes >= 24 && row_bytes <= page_bytes;
    const bool key_fits = key_at == 0 || (key_at % 8 == 0 && key_at >= sizeof(row_header) &&
                                          key_at <= row_bytes && row_bytes - key_at >= 16);
    if (!row_fits || !key_fits) return errc::bad_schema;  // S1, S3
    if (indexes.size() > indexes_max) return errc::bad_schema;
    for (const auto& each : indexes) {
        if (!is_sound(each, fields)) return errc::bad_schema;
    }
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

bool schema::has_blobs() const noexcept {
    return std::any_of(fields.begin(), fields.end(),
                       [](const field& each) { return each.type == field_type::blob; });
}

result<std::uint8_t> schema::field_named(std::string_view wanted) const noexcept {
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].name == wanted) return static_cast<std::uint8_t>(i);
    }
    return errc::not_found;
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
    for (std::size_t i = 0; i < from.indexes.size(); ++i) {
        auto& target = row.indexes[i];
        target.field_count = static_cast<std::uint16_t>(from.indexes[i].size());
        std::copy(from.indexes[i].begin(), from.indexes[i].end(), target.fields.begin());
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
    for (const auto& each : row.indexes) {
        if (each.field_count == 0) break;
        if (each.field_count > index_fields_max) return errc::bad_schema;
        out.indexes.emplace_back(each.fields.begin(), each.fields.begin() + each.field_count);
    }
    PERDURE_TRY(out.validate());
    return out;
}

namespace {

index_shape shape_of_index(const schema_row& row, const schema_index& index) {
    index_shape shape;
    shape.nodes = index.nodes;
    shape.words = 1;
    for (std::uint16_t i = 0; i < index.field_count; ++i) {
        const auto& field = row.fields[index.fields[i] % fields_max];
        shape.parts.push_back({field.offset, field.bytes, static_cast<field_type>(field.type)});
        shape.words += (field.bytes + 7U) / 8;
    }
    return shape;
}

}  // namespace

table_shape shape_of(const schema_row& row) {
    table_shape shape;
    shape.row_bytes = row.row_bytes;
    shape.flags = row.flags;
    shape.key_at = row.key_at;
    shape.index = row.index;
    shape.heap = row.heap;
    for (std::uint32_t i = 0; i < std::min(row.field_count, fields_max); ++i) {
        const auto& each = row.fields[i];
        if ((each.flags & adds) != 0) shape.rules.push_back({each.offset, each.group_offset, 1});
        if ((each.flags & subtracts) != 0) {
            shape.rules.push_back({each.offset, each.group_offset, -1});
        }
        if (each.type == static_cast<std::uint32_t>(field_type::blob)) {
            shape.blobs.push_back(each.offset);
        }
    }
    for (const auto& each : row.indexes) {
        const bool whole = each.field_count <= index_fields_max && each.nodes < table_count;
        if (each.field_count == 0 || !whole) break;
        shape.indexes.push_back(shape_of_index(row, each));
    }
    for (const auto& rule : shape.rules) {
        for (const unsigned word : {rule.offset / 8U, rule.group_offset / 8U}) {
            shape.rule_words |= word < change_words_max ? 1U << word : ~0U;
        }
    }
    return shape;
}

}  // namespace perdure::shm
