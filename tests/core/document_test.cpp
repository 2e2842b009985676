// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/document.hpp: against a model in random order; each refusal with nothing changed;
// one value or another for readers beside writers; the same state_hash after a recovery.
#include <rapidcheck.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/tests/core/scene.hpp>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::tests;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

/// JSON of about that length, another for each `which`.
std::string json_of(std::size_t bytes, std::uint64_t which) {
    std::string text = "{\"n\":" + std::to_string(which) + ",\"text\":\"";
    while (text.size() + 2 < bytes) text += static_cast<char>('a' + (which + text.size()) % 26);
    return text + "\"}";
}

struct kept_documents {
    scene stage;
    std::optional<world> in{stage.open()};
    std::optional<session> by{in->join()};

    const documents& all() const { return in->documents(); }
    void reopen() {
        by.reset();
        in.reset();
        in.emplace(stage.open());
        by.emplace(in->join());
    }
    result<std::uint64_t> put(const document_name& which, std::string_view text,
                              const document_change& change = {},
                              document_kind kind = document_kind::json) {
        const auto answer = all().put(*by, which, {kind, bytes_of(text)}, change);
        if (!answer) return answer.error();
        return answer->version;
    }
    result<std::string> get(const document_name& which, std::uint64_t version = 0) {
        return by->read([&](view& seen) { return all().get(seen, which, version); });
    }
    result<document_head> head(const document_name& which) {
        return by->read([&](view& seen) { return all().head(seen, which); });
    }
    result<std::vector<document_step>> history(const document_name& which) {
        return by->read([&](view& seen) { return all().history(seen, which); });
    }
    result<> erase(const document_name& which) {
        const auto paid = by->write([&](tx& now) { return all().erase(now, which); });
        return paid ? result<>() : paid.error();
    }
    result<> limit(const document_name& which, const document_limits& limits) {
        const auto paid = by->write([&](tx& now) { return all().limit(now, which, limits); });
        return paid ? result<>() : paid.error();
    }
    void sweep() {
        while (all().blobs().sweep(*by, shm::deadline::in(std::chrono::seconds(5))).value()) {
        }
    }
    verdict verify() { return in->verify(*by); }
};

constexpr document_name gold_market{"markets", "gold"};

BOOST_AUTO_TEST_CASE(a_document_has_versions_states_and_a_history) {
    kept_documents with;
    document_change open;
    open.expect_version = 0;
    open.to_state = "open";
    open.actor = player(3);
    open.reason = 7;
    BOOST_TEST(with.put(gold_market, R"({"price":1})", open).value() == 1U);
    document_change close;
    close.from_state = "open";
    close.to_state = "closed";
    BOOST_TEST(with.put(gold_market, R"({"price":2})", close).value() == 2U);
    BOOST_TEST(with.get(gold_market).value() == R"({"price":2})");
    BOOST_TEST(with.get(gold_market, 1).value() == R"({"price":1})");
    BOOST_TEST(with.get(gold_market, 3).error() == errc::not_found);
    const auto head = with.head(gold_market).value();
    BOOST_TEST(head.state == "closed");
    BOOST_TEST(head.version == 2U);
    BOOST_TEST(head.bytes == 11U);
    const auto steps = with.history(gold_market).value();
    BOOST_TEST_REQUIRE(steps.size() == 2U);
    BOOST_TEST(steps[0].from_state.empty());
    BOOST_TEST(steps[0].to_state == "open");
    BOOST_TEST((steps[0].actor == player(3)));
    BOOST_TEST(steps[0].reason == 7U);
    BOOST_TEST(steps[1].from_state == "open");
    BOOST_TEST(steps[1].to_state == "closed");
    BOOST_TEST(steps[0].lsn < steps[1].lsn);
    BOOST_TEST(with.erase(gold_market).has_value());
    BOOST_TEST(with.get(gold_market).error() == errc::not_found);
    BOOST_TEST(with.erase(gold_market).error() == errc::not_found);
    BOOST_TEST(with.verify().problems.empty());
}

