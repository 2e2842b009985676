// SPDX-License-Identifier: Apache-2.0
//
// A document's put after everything that does not depend on the world has been checked.
//
// Promise     Nothing in it can be refused but for what the world holds.
// Threads     A value; it refers to the caller's texts and bytes.
#pragma once

#include <perdure/core/document.hpp>

namespace perdure {

struct documents::writing {
    document_name which;
    document_value value;
    document_change change;
    shm::row_key key;
    std::uint32_t checksum;
    const shm::staged_blob* staged = nullptr;  ///< The value, when it is a long one.

    /// Errors: bad_name, bad_limit, value_too_large, not_json.
    static result<writing> checked(const document_name& which, const document_value& value,
                                   const document_change& change);
};

}  // namespace perdure
