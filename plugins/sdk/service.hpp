// SPDX-License-Identifier: Apache-2.0
//
// What every service of a host has in common, and how it refuses.
//
// Promise     What the host refuses is thrown as perdure::refused. A service or function that was
//             not granted, or that an older host does not have, is refused in the same way.
// Threads     As perdure_plugin.h: during a call, on its thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include <perdure/plugins/abi/perdure_plugin.h>

namespace perdure {

/// Statuses that plugins meet; others are kept as their number.
enum class status : std::int32_t {
    ok = PERDURE_OK,
    again = PERDURE_AGAIN,
    busy = PERDURE_BUSY,
    not_found = PERDURE_NOT_FOUND,
    insufficient_funds = PERDURE_INSUFFICIENT_FUNDS,
    value_too_large = PERDURE_VALUE_TOO_LARGE,
    plugin_failed = PERDURE_PLUGIN_FAILED,
    not_granted = PERDURE_NOT_GRANTED,
    grant_exceeded = PERDURE_GRANT_EXCEEDED,
    stale_generation = PERDURE_STALE_GENERATION,
    out_of_step = PERDURE_OUT_OF_STEP,
    bad_command = PERDURE_BAD_COMMAND,
};

class refused : public std::runtime_error {
  public:
    refused(status why, const std::string& what)
        : std::runtime_error(what + ": status " + std::to_string(static_cast<int>(why))),
          why_(why) {}
    [[nodiscard]] status why() const noexcept { return why_; }

  private:
    status why_;
};

namespace sdk {

inline void check(std::int32_t answer, const char* what) {
    if (answer != PERDURE_OK) throw refused(static_cast<status>(answer), what);
}

/// A struct of the host's, as far as both sides know it; the rest is zero.
template <class Struct>
Struct known_part(const Struct* from) noexcept {
    Struct out{};
    if (from != nullptr) std::memcpy(&out, from, std::min<std::size_t>(from->size, sizeof out));
    return out;
}

/// What a service is made of: NULL where it was not granted.
template <class Struct>
class service {
  public:
    service(const perdure_host_api& api, std::string_view name)
        : calls_(known_part(
              static_cast<const Struct*>(api.service(api.context, name.data(), name.size())))) {}
    [[nodiscard]] bool is_granted() const noexcept { return calls_.size != 0; }

  protected:
    template <class Function, class... Given>
    auto call(Function Struct::*function, const Given&... given) const {
        if (calls_.*function == nullptr) throw refused(status::not_granted, "service");
        return (calls_.*function)(calls_.context, given...);
    }
    [[nodiscard]] const Struct& calls() const noexcept { return calls_; }

  private:
    Struct calls_;
};

}  // namespace sdk
}  // namespace perdure
