// SPDX-License-Identifier: Apache-2.0
//
// Memory fetched ahead of the transactions that will need it.
//
// Promise     A hint: nothing depends on it, wrong and forgotten keys cost a little time.
// Threads     One object, one thread.
#pragma once

#include <perdure/shm/hash_index.hpp>

namespace perdure::shm {

/// Keys that will be edited soon: fetches their memory ahead, so that the transaction meets no
/// cache miss. A hint: wrong ones cost a little time, forgotten ones nothing.
class foresight {
  public:
    /// Fetches the key's bucket, and the row of the key that was named `lead` calls before.
    void expect(view& through, std::uint32_t table, const row_key& key) noexcept;

  private:
    static constexpr std::size_t lead = 8;
    struct expected {
        std::uint32_t table = 0;
        std::uint64_t hash = 0;
        std::uint64_t at = 0;  ///< Of its first bucket, 0 = none.
    };
    std::array<expected, lead> coming_{};
    std::size_t next_ = 0;
};

}  // namespace perdure::shm
