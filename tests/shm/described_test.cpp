// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/described.hpp: fields in the order of the description, where the compiler put them,
// with the type their member has; rules by name.
#include <boost/test/unit_test.hpp>
#include <perdure/shm/described.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;

struct ship_row {
    row_header header;
    transaction_key key;
    std::array<char, 12> name;
    std::uint32_t fleet;
    std::int64_t cargo;
    std::int64_t debt;
    std::uint64_t launched;
    blob_ref log;
    std::uint64_t reserved;
};
static_assert(mapped<ship_row>);
BOOST_DESCRIBE_STRUCT(ship_row, (), (key, name, fleet, cargo, debt, launched, log))

BOOST_AUTO_TEST_CASE(a_schema_says_what_the_struct_says) {
    const auto made = schema_of<ship_row>("ships", {.flags = transient,
                                                    .version = 3,
                                                    .adds = {"cargo"},
                                                    .subtracts = {"debt"},
                                                    .group = "fleet",
                                                    .indexes = {{"fleet", "launched"}, {"name"}}});
    schema wanted;
    wanted.name = "ships";
    wanted.version = 3;
    wanted.flags = transient;
    wanted.row_bytes = sizeof(ship_row);
    wanted.key_at = 16;
    wanted.fields = {{"key", field_type::bytes, 16, 16, 0, 0},
                     {"name", field_type::text, 32, 12, 0, 0},
                     {"fleet", field_type::u32, 44, 4, 0, 0},
                     {"cargo", field_type::i64, 48, 8, adds, 44},
                     {"debt", field_type::i64, 56, 8, subtracts, 44},
                     {"launched", field_type::u64, 64, 8, 0, 0},
                     {"log", field_type::blob, 72, sizeof(blob_ref), 0, 0}};
    wanted.indexes = {{2, 5}, {1}};
    BOOST_TEST((made == wanted));
    BOOST_TEST(made.validate().has_value());
}

BOOST_AUTO_TEST_CASE(a_row_without_a_key_says_so) {
    const auto made = schema_of<ship_row>("wrecks", {.key = ""});
    BOOST_TEST(made.key_at == 0U);
    BOOST_TEST(made.validate().has_value());
    BOOST_TEST(!made.is_balanced());
}

}  // namespace
