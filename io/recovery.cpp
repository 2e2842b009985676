// SPDX-License-Identifier: Apache-2.0
#include <tbb/enumerable_thread_specific.h>
#include <tbb/info.h>
#include <tbb/parallel_pipeline.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/recovery.hpp>
#include <perdure/io/spread.hpp>
#include <perdure/io/table_archive.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/loader.hpp>

namespace perdure::io {
namespace {

/// A section on its way from the file into the region.
struct loaded_section {
    section_header header{};
    std::vector<std::byte> payload;
    row_batch batch;
};

double milliseconds_since(const shm::region& where, std::uint64_t from) {
    return static_cast<double>(where.waits().now_ns() - from) / 1e6;
}

/// Loads the files of a chain, one after the other.
class chain_loader {
  public:
    chain_loader(file_system& files, const manifest& promised, shm::region& into,
                 shm::loader& loading)
        : files_(files), promised_(promised), into_(into), loading_(loading) {}

    result<> load(const checkpoint_entry& newest, std::optional<finding>& found) {
        std::vector<const checkpoint_entry*> chain{&newest};
        while (!chain.back()->is_full()) {
            const auto* parent = promised_.checkpoint(chain.back()->parent);
            if (parent == nullptr) return errc::damaged;  // The MANIFEST does not let it happen.
            chain.push_back(parent);
        }
        for (auto each = chain.rbegin(); each != chain.rend(); ++each) {
            PERDURE_CRASH_POINT("recovery.checkpoint");
            PERDURE_TRY(load_file(**each, found));
        }
        loading_.go_on_behind(newest.lsn);
        return {};
    }

    [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }

  private:
    result<> load_file(const checkpoint_entry& entry, std::optional<finding>& found) {
        const std::string path = checkpoint_path(promised_.directory(), entry.lsn);
        auto reader = PERDURE_TRY(checkpoint_reader::open(files_, path, found));
        PERDURE_TRY(reader.compare(promised_, entry, found));
        into_.header().world_time.value = reader.header().world_time;
        if (const auto done = load_schemas(reader, entry, found); !done) {
            if (!found) found = finding{done.error(), path, 0, "its schemas are impossible"};
            return done;
        }
        const auto done = load_rows(reader, entry, found);
        if (!done && !found) {
            found = finding{done.error(), path, 0, "its rows do not fit its schemas"};
        }
        return done;
    }

    result<> load_schemas(const checkpoint_reader& reader, const checkpoint_entry& entry,
                          std::optional<finding>& found) {
        std::vector<std::byte> payload;
        const auto header = PERDURE_TRY(reader.read(0, payload, found));
        const auto schemas = PERDURE_TRY(table_archive().unpack_schemas(header, payload));
        plans_.clear();
        for (const auto& each : schemas) {
            PERDURE_TRY(loading_.put_schema(each.number, PERDURE_TRY(row_of(each))));
            plans_.emplace(each.number, row_plan(each.shape, each.shape));
        }
        if (header.as_of <= entry.lsn) return {};
        constexpr std::uint64_t rows_per_page = shm::page_bytes / sizeof(shm::schema_row);
        for (std::uint64_t page = 0; page * rows_per_page < shm::table_count; ++page) {
            loading_.put_slice(shm::schemas_table, page, header.as_of);
        }
        return {};
    }

    /// Sees to the memory of a section's rows; only one thread may.
    result<> place(const loaded_section& section, const checkpoint_entry& entry) {
        const auto& header = section.header;
        PERDURE_TRY(loading_.make_room(header.table, header.first_row, header.last_row + 1));
        rows_ += header.rows;
        if (header.as_of <= entry.lsn) return {};
        const auto& d = into_.descriptor(header.table);
        for (const auto row : section.batch.numbers) {
            loading_.put_slice(header.table, shm::page_of_row(d, row), header.as_of);
        }
        return {};
    }

