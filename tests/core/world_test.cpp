// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/world.hpp and io/opening.hpp: a world opens in the state of the last commit or,
// with its region gone, of the last durable one; whatever cannot be opened is refused by name and
// stays as it is.
#include <sys/mount.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <perdure/core/world_event_format.hpp>
#include <perdure/io/opening.hpp>
#include <perdure/shm/region_format.hpp>
#include <perdure/tests/core/scene.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;
namespace fs = std::filesystem;

/// Why opening is refused; nothing when it is not.
std::optional<errc> refusal(const std::string& directory, const world_options& options,
                            std::string* words = nullptr) {
    try {
        const auto in = world::open(directory, options);
    } catch (const failure& why) {
        if (words != nullptr) *words = why.what();
        BOOST_TEST(!why.thing().empty());
        BOOST_TEST(!why.todo().empty());
        return why.reason();
    }
    return std::nullopt;
}

/// A scene with some history, all of it durable and nobody there; its hashes.
struct past {
    scene where;
    verdict then;

    explicit past(int payments = 300) {
        auto in = where.open();
        auto by = in.join();
        auto last = found(in, by, 10, 1000);
        for (int i = 0; i < payments; ++i) {
            const auto from = static_cast<std::uint64_t>(i) % 10;
            last = pay(in, by, from, (from + 3) % 10, 1 + i % 7).value();
        }
        BOOST_TEST_REQUIRE(in.wait(by, last, durability::durable).has_value());
        then = in.verify(by);
        BOOST_TEST_REQUIRE(then.sound);
    }

    /// What came back is what the record behind it says.
    void expect_told(const world& in) const {
        BOOST_TEST(in.opened().last_lsn == then.last_lsn);
        auto from = in.follow(then.last_lsn + 1, durability::applied);
        const auto batch = from.next().value();
        shm::record_walk walk(batch.records);
        shm::record_view record;
        BOOST_TEST_REQUIRE(walk.next(record).value());
        BOOST_TEST(record.lsn() == then.last_lsn + 1);
        const auto event = *record.events().begin();
        BOOST_TEST(event.type == static_cast<std::uint16_t>(event_type::world_recovered));
        const auto said = event.as<world_recovered_v1>().value();
        BOOST_TEST(said.last_lsn == then.last_lsn);
        BOOST_TEST(said.incarnation == in.region().geometry().incarnation);
        BOOST_TEST(said.transactions == in.opened().transactions);
    }

    /// Opens the world again and compares it with what it was.
    void expect_the_same(const world_options& options, bool recovered, const std::string& reason) {
        auto in = world::open(where.directory(), options);
        BOOST_TEST(in.opened().recovered == recovered);
        BOOST_TEST(in.opened().reason.find(reason) != std::string::npos, in.opened().reason);
        auto by = in.join();
        const auto now = in.verify(by);
        BOOST_TEST(now.sound);
        for (const auto& problem : now.problems) BOOST_TEST_MESSAGE(problem);
        BOOST_TEST(now.state_hash == then.state_hash);
        BOOST_TEST(now.image_hash == then.image_hash);
        // A recovery is told in a record of its own.
        const std::uint64_t told = recovered ? 1 : 0;
        BOOST_TEST(now.last_lsn == then.last_lsn + told);
        BOOST_TEST(now.durable_lsn >= then.durable_lsn);
        if (recovered) expect_told(in);
        const auto paid = pay(in, by, 0, 1, 5);
        BOOST_TEST_REQUIRE(paid.has_value());
        BOOST_TEST(paid->lsn == then.last_lsn + told + 1);
        BOOST_TEST(in.wait(by, *paid, durability::durable).has_value());
        BOOST_TEST(in.verify(by).sound);
    }
};

BOOST_AUTO_TEST_CASE(a_world_opened_again_in_this_boot_is_attached_as_it_was) {
    past before;
    before.expect_the_same(before.where.options(), false, "");
}

BOOST_AUTO_TEST_CASE(a_second_process_sees_what_the_first_has_committed) {
    scene where;
    auto in = where.open();
    auto by = in.join();
    found(in, by, 2, 1000);
    BOOST_TEST(pay(in, by, 0, 1, 250).has_value());
    child other([&] {
        auto there = where.open();
        auto me = there.join();
        if (there.opened().recovered) return 1;
        if (balance_of(there, me, player(1)).value() != 1250) return 2;
        return pay(there, me, 1, 0, 50).has_value() ? 0 : 3;
    });
    BOOST_TEST(other.wait() == 0);
    BOOST_TEST(balance_of(in, by, player(1)).value() == 1200);
}

BOOST_AUTO_TEST_CASE(a_deleted_region_comes_back_from_the_journal) {
    past before;
    before.where.delete_region();
    before.expect_the_same(before.where.options(), true, "no region");
}

BOOST_AUTO_TEST_CASE(a_region_of_another_boot_is_not_believed) {
    past before;
    auto options = before.where.options();
    options.boot_id = "another boot";
    before.expect_the_same(options, true, "boot");
}

