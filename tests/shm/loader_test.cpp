// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/loader.hpp about what files may say with all checksums right: schemas that name
// tables which are not theirs, keys outside of their rows, rows that no schema can have. All of it
// is damage, and nothing is written where it does not belong.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <map>
#include <perdure/shm/crc32c.hpp>
#include <perdure/shm/loader.hpp>
#include <perdure/tests/print_errc.hpp>
#include <perdure/tests/shm/open_bank.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

using schemas = std::map<std::uint32_t, schema_row>;

schemas schemas_of(const region& where) {
    schemas out;
    for (std::uint32_t table = schemas_table + 1; table < table_count; ++table) {
        const auto& row = *where.at<schema_row>(locate(where, schemas_table, table));
        if (row.header.live == 1) out[table] = row;
    }
    return out;
}

/// A bank's schemas, and a region that is to be filled with them.
struct fresh_bank {
    open_bank there;
    schemas all = schemas_of(there.where);
    std::uint32_t accounts = there.in.accounts;
    shared_bytes memory{small_bytes};
    region where = region::over(memory.span(), small_options());
    loader loading{where};

    result<> load() {
        for (const auto& [table, row] : all) PERDURE_TRY(loading.put_schema(table, row));
        return loading.finish([](std::size_t count, const auto& work) {
            for (std::size_t i = 0; i < count; ++i) work(i);
        });
    }
};

BOOST_FIXTURE_TEST_CASE(a_banks_schemas_are_loaded, fresh_bank) {
    BOOST_TEST(load().has_value());
    BOOST_TEST(loading.tables().size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_key_lies_within_its_row, fresh_bank) {
    for (const std::uint32_t at : {0xffff'fff8U, 0xffff'fff0U, all[accounts].row_bytes - 8}) {
        all[accounts].key_at = at;
        BOOST_CHECK(load().error() == errc::damaged);
    }
}

BOOST_FIXTURE_TEST_CASE(an_index_is_a_table_of_buckets_that_is_its_own, fresh_bank) {
    const auto sound = all;
    const auto wide = there.in.wide;
    const std::uint32_t buckets = sound.at(accounts).index;
    const std::vector<std::function<void()>> spoilers{
        [&] { all[accounts].index = table_count - 1; },
        [&] { all[accounts].index = wide; },
        [&] { all[accounts].index = accounts; },
        [&] { all[buckets].overflow = 0; },
        [&] { all[buckets].overflow = buckets; },
        [&] { all[buckets].flags = 0; },
        [&] { all[accounts].heap = table_count; },
        [&] { all[accounts].heap = schemas_table; },
        [&] { all[accounts].heap = wide; },
        [&] { all.erase(buckets); },
    };
    for (std::size_t i = 0; i < spoilers.size(); ++i) {
        fresh_bank one;
        all = sound;
        spoilers[i]();
        one.all = all;
        BOOST_CHECK_MESSAGE(one.load().error() == errc::damaged, "spoiler " << i);
    }
}

BOOST_FIXTURE_TEST_CASE(no_record_makes_a_schema_that_has_no_number, fresh_bank) {
    struct {
        record_header header;
        transaction_header transaction;
        change_header change;
        std::uint64_t difference;
    } record{};
    record.header = {1, sizeof record, 1, static_cast<std::uint16_t>(record_state::committed)};
    record.transaction.changes = 1;
    record.change = {schemas_table, 1, 1, table_count + 60, 0};
    record.difference = 1;
    const auto bytes = std::as_bytes(std::span(&record, 1));
    record.transaction.crc = record_crc(bytes);
    BOOST_CHECK(loading.apply(bytes).error() == errc::damaged);
}

}  // namespace
