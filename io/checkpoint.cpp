// SPDX-License-Identifier: Apache-2.0
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <cstring>
#include <map>
#include <perdure/io/checkpoint.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::io {
namespace {

/// Rows of a run: what was never used is left out, of what was freed the header stays.
void list_rows(const page_run& run, const shm::schema& shape, row_batch& into) {
    const std::uint64_t rows_per_page = shm::page_bytes / shape.row_bytes;
    into.numbers.clear();
    into.rows.clear();
    into.rows.reserve(run.pages.size() * shm::page_bytes);
    for (std::size_t i = 0; i < run.pages.size(); ++i) {
        const std::byte* row = run.bytes.data() + i * shm::page_bytes;
        for (std::uint64_t k = 0; k < rows_per_page; ++k, row += shape.row_bytes) {
            shm::row_header header;
            std::memcpy(&header, row, sizeof header);
            if (header.lsn == 0) continue;
            into.numbers.push_back(run.pages[i] * rows_per_page + k);
            const std::size_t content = header.live == 1 ? shape.row_bytes : sizeof header;
            into.rows.insert(into.rows.end(), row, row + content);
            into.rows.resize(into.rows.size() + shape.row_bytes - content);
        }
    }
}

/// What a thread needs to pack runs.
struct packer {
    table_archive archive;
    row_batch batch;
};

}  // namespace

struct checkpoint_taker::work {
    const checkpoint_order& order;
    shm::cut at{};
    checkpoint_header header{};
    std::map<std::uint32_t, std::pair<shm::schema, row_plan>> plans{};
    std::optional<checkpoint_writer> writer{};
    checkpoint_report report{};
    std::uint64_t begun_ns = 0;
};

checkpoint_taker::checkpoint_taker(file_system& files, shm::region& where, shm::participant& self)
    : files_(&files), where_(&where), capture_(where, self), scan_(where, capture_) {}

/// Packs runs on all threads of the arena and writes them in their order.
result<> checkpoint_taker::pack(work& at, std::vector<page_run>& runs) {
    tbb::enumerable_thread_specific<packer> packers;
    std::size_t taken = 0;
    result<> answer;
    const auto feed = [&](tbb::flow_control& control) -> page_run* {
        if (taken == runs.size() || !answer) {
            control.stop();
            return nullptr;
        }
        return &runs[taken++];
    };
    const auto encode = [&](page_run* run) {
        auto& by = packers.local();
        const auto& [shape, plan] = at.plans.at(run->table);
        list_rows(*run, shape, by.batch);
        std::vector<std::byte> section;
        section_header header{};
        header.table = run->table;
        header.as_of = run->as_of;
        if (!by.batch.numbers.empty()) by.archive.pack(header, plan, by.batch, section);
        return std::pair(run, std::move(section));
    };
    const auto write = [&](std::pair<page_run*, std::vector<std::byte>> packed) {
        auto& [run, section] = packed;
        scan_.give_back(std::move(*run));
        if (section.empty() || !answer) return;
        if (at.order.fence) answer = at.order.fence();
        if (at.order.stops && at.order.stops()) answer = errc::stalled;
        if (answer) answer = at.writer->add(section);
        section_header header;
        std::memcpy(&header, section.data(), sizeof header);
        at.report.rows += header.rows;
        at.report.row_bytes += header.rows * at.plans.at(header.table).first.row_bytes;
    };
    using packed = std::pair<page_run*, std::vector<std::byte>>;
    tbb::task_arena arena(static_cast<int>(at.order.threads));
    arena.execute([&] {
        tbb::parallel_pipeline(
            2 * at.order.threads,
            tbb::make_filter<void, page_run*>(tbb::filter_mode::serial_in_order, feed) &
                tbb::make_filter<page_run*, packed>(tbb::filter_mode::parallel, encode) &
                tbb::make_filter<packed, void>(tbb::filter_mode::serial_in_order, write));
    });
    return answer;
}

/// Writers shadow no more.
result<> checkpoint_taker::end_capture(work& at) {
    PERDURE_TRY(capture_.end());
    at.report.capture_ns = where_->waits().now_ns() - at.begun_ns;
    at.report.shadows = shm::load(where_->header().captures.shadows_last);
    return {};
}

