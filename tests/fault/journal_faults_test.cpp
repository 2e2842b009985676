// SPDX-License-Identifier: Apache-2.0
//
// For every n: the n-th call of a journal's life fails, once or for ever, in each of the four ways.
// Claims: the first failed write or sync stops the writer for good (W1), its durable mark never
// passes what the disk holds, and what was durable is found again, after the death of the process
// and after a power loss at that moment. A full disk that is met before anything was written (W4)
// stops nothing: the same again goes on where it ended.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <iostream>

#include <perdure/tests/io/journal_rig.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr fault_kind all_kinds[] = {fault_kind::input_output, fault_kind::no_space,
                                    fault_kind::short_write, fault_kind::interrupted};

struct outcome {
    std::vector<std::byte> books;     // All that was handed to append().
    std::uint64_t durable_lsn = 0;    // What the writer said at the end.
    std::size_t durable_changes = 0;  // Changes of the disk when it last said something new.
    bool stopped = false;
    std::size_t refusals = 0;  // W4
};

/// What is left of the records from an LSN on.
std::span<const std::byte> from_lsn(std::span<const std::byte> ring, std::uint64_t lsn) {
    while (!ring.empty() && io::header_at(ring.data()).lsn < lsn) {
        ring = ring.subspan(io::header_at(ring.data()).bytes);
    }
    return ring;
}

/// As the keeper does it: what a full disk refused is tried again.
bool append(io::journal_writer& writer, std::span<const std::byte> ring, outcome& result) {
    for (int turn = 0; turn < 2; ++turn) {
        const auto rest = from_lsn(ring, writer.next_lsn());
        const auto answer = writer.append(rest, writer.next_lsn());
        if (answer) return true;
        if (answer.error() != errc::disk_full || writer.failed()) return false;
        ++result.refusals;
    }
    return false;
}

/// Two keepers' lives: bursts, syncs, rotations, a take-over in between. Ends at the first error
/// and then tries hard to go on, which must do nothing.
outcome live(simulated_disk& disk, std::uint64_t seed) {
    outcome result;
    journal_rig rig(disk, {.segment_bytes = 32 << 10});
    record_source source(seed);
    std::optional<io::finding> found;
    const auto note = [&] {
        if (!rig.has_writer() || rig.writer().durable_lsn() <= result.durable_lsn) return;
        result.durable_lsn = rig.writer().durable_lsn();
        result.durable_changes = disk.changes();
    };
    for (int life = 0; life < 2; ++life) {
        if (!rig.open(found)) {
            result.stopped = true;
            return result;
        }
        note();
        for (int burst = 0; burst < 9; ++burst) {
            const std::uint64_t first = source.next_lsn();
            auto ring = random_burst(source, 1 + source.random() % 120);
            if (life == 0 && burst == static_cast<int>(seed)) source.add_blob(ring, 60 << 10);
            const auto plain = normalised(ring);
            result.books.insert(result.books.end(), plain.begin(), plain.end());
            BOOST_TEST(rig.writer().next_lsn() == first);
            const bool written = append(rig.writer(), ring, result);
            const bool synced = written && (burst % 3 == 1 || rig.writer().sync().has_value());
            note();
            if (written && synced) continue;
            result.stopped = true;
            if (!rig.writer().failed()) {
                static_cast<void>(rig.writer().sync());  // What had room.
                note();
                return result;
            }
            const std::size_t changes = disk.changes();
            BOOST_TEST((rig.writer().sync() == perdure::result<>(errc::durability_lost)));
            BOOST_TEST((rig.writer().append(ring, rig.writer().next_lsn()) ==
                        perdure::result<>(errc::durability_lost)));
            note();
            BOOST_TEST(disk.changes() == changes);
            return result;
        }
    }
    return result;
}

void check_found_again(simulated_disk& disk, const outcome& life, const std::string& replay) {
    const auto content = read_journal(disk);
    if (content.refused && life.durable_lsn == 0) return;  // The world was never finished.
    BOOST_TEST_INFO(replay);
    BOOST_REQUIRE(!content.refused);
    BOOST_TEST_INFO(replay);
    BOOST_REQUIRE(content.last_lsn >= life.durable_lsn);
    BOOST_TEST_INFO(replay);
    BOOST_REQUIRE(content.records.size() <= life.books.size());
    BOOST_REQUIRE(std::equal(content.records.begin(), content.records.end(), life.books.begin()));
}

std::string replay_line(std::uint64_t seed, const planned_fault& fault) {
    return "seed " + std::to_string(seed) + ", kind " +
           std::to_string(static_cast<int>(fault.kind)) + ", call " + std::to_string(fault.call) +
           (fault.for_ever ? ", for ever" : ", once");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_journal_faults)

BOOST_AUTO_TEST_CASE(every_call_that_fails_stops_the_writer_and_loses_nothing_durable) {
    std::mt19937_64 random(1);
    std::size_t runs = 0;
    std::size_t stops = 0;
    std::size_t refusals = 0;
    for (const fault_kind kind : all_kinds) {
        for (const bool for_ever : {false, true}) {
            for (std::uint64_t call = 1;; ++call) {
                const planned_fault fault{kind, call, for_ever};
                const std::string replay = replay_line(call % 5, fault);
                simulated_disk disk;
                disk.plan(fault);
                const outcome life = live(disk, call % 5);
                const bool faulted = disk.has_faulted();
                disk.heal();
                // A tolerated fault is one that did nothing: EINTR made again, space not had.
                BOOST_TEST_INFO(replay);
                BOOST_TEST((life.stopped || !faulted || kind == fault_kind::interrupted ||
                            kind == fault_kind::no_space));
                refusals += life.refusals;
                auto dark = disk.after_power_loss(disk.changes(), loss::all, random);
                check_found_again(dark, life, replay);
                auto early = disk.after_power_loss(life.durable_changes, loss::all, random);
                check_found_again(early, life, replay);
                check_found_again(disk, life, replay);

                // The next keeper finds the same and can go on.
                if (life.durable_lsn > 0) {
                    journal_rig next(disk, {.segment_bytes = 32 << 10});
                    std::optional<io::finding> found;
                    BOOST_TEST_INFO(replay);
                    BOOST_REQUIRE(next.open(found));
                    BOOST_REQUIRE(next.writer().durable_lsn() >= life.durable_lsn);
                    auto after = disk.after_power_loss(disk.changes(), loss::all, random);
                    const auto content = read_journal(after);
                    BOOST_TEST_INFO(replay);
                    BOOST_REQUIRE(content.last_lsn >= next.writer().durable_lsn());
                }
                ++runs;
                stops += life.stopped ? 1 : 0;
                if (!faulted) break;
            }
        }
    }
    std::cout << "journal faults: " << runs << " runs, " << stops << " fail-stops, " << refusals
              << " refusals for want of space\n";
    BOOST_TEST(stops > 500U);
    BOOST_TEST(refusals > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
