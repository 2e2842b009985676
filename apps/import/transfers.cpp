// SPDX-License-Identifier: Apache-2.0
//
// `perdure import transfers`: reads the file once to know it, then supervises the workers.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/child.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/import/part.hpp>
#include <perdure/apps/import/plan.hpp>

namespace perdure::apps {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

struct totals {
    std::uint64_t done = 0;
    std::uint64_t applied = 0;
    std::uint64_t already_applied = 0;
    std::uint64_t refused = 0;
    std::uint64_t malformed = 0;

    static totals of(const import_page& page) {
        totals sum;
        for (const import_row& row : page.rows) {
            const auto load = [](const std::uint64_t& place) {
                return std::atomic_ref(const_cast<std::uint64_t&>(place))
                    .load(std::memory_order_acquire);
            };
            sum.done += load(row.done);
            sum.applied += load(row.applied);
            sum.already_applied += load(row.already_applied);
            sum.refused += load(row.refused);
            sum.malformed += load(row.malformed);
        }
        return sum;
    }
};

/// A bar at a terminal, plain lines elsewhere; on standard error.
class progress {
  public:
    progress(std::uint64_t lines, std::uint64_t step)
        : lines_(lines), step_(step), at_terminal_(is_terminal(STDERR_FILENO)) {}

    void show(std::uint64_t done) {
        const auto now = clock::now();
        if (at_terminal_) {
            if (now - last_ < milliseconds(100)) return;
            draw(done);
        } else if (step_ != 0 ? done < next_ : now - last_ < std::chrono::seconds(1)) {
            return;
        } else {
            tell(fmt::format("{} of {} lines", done, lines_));
        }
        last_ = now;
        next_ = step_ == 0 ? 0 : (done / step_ + 1) * step_;
    }

    void end() const {
        if (at_terminal_ && ::write(STDERR_FILENO, "\r\x1b[K", 4) < 0) return;
    }

  private:
    void draw(std::uint64_t done) const {
        constexpr std::size_t width = 40;
        const std::size_t full =
            lines_ == 0 ? width : static_cast<std::size_t>(width * done / lines_);
        const std::string bar = fmt::format("\r[{:#<{}}{:.<{}}] {} of {} lines\x1b[K", "", full, "",
                                            width - full, grouped(done), grouped(lines_));
        if (::write(STDERR_FILENO, bar.data(), bar.size()) < 0) return;
    }

