// SPDX-License-Identifier: Apache-2.0
//
// Documents: named, versioned JSON or binary states of a game's own state machines.
//
// Promise     A document's put is one step: value, version, state and what was freed of old
//             versions, or nothing. The versions that its limit allows stay readable.
// Death       Each operation is a part of a transaction: whole or not at all. save() takes as many
//             transactions as it needs unless it is told to be atomic.
// Threads     May be shared by threads; each brings its own transaction, view or session.
// Invariants  O1 to O3 of document_format.hpp.
// Format      document_format.hpp, event_format.hpp, docs/formats/events.md
#pragma once

#include <functional>
#include <optional>
#include <perdure/core/document_format.hpp>
#include <perdure/core/id.hpp>
#include <perdure/shm/blob.hpp>
#include <perdure/shm/tree_index.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace perdure {

struct document_name {
    std::string_view collection;  ///< 1 to 32 bytes: letters, digits, . _ - + @, no dot in front.
    std::string_view name;        ///< 1 to 64 bytes, the same.
};

struct document_limits {
    std::uint32_t versions = 8;  ///< Kept, the newest included; at most 64.
    std::uint64_t bytes = shm::blob_bytes_max;
};

struct document_value {
    document_kind kind = document_kind::json;
    std::span<const std::byte> bytes;
};

/// What a put demands and what it says of itself.
struct document_change {
    std::optional<std::uint64_t> expect_version;  ///< 0: the document must not be there yet.
    std::optional<std::string_view> from_state;   ///< The state it must be in; new ones: "".
    std::optional<std::string_view> to_state;     ///< Not said: the state stays.
    account_id actor;
    std::uint32_t reason = 0;
    document_limits limits;  ///< Of a document that is not there yet.
};

struct document_head {
    std::string collection;
    std::string name;
    std::string state;
    document_kind kind = document_kind::json;
    std::uint64_t version = 0;
    std::uint64_t oldest = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lsn = 0;  ///< Of the last change.
    document_limits limits;
};

struct document_step {
    std::uint64_t version = 0;
    std::uint64_t lsn = 0;
    std::uint64_t bytes = 0;
    std::string from_state;
    std::string to_state;
    account_id actor;
    std::uint32_t reason = 0;
};

struct loaded_document {
    document_head head;
    std::string value;
};

/// One of many for save().
struct document_entry {
    std::string_view name;
    document_value value;
};

struct saving {
    bool atomic = false;  ///< All in one transaction; refused when they do not fit one.
    account_id actor;
    std::uint32_t reason = 0;
    document_limits limits;
    shm::deadline until = shm::deadline::in(std::chrono::seconds(60));  ///< Of each transaction.
};

class documents {
  public:
    /// Finds the tables, or makes them. Errors: as shm::create_table.
    static result<documents> open(shm::session& by);
    /// Only finds them. Errors: unknown_table, schema_mismatch.
    static result<documents> find(shm::region& where);
    /// Its tables, as this build wants them.
    static std::vector<shm::schema> schemas();

    /// Writes a version and answers its number. Errors: bad_name, name_taken, not_json, wrong_kind,
    /// version_conflict, wrong_state, value_too_large, bad_limit, transaction_too_large above
    /// shm::blob_direct_max(): use the session's put.
    result<std::uint64_t> put(shm::transaction& by, const document_name& which,
                              const document_value& value, const document_change& change) const;

    /// The same as a transaction of its own, for values of any length.
    struct put_answer {
        std::uint64_t version;
        shm::receipt paid;
    };
    result<put_answer> put(shm::session& by, const document_name& which,
                           const document_value& value, const document_change& change) const;

    /// Errors: not_found, bad_name.
    template <shm::row_source Source>
    result<document_head> head(Source& in, const document_name& which) const;
    /// The value of a version, 0 = the newest. Errors: not_found, bad_name.
    template <shm::row_source Source>
    result<std::string> get(Source& in, const document_name& which,
                            std::uint64_t version = 0) const;
    /// The versions that are kept, the oldest first. Errors: not_found, bad_name.
    template <shm::row_source Source>
    result<std::vector<document_step>> history(Source& in, const document_name& which) const;

    /// With all its versions. Errors: not_found, bad_name.
    result<> erase(shm::transaction& by, const document_name& which, account_id actor = {},
                   std::uint32_t reason = 0) const;
    /// Versions beyond the limit are freed. Errors: not_found, bad_name, bad_limit.
    result<> limit(shm::transaction& by, const document_name& which,
                   const document_limits& limits) const;

    /// Writes many, each a new version. After an error the first ones may be there unless it was to
    /// be atomic. Errors: as put; transaction_too_large when atomic and too much.
    result<shm::receipt> save(shm::session& by, std::string_view collection,
                              std::span<const document_entry> all, const saving& how = {}) const;
    /// All documents of a collection by name: true at one moment for up to documents_at_once,
    /// beyond that each so many are. Errors: bad_name, stalled.
    result<std::vector<loaded_document>> load(shm::session& by, std::string_view collection) const;
    /// The same without their values; an empty collection means all. Errors: as load.
    result<std::vector<document_head>> list(shm::session& by, std::string_view collection) const;
    static constexpr std::size_t documents_at_once = 128;

    /// How save() checks long batches: calls work(i) once for each i below `count`, by whatever
    /// threads. Unless told it checks them itself.
    using spread = void (*)(std::size_t count, const std::function<void(std::size_t)>& work);
    void check_with(spread how) noexcept { spread_ = how; }

    [[nodiscard]] const shm::blob_heap& blobs() const noexcept { return blobs_; }

    struct tables {
        std::uint32_t documents = 0;
        std::uint32_t versions = 0;
        std::uint32_t heap = 0;  ///< Of the versions' values.
    };
    [[nodiscard]] const tables& numbers() const noexcept { return tables_; }

  private:
    struct writing;
    documents(tables numbers, const shm::blob_heap& blobs, shm::tree by_name)
        : tables_(numbers), blobs_(blobs), by_name_(std::move(by_name)) {}
    result<std::uint64_t> put_checked(shm::transaction& by, const writing& what) const;
    result<document_row*> edit_head(shm::transaction& by, const writing& what) const;
    result<document_row*> create(shm::transaction& by, const writing& what) const;
    result<shm::blob_ref> make_room(shm::transaction& by, document_row& head) const;
    result<> free_versions(shm::transaction& by, document_row& head, std::uint64_t from) const;
    result<std::vector<writing>> check_all(std::string_view collection,
                                           std::span<const document_entry> all,
                                           const document_change& change) const;
    result<put_answer> put_staged(shm::session& by, const writing& what, shm::deadline until) const;
    template <class Each>
    result<> for_each_page(shm::session& by, std::string_view collection, Each&& each) const;

    tables tables_;
    shm::blob_heap blobs_;
    shm::tree by_name_;  ///< Collections, by name.
    spread spread_ = nullptr;
};

}  // namespace perdure
