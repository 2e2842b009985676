// SPDX-License-Identifier: Apache-2.0
//
// Claim: an installed header and an installed library fit together in somebody else's program.
#include <iostream>
#include <perdure/shm/error.hpp>

int main() {
    std::cout << perdure::name(perdure::errc::insufficient_funds) << '\n';
    return 0;
}
