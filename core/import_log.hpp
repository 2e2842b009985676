// SPDX-License-Identifier: Apache-2.0
//
// Which files were imported, and the lines that were refused.
//
// Promise     Each line is decided once: the key of an applied line stands among the ledger's
//             idempotency keys, that of a refused one here, until the import is closed. A closed
//             import stays listed, so that nobody plays it again.
// Death       Every change is a part of a transaction.
// Threads     May be shared by threads; each brings its own transaction.
// Format      docs/formats/tables.md
#pragma once

#include <perdure/core/ledger.hpp>

namespace perdure {

enum class import_state : std::uint32_t {
    begun = 1,   ///< Lines may still be undecided.
    done = 2,    ///< Every line is decided.
    closed = 3,  ///< The same, and no key of it is needed any more; some may still be there.
};

struct import_entry {
    shm::row_header header;
    shm::row_key key;  ///< The first half of its identity.
    shm::row_key key_rest;
    std::uint32_t state;  ///< import_state
    std::uint32_t scale;
    std::uint64_t begun_ns;   ///< Wall clock, since 1970; decides nothing.
    std::uint64_t last_line;  ///< Number of the file's last line.
    std::uint64_t lines;      ///< Behind the header. This and the counts are final once it is done.
    std::uint64_t applied;
    std::uint64_t refused;
    std::uint64_t malformed;
    std::uint64_t left_out;
    std::array<char, 16> asset;
    std::array<char, 64> file;  ///< Its name without the folder.
    std::array<char, 256> columns;
};
static_assert(shm::mapped<import_entry> && sizeof(import_entry) == 448);
BOOST_DESCRIBE_STRUCT(import_entry, (),
                      (key, key_rest, state, scale, begun_ns, last_line, lines, applied, refused,
                       malformed, left_out, asset, file, columns))

/// A refused line, under the key that it would have been applied with.
struct refused_line {
    shm::row_header header;
    shm::row_key key;
    std::uint64_t line;
    std::uint64_t reason;  ///< errc
};
static_assert(shm::mapped<refused_line> && sizeof(refused_line) == 48);
BOOST_DESCRIBE_STRUCT(refused_line, (), (key, line, reason))

class import_log {
  public:
    /// Finds the tables, or makes them. Errors: as shm::create_table.
    static result<import_log> open(shm::session& by);
    /// Only finds them. Errors: unknown_table, schema_mismatch.
    static result<import_log> find(shm::region& where);

    /// Stores the entry, as a new one or over the one under its key. Errors: import_closed when
    /// that one is closed, as transaction::edit.
    result<> put(tx& by, const import_entry& entry) const noexcept;
    /// Errors: not_found.
    template <shm::row_source Source>
    result<import_entry> get(Source& in, const shm::row_key& identity) const noexcept;
    /// Errors: not_found.
    result<> close(tx& by, const shm::row_key& identity) const noexcept;

    /// Errors: exists.
    result<> refuse(tx& by, const shm::transaction_key& key, std::uint64_t line,
                    errc reason) const noexcept;
    /// The line, if it was refused. Errors: not_found.
    template <shm::row_source Source>
    result<refused_line> refusal(Source& in, const shm::transaction_key& key) const noexcept;
    /// Forgets a line of a closed import, applied or refused; one that nobody knows is no error.
    result<> forget(tx& by, const ledger& books, const shm::transaction_key& key) const noexcept;

    struct tables {
        std::uint32_t imports = 0;
        std::uint32_t refusals = 0;
    };
    [[nodiscard]] const tables& numbers() const noexcept { return tables_; }

  private:
    explicit import_log(tables numbers) noexcept : tables_(numbers) {}
    tables tables_;
};

}  // namespace perdure
