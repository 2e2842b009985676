// SPDX-License-Identifier: Apache-2.0
//
// The schema of a C++ row: its described members (BOOST_DESCRIBE_STRUCT) are the table's fields.
//
// Promise     Fields stand in the order in which they are described, at the offsets the compiler
//             gave them; what is not described (the header, reserved words) is no field.
// Threads     Pure functions; what they answer is data, and the engine reads nothing else.
#pragma once

#include <algorithm>
#include <array>
#include <boost/describe.hpp>
#include <boost/mp11.hpp>
#include <perdure/shm/schema.hpp>

namespace perdure::shm {

/// What members alone do not say. Fields are named as they are described.
struct row_rules {
    std::uint32_t flags = 0;  ///< table_flag
    std::uint32_t version = 1;
    std::string_view key = "key";  ///< The primary key's 16 bytes; empty: rows have no key.
    std::vector<std::string_view> adds = {};
    std::vector<std::string_view> subtracts = {};
    std::string_view group = {};  ///< The u32 that balanced fields are summed by.
    /// Ordered indexes, each by its fields, the most significant first.
    std::vector<std::vector<std::string_view>> indexes = {};
};

template <class Member>
struct field_type_of {
    static constexpr field_type value = field_type::bytes;
};
template <>
struct field_type_of<std::uint32_t> {
    static constexpr field_type value = field_type::u32;
};
template <>
struct field_type_of<std::uint64_t> {
    static constexpr field_type value = field_type::u64;
};
template <>
struct field_type_of<std::int64_t> {
    static constexpr field_type value = field_type::i64;
};
template <>
struct field_type_of<blob_ref> {
    static constexpr field_type value = field_type::blob;
};
template <std::size_t Size>
struct field_type_of<std::array<char, Size>> {
    static constexpr field_type value = field_type::text;
};

/// The described members of a mapped struct as fields.
template <mapped Row>
std::vector<field> fields_of() {
    std::vector<field> made;
    const Row row{};
    using members = boost::describe::describe_members<Row, boost::describe::mod_public>;
    boost::mp11::mp_for_each<members>([&](auto member) {
        const auto& place = row.*member.pointer;
        using type = std::remove_cvref_t<decltype(place)>;
        const auto offset =
            reinterpret_cast<const std::byte*>(&place) - reinterpret_cast<const std::byte*>(&row);
        made.push_back({member.name, field_type_of<type>::value, static_cast<std::uint16_t>(offset),
                        sizeof(type), 0, 0});
    });
    return made;
}

/// Requires: every name in `rules` is a described member's.
template <mapped Row>
schema schema_of(std::string name, const row_rules& rules = {}) {
    schema made;
    made.name = std::move(name);
    made.version = rules.version;
    made.row_bytes = sizeof(Row);
    made.flags = rules.flags;
    made.fields = fields_of<Row>();
    const auto named = [&](std::string_view wanted) -> field& {
        const auto found = std::find_if(made.fields.begin(), made.fields.end(),
                                        [&](const field& each) { return each.name == wanted; });
        PERDURE_ASSERT(found != made.fields.end());
        return *found;
    };
    if (!rules.key.empty()) made.key_at = named(rules.key).offset;
    const auto balance = [&](std::string_view which, field_flag how) {
        auto& balanced = named(which);
        balanced.flags = how;
        balanced.group_offset = named(rules.group).offset;
    };
    for (const auto which : rules.adds) balance(which, adds);
    for (const auto which : rules.subtracts) balance(which, subtracts);
    for (const auto& fields : rules.indexes) {
        auto& index = made.indexes.emplace_back();
        for (const auto which : fields) {
            index.push_back(static_cast<std::uint8_t>(&named(which) - made.fields.data()));
        }
    }
    return made;
}

}  // namespace perdure::shm
