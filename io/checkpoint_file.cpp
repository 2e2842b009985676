// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/table_archive.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure::io {
namespace {

constexpr std::uint64_t sections_max = 1ULL << 24;
constexpr std::uint64_t writeback_step = 8ULL << 20;

template <class T>
std::span<const std::byte> bytes_of(const T& object) noexcept {
    return std::as_bytes(std::span(&object, 1));
}

template <class T>
std::uint32_t checksum(const T& object) noexcept {
    return shm::crc32c(bytes_of(object).first(offsetof(T, crc)));
}

template <class Bytes>
bool is_zero(const Bytes& bytes) noexcept {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::vector<block_hash> leaves_of(const checkpoint_header& header,
                                  std::span<const index_entry> index) {
    std::vector<block_hash> leaves{blake2b(bytes_of(header))};
    for (const auto& each : index) leaves.push_back(each.hash);
    return leaves;
}

std::string_view why_broken(const checkpoint_header& header) noexcept {
    if (header.magic != checkpoint_magic) return "it does not begin with PDCHKPNT";
    if (header.crc != checksum(header)) return "the checksum of the header is wrong";
    if (header.header_bytes != sizeof header) return "another header length";
    const bool is_full = header.parent == uuid{};
    const auto kind = is_full ? checkpoint_kind::full : checkpoint_kind::incremental;
    if (header.kind != static_cast<std::uint16_t>(kind) || header.id == uuid{} ||
        is_full != is_zero(header.parent_link) || header.lsn == 0 || !is_zero(header.reserved)) {
        return "impossible values in the header";
    }
    return {};
}

std::string_view why_broken(const checkpoint_footer& footer, const checkpoint_header& header,
                            std::uint64_t file_bytes) noexcept {
    if (footer.magic != footer_magic) return "it does not end with a footer";
    if (footer.crc != checksum(footer)) return "the checksum of the footer is wrong";
    // No sum of theirs comes round to zero: sections are few, and the file has a footer's length.
    const std::uint64_t room = file_bytes - sizeof footer;
    const bool fits = footer.sections > 0 && footer.sections <= sections_max &&
                      footer.index_at >= sizeof header && footer.index_at <= room &&
                      footer.sections * sizeof(index_entry) == room - footer.index_at;
    if (footer.footer_bytes != sizeof footer || footer.id != header.id || !fits ||
        footer.format != checkpoint_format_version || footer.last_lsn < header.lsn ||
        footer.reserved != 0 || !is_zero(footer.reserved_back)) {
        return "impossible values in the footer";
    }
    return {};
}

}  // namespace

block_hash root_of(std::vector<block_hash> leaves) noexcept {
    if (leaves.empty()) return {};
    while (leaves.size() > 1) {
        std::size_t above = 0;
        for (std::size_t i = 0; i + 1 < leaves.size(); i += 2) {
            leaves[above++] = blake2b(bytes_of(leaves[i]), bytes_of(leaves[i + 1]));
        }
        if (leaves.size() % 2 == 1) leaves[above++] = leaves.back();
        leaves.resize(above);
    }
    return leaves.front();
}

result<checkpoint_writer> checkpoint_writer::begin(file_system& files, const std::string& directory,
                                                   checkpoint_header header) {
    PERDURE_TRY(files.make_directory(checkpoint_directory(directory)));
    const std::string draft = checkpoint_path(directory, header.lsn) + ".new";
    const result<> removed = files.unlink(draft);
    if (!removed && removed.error() != errc::not_found) return removed.error();
    checkpoint_writer made(files, directory, PERDURE_TRY(files.open(draft, open_mode::create)));
    header.magic = checkpoint_magic;
    header.format = checkpoint_format_version;
    header.header_bytes = sizeof header;
    header.crc = checksum(header);
    PERDURE_ASSERT(why_broken(header).empty());
    made.header_ = header;
    made.footer_.last_lsn = header.lsn;
    if (const auto written = made.write(bytes_of(header)); !written) {
        made.discard();
        return written.error();
    }
    return made;
}

result<> checkpoint_writer::write(std::span<const std::byte> bytes) {
    PERDURE_TRY(stream_.write(bytes, at_));
    const std::uint64_t begun = at_ / writeback_step;
    at_ += bytes.size();
    // Step by step, so that the sync at the end has little left to do.
    if (at_ / writeback_step != begun) {
        stream_.start_writeback(begun * writeback_step, writeback_step);
    }
    return {};
}

result<> checkpoint_writer::add(std::span<const std::byte> section) {
    section_header header;
    std::memcpy(&header, section.data(), sizeof header);
    PERDURE_ASSERT(section.size() == sizeof header + header.stored_bytes);
    index_.push_back({at_, blake2b(section)});
    PERDURE_CRASH_POINT("checkpoint.section");
    PERDURE_TRY(write(section));
    if (static_cast<section_kind>(header.kind) == section_kind::rows) footer_.rows += header.rows;
    footer_.last_lsn = std::max(footer_.last_lsn, header.as_of);
    return {};
}

result<> checkpoint_writer::write_end() {
    const auto index = std::as_bytes(std::span(index_));
    footer_.magic = footer_magic;
    footer_.format = checkpoint_format_version;
    footer_.footer_bytes = sizeof footer_;
    footer_.id = header_.id;
    footer_.index_at = at_;
    footer_.sections = index_.size();
    footer_.root = root_of(leaves_of(header_, index_));
    footer_.index_crc = shm::crc32c(index);
    footer_.crc = checksum(footer_);
    PERDURE_TRY(write(index));
    PERDURE_CRASH_POINT("checkpoint.footer");
    return write(bytes_of(footer_));
}

result<checkpoint_entry> checkpoint_writer::finish(std::uint64_t row_bytes) {
    footer_.row_bytes = row_bytes;
    PERDURE_TRY(write_end());
    PERDURE_CRASH_POINT("checkpoint.sync");
    if (!planted(shm::bug::footer_before_sections)) PERDURE_TRY(stream_.sync());
    // What is verified next comes from the disk, where the system lets us have it that way.
    stream_.drop_cache();
    return checkpoint_entry{header_.id,
                            header_.parent,
                            header_.lsn,
                            footer_.last_lsn,
                            header_.wall_ns,
                            at_,
                            blake2b(bytes_of(footer_)),
                            0};
}

result<> checkpoint_writer::publish_name() {
    PERDURE_CRASH_POINT("checkpoint.rename");
    PERDURE_TRY(stream_.rename(checkpoint_path(directory_, header_.lsn)));
    PERDURE_CRASH_POINT("checkpoint.renamed");
    if (planted(shm::bug::checkpoint_unnamed)) return {};
    // The folder's own name, too: the first checkpoint has made it.
    PERDURE_TRY(files_->sync_directory(checkpoint_directory(directory_)));
    return files_->sync_directory(directory_);
}

void checkpoint_writer::discard() noexcept {
    const std::string path = stream_.path();
    stream_.close();
    static_cast<void>(files_->unlink(path));
}

errc checkpoint_reader::refuse(std::optional<finding>& found, errc reason, std::uint64_t at,
                               std::string cause) const {
    found = finding{reason, stream_.path(), at, std::move(cause)};
    return reason;
}

result<checkpoint_reader> checkpoint_reader::open(file_system& files, const std::string& path,
                                                  std::optional<finding>& found) {
    auto stream = files.open(path, open_mode::read);
    if (!stream) {
        const bool missing = stream.error() == errc::not_found;
        const errc reason = missing ? errc::missing : stream.error();
        found = finding{reason, path, 0, missing ? "there is no such file" : files.last_error()};
        return reason;
    }
    checkpoint_reader made(std::move(*stream));
    PERDURE_TRY(made.load(found));
    return made;
}

result<> checkpoint_reader::load(std::optional<finding>& found) {
    bytes_ = PERDURE_TRY(stream_.size());
    if (bytes_ < sizeof header_ + sizeof footer_) {
        return refuse(found, errc::damaged, 0, "the file is too short");
    }
    const auto read_at = [&](std::span<std::byte> into, std::uint64_t at) -> result<> {
        if (PERDURE_TRY(stream_.read(into, at)) == into.size()) return {};
        return refuse(found, errc::damaged, at, "the file ends here");
    };
    PERDURE_TRY(read_at(std::as_writable_bytes(std::span(&header_, 1)), 0));
    if (header_.magic == checkpoint_magic && header_.format != checkpoint_format_version) {
        return refuse(found, errc::wrong_format, 0, "the file has another format version");
    }
    if (const auto cause = why_broken(header_); !cause.empty()) {
        const bool ours = header_.magic == checkpoint_magic;
        return refuse(found, ours ? errc::damaged : errc::foreign, 0, std::string(cause));
    }
    const std::uint64_t footer_at = bytes_ - sizeof footer_;
    PERDURE_TRY(read_at(std::as_writable_bytes(std::span(&footer_, 1)), footer_at));
    if (const auto cause = why_broken(footer_, header_, bytes_); !cause.empty()) {
        return refuse(found, errc::damaged, footer_at, std::string(cause));
    }
    index_.resize(footer_.sections);
    PERDURE_TRY(read_at(std::as_writable_bytes(std::span(index_)), footer_.index_at));
    if (shm::crc32c(std::as_bytes(std::span(index_))) != footer_.index_crc) {
        return refuse(found, errc::damaged, footer_.index_at, "the checksum of the index is wrong");
    }
    if (root_of(leaves_of(header_, index_)) != footer_.root) {
        return refuse(found, errc::damaged, footer_.index_at, "the root of the hash tree is wrong");
    }
    // Each section ends where the next one begins: read() looks at its length.
    std::uint64_t least = sizeof header_;
    for (const auto& each : index_) {
        const bool is_first = &each == index_.data();
        if (each.at < least || (is_first && each.at != least)) {
            return refuse(found, errc::damaged, footer_.index_at, "the index does not ascend");
        }
        least = each.at + sizeof(section_header);
    }
    return {};
}

checkpoint_entry checkpoint_reader::entry() const noexcept {
    return {header_.id,
            header_.parent,
            header_.lsn,
            footer_.last_lsn,
            header_.wall_ns,
            bytes_,
            blake2b(bytes_of(footer_)),
            0};
}

result<> checkpoint_reader::compare(const manifest& promised, const checkpoint_entry& entry,
                                    std::optional<finding>& found) const {
    if (header_.world != promised.world()) {
        return refuse(found, errc::foreign, 16, "it is a checkpoint of another world");
    }
    const auto is = this->entry();
    const bool same = is.id == entry.id && is.link == entry.link && is.lsn == entry.lsn &&
                      is.parent == entry.parent && is.last_lsn == entry.last_lsn;
    if (!same && !planted(shm::bug::stale_accepted)) {
        return refuse(found, errc::damaged, 0,
                      "it is not the checkpoint that the MANIFEST promises, but that of LSN " +
                          std::to_string(is.lsn));
    }
    if (entry.is_full()) return {};
    const auto* parent = promised.checkpoint(entry.parent);
    if ((parent == nullptr || parent->link != header_.parent_link) &&
        !planted(shm::bug::link_ignored)) {
        return refuse(found, errc::damaged, offsetof(checkpoint_header, parent_link),
                      "its parent is not the checkpoint that it was made from");
    }
    return {};
}

result<section_header> checkpoint_reader::read(std::size_t section, std::vector<std::byte>& into,
                                               std::optional<finding>& found) const {
    PERDURE_ASSERT(section < index_.size());
    const std::uint64_t at = index_[section].at;
    const std::uint64_t end =
        section + 1 < index_.size() ? index_[section + 1].at : footer_.index_at;
    if (end < at + sizeof(section_header) || end - at > 2ULL * section_raw_bytes_max) {
        return refuse(found, errc::damaged, footer_.index_at, "the index does not ascend");
    }
    into.resize(end - at);
    if (PERDURE_TRY(stream_.read(into, at)) != into.size()) {
        return refuse(found, errc::damaged, at, "the file ends here");
    }
    section_header header;
    std::memcpy(&header, into.data(), sizeof header);
    if (const auto cause = why_broken(header); !cause.empty()) {
        return refuse(found, errc::damaged, at, std::string(cause));
    }
    if (into.size() != sizeof header + header.stored_bytes ||
        blake2b(into) != index_[section].hash) {
        return refuse(found, errc::damaged, at, "the section is not the one that the index names");
    }
    if (header.as_of < header_.lsn || header.as_of > footer_.last_lsn) {
        return refuse(found, errc::damaged, at, "the section is of another time than the file");
    }
    into.erase(into.begin(), into.begin() + sizeof header);
    return header;
}

result<> check_sections(const checkpoint_reader& reader, std::optional<finding>& found) {
    std::vector<std::byte> payload;
    for (std::size_t i = 0; i < reader.sections(); ++i) {
        PERDURE_TRY(reader.read(i, payload, found));
    }
    return {};
}

}  // namespace perdure::io
