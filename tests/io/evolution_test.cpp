// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/evolution.hpp: rows of a checkpoint go where the fields of that name are now, new
// fields are zero, indexes are exact (shm/audit.hpp looks); what cannot be carried over is refused
// by name, and nothing is read then.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <perdure/io/audit.hpp>
#include <perdure/io/evolution.hpp>
#include <perdure/tests/fault/checkpoint_scene.hpp>
#include <perdure/tests/print_errc.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using shm::field_type;

/// Reordered, a field added, ordered by two of them, the row longer.
shm::schema new_accounts() {
    shm::schema made;
    made.name = "accounts";
    made.version = 2;
    made.row_bytes = 80;
    made.key_at = 56;
    made.fields = {{"mark", field_type::u32, 16, 4, 0, 0},
                   {"group", field_type::u32, 20, 4, 0, 0},
                   {"note", field_type::bytes, 24, 16, 0, 0},
                   {"balance", field_type::i64, 40, 8, shm::adds, 20},
                   {"opened", field_type::u64, 48, 8, 0, 0},
                   {"key", field_type::bytes, 56, 16, 0, 0}};
    made.indexes = {{1, 3}};
    return made;
}

/// One order of before is gone, two stay in other places, one is new.
shm::schema new_ranks() {
    shm::schema made;
    made.name = "ranks";
    made.version = 3;
    made.row_bytes = 64;
    made.fields = {{"name", field_type::text, 16, 24, 0, 0},
                   {"mark", field_type::u32, 40, 4, 0, 0},
                   {"season", field_type::u32, 44, 4, 0, 0},
                   {"score", field_type::i64, 48, 8, 0, 0},
                   {"group", field_type::u32, 56, 4, 0, 0}};
    made.indexes = {{0, 4}, {1}, {4, 3}};
    return made;
}

shm::schema new_papers() {
    shm::schema made;
    made.name = "papers";
    made.version = 2;
    made.row_bytes = 56;
    made.key_at = 40;
    made.fields = {{"text", field_type::blob, 16, 16, 0, 0},
                   {"edition", field_type::u64, 32, 8, 0, 0},
                   {"key", field_type::bytes, 40, 16, 0, 0}};
    return made;
}

struct saved_scene {
    checkpoint_scene one{scene_options{21, {}}};
    io::image before;
    region_memory memory;
    std::unique_ptr<shm::region> made;
    std::string why;

    saved_scene() {
        one.act(200);
        one.drain();
        before = io::take_image(one.where());
        one.checkpoint(true);
        one.disk.beside = nullptr;
    }

    result<io::evolved_tables> load(const io::evolution& to) {
        io::file_system files(one.disk);
        std::optional<io::finding> found;
        const auto promised = one.promised();
        const auto& entry = promised.checkpoints().front();
        const auto path = io::checkpoint_path("world", entry.lsn);
        const auto reader = io::checkpoint_reader::open(files, path, found).value();
        made.reset();
        memory = take_memory();
        made = std::make_unique<shm::region>(shm::region::over(memory->span(), small_options()));
        why.clear();
        return io::load_evolved(reader, to, *made, why);
    }
};

const io::table_image& named(const io::image& in, const std::string& name) {
    const auto found =
        std::ranges::find_if(in.tables, [&](const auto& each) { return each.shape.name == name; });
    BOOST_REQUIRE(found != in.tables.end());
    return *found;
}

std::vector<std::byte> bytes_of(const std::byte* row, const shm::field& of) {
    return {row + of.offset, row + of.offset + of.bytes};
}

/// Every field of every live row: under its name, or zero where it is new. Answers the rows.
std::size_t compare(const io::table_image& before, const io::table_image& after) {
    std::size_t live = 0;
    const std::size_t rows = before.rows.size() / before.shape.row_bytes;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto* old = before.rows.data() + row * before.shape.row_bytes;
        shm::row_header header;
        std::memcpy(&header, old, sizeof header);
        if (header.lsn == 0) continue;
        BOOST_TEST_REQUIRE((row + 1) * after.shape.row_bytes <= after.rows.size());
        const auto* now = after.rows.data() + row * after.shape.row_bytes;
        BOOST_TEST_REQUIRE(std::memcmp(old, now, sizeof header) == 0);
        if (header.live != 1) continue;
        ++live;
        for (const auto& field : after.shape.fields) {
            const auto stored = before.shape.field_named(field.name);
            const auto expected = stored ? bytes_of(old, before.shape.fields[*stored])
                                         : std::vector<std::byte>(field.bytes);
            BOOST_TEST_REQUIRE((bytes_of(now, field) == expected),
                               after.shape.name << "." << field.name << " of row " << row);
        }
    }
    return live;
}

