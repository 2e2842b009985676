// SPDX-License-Identifier: Apache-2.0
#include <tbb/enumerable_thread_specific.h>
#include <tbb/info.h>
#include <tbb/parallel_pipeline.h>

#include <atomic>
#include <cstring>
#include <perdure/io/journal_reader.hpp>
#include <perdure/io/replay.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::io {
namespace {

/// A block on its way from the file into the region.
struct read_block_of_records {
    stored_block stored;
    finding place;  ///< Of the block, and what became of it.
    std::vector<std::byte> raw;
    result<> decoded;
};

/// Takes the first record from those that are left; false where they do not begin with one.
bool take(std::span<const std::byte>& left, shm::record_header& header,
          std::span<const std::byte>& record) noexcept {
    if (left.size() < sizeof header) return false;
    std::memcpy(&header, left.data(), sizeof header);
    if (header.bytes < sizeof header || header.bytes > left.size()) return false;
    record = left.first(header.bytes);
    left = left.subspan(header.bytes);
    return true;
}

/// So many records ahead, rows are on their way from memory when their turn comes.
constexpr int foreseen = 8;

class replayer {
  public:
    replayer(journal_reader& reader, const manifest& promised, std::uint64_t lsn_max,
             shm::loader& loading)
        : reader_(reader), promised_(promised), lsn_max_(lsn_max), loading_(loading) {}

    result<> run(std::optional<finding>& found) {
        using block = read_block_of_records;
        // No block is in two hands: as many are on their way as have a place here.
        std::vector<block> places(2 * static_cast<std::size_t>(tbb::info::default_concurrency()));
        std::size_t taken = 0;
        std::optional<finding> found_reading;
        result<> read_answer;
        const auto read = [&](tbb::flow_control& control) -> block* {
            auto& next = places[taken++ % places.size()];
            result<bool> more = false;
            if (!is_done_) more = reader_.next(found_reading);
            if (!more) read_answer = more.error();
            if (!more || !*more) {
                control.stop();
                return nullptr;
            }
            reader_.take_block(next.stored, next.place);
            return &next;
        };
        const auto decode = [this](block* next) {
            next->decoded = decode_block(*next);
            return next;
        };
        const auto apply = [&](block* next) {
            if (is_done_) return;
            PERDURE_CRASH_POINT("rebuild.block");
            if (!next->decoded) found = next->place;
            answer_ = next->decoded ? apply_block(next->raw, found) : next->decoded;
            if (!answer_ || loading_.last_lsn() >= lsn_max_) is_done_ = true;
        };
        const auto in_order = tbb::filter_mode::serial_in_order;
        const auto parallel = tbb::filter_mode::parallel;
        tbb::parallel_pipeline(places.size(),
                               tbb::make_filter<void, block*>(in_order, read) &
                                   tbb::make_filter<block*, block*>(parallel, decode) &
                                   tbb::make_filter<block*, void>(in_order, apply));
        // What is behind the record that was asked for, nobody asked.
        if (is_done_) return answer_;
        if (!read_answer) found = found_reading;
        return read_answer;
    }

  private:
    result<> decode_block(read_block_of_records& next) {
        const auto& header = next.stored.header;
        next.raw.resize(header.raw_bytes);
        const block_content content{header.first_lsn, header.last_lsn, header.raw_bytes};
        const auto done = codecs_.local().decode(static_cast<codec_id>(header.codec),
                                                 next.stored.payload(), content, next.raw);
        if (!done) {
            next.place.reason = done.error();
            next.place.cause = std::string(codec_set::why(done.error()));
        }
        return done;
    }

    result<> apply_block(std::span<const std::byte> records, std::optional<finding>& found) {
        auto ahead = records;
        std::span<const std::byte> record;
        shm::record_header header;
        for (int i = 0; i < foreseen && take(ahead, header, record); ++i) loading_.foresee(record);
        while (!records.empty()) {
            if (take(ahead, header, record)) loading_.foresee(record);
            if (!take(records, header, record)) return errc::damaged;
            if (header.lsn <= loading_.last_lsn()) continue;  // The checkpoint knows it.
            if (header.lsn > lsn_max_) return {};
            if (const auto done = loading_.apply(record); !done) {
                found = finding{
                    done.error(), journal_directory(promised_.directory()), 0,
                    "record " + std::to_string(header.lsn) + " does not fit the records before it"};
                return done;
            }
        }
        return {};
    }

    journal_reader& reader_;
    const manifest& promised_;
    std::uint64_t lsn_max_;
    shm::loader& loading_;
    tbb::enumerable_thread_specific<codec_set> codecs_;
    std::atomic<bool> is_done_{false};  ///< Nothing more is to be applied.
    result<> answer_;
};

}  // namespace

result<std::string> replay(file_system& files, const manifest& promised, std::uint64_t lsn_max,
                           shm::loader& loading, std::optional<finding>& found) {
    const std::uint64_t from = loading.last_lsn() + 1;
    const auto& segments = promised.segments();
    if (!segments.empty() && segments.front().first_lsn > from) {
        found = finding{errc::missing, journal_directory(promised.directory()), 0,
                        "it begins with LSN " + std::to_string(segments.front().first_lsn) + ", " +
                            std::to_string(from) + " is needed"};
        return errc::missing;
    }
    auto reader = PERDURE_TRY(journal_reader::open(files, promised, from, found));
    PERDURE_TRY(replayer(reader, promised, lsn_max, loading).run(found));
    const auto& torn = reader.torn_tail();
    if (!torn || loading.last_lsn() >= lsn_max) return std::string();
    return torn->file + " at byte " + std::to_string(torn->offset) + ": " + torn->cause;
}

}  // namespace perdure::io
