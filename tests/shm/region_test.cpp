// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/region: what is created can be attached by who it belongs to and by nobody else; a
// damaged, foreign or truncated file is refused by name; a full file system is an answer (G1 to
// G3).
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/tests/shm/open_bank.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

struct scratch {
    std::string folder;
    scratch() {
        std::string name = "/dev/shm/perdure-region-XXXXXX";
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
    }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    ~scratch() {
        ::unlink(file().c_str());
        ::rmdir(folder.c_str());
    }
    [[nodiscard]] std::string file() const { return folder + "/region"; }
};

const region_identity ours{{1, 2}, {3, 4}};

errc refusal(const std::string& path, const region_identity& who = ours,
             shm::access mode = shm::access::read_write) {
    try {
        const auto attached = region::attach(path, who, mode);
    } catch (const failure& refused) {
        BOOST_TEST(!refused.thing().empty());
        BOOST_TEST(!refused.todo().empty());
        return refused.reason();
    }
    return errc{};
}

void overwrite(const std::string& path, off_t at, std::uint64_t value) {
    const int file = ::open(path.c_str(), O_RDWR);
    BOOST_REQUIRE(::pwrite(file, &value, sizeof value, at) == sizeof value);
    ::close(file);
}

BOOST_AUTO_TEST_CASE(what_is_created_can_be_attached_twice) {
    const scratch in;
    auto made = region::create(in.file(), small_options());
    auto other = region::attach(in.file(), ours, shm::access::read_write);
    auto reader = region::attach(in.file(), ours, shm::access::read_only);
    made.header().world_time.value = 77;
    BOOST_TEST(other.header().world_time.value == 77U);
    BOOST_TEST(reader.header().world_time.value == 77U);
    BOOST_TEST(!reader.writable());
    BOOST_CHECK(session::join(reader, nullptr).error() == errc::read_only);
    BOOST_TEST(audit(other).empty());
}

BOOST_AUTO_TEST_CASE(a_reader_without_write_access_gives_up_on_an_owned_row) {
    const scratch in;
    auto made = region::create(in.file(), small_options());
    book_keeper keeper;
    auto self = session::join(made, &keeper).value();
    const auto there = make_bank(self);
    open_accounts(self, there, 0, 4);
    auto seen = region::attach(in.file(), ours, shm::access::read_only);
    reader looking(seen);
    const auto look = [&] {
        return looking.read(
            [&](view& from) { return get_key<account_row>(from, there.accounts, key_of(2)); },
            deadline::in(std::chrono::milliseconds(5)));
    };
    BOOST_TEST((look()->key == key_of(2)));
    const auto paid = self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(edit_key<account_row>(tx, there.accounts, key_of(2)))->mark = 8;
        BOOST_CHECK(look().error() == errc::busy);
        return {};
    });
    BOOST_TEST_REQUIRE(paid.has_value());
    BOOST_TEST(look()->mark == 8U);
}

BOOST_AUTO_TEST_CASE(parts_lie_in_order_on_whole_pages) {
    const scratch in;
    const auto made = region::create(in.file(), small_options());
    const auto& g = made.geometry();
    std::uint64_t before = 0;
    for (const auto at : {g.slots_at, g.stripes_at, g.ring_at, g.tables_at, g.pages_at}) {
        BOOST_TEST(at % page_bytes == 0U);  // G1
        BOOST_TEST(at > before);
        before = at;
    }
    struct stat facts {};
    BOOST_REQUIRE(::stat(in.file().c_str(), &facts) == 0);
    BOOST_TEST((facts.st_mode & 07777) == 0600U);
    BOOST_TEST(static_cast<std::uint64_t>(facts.st_size) > made.header().committed_bytes.value);
    BOOST_TEST(g.dirty_at == g.capacity_bytes);
    BOOST_TEST(g.dirty_at < g.capture_at);
    BOOST_TEST(g.capture_at < g.shadow_at);
}

BOOST_AUTO_TEST_CASE(a_file_that_exists_is_not_created_again) {
    const scratch in;
    const auto made = region::create(in.file(), small_options());
    BOOST_CHECK_EXCEPTION(region::create(in.file(), small_options()), failure,
                          [](const failure& e) { return e.reason() == errc::exists; });
    BOOST_CHECK(refusal(in.file()) == errc{});
}

