// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/blob.hpp. Against a map of strings, in random order and with every length that is
// special; then what no single participant sees: readers beside writers, stagers that go away.
#include <rapidcheck.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/tests/print_errc.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <perdure/tests/shm/papers.hpp>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

region_options roomy_options() {
    auto options = small_options();
    options.capacity_bytes = 96U << 20;
    options.undo_bytes = 128U << 10;
    options.ring_bytes = 1U << 20;
    return options;
}

struct library : open_bank {
    papers shelf;

    explicit library(const region_options& options = roomy_options())
        : open_bank(0, options), shelf(papers::make(self)) {}

    result<std::string> text_at(const row_key& key) {
        return self.read([&](view& seen) { return shelf.get(seen, key); });
    }
    void put(const row_key& key, std::string_view text) {
        const auto paid = self.write([&](transaction& tx) { return shelf.put(tx, key, text); });
        BOOST_TEST_REQUIRE(paid.has_value());
    }
    [[nodiscard]] std::uint64_t live_chunks() const {
        std::uint64_t live = 0;
        for (std::uint64_t row = 0; row < where.descriptor(shelf.heap).row_high; ++row) {
            const auto at = locate(where, shelf.heap, row);
            live += at != 0 && where.at<row_header>(at)->live == 1 ? 1 : 0;
        }
        return live;
    }
};

constexpr row_key key(std::uint64_t number) { return {number, 7}; }

