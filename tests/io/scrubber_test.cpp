// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/scrubber.hpp where a keeper goes on writing: what has rotted is found in the round
// that comes by, stays known until it is whole, and is looked for on the disk.
#include <boost/test/unit_test.hpp>
#include <perdure/io/past.hpp>
#include <perdure/io/scrubber.hpp>
#include <perdure/tests/io/journal_rig.hpp>
#include <set>

namespace {

using namespace perdure;
using namespace perdure::tests;

/// A disk that remembers which files were to come from it again.
class remembering_disk : public simulated_disk {
  public:
    int open(const char* path, int flags, unsigned mode) noexcept override {
        const int made = simulated_disk::open(path, flags, mode);
        if (made >= 0) opened_[made] = path;
        return made;
    }
    void drop_cache(int descriptor) noexcept override {
        forgotten.insert(opened_[descriptor]);
        simulated_disk::drop_cache(descriptor);
    }
    std::set<std::string> forgotten;

  private:
    std::map<int, std::string> opened_;
};

struct growing_journal {
    remembering_disk disk;
    journal_rig rig{disk, {.segment_bytes = 64 << 10}};
    record_source source{7};
    io::file_system files{disk};
    io::scrubber again{files, "world"};

    growing_journal() {
        std::optional<io::finding> found;
        BOOST_TEST_REQUIRE(rig.open(found).has_value());
        while (segments() < 4) append();
    }
    [[nodiscard]] std::size_t segments() { return rig.promised().segments().size(); }
    void append() {
        const auto first = source.next_lsn();
        const auto burst = random_burst(source, 50);
        BOOST_TEST_REQUIRE(rig.writer().append(burst, first).has_value());
        BOOST_TEST_REQUIRE(rig.writer().sync().has_value());
    }
    void rotate() {
        for (const auto before = segments(); segments() == before;) append();
        append();  // A block stands in it.
    }
    [[nodiscard]] std::string path_of(std::size_t segment) {
        return io::segment_path("world", rig.promised().segments()[segment].first_lsn);
    }
    void spoil(std::size_t segment) { disk.content(path_of(segment))[9000] ^= std::byte{4}; }
    /// A round with a rotation in its midst: what it found.
    std::vector<io::finding> round() {
        std::vector<io::finding> all;
        bool has_rotated = false;
        for (const auto before = again.rounds(); again.rounds() == before;) {
            if (auto found = again.read_on(1)) all.push_back(std::move(*found));
            if (!has_rotated) rotate();
            has_rotated = true;
        }
        return all;
    }
};

BOOST_FIXTURE_TEST_CASE(rot_is_found_though_the_journal_goes_on_meanwhile, growing_journal) {
    spoil(1);
    const auto found = round();
    BOOST_TEST_REQUIRE(found.size() == 1U);
    BOOST_TEST(found[0].file == path_of(1));
    BOOST_TEST(again.damaged() == 1U);
    BOOST_TEST(round().empty());        // It is told once,
    BOOST_TEST(again.damaged() == 1U);  // and known
    spoil(1);
    BOOST_TEST(round().empty());
    BOOST_TEST(again.damaged() == 0U);  // until it is whole.
}

BOOST_FIXTURE_TEST_CASE(each_file_is_asked_of_the_disk, growing_journal) {
    disk.forgotten.clear();
    const auto sealed = segments() - 1;
    BOOST_TEST(round().empty());
    for (std::size_t i = 0; i < sealed; ++i) BOOST_TEST(disk.forgotten.contains(path_of(i)));
}

BOOST_FIXTURE_TEST_CASE(who_has_read_the_manifest_may_read_on_beside_a_keeper, growing_journal) {
    io::past history(disk, "world");
    const auto last = history.lsn_of({io::past_point::kind::latest, 0, {}});
    rotate();
    BOOST_TEST(history.lsn_of({io::past_point::kind::lsn, last, {}}) == last);
}

}  // namespace
