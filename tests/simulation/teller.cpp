// SPDX-License-Identifier: Apache-2.0
#include <perdure/tests/simulation/teller.hpp>

namespace perdure::tests {

using namespace perdure::shm;

void teller::live(site& at, std::uint64_t deeds) {
    io::file_system files(*at.disk);
    io::keeper hook(files, "world", {at.segment_bytes, {}});
    auto self = session::join(*at.where, &hook);
    if (!self) {
        at.must(self.error() == errc::no_slot, "a teller cannot join");
        return;
    }
    teller one(at, *self);
    while (deeds-- != 0 && !at.ends && at.fault.empty()) one.act();
}

void teller::act() {
    const auto kind = at_.draw(24);
    if (kind < 12) return act_on_accounts(kind);
    if (kind < 16) return act_on_ranks(kind);
    if (kind < 21) return act_on_rows(kind);
    if (kind < 23) return read_all();
    at_.rest(300'000);
}

template <class Closure>
void teller::perform(told what, Closure&& closure) {
    what.who = at_.past.next_deed();
    judge(what, self_.write([&](transaction& tx) -> result<> {
        told seen = what;
        PERDURE_TRY(closure(tx, seen));
        tx.event(told_type, 1, std::as_bytes(std::span(&seen, 1)));
        return {};
    }));
}

void teller::judge(const told& what, const result<receipt>& paid) {
    at_.must(at_.past.note(*at_.where));
    if (!paid) {
        ++at_.counts->refusals;
        at_.must(at_.past.is_refused(what.who));
        const auto why = paid.error();
        const bool is_answer = why == errc::not_found || why == errc::exists ||
                               why == errc::value_left || why == errc::stalled ||
                               why == errc::stale_row || is_of_the_disk(why);
        at_.must(is_answer, "deed " + std::to_string(static_cast<int>(what.what)) +
                                " was answered " + std::string(name(why)));
        at_.counts->stalls += why == errc::stalled ? 1 : 0;
        return;
    }
    ++at_.counts->deeds;
    at_.must(at_.past.is_done(what.who, paid->lsn));
    if (!at_.in_one_of(4)) return;
    const auto span = std::chrono::microseconds(100 + at_.draw(20'000));
    const auto waited = self_.wait_durable(*paid, deadline::in(span));
    if (!waited) {
        const bool is_answer = waited.error() == errc::stalled || is_of_the_disk(waited.error());
        at_.must(is_answer, "durability was answered " + std::string(name(waited.error())));
        return;
    }
    ++at_.counts->durable;
    at_.must(load(at_.where->header().durable.lsn) >= paid->lsn, "I2: durable before its mark");
}

void teller::open_account(std::uint64_t number) {
    told what{};
    what.what = deed::open;
    what.one = number;
    perform(what, [&](transaction& tx, told&) -> result<> {
        const auto taken = PERDURE_TRY(insert_key(tx, places_.in.accounts, key_of(number)));
        reinterpret_cast<account_row*>(taken.copy)->group = 1;
        return {};
    });
}

void teller::open_most() {
    for (std::uint64_t i = 0; i < model::account_max; i += i % 3 == 0 ? 2 : 1) open_account(i);
}

void teller::act_on_accounts(std::uint64_t kind) {
    const auto accounts = places_.in.accounts;
    told what{};
    what.one = at_.draw(model::account_max);
    what.other = (what.one + 1 + at_.draw(model::account_max - 1)) % model::account_max;
    what.amount = static_cast<std::int64_t>(at_.draw(99));
    const auto one = key_of(what.one);
    const auto other = key_of(what.other);
    if (kind == 0 || kind == 1) return open_account(what.one);
    if (kind == 2) {
        what.what = deed::close;
        return perform(what, [&](transaction& tx, told&) -> result<> {
            const auto* row = PERDURE_TRY(edit_key<account_row>(tx, accounts, one));
            return row->balance != 0 ? result<>(errc::value_left) : erase_key(tx, accounts, one);
        });
    }
    if (kind <= 4) {
        what.what = deed::copy_mark;
        return perform(what, [&](transaction& tx, told& seen) -> result<> {
            const auto read = PERDURE_TRY(get_key<account_row>(tx, accounts, other));
            auto* row = PERDURE_TRY(edit_key<account_row>(tx, accounts, one));
            seen.seen_one = row->mark;
            seen.seen_other = read.balance;
            row->mark = static_cast<std::uint32_t>(read.balance) ^ row->mark * 3;
            seen.amount = row->mark;
            return {};
        });
    }
    what.what = deed::move;
    perform(what, [&](transaction& tx, told& seen) -> result<> {
        const std::array<row_key, 2> keys{one, other};
        std::array<std::byte*, 2> copies{};
        PERDURE_TRY(edit_keys(tx, accounts, keys, copies));
        auto& from = reinterpret_cast<account_row*>(copies[0])->balance;
        auto& to = reinterpret_cast<account_row*>(copies[1])->balance;
        seen.seen_one = from;
        seen.seen_other = to;
        from -= seen.amount;
        to += seen.amount;
        return {};
    });
}

void teller::act_on_ranks(std::uint64_t kind) {
    const auto& sorted = places_.sorted;
    told what{};
    what.amount = static_cast<std::int64_t>(at_.draw(1000));
    if (kind <= 13) {
        what.what = deed::add_rank;
        return perform(what, [&](transaction& tx, told& seen) -> result<> {
            const auto row = PERDURE_TRY(add_rank(tx, sorted, 1, seen.amount));
            PERDURE_TRY(tx.edit<rank_row>(sorted.table, row))->mark =
                static_cast<std::uint32_t>(seen.who);
            return {};
        });
    }
    what.what = kind == 14 ? deed::raise_rank : deed::drop_rank;
    const auto way = kind == 14 ? direction::ascending : direction::descending;
    const auto from = kind == 14 ? key_prefix().add(what.amount).lowest() : key_prefix().lowest();
    const auto raised = static_cast<std::int64_t>(at_.draw(1000));
    perform(what, [&](transaction& tx, told& seen) -> result<> {
        scan<transaction> walk(tx, sorted.by_score, from, key_prefix().highest(), way);
        if (!PERDURE_TRY(walk.next())) return errc::not_found;
        auto* row = PERDURE_TRY(tx.edit<rank_row>(sorted.table, walk.row()));
        seen.other = row->mark;
        seen.seen_one = row->score;
        if (way == direction::descending) return free_row(tx, sorted.table, walk.row());
        seen.seen_other = row->score = raised;
        row->name = name_of(raised);
        return {};
    });
}

void teller::act_on_rows(std::uint64_t kind) {
    told what{};
    if (kind == 16) {
        what.what = deed::erase_text;
        what.one = at_.draw(model::text_max);
        return perform(what, [&](transaction& tx, told&) {
            return places_.texts.erase(tx, key_of(what.one));
        });
    }
    if (kind == 17) return write_text();
    if (kind <= 19) {
        what.what = deed::take_wide;
        return perform(what, [&](transaction& tx, told& seen) -> result<> {
            const auto taken = PERDURE_TRY(take_row(tx, places_.in.wide));
            reinterpret_cast<wide_row*>(taken.copy)->words[3] = seen.who;
            seen.one = taken.row;
            return {};
        });
    }
    const auto& wides = at_.past.now().wides;
    if (wides.empty()) return;
    what.what = deed::free_wide;
    what.one = std::next(wides.begin(), static_cast<long>(at_.draw(wides.size())))->first;
    perform(what, [&](transaction& tx, told&) { return free_row(tx, places_.in.wide, what.one); });
}

void teller::write_text() {
    told what{};
    what.what = deed::write_text;
    what.one = at_.draw(model::text_max);
    what.other = at_.draw(26);
    const bool is_long = at_.in_one_of(4);
    const auto length = is_long ? 3000 + at_.draw(2000) : at_.draw(300);
    what.amount = static_cast<std::int64_t>(length);
    const auto words = text_of(length, what.other);
    const auto& texts = places_.texts;
    staged_blob staged;
    if (is_long) {
        const auto made = texts.blobs.stage(self_, texts.heap, std::as_bytes(std::span(words)));
        if (!made) return;  // Stalled, or the disk's.
        staged = *made;
    }
    perform(what, [&](transaction& tx, told&) -> result<> {
        if (!is_long) return texts.put(tx, key_of(what.one), words);
        auto* row = PERDURE_TRY(texts.edit(tx, key_of(what.one)));
        return texts.blobs.adopt(tx, texts.heap, staged, row->text);
    });
    if (at_.in_one_of(3)) {
        static_cast<void>(texts.blobs.sweep(self_, deadline::in(std::chrono::milliseconds(5))));
    }
}

void teller::read_all() {
    const auto sum = self_.read([&](view& in) -> result<std::int64_t> {
        std::int64_t all = 0;
        for (std::uint64_t i = 0; i < model::account_max; ++i) {
            const auto row = get_key<account_row>(in, places_.in.accounts, key_of(i));
            if (!row && row.error() != errc::not_found) return row.error();
            if (row) all += row->balance;
        }
        return all;
    });
    ++at_.counts->reads;
    if (sum) return at_.must(*sum == 0, "I4: a view in which the accounts add up to something");
    const auto why = sum.error();
    at_.must(why == errc::stalled || why == errc::busy,
             "a view was answered " + std::string(name(why)));
}

}  // namespace perdure::tests
