// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/recovery.hpp: the region is the replay of the journal's longest sound prefix; a torn
// tail is named; records that do not fit what came before are refused with their number.
#include <boost/test/unit_test.hpp>
#include <perdure/io/recovery.hpp>
#include <perdure/tests/io/kept_bank.hpp>
#include <perdure/tests/print_errc.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct rebuilt {
    shared_bytes memory;
    shm::region where;
    io::opening_report report;
    std::optional<io::finding> found;
    result<> answer;

    explicit rebuilt(simulated_disk& disk, const shm::region_options& options = small_options())
        : memory(options.capacity_bytes), where(shm::region::over(memory.span(), options)) {
        io::file_system files(disk);
        const auto promised =
            io::manifest::open(files, "world", io::open_mode::read, found).value();
        answer = io::recover(files, promised, {}, where, report);
        found = report.found;
    }
};

BOOST_FIXTURE_TEST_CASE(a_rebuilt_region_is_the_one_that_was, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    for (int round = 0; round < 20; ++round) {
        pay(50);
        while (drain() != 0) {
        }
    }
    rebuilt again(disk);
    BOOST_TEST_REQUIRE(again.answer.has_value());
    BOOST_TEST(difference(image_of(where), image_of(again.where)) == "");
    BOOST_TEST(audit(again.where).empty());
    BOOST_TEST(again.report.last_lsn == last());
    BOOST_TEST(again.report.transactions == last());
    BOOST_TEST(again.report.torn_tail == "");
    BOOST_TEST(shm::next_lsn(again.where) == last() + 1);
    auto next = shm::session::join(again.where, nullptr).value();
    BOOST_TEST(transfer(next, in, 1, 2, 3).value().lsn == last() + 1);
    BOOST_TEST(audit(again.where).empty());
}

BOOST_FIXTURE_TEST_CASE(any_prefix_is_rebuilt_and_a_torn_tail_is_named, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    std::vector<std::pair<std::uint64_t, row_image>> past;
    for (int round = 0; round < 5; ++round) {
        pay(10 + round);
        while (drain() != 0) {
        }
        past.emplace_back(last(), image_of(where));
    }
    const auto path = io::segment_path("world", 1);
    const auto whole = disk.content(path);
    std::size_t named = 0;
    // Sectors of the last blocks are missing from the end on.
    for (std::size_t cut = whole.size(); cut > 8192; cut -= 512) {
        auto& bytes = disk.content(path);
        bytes = whole;
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end(), std::byte{0});
        rebuilt again(disk);
        if (!again.answer) {
            // Never less than what a later block says was synced.
            BOOST_TEST(again.answer.error() == errc::damaged);
            continue;
        }
        named += again.report.torn_tail.empty() ? 0U : 1U;
        bool known = again.report.last_lsn == 0;
        for (const auto& [lsn, image] : past) {
            if (lsn != again.report.last_lsn) continue;
            known = true;
            BOOST_TEST(difference(image, image_of(again.where)) == "");
        }
        BOOST_TEST(known, "ends at " << again.report.last_lsn);
        BOOST_TEST(audit(again.where).empty());
    }
    BOOST_TEST(named >= 3U);
}

BOOST_AUTO_TEST_CASE(records_that_fit_nothing_are_refused_by_number) {
    simulated_disk disk;
    journal_rig rig(disk, {});
    std::optional<io::finding> found;
    BOOST_TEST_REQUIRE(rig.open(found).has_value());
    record_source source(4);
    std::vector<std::byte> ring;
    source.add_transfer(ring);
    BOOST_TEST_REQUIRE(rig.writer().append(ring, 1).has_value());
    BOOST_TEST_REQUIRE(rig.writer().sync().has_value());
    rebuilt again(disk);
    BOOST_TEST(again.answer.error() == errc::damaged);
    BOOST_TEST_REQUIRE(again.found.has_value());
    BOOST_TEST(again.found->cause.find("record 1 ") != std::string::npos, again.found->cause);
}

BOOST_FIXTURE_TEST_CASE(a_full_region_fits_a_larger_one_and_not_a_smaller_one, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    auto filled = errc::not_found;
    for (std::uint64_t i = 100; filled == errc::not_found; ++i) {
        const auto paid = self.write(
            [&](shm::transaction& tx) -> result<> {
                for (int each = 0; each < 4; ++each) {
                    auto taken = PERDURE_TRY(shm::take_row(tx, in.wide));
                    reinterpret_cast<wide_row*>(taken.copy)->words[0] = i;
                }
                return {};
            },
            shm::deadline::in(std::chrono::milliseconds(1)));
        if (!paid && paid.error() != errc::stalled) filled = paid.error();
        if (!paid) {
            while (drain() != 0) {
            }
        }
    }
    BOOST_TEST(filled == errc::region_full);
    while (drain() != 0) {
    }
    auto options = small_options();
    options.capacity_bytes += 8U << 20;
    rebuilt larger(disk, options);
    BOOST_TEST_REQUIRE(larger.answer.has_value());
    BOOST_TEST(difference(image_of(where), image_of(larger.where)) == "");
    BOOST_TEST(audit(larger.where).empty());
    options.capacity_bytes = small_options().capacity_bytes - (1U << 20);
    rebuilt smaller(disk, options);
    BOOST_TEST(smaller.answer.error() == errc::region_full);
}

}  // namespace
