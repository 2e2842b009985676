// SPDX-License-Identifier: Apache-2.0
//
// A running plugin, wherever it runs: called by messages, ended.
//
// Promise     A call answers, or says how the instance ended; an instance that has ended is not
//             called again. What the plugin wants meanwhile goes to the outlet, on this thread.
// Death       Of a plugin's process: the call under way answers call_end::died.
// Threads     One.
#pragma once

#include <perdure/plugins/host/channel_format.hpp>
#include <perdure/plugins/host/outlet.hpp>

namespace perdure::plugins {

enum class call_end : std::uint32_t {
    answered = 1,
    died = 2,         ///< Its process ended: `number` is what wait() said.
    hung = 3,         ///< It was killed at its hard deadline.
    broke_rules = 4,  ///< It was killed for what it sent: `cause`.
};

struct call_outcome {
    call_end how = call_end::answered;
    std::int32_t status = 0;   ///< The plugin's own.
    std::uint64_t number = 0;  ///< Of a death.
    errc cause{};
    std::uint64_t ns = 0;  ///< How long it took.
};

/// For people: "it died of signal 9".
std::string how_it_ended(const call_outcome& end);

class instance {
  public:
    virtual ~instance() = default;
    instance(const instance&) = delete;
    instance& operator=(const instance&) = delete;

    virtual call_outcome call(message_kind kind, std::span<const std::byte> payload,
                              std::uint64_t hard_ns) = 0;
    /// Whether it still lives, between calls. Once it does not, `ended` says how.
    virtual bool is_alive(call_outcome& ended) = 0;
    [[nodiscard]] virtual const ready_message& about() const noexcept = 0;
    /// Its process; 0 where it has none of its own.
    [[nodiscard]] virtual int process() const noexcept = 0;
    /// System calls that it was refused so far, and the last of them.
    struct denial {
        std::uint64_t count = 0;
        std::uint64_t call = 0;
    };
    [[nodiscard]] virtual denial denied() const noexcept = 0;

  protected:
    instance() = default;
};

/// What an instance is started with.
struct instance_terms {
    std::string file;  ///< The plugin's, in the store.
    account_id plugin;
    std::set<std::string> read;
    std::uint64_t memory_bytes = 0;
    std::uint64_t hard_ns = 0;  ///< For its constructors and create().
    std::string program;        ///< Of a process: perdure_plugin_host.
    std::uint32_t user = 0;     ///< Of a process, where the keeper is root.
    bool is_debugged = false;   ///< A debugger of the same user may attach to the process.
};

/// In a process of its own that may only read the region. `text` gets what it writes to its
/// standard error. Throws failure: bad_plugin, wrong_abi, plugin_failed, io_error, missing.
std::unique_ptr<instance> start_process(shm::region& where, const instance_terms& terms,
                                        outlet& out);

/// In this process: for plugins that are trusted like the keeper itself. Throws failure.
std::unique_ptr<instance> start_inline(shm::region& where, const instance_terms& terms,
                                       outlet& out);

}  // namespace perdure::plugins
