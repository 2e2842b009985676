// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever world.toml, a variable or an assignment holds, it is taken or refused by name;
// what was taken is printed as a file that says the same. The first line of an input is an
// assignment, the second a variable, the rest the file.
#include <array>

#include <perdure/io/config.hpp>
#include <perdure/tests/fuzz/target.hpp>

using namespace perdure;

namespace {

std::string take_line(std::string_view& rest) {
    const auto end = std::min(rest.find('\n'), rest.size());
    std::string line(rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end + 1));
    return line;
}

bool attempt(const auto& work) {
    try {
        work();
        return true;
    } catch (const failure&) {
        return false;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    static const tests::memory_file file;
    std::string_view rest(reinterpret_cast<const char*>(bytes), count);
    const std::string assignment = take_line(rest);
    const std::string variable = take_line(rest);
    file.fill(rest.data(), rest.size());
    io::config made;
    attempt([&] { made.read_file(file.path()); });
    attempt([&] { made.read_environment(std::array{variable.c_str(), "PERDURE_BIN=x"}); });
    attempt([&] { made.assign(assignment); });

    const std::string printed = made.print();
    file.fill(printed.data(), printed.size());
    io::config again;
    if (!attempt([&] { again.read_file(file.path()); })) std::abort();
    if (again.print() != printed) std::abort();
    return 0;
}

std::vector<std::string> tests::seeds() {
    return {
        "region.ring=64MiB\nPERDURE_LOG_LEVEL=debug\n[region]\ncapacity = \"2GiB\"\n",
        "log.level=loud\nPERDURE_REGION_SLOTS=16\n[log]\nfile = \"a.log\"\nrotate_count = 3\n",
        "ledger.keys_kept=10\nPERDURE_REGION_DIRECTORY=/tmp\n" + io::config().print(),
        "region.directory=\"a\\b\"\nX=\nregion = 5\n",
        "region.slots=08\nPERDURE_LOG_ROTATE_COUNT=007\n",
        "=\n=\n[region]\nring = 1_000\n[[region]]\n",
    };
}
