// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/tree_index: an ordered index holds just the live rows of its table, in order,
// whatever a transaction did and however it ended (N1 to N5, checked by audit_trees after each
// batch); a scan sees its own transaction's rows, and no row comes into it unseen. Against a naive
// model, by random operations; RC_PARAMS="seed=..." replays one.
#include <rapidcheck.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/shm/loader.hpp>
#include <perdure/tests/print_errc.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <perdure/tests/shm/ranks.hpp>
#include <perdure/tests/torture.hpp>
#include <random>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

region_options roomy() {
    auto options = small_options();
    options.undo_bytes = 256 << 10;
    options.ring_bytes = 1 << 20;
    options.capacity_bytes = 256 << 20;
    return options;
}

struct rank {
    std::uint32_t group;
    std::int64_t score;
    friend bool operator==(const rank&, const rank&) = default;
};
using rank_model = std::map<std::uint64_t, rank>;  // By row number.

/// Rows between two bounds, as a naive reader finds them.
std::vector<std::uint64_t> between(const rank_model& all, std::uint32_t group, std::int64_t from,
                                   std::int64_t to) {
    std::vector<std::pair<std::int64_t, std::uint64_t>> found;
    for (const auto& [row, each] : all) {
        if (each.group == group && each.score >= from && each.score <= to) {
            found.emplace_back(each.score, row);
        }
    }
    std::sort(found.begin(), found.end());
    std::vector<std::uint64_t> rows;
    for (const auto& each : found) rows.push_back(each.second);
    return rows;
}

template <class Source>
result<std::vector<std::uint64_t>> rows_between(Source& in, const tree& by, std::uint32_t group,
                                                std::int64_t from, std::int64_t to,
                                                direction way = direction::ascending) {
    scan<Source> walk(in, by, key_prefix().add(std::uint64_t{group}).add(from).lowest(),
                      key_prefix().add(std::uint64_t{group}).add(to).highest(), way);
    std::vector<std::uint64_t> rows;
    while (PERDURE_TRY(walk.next())) rows.push_back(walk.row());
    return rows;
}

template <class Source>
result<std::vector<std::uint64_t>> rows_of(Source& in, const tree& by) {
    scan<Source> walk(in, by, key_prefix().lowest(), key_prefix().highest());
    std::vector<std::uint64_t> rows;
    while (PERDURE_TRY(walk.next())) rows.push_back(walk.row());
    return rows;
}

/// One change, the same for the table and for the model.
struct change {
    enum kind { add, rescore, regroup, erase } what;
    std::uint64_t pick;
    rank value;
};

result<> make(transaction& tx, const ranks& in, const change& what, rank_model& model) {
    if (what.what == change::add || model.empty()) {
        const auto row = PERDURE_TRY(add_rank(tx, in, what.value.group, what.value.score));
        model[row] = what.value;
        return {};
    }
    const auto at = std::next(model.begin(), static_cast<long>(what.pick % model.size()));
    if (what.what == change::erase) {
        PERDURE_TRY(free_row(tx, in.table, at->first));
        model.erase(at);
        return {};
    }
    auto* row = PERDURE_TRY(tx.edit<rank_row>(in.table, at->first));
    if (what.what == change::regroup) {
        row->group = at->second.group = what.value.group;
        return {};
    }
    row->score = at->second.score = what.value.score;
    row->name = name_of(row->score);
    return {};
}

rc::Gen<change> any_change(int erases) {
    return rc::gen::map(rc::gen::tuple(rc::gen::inRange(0, 10), rc::gen::arbitrary<std::uint64_t>(),
                                       rc::gen::inRange<std::uint32_t>(0, 3),
                                       rc::gen::oneOf(rc::gen::inRange<std::int64_t>(-50, 50),
                                                      rc::gen::arbitrary<std::int64_t>())),
                        [erases](const auto& t) {
                            const int dice = std::get<0>(t);
                            const auto what = dice < erases       ? change::erase
                                              : dice < erases + 2 ? change::rescore
                                              : dice < erases + 3 ? change::regroup
                                                                  : change::add;
                            return change{what, std::get<1>(t), {std::get<2>(t), std::get<3>(t)}};
                        });
}

struct open_ranks : open_bank {
    ranks all;
    rank_model model;
    open_ranks() : open_bank(0, roomy()), all(ranks::make(self)) {}

    /// A batch in one transaction, which is given up if `given_up`; then the index against the
    /// model.
    void run(const std::vector<change>& batch, bool given_up) {
        rank_model after;
        const auto paid = self.write([&](transaction& tx) -> result<> {
            after = model;
            for (std::size_t i = 0; i < batch.size(); ++i) {
                PERDURE_TRY(make(tx, all, batch[i], after));
                if (i % 7 == 3) PERDURE_TRY(compare_inside(tx, after, batch[i].value));
            }
            return given_up ? result<>(errc::insufficient_funds) : result<>();
        });
        if (!given_up) RC_ASSERT(paid.has_value());
        if (paid) model = after;
        compare(batch.empty() ? rank{0, 0} : batch.back().value);
    }

