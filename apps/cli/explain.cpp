// SPDX-License-Identifier: Apache-2.0
//
// How an account came to what it has: the changes of its positions, newest first, each with the
// events that made it.
#include <perdure/apps/cli/history.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/event_text.hpp>
#include <perdure/apps/cli/journal_begin.hpp>
#include <perdure/apps/cli/position_history.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

[[noreturn]] void refuse(const world& in, const std::string& cause, errc reason) {
    throw failure(reason, "world " + in.directory() + ": " + cause, std::string(remedy(reason)));
}

/// What the read answers, nothing for not_found. Throws failure.
template <class Read>
auto read_here(const world& in, Read&& read)
    -> std::optional<typename decltype(read(std::declval<view&>()))::value_type> {
    shm::reader by = in.reader();
    const auto answer = by.read(read);
    if (answer) return *answer;
    if (answer.error() == errc::not_found) return std::nullopt;
    refuse(in, "a row cannot be read", answer.error());
}

std::vector<asset_id> assets_of(const world& in, const explain_order& order) {
    if (!order.asset.empty()) return {asset_id::of(order.asset)};
    std::vector<asset_id> out;
    const auto table = in.books().numbers().assets;
    const std::uint64_t end = shm::load(in.region().descriptor(table).row_high);
    for (std::uint64_t row = 0; row < end; ++row) {
        const auto unit =
            read_here(in, [&](view& seen) { return seen.get<asset_row>(table, row); });
        if (unit && unit->header.live == 1) out.push_back({unit->asset});
    }
    return out;
}

amount minus(amount from, amount what) noexcept {
    return static_cast<amount>(static_cast<std::uint64_t>(from) - static_cast<std::uint64_t>(what));
}

amount plus(amount to, amount what) noexcept {
    return static_cast<amount>(static_cast<std::uint64_t>(to) + static_cast<std::uint64_t>(what));
}

/// A position's changes, newest first, as far back as the journal still holds them.
class kept_changes {
  public:
    kept_changes(io::record_finder& records, const world& in, const position_rows& from) : in_(in) {
        for (const auto& place : from.places) {
            position_rows one;
            one.places.push_back(place);
            strands_.push_back({position_history(records, in.books(), one), {}, false});
        }
    }

    /// False: there is none before, or none is kept. Errors: as position_history::next, but for
    /// what is gone.
    result<bool> next(position_change& change) {
        for (auto& each : strands_) {
            if (each.change.lsn == 0) PERDURE_TRY(advance(each));
        }
        change = {};
        for (const auto& each : strands_) change.lsn = std::max(change.lsn, each.change.lsn);
        for (auto& each : strands_) {
            if (change.lsn == 0 || each.change.lsn != change.lsn) continue;
            change.gained = {plus(change.gained.available, each.change.gained.available),
                             plus(change.gained.held, each.change.gained.held)};
            each.change = {};
        }
        return change.lsn != 0;
    }

    /// The first LSN that is kept, once a change before it was wanted; else 0.
    [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }

  private:
    /// One row's history: each of a sharded position's rows goes back as far as it can by itself.
    struct strand {
        position_history history;
        position_change change;  ///< Not answered yet; lsn 0: none.
        bool is_over;
    };
    result<> advance(strand& of) {
        if (of.is_over) return {};
        const auto more = of.history.next(of.change);
        of.is_over = !more || !*more;
        if (more) return {};
        // It looks one change ahead: the one it has filled in by then is whole.
        const auto begin = begin_if_gone(in_, more.error());
        if (!begin) return more.error();
        begin_ = std::max(begin_, *begin);
        return {};
    }

    const world& in_;
    std::vector<strand> strands_;
    std::uint64_t begin_ = 0;
};

/// What explain says of one asset.
class account_story {
  public:
    account_story(const explain_order& order, const world& in, account_id account, asset_id asset)
        : order_(order), in_(in), wanted_{{}, account, asset}, text_(in) {
        facts_ = text_.asset(asset.value);
    }

    /// One change an entry, the newest first. Throws failure.
    void follow(io::record_finder& records, const position_rows& from) {
        then_ = from.now;
        kept_changes history(records, in_, from);
        position_change change;
        for (;;) {
            const auto more = history.next(change);
            if (!more) refuse_history(records, more.error());
            is_whole_ = !*more && history.begin() == 0;
            if (!*more) begin_ = history.begin();
            if (!*more || (order_.limit != 0 && steps_ == order_.limit)) break;
            const auto record = records.find(change.lsn);
            if (!record) refuse_history(records, record.error());
            add(*record, change.gained, then_);
            then_ = {minus(then_.available, change.gained.available),
                     minus(then_.held, change.gained.held)};
        }
        // The rows began with nothing, or something has been lost on the way. Where the beginning
        // is not kept all that can be said is that no row ever held less than nothing.
        const bool is_nothing = then_.available == 0 && then_.held == 0;
        const bool is_less = then_.available < 0 || then_.held < 0;
        if ((is_whole_ && !is_nothing) || (begin_ != 0 && is_less)) {
            refuse(in_, "the changes do not add up to the balance", errc::broken_chain);
        }
    }

