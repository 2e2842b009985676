// SPDX-License-Identifier: Apache-2.0
//
// FORMAT a row of the table "event_types": what the events of one type and version look like, and
// what they do to the tables.
//
// Invariants  Y1 a row never changes once it is there: another form is another version.  Y2 the
//             fields lie in the payload, ascend and do not overlap.  Y3 an effect names fields by
//             their place in the list.  Y4 what counts do not reach is zero.
// Format      docs/formats/projections.md#event_types
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <perdure/shm/record_format.hpp>
#include <perdure/shm/region_format.hpp>

namespace perdure {

inline constexpr std::uint32_t event_fields_max = 16;
inline constexpr std::uint32_t event_effects_max = 8;
inline constexpr std::uint32_t effect_key_parts_max = 4;

enum class event_unit : std::uint16_t {
    plain = 1,
    account = 2,      ///< 16 bytes, an account's id.
    asset = 3,        ///< u32, an asset's id.
    minor_units = 4,  ///< i64, of the asset named in the same event.
    id = 5,           ///< 16 bytes, the primary key of some row.
    wall_ns = 6,      ///< u64, nanoseconds since 1970.
};

enum class effect_kind : std::uint16_t {
    adds = 1,        ///< The column gains the field's value.
    subtracts = 2,   ///< It loses it.
    sets = 3,        ///< It becomes it.
    increments = 4,  ///< It gains one; no field is looked at.
    decrements = 5,
};

struct stored_event_field {
    std::array<char, 24> name;
    std::uint16_t type;  ///< shm::field_type
    std::uint16_t offset;
    std::uint16_t bytes;
    std::uint16_t unit;  ///< event_unit
};
static_assert(shm::mapped<stored_event_field> && sizeof(stored_event_field) == 32);

/// The bytes of a field, laid over a row's key from byte `at` on.
struct stored_key_part {
    std::uint16_t field;
    std::uint16_t at;
};
static_assert(shm::mapped<stored_key_part> && sizeof(stored_key_part) == 4);

struct stored_effect {
    std::array<char, 32> table;
    std::array<char, 24> column;
    std::uint16_t kind;   ///< effect_kind
    std::uint16_t field;  ///< What is added, subtracted or set.
    std::uint16_t key_parts;
    std::uint16_t reserved;
    std::array<stored_key_part, effect_key_parts_max> key;
};
static_assert(shm::mapped<stored_effect> && sizeof(stored_effect) == 80);

struct event_type_row {
    shm::row_header header;
    shm::transaction_key key;  ///< {type, version}
    std::array<char, 32> name;
    std::uint32_t type;
    std::uint32_t version;
    std::uint32_t bytes;  ///< Of the payload.
    std::uint32_t field_count;
    std::uint32_t effect_count;
    std::uint32_t reserved;
    std::array<stored_event_field, event_fields_max> fields;
    std::array<stored_effect, event_effects_max> effects;
};
static_assert(shm::mapped<event_type_row> && sizeof(event_type_row) == 1240);
BOOST_DESCRIBE_STRUCT(event_type_row, (),
                      (key, name, type, version, bytes, field_count, effect_count, fields, effects))
static_assert(offsetof(event_type_row, fields) == 88 && offsetof(event_type_row, effects) == 600);

}  // namespace perdure
