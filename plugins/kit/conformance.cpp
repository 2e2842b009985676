// SPDX-License-Identifier: Apache-2.0
#include <seccomp.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <perdure/plugins/host/plugin_file.hpp>
#include <perdure/plugins/kit/conformance.hpp>
#include <perdure/plugins/kit/guest.hpp>
#include <sstream>

namespace perdure::plugins {
namespace {

template <class T>
std::span<const std::byte> bytes_of(const T& of) noexcept {
    return std::as_bytes(std::span(&of, 1));
}

std::string status_text(std::int32_t status) {
    return std::to_string(status) + " (" + std::string(name(static_cast<errc>(status))) + ")";
}

std::string call_name(std::uint64_t number) {
    char* const found =
        ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number));
    if (found == nullptr) return "number " + std::to_string(number);
    std::string out(found);
    std::free(found);
    return out;
}

/// The first number behind those words in a file of /proc; 0 without.
std::uint64_t number_behind(const std::string& path, const std::string& words) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(words)) continue;
        return std::strtoull(line.c_str() + words.size(), nullptr, 10);
    }
    return 0;
}

/// An option with a value at one of its bounds, as a configuration.
struct bound {
    std::string name;
    std::string json;
};

std::vector<bound> bounds_of(const manifest& what) {
    std::vector<bound> out;
    const auto add = [&](const plugin_option& option, const std::string& value) {
        out.push_back({option.name + " = " + value, "{\"" + option.name + "\":" + value + "}"});
    };
    for (const auto& each : what.options) {
        if (each.least) add(each, std::to_string(*each.least));
        if (each.most) add(each, std::to_string(*each.most));
        if (!std::holds_alternative<bool>(each.standard)) continue;
        add(each, "true");
        add(each, "false");
    }
    return out;
}

class examination {
  public:
    examination(std::string file, const std::string& host_program)
        : file_(std::move(file)),
          on_({.file = file_, .in_process = true, .host_program = host_program}),
          one_(on_.played()) {}

    std::vector<conformance_check> make() {
        if (look() && load()) {
            configure();
            test_itself();
            call();
            end();
            judge();
        }
        for (const auto* rest :
             {"manifest and ELF file", "loads in a process of its own", "interface", "configure",
              "self_test", "a call without work", "quiesce", "destroy", "system calls", "memory"}) {
            const bool is_there = std::ranges::any_of(
                made_, [&](const conformance_check& each) { return each.name == rest; });
            if (!is_there) add(rest, check_end::not_applicable, "what comes before it has failed");
        }
        return std::move(made_);
    }

  private:
    void add(const std::string& name, check_end end, const std::string& reason) {
        made_.push_back({name, end, reason});
    }
    void add(const std::string& name, bool holds, const std::string& reason) {
        add(name, holds ? check_end::passed : check_end::failed, reason);
    }

    /// A process with the plugin created and nothing else; another one, if there is one.
    bool renew() {
        weigh();
        one_.drop();
        run_report report;
        const bool is_made = one_.make(report);
        if (!is_made) last_ = report;
        return is_made;
    }

    /// What memory the process has taken so far, at most.
    void weigh() {
        const auto* const running = one_.running();
        if (running == nullptr || running->process() == 0) return;
        const auto proc = "/proc/" + std::to_string(running->process());
        const auto peak = number_behind(proc + "/status", "VmPeak:") * 1024;
        const auto limit = number_behind(proc + "/limits", "Max address space");
        const auto own = what_.limits.memory_bytes;
        if (peak == 0 || limit < own) return;
        taken_ = std::max(taken_, peak > limit - own ? peak - (limit - own) : 0);
        is_weighed_ = true;
    }

    bool look() {
        try {
            what_ = inspect(file_).what;
            add("manifest and ELF file", true, what_.id + " " + what_.version);
            return true;
        } catch (const failure& why) {
            add("manifest and ELF file", false, why.thing() + "; " + why.todo());
            return false;
        }
    }

    bool load() {
        constexpr auto* name = "loads in a process of its own";
        try {
            on_.furnish();
            on_.load();
        } catch (const stage_failure& why) {
            add(name, false, why.what());
            return false;
        }
        if (!renew()) {
            add(name, false, last_.why);
            if (last_.cause == errc::wrong_abi) add("interface", false, last_.why);
            return false;
        }
        add(name, true, "constructors, entry and create() have ended in time");
        const auto about = one_.running()->about();
        const auto wanted =
            what_.kind == plugin_kind::tick ? message_kind::tick : message_kind::events;
        const bool is_called = (about.has >> static_cast<std::uint32_t>(wanted) & 1) != 0;
        const auto version =
            std::to_string(about.abi_major) + "." + std::to_string(about.abi_minor);
        const bool is_same =
            about.abi_major == what_.abi_major && about.abi_minor == what_.abi_minor;
        add("interface", is_called && is_same,
            !is_same ? "plugin.toml says " + std::to_string(what_.abi_major) + "." +
                           std::to_string(what_.abi_minor) + ", the file " + version
            : is_called ? version
                        : std::string("it has no ") +
                              (wanted == message_kind::tick ? "on_tick" : "on_events") +
                              ": it would never do anything");
        return true;
    }

