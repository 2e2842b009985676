// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/crc32c.hpp>
#include <perdure/shm/ring.hpp>
#include <perdure/tests/simulation/chronicle.hpp>

namespace perdure::tests {

using namespace perdure::shm;

void chronicle::begin(region& where) { noted_ = load(where.header().producer.tail); }

std::optional<told> chronicle::told_in(std::span<const std::byte> record) {
    constexpr std::size_t front = sizeof(record_header) + sizeof(transaction_header);
    if (record.size() < front + sizeof(event_header) + sizeof(told)) return {};
    transaction_header header;
    std::memcpy(&header, record.data() + sizeof(record_header), sizeof header);
    event_header event;
    std::memcpy(&event, record.data() + front, sizeof event);
    if (header.events != 1 || event.type != told_type) return {};
    told out;
    std::memcpy(&out, record.data() + front + sizeof event, sizeof out);
    return out;
}

std::string chronicle::note(region& where) {
    const auto tail = load(where.header().producer.tail);
    while (noted_ < tail) {
        const auto seen = look(where, noted_);
        if (!seen) return "R2: the ring is garbled";
        if (seen->state == record_state::claimed) break;
        const auto lsn = std::to_string(seen->lsn);
        if (seen->lsn != entries_.size() + 1) return "LSN " + lsn + " is not the next one";
        entry made;
        read_record(where, noted_, *seen, made.record);
        if (seen->state == record_state::committed) {
            transaction_header header;
            std::memcpy(&header, made.record.data() + sizeof(record_header), sizeof header);
            if (header.crc != record_crc(made.record)) return "LSN " + lsn + ": the checksum";
            made.what = told_in(made.record);
        }
        if (made.what) {
            if (refused_.contains(made.what->who)) return "LSN " + lsn + " had been refused";
            if (!done_.insert(made.what->who).second) return "LSN " + lsn + " is there twice";
            const auto fault = now_.apply(*made.what);
            if (!fault.empty()) return "LSN " + lsn + ": " + fault;
        }
        entries_.push_back(std::move(made));
        noted_ += seen->bytes;
        const auto awaited = awaited_.find(seen->lsn);
        if (awaited == awaited_.end()) continue;
        const auto fault = is_done(awaited->second, seen->lsn);
        if (!fault.empty()) return fault;
        awaited_.erase(awaited);
    }
    return {};
}

std::string chronicle::is_done(std::uint64_t who, std::uint64_t lsn) {
    if (lsn > entries_.size()) {  // Behind one that is not final as yet.
        awaited_[lsn] = who;
        return {};
    }
    const bool is_there = lsn != 0 && entries_[lsn - 1].what && entries_[lsn - 1].what->who == who;
    if (is_there) return {};
    return "I2: a commit was acknowledged as LSN " + std::to_string(lsn) + ", which is another";
}

std::string chronicle::is_refused(std::uint64_t who) {
    refused_.insert(who);
    return done_.contains(who) ? "I1: a deed was refused and is committed" : "";
}

void chronicle::forget_behind(std::uint64_t lsn) {
    for (auto i = lsn; i < entries_.size(); ++i) {
        if (entries_[i].what) done_.erase(entries_[i].what->who);
    }
    if (lsn < entries_.size()) entries_.resize(lsn);
    awaited_.clear();
    move_past_to(lsn);
    now_ = past_;
}

void chronicle::move_past_to(std::uint64_t lsn) {
    if (lsn < past_lsn_) {
        past_lsn_ = 0;
        past_ = {};
        past_image_ = born_;
        past_fault_.clear();
    }
    for (; past_lsn_ < lsn && past_fault_.empty(); ++past_lsn_) {
        const auto& next = entries_[past_lsn_];
        past_fault_ = replay(past_image_, next.record);
        if (next.what && past_fault_.empty()) past_fault_ = past_.apply(*next.what);
    }
}

std::string chronicle::difference(region& where, std::uint64_t lsn) {
    const auto behind = " behind LSN " + std::to_string(lsn);
    if (lsn > entries_.size()) return "nobody was" + behind;
    move_past_to(lsn);
    auto fault = past_fault_;
    if (fault.empty()) fault = past_.difference(where);
    if (fault.empty()) fault = tests::difference(past_image_, image_of(where));
    if (fault.empty()) {
        const auto faults = audit(where);
        if (!faults.empty()) fault = faults.front();
    }
    return fault.empty() ? fault : fault + behind;
}

}  // namespace perdure::tests
