// SPDX-License-Identifier: Apache-2.0
//
// The chain of one hash bucket while it is edited: the bucket and its overflow buckets, all under
// the first one's stripe.
//
// Promise     What is edited is the transaction's; a garbled chain is an answer.
// Death       A chain changes in a transaction, like everything else.
// Threads     The transaction's own.
// Format      region_format.hpp (bucket), docs/formats/region.md#buckets
#pragma once

#include <array>
#include <perdure/shm/table.hpp>

namespace perdure::shm {

inline constexpr int chain_max = 64;  // A longer chain is a garbled one.

/// The tables that belong to a table with a key.
struct index_tables {
    std::uint32_t buckets;
    std::uint32_t overflow;
};

/// Errors: unknown_table (there is none, or it has no key), garbled.
result<index_tables> tables_of(const region& where, std::uint32_t table) noexcept;

/// Copies of the links, the bucket's own first. Filled in place and only as far as the chain is
/// long, because nearly all are of one link.
struct chain {
    std::uint32_t stripe;
    int count = 0;
    std::array<bucket*, chain_max> links;
};

/// Errors: garbled, as transaction::edit_words.
result<> edit_chain(transaction& tx, index_tables tables, std::uint64_t number,
                    chain& out) noexcept;

/// Puts an entry into the first free place, adding an overflow bucket when there is none. Errors:
/// region_full, as take_number.
result<> put_entry(transaction& tx, index_tables tables, chain& into, std::uint64_t entry) noexcept;

}  // namespace perdure::shm
