// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever random transactions on tables, their hash index and their ordered indexes a
// process was in the middle of when it was killed, the rows are those of a naive model after a
// prefix of its transactions, and every index holds just them. RapidCheck draws the work and the
// deaths; RC_PARAMS="seed=..." replays a failure.
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/crash/lives.hpp>
#include <perdure/tests/crash/stage.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <perdure/tests/shm/ranks.hpp>
#include <perdure/tests/torture.hpp>
#include <set>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

struct operation {
    enum kind { add_one, rescore, remove, open, mark, close } what;
    std::uint32_t pick;
    std::int64_t score;
};
using batch = std::vector<operation>;

/// One process: its transactions, and the crash point's hit at which it dies, if it comes so far.
struct life {
    std::vector<batch> work;
    std::uint64_t death;
};

struct model {
    std::map<std::uint32_t, std::int64_t> scores;  ///< Ranks by their mark.
    std::map<std::uint64_t, std::uint32_t> marks;  ///< Accounts by their number.
    std::uint32_t next = 1;                        ///< Mark of the next rank.

    template <class Map>
    static auto pick(Map& from, std::uint32_t which) {
        return std::next(from.begin(), static_cast<long>(which % from.size()));
    }

    void apply(const operation& op) {
        switch (op.what) {
            case operation::add_one: scores[next++] = op.score; break;
            case operation::rescore:
                if (!scores.empty()) pick(scores, op.pick)->second = op.score;
                break;
            case operation::remove:
                if (!scores.empty()) scores.erase(pick(scores, op.pick));
                break;
            case operation::open: marks.try_emplace(op.pick % 500, 0U); break;
            case operation::mark:
                if (!marks.empty()) pick(marks, op.pick)->second = op.pick;
                break;
            case operation::close:
                if (!marks.empty()) marks.erase(pick(marks, op.pick));
        }
    }
};

/// The engine's side of model::apply. `rows`: where each rank stands.
struct performer {
    bank in;
    ranks all;
    model now;
    std::map<std::uint32_t, std::uint64_t> rows;

    result<> perform(transaction& tx, const operation& op) {
        if (op.what == operation::add_one) {
            const auto row = PERDURE_TRY(add_rank(tx, all, 1, op.score));
            PERDURE_TRY(tx.edit<rank_row>(all.table, row))->mark = now.next;
            rows[now.next] = row;
        } else if (op.what == operation::open) {
            const auto number = op.pick % 500;
            if (now.marks.contains(number)) return {};
            const auto taken = PERDURE_TRY(insert_key(tx, in.accounts, key_of(number)));
            reinterpret_cast<account_row*>(taken.copy)->group = 1;
        } else if (op.what == operation::rescore || op.what == operation::remove) {
            if (now.scores.empty()) return {};
            const auto row = rows.at(model::pick(now.scores, op.pick)->first);
            if (op.what == operation::remove) return free_row(tx, all.table, row);
            auto* copy = PERDURE_TRY(tx.edit<rank_row>(all.table, row));
            copy->score = op.score;
            copy->name = name_of(op.score);
        } else if (!now.marks.empty()) {
            const auto key = key_of(model::pick(now.marks, op.pick)->first);
            if (op.what == operation::close) return erase_key(tx, in.accounts, key);
            PERDURE_TRY(edit_key<account_row>(tx, in.accounts, key))->mark = op.pick;
        }
        return {};
    }
};

region_options options_here() {
    auto options = small_options();
    options.undo_bytes = 64 << 10;
    options.ring_bytes = 1 << 20;
    options.capacity_bytes = 48 << 20;
    return options;
}

class world_of_lives {
  public:
    world_of_lives()
        : memory_(options_here().capacity_bytes),
          where_(region::over(memory_.span(), options_here())) {
        auto first = session::join(where_, nullptr).value();
        in_ = make_bank(first);
        all_ = ranks::make(first);
        drain();
    }

    model expected;
    std::uint64_t deaths = 0;

    /// Lives it, repairs, and answers the first fault.
    std::string live(const life& one) {
        if (in_child([&] { return be(one); }) == ending::failed) return "a child failed";
        sweep(where_);
        const auto committed = drain();
        for (std::size_t i = 0; i < committed.size(); ++i) {
            if (committed[i] != i || i >= one.work.size()) return "no prefix was committed";
            for (const auto& op : one.work[i]) expected.apply(op);
        }
        if (committed.size() < one.work.size()) ++deaths;
        return compare();
    }

    [[nodiscard]] std::string faults() {
        const auto found = audit(where_);
        return found.empty() ? std::string() : found.front();
    }

