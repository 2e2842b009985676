// SPDX-License-Identifier: Apache-2.0
//
// Claims: a wait for durability completes through its handler's executor, never inside of the call
// that began it, with callbacks, futures and coroutines alike; without a keeper the watch drains;
// without anybody who drains the deadline answers stalled; cancellation and the watch's end abort;
// what cannot become durable is said (on a bank in shared memory over a simulated disk).
#include <perdure/io/async_wait.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <perdure/tests/io/kept_bank.hpp>

namespace {

using namespace perdure;
namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto soon = shm::deadline::in(std::chrono::milliseconds(1));
constexpr auto late = shm::deadline::in(std::chrono::minutes(2));

/// A bank, a context, and a watch that drains for the bank, or for nobody.
struct watched_bank : tests::kept_bank {
    asio::io_context context;
    std::optional<io::durability_watch> watch;

    explicit watched_bank(bool drains = true) {
        watch.emplace(where, drains ? &keeper : nullptr, context.get_executor());
    }
    /// What a keeper in another place would do.
    std::uint64_t drain_all() {
        const auto before = mark();
        keeper.help(where).value();
        return mark() - before;
    }
    shm::receipt paid() { return tests::transfer(self, in, 1, 2, 1).value(); }

    /// The code of one wait with a callback, the context run until it has come.
    error_code wait(const shm::receipt& of, shm::deadline until) {
        std::optional<error_code> seen;
        watch->async_wait(of, until, [&](error_code code) { seen = code; });
        BOOST_TEST(!seen.has_value());  // Never inside of the call.
        context.restart();
        context.run();
        BOOST_TEST_REQUIRE(seen.has_value());
        return *seen;
    }
};

asio::awaitable<void> pay_twice(watched_bank& in, int& done) {
    for (int i = 0; i < 2; ++i) {
        const auto paid = in.paid();
        co_await in.watch->async_wait(paid, late, asio::use_awaitable);
        if (in.mark() >= paid.lsn) ++done;
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(io_async_wait)

BOOST_AUTO_TEST_CASE(without_a_keeper_the_watch_drains_and_the_callback_comes) {
    watched_bank in;
    const auto paid = in.paid();
    BOOST_TEST(in.mark() < paid.lsn);
    BOOST_TEST(!in.wait(paid, late));
    BOOST_TEST(in.mark() >= paid.lsn);
    BOOST_TEST(in.watch->pending() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_durable_already_completes_later_all_the_same) {
    watched_bank in;
    const auto paid = in.paid();
    BOOST_TEST(!in.wait(paid, late));
    BOOST_TEST(!in.wait(paid, soon));
    BOOST_TEST(!in.wait({}, soon));  // Nothing was changed.
}

BOOST_AUTO_TEST_CASE(a_future_has_the_answer) {
    watched_bank in;
    const auto paid = in.paid();
    auto answer = in.watch->async_wait(paid, late, asio::use_future);
    in.context.run();
    BOOST_CHECK_NO_THROW(answer.get());
    BOOST_TEST(in.mark() >= paid.lsn);
}

BOOST_AUTO_TEST_CASE(a_future_throws_what_went_wrong) {
    watched_bank in(false);
    auto answer = in.watch->async_wait(in.paid(), soon, asio::use_future);
    in.context.run();
    BOOST_CHECK_EXCEPTION(answer.get(), boost::system::system_error,
                          [](const auto& why) { return why.code() == errc::stalled; });
}

BOOST_AUTO_TEST_CASE(a_coroutine_goes_on_when_it_is_durable) {
    watched_bank in;
    int done = 0;
    asio::co_spawn(in.context, pay_twice(in, done), asio::detached);
    in.context.run();
    BOOST_TEST(done == 2);
}

BOOST_AUTO_TEST_CASE(waits_of_many_receipts_all_complete) {
    watched_bank in;
    int done = 0;
    for (int i = 0; i < 200; ++i) {
        in.watch->async_wait(in.paid(), late, [&](error_code code) { done += code ? 0 : 1; });
    }
    in.context.run();
    BOOST_TEST(done == 200);
}

BOOST_AUTO_TEST_CASE(a_completion_runs_on_its_own_executor) {
    watched_bank in;
    asio::thread_pool others(1);
    std::thread::id seen;
    in.watch->async_wait(in.paid(), late, asio::bind_executor(others, [&](error_code) {
                             seen = std::this_thread::get_id();
                         }));
    others.join();  // Its work guard keeps the pool until then.
    BOOST_TEST((seen != std::thread::id() && seen != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(when_nobody_drains_the_deadline_answers_stalled) {
    watched_bank in(false);
    BOOST_TEST((in.wait(in.paid(), soon) == errc::stalled));
    BOOST_TEST(in.watch->pending() == 0U);
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_is_aborted_and_others_are_not) {
    watched_bank in(false);
    const auto paid = in.paid();
    asio::cancellation_signal stop;
    std::optional<error_code> first;
    std::optional<error_code> second;
    in.watch->async_wait(
        paid, late, asio::bind_cancellation_slot(stop.slot(), [&](error_code c) { first = c; }));
    in.watch->async_wait(paid, late, [&](error_code c) { second = c; });
    stop.emit(asio::cancellation_type::terminal);
    in.context.run_one();
    BOOST_TEST((first == error_code(asio::error::operation_aborted)));
    BOOST_TEST(!second.has_value());
    BOOST_TEST(in.watch->pending() == 1U);
    BOOST_TEST(in.drain_all() > 0U);  // Somebody else has drained.
    in.context.run();
    BOOST_TEST((second == error_code()));
    stop.emit(asio::cancellation_type::terminal);  // Too late, and harmless.
}

BOOST_AUTO_TEST_CASE(the_end_of_the_watch_aborts_what_waits) {
    watched_bank in(false);
    asio::cancellation_signal stop;
    std::optional<error_code> seen;
    in.watch->async_wait(
        in.paid(), late,
        asio::bind_cancellation_slot(stop.slot(), [&](error_code c) { seen = c; }));
    in.watch.reset();
    stop.emit(asio::cancellation_type::terminal);  // Nobody is there to hear it.
    in.context.run();
    BOOST_TEST((seen == error_code(asio::error::operation_aborted)));
}

BOOST_AUTO_TEST_CASE(lost_durability_is_told_to_all) {
    watched_bank in(false);
    const auto paid = in.paid();
    shm::put(in.where.header().durable.failed, static_cast<std::uint32_t>(errc::disk_full));
    BOOST_TEST((in.wait(paid, late) == errc::durability_lost));
}

BOOST_AUTO_TEST_CASE(a_receipt_of_another_incarnation_is_refused) {
    watched_bank in;
    auto paid = in.paid();
    ++paid.incarnation;
    BOOST_TEST((in.wait(paid, late) == errc::garbled));
}

BOOST_AUTO_TEST_CASE(a_region_for_reading_alone_is_refused) {
    const std::string path = "/dev/shm/perdure-async-wait-" + std::to_string(::getpid());
    {
        const auto made = shm::region::create(path, tests::small_options());
        auto seen =
            shm::region::attach(path, {tests::small_options().world, tests::small_options().boot},
                                shm::access::read_only);
        asio::io_context context;
        BOOST_CHECK_EXCEPTION(io::durability_watch(seen, nullptr, context.get_executor()), failure,
                              [](const failure& why) { return why.reason() == errc::read_only; });
    }
    ::unlink(path.c_str());
}

BOOST_AUTO_TEST_SUITE_END()
