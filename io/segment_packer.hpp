// SPDX-License-Identifier: Apache-2.0
//
// Packs sealed segments, little by little: small blocks take whole pages, and history is rarely
// read.
//
// Promise     A segment is in its own file or in a packed one whose every block was read again and
//             found to be what the MANIFEST promises. One that gains less than least_gain, or
//             is damaged, stays as it is. Never the last segment.
// Death       Killed anywhere, it leaves the segment's own file, both, or the packed one alone; and
//             at worst a draft, which the next keeper removes.
// Power loss  The same: draft synced, renamed, folder synced, and only then is the other unlinked.
// Threads     One object, one thread; beside any readers and the writer.
// Invariants  Q1 a draft's name has the keeper's epoch in it: nobody renames another's.
// Format      packed_format.hpp, docs/formats/journal.md#packed-segments
#pragma once

#include <functional>
#include <optional>
#include <perdure/io/segment.hpp>

struct ZSTD_CCtx_s;

namespace perdure::io {

struct packing_order {
    std::string directory;
    std::uint64_t epoch = 0;
    std::uint32_t frame_bytes = packed_frame_bytes;
    /// Asked before names change; an error ends the work at hand.
    std::function<result<>()> fence{};
};

class segment_packer {
  public:
    /// In hundredths: what a segment must lose to be worth it.
    static constexpr std::uint64_t least_gain = 15;

    segment_packer(file_system& files, packing_order order);

    /// Packs, checks, publishes until `bytes` are read or there is nothing to do. False: there
    /// was nothing. Errors: disk_full and what else a file answers; the work at hand is dropped,
    /// and its segment is not tried again by this object.
    result<bool> pack_on(std::uint64_t bytes);
    /// Drops the work at hand, with its draft.
    void give_up() noexcept;

    struct tally {
        std::uint64_t segments = 0;
        std::uint64_t bytes_before = 0;
        std::uint64_t bytes_after = 0;
    };
    [[nodiscard]] const tally& packed() const noexcept { return packed_; }

  private:
    struct free_context {
        void operator()(ZSTD_CCtx_s* context) const noexcept;
    };
    enum class stage { idle, measuring, packing, checking };

    [[nodiscard]] result<bool> choose();
    [[nodiscard]] result<std::uint64_t> step();
    [[nodiscard]] result<std::uint64_t> measure();
    [[nodiscard]] result<std::uint64_t> pack_frame();
    [[nodiscard]] result<> finish_draft();
    [[nodiscard]] result<std::uint64_t> check_block();
    [[nodiscard]] result<> publish();
    void leave_alone() noexcept;

    file_system* files_;
    packing_order order_;
    stage stage_ = stage::idle;
    std::vector<uuid> left_alone_;
    segment_entry entry_{};
    uuid world_{};
    std::optional<segment_walk> walk_;
    file draft_;
    std::string draft_path_;
    packed_header header_{};
    std::vector<packed_frame> index_;
    std::uint64_t file_bytes_ = 0;  // Of the draft so far.
    std::vector<std::byte> frame_;
    std::vector<std::byte> stored_;
    std::unique_ptr<ZSTD_CCtx_s, free_context> packing_;
    tally packed_;
};

/// Whether a file in WORLD/journal is one that a packer left half done.
[[nodiscard]] bool is_packing_draft(std::string_view name) noexcept;

}  // namespace perdure::io
