// SPDX-License-Identifier: Apache-2.0
//
// transaction::commit, store by store in the order of docs/model/tx.pml.
#include <smmintrin.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/shm/transaction.hpp>

namespace perdure::shm {
namespace {

constexpr std::size_t headers_bytes = sizeof(record_header) + sizeof(transaction_header);

bool is_live(const std::byte* row) noexcept {
    row_header header;
    std::memcpy(&header, row, sizeof header);
    return header.live == 1;
}

std::uint64_t word_in(const std::byte* row, std::uint32_t index) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, row + index * 8, 8);
    return value;
}

std::uint32_t group_in(const std::byte* row, const balance_rule& rule) noexcept {
    std::uint32_t group = 0;
    std::memcpy(&group, row + rule.group_offset, sizeof group);
    return group;
}

/// The row as the journal sees it: its header, and zeros behind.
const std::uint64_t* logical_image(const std::uint64_t* row, std::uint32_t words,
                                   std::span<std::uint64_t> buffer) noexcept {
    constexpr std::uint32_t header_words = sizeof(row_header) / 8;
    std::copy_n(row, header_words, buffer.begin());
    std::fill_n(buffer.begin() + header_words, words - header_words, 0);
    return buffer.data();
}

/// Writes what words gained behind each other, where they gained something; answers the end of it.
/// Bit i of `mask` says that word i did.
std::byte* subtract_few(const std::uint64_t* after, const std::uint64_t* before,
                        std::uint32_t count, std::byte* out, std::uint32_t& mask) noexcept {
    for (std::uint32_t i = 0; i < count; ++i) {
        // Without a branch: written always, kept where it is not zero.
        const std::uint64_t gained = after[i] - before[i];
        const bool differs = gained != 0;
        std::memcpy(out, &gained, sizeof gained);
        out += differs ? sizeof gained : 0;
        mask |= static_cast<std::uint32_t>(differs) << i;
    }
    return out;
}

/// The same, quicker where nearly all of them did, as in a value's bytes.
std::byte* subtract_many(const std::uint64_t* after, const std::uint64_t* before,
                         std::uint32_t count, std::byte* out, std::uint32_t& mask) noexcept {
    constexpr std::size_t word = sizeof(std::uint64_t);
    const auto pair_at = [](const std::uint64_t* words) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(words));
    };
    const std::uint32_t even = count & ~1U;
    for (std::uint32_t i = 0; i < even; i += 2) {
        const __m128i gained = _mm_sub_epi64(pair_at(after + i), pair_at(before + i));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i * word), gained);
        const __m128i same = _mm_cmpeq_epi64(gained, _mm_setzero_si128());
        const auto sames = static_cast<std::uint32_t>(_mm_movemask_pd(_mm_castsi128_pd(same)));
        mask |= (~sames & 3U) << i;
    }
    std::byte* to = out + even * word;
    if (std::popcount(mask) < static_cast<int>(even)) {
        to = out;
        for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1, to += word) {
            std::memmove(to, out + static_cast<std::size_t>(std::countr_zero(rest)) * word, word);
        }
    }
    if (even == count) return to;
    std::uint32_t last = 0;
    to = subtract_few(after + even, before + even, 1, to, last);
    mask |= last << even;
    return to;
}

}  // namespace

/// Per group, what the rows gained; a transaction touches few groups.
class transaction::group_sums {
  public:
    void add(std::uint32_t group, std::uint64_t is, std::uint64_t was, int sign) {
        const auto gained =
            static_cast<__int128>(static_cast<std::int64_t>(is)) - static_cast<std::int64_t>(was);
        *place(group) += sign > 0 ? gained : -gained;
    }
    [[nodiscard]] bool is_zero() const noexcept {
        for (std::uint32_t i = 0; i < used_; ++i) {
            if (sums_[i].sum != 0) return false;
        }
        return std::all_of(more_.begin(), more_.end(),
                           [](const auto& each) { return each.sum == 0; });
    }

  private:
    struct group_sum {
        std::uint32_t group;
        __int128 sum;
    };
    __int128* place(std::uint32_t group) {
        for (std::uint32_t i = 0; i < used_; ++i) {
            if (sums_[i].group == group) return &sums_[i].sum;
        }
        for (auto& each : more_) {
            if (each.group == group) return &each.sum;
        }
        if (used_ < sums_.size()) {
            sums_[used_] = {group, 0};
            return &sums_[used_++].sum;
        }
        more_.push_back({group, 0});
        return &more_.back().sum;
    }
    std::array<group_sum, 4> sums_;
    std::uint32_t used_ = 0;
    std::vector<group_sum> more_;
};

