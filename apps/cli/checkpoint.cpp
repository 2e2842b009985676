// SPDX-License-Identifier: Apache-2.0
//
// A checkpoint on request: by the world's keeper, or by this process where there is none.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/gauges.hpp>
#include <perdure/apps/cli/long_work.hpp>

namespace perdure::apps {
namespace {

/// As the MANIFEST promises it; version 0: the checkpoint of that LSN is gone already.
io::checkpoint_entry entry_of(const std::string& directory, std::uint64_t lsn) {
    io::kernel_calls calls;
    const io::past history(calls, directory);
    for (const auto& each : history.promised().checkpoints()) {
        if (each.lsn == lsn) return each;
    }
    return {};
}

}  // namespace

int checkpoint(const checkpoint_order& order) {
    io::checkpoint_news news;
    auto options = options_from(read_config(order.where));
    options.checkpoint_taken = [&](const io::checkpoint_news& each) { news = each; };
    world saved = world::open(order.where.directory, options);
    expect_running_keeper(saved);
    const bool made = [&] {
        const long_work saving("saving " + saved.directory());
        return saved.checkpoint(order.full);
    }();
    const auto now = saved.status().checkpoint;
    const bool here = news.is_valid;  // Else the keeper has taken it, and knows the rest.
    const auto& report = news.report;
    const auto promised = entry_of(saved.directory(), now.lsn);
    const auto version = promised.version;
    if (order.where.json) {
        boost::json::object out{{"world", saved.directory()},
                                {"made", made},
                                {"lsn", now.lsn},
                                {"version", version},
                                {"milliseconds", static_cast<double>(now.write_ns) / 1e6}};
        const auto& entry = here ? report.entry : promised;
        if (here || version != 0) out["kind"] = entry.is_full() ? "full" : "incremental";
        if (here) {
            out["rows"] = report.rows;
            out["row_bytes"] = report.row_bytes;
            out["file_bytes"] = report.entry.file_bytes;
            out["file"] = io::checkpoint_path(saved.directory(), now.lsn);
        }
        print(out);
        return exit_done;
    }
    if (!made) {
        print(fmt::format("nothing has changed since checkpoint v{}, of LSN {}", version,
                          grouped(now.lsn)));
        return exit_done;
    }
    print(fmt::format("checkpoint    v{}, LSN {}, in {:.1f} ms, {}", version, grouped(now.lsn),
                      static_cast<double>(now.write_ns) / 1e6,
                      here ? "by this process: nobody keeps the world" : "by its keeper"));
    if (here) {
        print(fmt::format("holds         {}: {} rows, {}",
                          report.entry.is_full() ? "everything" : "what has changed",
                          grouped(report.rows), rounded_bytes(report.row_bytes)));
        print(fmt::format("file          {}, {}", io::checkpoint_path(saved.directory(), now.lsn),
                          rounded_bytes(report.entry.file_bytes)));
    }
    return exit_done;
}

}  // namespace perdure::apps
