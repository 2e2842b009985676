// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/event_declaration.hpp>

namespace perdure {
namespace {

template <std::size_t Size>
void put_text(std::array<char, Size>& into, std::string_view text) noexcept {
    std::copy_n(text.begin(), std::min(text.size(), Size), into.begin());
}

template <std::size_t Size>
std::string text_in(const std::array<char, Size>& from) {
    return {from.begin(), std::find(from.begin(), from.end(), '\0')};
}

template <std::size_t Size>
bool fits(const std::string& text, const std::array<char, Size>&) noexcept {
    return !text.empty() && text.size() < Size && text.find('\0') == std::string::npos;
}

bool is_known(const event_field& field) noexcept {
    return field.type >= shm::field_type::u32 && field.type <= shm::field_type::text &&
           field.unit >= event_unit::plain && field.unit <= event_unit::wall_ns;
}

/// Whether a field of that type and unit has that many bytes.
bool is_sized(const event_field& field) noexcept {
    if (field.unit == event_unit::account || field.unit == event_unit::id) return field.bytes == 16;
    if (field.unit == event_unit::asset) return field.type == shm::field_type::u32;
    switch (field.type) {
        case shm::field_type::u32: return field.bytes == 4;
        case shm::field_type::u64:
        case shm::field_type::i64: return field.bytes == 8;
        default: return field.bytes != 0;
    }
}

}  // namespace

std::uint16_t event_declaration::field_named(std::string_view wanted) const noexcept {
    const auto named = [&](const event_field& each) { return each.name == wanted; };
    return static_cast<std::uint16_t>(std::find_if(fields.begin(), fields.end(), named) -
                                      fields.begin());
}

result<> event_declaration::validate() const noexcept {
    const event_type_row sizes{};
    if (type == 0 || version == 0 || bytes == 0 || bytes % 8 != 0 || !fits(name, sizes.name) ||
        fields.size() > event_fields_max || effects.size() > event_effects_max) {
        return errc::bad_schema;
    }
    std::uint32_t end = 0;
    for (const auto& each : fields) {
        const std::uint32_t behind = std::uint32_t{each.offset} + each.bytes;
        if (!fits(each.name, sizes.fields[0].name) || !is_known(each) || !is_sized(each) ||
            each.offset < end || behind > bytes) {
            return errc::bad_schema;
        }
        end = behind;
    }
    for (const auto& each : effects) {
        const bool sound = fits(each.table, sizes.effects[0].table) &&
                           fits(each.column, sizes.effects[0].column) &&
                           each.kind >= effect_kind::adds && each.kind <= effect_kind::decrements &&
                           each.field < fields.size() && !each.key.empty() &&
                           each.key.size() <= effect_key_parts_max;
        if (!sound) return errc::bad_schema;
        const bool is_sum = each.kind == effect_kind::adds || each.kind == effect_kind::subtracts;
        if (is_sum && fields[each.field].bytes != 8) {
            return errc::bad_schema;
        }
        for (const auto& part : each.key) {
            if (part.field >= fields.size() ||
                part.at + fields[part.field].bytes > sizeof(shm::transaction_key)) {
                return errc::bad_schema;
            }
        }
    }
    return {};
}

result<shm::transaction_key> event_declaration::key_of(
    const event_effect& effect, const shm::event_view& event) const noexcept {
    if (event.payload.size() < bytes) return errc::garbled;
    std::array<std::byte, sizeof(shm::transaction_key)> laid{};
    for (const auto& part : effect.key) {
        const auto& field = fields[part.field];
        // Over each other: the upper half of an account's second word is zero.
        for (std::uint16_t i = 0; i < field.bytes; ++i) {
            laid[part.at + i] |= event.payload[static_cast<std::size_t>(field.offset) + i];
        }
    }
    shm::transaction_key key;
    std::memcpy(&key, laid.data(), sizeof key);
    return key;
}

result<std::uint64_t> event_declaration::word_of(const event_field& field,
                                                 const shm::event_view& event) const noexcept {
    if (event.payload.size() < bytes || field.bytes > sizeof(std::uint64_t)) return errc::garbled;
    std::uint64_t value = 0;
    std::memcpy(&value, event.payload.data() + field.offset, field.bytes);
    return value;
}

event_type_row to_row(const event_declaration& from) noexcept {
    PERDURE_ASSERT(from.validate().has_value());
    event_type_row row{};
    put_text(row.name, from.name);
    row.type = from.type;
    row.version = from.version;
    row.bytes = from.bytes;
    row.field_count = static_cast<std::uint32_t>(from.fields.size());
    row.effect_count = static_cast<std::uint32_t>(from.effects.size());
    for (std::size_t i = 0; i < from.fields.size(); ++i) {
        const auto& field = from.fields[i];
        auto& to = row.fields[i];
        put_text(to.name, field.name);
        to.type = static_cast<std::uint16_t>(field.type);
        to.offset = field.offset;
        to.bytes = field.bytes;
        to.unit = static_cast<std::uint16_t>(field.unit);
    }
    for (std::size_t i = 0; i < from.effects.size(); ++i) {
        const auto& effect = from.effects[i];
        auto& to = row.effects[i];
        put_text(to.table, effect.table);
        put_text(to.column, effect.column);
        to.kind = static_cast<std::uint16_t>(effect.kind);
        to.field = effect.field;
        to.key_parts = static_cast<std::uint16_t>(effect.key.size());
        for (std::size_t k = 0; k < effect.key.size(); ++k) {
            to.key[k] = {effect.key[k].field, effect.key[k].at};
        }
    }
    return row;
}

result<event_declaration> from_row(const event_type_row& row) {
    constexpr std::uint32_t number_max = 0xffff;
    if (row.type > number_max || row.version > number_max || row.bytes > number_max ||
        row.field_count > event_fields_max || row.effect_count > event_effects_max) {
        return errc::bad_schema;
    }
    event_declaration made;
    made.name = text_in(row.name);
    made.type = static_cast<std::uint16_t>(row.type);
    made.version = static_cast<std::uint16_t>(row.version);
    made.bytes = static_cast<std::uint16_t>(row.bytes);
    for (std::uint32_t i = 0; i < row.field_count; ++i) {
        const auto& field = row.fields[i];
        made.fields.push_back({text_in(field.name), static_cast<shm::field_type>(field.type),
                               field.offset, field.bytes, static_cast<event_unit>(field.unit)});
    }
    for (std::uint32_t i = 0; i < row.effect_count; ++i) {
        const auto& effect = row.effects[i];
        if (effect.key_parts > effect_key_parts_max) return errc::bad_schema;
        event_effect to{text_in(effect.table),
                        text_in(effect.column),
                        {},
                        static_cast<effect_kind>(effect.kind),
                        effect.field};
        for (std::uint16_t k = 0; k < effect.key_parts; ++k) {
            to.key.push_back({effect.key[k].field, effect.key[k].at});
        }
        made.effects.push_back(std::move(to));
    }
    PERDURE_TRY(made.validate());
    return made;
}

}  // namespace perdure
