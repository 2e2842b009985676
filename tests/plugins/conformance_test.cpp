// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/kit/conformance.hpp: a plugin that keeps every rule passes every check, and one
// that breaks a rule fails the check of that rule, by name and with the reason.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <perdure/plugins/kit/conformance.hpp>

namespace {

using namespace perdure::plugins;

std::string build_file(const std::string& name) {
    const char* const build = std::getenv("PERDURE_BUILD");
    BOOST_TEST_REQUIRE(build != nullptr);
    return std::string(build) + "/" + name;
}

std::vector<conformance_check> checks_of(const std::string& sample) {
    return check_conformance(build_file("tests/plugins/samples/" + sample + ".so"),
                             build_file("bin/perdure_plugin_host"));
}

std::string text_of(const std::vector<conformance_check>& all) {
    std::string out;
    for (const auto& each : all) {
        out += each.name + ": " + std::string(end_name(each.end)) + " " + each.reason + "\n";
    }
    return out;
}

/// Those that failed, one behind the other.
std::string failed(const std::vector<conformance_check>& all) {
    std::string out;
    for (const auto& each : all) {
        if (each.end == check_end::failed) out += (out.empty() ? "" : ", ") + each.name;
    }
    return out;
}

void expect_failure(const std::string& sample, const std::string& name, const std::string& why) {
    const auto all = checks_of(sample);
    const auto said = text_of(all);
    BOOST_TEST(failed(all) == name, sample << ":\n" << said);
    BOOST_TEST(said.find(why) != std::string::npos, sample << ":\n" << said);
}

BOOST_AUTO_TEST_CASE(who_keeps_every_rule_passes_every_check) {
    const auto all = checks_of("misfit_none");
    const auto said = text_of(all);
    BOOST_TEST(failed(all).empty(), said);
    for (const auto* part :
         {"manifest and ELF file: passed org.example.misfit 1.0.0", "interface: passed 1.0",
          "configure: passed", "configure rate = 0: passed", "configure rate = 10: passed",
          "configure loud = true: passed", "configure loud = false: passed", "self_test: passed",
          "a call without work: passed answered", "quiesce: passed", "destroy: passed",
          "system calls: passed", "KiB of 16384 KiB"}) {
        BOOST_TEST(said.find(part) != std::string::npos, part << " is not in\n" << said);
    }
    for (const auto* name : {"payer", "sample_sink"}) {
        const auto others = checks_of(name);
        BOOST_TEST(failed(others).empty(), text_of(others));
        BOOST_TEST(text_of(others).find("self_test: not applicable") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(an_answered_error_is_told_and_is_no_failure) {
    const auto all = checks_of("misfit_answer");
    const auto said = text_of(all);
    BOOST_TEST(failed(all).empty(), said);
    BOOST_TEST(
        said.find("a call without work: passed on_tick answers 8 (busy)") != std::string::npos,
        said);
}

BOOST_AUTO_TEST_CASE(each_broken_rule_fails_its_own_check) {
    expect_failure("misfit_bound", "configure rate = 10", "it answers 140 (value_too_large)");
    expect_failure("misfit_crash", "a call without work", "it died of signal 11");
    expect_failure("misfit_destroy", "destroy", "it died of signal 6");
    expect_failure("misfit_memory", "memory", "KiB of 16384 KiB");
    expect_failure("misfit_nosy", "system calls", "1 were denied, the last openat");
    expect_failure("misfit_quiesce", "quiesce", "killed at its hard deadline");
    expect_failure("misfit_self_test", "self_test", "it answers 172 (plugin_failed)");
    expect_failure("misfit_silent", "interface", "it has no on_tick");
    expect_failure("rogue_born_nosy", "system calls", "socket");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_loaded_fails_and_the_rest_is_not_applicable) {
    expect_failure("not_a_plugin", "manifest and ELF file", "destroy: not applicable");
    expect_failure("no_such_file", "manifest and ELF file", "No such file");
    expect_failure("rogue_abi", "loads in a process of its own, interface", "abi_major is 2");
    expect_failure("rogue_create", "loads in a process of its own", "died while it was started");
}

}  // namespace
