// SPDX-License-Identifier: Apache-2.0
//
// What an event looks like and does, as data: core and plugins declare theirs the same way.
//
// Promise     A declaration that validate() accepts satisfies Y2 and Y3 of event_type_format.hpp.
// Threads     Values.
// Format      event_type_format.hpp
#pragma once

#include <boost/describe.hpp>
#include <boost/mp11.hpp>
#include <initializer_list>
#include <perdure/core/event_format.hpp>
#include <perdure/core/event_type_format.hpp>
#include <perdure/shm/record_view.hpp>
#include <perdure/shm/schema.hpp>

namespace perdure {

struct event_field {
    std::string name;
    shm::field_type type = shm::field_type::u64;
    std::uint16_t offset = 0;
    std::uint16_t bytes = 8;
    event_unit unit = event_unit::plain;

    friend bool operator==(const event_field&, const event_field&) = default;
};

struct effect_key_part {
    std::uint16_t field = 0;
    std::uint16_t at = 0;

    friend bool operator==(const effect_key_part&, const effect_key_part&) = default;
};

struct event_effect {
    std::string table;
    std::string column;
    std::vector<effect_key_part> key;
    effect_kind kind = effect_kind::adds;
    std::uint16_t field = 0;

    friend bool operator==(const event_effect&, const event_effect&) = default;
};

struct event_declaration {
    std::string name;
    std::uint16_t type = 0;
    std::uint16_t version = 0;
    std::uint16_t bytes = 0;  ///< Of the payload.
    std::vector<event_field> fields;
    std::vector<event_effect> effects;

    friend bool operator==(const event_declaration&, const event_declaration&) = default;

    /// Errors: bad_schema.
    [[nodiscard]] result<> validate() const noexcept;
    /// Number of the field of that name, fields.size() when there is none.
    [[nodiscard]] std::uint16_t field_named(std::string_view wanted) const noexcept;
    /// The key of the row that an effect changes. Errors: garbled when the payload is too short.
    [[nodiscard]] result<shm::transaction_key> key_of(const event_effect& effect,
                                                      const shm::event_view& event) const noexcept;
    /// A field's value as a word. Requires: the field has at most 8 bytes. Errors: garbled.
    [[nodiscard]] result<std::uint64_t> word_of(const event_field& field,
                                                const shm::event_view& event) const noexcept;
};

/// Header and key stay zero. Requires: validate().
event_type_row to_row(const event_declaration& from) noexcept;
/// Errors: bad_schema, which is what a garbled row answers.
result<event_declaration> from_row(const event_type_row& row);

/// Puts a declaration together from the struct itself:
///   declaration_of<burned_v1>("burned", type, 1).field("amount", &burned_v1::amount)...
template <shm::mapped Event>
class declaration_of {
  public:
    declaration_of(std::string name, event_type type, std::uint16_t version) {
        made_.name = std::move(name);
        made_.type = static_cast<std::uint16_t>(type);
        made_.version = version;
        made_.bytes = sizeof(Event);
    }

    template <class Member>
    declaration_of& field(std::string name, Member Event::*member,
                          event_unit unit = unit_of<Member>()) {
        const Event zero{};
        const auto* from = reinterpret_cast<const std::byte*>(&zero);
        const auto* at = reinterpret_cast<const std::byte*>(&(zero.*member));
        made_.fields.push_back({std::move(name), type_of<Member>(),
                                static_cast<std::uint16_t>(at - from), sizeof(Member), unit});
        return *this;
    }

    /// All described members (BOOST_DESCRIBE_STRUCT) as fields; a u32 that is called asset is one,
    /// and a name that ends in wall_ns says what it counts.
    declaration_of& described() {
        using members = boost::describe::describe_members<Event, boost::describe::mod_public>;
        boost::mp11::mp_for_each<members>([&](auto member) {
            using type = std::remove_cvref_t<decltype(std::declval<Event&>().*member.pointer)>;
            const std::string_view name = member.name;
            const auto unit = name == "asset"             ? event_unit::asset
                              : name.ends_with("wall_ns") ? event_unit::wall_ns
                                                          : unit_of<type>();
            field(std::string(name), member.pointer, unit);
        });
        return *this;
    }

    /// A part of a key: this field's bytes from byte `at` of the key on.
    struct part {
        const char* field;
        std::uint16_t at = 0;
    };
    /// {table, column} of the row with that key gains, loses or becomes the value of `field`.
    declaration_of& adds(const char* table, const char* column, std::initializer_list<part> key,
                         const char* field) {
        return effect({table, column, {}, effect_kind::adds, 0}, key, field);
    }
    declaration_of& subtracts(const char* table, const char* column,
                              std::initializer_list<part> key, const char* field) {
        return effect({table, column, {}, effect_kind::subtracts, 0}, key, field);
    }
    declaration_of& sets(const char* table, const char* column, std::initializer_list<part> key,
                         const char* field) {
        return effect({table, column, {}, effect_kind::sets, 0}, key, field);
    }

    /// The column of the row with that key counts one more or one less.
    declaration_of& increments(const char* table, const char* column,
                               std::initializer_list<part> key) {
        return effect({table, column, {}, effect_kind::increments, 0}, key, nullptr);
    }
    declaration_of& decrements(const char* table, const char* column,
                               std::initializer_list<part> key) {
        return effect({table, column, {}, effect_kind::decrements, 0}, key, nullptr);
    }

    operator event_declaration() const {  // NOLINT(google-explicit-constructor): the last step
        PERDURE_ASSERT(made_.validate().has_value());
        return made_;
    }

  private:
    template <class Member>
    static constexpr shm::field_type type_of() {
        if (std::is_same_v<Member, std::uint32_t>) return shm::field_type::u32;
        if (std::is_same_v<Member, std::uint64_t>) return shm::field_type::u64;
        if (std::is_same_v<Member, std::int64_t>) return shm::field_type::i64;
        if (sizeof(Member) == 16 && alignof(Member) == 8) return shm::field_type::bytes;
        return shm::field_type::text;
    }
    template <class Member>
    static constexpr event_unit unit_of() {
        if (std::is_same_v<Member, account_words>) return event_unit::account;
        if (std::is_same_v<Member, shm::transaction_key>) return event_unit::id;
        if (std::is_same_v<Member, std::int64_t>) return event_unit::minor_units;
        return event_unit::plain;
    }
    declaration_of& effect(event_effect effect, std::initializer_list<part> key,
                           const char* field) {
        for (const part& each : key) effect.key.push_back({made_.field_named(each.field), each.at});
        if (field != nullptr) effect.field = made_.field_named(field);
        made_.effects.push_back(std::move(effect));
        return *this;
    }

    event_declaration made_;
};

/// The events of core itself, oldest version first.
std::vector<event_declaration> economy_events();
/// Those of them that programmes and stakes have.
std::vector<event_declaration> stake_events();

}  // namespace perdure
