// SPDX-License-Identifier: Apache-2.0
//
// The rows of upgrades: every step is one transaction with its event, so that whoever keeps the
// world next goes on from it.
#include <perdure/core/purse.hpp>
#include <perdure/plugins/host/registry.hpp>

namespace perdure::plugins {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

result<> registry::begin_upgrade(tx& by, account_id plugin, const upgrade_terms& terms) const {
    auto* row = PERDURE_TRY(edit(by, plugin));
    if (terms.version.size() >= sizeof(upgrade_row::new_version) ||
        terms.file.size() != sizeof(upgrade_row::new_file)) {
        return errc::bad_name;
    }
    const auto granted = PERDURE_TRY(text(by, row->granted));
    const auto taken = PERDURE_TRY(shm::insert_key(by, upgrades_, key_of(plugin)));
    auto* made = reinterpret_cast<upgrade_row*>(taken.copy);
    made->new_version = text_of<sizeof(upgrade_row::new_version)>(terms.version);
    made->new_file = text_of<sizeof(upgrade_row::new_file)>(terms.file);
    made->old_version = row->version;
    made->old_file = row->file;
    made->old_state_version = row->state_version;
    made->stage = static_cast<std::uint32_t>(upgrade_stage::shadowing);
    made->windows_left = terms.shadow;
    made->by = terms.by;
    PERDURE_TRY(blobs_->put(by, upgrades_heap_, made->new_granted, bytes_of(terms.granted)));
    PERDURE_TRY(blobs_->put(by, upgrades_heap_, made->old_granted, bytes_of(granted)));
    row->cause = 0;
    auto told = *row;
    told.version = made->new_version;
    told.file = made->new_file;
    tell(by, told, {.step = plugin_step::shadowed, .number = terms.shadow, .by = terms.by});
    return {};
}

template <shm::row_source Source>
result<upgrade_row> registry::upgrade(Source& in, account_id plugin) const noexcept {
    return shm::get_key<upgrade_row>(in, upgrades_, key_of(plugin));
}
template result<upgrade_row> registry::upgrade(tx&, account_id) const noexcept;
template result<upgrade_row> registry::upgrade(shm::view&, account_id) const noexcept;

result<upgrade_row*> registry::edit_upgrade(tx& by, account_id plugin) const noexcept {
    return shm::edit_key<upgrade_row>(by, upgrades_, key_of(plugin));
}

result<> registry::note_difference(tx& by, upgrade_row& row, std::string_view report) const {
    row.differing += 1;
    return blobs_->put(by, upgrades_heap_, row.report, bytes_of(report));
}

result<> registry::switch_over(tx& by, account_id plugin, std::uint64_t probation) const {
    auto* row = PERDURE_TRY(edit(by, plugin));
    auto* at = PERDURE_TRY(edit_upgrade(by, plugin));
    // A window that has begun to be committed is the old version's to end.
    if (row->done != 0) return errc::out_of_step;
    const auto granted = PERDURE_TRY(upgrade_text(by, at->new_granted));
    row->version = at->new_version;
    row->file = at->new_file;
    PERDURE_TRY(blobs_->put(by, texts_heap_, row->granted, bytes_of(granted)));
    at->stage = static_cast<std::uint32_t>(upgrade_stage::probation);
    at->windows_left = probation;
    tell(by, *row, {.step = plugin_step::upgraded, .by = at->by});
    return {};
}

result<> registry::give_back(tx& by, account_id plugin, errc cause) const {
    auto* row = PERDURE_TRY(edit(by, plugin));
    auto* at = PERDURE_TRY(edit_upgrade(by, plugin));
    if (row->state_version != at->old_state_version) return errc::wrong_state;
    const auto granted = PERDURE_TRY(upgrade_text(by, at->old_granted));
    row->version = at->old_version;
    row->file = at->old_file;
    row->cause = static_cast<std::uint32_t>(cause);
    PERDURE_TRY(blobs_->put(by, texts_heap_, row->granted, bytes_of(granted)));
    return end_upgrade(by, plugin, {.step = plugin_step::returned, .cause = cause});
}

result<> registry::end_upgrade(tx& by, account_id plugin, const step_note& note) const {
    auto* row = PERDURE_TRY(edit(by, plugin));
    auto* at = PERDURE_TRY(edit_upgrade(by, plugin));
    if (note.cause != errc{}) row->cause = static_cast<std::uint32_t>(note.cause);
    tell(by, *row, note);
    for (auto* text : {&at->new_granted, &at->old_granted, &at->report}) {
        PERDURE_TRY(blobs_->erase(by, upgrades_heap_, *text));
    }
    return shm::erase_key(by, upgrades_, key_of(plugin));
}

}  // namespace perdure::plugins