    [[nodiscard]] json::object as_json(const position_rows& from) {
        json::object out{{"asset", facts_.code},
                         {"available", print(from.now.available)},
                         {"held", print(from.now.held)},
                         {"shards", from.shards()},
                         {"lsn", from.lsn},
                         {"whole", is_whole_},
                         {"changes", std::move(changes_)}};
        if (begin_ == 0) return out;
        out["history_begins"] = begin_;
        out["available_before"] = print(then_.available);
        out["held_before"] = print(then_.held);
        return out;
    }
    void print_lines(const position_rows& from) {
        const auto spread = from.shards() == 0 ? "" : fmt::format(" in {} shards", from.shards());
        apps::print(fmt::format("{}: available {}{}, held {}, last changed at LSN {}", facts_.code,
                                print(from.now.available), spread, print(from.now.held), from.lsn));
        apps::print(fmt::format("{:>10}  {:<24}  {:>16}  {:>16}  {:>16}  {}", "LSN", "time",
                                "available", "held", "then available", "event"));
        for (const auto& each : lines_) apps::print(each);
        apps::print(fmt::format("{:10}{}", "", last_line()));
    }

  private:
    [[nodiscard]] std::string print(amount value) const {
        return print_amount(value, facts_.scale);
    }
    [[nodiscard]] std::string print_signed(amount value) const {
        return value == 0 ? "" : (value > 0 ? "+" : "") + print(value);
    }

    [[nodiscard]] std::string last_line() const {
        if (is_whole_) return "that is all: it began with 0, and the changes add up";
        if (begin_ == 0) return "… older changes: --limit 0";
        return fmt::format(
            "older changes are not kept (before LSN {}): they had come to available {}, held {}",
            grouped(begin_), print(then_.available), print(then_.held));
    }

    [[noreturn]] void refuse_history(const io::record_finder& records, errc reason) const {
        const auto& found = records.found();
        refuse(in_, found ? found->file + ": " + found->cause : "the balance's history", reason);
    }

    void add(const shm::record_view& record, const position& by, const position& after) {
        ++steps_;
        const std::string time = time_text(record.transaction().wall_ns);
        json::array told;
        std::string words;
        for (const auto event : record.events()) {
            if (!wanted_.passes(in_.events(), event)) continue;
            words += (words.empty() ? "" : "; ") + text_.name(event) + ' ' + text_.line(event);
            told.push_back(
                json::object{{"type", text_.name(event)}, {"fields", text_.fields(event)}});
        }
        if (order_.where.json) {
            changes_.push_back(json::object{{"lsn", record.lsn()},
                                            {"time", time},
                                            {"available", print(by.available)},
                                            {"held", print(by.held)},
                                            {"available_after", print(after.available)},
                                            {"held_after", print(after.held)},
                                            {"events", std::move(told)}});
            return;
        }
        lines_.push_back(fmt::format("{:>10}  {:<24}  {:>16}  {:>16}  {:>16}  {}", record.lsn(),
                                     time, print_signed(by.available), print_signed(by.held),
                                     print(after.available), words));
    }

    const explain_order& order_;
    const world& in_;
    event_filter wanted_;
    event_text text_;
    event_text::asset_facts facts_;
    std::uint64_t steps_ = 0;
    bool is_whole_ = false;
    std::uint64_t begin_ = 0;  ///< First LSN kept, where older changes are not and all are told.
    position then_;            ///< Before the changes that are told.
    json::array changes_;
    std::vector<std::string> lines_;
};

}  // namespace

int explain(const explain_order& order) {
    const world in = open_reader(order.where);
    const account_id account = account_named(order.account);
    const auto known = read_here(in, [&](view& seen) {
        return shm::find_row(seen, in.books().numbers().accounts, key_of(account));
    });
    if (!known) refuse(in, "account " + order.account, errc::unknown_account);
    if (!order.asset.empty()) {
        const auto unit = read_here(in, [&](view& seen) {
            return shm::find_row(seen, in.books().numbers().assets,
                                 key_of(asset_id::of(order.asset)));
        });
        if (!unit) refuse(in, "asset " + order.asset, errc::unknown_asset);
    }
    io::kernel_calls calls;
    io::record_finder records(in.region(), calls, in.directory());
    json::array told;
    for (const asset_id asset : assets_of(in, order)) {
        const auto from = read_here(
            in, [&](view& seen) { return position_rows::look(seen, in.books(), account, asset); });
        if (!from) continue;
        account_story story(order, in, account, asset);
        story.follow(records, *from);
        if (order.where.json) told.push_back(story.as_json(*from));
        if (!order.where.json) story.print_lines(*from);
    }
    if (order.where.json) {
        print(json::object{{"world", in.directory()},
                           {"account", shown(order.account)},
                           {"balances", std::move(told)}});
    }
    return exit_done;
}

}  // namespace perdure::apps
