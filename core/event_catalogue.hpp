// SPDX-License-Identifier: Apache-2.0
//
// The event types that are declared in a world, core's and plugins': rows of the table
// "event_types", read by everybody who prints, filters or predicts events without knowing them.
//
// Promise     What was declared under a type and version stays as it is (Y1). An event of a newer
//             version than any that is declared is seen as the newest one known: fields are only
//             ever appended.
// Death       Declared in ordinary transactions.
// Threads     A value; may be shared by threads that only read it.
// Format      event_type_format.hpp, docs/formats/projections.md
#pragma once

#include <perdure/core/event_declaration.hpp>
#include <perdure/shm/session.hpp>

namespace perdure {

/// A row change that an event implies.
struct predicted_change {
    std::uint32_t table;
    std::uint32_t word;  ///< Of the row, as in a record's changes.
    shm::row_key key;
    std::uint64_t gained;  ///< Modulo 2^64.
};

class event_catalogue {
  public:
    /// Finds or makes the table, and enters what of `wanted` is not there yet.
    /// Errors: schema_mismatch when it is there and differs; as shm::create_table.
    static result<event_catalogue> open(shm::session& by,
                                        std::span<const event_declaration> wanted);

    /// What the region holds; works without write access. Errors: unknown_table, bad_schema, busy,
    /// stalled.
    static result<event_catalogue> read(shm::region& where);

    /// Whether all of these are declared.
    [[nodiscard]] bool has(std::span<const event_declaration> wanted) const noexcept;

    /// The declaration by which to read such an event; nullptr when there is none.
    [[nodiscard]] const event_declaration* find(std::uint16_t type,
                                                std::uint16_t version) const noexcept;
    [[nodiscard]] const event_declaration* find(const shm::event_view& event) const noexcept {
        return find(event.type, event.version);
    }
    /// The type of that name, 0 when there is none.
    [[nodiscard]] std::uint16_t type_named(std::string_view name) const noexcept;
    [[nodiscard]] const std::vector<event_declaration>& all() const noexcept { return all_; }

    /// Appends what the event adds to and subtracts from rows. Errors: unknown_event, garbled.
    result<> predict(const shm::event_view& event, std::vector<predicted_change>& into) const;

  private:
    struct place {
        std::uint32_t table = 0;  ///< 0: this world has no such table or column.
        std::uint32_t word = 0;
    };
    void resolve(shm::region& where);

    std::vector<event_declaration> all_;      ///< By type and version.
    std::vector<std::vector<place>> places_;  ///< Of their effects.
};

}  // namespace perdure
