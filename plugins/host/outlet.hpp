// SPDX-License-Identifier: Apache-2.0
//
// What leaves a plugin: batches to commit, lines to log, counts. In the keeper it ends at the desk
// that admits them; in a plugin's process it is the ring.
#pragma once

#include <perdure/plugins/host/admission.hpp>
#include <string_view>

namespace perdure::plugins {

class outlet {
  public:
    virtual commit_answer commit(std::span<const std::byte> batch) = 0;
    /// `level` is one of PERDURE_LOG_*.
    virtual void log(std::uint32_t level, std::string_view text) = 0;
    virtual void count(std::string_view name, std::int64_t more) = 0;

  protected:
    ~outlet() = default;
};

}  // namespace perdure::plugins