    std::uint64_t lines_;
    std::uint64_t step_;
    bool at_terminal_;
    clock::time_point last_ = clock::now();
    std::uint64_t next_ = 0;
};

/// The faucet and the asset: made, or found as this import needs them.
void prepare(world& in, session& by, const import_order& order) {
    const ledger& books = in.books();
    const account_id treasury = account_id::of(import_treasury);
    const auto made = by.write([&](tx& t) -> result<> {
        const auto opened = books.open_account(t, import_treasury, account_kind::treasury);
        if (!opened && opened.error() != errc::exists) return opened.error();
        const auto asset =
            books.create_asset(t, order.asset, static_cast<std::uint32_t>(order.scale), treasury);
        if (!asset && asset.error() != errc::exists) return asset.error();
        return {};
    });
    if (!made) {
        throw failure(made.error(), "asset " + order.asset + ": cannot be made",
                      std::string(remedy(made.error())));
    }
    const auto row =
        by.read([&](shm::view& v) { return books.asset(v, asset_id::of(order.asset)); });
    if (!row) {
        throw failure(row.error(), "asset " + order.asset, std::string(remedy(row.error())));
    }
    if (row->scale != static_cast<std::uint32_t>(order.scale)) {
        throw failure(errc::exists,
                      "asset " + order.asset + ": it has " + std::to_string(row->scale) +
                          " digits behind the point, not " + std::to_string(order.scale),
                      "give --scale " + std::to_string(row->scale) + " or another --asset");
    }
    if (row->authority.high != treasury.high || row->authority.low != treasury.low) {
        throw failure(errc::not_authorised, "asset " + order.asset + ": the import may not mint it",
                      "give another --asset");
    }
}

std::vector<child> start_workers(const import_order& order, const import_identity& identity,
                                 amount grant, const shared_page& page) {
    std::vector<child> made;
    for (std::uint32_t place = 0; place < order.workers; ++place) {
        std::vector<std::string> words{"import-part", order.where.directory,
                                       "--place",     std::to_string(place),
                                       "--of",        std::to_string(order.workers),
                                       "--file",      order.file,
                                       "--columns",   order.columns,
                                       "--asset",     order.asset,
                                       "--identity",  print_identity(identity),
                                       "--grant",     std::to_string(grant),
                                       "--scale",     std::to_string(order.scale),
                                       "--rate",      std::to_string(order.rate)};
        for (const std::string& each : order.where.assignments) {
            words.insert(words.end(), {"--set", each});
        }
        const std::array given{passed_descriptor{page.descriptor(), import_descriptor}};
        made.push_back(child::start(std::move(words), given));
    }
    return made;
}

/// A worker ended before its lines were applied.
[[noreturn]] void refuse_end(const import_order& order, std::size_t place,
                             const import_row::refusal& stopped, int status) {
    const std::string again =
        " Then give the same command again: it goes on, and applies no line twice";
    if (stopped.line != 0) {
        const auto reason = static_cast<errc>(stopped.reason);
        throw failure(reason, fmt::format("{}: stopped at line {}", order.file, stopped.line),
                      std::string(remedy(reason)) + again);
    }
    const bool was_killed = WIFSIGNALED(status);
    throw failure(errc::not_attached,
                  fmt::format("import worker {}: it {} {}", place,
                              was_killed ? "was ended by signal" : "gave up, exit code",
                              was_killed ? WTERMSIG(status) : WEXITSTATUS(status)),
                  "Look for the reason above, or at who killed it." + again);
}

/// Until all have ended. Throws failure when one did not end well; the others are stopped then.
void supervise(const import_order& order, std::vector<child>& workers, const import_page& page,
               progress& bar) {
    for (std::size_t alive = workers.size(); alive > 0;) {
        std::this_thread::sleep_for(milliseconds(1));
        bar.show(totals::of(page).done);
        for (std::size_t place = 0; place < workers.size(); ++place) {
            if (workers[place].pid() == 0) continue;
            const auto status = workers[place].poll();
            if (!status) continue;
            --alive;
            if (WIFEXITED(*status) && WEXITSTATUS(*status) == exit_done) continue;
            bar.end();
            refuse_end(order, place, page.rows[place].stopped, *status);
        }
    }
    bar.end();
}

void tell_what_was_left_out(const file_survey& seen, const import_page& page) {
    for (const auto& each : seen.first_malformed) {
        tell(fmt::format("line {}: malformed: {}", each.line, each.cause));
    }
    if (seen.malformed > seen.first_malformed.size()) {
        tell(fmt::format("and {} more malformed lines",
                         seen.malformed - seen.first_malformed.size()));
    }
    for (const import_row& row : page.rows) {
        for (const auto& each : row.first_refused) {
            if (each.line == 0) continue;
            const auto reason = static_cast<errc>(each.reason);
            tell(fmt::format("line {}: refused: {}. {}", each.line, name(reason), remedy(reason)));
        }
    }
}

}  // namespace

int import_transfers(const import_order& order) {
    const auto began = clock::now();
    const file_survey seen = survey(order.file, order.columns, order.scale);
    const amount grant = choose_grant(seen, order.grant);
    const auto identity = identify(order.file, order.columns, order.scale, order.asset);

    world in = open_world(order.where);
    session by = in.join();
    prepare(in, by, order);
    const shared_page page = shared_page::make(sizeof(import_page));
    const auto& rows = page.as<import_page>();
    auto workers = start_workers(order, identity, grant, page);
    progress bar(seen.lines, order.progress_lines);
    supervise(order, workers, rows, bar);

    // What the command says it has done is safe from here on.
    const condition now = in.status();
    const auto safe = in.wait(by, {now.last_lsn, now.incarnation}, durability::durable);
    if (!safe) {
        throw failure(safe.error(),
                      "world " + order.where.directory + ": the import is not durable",
                      std::string(remedy(safe.error())));
    }
    const double seconds = std::chrono::duration<double>(clock::now() - began).count();
    const totals sum = totals::of(rows);
    PERDURE_ASSERT(sum.malformed == seen.malformed);
    tell_what_was_left_out(seen, rows);
    if (order.where.json) {
        print(boost::json::object{{"lines", seen.lines},
                                  {"applied", sum.applied},
                                  {"refused", sum.refused},
                                  {"malformed", sum.malformed},
                                  {"already_applied", sum.already_applied},
                                  {"seconds", seconds}});
    } else {
        print(fmt::format(
            "{} lines in {:.2f} s: {} applied, {} already applied, {} refused, {} "
            "malformed; all of it durable",
            grouped(seen.lines), seconds, grouped(sum.applied), grouped(sum.already_applied),
            grouped(sum.refused), grouped(sum.malformed)));
    }
    return exit_done;
}

}  // namespace perdure::apps
