// SPDX-License-Identifier: Apache-2.0
//
// What a plugin's process gives up before any code of the plugin runs, constructors included.
//
// Promise     After close() the process opens no file, makes no socket, thread or process, signals
//             nobody else, takes no more memory than it may and gains no right by exec. A system
//             call that is not on the list answers EPERM, and the keeper is told its number, but
//             for those that would make threads and processes: they only answer.
// Death       Of the keeper: the kernel ends this process, too.
// Threads     The only one there is.
#pragma once

#include <cstdint>
#include <perdure/plugins/host/channel_format.hpp>

namespace perdure::plugins {

struct sandbox_terms {
    std::uint64_t memory_bytes = 0;  ///< Beyond what is mapped by now.
    std::uint32_t user = 0;          ///< Becomes this user where it is root; 0: stays.
    int parent = 0;                  ///< Process that must be its parent.
    int plugin_file = -1;            ///< Open for reading: the one thing that may be loaded.
    channel_header* told = nullptr;  ///< Where denied calls are counted.
};

class sandbox {
  public:
    /// The first step, before anything is waited for: from now on this process ends with its
    /// parent. Throws failure: io_error when that is gone already.
    static void end_with(int parent);
    /// Throws failure: io_error, naming what could not be given up.
    static void close(const sandbox_terms& terms);

    /// The name under which dlopen() finds the plugin's file, and nothing else.
    static constexpr const char* plugin_path = "/plugin";

    /// The plugin is loaded: nothing is opened from now on, and no memory becomes executable.
    /// Throws failure: io_error.
    static void seal();
};

}  // namespace perdure::plugins
