// SPDX-License-Identifier: Apache-2.0
//
// The gate: how one participant gets a moment in which no transaction is active.
//
// Promise     Between close_gate()'s true and open_gate() no other slot is active.
// Death       A dead closer's gate is opened by its repair; a dead active slot is repaired by the
//             closer. Whoever waits, either way, tests life locks.
// Threads     Any participant; one closer at a time.
// Invariants  The gate's word names its closer, 0 = open.
#pragma once

#include <perdure/shm/participant.hpp>

namespace perdure::shm {

/// Looked at after a transaction's first compare-and-swap, which is a full fence.
inline bool gate_lets(const region& where, std::uint32_t owner) noexcept {
    const auto closer = load(where.header().gate.value);
    return closer == 0 || closer == owner;
}

/// Waits, holding nothing and idle, until the gate is open. Errors: stalled.
result<> await_gate(region& where, std::uint32_t owner, deadline until) noexcept;

/// Closes the gate and waits for the moment; reopens after each window that passes without it, the
/// next being twice as long. Requires: `self` is idle. Errors: stalled.
result<> close_gate(participant& self, deadline until) noexcept;

void open_gate(participant& self) noexcept;

}  // namespace perdure::shm
