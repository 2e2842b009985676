// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever put, replacement, staging or erasure of a value a process was in the middle of
// when it was killed, each value is the whole old or the whole new one, a map of strings after a
// prefix of its operations; and what it left in the heap is freed to the last chunk. RapidCheck
// draws the work and the deaths; RC_PARAMS="seed=..." replays a failure.
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/crash/lives.hpp>
#include <perdure/tests/crash/stage.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <perdure/tests/shm/papers.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

constexpr std::uint64_t papers_all = 5;
constexpr row_key key(std::uint64_t number) { return {number, 7}; }

struct operation {
    std::uint64_t number;
    std::int64_t bytes;  ///< Below 0: it is erased.
    std::uint64_t which;
};

/// One process: its work, and the crash point's hit at which it dies, if it comes so far.
struct life {
    std::vector<operation> work;
    std::uint64_t death;
};

using shelf_model = std::map<std::uint64_t, std::string>;

void apply(shelf_model& model, const operation& op) {
    if (op.bytes < 0) {
        model.erase(op.number);
    } else {
        model[op.number] = text_of(static_cast<std::size_t>(op.bytes), op.which);
    }
}

region_options options_here() {
    auto options = small_options();
    options.undo_bytes = 32U << 10;  // Short values are staged already: more often, more quickly.
    options.ring_bytes = 4U << 20;
    options.capacity_bytes = 64U << 20;
    return options;
}

class shelf_of_lives {
  public:
    shelf_of_lives()
        : memory_(options_here().capacity_bytes),
          where_(region::over(memory_.span(), options_here())),
          self_(session::join(where_, &keeper_).value()),
          shelf_(papers::make(self_)),
          done_(static_cast<std::uint64_t*>(::mmap(nullptr, sizeof(std::uint64_t),
                                                   PROT_READ | PROT_WRITE,
                                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
        BOOST_REQUIRE(done_ != MAP_FAILED);
    }
    shelf_of_lives(const shelf_of_lives&) = delete;
    shelf_of_lives& operator=(const shelf_of_lives&) = delete;
    ~shelf_of_lives() { ::munmap(done_, sizeof(std::uint64_t)); }

    std::uint64_t deaths = 0;

    /// Lives it, repairs, frees what is left over, and answers the first fault.
    std::string live(const life& one) {
        *done_ = 0;
        if (in_child([&] { return be(one); }) == ending::failed) return "a child failed";
        sweep(where_);
        while (keeper_.help(where_) &&
               load(where_.header().head.value) != load(where_.header().producer.tail)) {
        }
        keeper_.journal.clear();
        const auto done = static_cast<std::size_t>(*done_);
        for (std::size_t i = 0; i < done; ++i) apply(expected_, one.work[i]);
        if (done < one.work.size()) {
            ++deaths;
            // The one it was in the middle of may have been committed.
            if (!compare().empty()) apply(expected_, one.work[done]);
        }
        if (auto fault = compare(); !fault.empty()) return fault;
        shelf_.sweep_all(self_);
        std::uint64_t chunks = 0;
        for (const auto& [number, text] : expected_) chunks += chunks_of(text.size());
        return live_chunks() == chunks ? std::string() : "chunks are left over";
    }
    [[nodiscard]] std::uint64_t direct_max() const { return blob_direct_max(where_); }
    std::string faults() {
        const auto found = audit(where_);
        return found.empty() ? std::string() : found.front();
    }

  private:
    /// The life, in its own process; false when an answer was not the model's.
    bool be(const life& one) {
        auto where = region::view(memory_.span());
        auto self = session::join(where, nullptr).value();
        auto model = expected_;
        arm({.point = {}, .hit = one.death});
        for (const auto& op : one.work) {
            if (!perform(self, op, model)) return false;
            apply(model, op);
            ++*done_;
        }
        return true;
    }

    bool perform(session& self, const operation& op, const shelf_model& model) const {
        if (op.bytes >= 0) {
            const auto text = text_of(static_cast<std::size_t>(op.bytes), op.which);
            return shelf_.save(self, key(op.number), text).has_value();
        }
        const auto erased =
            self.write([&](transaction& tx) { return shelf_.erase(tx, key(op.number)); });
        return model.contains(op.number) ? erased.has_value()
                                         : !erased && erased.error() == errc::not_found;
    }

    std::string compare() {
        for (std::uint64_t number = 0; number < papers_all; ++number) {
            const auto found =
                self_.read([&](view& seen) { return shelf_.get(seen, key(number)); });
            const auto wanted = expected_.find(number);
            const bool same = wanted == expected_.end() ? !found && found.error() == errc::not_found
                                                        : found && *found == wanted->second;
            if (!same) return "paper " + std::to_string(number) + " is not the model's";
        }
        return {};
    }

    [[nodiscard]] std::uint64_t live_chunks() const {
        std::uint64_t live = 0;
        for (std::uint64_t row = 0; row < where_.descriptor(shelf_.heap).row_high; ++row) {
            const auto at = locate(where_, shelf_.heap, row);
            live += at != 0 && where_.at<row_header>(at)->live == 1 ? 1 : 0;
        }
        return live;
    }

    shared_bytes memory_;
    region where_;
    book_keeper keeper_;
    session self_;
    papers shelf_;
    std::uint64_t* done_;
    shelf_model expected_;
};

rc::Gen<life> any_life(std::uint64_t direct) {
    const auto longest = static_cast<std::int64_t>(direct);
    const auto bytes =
        rc::gen::oneOf(rc::gen::element<std::int64_t>(-1, 0, 1, 999, 1000, 1001, 2048, longest,
                                                      longest + 1, 2 * longest),
                       rc::gen::inRange<std::int64_t>(0, 4000));
    const auto one = rc::gen::construct<operation>(rc::gen::inRange<std::uint64_t>(0, papers_all),
                                                   bytes, rc::gen::inRange<std::uint64_t>(0, 26));
    return rc::gen::construct<life>(
        rc::gen::resize(16, rc::gen::container<std::vector<operation>>(one)),
        // Often in the middle of its work, and sometimes never.
        rc::gen::inRange<std::uint64_t>(1, 4000));
}

BOOST_AUTO_TEST_CASE(a_killed_process_leaves_whole_values_and_no_chunk) {
    const bool long_run = is_torture();
    check_lives<shelf_of_lives>(
        "blobs under deaths, against a map",
        {long_run ? 1400 : 10, long_run ? 20'000U : 50U, long_run ? 1'000'000U : 500U},
        [](auto& here) { return any_life(here.direct_max()); },
        [](const life& one) { return one.work.size(); });
}

}  // namespace
