// SPDX-License-Identifier: Apache-2.0
//
// A value, or the reason why there is none.
//
// Promise     A small trivial value travels in two registers with its reason; others as
//             boost::system::result carries them. Both have the same members
//             (docs/decisions/0009-results-in-registers.md).
// Threads     A value like any other.
// Invariants  S1 reason 0 means that there is a value; no errc is 0.
#pragma once

#include <boost/system/result.hpp>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace perdure {

enum class errc : std::uint16_t;

[[noreturn]] void throw_exception_from_error(errc code, const boost::source_location& where);

/// result<T> for a T that is copied like bytes.
template <class T>
class plain_result {
  public:
    using value_type = T;

    constexpr plain_result() noexcept : value_{} {}
    constexpr plain_result(T value) noexcept : value_(value) {}  // NOLINT: as implicit as boost's
    constexpr plain_result(errc reason) noexcept                 // NOLINT: as implicit as boost's
        : value_{}, reason_(static_cast<std::uint64_t>(reason)) {}

    [[nodiscard]] constexpr bool has_value() const noexcept { return reason_ == 0; }
    constexpr explicit operator bool() const noexcept { return has_value(); }
    /// errc{0} when there is a value.
    [[nodiscard]] constexpr errc error() const noexcept { return static_cast<errc>(reason_); }

    /// Throws boost::system::system_error when there is none.
    constexpr const T& value(const boost::source_location& where = BOOST_CURRENT_LOCATION) const {
        if (!has_value()) throw_exception_from_error(error(), where);
        return value_;
    }
    /// Requires: has_value().
    constexpr T& operator*() noexcept { return value_; }
    constexpr const T& operator*() const noexcept { return value_; }
    constexpr T* operator->() noexcept { return &value_; }
    constexpr const T* operator->() const noexcept { return &value_; }

    friend constexpr bool operator==(const plain_result& a, const plain_result& b) noexcept requires
        std::equality_comparable<T> {
        return a.reason_ == b.reason_ && (!a.has_value() || a.value_ == b.value_);
    }

  private:
    T value_;
    // A whole register: gcc stores a narrower one to the stack and waits to load it back as a word.
    std::uint64_t reason_ = 0;
};

template <>
class plain_result<void> {
  public:
    using value_type = void;

    constexpr plain_result() noexcept = default;
    constexpr plain_result(errc reason) noexcept  // NOLINT: as implicit as boost's
        : reason_(reason) {}

    [[nodiscard]] constexpr bool has_value() const noexcept { return reason_ == errc{}; }
    constexpr explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] constexpr errc error() const noexcept { return reason_; }
    void value(const boost::source_location& where = BOOST_CURRENT_LOCATION) const {
        if (!has_value()) throw_exception_from_error(reason_, where);
    }
    constexpr void operator*() const noexcept {}
    friend constexpr bool operator==(const plain_result&, const plain_result&) noexcept = default;

  private:
    errc reason_{};
};

template <class T>
inline constexpr bool is_plain = std::is_void_v<T> || (std::is_trivially_copyable_v<T> &&
                                                       std::is_default_constructible_v<T>);

template <class T>
using carrier = std::conditional_t<is_plain<T>, plain_result<T>, boost::system::result<T, errc>>;

/// Ignoring it warns.
template <class T = void>
class [[nodiscard]] result : public carrier<T> {
  public:
    using carrier<T>::carrier;
};

}  // namespace perdure
