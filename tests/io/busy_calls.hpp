// SPDX-License-Identifier: Apache-2.0
//
// A disk beside which others are at work while a checkpoint is written.
#pragma once

#include <functional>
#include <perdure/io/file.hpp>
#include <string_view>
#include <utility>

namespace perdure::tests {

/// Others have a turn after each write to a checkpoint's draft; their own writes give none.
template <class Calls>
class busy final : public Calls {
  public:
    std::function<void()> beside;

    using Calls::Calls;
    explicit busy(const Calls& like) : Calls(like) {}
    busy() = default;

    int open(const char* path, int flags, unsigned mode) noexcept override {
        const int made = Calls::open(path, flags, mode);
        if (std::string_view(path).ends_with(".pcp.new")) draft_ = made;
        return made;
    }
    std::int64_t write(int descriptor, std::span<const std::byte> from,
                       std::uint64_t offset) noexcept override {
        const auto written = Calls::write(descriptor, from, offset);
        if (const auto turn = descriptor == draft_ ? std::exchange(beside, {}) : nullptr) {
            turn();
            beside = turn;
        }
        return written;
    }

  private:
    int draft_ = -1;
};

}  // namespace perdure::tests
