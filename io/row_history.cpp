// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/io/row_history.hpp>

namespace perdure::io {
namespace {

constexpr std::uint32_t header_word = 1;  // Generation and live.

}  // namespace

result<bool> row_history::next(row_change& change) {
    if (lsn_ == 0) return false;
    change.record = PERDURE_TRY(records_->find(lsn_));
    change.gained.assign(shm::page_bytes / 8, 0);
    change.lsn_before = lsn_;
    shm::change_view part;
    while (PERDURE_TRY(change.record.next(part))) {
        if (part.header.table != table_ || part.header.row != row_) continue;
        // A wide row has several changes in a record, all from the same LSN.
        change.lsn_before = part.header.lsn_before;
        const std::uint32_t end = std::min<std::uint32_t>(
            part.header.first_word + shm::change_words_max, shm::page_bytes / 8);
        for (std::uint32_t word = part.header.first_word; word < end; ++word) {
            change.gained[word] = part.gained(word);
        }
    }
    if (change.lsn_before >= lsn_) return errc::broken_chain;
    // Only taking and freeing a row change that word, and a live one was taken last.
    change.is_first = change.gained[header_word] != 0;
    if (!change.is_first && change.lsn_before == 0) return errc::broken_chain;
    lsn_ = change.is_first ? 0 : change.lsn_before;
    return true;
}

}  // namespace perdure::io