BOOST_FIXTURE_TEST_CASE(fields_are_read_by_their_names_and_indexes_built_anew, saved_scene) {
    const io::evolution to{{new_accounts(), new_ranks(), new_papers()}};
    const auto loaded = load(to);
    BOOST_TEST_REQUIRE(loaded.has_value(), why);
    BOOST_TEST((loaded->changed == std::vector<std::string>{"accounts", "ranks", "papers"}));
    const auto after = io::take_image(*made);
    for (const auto* name : {"accounts", "ranks", "papers"}) {
        BOOST_TEST(compare(named(before, name), named(after, name)) > 3U);
    }
    BOOST_TEST(compare(named(before, "wide"), named(after, "wide")) > 50U);
    BOOST_TEST(compare(named(before, "papers.heap"), named(after, "papers.heap")) > 0U);
    // Keys lead to rows, orders through them, balances add up, values hang together.
    const auto faults = audit(*made);
    BOOST_TEST(faults.empty(), (faults.empty() ? "" : faults.front()));
    BOOST_TEST(io::examine(after).problems.size() == io::examine(before).problems.size());
    BOOST_TEST(shm::find_table(*made, new_accounts()).has_value());
    BOOST_TEST((shm::find_table(*made, account_schema()).error() == errc::schema_mismatch));
    for (const auto& shape : {new_accounts(), new_ranks()}) {
        const auto table = shm::find_table(*made, shape).value();
        BOOST_TEST(shm::read_shape(*made, table)->indexes.size() == shape.indexes.size());
    }
}

BOOST_FIXTURE_TEST_CASE(it_is_a_world_like_any_other_then, saved_scene) {
    BOOST_TEST_REQUIRE(load({{new_accounts(), new_ranks(), new_papers()}}).has_value(), why);
    auto by = shm::session::join(*made, nullptr).value();
    const auto table = shm::find_table(*made, "accounts").value();
    const auto paid = by.write([&](shm::transaction& tx) -> result<> {
        for (const int sign : {-1, 1}) {
            const auto key = key_of(sign < 0 ? 1 : 2);
            std::byte* row = nullptr;
            PERDURE_TRY(shm::edit_keys(tx, table, {&key, 1}, {&row, 1}));
            std::int64_t balance = 0;
            std::memcpy(&balance, row + 40, sizeof balance);
            balance += sign * 5;
            std::memcpy(row + 40, &balance, sizeof balance);
        }
        return shm::create_table(tx, wide_schema("later")).has_value() ? result<>()
                                                                       : errc::bad_schema;
    });
    BOOST_TEST_REQUIRE(paid.has_value(), name(paid.error()));
    BOOST_TEST(paid->lsn == one.promised().checkpoints().front().lsn + 1);
    BOOST_TEST(audit(*made).empty());
}

BOOST_FIXTURE_TEST_CASE(what_is_wanted_as_it_is_stays_as_it_is, saved_scene) {
    const auto loaded = load({{account_schema(), wide_schema(), wide_schema("not there")}});
    BOOST_TEST_REQUIRE(loaded.has_value(), why);
    BOOST_TEST(loaded->changed.empty());
    BOOST_TEST(io::examine(io::take_image(*made)).image_hash == io::examine(before).image_hash);
}

