// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/capture.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/tests/crash/capture_primitives.hpp>
#include <stdexcept>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

void must(bool held, const char* what) {
    if (!held) throw std::runtime_error(what);
}

/// A keeper's cut, and what is left when the keeper is gone.
void cut_now(session& first, bool whole) {
    auto keeping = participant::join(first.where()).value();
    must(capture(first.where(), keeping).begin({.whole = whole}).has_value(), "a cut");
}

void begin_whole(session& first, const bank&) { cut_now(first, true); }

void begin_increment(session& first, const bank& in) {
    auto& where = first.where();
    {
        auto keeping = participant::join(where).value();
        capture by(where, keeping);
        must(by.begin({.whole = true}).has_value() && by.end().has_value(), "a capture");
        by.forget();
    }
    must(transfer(first, in, 1, 2, 3).has_value(), "a transfer");
    cut_now(first, false);
}

void begin_poor(session& first, const bank& in) {
    begin_whole(first, in);
    first.where().header().capture.shadow_pages = 0;
}

void move_some(actor& by) {
    auto& tx = *by.tx;
    must(tx.edit<account_row>(by.in.accounts, by.round % 8).has_value(), "a row");
    tx.edit<account_row>(by.in.accounts, by.round % 8).value()->balance -= 7;
    tx.edit<account_row>(by.in.accounts, 9).value()->balance += 7;
    must(tx.commit().has_value(), "a commit");
}

void change_wide_row(actor& by) {
    auto& tx = *by.tx;
    const auto row = tx.edit<wide_row>(by.in.wide, 2 + by.round % 4);
    must(row.has_value(), "a wide row");
    (*row)->words[5] += 1;
    must(tx.commit().has_value(), "a commit");
}

void take_back(actor& by) {
    auto& tx = *by.tx;
    tx.edit<account_row>(by.in.accounts, 3).value()->balance -= 7;
    must(tx.commit().error() == errc::unbalanced, "a commit out of balance");
}

void make_cut(actor& by) {
    must(capture(by.where, *by.self).begin({.whole = by.round % 2 == 0}).has_value(), "a cut");
}

/// From the cut to the end, a few pages long.
void capture_some(actor& by) {
    capture all(by.where, *by.self);
    const auto at = all.begin({.whole = true});
    must(at.has_value(), "a cut");
    const auto extents = extents_below(by.where, at->end);
    std::array<std::byte, page_bytes> copy;
    must(all.copy(extents.back().page, copy).has_value(), "a copy");
    must(all.end().has_value(), "an end");
    all.forget();
}

void take_over(actor& by) { abandon_capture(by.where); }

constexpr primitive all[] = {
    {"transfer beside a capture", begin_whole, move_some},
    {"transfer beside an increment", begin_increment, move_some},
    {"wide row beside a capture", begin_whole, change_wide_row},
    {"transfer that gives a capture up", begin_poor, move_some},
    {"refusal beside a capture", begin_whole, take_back},
    {"cut", nullptr, make_cut},
    {.name = "capture of a page", .prepare = nullptr, .run = capture_some, .captures = true},
    {"taking over a capture", begin_increment, take_over},
};

}  // namespace

std::span<const primitive> capture_primitives() { return all; }

}  // namespace perdure::tests
