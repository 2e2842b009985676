// SPDX-License-Identifier: Apache-2.0
#include <tbb/enumerable_thread_specific.h>
#include <tbb/info.h>
#include <tbb/parallel_pipeline.h>

#include <map>
#include <mutex>
#include <perdure/io/chain.hpp>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/table_archive.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/extent.hpp>

namespace perdure::io {
namespace {

/// A section on its way from the file into the region.
struct read_section {
    section_header header{};
    std::vector<std::byte> payload;
};

/// What a thread unpacks with.
struct unpacker {
    table_archive archive;
    row_batch batch;
};

/// Loads one file of the chain.
class file_loader {
  public:
    file_loader(const checkpoint_reader& reader, const checkpoint_entry& entry, chain_target into)
        : reader_(reader), entry_(entry), loading_(into.loading), region_(into.region) {}

    result<> load_schemas(std::optional<finding>& found) {
        std::vector<std::byte> payload;
        const auto header = PERDURE_TRY(reader_.read(0, payload, found));
        const auto schemas = PERDURE_TRY(table_archive().unpack_schemas(header, payload));
        for (const auto& each : schemas) {
            PERDURE_TRY(loading_.put_schema(each.number, PERDURE_TRY(row_of(each))));
            plans_.emplace(each.number, row_plan(each.shape, each.shape));
        }
        if (header.as_of <= entry_.lsn) return {};
        constexpr std::uint64_t rows_per_page = shm::page_bytes / sizeof(shm::schema_row);
        for (std::uint64_t page = 0; page * rows_per_page < shm::table_count; ++page) {
            loading_.put_slice(shm::schemas_table, page, header.as_of);
        }
        return {};
    }

    /// Answers how many rows it has read.
    result<std::uint64_t> load_rows(std::optional<finding>& found) {
        // No section is in two hands: as many are on their way as have a place here.
        std::vector<read_section> places(
            2 * static_cast<std::size_t>(tbb::info::default_concurrency()));
        std::size_t next = 1;
        const auto read = [&](tbb::flow_control& control) -> read_section* {
            auto* section = &places[next % places.size()];
            if (next < reader_.sections() && !has_failed() && read_next(next++, *section, found)) {
                return section;
            }
            control.stop();
            return nullptr;
        };
        const auto put = [&](read_section* section) {
            if (const auto done = unpack(*section); !done) fail(done.error());
            return section;
        };
        const auto in_order = tbb::filter_mode::serial_in_order;
        const auto parallel = tbb::filter_mode::parallel;
        tbb::parallel_pipeline(
            places.size(),
            tbb::make_filter<void, read_section*>(in_order, read) &
                tbb::make_filter<read_section*, read_section*>(parallel, put) &
                tbb::make_filter<read_section*, void>(in_order, [](read_section* /*done*/) {}));
        if (!answer_) return answer_.error();
        const auto& told = reader_.footer();
        if (rows_ != told.rows || row_bytes_ != told.row_bytes) return errc::damaged;
        return rows_;
    }

  private:
    bool has_failed() {
        const std::lock_guard mine(answering_);
        return !answer_;
    }

    void fail(errc why) {
        const std::lock_guard mine(answering_);
        if (answer_) answer_ = why;
    }

    /// Reads a section and sees to the memory of its rows; false if that has failed.
    bool read_next(std::size_t number, read_section& section, std::optional<finding>& found) {
        const auto header = reader_.read(number, section.payload, found);
        if (!header) return fail(header.error()), false;
        section.header = *header;
        rows_ += header->rows;
        if (header->table < shm::table_count) {
            row_bytes_ += header->rows * region_.descriptor(header->table).row_bytes;
        }
        const auto room = loading_.make_room(header->table, header->first_row,  //
                                             header->last_row + 1);
        if (!room) fail(room.error());
        return room.has_value();
    }

    result<> unpack(const read_section& section) {
        const auto& header = section.header;
        const auto plan = plans_.find(header.table);
        if (plan == plans_.end()) return errc::damaged;
        auto& [archive, batch] = unpackers_.local();
        PERDURE_TRY(archive.unpack(header, section.payload, plan->second, batch));
        loading_.put_rows(header.table, batch.numbers, batch.rows.data());
        if (header.as_of <= entry_.lsn) return {};
        const std::lock_guard mine(slicing_);
        const auto& d = region_.descriptor(header.table);
        for (const auto row : batch.numbers) {
            loading_.put_slice(header.table, shm::page_of_row(d, row), header.as_of);
        }
        return {};
    }

    const checkpoint_reader& reader_;
    const checkpoint_entry& entry_;
    shm::loader& loading_;
    shm::region& region_;
    std::map<std::uint32_t, row_plan> plans_;
    tbb::enumerable_thread_specific<unpacker> unpackers_;
    std::mutex answering_;
    result<> answer_;
    std::mutex slicing_;
    std::uint64_t rows_ = 0;
    std::uint64_t row_bytes_ = 0;
};

result<std::uint64_t> load_file(file_system& files, const manifest& promised,
                                const checkpoint_entry& entry, chain_target into,
                                std::optional<finding>& found) {
    const std::string path = checkpoint_path(promised.directory(), entry.lsn);
    auto reader = PERDURE_TRY(checkpoint_reader::open(files, path, found));
    PERDURE_TRY(reader.compare(promised, entry, found));
    into.region.header().world_time.value = reader.header().world_time;
    file_loader loading(reader, entry, into);
    if (const auto done = loading.load_schemas(found); !done) {
        if (!found) found = finding{done.error(), path, 0, "its schemas are impossible"};
        return done.error();
    }
    const auto rows = loading.load_rows(found);
    if (!rows && !found) {
        found = finding{rows.error(), path, 0, "its rows do not fit its schemas and its footer"};
    }
    return rows;
}

}  // namespace

result<std::uint64_t> load_chain(file_system& files, const manifest& promised,
                                 const checkpoint_entry& newest, chain_target into,
                                 std::optional<finding>& found) {
    std::vector<const checkpoint_entry*> chain{&newest};
    while (!chain.back()->is_full()) {
        const auto* parent = promised.checkpoint(chain.back()->parent);
        if (parent == nullptr) return errc::damaged;  // The MANIFEST does not let it happen.
        chain.push_back(parent);
    }
    std::uint64_t rows = 0;
    for (auto each = chain.rbegin(); each != chain.rend(); ++each) {
        PERDURE_CRASH_POINT("recovery.checkpoint");
        rows += PERDURE_TRY(load_file(files, promised, **each, into, found));
    }
    into.loading.go_on_behind(newest.lsn);
    return rows;
}

}  // namespace perdure::io