    result<> compare_inside(transaction& tx, const rank_model& now, const rank& about) const {
        const auto seen = PERDURE_TRY(rows_between(tx, all.by_group, about.group, about.score - 20,
                                                   std::max(about.score, about.score + 20)));
        RC_ASSERT(seen == between(now, about.group, about.score - 20,
                                  std::max(about.score, about.score + 20)));
        return {};
    }

    void compare(const rank& about) {
        const auto expected = between(model, about.group, -40, about.score);
        auto seen = self.read([&](view& from) {
            return rows_between(from, all.by_group, about.group, -40, about.score);
        });
        RC_ASSERT(seen.has_value());
        RC_ASSERT(*seen == expected);
        auto back = self.read([&](view& from) {
            return rows_between(from, all.by_group, about.group, -40, about.score,
                                direction::descending);
        });
        RC_ASSERT(back.has_value());
        std::reverse(back->begin(), back->end());
        RC_ASSERT(*back == expected);
    }
};

BOOST_AUTO_TEST_CASE(an_index_is_what_a_sorted_copy_of_the_rows_would_be) {
    const auto batches = static_cast<int>(turns(2500, 60));
    std::uint64_t operations = 0;
    const bool held = rc::check("ordered indexes against a model", [&] {
        open_ranks here;
        // Growing, then shrinking to nothing: splits first, merges afterwards.
        for (const int erases : {1, 7}) {
            const int turns = *rc::gen::inRange(1, batches);
            for (int i = 0; i < turns; ++i) {
                const auto batch = *rc::gen::container<std::vector<change>>(
                    static_cast<std::size_t>(*rc::gen::inRange(1, 12)), any_change(erases));
                here.run(batch, *rc::gen::inRange(0, 8) == 0);
                operations += batch.size();
            }
            RC_ASSERT(here.faults() == "");
        }
    });
    BOOST_TEST(held);
    BOOST_TEST_MESSAGE(operations << " operations");
}

