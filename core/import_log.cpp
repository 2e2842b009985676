// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/import_log.hpp>

#include <cstring>

namespace perdure {
namespace {

using shm::field_type;

shm::schema import_schema() {
    shm::schema made;
    made.name = "imports";
    made.row_bytes = sizeof(import_entry);
    made.key_at = offsetof(import_entry, key);
    made.flags = shm::transient;
    made.fields = {
        {"key", field_type::bytes, offsetof(import_entry, key), 16, 0, 0},
        {"key_rest", field_type::bytes, offsetof(import_entry, key_rest), 16, 0, 0},
        {"state", field_type::u32, offsetof(import_entry, state), 4, 0, 0},
        {"scale", field_type::u32, offsetof(import_entry, scale), 4, 0, 0},
        {"begun_ns", field_type::u64, offsetof(import_entry, begun_ns), 8, 0, 0},
        {"last_line", field_type::u64, offsetof(import_entry, last_line), 8, 0, 0},
        {"lines", field_type::u64, offsetof(import_entry, lines), 8, 0, 0},
        {"applied", field_type::u64, offsetof(import_entry, applied), 8, 0, 0},
        {"refused", field_type::u64, offsetof(import_entry, refused), 8, 0, 0},
        {"malformed", field_type::u64, offsetof(import_entry, malformed), 8, 0, 0},
        {"left_out", field_type::u64, offsetof(import_entry, left_out), 8, 0, 0},
        {"asset", field_type::text, offsetof(import_entry, asset), 16, 0, 0},
        {"file", field_type::text, offsetof(import_entry, file), 64, 0, 0},
        {"columns", field_type::text, offsetof(import_entry, columns), 256, 0, 0},
    };
    return made;
}

shm::schema refusal_schema() {
    shm::schema made;
    made.name = "import_refusals";
    made.row_bytes = sizeof(refused_line);
    made.key_at = offsetof(refused_line, key);
    made.flags = shm::transient;
    made.fields = {
        {"key", field_type::bytes, offsetof(refused_line, key), 16, 0, 0},
        {"line", field_type::u64, offsetof(refused_line, line), 8, 0, 0},
        {"reason", field_type::u64, offsetof(refused_line, reason), 8, 0, 0},
    };
    return made;
}

result<std::uint32_t> find_table(shm::region& where, const shm::schema& wanted) {
    const auto there = PERDURE_TRY(shm::find_table(where, wanted.name));
    const auto found = PERDURE_TRY(shm::read_schema(where, there));
    if (found != wanted) return errc::schema_mismatch;
    return there;
}

result<std::uint32_t> open_table(shm::session& by, const shm::schema& wanted) {
    const auto there = find_table(by.where(), wanted);
    if (there || there.error() != errc::unknown_table) return there;
    std::uint32_t number = 0;
    PERDURE_TRY(by.write([&](tx& in) -> result<> {
        number = PERDURE_TRY(shm::create_table(in, wanted));
        return {};
    }));
    return number;
}

result<> erase_if_there(tx& by, std::uint32_t table, const shm::row_key& key) noexcept {
    const auto gone = shm::erase_key(by, table, key);
    if (!gone && gone.error() != errc::not_found) return gone.error();
    return {};
}

}  // namespace

result<import_log> import_log::open(shm::session& by) {
    tables numbers;
    numbers.imports = PERDURE_TRY(open_table(by, import_schema()));
    numbers.refusals = PERDURE_TRY(open_table(by, refusal_schema()));
    return import_log(numbers);
}

result<import_log> import_log::find(shm::region& where) {
    tables numbers;
    numbers.imports = PERDURE_TRY(find_table(where, import_schema()));
    numbers.refusals = PERDURE_TRY(find_table(where, refusal_schema()));
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