void transaction::sum_up(const entry& each, group_sums& sums) const noexcept {
    const auto* before = image_of(each);
    const auto* after = copy_of(each);
    const bool lived = is_live(before);
    const bool lives = is_live(after);
    for (const auto& rule : shapes_[each.table].rules) {
        const auto was = word_in(before, rule.offset / 8U);
        const auto is = word_in(after, rule.offset / 8U);
        const auto group_was = group_in(before, rule);
        const auto group_is = group_in(after, rule);
        if (was == is && group_was == group_is && lived == lives) continue;
        if (lived && lives && group_was == group_is) {
            sums.add(group_is, is, was, rule.sign);
            continue;
        }
        if (lived) sums.add(group_was, 0, was, rule.sign);
        if (lives) sums.add(group_is, is, 0, rule.sign);
    }
}

/// Answers which of the words from `first` on differ, bit 0 being `first`.
std::uint32_t transaction::append_change(const entry& each, const std::uint64_t* before,
                                         const std::uint64_t* after, std::uint32_t first) noexcept {
    const std::uint32_t end = std::min(each.bytes / 8, first + change_words_max);
    auto* place = record_.data() + record_used_;
    constexpr std::uint32_t many = 16;
    const std::uint32_t from = std::max(first, 1U);
    std::uint32_t mask = 0;
    auto* words = place + sizeof(change_header);
    words = end - from < many ? subtract_few(after + from, before + from, end - from, words, mask)
                              : subtract_many(after + from, before + from, end - from, words, mask);
    mask <<= from - first;
    if (mask == 0) return 0;
    write_words(
        place,
        pack(static_cast<std::uint16_t>(each.table), static_cast<std::uint16_t>(first), mask),
        each.row, before[0]);
    record_used_ = static_cast<std::size_t>(words - record_.data());
    ++change_count_;
    return mask;
}

void transaction::append_changes(entry& each, group_sums& sums) noexcept {
    const auto* before = reinterpret_cast<const std::uint64_t*>(image_of(each));
    const auto* after = reinterpret_cast<const std::uint64_t*>(copy_of(each));
    const bool lived = is_live(image_of(each));
    const bool lives = is_live(copy_of(each));
    if (lived && lives && each.bytes <= change_words_max * 8) {
        each.mask = append_change(each, before, after, 0);
        each.changed = each.mask != 0;
        if ((each.mask & shapes_[each.table].rule_words) != 0) sum_up(each, sums);
        return;
    }
    each.mask = whole;
    std::array<std::uint64_t, page_bytes / 8> was;
    std::array<std::uint64_t, page_bytes / 8> is;  // A row may be taken and freed in one step.
    // Behind the header a row that is not live has no logical content.
    if (!lived) before = logical_image(before, each.bytes / 8, was);
    if (!lives) after = logical_image(after, each.bytes / 8, is);
    for (std::uint32_t first = 0; first < each.bytes / 8; first += change_words_max) {
        if (append_change(each, before, after, first) != 0) each.changed = true;
    }
    sum_up(each, sums);
}

result<> transaction::build_record() noexcept {
    change_count_ = 0;
    if (event_count_ > std::numeric_limits<std::uint16_t>::max()) {
        return errc::transaction_too_large;
    }
    const std::size_t bound = record_used_ + changes_bound_ + record_alignment;
    if (record_.size() < bound) record_.resize(bound * 2);
    if (keyed_) std::memcpy(record_.data() + headers_bytes, &key_, sizeof key_);
    group_sums sums;
    for (auto& each : entries_) {
        if (each.table != 0) append_changes(each, sums);
    }
    if (!sums.is_zero()) return errc::unbalanced;
    for (; record_used_ % record_alignment != 0; ++record_used_) record_[record_used_] = {};
    if (record().size() > record_bytes_max(*where_)) return errc::transaction_too_large;
    const std::uint64_t flags = keyed_ ? keyed : 0;
    const std::uint64_t world_time = peek(where_->header().world_time.value);
    write_words(record_front() + sizeof(record_header),
                flags << 32 | static_cast<std::uint64_t>(event_count_) << 48,  // Checksum: stamp().
                where_->waits().wall_ns(), world_time,
                change_count_ | where_->geometry().incarnation << 32);
    return {};
}

void transaction::store(const entry& each) noexcept {
    auto* target = where_->at<std::uint64_t>(each.at);
    const auto* copy = copy_of(each);
    if (each.mask != whole) {
        for (std::uint32_t rest = each.mask; rest != 0; rest &= rest - 1) {
            const auto word = static_cast<std::uint32_t>(std::countr_zero(rest));
            put(target[word], word_in(copy, word));
        }
        return;
    }
    const std::uint32_t skip = each.table != 0 ? 1 : 0;  // The LSN: stamp().
    copy_in(target + skip, copy + skip * 8, each.bytes - skip * 8);
}

void transaction::write_back() noexcept {
    for (const auto& each : entries_) {
        // What no checkpoint holds and what stays as it is needs no barrier.
        if (each.changed && !planted(bug::tag_after_store)) barrier_.before_store(each.at);
        PERDURE_CRASH_POINT("commit.store");
        store(each);
        if (each.changed && planted(bug::tag_after_store)) barrier_.before_store(each.at);
    }
    if (planted(bug::store_before_undo)) step(slot_->undo_used, undo_used_);
}

