// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints that rot or are exchanged, one change at a time: every bit of header, footer, index
// and section headers, random bits and bytes, truncations and additions, sections swapped, doubled
// and left out with every checksum made right again, checkpoints of another moment, parent, fork or
// world under a promised name. Claims: such a file is refused, and the finding names it; the
// recovery says so, goes on without it and makes the same tables.
//
// `-- --torture` runs the sign-off count.
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <iostream>
#include <perdure/io/digest.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/tests/fault/checkpoint_scene.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

using file_bytes = std::vector<std::byte>;

template <class T>
T object_at(const file_bytes& bytes, std::size_t at) {
    T object;
    std::memcpy(&object, bytes.data() + at, sizeof object);
    return object;
}

template <class T>
void append(file_bytes& to, const T& object) {
    const auto bytes = std::as_bytes(std::span(&object, 1));
    to.insert(to.end(), bytes.begin(), bytes.end());
}

/// A file in its parts, and put together again so that all it says of itself is right.
struct parts {
    io::checkpoint_header header;
    std::vector<file_bytes> sections;
    std::vector<std::size_t> places;
    io::checkpoint_footer footer;

    explicit parts(const file_bytes& whole)
        : header(object_at<io::checkpoint_header>(whole, 0)),
          footer(object_at<io::checkpoint_footer>(whole, whole.size() - sizeof footer)) {
        for (std::uint64_t i = 0; i < footer.sections; ++i) {
            const auto entry = footer.index_at + i * sizeof(io::index_entry);
            const auto at = object_at<io::index_entry>(whole, entry).at;
            const auto stored = object_at<io::section_header>(whole, at).stored_bytes;
            const auto from = whole.begin() + static_cast<std::ptrdiff_t>(at);
            places.push_back(at);
            sections.emplace_back(
                from, from + static_cast<std::ptrdiff_t>(sizeof(io::section_header) + stored));
        }
    }

    [[nodiscard]] file_bytes together() {
        file_bytes out;
        header.crc = shm::crc32c(std::as_bytes(std::span(&header, 1)).first(156));
        append(out, header);
        std::vector<io::block_hash> leaves{io::blake2b(out)};
        file_bytes index;
        for (const auto& each : sections) {
            leaves.push_back(io::blake2b(each));
            append(index, io::index_entry{out.size(), leaves.back()});
            out.insert(out.end(), each.begin(), each.end());
        }
        footer.id = header.id;
        footer.index_at = out.size();
        footer.sections = sections.size();
        footer.root = io::root_of(leaves);
        footer.index_crc = shm::crc32c(index);
        footer.crc = shm::crc32c(std::as_bytes(std::span(&footer, 1)).first(156));
        out.insert(out.end(), index.begin(), index.end());
        append(out, footer);
        return out;
    }
};

/// A world with some generations of checkpoints, the journal behind the first, and no process.
struct kept_disk {
    std::uint64_t seed;
    simulated_disk disk;
    row_image expected;
    std::vector<io::checkpoint_entry> entries;
    std::vector<file_bytes> files;  ///< Of the entries, whole.
    std::size_t damages = 0;
    std::size_t recoveries = 0;
    std::size_t identical = 0;

    explicit kept_disk(std::uint64_t from, io::uuid world = small_options().world) : seed(from) {
        scene_options how;
        how.seed = seed;
        how.policy.strategy = io::keep_strategy::versioned;
        how.region.world = world;
        how.policy.copy_bytes_max = 1;
        how.region.shadow_bytes = shm::page_bytes;  // Slices, where captures are given up.
        checkpoint_scene one(how);
        for (const bool is_full : {true, false, false, true, false, false, true, false}) {
            one.act(6);
            one.checkpoint(is_full);
        }
        one.act(9);
        one.drain();
        disk = one.disk;
        expected = one.images.back();
        entries = one.promised().checkpoints();
        for (const auto& each : entries) files.push_back(disk.content(path_of(each)));
    }

