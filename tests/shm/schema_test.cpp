// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/schema: what validate() accepts satisfies S1 to S6, survives the way into a row and
// back, and nothing else does.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

template <class Change>
void expect_bad(Change&& change) {
    auto made = account_schema();
    BOOST_REQUIRE(made.validate().has_value());
    change(made);
    BOOST_CHECK(made.validate().error() == errc::bad_schema);
}

BOOST_AUTO_TEST_CASE(rows_have_a_size_that_fits) {
    expect_bad([](schema& s) { s.row_bytes = 63; });
    expect_bad([](schema& s) { s.row_bytes = 16; });
    expect_bad([](schema& s) { s.row_bytes = page_bytes + 8; });
    expect_bad([](schema& s) { s.row_bytes = 48; });  // S1, S2: the last field hangs out.
}

BOOST_AUTO_TEST_CASE(names_are_there_and_short) {
    expect_bad([](schema& s) { s.name.clear(); });
    expect_bad([](schema& s) { s.name.assign(schema_name_bytes, 'n'); });
    expect_bad([](schema& s) { s.fields[0].name.clear(); });
    expect_bad([](schema& s) { s.fields[0].name.assign(field_name_bytes, 'f'); });
}

BOOST_AUTO_TEST_CASE(fields_ascend_and_do_not_overlap) {
    expect_bad([](schema& s) { s.fields[1].offset = 24; });
    expect_bad([](schema& s) { std::swap(s.fields[0], s.fields[1]); });
    expect_bad([](schema& s) { s.fields[0].offset = 8; });
    expect_bad([](schema& s) { s.fields[2].bytes = 8; });
    expect_bad([](schema& s) { s.fields[2].type = field_type{9}; });
    expect_bad([](schema& s) { s.fields.resize(fields_max + 1, s.fields[4]); });
}

BOOST_AUTO_TEST_CASE(a_key_lies_inside_the_row) {
    expect_bad([](schema& s) { s.key_at = 8; });
    expect_bad([](schema& s) { s.key_at = 20; });
    expect_bad([](schema& s) { s.key_at = 56; });
}

BOOST_AUTO_TEST_CASE(a_balanced_field_is_an_integer_with_a_group) {
    expect_bad([](schema& s) { s.fields[1].type = field_type::u64; });
    expect_bad([](schema& s) { s.fields[1].group_offset = 0; });
    expect_bad([](schema& s) { s.fields[1].group_offset = 62; });
    expect_bad([](schema& s) { s.fields[1].group_offset = 64; });
}

BOOST_AUTO_TEST_CASE(an_ordered_index_names_fields_it_can_order) {
    const auto wide = [](schema& s) {
        s.row_bytes = 128;
        s.fields.push_back({"label", field_type::text, 64, 41, 0, 0});
    };
    expect_bad([](schema& s) { s.indexes = {{}}; });
    expect_bad([](schema& s) { s.indexes = {{9}}; });
    expect_bad([](schema& s) { s.indexes.assign(indexes_max + 1, {1}); });
    expect_bad([&](schema& s) {
        wide(s);
        s.indexes = {{static_cast<std::uint8_t>(s.fields.size() - 1)}};  // Six words.
    });
    expect_bad([](schema& s) {
        s.row_bytes = 128;
        s.fields.push_back({"value", field_type::blob, 64, 16, 0, 0});
        s.indexes = {{static_cast<std::uint8_t>(s.fields.size() - 1)}};
    });
}

BOOST_AUTO_TEST_CASE(a_blob_field_holds_a_reference) {
    const auto add = [](schema& s, std::uint16_t offset, std::uint16_t bytes) {
        s.row_bytes = 128;
        s.fields.push_back({"value", field_type::blob, offset, bytes, 0, 0});
    };
    expect_bad([&](schema& s) { add(s, 68, 16); });
    expect_bad([&](schema& s) { add(s, 64, 24); });
}

BOOST_AUTO_TEST_CASE(a_schema_survives_its_row) {
    auto made = account_schema("some accounts");
    made.version = 7;
    made.flags = transient;
    BOOST_TEST((from_row(to_row(made)).value() == made));
    BOOST_TEST(made.is_balanced());
    BOOST_TEST(!wide_schema().is_balanced());
    const auto shape = shape_of(to_row(made));
    BOOST_REQUIRE(shape.rules.size() == 1U);
    BOOST_TEST(shape.rules[0].offset == 32);
    BOOST_TEST(shape.rules[0].group_offset == 40);
    BOOST_TEST(shape.rules[0].sign == 1);
}

BOOST_AUTO_TEST_CASE(a_garbled_row_is_refused_or_harmless) {
    const unsigned seed = 7;
    std::mt19937 random(seed);
    int refused = 0;
    for (int turn = 0; turn < 20'000; ++turn) {
        auto row = to_row(account_schema());
        auto* bytes = reinterpret_cast<unsigned char*>(&row);
        for (int i = 0; i < 3; ++i) bytes[random() % 300] ^= static_cast<unsigned char>(random());
        const auto back = from_row(row);
        refused += back ? 0 : 1;
        if (back) BOOST_REQUIRE(back->validate().has_value());
    }
    BOOST_TEST(refused > 1000);
}

BOOST_AUTO_TEST_CASE(a_live_table_can_be_read_back) {
    open_bank bank;
    BOOST_TEST((read_schema(bank.where, bank.in.accounts).value() == account_schema()));
    BOOST_CHECK(read_schema(bank.where, 200).error() == errc::unknown_table);
    BOOST_TEST(find_table(bank.where, "wide").value() == bank.in.wide);
    BOOST_TEST(find_table(bank.where, "schemas").value() == schemas_table);
    BOOST_CHECK(find_table(bank.where, "nothing").error() == errc::unknown_table);
}

}  // namespace