BOOST_FIXTURE_TEST_CASE(a_field_goes_only_where_that_is_allowed, saved_scene) {
    auto without = new_accounts();
    without.fields.erase(without.fields.begin() + 2);
    without.indexes = {{1, 2}};
    const auto refused = load({{without}});
    BOOST_TEST((refused.error() == errc::schema_mismatch));
    BOOST_TEST(why == "table accounts: field note goes, and what it holds would be lost");
    BOOST_TEST_REQUIRE(load({{without}, true}).has_value(), why);
    compare(named(before, "accounts"), named(io::take_image(*made), "accounts"));
    BOOST_TEST(audit(*made).empty());
    auto valueless = new_papers();
    valueless.fields.erase(valueless.fields.begin());
    BOOST_TEST((load({{valueless}, true}).error() == errc::schema_mismatch));
    BOOST_TEST(why == "table papers: field text goes, and values hang on it");
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_carried_over_is_refused_and_said, saved_scene) {
    const auto refusal = [&](auto&& change) {
        auto wanted = new_accounts();
        change(wanted);
        const auto done = load({{wanted}});
        BOOST_TEST(!done.has_value());
        BOOST_TEST(io::take_image(*made).tables.empty());  // Nothing was read.
        return why;
    };
    const auto field = [](auto& of, const char* name) -> shm::field& {
        return of.fields[of.field_named(name).value()];
    };
    BOOST_TEST(refusal([](auto& s) { s.version = 1; }) ==
               "table accounts: version 1 is not above the stored 1");
    BOOST_TEST(refusal([](auto& s) { s.flags = shm::transient; }) ==
               "table accounts: its flags are others");
    BOOST_TEST(refusal([](auto& s) { s.key_at = 0; }) == "table accounts: its key is another one");
    BOOST_TEST(refusal([](auto& s) { s.key_at = 24; }) == "table accounts: its key is another one");
    BOOST_TEST(refusal([&](auto& s) { field(s, "mark").type = field_type::bytes; }) ==
               "table accounts: field mark has another type or length");
    BOOST_TEST(refusal([&](auto& s) { field(s, "balance").flags = shm::subtracts; }) ==
               "table accounts: field balance is balanced in one of both schemas");
    BOOST_TEST(refusal([&](auto& s) { field(s, "balance").group_offset = 16; }) ==
               "table accounts: field balance is balanced by another group");
    BOOST_TEST(refusal([&](auto& s) {
                   field(s, "opened") = {"x", field_type::blob, 48, 8, 0, 0};
               }) == "table accounts: it breaks a rule");
    BOOST_TEST(refusal([&](auto& s) {
                   s.row_bytes = 96;
                   s.fields.push_back({"text", field_type::blob, 72, 16, 0, 0});
               }) == "table accounts: its first field for long values is new");
}

BOOST_AUTO_TEST_CASE(what_no_field_names_is_not_laid_over_one_that_moved) {
    shm::schema stored;
    stored.name = "gaps";
    stored.row_bytes = 32;
    stored.fields = {{"one", field_type::u64, 16, 8, 0, 0}};  // Eight bytes of nobody behind it.
    auto wanted = stored;
    wanted.version = 2;
    wanted.fields = {{"two", field_type::u64, 16, 8, 0, 0}, {"one", field_type::u64, 24, 8, 0, 0}};
    const std::array<std::uint64_t, 4> row{1, 1ULL << 32, 77, 88};
    io::row_batch batch;
    batch.numbers = {5};
    batch.rows.resize(sizeof row);
    std::memcpy(batch.rows.data(), row.data(), sizeof row);
    std::vector<std::byte> section;
    io::table_archive archive;
    archive.pack({}, io::row_plan(stored, stored), batch, section);
    io::section_header header;
    std::memcpy(&header, section.data(), sizeof header);
    const auto payload = std::span(section).subspan(sizeof header);
    const auto read_as = [&](const shm::schema& shape) {
        io::row_batch out;
        BOOST_TEST_REQUIRE(
            archive.unpack(header, payload, io::row_plan(stored, shape), out).has_value());
        std::array<std::uint64_t, 4> words{};
        std::memcpy(words.data(), out.rows.data(), sizeof words);
        return words;
    };
    BOOST_TEST((read_as(stored) == row));
    BOOST_TEST((read_as(wanted) == std::array<std::uint64_t, 4>{1, 1ULL << 32, 0, 77}));
}

}  // namespace
