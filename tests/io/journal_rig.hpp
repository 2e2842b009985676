// SPDX-License-Identifier: Apache-2.0
//
// A small world on a simulated disk: writes records through the journal, keeps its own books, and
// reads back what a disk holds.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <perdure/io/journal.hpp>
#include <perdure/tests/io/record_sample.hpp>
#include <perdure/tests/io/simulated_disk.hpp>

namespace perdure::tests {

inline constexpr io::uuid test_world = {0x1111'2222'3333'4444, 0x5555'6666'7777'8888};

/// What a reader finds: records as one string of bytes, or why it refuses.
struct journal_content {
    std::vector<std::byte> records;
    std::uint64_t last_lsn = 0;
    std::uint64_t blocks = 0;
    std::optional<io::finding> torn_tail;
    std::optional<io::finding> refused;
};

/// Opens MANIFEST and journal of world/ and reads everything from an LSN on.
inline journal_content read_journal(io::kernel_calls& disk, std::uint64_t from_lsn = 1,
                                    const std::string& directory = "world") {
    journal_content content;
    content.last_lsn = from_lsn - 1;
    io::file_system files(disk);
    const auto read = [&]() -> result<> {
        const auto promised =
            PERDURE_TRY(io::manifest::open(files, directory, io::open_mode::read, content.refused));
        auto reader =
            PERDURE_TRY(io::journal_reader::open(files, promised, from_lsn, content.refused));
        while (PERDURE_TRY(reader.next(content.refused))) {
            const auto records = PERDURE_TRY(reader.records(content.refused));
            content.records.insert(content.records.end(), records.begin(), records.end());
            content.last_lsn = reader.block().header.last_lsn;
            ++content.blocks;
        }
        content.torn_tail = reader.torn_tail();
        return {};
    };
    const result<> verdict = read();
    if (!verdict && !content.refused) {
        content.refused = io::finding{verdict.error(), directory, 0, files.last_error()};
    }
    return content;
}

/// A keeper's worth of journal: MANIFEST and writer over one disk.
class journal_rig {
  public:
    journal_rig(io::kernel_calls& disk, io::journal_options options,
                std::string directory = "world")
        : files_(disk), options_(std::move(options)), directory_(std::move(directory)) {}

    /// Creates the world where there is none, then opens the writer.
    result<> open(std::optional<io::finding>& found) {
        writer_.reset();
        const result<> created = io::manifest::create(files_, directory_, test_world);
        if (!created && created.error() != errc::exists) return created;
        auto promised =
            PERDURE_TRY(io::manifest::open(files_, directory_, io::open_mode::read_write, found));
        promised_ = std::make_unique<io::manifest>(std::move(promised));
        writer_ = PERDURE_TRY(io::journal_writer::open(files_, *promised_, options_, found));
        return {};
    }

    [[nodiscard]] io::journal_writer& writer() noexcept { return *writer_; }
    [[nodiscard]] bool has_writer() const noexcept { return writer_ != nullptr; }
    [[nodiscard]] io::manifest& promised() noexcept { return *promised_; }
    [[nodiscard]] io::file_system& files() noexcept { return files_; }

  private:
    io::file_system files_;
    io::journal_options options_;
    std::string directory_;
    std::unique_ptr<io::manifest> promised_;
    std::unique_ptr<io::journal_writer> writer_;
};

/// Appends what a burst of transactions may be: transfers, PADDING, a record of another shape.
inline std::vector<std::byte> random_burst(record_source& source, std::size_t transfers) {
    std::vector<std::byte> ring;
    for (std::size_t i = 0; i < transfers; ++i) {
        source.add_transfer(ring);
        if (source.random() % 16 == 0) {
            source.add_padding(ring, static_cast<std::uint32_t>(16 * (1 + source.random() % 20)));
        }
        if (source.random() % 64 == 0) {
            source.add_blob(ring, static_cast<std::uint32_t>(16 * (3 + source.random() % 100)));
        }
    }
    return ring;
}

}  // namespace perdure::tests
