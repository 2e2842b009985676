// SPDX-License-Identifier: Apache-2.0
//
// A bank that stands ready in memory of its own: one region, one session, both tables.
#pragma once

#include <perdure/tests/shm/audit.hpp>

namespace perdure::tests {

struct open_bank {
    shared_bytes memory;
    shm::region where;
    book_keeper keeper;
    shm::session self;
    bank in;

    explicit open_bank(std::uint64_t accounts = 0,
                       const shm::region_options& options = small_options())
        : memory(options.capacity_bytes),
          where(shm::region::over(memory.span(), options)),
          self(shm::session::join(where, &keeper).value()),
          in(make_bank(self)) {
        open_accounts(self, in, 0, accounts);
    }

    /// Row number of an account; accounts are taken in order by the only session.
    result<std::uint64_t> row_of(std::uint64_t account) {
        return self.read(
            [&](shm::view& seen) { return shm::find_row(seen, in.accounts, key_of(account)); });
    }
    result<account_row> look_at(std::uint64_t account) {
        return self.read([&](shm::view& seen) {
            return shm::get_key<account_row>(seen, in.accounts, key_of(account));
        });
    }
    /// "" when the region is sound; the first fault otherwise.
    std::string faults() {
        const auto found = audit(where);
        return found.empty() ? std::string() : found.front();
    }
};

}  // namespace perdure::tests