BOOST_AUTO_TEST_CASE(a_refused_put_changes_nothing) {
    kept_documents with;
    document_change first;
    first.to_state = "open";
    first.limits = {4, 100};
    BOOST_TEST(with.put(gold_market, "{}", first).has_value());
    const auto before = with.verify().image_hash;
    const auto refuses = [&](errc why, std::string_view text, const document_change& change,
                             const document_name& which = gold_market,
                             document_kind kind = document_kind::json) {
        BOOST_TEST(with.put(which, text, change, kind).error() == why);
    };
    document_change change;
    change.expect_version = 2;
    refuses(errc::version_conflict, "{}", change);
    change.expect_version = 0;
    refuses(errc::version_conflict, "{}", change);
    change = {};
    change.from_state = "closed";
    refuses(errc::wrong_state, "{}", change);
    refuses(errc::wrong_state, "{}", change, {"markets", "silver"});
    refuses(errc::value_too_large, json_of(101, 1), {});
    refuses(errc::not_json, "{", {});
    refuses(errc::not_json, "", {});
    refuses(errc::not_json, "{} {}", {});
    refuses(errc::not_json, "\"\xff\"", {});
    refuses(errc::not_json, std::string(100, '['), {});
    refuses(errc::wrong_kind, "{}", {}, gold_market, document_kind::binary);
    for (const std::string_view name : {"", ".hidden", "a/b", "a b", "..", "n\n"}) {
        refuses(errc::bad_name, "{}", {}, {"markets", name});
        refuses(errc::bad_name, "{}", {}, {name, "gold"});
    }
    refuses(errc::bad_name, "{}", {}, {"markets", std::string(65, 'n')});
    refuses(errc::bad_name, "{}", {}, {std::string(33, 'n'), "gold"});
    change = {};
    change.limits.versions = 65;
    refuses(errc::bad_limit, "{}", change);
    change.limits.versions = 0;
    refuses(errc::bad_limit, "{}", change);
    BOOST_TEST(with.limit(gold_market, {0, 10}).error() == errc::bad_limit);
    BOOST_TEST(with.verify().image_hash == before);
}

BOOST_AUTO_TEST_CASE(two_names_of_one_hash_are_refused) {
    kept_documents with;
    BOOST_TEST(with.put(gold_market, "{}").has_value());
    // No such pair is known: the row is given another name by hand.
    auto& where = with.in->region();
    const auto table = with.all().numbers().documents;
    where.at<document_row>(shm::locate(where, table, 0))->name_front[0] = 'h';
    BOOST_TEST(with.put(gold_market, "{}").error() == errc::name_taken);
    BOOST_TEST(with.get(gold_market).error() == errc::not_found);
    BOOST_TEST(with.erase(gold_market).error() == errc::not_found);
}

BOOST_AUTO_TEST_CASE(names_are_told_apart_to_their_last_byte) {
    kept_documents with;
    const std::string front(32, 'x');
    const std::array<std::string, 5> names{"x", front, front + "y", front + front,
                                           front + std::string(31, 'x') + "z"};
    for (const auto& name : names) {
        BOOST_TEST(with.put({"c", name}, "\"" + name + "\"").has_value());
    }
    const auto heads = with.all().list(*with.by, "c").value();
    BOOST_TEST_REQUIRE(heads.size() == names.size());
    for (const auto& name : names) {
        BOOST_TEST(with.get({"c", name}).value() == "\"" + name + "\"");
        const auto listed = std::count_if(heads.begin(), heads.end(),
                                          [&](const auto& each) { return each.name == name; });
        BOOST_TEST(listed == 1);
    }
}

using model = std::map<std::string, std::vector<std::string>>;  // All versions since creation.

