// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of perdure as main.cpp sees them: what was asked for, and the exit code.
//
// Promise     Each answers one of exit_code or throws perdure::failure, which main.cpp prints as
//             thing, cause and remedy.
// Threads     Called once, on the main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace perdure::apps {

enum exit_code : int {
    exit_done = 0,
    exit_refused = 1,  ///< Refused, or not found.
    exit_usage = 2,
    exit_damage = 3,  ///< A file or the region is not what it must be.
};

/// Which world, and how it is configured beyond its world.toml.
struct world_choice {
    std::string directory;
    std::vector<std::string> assignments;  ///< --set section.key=value
    bool json = false;
};

int init(const world_choice& where);
int serve(const world_choice& where);
int status(const world_choice& where);
int verify(const world_choice& where);

struct import_order {
    world_choice where;
    std::string file;
    std::string columns;  ///< "from=…,to=…,amount=…"
    int scale = 0;
    std::uint32_t workers = 2;
    std::string asset = "unit";
    std::int64_t grant = 0;            ///< 0: chosen from the file.
    std::uint64_t progress_lines = 0;  ///< Off a terminal, a line each so many; 0: one a second.
    std::uint64_t rate = 0;            ///< At most so many lines a second; 0: as fast as it goes.
};
int import_transfers(const import_order& order);

struct demo_order {
    bool quick = false;
    bool json = false;
    std::string sabotage;  ///< Empty, or the name of a planted fault.
    std::string folder;    ///< Where the world is made; empty: TMPDIR or /tmp.
};
int demo(const demo_order& order);

/// What a process of our own is started with; see child.hpp.
struct part_order {
    world_choice where;
    std::uint32_t place = 0;   ///< Which worker.
    std::uint32_t of = 1;      ///< Of how many.
    std::uint64_t number = 0;  ///< Demo: how many were started before it.
    int parent = 0;            ///< Ends with this process.
    // Import:
    std::string file;
    std::string columns;
    std::string asset;
    std::string identity;
    std::int64_t grant = 0;
    int scale = 0;
    std::uint64_t rate = 0;
};
int import_part(const part_order& order);
int demo_worker(const part_order& order);
int demo_keeper(const part_order& order);

}  // namespace perdure::apps
