// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <perdure/io/rebuild.hpp>
#include <perdure/io/spread.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/loader.hpp>

namespace perdure::io {

result<> replay(file_system& files, const manifest& promised, shm::region& into,
                opening_report& report, std::optional<finding>& found) {
    const std::uint64_t from = into.waits().now_ns();
    shm::loader loading(into);
    auto reader = PERDURE_TRY(journal_reader::open(files, promised, 1, found));
    while (PERDURE_TRY(reader.next(found))) {
        PERDURE_CRASH_POINT("rebuild.block");
        auto records = PERDURE_TRY(reader.records(found));
        while (!records.empty()) {
            shm::record_header header;
            if (records.size() < sizeof header) return errc::damaged;
            std::memcpy(&header, records.data(), sizeof header);
            if (header.bytes < sizeof header || header.bytes > records.size()) {
                return errc::damaged;
            }
            if (const auto done = loading.apply(records.first(header.bytes)); !done) {
                found = finding{
                    done.error(), journal_directory(promised.directory()), 0,
                    "record " + std::to_string(header.lsn) + " does not fit the records before it"};
                return done.error();
            }
            records = records.subspan(header.bytes);
        }
    }
    if (const auto& torn = reader.torn_tail(); torn) {
        report.torn_tail =
            torn->file + " at byte " + std::to_string(torn->offset) + ": " + torn->cause;
    }
    PERDURE_CRASH_POINT("rebuild.finish");
    PERDURE_TRY(loading.finish(spread));
    report.last_lsn = loading.last_lsn();
    report.transactions = loading.transactions();
    report.milliseconds = static_cast<double>(into.waits().now_ns() - from) / 1e6;
    return {};
}

}  // namespace perdure::io
