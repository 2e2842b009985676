// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/segment.hpp>

#include <algorithm>
#include <cstring>

#include <perdure/io/digest.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure::io {
namespace {

template <class Header>
std::uint32_t checksum(const Header& header) noexcept {
    return shm::crc32c(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, crc)));
}

bool is_zero(std::span<const std::byte> bytes) noexcept {
    // The tail compared with itself, shifted by one, is memcmp's fast path.
    return bytes.empty() || (bytes[0] == std::byte{0} &&
                             std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// Fills all of `into`; empty if that could be done.
result<std::string_view> fill(segment_stream& stream, std::span<std::byte> into,
                              std::uint64_t offset, std::string_view too_short) {
    const auto got = stream.read(into, offset);
    if (!got && got.error() == errc::damaged) return stream.cause();
    if (!got) return got.error();
    return *got == into.size() ? std::string_view() : too_short;
}

std::string_view why_broken(const segment_header& header) noexcept {
    if (header.magic != segment_magic) return "it does not begin with PDJNLSEG";
    if (header.crc != checksum(header)) return "the checksum of the segment header is wrong";
    if (header.format != journal_format_version) return "another format version";
    if (header.header_bytes != sizeof header) return "another header length";
    if (header.reserved != 0 || header.reserved_back != 0) return "reserved bytes are not zero";
    if (header.segment_bytes < 2 * block_alignment || header.segment_bytes % block_alignment != 0) {
        return "an impossible segment length";
    }
    return {};
}

std::string_view why_broken(const block_header& header, const segment_header& segment,
                            std::uint64_t offset) noexcept {
    if (header.magic != block_magic) return "no block begins here";
    if (header.crc != checksum(header)) return "the checksum of the block header is wrong";
    if (header.format != journal_format_version) return "another format version";
    if (header.header_bytes != sizeof header) return "another header length";
    const auto is_set = [](std::uint8_t byte) { return byte != 0; };
    if (std::any_of(header.reserved.begin(), header.reserved.end(), is_set) ||
        header.reserved_back != 0) {
        return "reserved bytes are not zero";
    }
    if (header.world != segment.world || header.segment != segment.segment ||
        header.generation != segment.generation) {
        return "the block belongs to another segment";
    }
    if (header.seq < segment.first_seq || header.synced_seq >= header.seq) {
        return "impossible block numbers";
    }
    if (header.first_lsn < segment.first_lsn || header.last_lsn < header.first_lsn) {
        return "impossible LSNs";
    }
    const std::uint64_t records = header.last_lsn - header.first_lsn + 1;
    if (header.raw_bytes > block_raw_bytes_max || header.stored_bytes > header.raw_bytes ||
        records > header.raw_bytes / sizeof(shm::record_header) ||
        block_end(offset, header.stored_bytes) > segment.segment_bytes) {
        return "impossible lengths";
    }
    return {};
}

}  // namespace

block_hash stored_block::hash() const noexcept {
    return blake2b(std::span(bytes).first(sizeof(block_header) + header.stored_bytes));
}

std::vector<std::byte> make_segment_page(const segment_entry& entry, const uuid& world,
                                         std::uint64_t segment_bytes) {
    segment_header header{};
    header.magic = segment_magic;
    header.format = journal_format_version;
    header.header_bytes = sizeof header;
    header.world = world;
    header.segment = entry.id;
    header.generation = entry.generation;
    header.first_lsn = entry.first_lsn;
    header.first_seq = entry.first_seq;
    header.segment_bytes = segment_bytes;
    header.created_ns = wall_clock_ns();
    header.previous_hash = entry.hash_before;
    header.crc = checksum(header);
    PERDURE_ASSERT(why_broken(header).empty());
    std::vector<std::byte> page(block_alignment, std::byte{0});
    std::memcpy(page.data(), &header, sizeof header);
    return page;
}

result<std::string_view> read_segment_header(segment_stream& stream, segment_header& into) {
    std::vector<std::byte> page(block_alignment);
    const auto absent =
        PERDURE_TRY(fill(stream, page, 0, "the file is shorter than its header page"));
    if (!absent.empty()) return absent;
    std::memcpy(&into, page.data(), sizeof into);
    if (const std::string_view cause = why_broken(into); !cause.empty()) return cause;
    if (!is_zero(std::span(page).subspan(sizeof into))) {
        return std::string_view("the fill of the header page is not zero");
    }
    if (PERDURE_TRY(stream.size()) < into.segment_bytes) {
        return std::string_view("the file is shorter than its header says");
    }
    return std::string_view();
}

std::string_view compare(const segment_header& header, const segment_entry& entry,
                         const uuid& world) noexcept {
    if (header.world != world) return "the segment belongs to another world";
    if (header.segment != entry.id || header.generation != entry.generation) {
        return "it is not the segment that the MANIFEST promises";
    }
    if (header.first_lsn != entry.first_lsn || header.first_seq != entry.first_seq ||
        header.previous_hash != entry.hash_before) {
        return "the segment does not begin where the MANIFEST says";
    }
    return {};
}

void complete(block_header& header, std::span<const std::byte> payload) noexcept {
    PERDURE_ASSERT(header.stored_bytes == payload.size());
    header.payload_crc = shm::crc32c(payload);
    header.crc = checksum(header);
}

result<std::string_view> read_block(segment_stream& stream, const segment_header& segment,
                                    std::uint64_t offset, stored_block& into) {
    PERDURE_ASSERT(offset % block_alignment == 0 && offset >= block_alignment);
    if (offset + block_alignment > segment.segment_bytes) {
        return std::string_view("the segment ends here");
    }
    into.bytes.resize(block_alignment);
    const auto absent = PERDURE_TRY(fill(stream, into.bytes, offset, "the file ends here"));
    if (!absent.empty()) return absent;
    std::memcpy(&into.header, into.bytes.data(), sizeof into.header);
    const std::string_view cause = why_broken(into.header, segment, offset);
    if (!cause.empty()) return cause;
    const auto whole =
        static_cast<std::size_t>(block_end(offset, into.header.stored_bytes) - offset);
    if (whole > block_alignment) {
        into.bytes.resize(whole);
        const auto rest = std::span(into.bytes).subspan(block_alignment);
        const auto cut =
            PERDURE_TRY(fill(stream, rest, offset + block_alignment, "the file ends in the block"));
        if (!cut.empty()) return cut;
    }
    if (shm::crc32c(into.payload()) != into.header.payload_crc) {
        return std::string_view("the checksum of the payload is wrong");
    }
    if (!is_zero(std::span(into.bytes).subspan(sizeof(block_header) + into.header.stored_bytes))) {
        return std::string_view("the fill behind the payload is not zero");
    }
    return std::string_view();
}

result<std::string_view> read_block_header(segment_stream& stream, const segment_header& segment,
                                           std::uint64_t offset, block_header& into) {
    PERDURE_ASSERT(offset % block_alignment == 0 && offset >= block_alignment);
    if (offset + block_alignment > segment.segment_bytes) {
        return std::string_view("the segment ends here");
    }
    const auto room = std::as_writable_bytes(std::span(&into, 1));
    const auto absent = PERDURE_TRY(fill(stream, room, offset, "the file ends here"));
    if (!absent.empty()) return absent;
    return why_broken(into, segment, offset);
}

result<segment_rest> inspect_rest(segment_stream& stream, const segment_header& segment,
                                  std::uint64_t offset, std::uint64_t seq) {
    constexpr std::size_t chunk_bytes = 256 * std::size_t{block_alignment};
    segment_rest rest{offset, std::nullopt};
    std::vector<std::byte> chunk(chunk_bytes);
    stored_block block;
    for (std::uint64_t at = offset; at < segment.segment_bytes; at += chunk_bytes) {
        const std::size_t got = PERDURE_TRY(stream.read(chunk, at));
        for (std::size_t page = 0; page + block_alignment <= got; page += block_alignment) {
            const auto bytes = std::span(chunk).subspan(page, block_alignment);
            if (is_zero(bytes)) continue;
            rest.used_end = at + page + block_alignment;
            std::uint64_t magic;
            std::memcpy(&magic, bytes.data(), sizeof magic);
            if (magic != block_magic || rest.synced_at) continue;
            const std::string_view cause =
                PERDURE_TRY(read_block(stream, segment, at + page, block));
            if (!cause.empty()) continue;
            const bool misplaced = at + page == offset;
            if (misplaced || (block.header.seq > seq && block.header.synced_seq >= seq)) {
                rest.synced_at = at + page;
            }
        }
    }
    return rest;
}

result<std::string_view> segment_walk::step() {
    if (offset_ == 0) {
        auto cause = PERDURE_TRY(read_segment_header(stream_, header_));
        if (cause.empty()) cause = compare(header_, entry_, world_);
        if (!cause.empty()) return cause;
        offset_ = block_alignment;
        seq_ = entry_.first_seq;
        lsn_ = entry_.first_lsn;
        hash_ = entry_.hash_before;
        return std::string_view();
    }
    PERDURE_ASSERT(!has_ended());
    const auto cause = PERDURE_TRY(read_block(stream_, header_, offset_, block_));
    if (!cause.empty()) return cause;
    const auto& header = block_.header;
    if (header.seq != seq_ || header.first_lsn != lsn_ || header.previous_hash != hash_) {
        return std::string_view("a block does not follow the one before it");
    }
    offset_ = block_end(offset_, header.stored_bytes);
    seq_ = header.seq + 1;
    lsn_ = header.last_lsn + 1;
    hash_ = block_.hash();
    if (has_ended() && (lsn_ != entry_.last_lsn + 1 || hash_ != entry_.hash_last)) {
        return std::string_view("the segment does not end as the MANIFEST says");
    }
    return std::string_view();
}

}  // namespace perdure::io
