// SPDX-License-Identifier: Apache-2.0
//
// Segments are packed while everything goes wrong: each call of the disk fails, power is lost
// after each change, what is written comes back changed, packed files rot and are exchanged.
// Claims: the journal reads as it was written, before, during and after; a packed segment that is
// not what it was is refused, with file and cause; one that gains nothing, and the last, stay.
#include <boost/test/unit_test.hpp>

#include <iostream>
#include <perdure/io/block_finder.hpp>
#include <perdure/io/segment_packer.hpp>
#include <perdure/tests/io/journal_rig.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint32_t frame_bytes = 16 << 10;

/// Lets bits of a file turn while they are written.
class lying_disk final : public simulated_disk {
  public:
    explicit lying_disk(const simulated_disk& from) : simulated_disk(from) {}
    bool lies = false;

    std::int64_t write(int descriptor, std::span<const std::byte> from,
                       std::uint64_t offset) noexcept override {
        if (!lies || from.size() < 100) return simulated_disk::write(descriptor, from, offset);
        std::vector<std::byte> other(from.begin(), from.end());
        other[other.size() / 2] ^= std::byte{4};
        return simulated_disk::write(descriptor, other, offset);
    }
};

/// A journal of several segments whose blocks hold little, each synced: as of few who wait.
struct written_world {
    simulated_disk disk;
    std::vector<std::byte> books;
    std::size_t segments = 0;

    explicit written_world(std::uint64_t seed, std::size_t bursts = 40) {
        journal_rig rig(disk, {.segment_bytes = 48 << 10});
        std::optional<io::finding> found;
        BOOST_REQUIRE(rig.open(found));
        record_source source(seed);
        for (std::size_t burst = 0; burst < bursts; ++burst) {
            const auto ring = random_burst(source, 1 + source.random() % 3);
            BOOST_REQUIRE(rig.writer().append(ring, rig.writer().next_lsn()));
            BOOST_REQUIRE(rig.writer().sync());
            const auto plain = normalised(ring);
            books.insert(books.end(), plain.begin(), plain.end());
        }
        segments = rig.promised().segments().size();
        BOOST_REQUIRE(segments > 2U);
    }
};

result<bool> pack_all(io::kernel_calls& disk, io::segment_packer::tally* counts = nullptr) {
    io::file_system files(disk);
    io::segment_packer packer(files, {"world", 7, frame_bytes, {}});
    for (;;) {
        const auto more = packer.pack_on(20 << 10);
        if (counts != nullptr) *counts = packer.packed();
        if (!more || !*more) return more;
    }
}

std::vector<std::string> packed_in(const simulated_disk& disk) {
    std::vector<std::string> out;
    for (const auto& path : disk.paths()) {
        if (path.ends_with(".pz")) out.push_back(path);
    }
    return out;
}

void check_whole(simulated_disk& disk, const written_world& world, const std::string& replay) {
    const auto content = read_journal(disk);
    const auto why = content.refused ? content.refused->file + " " + content.refused->cause : "";
    BOOST_REQUIRE_MESSAGE(!content.refused, replay << ": " << why);
    BOOST_REQUIRE_MESSAGE(content.records == world.books, replay);
}

/// Refused with a cause, or what was written.
void check_guarded(simulated_disk& disk, const written_world& world, const std::string& what,
                   std::size_t& refused) {
    const auto content = read_journal(disk);
    if (!content.refused) {
        BOOST_REQUIRE_MESSAGE(content.records == world.books, what);
        return;
    }
    BOOST_REQUIRE_MESSAGE(content.refused->reason == errc::damaged, what);
    BOOST_REQUIRE_MESSAGE(content.refused->file.ends_with(".pz"), content.refused->file);
    BOOST_REQUIRE_MESSAGE(!content.refused->cause.empty(), what);
    ++refused;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_packing)

