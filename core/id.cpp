// SPDX-License-Identifier: Apache-2.0
#include <sodium.h>

#include <array>
#include <cstring>
#include <perdure/core/id.hpp>

namespace perdure {
namespace {

struct digest {
    std::uint64_t high;
    std::uint64_t low;
};

digest digest_of(std::string_view text) noexcept {
    digest out{};
    static_assert(sizeof out >= crypto_generichash_BYTES_MIN);
    // Deterministic, without a key, and it needs no sodium_init().
    crypto_generichash(reinterpret_cast<unsigned char*>(&out), sizeof out,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr,
                       0);
    return out;
}

}  // namespace

account_id account_id::of(std::string_view name) noexcept {
    const auto made = digest_of(name);
    // The top bit tells a name's id from a number's.
    return {made.high, static_cast<std::uint32_t>(made.low) | 0x8000'0000U};
}

asset_id asset_id::of(std::string_view code) noexcept {
    const auto made = digest_of(code);
    const auto value = static_cast<std::uint32_t>(made.high);
    return {value == 0 ? 1 : value};
}

faucet_id faucet_id::of(std::string_view name) noexcept {
    const auto made = digest_of(name);
    return {made.high, made.low};
}

programme_id programme_id::of(std::string_view name) noexcept {
    const auto made = digest_of(name);
    return {made.high, made.low};
}

stake_id stake_id::of(programme_id programme, account_id account, std::uint64_t number) noexcept {
    const std::array<std::uint64_t, 5> words{programme.high, programme.low, account.high,
                                             account.low, number};
    const auto made = digest_of({reinterpret_cast<const char*>(words.data()), sizeof words});
    return {made.high, made.low};
}

}  // namespace perdure