/// Copies a portion; with the last one the capture ends.
result<> checkpoint_taker::copy_on(work& at, std::vector<page_run>& runs) {
    runs.clear();
    PERDURE_TRY(scan_.next(at.order.copy_bytes_max, runs));
    for (const auto& run : runs) at.report.pages += run.pages.size();
    return scan_.is_done() ? end_capture(at) : result<>();
}

result<> checkpoint_taker::write_rows(work& at) {
    const auto schemas = PERDURE_TRY(scan_.begin(at.at, at.order.sliced));
    // Where all fits into memory, as it should, writers are rid of us before the first is packed.
    std::vector<page_run> runs;
    PERDURE_TRY(copy_on(at, runs));
    at.writer = PERDURE_TRY(checkpoint_writer::begin(*files_, at.order.directory, at.header));
    for (const auto& each : schemas) {
        at.plans.emplace(each.number, std::pair(each.shape, row_plan(each.shape, each.shape)));
    }
    std::vector<std::byte> section;
    section_header header{};
    header.as_of = scan_.schemas_as_of();
    table_archive().pack(header, schemas, section);
    PERDURE_TRY(at.writer->add(section));
    for (;;) {
        const bool is_last = scan_.is_done();
        PERDURE_TRY(pack(at, runs));
        if (is_last) return {};
        PERDURE_TRY(copy_on(at, runs));
    }
}

/// The file as it can be read now, against what was written.
result<> checkpoint_taker::verify(const work& at, const checkpoint_entry& entry) {
    const auto reader = PERDURE_TRY(checkpoint_reader::open(*files_, at.writer->draft(), found_));
    if (reader.entry().link != entry.link) {
        found_ = finding{errc::damaged, at.writer->draft(), 0, "it reads back as another file"};
        return errc::damaged;
    }
    return check_sections(reader, found_);
}

result<> checkpoint_taker::run(work& at) {
    const auto& order = at.order;
    const bool is_whole = !order.parent;
    const std::uint64_t wanted =
        is_whole ? shm::pages_with_rows(*where_) : shm::dirty_pages(*where_) + page_scan::run_pages;
    scan_.make_room(wanted, order.copy_bytes_max);
    at.at = PERDURE_TRY(capture_.begin({.whole = is_whole, .sliced = order.sliced}));
    at.begun_ns = where_->waits().now_ns();
    at.report.gate_ns = at.at.gate_ns;
    auto& header = at.header;
    header.kind =
        static_cast<std::uint16_t>(is_whole ? checkpoint_kind::full : checkpoint_kind::incremental);
    header.world = order.world;
    header.id = random_uuid();
    if (order.parent) {
        header.parent = order.parent->id;
        header.parent_link = order.parent->link;
    }
    header.incarnation = order.incarnation;
    header.epoch = order.epoch;
    header.lsn = at.at.lsn;
    header.world_time = at.at.world_time;
    header.wall_ns = wall_clock_ns();
    PERDURE_TRY(write_rows(at));
    if (order.await_durable) PERDURE_TRY(order.await_durable(at.writer->last_lsn()));
    at.report.entry = PERDURE_TRY(at.writer->finish(at.report.row_bytes));
    PERDURE_CRASH_POINT("checkpoint.verify");
    PERDURE_TRY(verify(at, at.report.entry));
    if (order.fence) PERDURE_TRY(order.fence());
    PERDURE_TRY(at.writer->publish_name());
    at.report.write_ns = where_->waits().now_ns() - at.begun_ns;
    at.report.sliced = order.sliced;
    return {};
}

result<checkpoint_report> checkpoint_taker::take(const checkpoint_order& order) {
    work at{.order = order};
    const auto done = run(at);
    if (done) return at.report;
    if (at.writer) at.writer->discard();
    // Also when no cut was made: then there is nothing to mark. Who was fenced leaves it to his
    // successor, whose capture may be under way.
    if (!order.fence || order.fence()) shm::abandon_capture(*where_);
    return done.error();
}

}  // namespace perdure::io