BOOST_AUTO_TEST_CASE(packed_segments_read_as_they_were_and_the_journal_goes_on) {
    written_world world(1);
    io::segment_packer::tally counts;
    BOOST_REQUIRE(pack_all(world.disk, &counts));
    BOOST_TEST(counts.segments == world.segments - 1);
    BOOST_TEST(counts.bytes_after * 3 < counts.bytes_before);
    BOOST_TEST(packed_in(world.disk).size() == world.segments - 1);
    BOOST_TEST(!world.disk.exists(io::segment_path("world", 1)));
    check_whole(world.disk, world, "packed");

    io::file_system files(world.disk);
    io::block_finder finder(files, "world", 2);
    std::mt19937_64 random(1);
    const auto content = read_journal(world.disk);
    for (int i = 0; i < 100; ++i) {
        const std::uint64_t lsn = 1 + random() % content.last_lsn;
        const auto block = finder.find(lsn);
        BOOST_REQUIRE(block);
        BOOST_TEST((block->first_lsn <= lsn && lsn <= block->last_lsn));
    }

    journal_rig next(world.disk, {.segment_bytes = 48 << 10});
    std::optional<io::finding> found;
    BOOST_REQUIRE(next.open(found));
    BOOST_TEST(next.writer().next_lsn() == content.last_lsn + 1);
    // The MANIFEST forgets its end: what it does not name is there, packed or not.
    auto& manifest = world.disk.content("world/MANIFEST");
    manifest.resize(2 * 512);
    BOOST_TEST(read_journal(world.disk).refused.has_value());
}

BOOST_AUTO_TEST_CASE(what_gains_nothing_stays_as_it_is) {
    simulated_disk disk;
    journal_rig rig(disk, {.segment_bytes = 64 << 10});
    std::optional<io::finding> found;
    BOOST_REQUIRE(rig.open(found));
    record_source source(1);
    std::mt19937_64 random(1);
    for (int i = 0; i < 6; ++i) {
        std::vector<std::byte> ring;
        source.add_blob(ring, 60 << 10);
        BOOST_REQUIRE(rig.writer().append(ring, rig.writer().next_lsn()));
        BOOST_REQUIRE(rig.writer().sync());
    }
    const auto before = read_journal(disk);
    BOOST_REQUIRE(pack_all(disk));
    BOOST_TEST(packed_in(disk).empty());
    BOOST_TEST((read_journal(disk).records == before.records));
    for (const auto& path : disk.paths()) BOOST_TEST(!path.ends_with(".pz.new"));
}

BOOST_AUTO_TEST_CASE(every_call_that_fails_leaves_the_journal_whole) {
    const written_world world(2, 26);
    std::size_t runs = 0;
    for (const fault_kind kind :
         {fault_kind::input_output, fault_kind::no_space, fault_kind::short_write}) {
        for (const bool for_ever : {false, true}) {
            for (std::uint64_t call = 1;; ++call) {
                simulated_disk disk = world.disk;
                const auto before = disk.calls();
                disk.plan({kind, before + call, for_ever});
                static_cast<void>(pack_all(disk));
                const bool faulted = disk.has_faulted();
                disk.heal();
                const std::string replay = "kind " + std::to_string(static_cast<int>(kind)) +
                                           ", call " + std::to_string(call) +
                                           (for_ever ? ", for ever" : ", once");
                check_whole(disk, world, replay);
                BOOST_REQUIRE_MESSAGE(pack_all(disk), replay);  // Whoever comes next.
                BOOST_REQUIRE_MESSAGE(packed_in(disk).size() == world.segments - 1, replay);
                check_whole(disk, world, replay + ", packed afterwards");
                ++runs;
                if (!faulted) break;
            }
        }
    }
    std::cout << "packing: " << runs << " runs with a fault\n";
    BOOST_TEST(runs > 100U);
}