  private:
    /// The life, in its own process; false when an answer was not the model's.
    bool be(const life& one) {
        auto where = region::view(memory_.span());
        auto self = session::join(where, nullptr).value();
        performer by{in_, all_, expected, rows()};
        arm({.point = {}, .hit = one.death});
        for (std::uint64_t i = 0; i < one.work.size(); ++i) {
            performer after = by;
            const auto paid = self.write([&](transaction& tx) -> result<> {
                after = by;
                for (const auto& op : one.work[i]) {
                    PERDURE_TRY(after.perform(tx, op));
                    after.now.apply(op);
                }
                tx.event(7, 1, std::as_bytes(std::span(&i, 1)));
                return {};
            });
            if (!paid) return false;
            by = std::move(after);
        }
        return true;
    }

    /// What the ring holds: numbers of the batches that were committed.
    std::vector<std::uint64_t> drain() {
        std::vector<record_bytes> records;
        BOOST_REQUIRE(drain_ring(where_, records).empty());
        std::vector<std::uint64_t> found;
        for (const auto& record : records) {
            constexpr std::size_t front = sizeof(record_header) + sizeof(transaction_header);
            if (record.size() < front + sizeof(event_header) + 8) continue;
            transaction_header header;
            std::memcpy(&header, record.data() + sizeof(record_header), sizeof header);
            if (header.events == 0) continue;
            std::uint64_t number = 0;
            std::memcpy(&number, record.data() + front + sizeof(event_header), sizeof number);
            found.push_back(number);
        }
        return found;
    }

    [[nodiscard]] std::map<std::uint32_t, std::uint64_t> rows() const {
        std::map<std::uint32_t, std::uint64_t> found;
        const auto high = where_.descriptor(all_.table).row_high;
        for (std::uint64_t row = 0; row < high; ++row) {
            const auto at = locate(where_, all_.table, row);
            if (at == 0 || where_.at<rank_row>(at)->header.live != 1) continue;
            found[where_.at<rank_row>(at)->mark] = row;
        }
        return found;
    }

    std::string compare() {
        std::map<std::uint32_t, std::int64_t> scores;
        for (const auto& [mark, row] : rows()) {
            scores[mark] = where_.at<rank_row>(locate(where_, all_.table, row))->score;
        }
        if (scores != expected.scores) return "the ranks are not the model's";
        std::multiset<std::int64_t> sorted;
        for (const auto& each : expected.scores) sorted.insert(each.second);
        view in(where_);
        scan<view> walk(in, all_.by_score, key_prefix().lowest(), key_prefix().highest());
        for (const auto score : sorted) {
            const auto more = walk.next();
            if (!more || !*more) return "the order ends too early";
            if (in.get<rank_row>(all_.table, walk.row()).value().score != score) {
                return "the order is not the model's";
            }
        }
        if (walk.next().value()) return "the order holds more than the model";
        for (std::uint64_t number = 0; number < 500; ++number) {
            const auto found = get_key<account_row>(in, in_.accounts, key_of(number));
            const auto wanted = expected.marks.find(number);
            const bool same = wanted == expected.marks.end()
                                  ? !found && found.error() == errc::not_found
                                  : found && found->mark == wanted->second;
            if (!same) return "account " + std::to_string(number) + " is not the model's";
        }
        return {};
    }

    shared_bytes memory_;
    region where_;
    bank in_;
    ranks all_;
};

rc::Gen<operation> any_operation() {
    return rc::gen::map(rc::gen::tuple(rc::gen::inRange(0, 12), rc::gen::arbitrary<std::uint32_t>(),
                                       rc::gen::inRange<std::int64_t>(-1000, 1000)),
                        [](const auto& t) {
                            static constexpr operation::kind kinds[] = {
                                operation::add_one, operation::add_one, operation::add_one,
                                operation::rescore, operation::rescore, operation::rescore,
                                operation::remove,  operation::remove,  operation::open,
                                operation::open,    operation::mark,    operation::close};
                            return operation{kinds[std::get<0>(t)], std::get<1>(t), std::get<2>(t)};
                        });
}

rc::Gen<life> any_life() {
    const auto one = rc::gen::container<batch>(any_operation());
    return rc::gen::construct<life>(rc::gen::container<std::vector<batch>>(one),
                                    // Often in the middle of its work, and sometimes never.
                                    rc::gen::inRange<std::uint64_t>(1, 1200));
}

BOOST_AUTO_TEST_CASE(a_killed_process_leaves_a_prefix_of_its_transactions) {
    const bool long_run = is_torture();
    check_lives<world_of_lives>(
        "tables and indexes under deaths, against a model",
        {long_run ? 400 : 6, long_run ? 5000U : 50U, long_run ? 1'000'000U : 5000U},
        [](auto&) { return rc::gen::scale(0.3, any_life()); }, operations_in_batches<life>);
}

}  // namespace