void check_against(library& with, const std::map<std::uint64_t, std::string>& model) {
    for (std::uint64_t number = 0; number < 6; ++number) {
        const auto found = with.text_at(key(number));
        const auto wanted = model.find(number);
        RC_ASSERT(found.has_value() == (wanted != model.end()));
        if (found) RC_ASSERT(*found == wanted->second);
    }
    RC_ASSERT(with.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_heap_of_blobs_is_a_map_of_strings) {
    const bool holds = rc::check([] {
        library with;
        const std::uint64_t direct = blob_direct_max(with.where);
        std::map<std::uint64_t, std::string> model;
        const int count = *rc::gen::inRange(1, 25);
        for (int i = 0; i < count; ++i) {
            const auto number = *rc::gen::inRange<std::uint64_t>(0, 6);
            const auto bytes = *rc::gen::oneOf(
                rc::gen::element<std::uint64_t>(0, 1, 999, 1000, 1001, 2048, direct - 1, direct,
                                                direct + 1, 3 * direct),
                rc::gen::inRange<std::uint64_t>(0, 9000));
            const auto text = text_of(bytes, static_cast<std::uint64_t>(i));
            const auto what = *rc::gen::inRange(0, 8);
            if (what == 0) {
                const auto erased = with.self.write(
                    [&](transaction& tx) { return with.shelf.erase(tx, key(number)); });
                RC_ASSERT(erased.has_value() == (model.erase(number) == 1));
            } else if (what == 1) {
                with.shelf.sweep_all(with.self);
            } else if (what == 2 && bytes <= direct) {
                // Refused after its work: nothing of it stays.
                const auto refused = with.self.write([&](transaction& tx) -> result<> {
                    PERDURE_TRY(with.shelf.put(tx, key(number), text));
                    if (PERDURE_TRY(with.shelf.get(tx, key(number))) != text) return errc::garbled;
                    return errc::bad_amount;
                });
                RC_ASSERT(refused.error() == errc::bad_amount);
            } else {
                RC_ASSERT(with.shelf.save(with.self, key(number), text).has_value());
                model[number] = text;
            }
            if (i % 5 == 4) check_against(with, model);
        }
        check_against(with, model);
        with.shelf.sweep_all(with.self);
        std::uint64_t chunks = 0;
        for (const auto& [number, text] : model) chunks += chunks_of(text.size());
        RC_ASSERT(with.live_chunks() == chunks);
        RC_ASSERT(with.faults() == "");
        RC_ASSERT(with.keeper.fault == "");
    });
    BOOST_TEST(holds);
}

BOOST_AUTO_TEST_CASE(sixteen_mebibytes_are_kept_and_one_more_is_refused) {
    library with;
    const auto large = text_of(blob_bytes_max, 3);
    BOOST_TEST_REQUIRE(with.shelf.save(with.self, key(1), large).has_value());
    BOOST_TEST((with.text_at(key(1)).value() == large));
    BOOST_TEST(with.live_chunks() == chunks_of(blob_bytes_max));
    const std::string longer(blob_bytes_max + 1, 'x');
    BOOST_TEST(with.shelf.save(with.self, key(1), longer).error() == errc::value_too_large);
    const auto refused = with.self.write([&](transaction& tx) {
        return with.shelf.put(tx, key(1), std::string(blob_direct_max(with.where) + 1, 'x'));
    });
    BOOST_TEST(refused.error() == errc::transaction_too_large);
    BOOST_TEST((with.text_at(key(1)).value() == large));
    // The long value makes way for a short one at once; its chunks go in steps.
    with.put(key(1), "short");
    BOOST_TEST(with.text_at(key(1)).value() == "short");
    BOOST_TEST(with.faults() == "");
    BOOST_TEST(with.shelf.sweep_all(with.self) > 100);
    BOOST_TEST(with.live_chunks() == 1U);
    BOOST_TEST(with.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_row_with_a_value_is_not_freed) {
    library with;
    with.put(key(1), text_of(3000, 1));
    const auto freed =
        with.self.write([&](transaction& tx) { return erase_key(tx, with.shelf.table, key(1)); });
    BOOST_TEST(freed.error() == errc::value_left);
    // Nor by a closure that does not mind.
    const auto paid = with.self.write([&](transaction& tx) -> result<> {
        static_cast<void>(erase_key(tx, with.shelf.table, key(1)));
        return {};
    });
    BOOST_TEST(paid.has_value());
    BOOST_TEST((with.text_at(key(1)).value() == text_of(3000, 1)));
    BOOST_TEST(with.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_staged_value_is_seen_when_it_is_adopted_and_only_once) {
    library with;
    with.put(key(1), "before");
    const auto text = text_of(100'000, 5);
    const auto bytes = std::as_bytes(std::span(text));
    const auto staged = with.shelf.blobs.stage(with.self, with.shelf.heap, bytes).value();
    BOOST_TEST(with.text_at(key(1)).value() == "before");
    const auto adopt = [&] {
        return with.self.write([&](transaction& tx) -> result<> {
            auto* row = PERDURE_TRY(with.shelf.edit(tx, key(1)));
            return with.shelf.blobs.adopt(tx, with.shelf.heap, staged, row->text);
        });
    };
    BOOST_TEST_REQUIRE(adopt().has_value());
    BOOST_TEST((with.text_at(key(1)).value() == text));
    BOOST_TEST(adopt().error() == errc::stale_row);
    BOOST_TEST((with.text_at(key(1)).value() == text));
    BOOST_TEST(with.faults() == "");
}

BOOST_AUTO_TEST_CASE(what_a_gone_stager_left_is_freed_and_what_a_living_one_has_is_not) {
    library with;
    const auto text = text_of(80'000, 5);
    const auto bytes = std::as_bytes(std::span(text));
    const auto mine = with.shelf.blobs.stage(with.self, with.shelf.heap, bytes).value();
    {
        auto other = session::join(with.where, &with.keeper).value();
        BOOST_TEST(with.shelf.blobs.stage(other, with.shelf.heap, bytes).has_value());
        BOOST_TEST(with.shelf.sweep_all(with.self) == 0);
        BOOST_TEST(with.live_chunks() == 160U);
    }
    BOOST_TEST(with.faults() == "");
    BOOST_TEST(with.shelf.sweep_all(with.self) > 1);
    BOOST_TEST(with.live_chunks() == 80U);
    BOOST_TEST(with.shelf.blobs.discard(with.self, mine).has_value());
    BOOST_TEST(with.shelf.sweep_all(with.self) > 1);
    BOOST_TEST(with.live_chunks() == 0U);
    BOOST_TEST(with.faults() == "");
}

BOOST_AUTO_TEST_CASE(readers_beside_two_writers_never_see_a_mixed_value) {
    library with;
    with.put(key(1), text_of(2500, 0));
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> mixed{0};
    std::atomic<std::uint64_t> seen{0};
    std::atomic<std::uint64_t> refused{0};
    constexpr int rounds = 3000;
    const std::array<std::size_t, 5> lengths{2500, 1000, 7001, 0, 12'000};
    const auto write = [&](std::uint64_t which) {
        auto self = session::join(with.where, nullptr).value();
        for (std::uint64_t i = 0; i < rounds; ++i) {
            const auto text = text_of(lengths[(i + which) % lengths.size()], i);
            const auto paid = self.write(
                [&](transaction& tx) { return with.shelf.put(tx, key(1 + i % 2), text); },
                deadline::in(std::chrono::seconds(60)));
            if (!paid) ++refused;
            if (i % 16 == which) static_cast<void>(with.shelf.sweep_all(self));
        }
    };
    const auto is_one_of_them = [&](const std::string& text) {
        for (std::uint64_t which = 0; which < 26; ++which) {
            if (text == text_of(text.size(), which)) return true;
        }
        return false;
    };
    const auto read = [&] {
        auto self = session::join(with.where, nullptr).value();
        while (!over) {
            const auto text = self.read([&](view& in) { return with.shelf.get(in, key(1)); });
            if (!text) continue;
            const bool known =
                std::find(lengths.begin(), lengths.end(), text->size()) != lengths.end();
            if (!known || !is_one_of_them(*text)) ++mixed;
            ++seen;
        }
    };
    // The ring is emptied beside them: nobody helps who has a reader's session.
    std::thread drain([&] {
        while (!over) {
            static_cast<void>(with.keeper.help(with.where));
            with.keeper.journal.clear();
        }
    });
    std::thread reader(read);
    std::thread first(write, 0);
    write(1);
    first.join();
    over = true;
    reader.join();
    drain.join();
    BOOST_TEST(mixed == 0U);
    BOOST_TEST(seen > 0U);
    BOOST_TEST(refused == 0U);
    BOOST_TEST(with.keeper.help(with.where).has_value());
    BOOST_TEST(with.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_chain_that_leads_nowhere_is_called_garbled) {
    library with;
    with.put(key(1), text_of(3000, 1));
    const auto row =
        with.self.read([&](view& in) { return get_key<paper_row>(in, with.shelf.table, key(1)); })
            .value();
    auto& chunk =
        *with.where.at<blob_chunk>(locate(with.where, with.shelf.heap, row.text.first - 1));
    const auto next = chunk.next;
    for (const std::uint64_t wrong : {0UL, 1UL << 47, ~0UL}) {
        chunk.next = wrong;
        BOOST_TEST(with.text_at(key(1)).error() == errc::garbled);
        BOOST_TEST(with.faults() != "");
    }
    chunk.next = next;
    BOOST_TEST(with.faults() == "");
}

}  // namespace
