// SPDX-License-Identifier: Apache-2.0
//
// What the command line asks of a program in perf/, and the stores it works on.
//
// Promise     Nothing stays in /dev/shm or in the scratch directory: not after an error, not after
//             SIGINT or SIGTERM.
#pragma once

#include "engine.hpp"
#include "harness.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace perdure::perf {

[[nodiscard]] bool is_interrupted() noexcept;

struct options {
    std::string suite = "core";
    bool quick = false;
    std::vector<std::string> works;    ///< Empty: all.
    std::vector<std::string> engines;  ///< Empty: all.
    std::filesystem::path scratch;     ///< A directory on the disk that is to be measured.

    [[nodiscard]] bool wants_work(std::string_view work) const;
    /// Those of `all` that were asked for and are built in.
    [[nodiscard]] std::vector<std::string> engines_among(std::vector<std::string> all) const;
    /// Two fresh directories, which the caller removes.
    [[nodiscard]] store_plan plan_for(std::string_view engine) const;
    [[nodiscard]] int runs() const noexcept { return quick ? 2 : 3; }
    [[nodiscard]] duration_plan duration() const noexcept {
        return quick ? duration_plan{0.3, 2.0} : duration_plan{1.0, 20.0};
    }
    [[nodiscard]] duration_plan short_duration() const noexcept {
        return quick ? duration_plan{0.3, 2.0} : duration_plan{1.0, 10.0};
    }
};

struct store_size {
    std::uint64_t accounts = account_count;
    std::uint64_t bytes = std::uint64_t{1} << 30U;
    bool keeps_log = false;
};

/// One engine's store, made and removed by the parent.
class store {
  public:
    store(std::string_view engine_name, durability_level level, const options& asked,
          const store_size& size = {});
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store();

    [[nodiscard]] const store_plan& plan() const noexcept { return plan_; }
    [[nodiscard]] engine& face() noexcept { return *engine_; }
    [[nodiscard]] std::string engine_name() const { return plan_.engine; }
    /// Opens the store here and throws engine_failure unless all money is still there.
    void expect_conserved();
    /// From now on it is opened in another boot.
    void reboot() noexcept { ++plan_.boot; }

  private:
    store_plan plan_{};
    std::unique_ptr<engine> engine_;
    bool is_open_ = false;
};

/// Runs a program: worker or parent, signals, errors. `run` prints its result lines.
int program(int argc, char** argv, void (*run)(const options&));

}  // namespace perdure::perf
