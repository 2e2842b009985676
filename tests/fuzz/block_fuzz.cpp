// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever stands in a journal block behind its checksums, decoding it answers records that
// are whole and dense, or damaged; no byte outside of it is read, and no more memory is taken than
// the block's header says. The first 24 bytes of an input are what that header says.
#include <algorithm>
#include <cstring>

#include <perdure/io/codec.hpp>
#include <perdure/tests/fuzz/target.hpp>
#include <perdure/tests/io/journal_rig.hpp>

using namespace perdure;

namespace {

struct header {
    std::uint64_t first_lsn;
    std::uint32_t records;
    std::uint32_t raw_bytes;
    std::uint64_t codec;
};
constexpr std::uint32_t raw_bytes_max = 1U << 20;

void must(bool holds) {
    if (!holds) std::abort();
}

/// Steps over the records as every reader of events does.
void walk(std::span<const std::byte> raw, const io::block_content& content) {
    std::uint64_t lsn = content.first_lsn;
    while (!raw.empty()) {
        const auto record = io::header_at(raw.data());
        must(record.lsn == lsn++ && record.bytes >= sizeof record && record.bytes <= raw.size());
        raw = raw.subspan(record.bytes);
    }
    must(lsn == content.last_lsn + 1);
}

std::string block_of(const std::vector<std::byte>& ring, std::uint64_t lsn, io::codec_id id) {
    io::record_list list;
    must(list.add(ring, lsn, io::block_raw_bytes_max).value() == ring.size());
    std::vector<std::byte> stored(list.raw_bytes());
    stored.resize(io::make_codec(id)->encode(list, stored));
    const header says{lsn, static_cast<std::uint32_t>(list.size()),
                      static_cast<std::uint32_t>(list.raw_bytes()), static_cast<std::uint64_t>(id)};
    std::string made(sizeof says + stored.size(), '\0');
    std::memcpy(made.data(), &says, sizeof says);
    std::memcpy(made.data() + sizeof says, stored.data(), stored.size());
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    header says{};
    if (count < sizeof says) return 0;
    std::memcpy(&says, bytes, sizeof says);
    if (says.raw_bytes > raw_bytes_max || says.records == 0) return 0;
    if (says.first_lsn == 0 || says.first_lsn > UINT64_MAX / 2) return 0;
    const auto with = io::make_codec(static_cast<io::codec_id>(says.codec));
    if (with == nullptr) return 0;
    // Of exactly that size, so that a sanitizer sees a byte too far.
    const std::vector<std::byte> stored(reinterpret_cast<const std::byte*>(bytes) + sizeof says,
                                        reinterpret_cast<const std::byte*>(bytes) + count);
    const io::block_content content{says.first_lsn, says.first_lsn + says.records - 1,
                                    says.raw_bytes};
    std::vector<std::byte> raw(says.raw_bytes);
    if (!with->decode(stored, content, raw)) return 0;
    if (io::check_records(raw, content)) walk(raw, content);
    return 0;
}

std::vector<std::string> tests::seeds() {
    std::vector<std::string> made;
    for (const io::codec_id id : {io::codec_id::stored, io::codec_id::shuffled}) {
        for (const std::size_t count : {40U, 200U}) {
            tests::record_source source(count, 1000);
            std::vector<std::byte> ring;
            for (std::size_t i = 0; i < count; ++i) source.add_transfer(ring);
            source.add_padding(ring, 48);
            made.push_back(block_of(ring, 1000, id));
        }
        tests::record_source source(5, 7);
        made.push_back(block_of(tests::random_burst(source, 120), 7, id));
    }
    // What did not shrink is no block.
    std::erase_if(made, [](const std::string& each) { return each.size() <= sizeof(header); });
    return made;
}