BOOST_AUTO_TEST_CASE(every_legal_image_holds_the_whole_journal) {
    std::mt19937_64 random(3);
    std::size_t images = 0;
    for (std::uint64_t seed = 1; seed <= (is_torture() ? 40U : 2U); ++seed) {
        written_world world(seed, 26);
        const std::size_t from = world.disk.changes();
        BOOST_REQUIRE(pack_all(world.disk));
        for (std::size_t changes = from; changes <= world.disk.changes(); ++changes) {
            for (const loss how : all_losses) {
                auto image = world.disk.after_power_loss(changes, how, random);
                check_whole(image, world,
                            "seed " + std::to_string(seed) + ", changes " +
                                std::to_string(changes) + ", loss " +
                                std::to_string(static_cast<int>(how)));
                ++images;
            }
        }
    }
    std::cout << "packing: " << images << " images\n";
    BOOST_TEST(images > 100U);
}

BOOST_AUTO_TEST_CASE(a_copy_that_reads_back_otherwise_is_dropped) {
    const written_world world(4);
    lying_disk disk(world.disk);
    disk.lies = true;
    const auto packed = pack_all(disk);
    BOOST_REQUIRE(!packed);
    BOOST_TEST((packed.error() == errc::damaged));
    BOOST_TEST(packed_in(disk).empty());
    check_whole(disk, world, "a lying disk");
}

BOOST_AUTO_TEST_CASE(rot_in_packed_segments_is_refused_by_name) {
    written_world world(5);
    BOOST_REQUIRE(pack_all(world.disk));
    const auto files = packed_in(world.disk);
    std::mt19937_64 random(5);
    std::size_t refused = 0;
    std::size_t damages = 0;
    const auto flip = [&](const std::string& path, std::size_t bit) {
        const auto mask = static_cast<std::byte>(1U << bit % 8);
        world.disk.content(path)[bit / 8] ^= mask;
        check_guarded(world.disk, world, path + ", bit " + std::to_string(bit), refused);
        world.disk.content(path)[bit / 8] ^= mask;
        ++damages;
    };
    const std::size_t fronts = sizeof(io::packed_header) + 3 * sizeof(io::packed_frame);
    for (std::size_t bit = 0; bit < 8 * fronts; ++bit) flip(files.front(), bit);
    for (int i = 0; i < (is_torture() ? 20'000 : 400); ++i) {
        const auto& path = files[random() % files.size()];
        flip(path, random() % (8 * world.disk.content(path).size()));
    }
    BOOST_TEST(refused == damages);
    for (int i = 0; i < 60; ++i) {
        const auto& path = files[random() % files.size()];
        const auto whole = world.disk.content(path);
        auto& bytes = world.disk.content(path);
        bytes.resize(i % 3 == 0 ? whole.size() + 1 + random() % 900 : random() % whole.size());
        check_guarded(world.disk, world, "another length of " + path, refused);
        world.disk.content(path) = whole;
        ++damages;
    }
    BOOST_TEST(refused == damages);
    std::cout << "packing: " << damages << " damages, " << refused << " refused\n";
}

BOOST_AUTO_TEST_CASE(packed_segments_in_another_place_are_refused) {
    written_world world(6);
    written_world other(6);
    BOOST_REQUIRE(pack_all(world.disk));
    BOOST_REQUIRE(pack_all(other.disk));
    const auto files = packed_in(world.disk);
    BOOST_REQUIRE(files.size() > 1U);
    std::size_t refused = 0;
    const auto mine = world.disk.content(files[0]);
    world.disk.content(files[0]) = world.disk.content(files[1]);
    check_guarded(world.disk, world, "the next one's", refused);
    // Of another life of the same world: the same LSNs, other identifiers and hashes.
    world.disk.content(files[0]) = other.disk.content(files[0]);
    check_guarded(world.disk, world, "another world's", refused);
    BOOST_TEST(refused == 2U);
    world.disk.remove(files[0]);
    const auto content = read_journal(world.disk);
    BOOST_REQUIRE(content.refused);
    BOOST_TEST((content.refused->reason == errc::missing));
    world.disk.put(files[0], mine);
    check_whole(world.disk, world, "put back");
}

BOOST_AUTO_TEST_SUITE_END()
