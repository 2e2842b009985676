// SPDX-License-Identifier: Apache-2.0
//
// Tables to JSON, JSON lines or CSV, row by row, with as much memory as one row and a buffer.
#include <perdure/apps/cli/reading.hpp>

#include <unistd.h>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/export/row_text.hpp>
#include <perdure/apps/export/sink.hpp>
#include <perdure/apps/tables/reader.hpp>

namespace perdure::apps {
namespace {

enum class export_format { json, lines, csv };

constexpr std::uint64_t progress_every_ns = 1'000'000'000;
constexpr std::uint64_t rows_between_looks = 4096;

export_format format_named(const std::string& name) {
    if (name == "json") return export_format::json;
    return name == "csv" ? export_format::csv : export_format::lines;
}

std::vector<stored_table> choose_tables(world_reader& in, const export_order& order) {
    std::vector<stored_table> out;
    for (const auto& name : order.tables) out.push_back(in.table_named(name));
    if (order.tables.empty()) out = in.tables();
    if (order.format == "csv" && out.size() != 1) {
        throw failure(errc::bad_query,
                      "--format csv: a CSV file holds one table, and " +
                          std::to_string(out.size()) + " are asked for",
                      "name one table, or take --format json or jsonl");
    }
    return out;
}

/// One line a second on standard error, once a second has gone by.
class progress_line {
  public:
    explicit progress_line(shm::park& clock) : clock_(clock), last_(clock.now_ns()) {}
    void say(const stored_table& of, const table_scan& scan, std::uint64_t rows) {
        const auto now = clock_.now_ns();
        if (now - last_ < progress_every_ns) return;
        last_ = now;
        tell(fmt::format("export: {}, {:.0f} %, {} rows", of.shape.name, scan.progress() * 100,
                         grouped(rows)));
    }

  private:
    shm::park& clock_;
    std::uint64_t last_;
};

class exporter {
  public:
    exporter(world_reader& in, text_sink& to, export_format format)
        : in_(in), to_(to), format_(format), progress_(in.region().waits()) {}

    void run(const std::vector<stored_table>& tables, const std::string& directory) {
        from_ = in_.last_lsn();
        if (format_ == export_format::json) begin_object(directory);
        for (const auto& each : tables) {
            if (format_ == export_format::json) begin_table(each, &each == &tables.front());
            write_rows(each);
            if (format_ == export_format::json) to_.add("\n]");
        }
        until_ = in_.last_lsn();
        if (format_ == export_format::json) {
            to_.add(fmt::format("}},\n\"lsn_from\":{},\"lsn_to\":{}}}\n", from_, until_));
        }
        to_.finish();
    }
    [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::uint64_t lsn_from() const noexcept { return from_; }
    [[nodiscard]] std::uint64_t lsn_to() const noexcept { return until_; }

  private:
    void begin_object(const std::string& directory) {
        std::string head = "{\"world\":";
        append_json(head, std::string_view(directory));
        to_.add(head + ",\n\"tables\":{");
    }
    void begin_table(const stored_table& of, bool is_first) {
        std::string head = is_first ? "\n" : ",\n";
        append_json(head, std::string_view(of.shape.name));
        to_.add(head + ":[");
    }
    void write_rows(const stored_table& of) {
        const auto columns = export_columns(of.shape);
        std::string text;
        if (format_ == export_format::csv) append_csv_head(text, columns);
        std::string label = "{\"table\":";
        append_json(label, std::string_view(of.shape.name));
        table_scan scan(in_, of);
        bool first = true;
        for (stored_row row; scan.next(row); first = false) {
            if (format_ == export_format::csv) {
                append_csv_row(text, columns, row);
            } else if (format_ == export_format::json) {
                text += first ? "\n" : ",\n";
                append_json_row(text, columns, row);
            } else {
                append_json_row(text, columns, row);
                text.replace(0, 1, label + ',');
                text += '\n';
            }
            to_.add(text);
            text.clear();
            if (++rows_ % rows_between_looks == 0) progress_.say(of, scan, rows_);
        }
        to_.add(text);  // The head of a CSV without rows.
    }

    world_reader& in_;
    text_sink& to_;
    export_format format_;
    progress_line progress_;
    std::uint64_t rows_ = 0;
    std::uint64_t from_ = 0;
    std::uint64_t until_ = 0;
};

/// Rows are whole; together they are one moment only where that was asked for, or nothing was
/// committed meanwhile.
std::string moment(const exporter& done) {
    if (done.lsn_from() == done.lsn_to()) {
        return fmt::format("all as of LSN {}", done.lsn_from());
    }
    return fmt::format(
        "each row as it was at some moment between LSN {} and {}: the world went on, "
        "--consistent would show one moment",
        done.lsn_from(), done.lsn_to());
}

void run(exporter& work, world_reader& in, const export_order& order) {
    const auto tables = choose_tables(in, order);
    if (order.consistent) in.freeze(order.tables);
    work.run(tables, order.where.directory);
}

}  // namespace

int export_tables(const export_order& order) {
    world_reader in(order.where);
    if (order.to.empty()) {
        output_sink to;
        exporter work(in, to, format_named(order.format));
        run(work, in, order);
        tell(fmt::format("exported {} rows, {}", grouped(work.rows()), moment(work)));
        return exit_done;
    }
    io::kernel_calls calls;
    file_sink to(calls, order.to);
    exporter work(in, to, format_named(order.format));
    run(work, in, order);
    if (order.where.json) {
        print(boost::json::object{{"file", order.to},
                                  {"rows", work.rows()},
                                  {"bytes", to.bytes()},
                                  {"lsn_from", work.lsn_from()},
                                  {"lsn_to", work.lsn_to()}});
    } else {
        print(fmt::format("exported {} rows, {} to {}", grouped(work.rows()),
                          rounded_bytes(to.bytes()), order.to));
        print(moment(work));
    }
    return exit_done;
}

}  // namespace perdure::apps