BOOST_AUTO_TEST_CASE(a_truncated_region_comes_back_from_the_journal) {
    for (const std::uint64_t bytes : {0U, 100U, 4096U, 1U << 20}) {
        past before(20);
        fs::resize_file(before.where.region(), bytes);
        before.expect_the_same(before.where.options(), true, "");
    }
}

BOOST_AUTO_TEST_CASE(a_region_with_a_damaged_header_comes_back_and_the_old_one_is_kept) {
    past before(20);
    const auto path = before.where.region();
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(offsetof(shm::region_header, geometry) + 64);
        file.put('\x5a').put('\xa5').put('\x5a');
    }
    before.expect_the_same(before.where.options(), true, "");
    BOOST_TEST(fs::exists(path + ".rejected"));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_region_is_refused_and_left_alone) {
    past before(20);
    const auto path = before.where.region();
    const std::string garbage(1 << 20, 'x');
    std::ofstream(path, std::ios::binary) << garbage;
    std::string words;
    BOOST_TEST(
        (refusal(before.where.directory(), before.where.options(), &words) == errc::foreign));
    BOOST_TEST(words.find(path) != std::string::npos, words);
    BOOST_TEST(fs::file_size(path) == garbage.size());
    fs::remove(path);
    before.expect_the_same(before.where.options(), true, "no region");
}

BOOST_AUTO_TEST_CASE(a_region_behind_a_symbolic_link_is_not_followed) {
    past before(20);
    const auto path = before.where.region();
    fs::rename(path, path + ".away");
    fs::create_symlink(path + ".away", path);
    const auto size = fs::file_size(path + ".away");
    BOOST_TEST(refusal(before.where.directory(), before.where.options()).has_value());
    BOOST_TEST(fs::file_size(path + ".away") == size);
    fs::remove(path);
    before.expect_the_same(before.where.options(), true, "no region");
}