    [[nodiscard]] bool has(message_kind kind) const {
        return (one_.running()->about().has >> static_cast<std::uint32_t>(kind) & 1) != 0;
    }

    /// One dry run; a process that has died in it is made again for the next.
    std::string refused(const std::string& json) {
        const auto end = one_.configure(json, true);
        if (end.how != call_end::answered) {
            if (!renew()) return last_.why;
            return how_it_ended(end);
        }
        return end.status == PERDURE_OK ? "" : "it answers " + status_text(end.status);
    }

    void configure() {
        if (!has(message_kind::configure)) {
            add("configure", what_.options.empty() ? check_end::not_applicable : check_end::failed,
                what_.options.empty() ? "it has no settings"
                                      : "plugin.toml has settings, the plugin no configure()");
            return;
        }
        auto why = refused("{}");
        add("configure", why.empty(), why.empty() ? "a dry run with the defaults" : why);
        for (const auto& each : bounds_of(what_)) {
            why = refused(each.json);
            add("configure " + each.name, why.empty(), why.empty() ? "a dry run" : why);
        }
    }

    void test_itself() {
        if (one_.running() == nullptr && !renew()) return add("self_test", false, last_.why);
        if (!has(message_kind::self_test)) {
            return add("self_test", check_end::not_applicable, "it has none");
        }
        const auto end = one_.ask(message_kind::self_test, {});
        if (end.how != call_end::answered) return add("self_test", false, how_it_ended(end));
        add("self_test", end.status == PERDURE_OK,
            end.status == PERDURE_OK ? "" : "it answers " + status_text(end.status));
    }

    /// A window, or no events, in a world whose accounts are empty. An answered error is its right.
    void call() {
        constexpr auto* name = "a call without work";
        weigh();
        one_.drop();
        run_report report;
        if (!one_.start(report)) return add(name, false, report.why);
        if (what_.kind == plugin_kind::tick) {
            on_.advance_windows(1);
            report = on_.try_run();
        } else {
            const events_message none{1, 0, 0, on_.world_ns()};
            const auto end = one_.ask(message_kind::events, bytes_of(none));
            if (end.how != call_end::answered) return add(name, false, how_it_ended(end));
            report.status = end.status;
            report.end = end.status == PERDURE_OK ? run_end::well : run_end::answered;
            report.why = "on_events answers " + status_text(end.status);
        }
        const bool is_answered = report.end == run_end::well || report.end == run_end::answered;
        add(name, is_answered, report.end == run_end::well ? "answered" : report.why);
    }

    void end() {
        if (one_.running() == nullptr && !renew()) return;
        const std::uint64_t deadline = what_.limits.hard_ns;
        const auto quiet = one_.ask(message_kind::quiesce, bytes_of(deadline));
        const bool is_quiet = quiet.how == call_end::answered;
        add("quiesce", is_quiet, is_quiet ? "" : how_it_ended(quiet));
        weigh();
        if (!is_quiet && !renew()) return;
        const auto gone = one_.ask(message_kind::end, {});
        const bool is_gone = gone.how == call_end::answered;
        add("destroy", is_gone, is_gone ? "" : how_it_ended(gone));
        one_.drop();
    }

    void judge() {
        const auto denied = one_.denied();
        add("system calls", denied.count == 0,
            denied.count == 0 ? "none was denied"
                              : std::to_string(denied.count) + " were denied, the last " +
                                    call_name(denied.call));
        if (!is_weighed_) {
            return add("memory", check_end::not_applicable, "its process could not be looked at");
        }
        const auto most = what_.limits.memory_bytes;
        const auto text =
            std::to_string(taken_ >> 10U) + " KiB of " + std::to_string(most >> 10U) + " KiB";
        // Whoever comes so near has been refused more.
        add("memory", taken_ < most - most / 20, text);
    }

    std::string file_;
    stage on_;
    guest& one_;
    manifest what_;
    run_report last_;
    std::vector<conformance_check> made_;
    std::uint64_t taken_ = 0;
    bool is_weighed_ = false;
};

}  // namespace

std::string_view end_name(check_end end) noexcept {
    switch (end) {
        case check_end::passed: return "passed";
        case check_end::failed: return "failed";
        case check_end::not_applicable: return "not applicable";
    }
    return "";
}

std::vector<conformance_check> check_conformance(const std::string& file,
                                                 const std::string& host_program) {
    return examination(file, host_program).make();
}

}  // namespace perdure::plugins
