// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints as documented and checkpoints as written are one: a second reader, in another
// language and from docs/formats/ alone, makes of the same real files the tables with the same two
// hashes, whichever checkpoint it begins with, also with one that was copied slice by slice while
// writers went on, and refuses damage.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <perdure/tests/core/scene.hpp>
#include <perdure/tests/independent/damage.hpp>
#include <perdure/tests/io/busy_calls.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint64_t players = 24;

struct second_opinion {
    int status;
    std::string words;
};

/// A world in which a bit of everything happens.
struct busy_scene : scene {
    busy<io::kernel_calls> calls;
    std::optional<world> in;
    std::optional<session> by;
    std::mt19937_64 random{7};
    receipt last;
    verdict then;

    explicit busy_scene(std::uint64_t shadow_bytes = 0) {
        auto how = options();
        how.shadow_bytes = shadow_bytes;
        how.ring_bytes = 1ULL << 20;
        how.calls = &calls;
        how.checkpoints.copy_bytes_max = 1;  // A run of pages, its section, the next run.
        in.emplace(world::open(directory(), how));
        by.emplace(in->join());
        last = found(*in, *by, players, 10'000);
        write([&](tx& now) -> result<> {
            const auto& books = in->books();
            PERDURE_TRY(books.open_account(now, "Überweisung", account_kind::market));
            PERDURE_TRY(books.create_asset(now, "sword", 0, treasury, unique));
            PERDURE_TRY(books.mint(now, treasury, treasury, gold, 5000));
            PERDURE_TRY(books.shard(now, treasury, gold, 4));
            return {};
        });
    }

    template <class Work>
    void write(Work&& work) {
        last = by->write([&](tx& now) -> result<> { return work(now); }).value();
    }
    std::uint64_t any(std::uint64_t below) { return random() % below; }
    std::string text(std::size_t bytes) {
        std::string made;
        while (made.size() < bytes) made += static_cast<char>(random());
        return made;
    }
    receipt put(session& me, std::string_view name, std::string_view value) {
        document_change change;
        change.limits.versions = 2;
        change.to_state = "open";
        const document_value what{document_kind::binary, std::as_bytes(std::span(value))};
        return in->documents().put(me, {"markets", name}, what, change).value().paid;
    }
    void put(std::string_view name, std::string_view value) { last = put(*by, name, value); }

    void work(int turns) {
        const auto& books = in->books();
        for (int i = 0; i < turns; ++i) {
            const auto from = any(players);
            const auto number = random();
            last =
                pay(*in, *by, from, (from + 1) % players, 1 + static_cast<amount>(any(9))).value();
            write([&](tx& now) -> result<> {
                PERDURE_TRY(books.once(now, {number, 1}));
                PERDURE_TRY(books.transfer(now, player(from), treasury, gold, 3));
                PERDURE_TRY(books.hold(now, {number, 2}, player(from), gold, 5));
                PERDURE_TRY(books.create_item(now, treasury, {asset_id::of("sword"), number},
                                              player(from)));
                return {};
            });
            if (i % 2 == 0) {
                write([&](tx& now) { return books.release(now, {number, 2}); });
            }
            put(std::to_string(any(6)), text(any(4) * any(1500)));
            if (i % 8 == 3) {
                const auto name = "gone" + std::to_string(i);
                put(name, text(2500));
                write([&](tx& now) { return in->documents().erase(now, {"markets", name}); });
            }
        }
    }
    std::uint64_t checkpoint(bool full) {
        BOOST_TEST_REQUIRE(in->checkpoint(full));
        return in->status().checkpoint.lsn;
    }
    /// Nobody is there any more, and all is on disk.
    void close() {
        BOOST_TEST_REQUIRE(in->wait(*by, last, durability::durable).has_value());
        then = in->verify(*by);
        BOOST_TEST_REQUIRE(then.sound);
        by.reset();
        in.reset();
    }

    [[nodiscard]] second_opinion read(const std::string& more = "") const {
        const char* const source = std::getenv("PERDURE_SOURCE");
        BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest, which sets PERDURE_SOURCE");
        const std::string out = disk() + "/second_opinion";
        const std::string command = std::string("python3 -B '") + source +
                                    "/tests/independent/checkpoint_reader.py' '" + directory() +
                                    "' " + more + " > '" + out + "' 2>&1";
        const int status = std::system(command.c_str());
        std::ifstream stream(out);
        return {WEXITSTATUS(status), std::string(std::istreambuf_iterator<char>(stream), {})};
    }
    void expect_agreement(const std::string& more = "") const {
        const auto second = read(more);
        BOOST_TEST(second.words ==
                   "state_hash " + then.state_hash + "\nimage_hash " + then.image_hash + "\n");
        BOOST_TEST(second.status == 0);
    }
    [[nodiscard]] std::string path_of(std::uint64_t lsn) const {
        const auto number = std::to_string(lsn);
        return directory() + "/checkpoints/" + std::string(20 - number.size(), '0') + number +
               ".pcp";
    }
    /// False: it was copied part by part.
    [[nodiscard]] bool shows_one_moment(std::uint64_t lsn) const {
        std::ifstream stream(path_of(lsn), std::ios::binary);
        stream.seekg(-160 + 64, std::ios::end);
        std::uint64_t last_lsn = 0;
        stream.read(reinterpret_cast<char*>(&last_lsn), sizeof(last_lsn));
        return last_lsn == lsn;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(independent_checkpoint_reader)

BOOST_AUTO_TEST_CASE(both_readers_make_the_same_tables_whatever_they_begin_with) {
    busy_scene with;
    with.work(20);
    const auto full = with.checkpoint(true);
    with.work(20);
    const auto first = with.checkpoint(false);
    with.work(5);
    const auto second = with.checkpoint(false);
    with.work(20);
    with.close();
    with.expect_agreement();
    for (const auto lsn : {second, first, full, std::uint64_t{0}}) {
        with.expect_agreement("--lsn " + std::to_string(lsn));
    }
    BOOST_TEST(with.read("--lsn 1").status == 3);
}

BOOST_AUTO_TEST_CASE(both_readers_make_the_same_tables_of_slices_beside_writers) {
    // Too few shadow pages: captures are given up, and the third is copied in slices.
    busy_scene with(shm::page_bytes);
    with.work(20);
    std::vector<std::uint64_t> taken;
    for (const bool full : {true, false, false}) {
        with.calls.beside = [&] { with.work(1); };
        taken.push_back(with.checkpoint(full));
        with.calls.beside = {};
        with.work(10);
    }
    with.close();
    for (const auto lsn : taken) {
        BOOST_TEST(!with.shows_one_moment(lsn));
        with.expect_agreement("--lsn " + std::to_string(lsn));
    }
    with.expect_agreement();
}

BOOST_AUTO_TEST_CASE(a_changed_byte_anywhere_in_a_checkpoint_is_refused_and_named) {
    busy_scene with;
    with.work(10);
    const auto lsn = with.checkpoint(true);
    with.close();
    const auto path = with.path_of(lsn);
    const auto bytes = static_cast<std::streamoff>(std::filesystem::file_size(path));
    for (const std::streamoff at : {std::streamoff{9}, std::streamoff{100}, std::streamoff{170},
                                    bytes / 2, bytes - 180, bytes - 100, bytes - 1}) {
        damage(path, at);
        const auto second = with.read();
        BOOST_TEST(second.status == 3);
        BOOST_TEST(second.words.find(path) != std::string::npos);
        damage(path, at);
    }
    std::filesystem::resize_file(path, static_cast<std::uintmax_t>(bytes - 1));
    BOOST_TEST(with.read().status == 3);
    // The journal serves alone.
    with.expect_agreement("--lsn 0");
}

BOOST_AUTO_TEST_SUITE_END()
