// SPDX-License-Identifier: Apache-2.0
//
// The part of the oracle that knows ordered indexes: nodes, bounds, links, and each row once.
#pragma once

#include <perdure/tests/shm/audit_tables.hpp>

namespace perdure::tests {

/// Numbers of the nodes that hang together under the root of an index.
std::vector<std::uint64_t> nodes_of(shm::region& where, const shm::index_shape& in);

/// N1 to N5 of every index, and that it holds just the table's live rows.
void audit_trees(shm::region& where, std::vector<std::string>& faults);

}  // namespace perdure::tests
