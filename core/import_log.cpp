// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/import_log.hpp>

#include <cstring>
#include <perdure/shm/described.hpp>

namespace perdure {
namespace {

shm::schema import_schema() {
    return shm::schema_of<import_entry>("imports", {.flags = shm::transient});
}

shm::schema refusal_schema() {
    return shm::schema_of<refused_line>("import_refusals", {.flags = shm::transient});
}

result<> erase_if_there(tx& by, std::uint32_t table, const shm::row_key& key) noexcept {
    const auto gone = shm::erase_key(by, table, key);
    if (!gone && gone.error() != errc::not_found) return gone.error();
    return {};
}

}  // namespace

result<import_log> import_log::open(shm::session& by) {
    tables numbers;
    numbers.imports = PERDURE_TRY(shm::open_table(by, import_schema()));
    numbers.refusals = PERDURE_TRY(shm::open_table(by, refusal_schema()));
    return import_log(numbers);
}

result<import_log> import_log::find(shm::region& where) {
    tables numbers;
    numbers.imports = PERDURE_TRY(shm::find_table(where, import_schema()));
    numbers.refusals = PERDURE_TRY(shm::find_table(where, refusal_schema()));
    return import_log(numbers);
}

result<> import_log::put(tx& by, const import_entry& entry) const noexcept {
    const auto there = shm::edit_key<import_entry>(by, tables_.imports, entry.key);
    import_entry* row = nullptr;
    if (there) {
        row = *there;
        if (row->state == static_cast<std::uint32_t>(import_state::closed)) {
            return errc::import_closed;
        }
    } else if (there.error() == errc::not_found) {
        const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.imports, entry.key));
        row = reinterpret_cast<import_entry*>(taken.copy);
    } else {
        return there.error();
    }
    // Header and key belong to the engine.
    constexpr std::size_t front = offsetof(import_entry, key_rest);
    std::memcpy(reinterpret_cast<std::byte*>(row) + front,
                reinterpret_cast<const std::byte*>(&entry) + front, sizeof entry - front);
    return {};
}

template <shm::row_source Source>
result<import_entry> import_log::get(Source& in, const shm::row_key& identity) const noexcept {
    return shm::get_key<import_entry>(in, tables_.imports, identity);
}

result<> import_log::close(tx& by, const shm::row_key& identity) const noexcept {
    auto* row = PERDURE_TRY(shm::edit_key<import_entry>(by, tables_.imports, identity));
    row->state = static_cast<std::uint32_t>(import_state::closed);
    return {};
}

result<> import_log::refuse(tx& by, const shm::transaction_key& key, std::uint64_t line,
                            errc reason) const noexcept {
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.refusals, key));
    auto* row = reinterpret_cast<refused_line*>(taken.copy);
    row->line = line;
    row->reason = static_cast<std::uint64_t>(reason);
    return {};
}

template <shm::row_source Source>
result<refused_line> import_log::refusal(Source& in,
                                         const shm::transaction_key& key) const noexcept {
    return shm::get_key<refused_line>(in, tables_.refusals, key);
}

result<> import_log::forget(tx& by, const ledger& books,
                            const shm::transaction_key& key) const noexcept {
    PERDURE_TRY(erase_if_there(by, books.numbers().keys, key));
    return erase_if_there(by, tables_.refusals, key);
}

template result<import_entry> import_log::get(tx&, const shm::row_key&) const noexcept;
template result<import_entry> import_log::get(shm::view&, const shm::row_key&) const noexcept;
template result<refused_line> import_log::refusal(tx&, const shm::transaction_key&) const noexcept;
template result<refused_line> import_log::refusal(shm::view&,
                                                  const shm::transaction_key&) const noexcept;

}  // namespace perdure
