// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <perdure/core/document_event_format.hpp>
#include <perdure/core/document_key.hpp>
#include <perdure/core/document_write.hpp>
#include <perdure/core/json_text.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure {
namespace {

using tx = shm::transaction;

template <class Event>
void emit(tx& by, event_type type, const Event& event) {
    by.event(static_cast<std::uint16_t>(type), 1, std::as_bytes(std::span(&event, 1)));
}

constexpr account_words words_of(account_id account) noexcept {
    return {account.high, account.low};
}

constexpr bool are_sound(const document_limits& limits) noexcept {
    return limits.versions >= 1 && limits.versions <= versions_kept_max &&
           limits.bytes <= shm::blob_bytes_max;
}

/// Whether the change may be made to the document as it is; nullptr: it is not there.
result<> may_change(const document_row* head, const document_value& value,
                    const document_change& change) noexcept {
    const std::uint64_t version = head == nullptr ? 0 : head->version;
    if (change.expect_version && *change.expect_version != version) return errc::version_conflict;
    const auto state = head == nullptr ? std::string_view() : text_in(head->state);
    if (change.from_state && *change.from_state != state) return errc::wrong_state;
    const auto bytes_max = head == nullptr ? change.limits.bytes : head->bytes_max;
    if (value.bytes.size() > bytes_max) return errc::value_too_large;
    if (head != nullptr && head->kind != static_cast<std::uint32_t>(value.kind)) {
        return errc::wrong_kind;
    }
    return {};
}

}  // namespace

/// What does not depend on the world: checked once, however often a transaction runs.
result<documents::writing> documents::writing::checked(const document_name& which,
                                                       const document_value& value,
                                                       const document_change& change) {
    if (!is_sound(which)) return errc::bad_name;
    const bool has_states = change.from_state.value_or("").size() <= state_bytes_max &&
                            change.to_state.value_or("").size() <= state_bytes_max;
    if (!has_states) return errc::bad_name;
    if (!are_sound(change.limits)) return errc::bad_limit;
    if (value.bytes.size() > shm::blob_bytes_max) return errc::value_too_large;
    if (value.kind == document_kind::json && !is_json(value.bytes)) return errc::not_json;
    return writing{which, value, change, key_of(which), shm::crc32c(value.bytes)};
}

result<document_row*> documents::create(tx& by, const writing& what) const {
    const auto& limits = what.change.limits;
    PERDURE_TRY(may_change(nullptr, what.value, what.change));
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.documents, what.key));
    auto* head = reinterpret_cast<document_row*>(taken.copy);
    write_name(*head, what.which);
    head->oldest = 1;
    head->bytes_max = limits.bytes;
    head->versions_max = limits.versions;
    head->kind = static_cast<std::uint32_t>(what.value.kind);
    document_created_v1 event{};
    event.document = what.key;
    event.collection = head->collection;
    std::memcpy(event.name.data(), what.which.name.data(), what.which.name.size());
    event.bytes_max = limits.bytes;
    event.versions_max = limits.versions;
    event.kind = head->kind;
    emit(by, event_type::document_created, event);
    return head;
}

result<document_row*> documents::edit_head(tx& by, const writing& what) const {
    const auto there = shm::edit_key<document_row>(by, tables_.documents, what.key);
    if (!there && there.error() == errc::not_found) return create(by, what);
    if (!there) return there.error();
    if (!has_name(**there, what.which)) return errc::name_taken;
    PERDURE_TRY(may_change(*there, what.value, what.change));
    return *there;
}

/// Where the limit is reached the oldest version goes; its chunks are used for the newest.
result<shm::blob_ref> documents::make_room(tx& by, document_row& head) const {
    if (head.version + 1 - head.oldest < head.versions_max) return shm::blob_ref{};
    const auto oldest = key_of(head.key, head.oldest);
    auto* row = PERDURE_TRY(shm::edit_key<document_version_row>(by, tables_.versions, oldest));
    const auto value = std::exchange(row->value, {});
    PERDURE_TRY(shm::erase_key(by, tables_.versions, oldest));
    ++head.oldest;
    return value;
}

result<std::uint64_t> documents::put_checked(tx& by, const writing& what) const {
    auto* head = PERDURE_TRY(edit_head(by, what));
    const auto room = PERDURE_TRY(make_room(by, *head));
    const auto from_state = head->state;
    if (what.change.to_state) head->state = text_of(*what.change.to_state);
    head->bytes = what.value.bytes.size();
    ++head->version;
    const auto key = key_of(head->key, head->version);
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.versions, key));
    auto* row = reinterpret_cast<document_version_row*>(taken.copy);
    row->document = what.key;
    row->version = head->version;
    row->from_state = from_state;
    row->to_state = head->state;
    row->actor = words_of(what.change.actor);
    row->reason = what.change.reason;
    row->value = room;
    PERDURE_TRY(what.staged == nullptr ? blobs_.put(by, tables_.heap, row->value, what.value.bytes)
                                       : blobs_.adopt(by, tables_.heap, *what.staged, row->value));
    emit(by, event_type::document_put,
         document_put_v1{what.key, head->version, head->bytes, from_state, head->state, row->actor,
                         row->reason, what.checksum});
    return head->version;
}

result<std::uint64_t> documents::put(tx& by, const document_name& which,
                                     const document_value& value,
                                     const document_change& change) const {
    const auto what = PERDURE_TRY(writing::checked(which, value, change));
    return put_checked(by, what);
}