BOOST_AUTO_TEST_CASE(documents_are_what_a_map_of_lists_would_be) {
    kept_documents with;
    int run = 0;
    const bool holds = rc::check([&] {
        const std::string set = "set" + std::to_string(run++);
        model wanted;
        std::map<std::string, std::size_t> kept;
        const int count = *rc::gen::inRange(1, 30);
        for (int i = 0; i < count; ++i) {
            const auto name = *rc::gen::element<std::string>("a", "b", "c");
            const document_name which{set, name};
            const auto what = *rc::gen::inRange(0, 10);
            if (what == 0) {
                RC_ASSERT(with.erase(which).has_value() == (wanted.erase(name) == 1));
            } else if (what == 1) {
                const auto versions = *rc::gen::inRange<std::uint32_t>(1, 6);
                const auto done = with.limit(which, {versions, shm::blob_bytes_max});
                RC_ASSERT(done.has_value() == wanted.contains(name));
                if (done) kept[name] = versions;
            } else {
                const auto bytes = *rc::gen::element<std::size_t>(2, 900, 1000, 2048, 9000, 70'000);
                const auto text = json_of(bytes, static_cast<std::uint64_t>(i));
                if (!wanted.contains(name)) kept[name] = 8;
                wanted[name].push_back(text);
                RC_ASSERT(with.put(which, text).value() == wanted[name].size());
            }
            if (what == 2) with.sweep();
        }
        const auto check = [&] {
            RC_ASSERT(with.all().list(*with.by, set).value().size() == wanted.size());
            for (const auto& [name, versions] : wanted) {
                const document_name which{set, name};
                const auto head = with.head(which).value();
                RC_ASSERT(head.version == versions.size());
                // A limit that was raised does not bring anything back.
                RC_ASSERT(head.version - head.oldest < kept[name]);
                for (auto version = head.oldest; version <= head.version; ++version) {
                    RC_ASSERT(with.get(which, version).value() == versions[version - 1]);
                }
                if (head.oldest > 1) {
                    RC_ASSERT(with.get(which, head.oldest - 1).error() == errc::not_found);
                }
            }
            RC_ASSERT(with.verify().problems.empty());
        };
        check();
        const auto hash = with.verify().state_hash;
        with.sweep();
        RC_ASSERT(with.verify().state_hash == hash);
        check();
        for (const auto& [name, versions] : wanted) RC_ASSERT(with.erase({set, name}).has_value());
        with.sweep();
    });
    BOOST_TEST(holds);
}

BOOST_AUTO_TEST_CASE(many_are_saved_and_loaded_at_once) {
    kept_documents with;
    std::vector<std::string> names;
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < 300; ++i) {
        names.push_back("m" + std::to_string(1000 + i));
        texts.push_back(json_of(i == 7 ? 100'000 : 10 + i * 9, i));
    }
    std::vector<document_entry> all;
    for (std::size_t i = 0; i < names.size(); ++i) {
        all.push_back({names[i], {document_kind::json, bytes_of(texts[i])}});
    }
    BOOST_TEST(with.put({"others", "x"}, "[]").has_value());
    for (int round = 1; round <= 2; ++round) {
        BOOST_TEST(with.all().save(*with.by, "markets", all).has_value());
        const auto loaded = with.all().load(*with.by, "markets").value();
        BOOST_TEST_REQUIRE(loaded.size() == names.size());
        for (std::size_t i = 0; i < names.size(); ++i) {
            BOOST_TEST((loaded[i].head.name == names[i]));
            BOOST_TEST((loaded[i].value == texts[i]));
            BOOST_TEST((loaded[i].head.version == static_cast<std::uint64_t>(round)));
        }
    }
    BOOST_TEST(with.all().list(*with.by, "").value().size() == 301U);
    saving atomic;
    atomic.atomic = true;
    BOOST_TEST(with.all().save(*with.by, "markets", all, atomic).error() ==
               errc::transaction_too_large);
    const auto lsn = with.in->status().last_lsn;
    BOOST_TEST(with.all().save(*with.by, "few", std::span(all).first(5), atomic).has_value());
    BOOST_TEST(with.all().load(*with.by, "few").value().size() == 5U);
    BOOST_TEST(with.in->status().last_lsn <= lsn + 2);
    all[3].value.bytes = bytes_of("{");
    BOOST_TEST(with.all().save(*with.by, "bad", all).error() == errc::not_json);
    BOOST_TEST(with.all().load(*with.by, "bad").value().empty());
    BOOST_TEST(with.verify().problems.empty());
}

BOOST_AUTO_TEST_CASE(a_long_batch_is_refused_for_its_first_fault_and_leaves_nothing) {
    kept_documents with;
    std::vector<std::string> names;
    for (int i = 0; i < 3000; ++i) names.push_back("m" + std::to_string(i));
    const auto text = json_of(2000, 1);
    std::vector<document_entry> all;
    for (const auto& name : names) all.push_back({name, {document_kind::json, bytes_of(text)}});
    BOOST_TEST(with.all().save(*with.by, "long", all).has_value());
    for (int turn = 0; turn < 20; ++turn) {
        auto bad = all;
        bad[700 + turn * 100].name = ".hidden";
        bad[701 + turn * 100].value.bytes = bytes_of("{");
        bad[2990].value.bytes = bytes_of("[");
        BOOST_TEST(with.all().save(*with.by, "bad", bad).error() == errc::bad_name);
    }
    BOOST_TEST(with.all().load(*with.by, "bad").value().empty());
    BOOST_TEST(with.all().load(*with.by, "long").value().size() == 3000U);
}

BOOST_AUTO_TEST_CASE(a_recovered_world_has_the_same_documents) {
    kept_documents with;
    for (std::uint64_t i = 0; i < 40; ++i) {
        const auto name = "m" + std::to_string(i % 11);
        BOOST_TEST(with.put({"markets", name}, json_of(i * 700, i)).has_value());
    }
    BOOST_TEST(with.erase({"markets", "m4"}).has_value());
    BOOST_TEST(with.limit({"markets", "m5"}, {1, 1 << 20}).has_value());
    const auto paid = with.by->write([](tx& now) -> result<> {
        now.event(1, 1, {});
        return {};
    });
    BOOST_TEST(with.in->wait(*with.by, paid.value(), durability::durable).has_value());
    const auto before = with.verify();
    with.stage.delete_region();
    with.reopen();
    BOOST_TEST(with.in->opened().recovered);
    const auto after = with.verify();
    BOOST_TEST(after.state_hash == before.state_hash);
    BOOST_TEST(after.image_hash == before.image_hash);
    BOOST_TEST(after.problems.empty());
    with.sweep();
    BOOST_TEST(with.verify().state_hash == before.state_hash);
    BOOST_TEST(with.get({"markets", "m5"}).value() == json_of(38 * 700, 38));
}

BOOST_AUTO_TEST_CASE(readers_beside_two_writers_see_whole_versions) {
    kept_documents with;
    document_change few;
    few.limits.versions = 2;
    BOOST_TEST(with.put(gold_market, json_of(2000, 0), few).has_value());
    std::atomic<bool> over{false};
    std::atomic<int> wrong{0};
    std::atomic<int> seen{0};
    std::atomic<int> refused{0};
    const auto write = [&](std::uint64_t which) {
        auto by = with.in->join();
        for (std::uint64_t i = 0; i < 600; ++i) {
            const auto text = json_of(500 + (i * 3 + which) % 7 * 900, i * 2 + which);
            const auto paid =
                with.all().put(by, gold_market, {document_kind::json, bytes_of(text)}, {});
            if (!paid) ++refused;
        }
    };
    std::thread reader([&] {
        auto by = with.in->join();
        while (!over) {
            const auto text = by.read([&](view& now) { return with.all().get(now, gold_market); });
            if (!text) continue;
            const auto number = std::strtoull(text->c_str() + 5, nullptr, 10);
            if (*text != json_of(text->size(), number)) ++wrong;
            ++seen;
        }
    });
    std::thread first(write, 0);
    write(1);
    first.join();
    over = true;
    reader.join();
    BOOST_TEST(wrong == 0);
    BOOST_TEST(refused == 0);
    BOOST_TEST(seen > 0);
    BOOST_TEST(with.head(gold_market).value().version == 1201U);
    BOOST_TEST(with.verify().problems.empty());
}

BOOST_AUTO_TEST_CASE(the_keeper_frees_what_a_long_value_left) {
    kept_documents with;
    document_change one;
    one.limits.versions = 1;
    BOOST_TEST(with.put(gold_market, json_of(300'000, 1), one).has_value());
    BOOST_TEST(with.put(gold_market, "{}").has_value());
    auto& where = with.in->region();
    BOOST_TEST(with.all().blobs().has_leftovers(where));
    std::atomic<bool> stop{false};
    std::thread keeper([&] { with.in->keep([&] { return stop.load(); }); });
    BOOST_TEST(eventually([&] { return !with.all().blobs().has_leftovers(where); }));
    stop = true;
    keeper.join();
    BOOST_TEST(with.verify().problems.empty());
    BOOST_TEST(with.get(gold_market).value() == "{}");
}

}  // namespace
