// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/shuffle.hpp>

#include <emmintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include <perdure/io/plane.hpp>
#include <perdure/io/unshuffle.hpp>

namespace perdure::io {
namespace {

using shm::record_header;
using shm::transaction_header;

constexpr std::uint32_t group_records_min = 32;
constexpr std::uint8_t loose_mark = 255;

constexpr std::uint64_t zigzag(std::uint64_t difference) noexcept {
    return (difference << 1) ^ (0 - (difference >> 63));
}

/// Records that agree in this are likely to agree in their columns. Only the length must.
std::uint32_t shape_of(const std::byte* record, std::uint32_t bytes) noexcept {
    std::uint32_t shape = bytes << 12;
    if (bytes < 64) return shape;
    std::array<std::uint32_t, 2> words;
    const std::byte* const transaction = record + sizeof(record_header);
    std::memcpy(&words[0], transaction + offsetof(transaction_header, flags), 4);
    std::memcpy(&words[1], transaction + offsetof(transaction_header, changes), 4);
    shape ^= (words[0] * 0x9e37'79b1U) >> 20;
    shape ^= (words[1] * 0x85eb'ca6bU) >> 20;
    std::uint16_t event = 0;
    const bool keyed = (words[0] & shm::transaction_flag::keyed) != 0;
    std::memcpy(&event, record + (keyed ? 64 : 48), bytes >= 80 || !keyed ? 2 : 0);
    return shape ^ ((event * 0xc2b2'ae35U) >> 20);
}

struct column_choice {
    column_method method = column_method::plain;
    std::uint8_t source = 0;
};

class shuffle_codec final : public codec {
  public:
    [[nodiscard]] codec_id id() const noexcept override { return codec_id::shuffled; }
    [[nodiscard]] std::size_t encode(const record_list& records,
                                     std::span<std::byte> into) override;
    [[nodiscard]] result<> decode(std::span<const std::byte> stored, const block_content& content,
                                  std::span<std::byte> raw) override {
        return unshuffler_.decode(stored, content, raw);
    }

  private:
    struct group {
        std::uint32_t shape;
        std::uint32_t record_bytes;
        std::uint32_t records;
    };

    void find_groups(const record_list& records);
    void sort_members(const record_list& records);
    void encode_group(std::span<const std::byte* const> members, std::uint32_t record_bytes,
                      byte_sink& to);
    void gather(std::span<const std::byte* const> members, std::size_t columns);
    void encode_column(std::size_t column, byte_sink& to);
    [[nodiscard]] column_choice choose(std::size_t column) const noexcept;
    [[nodiscard]] std::span<const std::uint64_t> residues(std::size_t column,
                                                          const column_choice& choice);
    [[nodiscard]] std::uint64_t* column_words(std::size_t column) noexcept {
        return words_.data() + column * stride_;
    }
    [[nodiscard]] const std::uint64_t* column_words(std::size_t column) const noexcept {
        return words_.data() + column * stride_;
    }

    stream_packer packer_;
    unshuffler unshuffler_;
    std::vector<group> groups_;
    std::vector<std::uint8_t> group_of_;     // One a record; loose_mark if in none.
    std::vector<const std::byte*> members_;  // Records sorted by group.
    std::vector<std::uint64_t> words_;       // Columns of the group, stride_ words each.
    std::vector<std::uint64_t> differing_;   // A column: bits that are not all the same.
    std::vector<std::uint64_t> residues_;
    std::vector<std::byte> planes_;
    std::vector<std::byte> loose_;
    std::size_t long_bytes_ = 0;  // Of records in there that are too long for any group.
    std::size_t count_ = 0;       // Records of the group at hand.
    std::size_t stride_ = 0;      // The same, rounded up to whole steps.
};

std::size_t shuffle_codec::encode(const record_list& records, std::span<std::byte> into) {
    byte_sink to(into);
    find_groups(records);
    sort_members(records);

    shuffle_header header{};
    header.records = static_cast<std::uint32_t>(records.size());
    header.loose_bytes = static_cast<std::uint32_t>(loose_.size());
    header.groups = static_cast<std::uint16_t>(groups_.size());
    header.order = static_cast<std::uint8_t>(stream_mode::absent);
    header.loose = static_cast<std::uint8_t>(stream_mode::absent);
    std::byte* const header_room = to.reserve(sizeof header);
    if (groups_.size() + (loose_.empty() ? 0 : 1) > 1) {
        header.order =
            static_cast<std::uint8_t>(packer_.put(std::as_bytes(std::span(group_of_)), to));
    }
    if (!loose_.empty()) {
        const bool are_values = long_bytes_ * 2 > loose_.size();
        header.loose = static_cast<std::uint8_t>(are_values ? packer_.put_values(loose_, to)
                                                            : packer_.put(loose_, to));
    }

    std::span<const std::byte* const> members(members_);
    for (const group& one : groups_) {
        encode_group(members.first(one.records), one.record_bytes, to);
        members = members.subspan(one.records);
    }
    if (to.is_full() || to.used() >= records.raw_bytes()) return 0;
    std::memcpy(header_room, &header, sizeof header);
    return to.used();
}

void shuffle_codec::find_groups(const record_list& records) {
    groups_.clear();
    group_of_.resize(records.size());
    std::size_t last = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const std::uint32_t bytes = records.bytes(i);
        group_of_[i] = loose_mark;
        if (bytes > group_record_bytes_max) continue;
        const std::uint32_t shape = shape_of(records[i], bytes);
        const auto is_same = [&](const group& one) {
            return one.shape == shape && one.record_bytes == bytes;
        };
        if (last >= groups_.size() || !is_same(groups_[last])) {
            last = static_cast<std::size_t>(std::find_if(groups_.begin(), groups_.end(), is_same) -
                                            groups_.begin());
            if (last == groups_.size()) {
                if (groups_.size() == groups_max) continue;
                groups_.push_back({shape, bytes, 0});
            }
        }
        group_of_[i] = static_cast<std::uint8_t>(last);
        ++groups_[last].records;
    }
    // Small groups do not earn their column headers.
    std::array<std::uint8_t, 256> renamed{};
    renamed.fill(loose_mark);
    std::size_t kept = 0;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
        if (groups_[g].records < group_records_min) continue;
        renamed[g] = static_cast<std::uint8_t>(kept);
        groups_[kept++] = groups_[g];
    }
    if (kept == groups_.size() && kept == 1) return;
    groups_.resize(kept);
    for (std::uint8_t& number : group_of_) number = renamed[number];
}

void shuffle_codec::sort_members(const record_list& records) {
    loose_.clear();
    long_bytes_ = 0;
    members_.resize(records.size());
    std::array<std::size_t, groups_max> next{};
    std::size_t sum = 0;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
        next[g] = sum;
        sum += groups_[g].records;
    }
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (group_of_[i] != loose_mark) {
            members_[next[group_of_[i]]++] = records[i];
            continue;
        }
        group_of_[i] = static_cast<std::uint8_t>(groups_.size());
        const std::size_t at = loose_.size();
        const std::uint32_t bytes = records.bytes(i);
        if (bytes > group_record_bytes_max) long_bytes_ += bytes;
        loose_.insert(loose_.end(), records[i], records[i] + bytes);
        std::memcpy(loose_.data() + at + offsetof(record_header, bytes), &bytes, sizeof bytes);
    }
}

void shuffle_codec::encode_group(std::span<const std::byte* const> members,
                                 std::uint32_t record_bytes, byte_sink& to) {
    const std::size_t columns = record_bytes / 8;
    count_ = members.size();
    stride_ = plane_stride(count_);
    group_header header{};
    header.record_bytes = record_bytes;
    header.records = static_cast<std::uint32_t>(count_);
    // The list has verified them.
    const bool recomputed = record_bytes > sizeof(record_header);
    header.checksum =
        static_cast<std::uint8_t>(recomputed ? checksum_mode::recomputed : checksum_mode::kept);
    to.put_object(header);
    gather(members, columns);
    if (record_bytes == sizeof(record_header)) {
        // PADDING may have been longer in the ring.
        std::uint64_t* const second = column_words(1);
        for (std::size_t i = 0; i < stride_; ++i) {
            second[i] = (second[i] & ~crc_mask) | sizeof(record_header);
        }
        differing_[1] &= ~crc_mask;
    }
    if (recomputed) {
        std::uint64_t* const word = column_words(crc_word);
        for (std::size_t i = 0; i < stride_; ++i) word[i] &= ~crc_mask;
        differing_[crc_word] &= ~crc_mask;
    }
    for (std::size_t column = 0; column < columns && !to.is_full(); ++column) {
        encode_column(column, to);
    }
}

__m128i load(const std::byte* from) noexcept {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

/// Copies records into columns, two records and two words at a time.
void shuffle_codec::gather(std::span<const std::byte* const> members, std::size_t columns) {
    constexpr std::size_t tile = 64;  // Records of a tile stay in the first-level cache.
    words_.resize(columns * stride_);
    differing_.assign(columns, 0);
    for (std::size_t begin = 0; begin < count_; begin += tile) {
        const std::size_t end = std::min(begin + tile, count_);
        for (std::size_t pair = 0; pair < columns / 2; ++pair) {
            std::uint64_t* const low = column_words(2 * pair);
            std::uint64_t* const high = column_words(2 * pair + 1);
            const __m128i reference = load(members[0] + 16 * pair);
            __m128i differing = _mm_setzero_si128();
            const auto take = [&](std::size_t i, const std::byte* one, const std::byte* other) {
                const __m128i a = load(one + 16 * pair);
                const __m128i b = load(other + 16 * pair);
                differing = _mm_or_si128(differing, _mm_or_si128(_mm_xor_si128(a, reference),
                                                                 _mm_xor_si128(b, reference)));
                _mm_storeu_si128(reinterpret_cast<__m128i*>(low + i), _mm_unpacklo_epi64(a, b));
                _mm_storeu_si128(reinterpret_cast<__m128i*>(high + i), _mm_unpackhi_epi64(a, b));
            };
            std::size_t i = begin;
            for (; i + 1 < end; i += 2) take(i, members[i], members[i + 1]);
            if (i < end) take(i, members[i], members[i]);
            std::array<std::uint64_t, 2> bits;
            _mm_storeu_si128(reinterpret_cast<__m128i*>(bits.data()), differing);
            differing_[2 * pair] |= bits[0];
            differing_[2 * pair + 1] |= bits[1];
        }
    }
    for (std::size_t column = 0; column < columns; ++column) {
        std::uint64_t* const words = column_words(column);
        std::fill(words + count_, words + stride_, words[count_ - 1]);
    }
}

bool is_everywhere(const std::uint64_t* words, const std::uint64_t* source, std::size_t count,
                   bool negated) noexcept {
    const std::uint64_t flip = negated ? ~std::uint64_t{0} : 0;
    const std::uint64_t carry = negated ? 1 : 0;
    const auto predicted = [&](std::size_t i) { return (source[i] ^ flip) + carry; };
    if (predicted(0) != words[0] || predicted(count / 2) != words[count / 2]) return false;
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) wrong |= predicted(i) ^ words[i];
    return wrong == 0;
}

column_choice shuffle_codec::choose(std::size_t column) const noexcept {
    constexpr std::size_t samples = 64;
    if (column == 0) return {column_method::lsn};
    if (differing_[column] == 0) return {column_method::plain};
    const std::uint64_t* const words = column_words(column);
    for (std::size_t source = 1; source < column; ++source) {
        if (differing_[source] == 0) continue;
        const auto number = static_cast<std::uint8_t>(source);
        const std::uint64_t* const earlier = column_words(source);
        if (is_everywhere(words, earlier, count_, false)) return {column_method::same, number};
        if (is_everywhere(words, earlier, count_, true)) return {column_method::negated, number};
    }
    const std::uint64_t* const lsns = column_words(0);
    std::uint32_t plain_bits = 0;
    std::uint32_t delta_bits = 0;
    std::uint32_t distance_bits = 0;
    const auto width = [](std::uint64_t value) {
        return static_cast<std::uint32_t>(std::bit_width(value));
    };
    for (std::size_t k = 0; k < samples; ++k) {
        const std::size_t i = 1 + k * (count_ - 1) / samples;
        plain_bits += width(words[i] ^ words[0]);
        delta_bits += width(zigzag(words[i] - words[i - 1]));
        distance_bits += width(lsns[i] - words[i]);
    }
    // A method must earn its place: random words have about as many bits either way.
    if (distance_bits * 16 < std::min(plain_bits, delta_bits) * 15) {
        return {column_method::lsn_distance};
    }
    if (delta_bits * 8 < plain_bits * 7) return {column_method::delta};
    return {column_method::plain};
}

std::span<const std::uint64_t> shuffle_codec::residues(std::size_t column,
                                                       const column_choice& choice) {
    const std::uint64_t* const words = column_words(column);
    if (choice.method == column_method::plain) return {words, stride_};
    residues_.resize(stride_);
    if (choice.method == column_method::delta) {
        residues_[0] = 0;
        for (std::size_t i = 1; i < stride_; ++i) residues_[i] = zigzag(words[i] - words[i - 1]);
    } else {
        const std::uint64_t* const lsns = column_words(0);
        for (std::size_t i = 0; i < stride_; ++i) residues_[i] = lsns[i] - words[i];
    }
    return residues_;
}

void shuffle_codec::encode_column(std::size_t column, byte_sink& to) {
    const column_choice choice = choose(column);
    column_header header{};
    header.method = static_cast<std::uint8_t>(choice.method);
    header.source = choice.source;
    std::byte* const header_room = to.reserve(sizeof header);
    if (header_room == nullptr) return;
    const bool has_planes = choice.method == column_method::plain ||
                            choice.method == column_method::delta ||
                            choice.method == column_method::lsn_distance;
    if (choice.method == column_method::delta) header.seed = column_words(column)[0];
    if (choice.method == column_method::plain && differing_[column] == 0) {
        header.constant = column_words(column)[0];
    } else if (has_planes) {
        planes_.resize(8 * stride_);
        const auto words = residues(column, choice);
        const std::uint64_t differing = split(words, planes_.data());
        for (unsigned b = 0; b < 8; ++b) {
            if ((differing >> (8 * b) & 0xff) == 0) continue;
            const std::span plane(planes_.data() + b * stride_, count_);
            const bool packed = packer_.put(plane, to) == stream_mode::packed;
            (packed ? header.packed_planes : header.raw_planes) |=
                static_cast<std::uint8_t>(1U << b);
        }
        const auto planes = static_cast<unsigned>(header.raw_planes | header.packed_planes);
        header.constant = words[0] & ~byte_mask(planes);
    }
    std::memcpy(header_room, &header, sizeof header);
}

}  // namespace

std::unique_ptr<codec> make_shuffle_codec() { return std::make_unique<shuffle_codec>(); }

}  // namespace perdure::io
