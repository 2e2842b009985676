// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <perdure/shm/record_view.hpp>

namespace perdure::shm {
namespace {

template <class T>
T read_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
    T out;
    std::memcpy(&out, bytes.data() + at, sizeof out);
    return out;
}

}  // namespace

std::uint64_t change_view::gained(std::uint32_t index) const noexcept {
    if (index < header.first_word || index - header.first_word >= change_words_max) return 0;
    const std::uint32_t bit = 1U << (index - header.first_word);
    if ((header.mask & bit) == 0) return 0;
    const auto before = static_cast<std::size_t>(std::popcount(header.mask & (bit - 1)));
    return read_at<std::uint64_t>(words, before * sizeof(std::uint64_t));
}

result<record_view> record_view::front_of(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < sizeof(record_header)) return errc::garbled;
    record_view made;
    made.header_ = read_at<record_header>(bytes, 0);
    const std::size_t length = made.header_.bytes;
    if (length < sizeof(record_header) || length > bytes.size() || length % record_alignment != 0 ||
        made.header_.lsn == 0) {
        return errc::garbled;
    }
    made.bytes_ = bytes.first(length);
    if (made.is_padding()) return made;
    std::size_t at = sizeof(record_header) + sizeof(transaction_header);
    if (made.header_.state != static_cast<std::uint16_t>(record_state::committed) || length < at) {
        return errc::garbled;
    }
    made.transaction_ = read_at<transaction_header>(bytes, sizeof(record_header));
    if ((made.transaction_.flags & ~keyed) != 0) return errc::garbled;
    if ((made.transaction_.flags & keyed) != 0) {
        if (length - at < sizeof(transaction_key)) return errc::garbled;
        made.key_ = read_at<transaction_key>(bytes, at);
        at += sizeof(transaction_key);
    }
    made.events_ = event_range(bytes.data() + at, made.transaction_.events);
    for (std::uint32_t i = 0; i < made.transaction_.events; ++i) {
        if (length - at < sizeof(event_header)) return errc::garbled;
        const auto event = read_at<event_header>(bytes, at);
        if (event.bytes < sizeof event || event.bytes % 8 != 0 || event.bytes > length - at) {
            return errc::garbled;
        }
        at += event.bytes;
    }
    made.changes_at_ = at;
    return made;
}

result<bool> record_view::next(change_view& change) const noexcept {
    if (is_padding() || change.number == transaction_.changes) return false;
    // Where the walk is follows from the change it stands on.
    const auto* from = change.words.data() + change.words.size();
    std::size_t at =
        change.number == 0 ? changes_at_ : static_cast<std::size_t>(from - bytes_.data());
    if (bytes_.size() - at < sizeof(change_header)) return errc::garbled;
    const auto header = read_at<change_header>(bytes_, at);
    at += sizeof header;
    const auto words = static_cast<std::size_t>(std::popcount(header.mask)) * 8;
    if (header.table == 0 || header.mask == 0 || words > bytes_.size() - at) return errc::garbled;
    change = {header, bytes_.subspan(at, words), change.number + 1};
    return true;
}

result<bool> record_walk::next(record_view& record) noexcept {
    if (rest_.empty()) return false;
    const auto found = record_view::front_of(rest_);
    if (!found) {
        rest_ = {};
        return found.error();
    }
    record = *found;
    rest_ = rest_.subspan(record.bytes().size());
    return true;
}

}  // namespace perdure::shm
