// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/page_reserve: memory is ready before it is wanted, only so far, nothing in the
// region changes, and a region that can have no more is left alone.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <perdure/shm/page_reserve.hpp>
#include <perdure/tests/shm/open_bank.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

struct grown_region {
    std::string path = "/dev/shm/perdure-reserve-" + std::to_string(::getpid());
    region where;
    book_keeper keeper;
    session self;
    bank in;

    grown_region(std::uint64_t capacity, int rows)
        : where(region::create(path, of_capacity(capacity))),
          self(session::join(where, &keeper).value()),
          in(make_bank(self)) {
        for (int i = 0; i < rows; ++i) {
            BOOST_REQUIRE(self.write([&](transaction& tx) -> result<> {
                                  PERDURE_TRY(take_row(tx, in.wide));
                                  return {};
                              })
                              .has_value());
        }
    }
    grown_region(const grown_region&) = delete;
    grown_region& operator=(const grown_region&) = delete;
    ~grown_region() { ::unlink(path.c_str()); }

    static region_options of_capacity(std::uint64_t bytes) {
        auto options = small_options();
        options.capacity_bytes = bytes;
        return options;
    }
    [[nodiscard]] std::uint64_t used() const {
        return where.page_at(where.header().page_next.value);
    }
    /// Pages of the mapping between two offsets that have memory behind them.
    [[nodiscard]] std::size_t resident(std::uint64_t from, std::uint64_t to) const {
        std::vector<unsigned char> pages((to - from) / page_bytes);
        BOOST_REQUIRE(::mincore(where.start() + from, to - from, pages.data()) == 0);
        return static_cast<std::size_t>(
            std::count_if(pages.begin(), pages.end(), [](auto page) { return (page & 1U) != 0; }));
    }
};

BOOST_AUTO_TEST_CASE(memory_is_made_ready_ahead_and_only_so_far) {
    grown_region here(1ULL << 30, 30'000);
    const auto before = digest_of(here.where);
    page_reserve reserve(here.where);
    std::uint64_t made = 0;
    while (const auto more = reserve.step()) made += more;
    const auto used = here.used();
    const auto ahead = (used - here.where.geometry().pages_at) / 4 / page_bytes * page_bytes;
    BOOST_TEST(made == ahead);
    BOOST_TEST(made > 1U << 20);
    BOOST_TEST(here.where.header().committed_bytes.value >= used + ahead);
    BOOST_TEST(here.resident(used, used + ahead) == ahead / page_bytes);
    BOOST_TEST(digest_of(here.where) == before);
    BOOST_TEST(audit(here.where).empty());
}

BOOST_AUTO_TEST_CASE(the_capacity_is_the_end_of_it) {
    grown_region here(64ULL << 20, 0);
    shm::word(here.where.header().page_next.value).store(here.where.page_count() - 1);
    page_reserve reserve(here.where);
    BOOST_TEST(reserve.step() == page_bytes);
    BOOST_TEST(reserve.step() == 0U);
    BOOST_TEST(here.where.header().committed_bytes.value == 64U << 20);
}

}  // namespace
