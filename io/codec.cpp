// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/codec.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <perdure/io/shuffle.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure::io {
namespace {

using shm::record_header;
using shm::record_state;
using shm::transaction_header;

constexpr std::uint32_t committed_bytes_min = sizeof(record_header) + sizeof(transaction_header);

bool is_well_formed(const record_header& header, std::uint64_t lsn, std::size_t left) noexcept {
    if (header.lsn != lsn || header.bytes > left) return false;
    if (header.bytes % shm::record_alignment != 0) return false;
    const auto state = static_cast<record_state>(header.state);
    if (state == record_state::padding) return header.bytes >= sizeof(record_header);
    return state == record_state::committed && header.bytes >= committed_bytes_min;
}

std::uint32_t stored_crc(const std::byte* record) noexcept {
    std::uint32_t crc;
    std::memcpy(&crc, record + sizeof(record_header) + offsetof(transaction_header, crc), 4);
    return crc;
}

class stored_codec final : public codec {
  public:
    [[nodiscard]] codec_id id() const noexcept override { return codec_id::stored; }

    [[nodiscard]] std::size_t encode(const record_list& records,
                                     std::span<std::byte> into) override {
        if (into.size() < records.raw_bytes()) return 0;
        records.copy_to(into.first(records.raw_bytes()));
        return records.raw_bytes();
    }

    [[nodiscard]] result<> decode(std::span<const std::byte> stored, const block_content& content,
                                  std::span<std::byte> raw) override {
        PERDURE_ASSERT(raw.size() == content.raw_bytes);
        if (stored.size() != raw.size()) return errc::damaged;
        std::ranges::copy(stored, raw.begin());
        return check_records(raw, content);
    }
};

}  // namespace

shm::record_header header_at(const std::byte* at) noexcept {
    record_header header;
    std::memcpy(&header, at, sizeof header);
    return header;
}

void record_list::clear() noexcept {
    records_.clear();
    bytes_.clear();
    raw_bytes_ = 0;
    first_lsn_ = 0;
    wall_ns_first_ = 0;
    wall_ns_last_ = 0;
}

result<std::size_t> record_list::add(std::span<const std::byte> bytes, std::uint64_t first_lsn,
                                     std::size_t raw_bytes_max) {
    if (records_.empty()) first_lsn_ = first_lsn;
    PERDURE_ASSERT(first_lsn == first_lsn_ + records_.size());
    const std::size_t first_new = records_.size();
    std::size_t at = 0;
    while (bytes.size() - at >= sizeof(record_header)) {
        const std::byte* const from = bytes.data() + at;
        const record_header header = header_at(from);
        if (!is_well_formed(header, first_lsn_ + records_.size(), bytes.size() - at)) {
            return errc::garbled;
        }
        std::uint32_t kept = sizeof(record_header);
        std::uint64_t wall_ns = 0;
        if (static_cast<record_state>(header.state) == record_state::committed) {
            kept = header.bytes;
            std::memcpy(&wall_ns, from + sizeof header + offsetof(transaction_header, wall_ns),
                        sizeof wall_ns);
        }
        if (raw_bytes_ + kept > raw_bytes_max) break;
        if (wall_ns != 0) {
            wall_ns_first_ = wall_ns_first_ == 0 ? wall_ns : std::min(wall_ns_first_, wall_ns);
            wall_ns_last_ = std::max(wall_ns_last_, wall_ns);
        }
        records_.push_back(from);
        bytes_.push_back(kept);
        raw_bytes_ += kept;
        at += header.bytes;
    }
    if (!bytes.empty() && bytes.size() < sizeof(record_header)) return errc::garbled;
    if (!are_checksums_right(first_new)) return errc::garbled;
    return at;
}

/// Four at a time where four of one length follow each other, which is the rule.
bool record_list::are_checksums_right(std::size_t from) const noexcept {
    const auto is_padding = [&](std::size_t i) { return bytes_[i] == sizeof(record_header); };
    std::uint32_t wrong = 0;
    for (std::size_t i = from; i < records_.size();) {
        if (is_padding(i)) {
            ++i;
            continue;
        }
        const bool four = i + 4 <= records_.size() && bytes_[i] == bytes_[i + 1] &&
                          bytes_[i] == bytes_[i + 2] && bytes_[i] == bytes_[i + 3];
        if (!four) {
            wrong |= shm::record_crc({records_[i], bytes_[i]}) ^ stored_crc(records_[i]);
            ++i;
            continue;
        }
        std::array<std::uint32_t, 4> crcs;
        shm::record_crc_4(records_.data() + i, bytes_[i], crcs.data());
        for (const std::uint32_t crc : crcs) wrong |= crc ^ stored_crc(records_[i++]);
    }
    return wrong == 0;
}

void record_list::copy_to(std::span<std::byte> into) const noexcept {
    PERDURE_ASSERT(into.size() == raw_bytes_);
    std::byte* to = into.data();
    for (std::size_t i = 0; i < records_.size(); ++i) {
        std::memcpy(to, records_[i], bytes_[i]);
        // A PADDING record may have been longer in the ring.
        std::memcpy(to + offsetof(record_header, bytes), &bytes_[i], sizeof bytes_[i]);
        to += bytes_[i];
    }
}

std::unique_ptr<codec> make_codec(codec_id id) {
    switch (id) {
        case codec_id::stored: return std::make_unique<stored_codec>();
        case codec_id::shuffled: return make_shuffle_codec();
    }
    return nullptr;
}

result<> codec_set::decode(codec_id id, std::span<const std::byte> stored,
                           const block_content& content, std::span<std::byte> raw) {
    for (const auto& each : known_) {
        if (each->id() == id) return each->decode(stored, content, raw);
    }
    auto made = make_codec(id);
    if (made == nullptr) return errc::wrong_format;
    return known_.emplace_back(std::move(made))->decode(stored, content, raw);
}

std::string_view codec_set::why(errc answer) noexcept {
    return answer == errc::wrong_format ? "the codec is not known" : "the payload does not decode";
}

result<> check_records(std::span<const std::byte> raw, const block_content& content) {
    std::size_t at = 0;
    std::uint64_t lsn = content.first_lsn;
    for (; at < raw.size(); ++lsn) {
        const std::size_t left = raw.size() - at;
        if (left < sizeof(record_header)) return errc::damaged;
        const record_header header = header_at(raw.data() + at);
        if (!is_well_formed(header, lsn, left)) return errc::damaged;
        const bool padding = static_cast<record_state>(header.state) == record_state::padding;
        if (padding && header.bytes != sizeof(record_header)) return errc::damaged;
        const auto record = raw.subspan(at, header.bytes);
        if (!padding && shm::record_crc(record) != stored_crc(record.data())) {
            return errc::damaged;
        }
        at += header.bytes;
    }
    if (lsn != content.last_lsn + 1) return errc::damaged;
    return {};
}

}  // namespace perdure::io