    static std::string path_of(const io::checkpoint_entry& entry) {
        return io::checkpoint_path("world", entry.lsn);
    }
    /// The number of a checkpoint of which nobody is the parent, and that has one.
    [[nodiscard]] std::size_t increment() const {
        BOOST_REQUIRE(entries.size() == 8U && !entries.back().is_full());
        return entries.size() - 1;
    }
    void must(bool holds, const std::string& what) const {
        const auto& suite = boost::unit_test::framework::master_test_suite();
        const auto name = boost::unit_test::framework::current_test_unit().p_name.get();
        BOOST_REQUIRE_MESSAGE(holds, "seed " << seed << ", damage " << damages << ", " << what
                                             << "; again: " << suite.argv[0] << " '--run_test=*/"
                                             << name << (is_torture() ? "' -- --torture" : "'"));
    }

    /// Does the newest checkpoint need it?
    [[nodiscard]] bool is_needed(std::size_t number) const {
        const auto* each = &entries.back();
        while (each->id != entries[number].id && !each->is_full()) {
            each = &*std::ranges::find(entries, each->parent, &io::checkpoint_entry::id);
        }
        return each->id == entries[number].id;
    }
    /// What verification says of a promised file.
    bool is_accepted(const io::manifest& promised, const io::checkpoint_entry& entry,
                     std::optional<io::finding>& found) {
        io::file_system system(disk);
        const auto look = [&]() -> result<> {
            const auto reader =
                PERDURE_TRY(io::checkpoint_reader::open(system, path_of(entry), found));
            PERDURE_TRY(reader.compare(promised, entry, found));
            return io::check_sections(reader, found);
        };
        return look().has_value();
    }

