// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/shm/reader.hpp>
#include <perdure/tests/shm/audit_tables.hpp>
#include <perdure/tests/simulation/model.hpp>

namespace perdure::tests {

using namespace perdure::shm;

places places::make(session& self) {
    return {make_bank(self), ranks::make(self), papers::make(self)};
}

places places::find(region& where) {
    const bank in{find_table(where, "accounts").value(), find_table(where, "wide").value()};
    return {in, ranks::find(where), papers::find(where)};
}

std::string model::apply(const told& one) {
    std::string fault;
    switch (one.what) {
        case deed::move:
        case deed::open:
        case deed::close:
        case deed::copy_mark: fault = apply_account(one); break;
        case deed::add_rank:
        case deed::raise_rank:
        case deed::drop_rank: fault = apply_rank(one); break;
        default: fault = apply_other(one);
    }
    return fault.empty() ? fault : "deed " + std::to_string(one.who) + " " + fault;
}

std::string model::apply_account(const told& one) {
    const auto first = accounts.find(one.one);
    if (one.what == deed::open) {
        if (first != accounts.end()) return "opened an account that was there";
        accounts[one.one] = {};
        return {};
    }
    if (first == accounts.end()) return "had an account that was not there";
    if (one.what == deed::close) {
        if (first->second.balance != 0) return "closed an account with something in it";
        accounts.erase(first);
        return {};
    }
    const auto second = accounts.find(one.other);
    if (second == accounts.end()) return "had another account that was not there";
    if (second->second.balance != one.seen_other) return "saw another balance than there was";
    if (one.what == deed::copy_mark) {
        if (first->second.mark != one.seen_one) return "saw another mark than there was";
        first->second.mark = static_cast<std::uint32_t>(one.amount);
        return {};
    }
    if (first->second.balance != one.seen_one) return "saw another balance than it had";
    first->second.balance -= one.amount;
    second->second.balance += one.amount;
    return {};
}

std::string model::apply_rank(const told& one) {
    if (one.what == deed::add_rank) {
        scores[one.who] = one.amount;
        return {};
    }
    // By score, from `amount` on, or the last of all.
    const bool from_end = one.what == deed::drop_rank;
    std::int64_t expected = 0;
    bool is_there = false;
    for (const auto& [who, score] : scores) {
        if (!from_end && score < one.amount) continue;
        if (!is_there || (from_end ? score > expected : score < expected)) expected = score;
        is_there = true;
    }
    const auto found = scores.find(one.other);
    if (found == scores.end()) return "had a rank that was not there";
    if (found->second != one.seen_one || expected != one.seen_one) {
        return "found another rank than the next one";
    }
    if (from_end) {
        scores.erase(found);
    } else {
        found->second = one.seen_other;
    }
    return {};
}

std::string model::apply_other(const told& one) {
    if (one.what == deed::write_text) {
        texts[one.one] = {static_cast<std::uint64_t>(one.amount), one.other};
    } else if (one.what == deed::erase_text) {
        if (texts.erase(one.one) == 0) return "erased a text that was not there";
    } else if (one.what == deed::take_wide) {
        if (!wides.try_emplace(one.one, one.who).second) return "was given a row that was taken";
    } else if (one.what == deed::free_wide) {
        if (wides.erase(one.one) == 0) return "freed a row that was free";
    } else {
        return "is none";
    }
    return {};
}

std::string model::difference(region& where) const {
    const auto at = places::find(where);
    view in(where);
    for (std::uint64_t number = 0; number < account_max; ++number) {
        const auto found = get_key<account_row>(in, at.in.accounts, key_of(number));
        const auto wanted = accounts.find(number);
        const bool same = wanted == accounts.end()
                              ? !found && found.error() == errc::not_found
                              : found && account{found->balance, found->mark} == wanted->second;
        if (!same) return "account " + std::to_string(number) + " is not the model's";
    }
    auto fault = ranks_apart(where, at);
    if (fault.empty()) fault = texts_apart(where, at);
    return fault.empty() ? wides_apart(where, at) : fault;
}

std::string model::ranks_apart(region& where, const places& at) const {
    std::map<std::uint64_t, std::int64_t> found;
    view in(where);
    scan<view> walk(in, at.sorted.by_score, key_prefix().lowest(), key_prefix().highest());
    for (std::int64_t last = std::numeric_limits<std::int64_t>::min();;) {
        const auto more = walk.next();
        if (!more) return "the order of the ranks cannot be walked";
        if (!*more) break;
        const auto row = in.get<rank_row>(at.sorted.table, walk.row());
        if (!row || row->score < last) return "the ranks are out of order";
        last = row->score;
        found[row->mark] = row->score;
    }
    return found == scores ? "" : "the ranks are not the model's";
}

std::string model::texts_apart(region& where, const places& at) const {
    view in(where);
    for (std::uint64_t number = 0; number < text_max; ++number) {
        const auto found = at.texts.get(in, key_of(number));
        const auto wanted = texts.find(number);
        const bool same = wanted == texts.end() ? !found && found.error() == errc::not_found
                                                : found && *found == text_of(wanted->second.first,
                                                                             wanted->second.second);
        if (!same) return "text " + std::to_string(number) + " is not the model's";
    }
    return {};
}

std::string model::wides_apart(region& where, const places& at) const {
    std::map<std::uint64_t, std::uint64_t> found;
    for_each_row(where, at.in.wide, [&](std::uint64_t number, const std::uint64_t* words) {
        const auto& row = *reinterpret_cast<const wide_row*>(words);
        if (row.header.live == 1) found[number] = row.words[3];
    });
    return found == wides ? "" : "the wide rows are not the model's";
}

}  // namespace perdure::tests