BOOST_AUTO_TEST_CASE(options_out_of_range_are_refused) {
    const scratch in;
    const auto refused = [&](auto change) {
        auto options = small_options();
        change(options);
        BOOST_CHECK_THROW(region::create(in.file(), options), failure);
        BOOST_TEST(::access(in.file().c_str(), F_OK) != 0);
    };
    refused([](region_options& o) { o.ring_bytes = 100'000; });
    refused([](region_options& o) { o.ring_bytes = 32 << 10; });
    refused([](region_options& o) { o.slot_count = 0; });
    refused([](region_options& o) { o.slot_count = slot_count_max + 1; });
    refused([](region_options& o) { o.undo_bytes = 100; });
    refused([](region_options& o) { o.first_lsn = 0; });
    refused([](region_options& o) { o.capacity_bytes = 1 << 20; });
}

BOOST_AUTO_TEST_CASE(a_region_that_is_not_there_is_missing) {
    const scratch in;
    BOOST_CHECK(refusal(in.file()) == errc::missing);
}

BOOST_AUTO_TEST_CASE(a_foreign_file_is_refused) {
    const scratch in;
    const int file = ::open(in.file().c_str(), O_RDWR | O_CREAT, 0600);
    BOOST_REQUIRE(::ftruncate(file, small_bytes) == 0);
    BOOST_CHECK(refusal(in.file()) == errc::damaged);  // Zeroes: a creator that died.
    const std::uint64_t text = 0x4f4c4c4548;
    BOOST_REQUIRE(::pwrite(file, &text, 8, 0) == 8);
    BOOST_CHECK(refusal(in.file()) == errc::foreign);
    ::close(file);
}

BOOST_AUTO_TEST_CASE(a_link_in_the_place_of_the_file_is_refused) {
    const scratch in;
    const std::string real = in.folder + "/real";
    { const auto made = region::create(real, small_options()); }
    BOOST_REQUIRE(::symlink(real.c_str(), in.file().c_str()) == 0);
    BOOST_CHECK(refusal(in.file()) == errc::io_error);
    BOOST_CHECK_THROW(region::create(in.file(), small_options()), failure);
    ::unlink(real.c_str());
}

BOOST_AUTO_TEST_CASE(another_format_or_layout_is_refused) {
    const scratch in;
    { const auto made = region::create(in.file(), small_options()); }
    const off_t geometry = offsetof(region_header, geometry);
    overwrite(in.file(), geometry + offsetof(region_geometry, layout), 12345);
    BOOST_CHECK(refusal(in.file()) == errc::wrong_format);
    overwrite(in.file(), geometry + offsetof(region_geometry, layout), layout_signature());
    BOOST_CHECK(refusal(in.file()) == errc{});
    overwrite(in.file(), geometry, 99 | sizeof(region_header) << 32);
    BOOST_CHECK(refusal(in.file()) == errc::wrong_format);
}

BOOST_AUTO_TEST_CASE(every_bit_of_the_geometry_is_checked) {
    const scratch in;
    { const auto made = region::create(in.file(), small_options()); }
    const int file = ::open(in.file().c_str(), O_RDWR);
    const off_t from = offsetof(region_header, geometry);
    int accepted = 0;
    for (std::size_t bit = 0; bit < sizeof(region_geometry) * 8; bit += 3) {
        std::uint8_t byte = 0;
        const off_t at = from + static_cast<off_t>(bit / 8);
        BOOST_REQUIRE(::pread(file, &byte, 1, at) == 1);
        const auto turned = static_cast<std::uint8_t>(byte ^ 1U << (bit % 8));
        BOOST_REQUIRE(::pwrite(file, &turned, 1, at) == 1);
        accepted += refusal(in.file()) == errc{} ? 1 : 0;
        BOOST_REQUIRE(::pwrite(file, &byte, 1, at) == 1);
    }
    ::close(file);
    BOOST_TEST(accepted == 0);
    BOOST_CHECK(refusal(in.file()) == errc{});
}

BOOST_AUTO_TEST_CASE(a_truncated_region_is_refused) {
    const scratch in;
    { const auto made = region::create(in.file(), small_options()); }
    struct stat facts {};
    BOOST_REQUIRE(::stat(in.file().c_str(), &facts) == 0);
    for (const off_t size :
         {facts.st_size - 1, off_t{1 << 20}, off_t{4096}, off_t{100}, off_t{0}}) {
        BOOST_REQUIRE(::truncate(in.file().c_str(), size) == 0);
        BOOST_CHECK(refusal(in.file()) == errc::damaged);
    }
}

BOOST_AUTO_TEST_CASE(another_world_and_another_boot_are_refused) {
    const scratch in;
    { const auto made = region::create(in.file(), small_options()); }
    BOOST_CHECK(refusal(in.file(), {{1, 9}, {3, 4}}) == errc::foreign);
    BOOST_CHECK(refusal(in.file(), {{1, 2}, {3, 9}}) == errc::missing);
    BOOST_CHECK(refusal(in.file()) == errc{});
}

BOOST_AUTO_TEST_CASE(who_attaches_alone_finds_locks_that_nobody_holds) {
    const scratch in;
    {
        // A copy of a live region: the image shows the life lock as held.
        auto made = region::create(in.file(), small_options());
        const auto self = session::join(made, nullptr);
        BOOST_REQUIRE(self.has_value());
        const int file = ::open((in.folder + "/copy").c_str(), O_RDWR | O_CREAT, 0600);
        const auto bytes = made.header().committed_bytes.value;
        BOOST_REQUIRE(::write(file, made.start(), bytes) == static_cast<ssize_t>(bytes));
        const auto end = static_cast<off_t>(made.geometry().shadow_at);
        BOOST_REQUIRE(::posix_fallocate(file, 0, end) == 0);  // Nothing was captured: zeros.
        ::close(file);
    }
    auto copy = region::attach(in.folder + "/copy", ours, shm::access::read_write);
    BOOST_CHECK(try_repair(copy, 0) == life::gone);
    ::unlink((in.folder + "/copy").c_str());
}

BOOST_AUTO_TEST_CASE(capacity_reached_is_region_full) {
    open_bank bank;
    errc reason{};
    for (int i = 0; i < 100'000 && reason == errc{}; ++i) {
        const auto paid = bank.self.write([&](transaction& tx) -> result<> {
            PERDURE_TRY(take_row(tx, bank.in.wide));
            return {};
        });
        if (!paid) reason = paid.error();
    }
    BOOST_CHECK(reason == errc::region_full);
    BOOST_TEST(bank.faults() == "");
    // What is there goes on working.
    BOOST_TEST(
        bank.self.write([&](transaction& tx) -> result<> { return free_row(tx, bank.in.wide, 3); })
            .has_value());
    BOOST_TEST(bank.self
                   .write([&](transaction& tx) -> result<> {
                       PERDURE_TRY(take_row(tx, bank.in.wide));
                       return {};
                   })
                   .has_value());
    BOOST_TEST(bank.faults() == "");
}

/// A tmpfs of its own, which only root may mount.
struct small_tmpfs {
    std::string folder;
    bool mounted = false;
    explicit small_tmpfs(const char* size) {
        std::string name = "/tmp/perdure-tmpfs-XXXXXX";
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
        const std::string options = std::string("size=") + size;
        mounted = ::mount("perdure", folder.c_str(), "tmpfs", 0, options.c_str()) == 0;
        if (!mounted) BOOST_TEST_MESSAGE("SKIPPED: no right to mount a tmpfs (run as root)");
    }
    small_tmpfs(const small_tmpfs&) = delete;
    small_tmpfs& operator=(const small_tmpfs&) = delete;
    ~small_tmpfs() {
        if (mounted) ::umount(folder.c_str());
        ::rmdir(folder.c_str());
    }
};

BOOST_AUTO_TEST_CASE(no_space_at_creation_is_an_answer_and_leaves_no_file) {
    const small_tmpfs in("4m");
    if (!in.mounted) return;
    const auto path = in.folder + "/region";
    BOOST_CHECK_EXCEPTION(region::create(path, small_options()), failure,
                          [](const failure& e) { return e.reason() == errc::no_memory; });
    BOOST_TEST(::access(path.c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(no_space_in_the_middle_is_an_answer_not_a_signal) {
    const small_tmpfs in("40m");
    if (!in.mounted) return;
    const auto path = in.folder + "/region";
    auto options = small_options();
    options.capacity_bytes = 1ULL << 30;
    auto where = region::create(path, options);
    book_keeper keeper;
    auto self = session::join(where, &keeper).value();
    const auto tables = make_bank(self);
    errc reason{};
    for (int i = 0; i < 200'000 && reason == errc{}; ++i) {
        const auto paid = self.write([&](transaction& tx) -> result<> {
            auto taken = PERDURE_TRY(take_row(tx, tables.wide));
            reinterpret_cast<wide_row*>(taken.copy)->words.fill(1);
            return {};
        });
        if (!paid) reason = paid.error();
    }
    BOOST_CHECK(reason == errc::no_memory);
    const auto faults = audit(where);
    BOOST_TEST((faults.empty() ? "" : faults.front()) == "");
    ::unlink(path.c_str());
}

BOOST_AUTO_TEST_CASE(a_childs_inherited_region_answers_forked) {
    open_bank bank(2);
    const pid_t child = ::fork();
    if (child == 0) {
        const bool refused =
            transfer(bank.self, bank.in, 0, 1, 1).error() == errc::forked &&
            bank.look_at(0).error() == errc::forked &&
            session::join(bank.where, nullptr).error() == errc::forked &&
            bank.self.wait_durable({1, 1}, deadline::never()).error() == errc::forked;
        ::_exit(refused ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    BOOST_TEST(status == 0);
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    BOOST_TEST(bank.faults() == "");
}

/// Runs `work` in a child that is an ordinary user; true when it says so. Only root can become one.
template <class Work>
bool as_another_user(Work&& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t nobody = 65534;
        if (::setegid(nobody) != 0 || ::seteuid(nobody) != 0) ::_exit(2);
        ::_exit(work() ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return status == 0;
}

template <class Act>
errc reason_of(Act&& act) {
    try {
        act();
    } catch (const failure& refused) {
        return refused.reason();
    }
    return errc{};
}

BOOST_AUTO_TEST_CASE(another_users_region_is_refused) {
    if (::geteuid() != 0) {
        BOOST_TEST_MESSAGE("SKIPPED: only root can become another user");
        return;
    }
    const scratch in;
    BOOST_REQUIRE(::chmod(in.folder.c_str(), 0755) == 0);
    { const auto made = region::create(in.file(), small_options()); }
    const auto attach = [&](shm::access mode) {
        return reason_of([&] { const auto other = region::attach(in.file(), ours, mode); });
    };
    BOOST_TEST(as_another_user(
        [&] { return attach(shm::access::read_write) == errc::io_error; }));  // 0600.
    // Rights that somebody widened by hand do not make it theirs.
    BOOST_REQUIRE(::chmod(in.file().c_str(), 0606) == 0);
    BOOST_TEST(as_another_user([&] { return attach(shm::access::read_write) == errc::foreign; }));
    BOOST_REQUIRE(::chmod(in.file().c_str(), 0604) == 0);
    BOOST_TEST(as_another_user([&] { return attach(shm::access::read_only) == errc{}; }));
}

BOOST_AUTO_TEST_CASE(a_directory_without_permission_is_named_and_left_alone) {
    if (::geteuid() != 0) {
        BOOST_TEST_MESSAGE("SKIPPED: only root can become another user");
        return;
    }
    const scratch in;
    BOOST_REQUIRE(::chmod(in.folder.c_str(), 0555) == 0);
    BOOST_TEST(as_another_user([&] {
        return reason_of([&] { const auto made = region::create(in.file(), small_options()); }) ==
               errc::io_error;
    }));
    BOOST_TEST(::access(in.file().c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(warming_touches_and_changes_nothing) {
    open_bank bank(3);
    const auto before = digest_of(bank.where);
    bank.where.warm();
    BOOST_TEST(digest_of(bank.where) == before);
}

}  // namespace
