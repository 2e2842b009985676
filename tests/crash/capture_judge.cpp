// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <perdure/shm/capture.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/tests/crash/capture_judge.hpp>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

struct looker {
    region& where;
    std::span<const std::byte> first;

    [[nodiscard]] const region_header& header_then() const {
        return *reinterpret_cast<const region_header*>(first.data());
    }
    [[nodiscard]] bool was_dirty(std::uint64_t page) const {
        const auto offset = [&](std::uint32_t bitmap) {
            return where.offset_of(&where.dirty_word(bitmap, page));
        };
        std::uint64_t either = 0;
        for (const std::uint32_t bitmap : {0U, 1U}) {
            std::uint64_t bits = 0;
            std::memcpy(&bits, first.data() + offset(bitmap), sizeof bits);
            either |= bits;
        }
        return (either >> (page % 64) & 1) != 0;
    }
    [[nodiscard]] bool is_in(std::uint32_t bitmap, std::uint64_t page) const {
        return (where.dirty_word(bitmap, page) >> (page % 64) & 1) != 0;
    }
    [[nodiscard]] bool is_dirty(std::uint64_t page) const {
        return is_in(0, page) || is_in(1, page);
    }

    /// Do both hold the same rows? Free links and the like are nobody's content.
    [[nodiscard]] bool same_rows(std::uint32_t table, const std::byte* one,
                                 const std::byte* other) const {
        const auto& d = where.descriptor(table);
        for (std::uint32_t i = 0; i < d.rows_per_page; ++i) {
            row_header left;
            row_header right;
            std::memcpy(&left, one + i * d.row_bytes, sizeof left);
            std::memcpy(&right, other + i * d.row_bytes, sizeof right);
            if (std::memcmp(&left, &right, sizeof left) != 0) return false;
            if (left.live == 1 &&
                std::memcmp(one + i * d.row_bytes, other + i * d.row_bytes, d.row_bytes) != 0) {
                return false;
            }
        }
        return true;
    }

    std::string judge_page(std::uint32_t table, std::uint64_t page, bool finished) const {
        const auto name = [&] {
            return "page " + std::to_string(page) + " of table " + std::to_string(table);
        };
        const auto* then = first.data() + where.page_at(page);
        const auto* now = where.at<std::byte>(where.page_at(page));
        if (!same_rows(table, then, now) && !is_dirty(page)) {
            return "C4: " + name() + " has changed and is not dirty";
        }
        if (!finished && was_dirty(page) && !is_dirty(page)) {
            return "C4: " + name() + " was dirty and is not any more";
        }
        const auto state = state_of(load(where.header().capture.state));
        const auto was = state_of(header_then().capture.state);
        const bool same_cut = state.epoch == was.epoch && was.phase == capture_phase::capture;
        if (!same_cut || state.phase != capture_phase::capture ||
            page >= where.header().capture.end) {
            return {};
        }
        if (!state.whole && !is_in((state.epoch + 1) % 2, page)) return {};
        const std::uint64_t tag = where.capture_of(page);
        const auto* had = epoch_of(tag) == state.epoch ? where.shadow(shadow_of(tag)) : now;
        return same_rows(table, then, had) ? "" : "C3: " + name() + " is not had as it was";
    }
};

}  // namespace

std::string judge_capture(region& where, std::span<const std::byte> first, bool finished) {
    const looker by{where, first};
    const std::uint64_t end = where.header().page_next.value;
    for (int turn = 0; turn < 2; ++turn) {
        for (const auto& extent : extents_below(where, end)) {
            for (std::uint64_t i = 0; i < extent_pages; ++i) {
                auto fault = by.judge_page(extent.table, extent.page + i, finished);
                if (!fault.empty()) return fault;
            }
        }
        if (turn == 0) abandon_capture(where);
    }
    const auto state = state_of(where.header().capture.state);
    if (state.phase != capture_phase::idle) return "C1: a new keeper finds no peace";
    for (std::uint64_t page = 0; page < end; page += 64) {
        if (where.dirty_word((state.epoch + 1) % 2, page) != 0) return "C2: the old is not empty";
    }
    return {};
}

}  // namespace perdure::tests