/// Many rows by plain means: enough of them for three levels.
void fill(open_ranks& here, std::uint64_t rows, unsigned seed) {
    std::mt19937_64 random(seed);
    for (std::uint64_t i = 0; i < rows; i += 40) {
        std::vector<change> batch;
        for (int k = 0; k < 40; ++k) {
            batch.push_back({change::add,
                             0,
                             {static_cast<std::uint32_t>(random() % 3),
                              static_cast<std::int64_t>(random() % 100'000)}});
        }
        rank_model after;
        const auto paid = here.self.write([&](transaction& tx) -> result<> {
            after = here.model;
            for (const auto& each : batch) PERDURE_TRY(make(tx, here.all, each, after));
            return {};
        });
        BOOST_REQUIRE(paid.has_value());
        here.model = std::move(after);
    }
}

BOOST_AUTO_TEST_CASE(three_levels_grow_and_shrink_to_one_leaf) {
    open_ranks here;
    fill(here, 4000, 11);
    BOOST_TEST(here.faults() == "");
    const auto whole = here.self.read([&](view& from) { return rows_of(from, here.all.by_name); });
    BOOST_REQUIRE(whole.has_value());
    BOOST_TEST(whole->size() == here.model.size());
    while (!here.model.empty()) {
        const auto paid = here.self.write([&](transaction& tx) -> result<> {
            for (int i = 0; i < 20 && i < static_cast<int>(here.model.size()); ++i) {
                const auto at = std::next(here.model.begin(), i);
                PERDURE_TRY(free_row(tx, here.all.table, at->first));
            }
            return {};
        });
        BOOST_REQUIRE(paid.has_value());
        const auto last =
            std::next(here.model.begin(), std::min<long>(20, static_cast<long>(here.model.size())));
        here.model.erase(here.model.begin(), last);
        if (here.model.size() % 400 == 0) BOOST_REQUIRE(here.faults() == "");
    }
    BOOST_TEST(here.faults() == "");
    const auto& root =
        *here.where.at<tree_node>(locate(here.where, here.all.by_score.shape.nodes, 0));
    BOOST_TEST(root.level == 0U);
    BOOST_TEST(root.count == 0U);
}

BOOST_AUTO_TEST_CASE(ascending_keys_fill_their_nodes) {
    open_ranks here;
    for (std::int64_t i = 0; i < 3000; i += 30) {
        const auto paid = here.self.write([&](transaction& tx) -> result<> {
            for (std::int64_t k = i; k < i + 30; ++k) PERDURE_TRY(add_rank(tx, here.all, 1, k));
            return {};
        });
        BOOST_REQUIRE(paid.has_value());
    }
    BOOST_TEST(here.faults() == "");
    const auto& shape = here.all.by_score.shape;
    // 3000 entries of two words in nodes of 60: 50 full leaves, the inner ones, the root.
    BOOST_TEST(here.where.descriptor(shape.nodes).row_high >= 50U);
    std::size_t full = 0;
    for (std::uint64_t n = 1; n < 60; ++n) {
        const auto at = locate(here.where, shape.nodes, n);
        if (at == 0) continue;
        const seen_node node{here.where.at<tree_node>(at), shape.words};
        full += node.level() == 0 && node.is_full() ? 1 : 0;
    }
    BOOST_TEST(full >= 45U);
}

BOOST_AUTO_TEST_CASE(a_row_that_comes_into_a_range_makes_its_reader_run_again) {
    open_ranks here;
    fill(here, 400, 3);
    auto other = session::join(here.where, &here.keeper).value();
    int runs = 0;
    const auto paid = here.self.write([&](transaction& tx) -> result<> {
        const auto seen = PERDURE_TRY(rows_between(tx, here.all.by_group, 1, 10, 5000));
        if (++runs == 1) {
            const auto added = other.write([&](transaction& theirs) -> result<> {
                PERDURE_TRY(add_rank(theirs, here.all, 1, 4000));
                return {};
            });
            BOOST_REQUIRE(added.has_value());
        }
        // The decision rests on the number of rows seen.
        PERDURE_TRY(add_rank(tx, here.all, 2, static_cast<std::int64_t>(seen.size())));
        return {};
    });
    BOOST_REQUIRE(paid.has_value());
    BOOST_TEST(runs == 2);
    const auto now = here.self.read(
        [&](view& from) { return rows_between(from, here.all.by_group, 1, 10, 5000); });
    const auto told = here.self.read([&](view& from) {
        return rows_between(from, here.all.by_group, 2, static_cast<std::int64_t>(now->size()),
                            static_cast<std::int64_t>(now->size()));
    });
    BOOST_REQUIRE(told.has_value());
    BOOST_TEST(!told->empty());
}

BOOST_AUTO_TEST_CASE(readers_beside_writers_see_each_row_once) {
    open_ranks here;
    fill(here, 1000, 5);
    const std::size_t rows = here.model.size();
    std::atomic<bool> stop = false;
    std::atomic<int> faults = 0;
    const auto write = [&](unsigned seed) {
        auto self = session::join(here.where, &here.keeper).value();
        std::mt19937_64 random(seed);
        for (int i = 0; i < 4000; ++i) {
            // Rows wander through the whole order: nodes split and merge on their way.
            const auto row = random() % rows;
            const auto paid = self.write([&](transaction& tx) -> result<> {
                auto* copy = PERDURE_TRY(tx.edit<rank_row>(here.all.table, row));
                copy->score =
                    static_cast<std::int64_t>(i / 40 * 1000 + static_cast<int>(random() % 9));
                copy->name = name_of(copy->score);
                return {};
            });
            if (!paid) ++faults;
        }
    };
    std::thread reader([&] {
        auto self = session::join(here.where, &here.keeper).value();
        while (!stop) {
            const auto seen =
                self.read([&](view& from) { return rows_of(from, here.all.by_score); });
            if (!seen && seen.error() == errc::stalled) continue;
            if (!seen || seen->size() != rows) ++faults;
        }
    });
    std::thread first(write, 21);
    std::thread second(write, 22);
    first.join();
    second.join();
    stop = true;
    reader.join();
    BOOST_TEST(faults == 0);
    BOOST_TEST(here.faults() == "");
}

BOOST_AUTO_TEST_CASE(an_index_is_named_by_its_fields) {
    open_ranks here;
    BOOST_TEST(find_tree(here.where, here.all.table, {"score"}).value().shape.words == 2U);
    BOOST_TEST(find_tree(here.where, here.all.table, {"mark"}).error() == errc::not_found);
    BOOST_TEST(find_tree(here.where, here.all.table, {"height"}).error() == errc::not_found);
    BOOST_TEST(find_tree(here.where, 200, {"score"}).error() == errc::unknown_table);
}

BOOST_AUTO_TEST_CASE(a_rebuilt_region_has_its_indexes) {
    open_ranks here;
    fill(here, 2000, 8);
    BOOST_REQUIRE(here.keeper.help(here.where).has_value());
    shared_bytes memory(roomy().capacity_bytes);
    auto rebuilt = region::over(memory.span(), roomy());
    loader into(rebuilt);
    for (const auto& record : here.keeper.journal) BOOST_REQUIRE(into.apply(record).has_value());
    const auto in_turn = [](std::size_t count, const std::function<void(std::size_t)>& work) {
        for (std::size_t i = 0; i < count; ++i) work(i);
    };
    BOOST_REQUIRE(into.finish(in_turn).has_value());
    const auto found = audit(rebuilt);
    BOOST_TEST((found.empty() ? "" : found.front()) == "");
    view in(rebuilt);
    const auto rows = rows_between(in, here.all.by_group, 2, 100, 60'000);
    BOOST_REQUIRE(rows.has_value());
    BOOST_CHECK(*rows == between(here.model, 2, 100, 60'000));
}

}  // namespace
