// SPDX-License-Identifier: Apache-2.0
//
// Finds single records by LSN, in the ring or in the journal's files: for whoever follows a chain
// of changes back in time.
//
// Promise     The record of that LSN, or why it cannot be had. What is durable comes from files, so
//             that only what the keeper has not written yet is taken out of the ring, once.
// Death       Nothing is written; works without a keeper and without write access.
// Threads     One thread. Region and file calls must outlive it.
#pragma once

#include <memory>
#include <perdure/io/block_finder.hpp>
#include <perdure/shm/record_view.hpp>
#include <perdure/shm/ring_reader.hpp>

namespace perdure::io {

class record_finder {
  public:
    record_finder(const shm::region& where, kernel_calls& calls, const std::string& directory);

    /// Valid until the next call. Errors: as block_finder::find; garbled.
    [[nodiscard]] result<shm::record_view> find(std::uint64_t lsn);

    /// Where and why a file was refused, after an error.
    [[nodiscard]] const std::optional<finding>& found() const noexcept { return finder_.found(); }

  private:
    [[nodiscard]] result<> copy_ring();
    [[nodiscard]] result<shm::record_view> find_in_block(std::uint64_t lsn);

    const shm::region* where_;
    std::unique_ptr<file_system> files_;
    block_finder finder_;
    std::vector<std::byte> ring_;      // A copy of what was not durable,
    std::vector<std::size_t> places_;  // where its records begin,
    std::uint64_t ring_first_ = 0;     // and the LSN of the first.
    std::uint64_t block_first_ = 0;    // The same for the block asked for last.
    const std::byte* block_ = nullptr;
    std::vector<std::size_t> block_places_;
};

}  // namespace perdure::io
