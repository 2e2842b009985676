// SPDX-License-Identifier: Apache-2.0
//
// A table that grows to a million rows, with and without an order, and ranges read from it. One
// process; the latency of an insert is its transaction's, of a scan that of its hundred rows.
#include "bazaar.hpp"
#include "report.hpp"
#include "rows.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace perdure::perf {
namespace {

constexpr std::uint64_t rows_all = 1'000'000;
constexpr std::size_t scan_rows = 100;

std::unique_ptr<row_store> make_store(const std::string& engine) {
    return engine == "lmdb" ? make_lmdb_rows() : make_perdure_rows();
}

std::vector<std::string> engines_of(const options& asked) {
    return asked.engines_among({"perdure", "lmdb"});
}

/// Fills the store; the measurement's operations are rows.
measurement fill(row_store& into, std::uint32_t batch) {
    measurement made;
    std::vector<ranked_row> rows(batch);
    std::uint64_t spent = 0;
    for (std::uint64_t first = 0; first < rows_all; first += batch) {
        const std::uint64_t count = std::min<std::uint64_t>(batch, rows_all - first);
        for (std::uint64_t i = 0; i < count; ++i) rows[i] = row_numbered(first + i);
        const std::uint64_t from = nanoseconds_now();
        into.insert(std::span(rows).first(count));
        const std::uint64_t took = nanoseconds_now() - from;
        made.latency.add(took);
        spent += took;
        if (first % 4096 == 0) stop_if_asked();
    }
    made.operations_per_second = static_cast<double>(rows_all) * 1e9 / static_cast<double>(spent);
    return made;
}

measurement scan_all(row_store& in, const options& asked, std::uint64_t& check) {
    measurement made;
    const auto end =
        nanoseconds_now() + static_cast<std::uint64_t>(asked.short_duration().seconds * 1e9);
    std::uint64_t spent = 0;
    std::uint64_t scans = 0;
    for (std::uint64_t now = nanoseconds_now(); now < end; ++scans) {
        check += in.scan(scatter(scans) >> 1U, scan_rows);
        const std::uint64_t then = std::exchange(now, nanoseconds_now());
        made.latency.add(now - then);
        spent += now - then;
        if (scans % 256 == 0) stop_if_asked();
    }
    made.operations_per_second =
        static_cast<double>(scans * scan_rows) * 1e9 / static_cast<double>(spent);
    return made;
}

void measure_inserts(const options& asked, const char* work, bool ordered, std::uint32_t batch) {
    const auto engines = engines_of(asked);
    std::vector<series> found;
    for (const auto& engine : engines) {
        found.push_back(series({work, engine, durability_level::applied, 1, batch}));
    }
    for (int run = 0; run < asked.runs(); ++run) {
        for (std::size_t i = 0; i < engines.size(); ++i) {
            const run_place place(asked, engines[i]);
            const auto store = make_store(engines[i]);
            store->create(place.plan(), ordered);
            const auto filled = fill(*store, batch);
            found[i].add(filled, store->journal());
        }
    }
    for (const series& one : found) one.print(asked.suite);
}

void measure_scans(const options& asked) {
    const auto engines = engines_of(asked);
    std::vector<std::uint64_t> checks(engines.size());
    std::vector<series> found;
    for (std::size_t i = 0; i < engines.size(); ++i) {
        found.push_back(
            series({"range-scan", engines[i], durability_level::applied, 1, scan_rows}));
        const run_place place(asked, engines[i]);
        const auto store = make_store(engines[i]);
        store->create(place.plan(), true);
        static_cast<void>(fill(*store, 64));
        for (std::uint64_t from = 0; from < 100; ++from) {
            checks[i] += store->scan(scatter(from) >> 1U, scan_rows);
        }
        std::uint64_t ignored = 0;
        for (int run = 0; run < asked.runs(); ++run) {
            found[i].add(scan_all(*store, asked, ignored));
        }
    }
    for (const auto check : checks) {
        if (check != checks[0]) throw engine_failure("range-scan: the stores read other rows");
    }
    for (const series& one : found) one.print(asked.suite);
}

void run(const options& asked) {
    if (asked.wants_work("insert")) {
        measure_inserts(asked, "insert", false, 1);
        measure_inserts(asked, "insert", false, 16);
    }
    if (asked.wants_work("ordered-insert")) {
        measure_inserts(asked, "ordered-insert", true, 1);
        measure_inserts(asked, "ordered-insert", true, 16);
    }
    if (asked.wants_work("range-scan")) measure_scans(asked);
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }
