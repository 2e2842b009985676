// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <perdure/shm/crc32c.hpp>
#include <perdure/tests/shm/audit.hpp>
#include <perdure/tests/shm/audit_tables.hpp>
#include <perdure/tests/shm/audit_trees.hpp>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

template <class T>
T read_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

void trim(std::vector<std::uint64_t>& words) {
    while (!words.empty() && words.back() == 0) words.pop_back();
}

std::string at_lsn(std::uint64_t lsn, const std::string& fault) {
    return "LSN " + std::to_string(lsn) + ": " + fault;
}

std::string spell(const row_place& place) {
    return "table " + std::to_string(place.first) + " row " + std::to_string(place.second);
}

/// Applies one change; answers how many bytes it took, 0 with a fault.
std::size_t apply(row_image& on, std::span<const std::byte> record, std::size_t at,
                  std::string& fault) {
    const auto lsn = read_at<record_header>(record, 0).lsn;
    const auto change = read_at<change_header>(record, at);
    const std::size_t bytes =
        sizeof change + 8U * static_cast<std::size_t>(std::popcount(change.mask));
    if (at + bytes > record.size()) {
        fault = at_lsn(lsn, "a change reaches beyond its record");
        return 0;
    }
    auto& words = on[{change.table, change.row}];
    words.resize(std::max<std::size_t>(words.size(), change.first_word + change_words_max));
    // A row's second change in the same record finds the LSN that the first one left.
    if (words[0] != change.lsn_before && words[0] != lsn) {
        fault = at_lsn(lsn, spell({change.table, change.row}) + " was of LSN " +
                                std::to_string(words[0]) + ", the record says " +
                                std::to_string(change.lsn_before));
        return 0;
    }
    std::size_t from = at + sizeof change;
    for (std::uint32_t bit = 0; bit < change_words_max; ++bit) {
        if ((change.mask >> bit & 1U) == 0) continue;
        words[change.first_word + bit] += read_at<std::uint64_t>(record, from);
        from += 8;
    }
    words[0] = lsn;
    trim(words);
    return bytes;
}

}  // namespace

std::string replay(row_image& on, std::span<const std::byte> record) {
    const auto front = read_at<record_header>(record, 0);
    if (static_cast<record_state>(front.state) == record_state::padding) return {};
    const auto header = read_at<transaction_header>(record, sizeof front);
    if (header.crc != record_crc(record)) return at_lsn(front.lsn, "checksum");
    std::size_t at = sizeof front + sizeof header;
    if ((header.flags & keyed) != 0) at += sizeof(transaction_key);
    for (std::uint32_t i = 0; i < header.events; ++i) {
        if (at + sizeof(event_header) > record.size()) return at_lsn(front.lsn, "events too long");
        at += read_at<event_header>(record, at).bytes;
    }
    std::string fault;
    for (std::uint32_t i = 0; i < header.changes; ++i) {
        if (at + sizeof(change_header) > record.size()) return at_lsn(front.lsn, "too few changes");
        at += apply(on, record, at, fault);
        if (!fault.empty()) return fault;
    }
    if (record.size() - at >= record_alignment) return at_lsn(front.lsn, "bytes left over");
    return {};
}

row_image image_of(region& where) {
    row_image out;
    for (const auto& table : tables_in(where)) {
        if ((table.flags & derived) != 0) continue;
        for_each_row(where, table.number, [&](std::uint64_t row, const std::uint64_t* words) {
            const auto& header = *reinterpret_cast<const row_header*>(words);
            std::vector<std::uint64_t> copy(words,
                                            words + (header.live == 1 ? table.row_bytes / 8 : 2));
            trim(copy);
            if (!copy.empty()) out[{table.number, row}] = std::move(copy);
        });
    }
    return out;
}

std::string difference(const row_image& expected, const row_image& found) {
    for (const auto& [place, words] : expected) {
        const auto other = found.find(place);
        if (other == found.end()) return spell(place) + " is missing";
        if (other->second == words) continue;
        std::size_t word = 0;
        while (word < std::min(words.size(), other->second.size()) &&
               words[word] == other->second[word]) {
            ++word;
        }
        return spell(place) + " differs in word " + std::to_string(word);
    }
    for (const auto& [place, words] : found) {
        if (!expected.contains(place)) return spell(place) + " is there and should not be";
    }
    return {};
}

