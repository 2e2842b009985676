// SPDX-License-Identifier: Apache-2.0
//
// The main of every test program, once for all of them: it names the test module after the program.
#include <boost/test/unit_test.hpp>

#include <cerrno>

namespace {

bool name_module() {
    boost::unit_test::framework::master_test_suite().p_name.value = program_invocation_short_name;
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    return boost::unit_test::unit_test_main(&name_module, argc, argv);
}