    result<> load_rows(const checkpoint_reader& reader, const checkpoint_entry& entry,
                       std::optional<finding>& found) {
        tbb::enumerable_thread_specific<table_archive> archives;
        using shared = std::shared_ptr<loaded_section>;
        std::size_t next = 1;
        result<> answer;
        std::mutex writing;
        const auto fail = [&](errc why) {
            const std::lock_guard mine(writing);
            if (answer) answer = why;
        };
        const auto read = [&](tbb::flow_control& control) -> shared {
            auto section = std::make_shared<loaded_section>();
            result<section_header> header = errc::damaged;
            if (next < reader.sections() && answer) {
                header = reader.read(next++, section->payload, found);
                if (!header) fail(header.error());
            }
            if (!header) {
                control.stop();
                return nullptr;
            }
            section->header = *header;
            return section;
        };
        const auto unpack = [&](shared section) -> shared {
            const auto plan = plans_.find(section->header.table);
            if (plan == plans_.end()) return fail(errc::damaged), nullptr;
            const auto done = archives.local().unpack(section->header, section->payload,
                                                      plan->second, section->batch);
            if (!done) return fail(done.error()), nullptr;
            return section;
        };
        const auto make_room = [&](shared section) -> shared {
            if (!section) return section;
            if (const auto done = place(*section, entry); !done) {
                return fail(done.error()), nullptr;
            }
            return section;
        };
        const auto put = [&](const shared& section) {
            if (!section) return;
            const auto& batch = section->batch;
            const std::size_t bytes = batch.rows.size() / batch.numbers.size();
            for (std::size_t i = 0; i < batch.numbers.size(); ++i) {
                loading_.put_row(section->header.table, batch.numbers[i],
                                 batch.rows.data() + i * bytes);
            }
        };
        const auto in_order = tbb::filter_mode::serial_in_order;
        const auto parallel = tbb::filter_mode::parallel;
        tbb::parallel_pipeline(2 * static_cast<std::size_t>(tbb::info::default_concurrency()),
                               tbb::make_filter<void, shared>(in_order, read) &
                                   tbb::make_filter<shared, shared>(parallel, unpack) &
                                   tbb::make_filter<shared, shared>(in_order, make_room) &
                                   tbb::make_filter<shared, void>(parallel, put));
        return answer;
    }

