// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp, all operations together: random batches by three participants, refused
// operations in their midst, against the model of economy_model.hpp. Each answer is the model's;
// after each batch so is every balance, hold, item, faucet and supply (L1, L3, L4); a refused
// operation leaves no trace in a transaction that goes on; conservation by the engine's own audit.
#include <rapidcheck.h>
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/ledger_comparison.hpp>
#include <perdure/tests/core/ledger_work.hpp>
#include <perdure/tests/core/open_ledger.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using ledger_work::operation;

struct compared : open_ledger {
    economy_model model;
    std::map<errc, std::uint64_t> refusals;
    std::uint64_t operations = 0;

    compared() {
        RC_ASSERT(
            by[0].write([&](tx& now) { return ledger_work::lay(books, now, model); }).has_value());
    }

    /// One transaction, which is given up as a whole if `given_up`.
    void run(const std::vector<operation>& batch, std::size_t who, bool given_up) {
        economy_model after;
        ledger_work::batch_answer said;
        const auto paid = by[who].write([&](tx& now) -> result<> {
            after = model;
            said = {};
            PERDURE_TRY(ledger_work::run(batch, books, now, after, said));
            return given_up ? result<>(errc::not_found) : result<>();
        });
        RC_ASSERT(said.difference == "");
        RC_ASSERT(paid.has_value() == !given_up);
        for (const auto& [code, times] : said.refused) refusals[code] += times;
        operations += batch.size();
        if (!given_up) model = after;
        const auto different = by[0].read(
            [&](view& seen) { return ledger_work::comparison(books, seen, model).look(); });
        RC_ASSERT(different.has_value());
        RC_ASSERT(*different == "");
    }
};

BOOST_AUTO_TEST_CASE(the_whole_ledger_is_what_a_child_would_write) {
    const int batches = is_torture() ? 5000 : 160;
    std::map<errc, std::uint64_t> refusals;
    std::uint64_t operations = 0;
    const auto one = rc::gen::map(
        rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, 26), rc::gen::arbitrary<std::uint64_t>()),
        [](const auto& drawn) {
            return operation{drawn.first, drawn.second};
        });
    const bool held = rc::check("the ledger against a model", [&] {
        compared here;
        const int turns = *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, batches));
        for (int turn = 0; turn < turns; ++turn) {
            const auto count = static_cast<std::size_t>(
                *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, 10)));
            const auto batch = *rc::gen::container<std::vector<operation>>(count, one);
            here.run(batch, *rc::gen::inRange<std::size_t>(0, 3), *rc::gen::inRange(0, 8) == 0);
            here.clock.now = here.model.now += *rc::gen::inRange<std::uint64_t>(0, 2);
        }
        RC_ASSERT(here.faults() == "");
        for (const auto& [code, times] : here.refusals) refusals[code] += times;
        operations += here.operations;
    });
    BOOST_TEST(held);
    BOOST_TEST_MESSAGE(operations << " operations");
    for (const auto& [code, times] : refusals) BOOST_TEST_MESSAGE(name(code) << " " << times);
    BOOST_TEST(operations >= (is_torture() ? 1'000'000U : 5'000U));
    // Every refusal of the ledger was met; overflow is of faucets and supplies.
    for (const auto code : {errc::unknown_account, errc::unknown_asset, errc::insufficient_funds,
                            errc::overflow,        errc::bad_amount,    errc::same_account,
                            errc::not_authorised,  errc::unknown_hold,  errc::too_many_legs,
                            errc::unknown_faucet,  errc::wrong_faucet,  errc::budget_exceeded,
                            errc::account_frozen,  errc::unknown_item,  errc::serial_required,
                            errc::not_unique,      errc::not_owner,     errc::bad_shards,
                            errc::unbalanced,      errc::exists,        errc::not_found}) {
        BOOST_TEST(refusals[code] != 0U, name(code));
    }
}

}  // namespace
