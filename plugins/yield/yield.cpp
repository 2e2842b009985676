// SPDX-License-Identifier: Apache-2.0
//
// Pays every period of every stake that has ended, each once.
//
// Promise     Nothing here decides how much is paid, or whether a period was paid before: core
//             does, in the transaction that pays. This plugin only finds whose turn it is. What a
//             treasury cannot pay is refused with an event, and tried again in the next window.
// Death       At any moment: the next instance looks again at which periods are paid.
// Threads     One.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include <perdure/plugins/sdk/plugin.hpp>

namespace {

/// Rows of the tables "stakes" and "programmes", as docs/formats/tables.md has them.
struct stake_row {
    std::array<std::uint64_t, 2> header;
    perdure_id key;
    perdure_id programme;
    perdure_id account;
    std::uint64_t number;
    std::int64_t principal;
    std::int64_t staked;
    std::int64_t paid;
    std::uint64_t since_ns;
    std::uint64_t anchor_period;
    std::uint64_t periods_paid;
    std::uint64_t last_payout_ns;
    std::uint64_t refused_to;
    std::uint64_t apy_ppb;
    std::array<std::uint64_t, 2> growth;
};
static_assert(sizeof(stake_row) == 160);

struct programme_row {
    std::array<std::uint64_t, 2> header;
    perdure_id key;
    std::array<char, 32> name;
    std::uint32_t asset;
    std::uint32_t method;
    std::uint32_t state;
    std::uint32_t funding;
    std::uint64_t apy_ppb;
    std::array<std::uint64_t, 2> growth;
    std::uint64_t period_ns;
    std::uint64_t year_ns;
    std::uint64_t closed_ns;
    std::array<std::uint64_t, 10> rest;
};
static_assert(sizeof(programme_row) == 208);
constexpr std::uint32_t closed = 2;

constexpr std::uint32_t unknown_stake = 82;

/// The host has checked the configuration by plugin.toml; it has no spaces.
std::uint64_t number_of(std::string_view json, std::string_view key) {
    const std::size_t at = json.find(key);
    if (at == std::string_view::npos) throw std::runtime_error("no " + std::string(key));
    return std::strtoull(std::string(json.substr(at + key.size(), 20)).c_str(), nullptr, 10);
}

/// A payout to be made, or the word that it cannot be.
struct turn {
    perdure_id stake;
    perdure_id programme;
    std::uint64_t from;
    std::uint64_t to;
    std::uint64_t refused_to;
    std::uint32_t why = 0;  ///< 0: it is paid.
};

class yield : public perdure::plugin<yield> {
  public:
    void configure(std::string_view json, bool is_dry) {
        const std::uint64_t batch = number_of(json, "\"batch\":");
        const std::uint64_t share = number_of(json, "\"share\":");
        if (is_dry) return;
        batch_ = batch;
        share_ = share;
    }

    perdure::status on_tick(const perdure_tick& tick) {
        if (tick.window != window_) begin();
        window_ = none;  // Whatever throws: the next call looks at all stakes again.
        position_ = tick.done;
        std::uint64_t seen = 0;
        bool is_through = false;
        while (seen < share_ && !is_through) {
            const auto rows = host().read().rows<stake_row>("stakes", next_, 256);
            is_through = rows.empty();
            seen += rows.size();
            for (const stake_row& row : rows) look_at(row, tick.to_ns);
        }
        commit();
        if (!is_through) {
            window_ = tick.window;
            return perdure::status::again;
        }
        host().metrics().add("windows");
        return perdure::status::ok;
    }

  private:
    /// Attempts that a programme's treasury may fail before the others are only told of.
    static constexpr std::uint32_t failures_max = 16;
    static constexpr std::uint64_t none = ~std::uint64_t{0};

    struct programme {
        std::uint64_t period_ns = 0;  ///< 0: it is gone.
        std::uint64_t closed_ns = ~std::uint64_t{0};
        std::uint32_t failures = 0;
        std::uint32_t why = 0;  ///< The last of them.
    };

    void begin() {
        next_ = 0;
        programmes_.clear();
        turns_.clear();
    }

    programme& programme_of(const perdure_id& key) {
        const auto [at, is_new] = programmes_.try_emplace({key.high, key.low});
        if (!is_new) return at->second;
        if (const auto row = host().read().find<programme_row>("programmes", key)) {
            at->second.period_ns = row->period_ns;
            if (row->state == closed) at->second.closed_ns = row->closed_ns;
        }
        return at->second;
    }

    /// Periods that have ended by `now_ns`; of a closed programme those that had begun.
    static std::uint64_t ended(const programme& of, const stake_row& row, std::uint64_t now_ns) {
        if (of.period_ns == 0 || now_ns <= row.since_ns) return 0;
        const std::uint64_t all = (now_ns - row.since_ns) / of.period_ns;
        if (of.closed_ns == ~std::uint64_t{0}) return all;
        if (of.closed_ns <= row.since_ns) return 0;
        return std::min(all, (of.closed_ns - row.since_ns - 1) / of.period_ns + 1);
    }

    void look_at(const stake_row& row, std::uint64_t now_ns) {
        const programme& of = programme_of(row.programme);
        const std::uint64_t to = ended(of, row, now_ns);
        if (to <= row.periods_paid) return;
        turn made{row.key, row.programme, row.periods_paid, to, row.refused_to, 0};
        if (of.failures >= failures_max) {
            if (to <= row.refused_to) return;
            made.why = of.why;
        }
        turns_.push_back(made);
        if (turns_.size() == batch_) commit();
    }

    /// Until all turns are committed, told of or found to be others' business.
    void commit() {
        while (!turns_.empty()) {
            perdure::batch all(host());
            for (const turn& each : turns_) {
                if (each.why == 0) {
                    all.pay_stake(each.stake, each.from, each.to);
                } else {
                    all.refuse_stake(each.stake, each.to, each.why);
                }
            }
            perdure_receipt receipt{};
            const auto answer = all.try_commit(position_, receipt);
            if (answer == perdure::status::ok) {
                ++position_;
                turns_.clear();
                return;
            }
            if (receipt.refused >= turns_.size()) throw perdure::refused(answer, "commit");
            turn_down(receipt.refused, static_cast<std::uint32_t>(answer));
        }
    }

    void turn_down(std::uint64_t which, std::uint32_t why) {
        turn& at = turns_[which];
        // Somebody else has paid it, or it is gone: then it is nobody's turn.
        const bool is_over = why == PERDURE_OUT_OF_STEP || why == unknown_stake || at.why != 0;
        if (!is_over) {
            programme& of = programme_of(at.programme);
            ++of.failures;
            of.why = why;
            at.why = why;
            host().metrics().add("refused");
        }
        if (is_over || at.to <= at.refused_to) {
            turns_.erase(turns_.begin() + static_cast<std::ptrdiff_t>(which));
        }
    }

    std::uint64_t batch_ = 64;
    std::uint64_t share_ = 20'000;
    std::uint64_t window_ = none;  // That the next call may go on with.
    std::uint64_t next_ = 0;       // Row to go on with.
    std::uint64_t position_ = 0;
    std::map<std::pair<std::uint64_t, std::uint64_t>, programme> programmes_;
    std::vector<turn> turns_;
};

}  // namespace

PERDURE_EXPORT_PLUGIN(yield)