void transaction::stamp(std::uint64_t lsn) noexcept {
    for (const auto& each : entries_) {
        if (!each.changed) continue;
        PERDURE_CRASH_POINT("commit.stamp");
        put(*where_->at<std::uint64_t>(each.at), lsn);
    }
    write_words(record_front(), lsn, std::uint64_t{record().size()});
    const std::uint32_t crc = record_crc(record());
    std::memcpy(record_front() + sizeof(record_header), &crc, sizeof crc);
}

result<> transaction::lock_ring() noexcept {
    auto& lock = where_->header().producer.lock;
    const bool first = held_ == 0;
    if (first) {
        open_ = true;
        PERDURE_CRASH_POINT("commit.active");
        step(slot_->active, 1);
    }
    PERDURE_CRASH_POINT("commit.ring_lock");
    for (int turn = 0;; ++turn) {
        std::uint64_t seen = peek(lock);
        if (seen == 0 && word(lock).compare_exchange_strong(seen, self_->owner())) break;
        where_->waits().pause();
        if (turn % 256 != 255 || seen == 0) continue;
        // Its holder waits for nothing, so waiting here cannot close a circle; dead, it is
        // repaired.
        if (seen > where_->geometry().slot_count) return errc::garbled;
        if (try_repair(*where_, static_cast<std::uint32_t>(seen - 1)) == life::unusable) {
            return errc::garbled;
        }
        where_->waits().wait(low_half(lock), static_cast<std::uint32_t>(seen),
                             std::chrono::microseconds(50));
    }
    if (first && !planted(bug::gate_ignored) && !gate_lets(*where_, self_->owner())) {
        PERDURE_CRASH_POINT("commit.ring_unlock");
        step(lock, 0);
        return fail(rerun::gate);
    }
    return {};
}

result<receipt> transaction::commit_derived() noexcept {
    write_back();
    if (!reads_.validate()) {
        roll_back();
        return fail(rerun::stale);
    }
    PERDURE_CRASH_POINT("commit.derived");
    step(slot_->undo_used, 0);  // Nothing is journaled, so this is the commit point.
    close(true);
    return receipt{0, where_->geometry().incarnation};
}

result<receipt> transaction::commit_journaled() noexcept {
    auto& lock = where_->header().producer.lock;
    if (planted(bug::reads_validated_first) && !reads_.validate()) {
        roll_back();
        return fail(rerun::stale);
    }
    write_back();
    if (const auto locked = lock_ring(); !locked) {
        roll_back();
        return locked.error();
    }
    const auto place = claim(*where_, self_->slot(), static_cast<std::uint32_t>(record().size()));
    PERDURE_CRASH_POINT("commit.ring_unlock");
    step(lock, 0);
    if (!place) {
        roll_back();
        return place.error() == errc::stalled ? fail(rerun::ring_full) : place.error();
    }
    // Here and not before the claim, so that LSN order is dependency order.
    if (!planted(bug::reads_validated_first) && !reads_.validate()) {
        PERDURE_ASSERT(undo_all(*where_, self_->slot()).has_value());
        PERDURE_CRASH_POINT("stale.undo_void");
        step(slot_->undo_used, 0);
        void_claim(*where_, self_->slot(), place->position);
        PERDURE_CRASH_POINT("stale.claim");
        step(slot_->claim, no_claim);
        close(true);
        return fail(rerun::stale);
    }
    stamp(place->lsn);
    if (planted(bug::release_before_publish)) release_held(*where_, self_->slot());
    publish(*where_, self_->slot(), *place, record());
    if (planted(bug::claim_dropped_before_undo)) step(slot_->claim, no_claim);
    // The undo is void before the claim is forgotten: a death in between must not be undone.
    PERDURE_CRASH_POINT("commit.undo_void");
    step(slot_->undo_used, 0);
    PERDURE_CRASH_POINT("commit.claim");
    step(slot_->claim, no_claim);
    close(true);
    put(slot_->commits, peek(slot_->commits) + 1);  // For people; a death before it forgets one.
    return receipt{place->lsn, where_->geometry().incarnation};
}

result<receipt> transaction::commit() noexcept {
    result<> ready;
    if (why_ != rerun::none) ready = errc::conflict;
    if (ready && spoiled_ != errc{}) ready = spoiled_;
    if (ready && !indexed_.empty()) ready = settle();
    if (ready) ready = build_record();
    if (ready && !reads_.validate()) ready = fail(rerun::stale);  // A first look.
    if (!ready) {
        roll_back();
        return ready.error();
    }
    if (change_count_ != 0 || event_count_ != 0 || keyed_) return commit_journaled();
    if (!entries_.empty()) return commit_derived();
    roll_back();
    return receipt{0, where_->geometry().incarnation};
}

}  // namespace perdure::shm