    /// Judges a disk on which the file of entry `number` is not what it was.
    void check(std::size_t number, const std::string& what) {
        static const std::size_t share = is_torture() ? 20 : 40;
        ++damages;
        const auto& entry = entries[number];
        if (disk.exists(path_of(entry)) && disk.content(path_of(entry)) == files[number]) {
            ++identical;
            return;
        }
        const auto words = what + " of " + path_of(entry);
        io::file_system system(disk);
        std::optional<io::finding> found;
        const auto promised =
            io::manifest::open(system, "world", io::open_mode::read, found).value();
        must(!is_accepted(promised, entry, found), words + " is accepted");
        must(found && found->file == path_of(entry) && !found->cause.empty(),
             words + " is refused without its name");
        if (damages % share != 1) return;
        ++recoveries;
        recovery_of got(disk);
        must(got.is_done, words + ": " + got.words());
        const auto apart = difference(expected, image_of(*got.made.region));
        must(apart.empty(), words + ": " + apart);
        const auto& tried = got.report.tried.front();
        must(!is_needed(number) || tried.verdict.find(path_of(entry)) != std::string::npos,
             words + " is not said: " + got.words());
        must(is_needed(number) != got.made.rejected.empty(),
             words + " is rejected, or is not: " + got.words());
    }
    void replace(std::size_t number, file_bytes by, const std::string& what) {
        disk.content(path_of(entries[number])) = std::move(by);
        check(number, what);
        disk.content(path_of(entries[number])) = files[number];
    }
    void flip(std::size_t number, std::size_t bit, const std::string& what) {
        auto& bytes = disk.content(path_of(entries[number]));
        bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        check(number, what + ", bit " + std::to_string(bit));
        disk.content(path_of(entries[number])) = files[number];
    }
    ~kept_disk() {
        if (damages == 0) return;
        std::cout << "checkpoint corruption, "
                  << boost::unit_test::framework::current_test_unit().p_name << ": " << damages
                  << " damages to " << entries.size() << " files, " << recoveries
                  << " of them recovered around, " << identical << " without a change\n";
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_checkpoint_corruption)

BOOST_AUTO_TEST_CASE(every_bit_of_what_describes_is_guarded) {
    kept_disk kept(1);
    std::size_t turn = 0;
    const auto all_bits = [&](std::size_t number, std::size_t at, std::size_t bytes) {
        for (std::size_t bit = at * 8; bit < (at + bytes) * 8; ++bit) {
            if (is_torture() || ++turn % 7 == 0) kept.flip(number, bit, "a description");
        }
    };
    for (std::size_t number = 0; number < kept.files.size(); ++number) {
        const parts of(kept.files[number]);
        all_bits(number, 0, sizeof of.header);
        for (const auto place : of.places) all_bits(number, place, sizeof(io::section_header));
        all_bits(number, of.footer.index_at, kept.files[number].size() - of.footer.index_at);
    }
    BOOST_TEST(kept.identical == 0U);
}

BOOST_AUTO_TEST_CASE(random_bits_and_bytes_are_guarded) {
    kept_disk kept(2);
    std::mt19937_64 random(2);
    for (std::size_t i = turns(60'000, 4'000); i != 0; --i) {
        const std::size_t number = random() % kept.files.size();
        const auto& whole = kept.files[number];
        if (i % 4 != 0) {
            kept.flip(number, random() % (whole.size() * 8), "a payload");
            continue;
        }
        // A stretch that reads as zeros, as ones, as something else, or as another file's.
        auto bytes = whole;
        const auto& other = kept.files[random() % kept.files.size()];
        const std::size_t from = random() % whole.size();
        const std::size_t end = std::min(whole.size(), from + 1 + random() % 600);
        for (std::size_t at = from; at < end; ++at) {
            bytes[at] = i % 16 == 0         ? std::byte{0}
                        : i % 16 == 4       ? std::byte{0xff}
                        : i % 16 == 8       ? static_cast<std::byte>(random())
                        : at < other.size() ? other[at]
                                            : std::byte{0};
        }
        kept.replace(number, std::move(bytes), "a stretch");
    }
}

BOOST_AUTO_TEST_CASE(another_length_is_refused) {
    kept_disk kept(3);
    std::mt19937_64 random(3);
    for (std::size_t number = 0; number < kept.files.size(); ++number) {
        const auto& whole = kept.files[number];
        const parts of(whole);
        std::vector<std::size_t> lengths{0,
                                         1,
                                         sizeof of.header,
                                         whole.size() - 1,
                                         whole.size() - sizeof of.footer,
                                         of.footer.index_at};
        lengths.insert(lengths.end(), of.places.begin(), of.places.end());
        for (std::size_t i = turns(400, 40); i != 0; --i) {
            lengths.push_back(random() % whole.size());
        }
        for (const auto length : lengths) {
            auto bytes = whole;
            bytes.resize(length);
            kept.replace(number, std::move(bytes), "the front");
        }
        for (const std::size_t more : {1U, 40U, 160U, 512U, 4096U}) {
            auto zeros = whole;
            zeros.resize(whole.size() + more);
            kept.replace(number, std::move(zeros), "zeros behind the end");
            auto twice = whole;
            twice.insert(twice.end(), whole.end() - static_cast<std::ptrdiff_t>(more % 400),
                         whole.end());
            kept.replace(number, std::move(twice), "the end twice");
        }
        kept.disk.remove(kept.path_of(kept.entries[number]));
        kept.check(number, "no file");
        kept.disk.put(kept.path_of(kept.entries[number]), whole);
    }
}

BOOST_AUTO_TEST_CASE(sections_in_other_places_are_refused_however_right_their_checksums) {
    kept_disk kept(4);
    for (std::size_t number = 0; number < kept.files.size(); ++number) {
        const parts whole(kept.files[number]);
        BOOST_REQUIRE((parts(kept.files[number]).together() == kept.files[number]));
        for (std::size_t i = 0; i < whole.sections.size(); ++i) {
            auto without = whole;
            without.sections.erase(without.sections.begin() + static_cast<std::ptrdiff_t>(i));
            if (!without.sections.empty()) kept.replace(number, without.together(), "less");
            for (std::size_t k = 0; k < whole.sections.size(); ++k) {
                auto swapped = whole;
                std::swap(swapped.sections[i], swapped.sections[k]);
                kept.replace(number, swapped.together(), "sections swapped");
                auto doubled = whole;
                doubled.sections.insert(doubled.sections.begin() + static_cast<std::ptrdiff_t>(i),
                                        whole.sections[k]);
                kept.replace(number, doubled.together(), "a section doubled");
            }
            for (const auto& file : kept.files) {
                const parts other(file);
                for (const auto& section : other.sections) {
                    auto mixed = whole;
                    mixed.sections[i] = section;
                    kept.replace(number, mixed.together(), "a section of another");
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_checkpoint_of_another_moment_fork_or_world_is_refused) {
    kept_disk kept(5);
    kept_disk fork(5);  // The same world, the same commits, made once more.
    kept_disk foreign(5, {9, 9});
    for (std::size_t number = 0; number < kept.files.size(); ++number) {
        for (const auto* from : {&kept, &fork, &foreign}) {
            for (const auto& file : from->files) {
                kept.replace(number, file, "another checkpoint in the place");
                parts moved(file);
                moved.header.world = small_options().world;
                moved.header.lsn = kept.entries[number].lsn;
                moved.footer.last_lsn = kept.entries[number].last_lsn;
                kept.replace(number, moved.together(), "another one with the lsn");
                moved.header.id = kept.entries[number].id;
                kept.replace(number, moved.together(), "another one with lsn and id");
                moved.header.kind = parts(kept.files[number]).header.kind;
                moved.header.parent = kept.entries[number].parent;
                moved.header.parent_link = parts(kept.files[number]).header.parent_link;
                kept.replace(number, moved.together(), "another one's rows under the header");
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_full_one_serves_alone_and_an_increment_does_not) {
    kept_disk kept(7);
    for (std::size_t whole = 0; whole <= kept.files.size(); ++whole) {
        for (std::size_t number = 0; number < kept.files.size(); ++number) {
            auto& bytes = kept.disk.content(kept.path_of(kept.entries[number]));
            bytes = kept.files[number];
            if (number != whole) bytes[bytes.size() / 2] ^= std::byte{4};
        }
        ++kept.damages;
        ++kept.recoveries;
        const recovery_of got(kept.disk);
        // An increment alone is nothing, and the journal does not begin with LSN 1.
        const bool serves = whole < kept.files.size() && kept.entries[whole].is_full();
        kept.must(got.is_done == serves, got.words());
        kept.must(serves || got.report.found, "refused without a word");
        if (!serves) continue;
        const auto apart = difference(kept.expected, image_of(*got.made.region));
        kept.must(apart.empty(), apart + "; " + got.words());
        kept.must(got.report.checkpoint_lsn == kept.entries[whole].lsn, got.words());
    }
}

BOOST_AUTO_TEST_CASE(an_increment_of_another_parent_is_refused) {
    kept_disk kept(6);
    const auto number = kept.increment();
    const auto entry = kept.entries[number];
    const parts whole(kept.files[number]);
    for (const auto& each : kept.entries) {
        auto moved = whole;
        moved.header.parent = each.id;
        kept.replace(number, moved.together(), "an increment with another parent");
        moved.header.parent_link = each.link;
        kept.replace(number, moved.together(), "an increment of another parent");
    }
    // The parent itself is another one of that name, and the MANIFEST says it is right.
    const auto parent = number - 1;
    BOOST_REQUIRE(kept.entries[parent].id == entry.parent && kept.entries[parent].is_full());
    io::file_system system(kept.disk);
    std::optional<io::finding> found;
    auto promised = io::manifest::open(system, "world", io::open_mode::read_write, found).value();
    BOOST_REQUIRE(promised.retire_checkpoint(entry.id));
    BOOST_REQUIRE(promised.retire_checkpoint(entry.parent));
    for (std::size_t from = 0; from <= parent; ++from) {
        parts forged(kept.files[from]);
        forged.header = parts(kept.files[parent]).header;
        forged.header.wall_ns += 1;
        forged.footer.last_lsn = kept.entries[parent].last_lsn;
        kept.disk.content(kept.path_of(kept.entries[parent])) = forged.together();
        const auto path = kept.path_of(kept.entries[parent]);
        const auto other = io::checkpoint_reader::open(system, path, found).value().entry();
        BOOST_REQUIRE(promised.publish_checkpoint(other));
        BOOST_REQUIRE(promised.publish_checkpoint(entry));
        ++kept.damages;
        kept.must(!kept.is_accepted(promised, entry, found), "an increment without its parent");
        kept.must(found && found->file == kept.path_of(entry), "it is refused without its name");
        const io::recovery_plan plan{&promised.checkpoints().back(), ~0ULL};
        const recovery_of got(kept.disk, ~0ULL, &plan);
        kept.must(!got.is_done, "an increment upon another parent: " + got.words());
        BOOST_REQUIRE(promised.retire_checkpoint(entry.id));
        BOOST_REQUIRE(promised.retire_checkpoint(entry.parent));
    }
}

BOOST_AUTO_TEST_SUITE_END()