result<documents::put_answer> documents::put_staged(shm::session& by, const writing& what,
                                                    shm::deadline until) const {
    auto with = what;
    std::optional<shm::staged_blob> staged;
    if (what.value.bytes.size() > shm::blob_direct_max(by.where())) {
        staged = PERDURE_TRY(blobs_.stage(by, tables_.heap, what.value.bytes, until));
        with.staged = &*staged;
    }
    put_answer answer{};
    const auto paid = by.write(
        [&](tx& in) -> result<> {
            answer.version = PERDURE_TRY(put_checked(in, with));
            return {};
        },
        until);
    if (!paid && staged) static_cast<void>(blobs_.discard(by, *staged));
    if (!paid) return paid.error();
    answer.paid = *paid;
    return answer;
}

result<documents::put_answer> documents::put(shm::session& by, const document_name& which,
                                             const document_value& value,
                                             const document_change& change) const {
    const auto what = PERDURE_TRY(writing::checked(which, value, change));
    return put_staged(by, what, shm::deadline::in(std::chrono::seconds(30)));
}

/// Versions below `from`, which may be many: their chunks are left to the sweep.
result<> documents::free_versions(tx& by, document_row& head, std::uint64_t from) const {
    for (; head.oldest < from; ++head.oldest) {
        const auto key = key_of(head.key, head.oldest);
        auto* row = PERDURE_TRY(shm::edit_key<document_version_row>(by, tables_.versions, key));
        PERDURE_TRY(blobs_.abandon(by, tables_.heap, row->value));
        PERDURE_TRY(shm::erase_key(by, tables_.versions, key));
    }
    return {};
}

result<> documents::erase(tx& by, const document_name& which, account_id actor,
                          std::uint32_t reason) const {
    if (!is_sound(which)) return errc::bad_name;
    const auto key = key_of(which);
    auto* head = PERDURE_TRY(shm::edit_key<document_row>(by, tables_.documents, key));
    if (!has_name(*head, which)) return errc::not_found;
    const std::uint64_t version = head->version;
    PERDURE_TRY(free_versions(by, *head, version + 1));
    PERDURE_TRY(shm::erase_key(by, tables_.documents, key));
    emit(by, event_type::document_erased,
         document_erased_v1{key, version, words_of(actor), reason, 0});
    return {};
}

result<> documents::limit(tx& by, const document_name& which, const document_limits& limits) const {
    if (!is_sound(which)) return errc::bad_name;
    if (!are_sound(limits)) return errc::bad_limit;
    const auto key = key_of(which);
    auto* head = PERDURE_TRY(shm::edit_key<document_row>(by, tables_.documents, key));
    if (!has_name(*head, which)) return errc::not_found;
    head->versions_max = limits.versions;
    head->bytes_max = limits.bytes;
    const std::uint64_t kept = std::min<std::uint64_t>(head->version, limits.versions);
    PERDURE_TRY(free_versions(by, *head, head->version + 1 - kept));
    emit(by, event_type::document_limited,
         document_limited_v1{key, limits.bytes, limits.versions, 0});
    return {};
}

template <shm::row_source Source>
result<document_head> documents::head(Source& in, const document_name& which) const {
    if (!is_sound(which)) return errc::bad_name;
    const auto row = PERDURE_TRY(shm::get_key<document_row>(in, tables_.documents, key_of(which)));
    if (!has_name(row, which)) return errc::not_found;
    return head_of(row);
}

template <shm::row_source Source>
result<std::string> documents::get(Source& in, const document_name& which,
                                   std::uint64_t version) const {
    const auto newest = PERDURE_TRY(head(in, which)).version;
    const auto key = key_of(key_of(which), version == 0 ? newest : version);
    const auto row = PERDURE_TRY(shm::get_key<document_version_row>(in, tables_.versions, key));
    if (row.value.bytes > shm::blob_bytes_max) return errc::garbled;
    std::string value(row.value.bytes, '\0');
    PERDURE_TRY(
        shm::get_blob(in, tables_.heap, row.value, std::as_writable_bytes(std::span(value))));
    return value;
}

template <shm::row_source Source>
result<std::vector<document_step>> documents::history(Source& in,
                                                      const document_name& which) const {
    const auto newest = PERDURE_TRY(head(in, which));
    std::vector<document_step> out;
    for (auto version = newest.oldest; version <= newest.version; ++version) {
        const auto row = PERDURE_TRY(shm::get_key<document_version_row>(
            in, tables_.versions, key_of(key_of(which), version)));
        const account_id actor{row.actor.high, static_cast<std::uint32_t>(row.actor.low)};
        out.push_back({version, row.header.lsn, row.value.bytes,
                       std::string(text_in(row.from_state)), std::string(text_in(row.to_state)),
                       actor, row.reason});
    }
    return out;
}

template result<document_head> documents::head(tx&, const document_name&) const;
template result<document_head> documents::head(shm::view&, const document_name&) const;
template result<std::string> documents::get(tx&, const document_name&, std::uint64_t) const;
template result<std::string> documents::get(shm::view&, const document_name&, std::uint64_t) const;
template result<std::vector<document_step>> documents::history(tx&, const document_name&) const;
template result<std::vector<document_step>> documents::history(shm::view&,
                                                               const document_name&) const;

}  // namespace perdure
