// SPDX-License-Identifier: Apache-2.0
//
// One worker of an import: reads the whole file and applies every N-th line. Which lines are whose
// depends on nothing but N, and the keys not even on that.
#include <perdure/apps/import/part.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <unordered_set>

#include <perdure/apps/cli/child.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/import/plan.hpp>

namespace perdure::apps {
namespace {

void count(std::uint64_t& place) noexcept {
    std::atomic_ref(place).fetch_add(1, std::memory_order_release);
}

/// What says no to a line; anything else stops the import.
bool is_refusal(errc reason) noexcept {
    switch (reason) {
        case errc::unknown_account:
        case errc::unknown_asset:
        case errc::insufficient_funds:
        case errc::overflow:
        case errc::bad_amount:
        case errc::same_account: return true;
        default: return false;
    }
}

class importer {
  public:
    importer(const part_order& order, world& in, import_row& row)
        : order_(order),
          world_(in),
          by_(in.join()),
          row_(row),
          identity_(parse_identity(order.identity)),
          asset_(asset_id::of(order.asset)),
          treasury_(account_id::of(import_treasury)) {}

    /// False when it could not come to the end.
    bool run() {
        csv_reader reader(order_.file);
        reader.next();
        const auto columns = transfer_columns::find(order_.columns, reader);
        const auto began = std::chrono::steady_clock::now();
        for (std::uint64_t index = 0; reader.next(); ++index) {
            if (index % order_.of != order_.place) continue;
            const parsed_line line = parse_line(reader, columns, order_.scale);
            if (!line.malformed.empty()) {
                count(row_.malformed);
            } else if (!apply(reader.line(), line.transfer)) {
                return false;
            }
            count(row_.done);
            if (order_.rate == 0) continue;
            std::this_thread::sleep_until(
                began + std::chrono::nanoseconds((index + 1) * 1'000'000'000 / order_.rate));
        }
        return true;
    }

  private:
    /// False when no more lines can be applied.
    bool apply(std::uint64_t number, const transfer_line& line) {
        const auto key = key_of_line(identity_, number);
        const bool knows_from = known_.contains(std::string(line.from));
        const bool knows_to = known_.contains(std::string(line.to));
        bool before = false;
        const auto paid = by_.write(
            [&](tx& in) -> result<> {
                before = PERDURE_TRY(world_.books().once(in, key, key_life::pinned)).has_value();
                if (before) return {};
                if (!knows_from) PERDURE_TRY(open_account(in, line.from));
                if (!knows_to) PERDURE_TRY(open_account(in, line.to));
                return world_.books().transfer(in, account_id::of(line.from),
                                               account_id::of(line.to), asset_, line.value,
                                               {0, number});
            },
            shm::deadline::in(std::chrono::seconds(60)));
        if (paid) {
            count(before ? row_.already_applied : row_.applied);
            // This commit is proof that both are there; an earlier one is not looked into.
            if (!before) known_.emplace(line.from), known_.emplace(line.to);
        } else if (is_refusal(paid.error())) {
            refuse(number, paid.error());
        } else {
            row_.stopped = {number, static_cast<std::uint64_t>(paid.error())};
            return false;
        }
        return true;
    }

    /// Opens it and gives it the grant, unless it is open, or has held this asset before.
    result<> open_account(tx& in, std::string_view name) {
        const ledger& books = world_.books();
        const auto opened = books.open_account(in, name, account_kind::player);
        if (!opened && opened.error() != errc::exists) return opened.error();
        const auto account = account_id::of(name);
        const auto held =
            shm::get_key<balance_row>(in, books.numbers().balances, key_of(account, asset_));
        if (held) return {};
        if (held.error() != errc::not_found) return held.error();
        return books.mint(in, treasury_, account, asset_, order_.grant);
    }

    void refuse(std::uint64_t number, errc reason) {
        if (row_.refused < import_row::refusals_max) {
            row_.first_refused[row_.refused] = {number, static_cast<std::uint64_t>(reason)};
        }
        count(row_.refused);
    }

    const part_order& order_;
    world& world_;
    session by_;
    import_row& row_;
    import_identity identity_;
    asset_id asset_;
    account_id treasury_;
    std::unordered_set<std::string> known_;
};

}  // namespace

int import_part(const part_order& order) {
    const auto page = shared_page::inherit(import_descriptor, sizeof(import_page));
    world in = open_world(order.where);
    importer work(order, in, page.as<import_page>().rows.at(order.place));
    return work.run() ? exit_done : exit_refused;
}

}  // namespace perdure::apps
