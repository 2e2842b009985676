// SPDX-License-Identifier: Apache-2.0
//
// Schemas and rows as Cereal archives: field by field, by name, packed by zstd.
//
// Promise     unpack undoes pack, for any schema. Rows are read by the names of their fields: those
//             that the reader's schema puts elsewhere are put there, those it does not know are
//             left out, those that are new are zero. What pack did not write is damaged.
// Threads     An object belongs to one thread.
// Format      docs/formats/checkpoint.md#archives
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <perdure/io/checkpoint_format.hpp>
#include <perdure/shm/error.hpp>
#include <perdure/shm/schema.hpp>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace perdure::io {

/// A table as a checkpoint knows it.
struct stored_schema {
    std::uint32_t number = 0;
    shm::row_header header{};  ///< Of its row in the table of schemas.
    shm::schema shape;
    std::uint32_t index = 0;
    std::uint32_t overflow = 0;
    std::uint32_t heap = 0;
    std::vector<std::uint32_t> nodes;  ///< Tables of its ordered indexes.
};

/// The row it had. Errors: bad_schema.
result<shm::schema_row> row_of(const stored_schema& from) noexcept;
/// Errors: bad_schema, also when the row holds what a stored_schema cannot say.
result<stored_schema> schema_of(std::uint32_t number, const shm::schema_row& row);

/// Where each field of a row goes to; made once a table.
class row_plan {
  public:
    /// For rows that were stored as `stored` says, wanted as `wanted` says.
    row_plan(const shm::schema& stored, const shm::schema& wanted);

    /// A run of a row's bytes: a column, or a part of one.
    struct column {
        std::uint32_t from;  ///< Offset in the stored row.
        std::uint32_t to;    ///< Offset in the wanted row; `nowhere`: it has no such field.
        std::uint32_t bytes;
        bool is_long;  ///< Stored row by row, not as words.
    };
    static constexpr std::uint32_t nowhere = ~0U;

    [[nodiscard]] std::span<const column> columns() const noexcept { return columns_; }
    [[nodiscard]] std::uint32_t stored_bytes() const noexcept { return stored_bytes_; }
    [[nodiscard]] std::uint32_t wanted_bytes() const noexcept { return wanted_bytes_; }

  private:
    void add(const shm::field& field, std::uint32_t to);

    std::vector<column> columns_;
    std::uint32_t stored_bytes_;
    std::uint32_t wanted_bytes_;
};

/// Rows on their way into a section or out of it.
struct row_batch {
    std::vector<std::uint64_t> numbers;  ///< Ascending.
    std::vector<std::byte> rows;         ///< As many times the plan's row length, headers included.
};

class table_archive {
  public:
    table_archive();
    table_archive(const table_archive&) = delete;
    table_archive& operator=(const table_archive&) = delete;
    ~table_archive();

    /// Appends header and payload of a section; `header` says table and as_of, the rest is filled
    /// in. `into` is resized.
    void pack(section_header header, const row_plan& plan, const row_batch& batch,
              std::vector<std::byte>& into);
    void pack(section_header header, std::span<const stored_schema> schemas,
              std::vector<std::byte>& into);

    /// Errors: damaged.
    result<> unpack(const section_header& header, std::span<const std::byte> payload,
                    const row_plan& plan, row_batch& into);
    result<std::vector<stored_schema>> unpack_schemas(const section_header& header,
                                                      std::span<const std::byte> payload);

  private:
    void seal(section_header header, bool is_text, std::vector<std::byte>& into);
    result<> open(const section_header& header, std::span<const std::byte> payload);
    template <class Archive>
    void put_words(Archive& to, const row_batch& batch, std::uint32_t row_bytes,
                   const row_plan::column& from);

    struct free_contexts {
        void operator()(ZSTD_CCtx_s* context) const noexcept;
        void operator()(ZSTD_DCtx_s* context) const noexcept;
    };
    std::unique_ptr<ZSTD_CCtx_s, free_contexts> of_words_;
    std::unique_ptr<ZSTD_CCtx_s, free_contexts> of_texts_;
    std::unique_ptr<ZSTD_DCtx_s, free_contexts> unpacking_;
    std::vector<char> raw_;  // The archive.
    std::vector<std::uint64_t> words_;
    std::vector<std::byte> planes_;
};

/// Is the section's header what it says it is? "" when it is; else the cause.
[[nodiscard]] std::string_view why_broken(const section_header& header) noexcept;

}  // namespace perdure::io
