// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/demo/books.hpp>

#include <algorithm>

namespace perdure::apps {

void outside_books::note(const acknowledgement& told) {
    account& mine = workers_[told.worker];
    if (told.kind == ack_kind::applied) {
        if (mine.lsns.size() < told.trade) mine.lsns.resize(told.trade);
        mine.lsns[told.trade - 1] = told.lsn;
        ++applied_;
        return;
    }
    for (std::uint64_t trade = mine.durable_trade; trade < told.trade; ++trade) {
        if (trade < mine.lsns.size() && mine.lsns[trade] != 0) ++durable_;
    }
    mine.durable_trade = std::max(mine.durable_trade, told.trade);
    durable_lsn_ = std::max(durable_lsn_, told.lsn);
}

std::uint64_t outside_books::lsn_of(session& by, const ledger& in, std::uint32_t worker,
                                    std::uint64_t trade) {
    const auto row = by.read([&](shm::view& here) -> result<key_row> {
        return shm::get_key<key_row>(here, in.numbers().keys, key_of_trade(worker, trade));
    });
    if (row) return row->header.lsn;
    if (row.error() == errc::not_found) return 0;
    throw failure(row.error(), "demo: the world cannot be compared with the books",
                  std::string(remedy(row.error())));
}

outside_books::comparison outside_books::compare(session& by, const ledger& in) const {
    comparison found;
    for (const auto& [worker, mine] : workers_) {
        for (std::uint64_t trade = 1; trade <= mine.lsns.size(); ++trade) {
            const std::uint64_t told = mine.lsns[trade - 1];
            if (told == 0) continue;
            const bool was_durable = trade <= mine.durable_trade;
            if (lsn_of(by, in, worker, trade) == told) {
                found.undurable_kept += was_durable ? 0 : 1;
            } else {
                ++found.applied_lost;
                found.durable_lost += was_durable ? 1 : 0;
            }
        }
    }
    return found;
}

std::uint64_t outside_books::misplaced(session& by, const ledger& in, std::uint64_t lsn) const {
    std::uint64_t wrong = 0;
    for (const auto& [worker, mine] : workers_) {
        for (std::uint64_t trade = 1; trade <= mine.lsns.size(); ++trade) {
            const std::uint64_t told = mine.lsns[trade - 1];
            if (told == 0) continue;
            wrong += lsn_of(by, in, worker, trade) == (told <= lsn ? told : 0) ? 0 : 1;
        }
    }
    return wrong;
}

}  // namespace perdure::apps
