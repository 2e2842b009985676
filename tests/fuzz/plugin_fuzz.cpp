// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever a plugin's file holds, looking at it answers what it is or refuses it with thing
// and remedy, reads nothing outside of its bytes and takes memory in keeping with them; a manifest
// that was taken keeps the rules of docs/formats/plugin_manifest.md, and its standard configuration
// is one that it takes. Bit 0 of an input's first byte makes the rest a manifest inside of a sound
// file; otherwise the rest is the file.
#include <cstring>
#include <memory>
#include <perdure/plugins/host/plugin_file.hpp>
#include <perdure/tests/fuzz/largest_request.hpp>
#include <perdure/tests/fuzz/target.hpp>
#include <perdure/tests/plugins/small_elf.hpp>

using namespace perdure;

namespace {

constexpr std::size_t input_max = 64 << 10;

void must(bool holds) {
    if (!holds) std::abort();
}

void check(const plugins::manifest& what) {
    must(what.id.size() >= 3 && what.id.size() <= 63 && what.abi_major == 1);
    must((what.kind == plugins::plugin_kind::tick) == (what.every_ns != 0));
    must(what.kind != plugins::plugin_kind::sink || what.wants.commands == 0);
    must(what.limits.soft_ns <= what.limits.hard_ns && what.options.size() <= 64);
    must(what.wants.beyond(what.wants).empty());
    must(what.wants.beyond({}).empty() == (what.wants == plugins::capabilities{}));
    for (const auto& [code, most] : what.wants.mint) must(most > 0 && code.size() <= 16);
    const std::string standard = what.configure("");
    must(what.configure(standard) == standard);
    try {
        static_cast<void>(what.configure("{\"rate\": 5, \"on\": true}"));
    } catch (const failure& why) {
        must(why.reason() == errc::bad_setting);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    if (count == 0 || count > input_max) return 0;
    std::string file(reinterpret_cast<const char*>(bytes) + 1, count - 1);
    if ((bytes[0] & 1U) != 0) file = tests::small_elf{file}.bytes();
    // Of its own length, so that the address sanitizer sees a step beyond.
    const auto copy = std::make_unique<std::byte[]>(file.size());
    std::memcpy(copy.get(), file.data(), file.size());
    tests::largest_request = 0;
    try {
        const auto seen = plugins::inspect(std::span(copy.get(), file.size()), "x.so");
        must(seen.bytes == file.size() && seen.hash.size() == 64);
        check(seen.what);
    } catch (const failure& why) {
        must(why.reason() == errc::bad_plugin || why.reason() == errc::wrong_abi);
        must(!why.thing().empty() && !why.todo().empty());
    }
    must(tests::largest_request <= 8 * input_max);
    return 0;
}

std::vector<std::string> tests::seeds() {
    const std::string head = "id = \"a.b\"\nversion = \"1.0.0\"\nabi = \"1.0\"\n";
    const std::string tick = head +
                             "kind = \"tick\"\nstate = 2\n[tick]\nevery = \"10s\"\n"
                             "missed = \"merged\"\n[capabilities]\n"
                             "commands = [\"transfer\", \"mint\", \"event\"]\ndebit = [\"bank\"]\n"
                             "read = [\"balances\"]\nemit = [\"paid\"]\n"
                             "hosts = [\"x.org:443\"]\n[capabilities.mint]\ngold = 5\n"
                             "[limits]\nsoft = \"50ms\"\nhard = \"1s\"\nmemory = \"64MiB\"\n"
                             "[config.rate]\ntype = \"integer\"\ndefault = 5\nmin = 0\nmax = 9\n"
                             "unit = \"percent\"\nreload = \"live\"\n"
                             "[config.on]\ntype = \"boolean\"\ndefault = true\n"
                             "[config.name]\ntype = \"text\"\ndefault = \"x\"\n";
    const std::string sink = head + "kind = \"sink\"\n[events]\nfollow = [\"transferred\"]\n";
    tests::small_elf small{sink};
    small.needs = {"libc.so.6", "libm.so.6"};
    return {'\1' + tick, '\1' + sink, '\0' + small.bytes(), '\0' + tests::small_elf{tick}.bytes(),
            "\1[a.b.c]\nd = {e = [1, [2]]}\n"};
}
