// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/io/scrubber.hpp>
#include <perdure/tests/simulation/keeping.hpp>

namespace perdure::tests {
namespace {

bool is_final(errc why) noexcept {
    return why != errc::lease_held && why != errc::stalled && why != errc::conflict &&
           why != errc::no_slot;
}

}  // namespace

keeping::keeping(site& at, std::uint32_t process)
    : at_(at),
      process_(process),
      files_(*at.disk),
      files_to_read_(*at.disk),
      keeper_(files_, "world",
              {at.segment_bytes,
               io::checkpointer_options{at.policy, [this](auto& news) { tell(news); }, {}}}) {
    auto& drains = at.by.start(process, [this] { drain(); });
    hands_ = &at.by.start(process, [this] { look_after(); });
    // As two threads of the keeper: it drains while the other copies and packs, and not while that
    // one waits for the drain, or is at the MANIFEST.
    drains.may_run = [this] { return drains_ || !takes_ || hands_are_apart(); };
    hands_->may_run = [this] { return !drains_ || !takes_; };
}

bool keeping::hands_are_apart() const noexcept {
    constexpr std::string_view apart[] = {
        "gate.close",   "gate.closed", "gate.open",          "capture.cut",       "capture.begin",
        "capture.copy", "capture.end", "checkpoint.section", "checkpoint.footer", "capture.copied"};
    return std::ranges::find(apart, hands_->at) != std::end(apart);
}

/// Answers true when there was something to drain.
bool keeping::drain_a_little() {
    auto& where = *at_.where;
    drains_ = true;
    result<> ready;
    if (!takes_) ready = keeper_.take(where);
    result<std::uint64_t> drained = std::uint64_t{0};
    if (ready) drained = keeper_.drain_once(where);
    if (ready && at_.in_one_of(8)) shm::sweep(where);
    if (ready && !takes_ && at_.in_one_of(20)) keeper_.rest();
    drains_ = false;
    const auto why = !ready ? ready.error() : !drained ? drained.error() : errc{};
    if (why == errc{} || !is_final(why)) return drained && *drained != 0;
    at_.must(is_of_the_disk(why) || at_.disk->has_faulted(),
             "the keeper was refused with " + std::string(name(why)) +
                 (keeper_.found() ? ": " + keeper_.found()->cause : ""));
    exits_ = true;
    return false;
}

void keeping::drain() {
    auto self = shm::participant::join(*at_.where);
    if (!self) {
        exits_ = true;
        return;
    }
    auto& mark = at_.where->header().keeper;
    shm::step(mark.slot, self->owner());
    while (!at_.ends && !exits_) {
        if (!drain_a_little() && !exits_) at_.rest(100'000);
    }
    if (shm::load(mark.slot) == self->owner()) shm::step(mark.slot, 0);
}

void keeping::tell(const io::checkpoint_news& news) {
    auto& counts = *at_.counts;
    counts.retired += news.retired.size();
    if (!news.is_valid) {
        ++(news.refused == errc::conflict ? counts.given_up : counts.failed);
        return;
    }
    ++(news.report.entry.is_full() ? counts.full : counts.incremental);
    counts.sliced += news.report.sliced ? 1 : 0;
}

void keeping::checkpoint() {
    takes_ = true;
    const auto made = keeper_.checkpoint(*at_.where, at_.in_one_of(3));
    takes_ = false;
    if (made || !is_final(made.error())) return;
    at_.must(is_of_the_disk(made.error()) || at_.disk->has_faulted(),
             "a checkpoint was refused with " + std::string(name(made.error())) +
                 (keeper_.found() ? ": " + keeper_.found()->cause : ""));
    exits_ = true;
}

void keeping::look_after() {
    io::scrubber again(files_to_read_, "world");
    while (!at_.ends && !exits_) {
        at_.rest(3'000'000);
        if (at_.in_one_of(4)) {
            const auto found = again.read_on(4096);
            at_.counts->scrubbed += 1;
            at_.must(!found || at_.disk->has_faulted(),
                     found ? "a scrub: " + found->file + ": " + found->cause : "");
        } else if (!drains_) {
            checkpoint();
        }
    }
}

}  // namespace perdure::tests
