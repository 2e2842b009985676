// SPDX-License-Identifier: Apache-2.0
//
// Which plugins a world has, how far each has come, and what they keep: rows of the world itself,
// so that all of it comes back with the world and changes with what the plugins do.
//
// Promise     Every step of a plugin's life is an event in the same transaction.
// Death       Every operation is a part of a transaction: whole or not at all.
// Threads     May be shared; each thread brings its own transaction.
// Invariants  U1 to U3 of registry_format.hpp.
#pragma once

#include <perdure/core/event_catalogue.hpp>
#include <perdure/core/ledger.hpp>
#include <perdure/plugins/host/registry_format.hpp>
#include <perdure/shm/blob.hpp>

namespace perdure::plugins {

/// What is entered when a plugin is loaded.
struct plugin_terms {
    std::string id;
    std::string version;
    std::string file;  ///< Its name in the store.
    host_kind host = host_kind::process;
    std::uint32_t state_version = 1;
    std::string config{};   ///< JSON.
    std::string granted{};  ///< Canonical text.
    std::uint64_t from_ns = 0;
    std::uint64_t cursor = 0;
};

/// What is entered when a plugin is to be upgraded.
struct upgrade_terms {
    std::string version;
    std::string file;
    std::string granted;
    std::uint64_t shadow = 0;  ///< Windows to run beside the old version first.
    std::uint64_t by = 0;
};

/// What an event of a plugin's life says beyond its row.
struct step_note {
    plugin_step step;
    errc cause{};
    std::uint64_t number = 0;
    std::uint64_t by = by_keeper;
};

class registry {
  public:
    static std::string account_name(std::string_view id);
    /// The id of a plugin's account, and the key of everything it has.
    static account_id account_of(std::string_view id);
    /// Name of the faucet that a plugin mints through, and of the sink it burns through.
    static std::string faucet_name(account_id plugin, std::string_view code, faucet_kind way);

    /// Finds or makes the tables, and declares the event. Errors: as shm::create_table.
    static result<registry> open(shm::session& by);
    /// Only finds them. Errors: unknown_table, schema_mismatch.
    static result<registry> find(shm::region& where);

    /// Errors: exists (it is loaded already), bad_name, as shm::insert_key, blob_heap::put.
    result<> load(tx& by, const plugin_terms& terms, std::uint64_t who) const;
    /// Its state and its account stay. Errors: unknown_plugin.
    result<> unload(tx& by, account_id plugin, std::uint64_t who) const;
    /// Errors: unknown_plugin.
    result<plugin_row*> edit(tx& by, account_id plugin) const noexcept;
    /// Writes the event of what became of the row. Requires: the row's private copy.
    void tell(tx& by, const plugin_row& row, const step_note& note) const;

    /// Errors: unknown_plugin.
    template <shm::row_source Source>
    result<plugin_row> row(Source& in, account_id plugin) const noexcept;
    /// Configuration or grants as text. Errors: conflict, garbled.
    template <shm::row_source Source>
    result<std::string> text(Source& in, const shm::blob_ref& of) const;
    /// The same of an upgrade's row.
    template <shm::row_source Source>
    result<std::string> upgrade_text(Source& in, const shm::blob_ref& of) const;
    /// All that are loaded, in the order of their ids. Errors: as session::read.
    result<std::vector<plugin_row>> all(shm::reader& by) const;

    /// Errors: not_found, name_taken.
    template <shm::row_source Source>
    result<std::vector<std::byte>> state(Source& in, account_id plugin,
                                         std::span<const std::byte> name) const;
    /// Errors: name_taken, transaction_too_large, as shm::insert_key.
    result<> put_state(tx& by, account_id plugin, std::span<const std::byte> name,
                       std::span<const std::byte> value) const;
    /// A name that is not there is no error. Errors: name_taken.
    result<> erase_state(tx& by, account_id plugin, std::span<const std::byte> name) const;

    /// Enters an upgrade. Errors: exists (one is under way), unknown_plugin, as insert_key.
    result<> begin_upgrade(tx& by, account_id plugin, const upgrade_terms& terms) const;
    /// Errors: not_found (none is under way).
    template <shm::row_source Source>
    result<upgrade_row> upgrade(Source& in, account_id plugin) const noexcept;
    result<upgrade_row*> edit_upgrade(tx& by, account_id plugin) const noexcept;
    result<> note_difference(tx& by, upgrade_row& row, std::string_view report) const;
    /// The new version becomes the plugin's. Errors: not_found, unknown_plugin.
    result<> switch_over(tx& by, account_id plugin, std::uint64_t probation) const;
    /// The old one becomes it again, if the state is still its. Errors: also wrong_state.
    result<> give_back(tx& by, account_id plugin, errc cause) const;
    /// The upgrade is over, for good or ill: `step` is told.
    result<> end_upgrade(tx& by, account_id plugin, const step_note& note) const;

    /// Counts what is minted in a window. Errors: grant_exceeded above `most`, overflow.
    result<> allow(tx& by, const shm::row_key& key, std::uint64_t window, amount value,
                   amount most) const noexcept;

    [[nodiscard]] std::uint32_t plugins() const noexcept { return plugins_; }

  private:
    registry() = default;

    std::uint32_t plugins_ = 0;
    std::uint32_t allowances_ = 0;
    std::uint32_t states_ = 0;
    std::uint32_t upgrades_ = 0;
    std::uint32_t texts_heap_ = 0;
    std::uint32_t upgrades_heap_ = 0;
    std::uint32_t states_heap_ = 0;
    std::optional<shm::blob_heap> blobs_;
};

/// The events of plugins' lives.
std::vector<event_declaration> plugin_events();

/// A text that fills an array, up to its first zero.
template <std::size_t Size>
std::string_view text_in(const std::array<char, Size>& from) noexcept {
    return {from.data(), ::strnlen(from.data(), Size)};
}

}  // namespace perdure::plugins
