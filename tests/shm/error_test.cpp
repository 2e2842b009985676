// SPDX-License-Identifier: Apache-2.0
//
// Claims: every errc has its own spelling and a sentence of remedy (by reading the header's own
// enumerators); a result costs two registers and throws its code at the edge; PERDURE_TRY hands the
// error on; a failure says thing and remedy; a broken invariant ends the process by SIGABRT (in a
// child).
#include <perdure/shm/error.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using perdure::errc;
using perdure::result;

namespace {

/// Name and number of every enumerator, from the text a person edits.
std::vector<std::pair<std::string, int>> enumerators() {
    const char* source = std::getenv("PERDURE_SOURCE");
    BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest: PERDURE_SOURCE is not set");
    std::ifstream header(std::string(source) + "/shm/error.hpp");
    BOOST_REQUIRE(header.is_open());
    std::vector<std::pair<std::string, int>> found;
    for (std::string line; std::getline(header, line);) {
        char spelling[40] = {};
        int number = 0;
        char after = 0;
        if (std::sscanf(line.c_str(), " %39[a-z_] = %d%c", spelling, &number, &after) == 3 &&
            after == ',') {
            found.emplace_back(spelling, number);
        }
    }
    return found;
}

result<std::uint64_t> half(std::uint64_t n) {
    if (n % 2 != 0) return errc::bad_amount;
    return n / 2;
}

result<std::uint64_t> quarter(std::uint64_t n) { return PERDURE_TRY(half(PERDURE_TRY(half(n)))); }

result<> only_even(std::uint64_t n) {
    PERDURE_TRY(half(n));
    return {};
}

result<std::unique_ptr<int>> boxed(bool there) {
    if (!there) return errc::not_found;
    return std::make_unique<int>(7);
}

result<int> unboxed(bool there) {
    auto box = PERDURE_TRY(boxed(there));
    return *box;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shm_error)

BOOST_AUTO_TEST_CASE(every_errc_answers_its_own_spelling_and_a_remedy) {
    const auto all = enumerators();
    BOOST_TEST(all.size() >= 37U);
    std::set<int> numbers;
    std::set<std::string_view> remedies;
    for (const auto& [spelling, number] : all) {
        const auto code = static_cast<errc>(number);
        BOOST_TEST(name(code) == spelling);
        BOOST_TEST(remedy(code).ends_with('.'));
        BOOST_TEST(numbers.insert(number).second, spelling << " shares its number");
        BOOST_TEST(remedies.insert(remedy(code)).second, spelling << " shares its remedy");
        BOOST_TEST(make_error_code(code).message() == remedy(code));
    }
    BOOST_TEST(!numbers.contains(0));
}

BOOST_AUTO_TEST_CASE(a_value_outside_the_enum_is_unknown) {
    BOOST_TEST(name(errc{}) == "unknown");
    BOOST_TEST(name(static_cast<errc>(65535)) == "unknown");
}

BOOST_AUTO_TEST_CASE(a_result_fits_two_registers) {
    static_assert(sizeof(result<std::uint64_t>) == 16);
    static_assert(std::is_trivially_copyable_v<result<std::uint64_t>>);
    BOOST_TEST(half(8).value() == 4U);
}

BOOST_AUTO_TEST_CASE(value_of_an_error_throws_the_code) {
    BOOST_CHECK_EXCEPTION((void)half(3).value(), boost::system::system_error, [](const auto& e) {
        return e.code() == errc::bad_amount && e.code().category() == perdure::category();
    });
}

BOOST_AUTO_TEST_CASE(try_yields_the_value_or_leaves_with_the_error) {
    BOOST_TEST(quarter(8).value() == 2U);
    BOOST_CHECK(quarter(6).error() == errc::bad_amount);
    BOOST_TEST(only_even(2).has_value());
    BOOST_CHECK(only_even(1).error() == errc::bad_amount);
    BOOST_TEST(unboxed(true).value() == 7);
    BOOST_CHECK(unboxed(false).error() == errc::not_found);
}

BOOST_AUTO_TEST_CASE(a_failure_says_thing_cause_and_remedy) {
    const perdure::failure refused(errc::foreign, "region /x: not ours", "remove it");
    const std::string text = refused.what();
    BOOST_TEST(text.find("region /x: not ours") != std::string::npos);
    BOOST_TEST(text.find("remove it") != std::string::npos);
    BOOST_TEST(refused.thing() == "region /x: not ours");
    BOOST_TEST(refused.todo() == "remove it");
    BOOST_CHECK(refused.reason() == errc::foreign);
    BOOST_CHECK(refused.code() == errc::foreign);
}

BOOST_AUTO_TEST_CASE(a_broken_invariant_aborts_and_a_true_one_does_not) {
    PERDURE_ASSERT(1 + 1 == 2);
    const pid_t child = fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit none{0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        PERDURE_ASSERT(child != 0);
        _exit(0);
    }
    int status = 0;
    BOOST_REQUIRE(waitpid(child, &status, 0) == child);
    BOOST_TEST(WIFSIGNALED(status));
    BOOST_TEST(WTERMSIG(status) == SIGABRT);
}

BOOST_AUTO_TEST_SUITE_END()