BOOST_AUTO_TEST_CASE(a_copied_world_is_a_world_of_its_own) {
    past before;
    auto in = before.where.open();
    auto by = in.join();
    const auto copy = before.where.disk() + "/copy";
    fs::copy(before.where.directory(), copy,
             fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    {
        auto twin = world::open(copy, before.where.options());
        auto me = twin.join();
        BOOST_TEST(twin.opened().recovered);
        BOOST_TEST(twin.region().path() != in.region().path());
        BOOST_TEST(twin.verify(me).state_hash == before.then.state_hash);
        const auto paid = pay(twin, me, 0, 1, 9).value();
        BOOST_TEST(twin.wait(me, paid, durability::durable).has_value());
    }
    BOOST_TEST(in.verify(by).image_hash == before.then.image_hash);
    const auto paid = pay(in, by, 1, 0, 3).value();
    BOOST_TEST(in.wait(by, paid, durability::durable).has_value());
    BOOST_TEST(in.verify(by).sound);
}

BOOST_AUTO_TEST_CASE(what_is_no_world_is_refused_by_name) {
    scene where;
    BOOST_TEST((refusal(where.disk() + "/none", where.options()) == errc::missing));
    fs::create_directory(where.disk() + "/empty");
    BOOST_TEST((refusal(where.disk() + "/empty", where.options()) == errc::missing));
    BOOST_TEST(fs::is_empty(where.disk() + "/empty"));
    std::ofstream(where.disk() + "/empty/MANIFEST") << std::string(4096, 'm');
    BOOST_TEST((refusal(where.disk() + "/empty", where.options()) == errc::foreign));
    BOOST_CHECK_EXCEPTION(world::create(where.directory()), failure,
                          [](const failure& why) { return why.reason() == errc::exists; });
}

BOOST_AUTO_TEST_CASE(who_may_not_recover_is_told_to_ask_who_may) {
    past before(20);
    before.where.delete_region();
    auto options = before.where.options();
    options.may_recover = false;
    BOOST_TEST((refusal(before.where.directory(), options) == errc::missing));
    options.may_recover = true;
    options.mode = shm::access::read_only;
    BOOST_TEST((refusal(before.where.directory(), options) == errc::missing));
    before.expect_the_same(before.where.options(), true, "no region");
}

BOOST_AUTO_TEST_CASE(a_reader_looks_and_cannot_join) {
    past before(20);
    auto options = before.where.options();
    options.mode = shm::access::read_only;
    auto in = world::open(before.where.directory(), options);
    BOOST_TEST(in.status().last_lsn == before.then.last_lsn);
    BOOST_CHECK_EXCEPTION(in.join(), failure,
                          [](const failure& why) { return why.reason() == errc::read_only; });
}

BOOST_AUTO_TEST_CASE(another_user_is_refused_by_name) {
    if (::geteuid() != 0) return;  // Only root can be somebody else.
    past before(20);
    fs::permissions(before.where.disk(), fs::perms::owner_all);
    fs::create_directory(before.where.disk() + "/closed");
    fs::permissions(before.where.disk(), fs::perms(0755));
    child other([&] {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 1;
        try {
            world::create(before.where.disk() + "/closed/world");
            return 2;
        } catch (const failure& why) {
            if (why.reason() != errc::io_error) return 3;
        }
        try {
            before.where.open();
            return 4;
        } catch (const failure& why) {
            return why.reason() == errc::foreign || why.reason() == errc::io_error ? 0 : 5;
        }
    });
    BOOST_TEST(other.wait() == 0);
    before.expect_the_same(before.where.options(), false, "");
}

/// Opens accounts until the world says why it can take no more.
errc fill(world& in, session& by) {
    for (std::uint64_t i = 100; i < 10'000'000; i += 50) {
        const auto more = by.write([&](tx& now) -> result<> {
            for (std::uint64_t each = i; each < i + 50; ++each) {
                PERDURE_TRY(in.books().open_account(now, player(each), account_kind::player));
            }
            return {};
        });
        if (!more) return more.error();
    }
    return errc::not_found;
}

BOOST_AUTO_TEST_CASE(a_full_region_refuses_rows_and_goes_on_with_those_it_has) {
    scene where;
    auto options = where.options();
    options.capacity_bytes = 20ULL << 20;
    auto in = world::open(where.directory(), options);
    auto by = in.join();
    found(in, by, 4, 1000);
    BOOST_TEST((fill(in, by) == errc::region_full));
    BOOST_TEST(pay(in, by, 0, 1, 10).has_value());
    BOOST_TEST(in.verify(by).sound);
}

BOOST_AUTO_TEST_CASE(a_full_world_comes_back_with_the_capacity_it_had) {
    scene where;
    auto options = where.options();
    options.capacity_bytes = 20ULL << 20;
    std::string before;
    {
        auto in = world::open(where.directory(), options);
        auto by = in.join();
        found(in, by, 4, 1000);
        BOOST_TEST((fill(in, by) == errc::region_full));
        const auto last = pay(in, by, 0, 1, 10);
        BOOST_TEST_REQUIRE(last.has_value());
        BOOST_TEST_REQUIRE(in.wait(by, *last, durability::durable).has_value());
        before = in.verify(by).state_hash;
    }
    where.delete_region();
    auto in = world::open(where.directory(), options);
    auto by = in.join();
    BOOST_TEST(in.opened().recovered);
    BOOST_TEST(in.verify(by).state_hash == before);
}

BOOST_AUTO_TEST_CASE(a_full_tmpfs_is_an_error_and_never_a_signal) {
    scene where;
    const auto small = where.disk() + "/small";
    fs::create_directory(small);
    const auto mounted = [&](const char* size) {
        return ::mount("tmpfs", small.c_str(), "tmpfs", 0, size) == 0;
    };
    if (::geteuid() != 0 || !mounted("size=1m")) {
        BOOST_TEST_MESSAGE("needs the right to mount: not run");
        return;
    }
    auto options = where.options();
    options.region_directory = small;
    BOOST_TEST((refusal(where.directory(), options) == errc::no_memory));
    BOOST_TEST(fs::is_empty(small));
    ::umount2(small.c_str(), MNT_DETACH);
    BOOST_TEST_REQUIRE(mounted("size=24m"));
    {
        auto in = world::open(where.directory(), options);
        auto by = in.join();
        found(in, by, 4, 1000);
        BOOST_TEST((fill(in, by) == errc::no_memory));
        BOOST_TEST(pay(in, by, 0, 1, 10).has_value());
        BOOST_TEST(in.verify(by).sound);
    }
    ::umount2(small.c_str(), MNT_DETACH);
}

BOOST_AUTO_TEST_CASE(a_world_of_an_earlier_build_gets_the_tables_it_lacks) {
    scene donor;
    scene where;
    auto model = donor.open();
    const auto numbers = model.books().numbers();
    io::kernel_calls calls;
    io::file_system files(calls);
    io::opening_options how;
    const auto options = where.options();
    how.region_directory = options.region_directory;
    how.region.capacity_bytes = options.capacity_bytes;
    how.region.ring_bytes = options.ring_bytes;
    how.region.undo_bytes = options.undo_bytes;
    how.region.slot_count = options.slot_count;
    io::opening_report report;
    {
        const auto old = io::open_world(files, where.directory(), how, report, [&](auto& fresh) {
            auto by = session::join(fresh, nullptr).value();
            by.write([&](tx& now) -> result<> {
                  for (const auto table : {numbers.accounts, numbers.assets}) {
                      const auto shape = shm::read_schema(model.region(), table).value();
                      PERDURE_TRY(shm::create_table(now, shape));
                  }
                  return {};
              }).value();
        });
    }
    auto reading = options;
    reading.mode = shm::access::read_only;
    BOOST_TEST((refusal(where.directory(), reading) == errc::unknown_table));
    auto in = where.open();
    auto by = in.join();
    const auto time = in.reader().read([&](view& seen) { return in.clock().read(seen); }).value();
    BOOST_TEST(time.mode == static_cast<std::uint32_t>(clock_mode::stopped));
    found(in, by, 4, 1000);
    BOOST_TEST(pay(in, by, 0, 1, 10).has_value());
    BOOST_TEST(in.verify(by).sound);
    BOOST_TEST(!refusal(where.directory(), reading));
}

}  // namespace