ring_walk walk_ring(region& where, std::uint64_t position) {
    ring_walk out;
    const std::uint64_t tail = load(where.header().producer.tail);
    std::uint64_t lsn = 0;
    while (position < tail) {
        const auto seen = look(where, position);
        const auto here = " at ring position " + std::to_string(position);
        if (!seen) return {out.records, "a garbled header" + here};
        if (lsn != 0 && seen->lsn != lsn) return {out.records, "LSNs are not dense" + here};
        if (seen->state == record_state::claimed) return {out.records, "CLAIMED for ever" + here};
        if (seen->state == record_state::free) return {out.records, "FREE below the tail" + here};
        lsn = seen->lsn + 1;
        record_bytes record;
        read_record(where, position, *seen, record);
        if (seen->state == record_state::committed &&
            read_at<transaction_header>(record, sizeof(record_header)).crc != record_crc(record)) {
            return {out.records, "a committed record's checksum is wrong" + here};
        }
        out.records.push_back(std::move(record));
        position += seen->bytes;
    }
    if (position != tail) return {out.records, "records do not end at the tail"};
    const auto next = load(ring_header(where, tail).lsn);
    if (next == 0 || (lsn != 0 && next != lsn)) return {out.records, "R2: the LSN at the tail"};
    return out;
}

namespace {

void audit_locks(region& where, std::vector<std::string>& faults) {
    for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
        if (!is_clean(where.slot(i))) faults.push_back("slot " + std::to_string(i) + " is unclean");
    }
    for (std::uint32_t i = 0; i < stripe_count; ++i) {
        if (owner_of(where.stripe(i)) != 0) {
            faults.push_back("stripe " + std::to_string(i) + " is owned by " +
                             std::to_string(owner_of(where.stripe(i))));
        }
    }
    if (where.header().gate.value != 0) faults.push_back("the gate is closed");
    if (where.header().producer.lock != 0) faults.push_back("the ring lock is taken");
    if (where.header().counters.garbled != 0) faults.push_back("something was found garbled");
}

}  // namespace

std::vector<std::string> audit(region& where) {
    std::vector<std::string> faults;
    audit_locks(where, faults);
    const auto head = where.header().head.value;
    const auto tail = where.header().producer.tail;
    if (head > tail || tail - head + sizeof(record_header) > where.geometry().ring_bytes) {
        faults.push_back("R1: head and tail");
        return faults;
    }
    if (auto walk = walk_ring(where, head); !walk.fault.empty()) faults.push_back(walk.fault);
    audit_pages(where, faults);
    audit_rows(where, faults);
    audit_index(where, faults);
    audit_trees(where, faults);
    audit_balances(where, faults);
    audit_blobs(where, faults);
    return faults;
}

std::uint64_t digest_of(region& where) {
    std::uint64_t sum = 0xcbf29ce484222325;
    const auto add = [&](std::uint64_t value) { sum = (sum ^ value) * 0x100000001b3; };
    add(where.header().page_next.value);
    for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
        for (const auto& range : where.slot(i).fresh) add(range.next * 31 + range.end);
    }
    for (std::uint32_t table = 1; table < table_count; ++table) {
        const auto& d = where.descriptor(table);
        const auto* words = reinterpret_cast<const std::uint64_t*>(&d);
        for (std::size_t i = 0; i < sizeof d / 8; ++i) add(words[i]);
        if (d.rows_per_page == 0) continue;
        // A derived row has no LSN; word 0 of any other is one.
        const std::size_t skip = (d.flags & derived) != 0 ? 0 : 1;
        for_each_row(where, table, [&](std::uint64_t, const std::uint64_t* row) {
            for (std::size_t i = skip; i < d.row_bytes / 8; ++i) add(row[i]);
        });
    }
    return sum;
}

}  // namespace perdure::tests