    file_system& files_;
    const manifest& promised_;
    shm::region& into_;
    shm::loader& loading_;
    std::map<std::uint32_t, row_plan> plans_;
    std::uint64_t rows_ = 0;
};

/// Records of a block that are behind `from` and not behind `last`.
result<> apply_block(shm::loader& loading, std::span<const std::byte> records,
                     std::uint64_t lsn_max, const manifest& promised,
                     std::optional<finding>& found) {
    while (!records.empty()) {
        shm::record_header header;
        if (records.size() < sizeof header) return errc::damaged;
        std::memcpy(&header, records.data(), sizeof header);
        if (header.bytes < sizeof header || header.bytes > records.size()) return errc::damaged;
        const auto record = records.first(header.bytes);
        records = records.subspan(header.bytes);
        if (header.lsn <= loading.last_lsn()) continue;  // The checkpoint knows it.
        if (header.lsn > lsn_max) return {};
        if (const auto done = loading.apply(record); !done) {
            found = finding{
                done.error(), journal_directory(promised.directory()), 0,
                "record " + std::to_string(header.lsn) + " does not fit the records before it"};
            return done.error();
        }
    }
    return {};
}

result<> replay(file_system& files, const manifest& promised, const recovery_plan& plan,
                shm::loader& loading, opening_report& report) {
    if (loading.last_lsn() >= plan.lsn_max) return {};  // The checkpoint alone is what is wanted.
    auto& found = report.found;
    const std::uint64_t from = loading.last_lsn() + 1;
    const auto& segments = promised.segments();
    if (!segments.empty() && segments.front().first_lsn > from) {
        found = finding{errc::missing, journal_directory(promised.directory()), 0,
                        "it begins with LSN " + std::to_string(segments.front().first_lsn) + ", " +
                            std::to_string(from) + " is needed"};
        return errc::missing;
    }
    auto reader = PERDURE_TRY(journal_reader::open(files, promised, from, found));
    while (loading.last_lsn() < plan.lsn_max && PERDURE_TRY(reader.next(found))) {
        PERDURE_CRASH_POINT("rebuild.block");
        const auto records = PERDURE_TRY(reader.records(found));
        PERDURE_TRY(apply_block(loading, records, plan.lsn_max, promised, found));
    }
    if (const auto& torn = reader.torn_tail(); torn) {
        report.torn_tail =
            torn->file + " at byte " + std::to_string(torn->offset) + ": " + torn->cause;
    }
    return {};
}

/// Every promised checkpoint proves that what it shows was durable: less is a loss, and refused.
result<> check_end(const manifest& promised, const recovery_plan& plan, std::uint64_t last_lsn,
                   std::optional<finding>& found) {
    std::uint64_t least = plan.newest == nullptr ? 0 : plan.newest->last_lsn;
    for (const auto& each : promised.checkpoints()) {
        if (each.last_lsn <= plan.lsn_max) least = std::max(least, each.last_lsn);
    }
    if (last_lsn >= least) return {};
    found = finding{errc::damaged, journal_directory(promised.directory()), 0,
                    "it ends at LSN " + std::to_string(last_lsn) + ", and a checkpoint proves " +
                        std::to_string(least) + " to have been durable"};
    return errc::damaged;
}

}  // namespace

std::vector<recovery_plan> plans_for(const manifest& promised, std::uint64_t lsn_max) {
    std::vector<recovery_plan> plans;
    const auto& all = promised.checkpoints();
    for (auto each = all.rbegin(); each != all.rend(); ++each) {
        if (each->last_lsn <= lsn_max) plans.push_back({&*each, lsn_max});
    }
    const auto& segments = promised.segments();
    const bool is_whole = segments.empty() ? all.empty() : segments.front().first_lsn == 1;
    if (is_whole) plans.push_back({nullptr, lsn_max});
    return plans;
}

result<> recover(file_system& files, const manifest& promised, const recovery_plan& plan,
                 shm::region& into, opening_report& report) {
    auto& found = report.found;
    const std::uint64_t begun = into.waits().now_ns();
    shm::loader loading(into);
    if (plan.newest != nullptr) {
        chain_loader chain(files, promised, into, loading);
        PERDURE_TRY(chain.load(*plan.newest, found));
        report.rows = chain.rows();
    }
    report.load_ms = milliseconds_since(into, begun);
    const std::uint64_t loaded = into.waits().now_ns();
    PERDURE_TRY(replay(files, promised, plan, loading, report));
    PERDURE_TRY(check_end(promised, plan, loading.last_lsn(), found));
    report.replay_ms = milliseconds_since(into, loaded);
    const std::uint64_t replayed = into.waits().now_ns();
    PERDURE_CRASH_POINT("rebuild.finish");
    PERDURE_TRY(loading.finish(spread));
    report.index_ms = milliseconds_since(into, replayed);
    report.checkpoint_lsn = plan.newest == nullptr ? 0 : plan.newest->lsn;
    report.last_lsn = loading.last_lsn();
    report.transactions = loading.transactions();
    report.milliseconds = milliseconds_since(into, begun);
    return {};
}

namespace {

bool is_damage(errc reason) noexcept {
    return reason == errc::damaged || reason == errc::missing || reason == errc::foreign ||
           reason == errc::wrong_format;
}

result<> try_plan(file_system& files, const manifest& promised, const recovery_plan& plan,
                  shm::region& into, std::pair<const recovery_order&, opening_report&> how) {
    auto& [order, report] = how;
    const std::string what = plan.newest == nullptr
                                 ? "journal from LSN 1"
                                 : "checkpoint of LSN " + std::to_string(plan.newest->lsn);
    auto& found = report.found;
    found.reset();
    auto done = recover(files, promised, plan, into, report);
    for (const auto& ask : order.validators) {
        if (!done) break;
        if (const auto problem = ask(into); !problem.empty()) {
            found = finding{errc::damaged, what, 0, problem};
            done = errc::damaged;
        }
    }
    const auto why = [&] {
        return found
                   ? found->file + " at byte " + std::to_string(found->offset) + ": " + found->cause
                   : std::string(name(done.error()));
    };
    report.tried.push_back({what, done ? "accepted" : why()});
    return done;
}

}  // namespace

result<recovered_region> recover_best(file_system& files, const manifest& promised,
                                      const recovery_order& order, opening_report& report) {
    recovered_region out;
    std::optional<finding> first;
    result<> answer = errc::missing;
    auto plans = plans_for(promised, order.lsn_max);
    if (order.oldest_first) std::reverse(plans.begin(), plans.end());
    for (const auto& plan : plans) {
        const auto attempt = [&](bool more) {
            out.region.reset();  // Before the next: the file's name is the same.
            out.region = order.fresh(more);
            return try_plan(files, promised, plan, *out.region, {order, report});
        };
        auto done = attempt(false);
        if (!done && done.error() == errc::region_full) done = attempt(true);
        if (done) return out;
        if (plan.newest != nullptr && is_damage(done.error())) {
            out.rejected.push_back(*plan.newest);
        }
        if (!first) first = report.found, answer = done.error();
        if (done.error() == errc::no_memory) break;
    }
    report.found = first;
    return answer.error();
}

}  // namespace perdure::io
