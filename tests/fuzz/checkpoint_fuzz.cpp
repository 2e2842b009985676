// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever a checkpoint's file holds, reading it answers sections that are what they say, or
// a finding that names the file; a recovery from one that the MANIFEST promises is a region, or a
// refusal that names it; and neither takes more memory than a section may. The first byte of an
// input says what the rest is: 0 the file, 1 the file, its checksums made right, 2 header and
// sections with archives as they are before zstd, from which a file is made, with right checksums.
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/table_archive.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/tests/fault/checkpoint_scene.hpp>
#include <perdure/tests/fuzz/largest_request.hpp>
#include <perdure/tests/fuzz/target.hpp>

using namespace perdure;

namespace {

using file_bytes = std::vector<std::byte>;

constexpr std::size_t input_max = 256 << 10;
/// A section's header and payload, as far as its place in the index may say.
constexpr std::size_t bytes_max = 2ULL * io::section_raw_bytes_max;
constexpr std::size_t sections_max = 64;

void must(bool holds) {
    if (!holds) std::abort();
}

template <class T>
T object_at(std::span<const std::byte> bytes, std::size_t at) {
    T object;
    std::memcpy(&object, bytes.data() + at, sizeof object);
    return object;
}

template <class T>
void put_at(file_bytes& bytes, std::size_t at, const T& object) {
    bytes.resize(std::max(bytes.size(), at + sizeof object));
    std::memcpy(bytes.data() + at, &object, sizeof object);
}

template <class T>
std::uint32_t checksum(const T& object) {
    return shm::crc32c(std::as_bytes(std::span(&object, 1)).first(offsetof(T, crc)));
}

/// Header and sections end at the footer's index_at; what they say of themselves becomes right.
void mend(file_bytes& bytes) {
    if (bytes.size() < sizeof(io::checkpoint_header) + sizeof(io::checkpoint_footer)) return;
    auto header = object_at<io::checkpoint_header>(bytes, 0);
    const std::size_t footer_at = bytes.size() - sizeof(io::checkpoint_footer);
    auto footer = object_at<io::checkpoint_footer>(bytes, footer_at);
    header.crc = checksum(header);
    put_at(bytes, 0, header);
    std::vector<io::block_hash> leaves{io::blake2b(std::span(bytes).first(sizeof header))};
    const std::uint64_t room = footer_at / sizeof(io::index_entry);
    const bool fits = footer.index_at <= footer_at && footer.sections <= room;
    for (std::uint64_t i = 0; fits && i < footer.sections; ++i) {
        const std::uint64_t place = footer.index_at + i * sizeof(io::index_entry);
        if (place + sizeof(io::index_entry) > footer_at) break;
        auto entry = object_at<io::index_entry>(bytes, place);
        if (entry.at <= footer.index_at &&
            footer.index_at - entry.at >= sizeof(io::section_header)) {
            auto section = object_at<io::section_header>(bytes, entry.at);
            const std::uint64_t most = footer.index_at - entry.at - sizeof section;
            const auto stored = std::min<std::uint64_t>(section.stored_bytes, most);
            const auto all = std::span(bytes).subspan(entry.at, sizeof section + stored);
            section.payload_crc = shm::crc32c(all.subspan(sizeof section));
            section.crc = checksum(section);
            put_at(bytes, entry.at, section);
            entry.hash = io::blake2b(all);
            put_at(bytes, place, entry);
        }
        leaves.push_back(entry.hash);
    }
    footer.id = header.id;
    footer.root = io::root_of(leaves);
    if (fits) {
        footer.index_crc =
            shm::crc32c(std::span(bytes).subspan(footer.index_at, footer_at - footer.index_at));
    }
    footer.crc = checksum(footer);
    put_at(bytes, footer_at, footer);
}

/// A file of what was given as header, then section headers with raw_bytes of archive each.
file_bytes packed(std::span<const std::byte> from) {
    file_bytes out;
    if (from.size() < sizeof(io::checkpoint_header)) return out;
    const auto header = object_at<io::checkpoint_header>(from, 0);
    put_at(out, 0, header);
    from = from.subspan(sizeof header);
    std::vector<io::index_entry> index;
    io::checkpoint_footer footer{};
    footer.last_lsn = header.lsn;
    while (from.size() >= sizeof(io::section_header) && index.size() < sections_max) {
        auto section = object_at<io::section_header>(from, 0);
        from = from.subspan(sizeof section);
        const auto raw = from.first(std::min<std::size_t>(section.raw_bytes, from.size()));
        from = from.subspan(raw.size());
        section.magic = io::section_magic;
        section.raw_bytes = static_cast<std::uint32_t>(raw.size());
        index.push_back({out.size(), {}});
        const std::size_t at = out.size() + sizeof section;
        out.resize(at + ZSTD_compressBound(raw.size()));
        const auto stored =
            ZSTD_compress(out.data() + at, out.size() - at, raw.data(), raw.size(), 1);
        must(ZSTD_isError(stored) == 0);
        out.resize(at + stored);
        section.stored_bytes = static_cast<std::uint32_t>(stored);
        put_at(out, at - sizeof section, section);
        footer.last_lsn = std::max(footer.last_lsn, section.as_of);
    }
    footer.magic = io::footer_magic;
    footer.format = io::checkpoint_format_version;
    footer.footer_bytes = sizeof footer;
    footer.index_at = out.size();
    footer.sections = index.size();
    for (const auto& each : index) put_at(out, out.size(), each);
    put_at(out, out.size(), footer);
    mend(out);
    return out;
}

/// Steps through all sections as a recovery does; what unpacks keeps the format's rules.
void unpack(const io::checkpoint_reader& reader) {
    io::table_archive archive;
    file_bytes payload;
    std::optional<io::finding> found;
    const auto first = reader.read(0, payload, found);
    if (!first) return;
    const auto schemas = archive.unpack_schemas(*first, payload);
    if (!schemas) return;
    io::row_batch batch;
    for (std::size_t i = 1; i < reader.sections(); ++i) {
        const auto header = reader.read(i, payload, found);
        if (!header) return;
        const auto of = std::ranges::find(*schemas, header->table, &io::stored_schema::number);
        if (of == schemas->end()) continue;
        const io::row_plan plan(of->shape, of->shape);
        if (!archive.unpack(*header, payload, plan, batch)) continue;
        must(batch.numbers.size() == header->rows);
        must(batch.rows.size() == header->rows * of->shape.row_bytes);
        must(std::ranges::is_sorted(batch.numbers));
    }
}

/// Recovers where the MANIFEST promises just this file.
void recover(tests::simulated_disk& disk, const io::checkpoint_reader& reader,
             const std::string& path) {
    io::file_system files(disk);
    std::optional<io::finding> found;
    must(io::manifest::create(files, "world", reader.header().world).has_value());
    auto all = io::manifest::open(files, "world", io::open_mode::read_write, found).value();
    must(all.publish_checkpoint(reader.entry()).has_value());
    const tests::recovery_of got(disk);
    if (got.is_done) {
        must(got.report.last_lsn == reader.header().lsn);
        return;
    }
    must(got.report.found.has_value());
    // Where sections were copied behind the cut, the journal is missing, and is what is named.
    const bool is_sliced = reader.footer().last_lsn != reader.header().lsn;
    must(is_sliced || got.report.found->file == path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    if (count == 0 || count > input_max) return 0;
    tests::largest_request = 0;
    const auto rest = std::as_bytes(std::span(bytes, count)).subspan(1);
    file_bytes file(rest.begin(), rest.end());
    if (bytes[0] == 1) mend(file);
    if (bytes[0] == 2) file = packed(rest);
    const std::uint64_t lsn = file.size() < sizeof(io::checkpoint_header)
                                  ? 0
                                  : object_at<io::checkpoint_header>(file, 0).lsn;
    const auto path = io::checkpoint_path("world", lsn);
    tests::simulated_disk disk;
    disk.put(path, std::move(file));
    io::file_system files(disk);
    std::optional<io::finding> found;
    const auto reader = io::checkpoint_reader::open(files, path, found);
    if (reader) {
        const auto whole = io::check_sections(*reader, found);
        must(whole.has_value() || found.has_value());
        unpack(*reader);
        if (whole && reader->entry().is_full()) recover(disk, *reader, path);
    } else {
        must(found.has_value() && found->reason == reader.error());
    }
    must(!found || (found->file == path && !found->cause.empty()));
    must(tests::largest_request <= bytes_max);
    return 0;
}

/// Their index would begin before the file does: 2^64 is what the sum comes round to.
static std::string far_too_many_sections() {
    file_bytes file;
    io::checkpoint_header header{};
    header.magic = io::checkpoint_magic;
    header.format = io::checkpoint_format_version;
    header.kind = static_cast<std::uint16_t>(io::checkpoint_kind::full);
    header.header_bytes = sizeof header;
    header.id = {1, 1};
    header.lsn = 1;
    put_at(file, 0, header);
    io::checkpoint_footer footer{};
    footer.magic = io::footer_magic;
    footer.format = io::checkpoint_format_version;
    footer.footer_bytes = sizeof footer;
    footer.sections = 1ULL << 24;
    footer.index_at = file.size() - footer.sections * sizeof(io::index_entry);
    footer.last_lsn = 1;
    put_at(file, file.size(), footer);
    return '\1' + std::string(reinterpret_cast<const char*>(file.data()), file.size());
}

std::vector<std::string> tests::seeds() {
    scene_options how;
    how.policy.copy_bytes_max = 1;
    checkpoint_scene one(how);
    for (const bool is_full : {true, false, true}) {
        one.act(5);
        one.checkpoint(is_full);
    }
    std::vector<std::string> made{far_too_many_sections()};
    const auto promised = one.promised();
    for (const auto& each : promised.checkpoints()) {
        const auto& file = one.disk.content(io::checkpoint_path("world", each.lsn));
        const std::string text(reinterpret_cast<const char*>(file.data()), file.size());
        made.push_back('\0' + text);
        made.push_back('\1' + text);
        std::string raw = '\2' + text.substr(0, sizeof(io::checkpoint_header));
        const auto footer = object_at<io::checkpoint_footer>(file, file.size() - 160);
        for (std::uint64_t at = sizeof(io::checkpoint_header); at < footer.index_at;) {
            const auto section = object_at<io::section_header>(file, at);
            std::string archive(section.raw_bytes, '\0');
            must(ZSTD_decompress(archive.data(), archive.size(), file.data() + at + sizeof section,
                                 section.stored_bytes) == archive.size());
            // Without the long ones, so that mutations meet what describes.
            if (archive.size() < 20'000) raw += text.substr(at, sizeof section) + archive;
            at += sizeof section + section.stored_bytes;
        }
        if (raw.size() < input_max) made.push_back(raw);
    }
    return made;
}
