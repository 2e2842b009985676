// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/bucket_chain.hpp>

namespace perdure::shm {

result<index_tables> tables_of(const region& where, std::uint32_t table) noexcept {
    if (table == 0 || table >= table_count) return errc::unknown_table;
    const auto index = peek(where.descriptor(table).index);
    if (index == 0 || index >= table_count) return errc::unknown_table;
    const auto overflow = peek(where.descriptor(index).overflow);
    if (overflow == 0 || overflow >= table_count) return errc::garbled;
    return index_tables{index, overflow};
}

result<> edit_chain(transaction& tx, index_tables tables, std::uint64_t number,
                    chain& out) noexcept {
    out.stripe = stripe_of(tables.buckets, number);
    out.count = 0;
    std::uint64_t at = tx.locate(tables.buckets, number);
    for (;;) {
        if (at == 0 || out.count == chain_max) return errc::garbled;
        auto* link =
            reinterpret_cast<bucket*>(PERDURE_TRY(tx.edit_words(at, sizeof(bucket), out.stripe)));
        out.links[static_cast<std::size_t>(out.count++)] = link;
        if (link->overflow == 0) return {};
        at = tx.locate(tables.overflow, link->overflow - 1);
    }
}

result<> put_entry(transaction& tx, index_tables tables, chain& into,
                   std::uint64_t entry) noexcept {
    for (int i = 0; i < into.count; ++i) {
        for (auto& place : into.links[static_cast<std::size_t>(i)]->entries) {
            if (place != 0) continue;
            place = entry;
            return {};
        }
    }
    if (into.count == chain_max) return errc::region_full;
    const std::uint64_t row = PERDURE_TRY(take_number(tx, tables.overflow));
    const std::uint64_t at = tx.locate(tables.overflow, row);
    auto* added =
        reinterpret_cast<bucket*>(PERDURE_TRY(tx.edit_words(at, sizeof(bucket), into.stripe)));
    *added = {};
    added->entries[0] = entry;
    into.links[static_cast<std::size_t>(into.count - 1)]->overflow =
        static_cast<std::uint32_t>(row + 1);
    into.links[static_cast<std::size_t>(into.count++)] = added;
    return {};
}

}  // namespace perdure::shm
