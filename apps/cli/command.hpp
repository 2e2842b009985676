// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of perdure as main.cpp sees them: what was asked for, and the exit code.
//
// Promise     Each answers one of exit_code or throws perdure::failure, which main.cpp prints as
//             thing, cause and remedy.
// Threads     Called once, on the main thread.
#pragma once

#include <cstdint>
#include <optional>
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
    std::optional<std::string> at{};     ///< --at: a time in the world's history; none: now.
    std::optional<std::uint64_t> lsn{};  ///< --lsn: the same by record.
};

int init(const world_choice& where);
int serve(const world_choice& where);
int status(const world_choice& where);

struct verify_order {
    world_choice where;
    bool deep = false;
};
int verify(const verify_order& order);

struct checkpoint_order {
    world_choice where;
    bool full = false;
};
int checkpoint(const checkpoint_order& order);

struct restore_choice {
    world_choice where;  ///< With `at` and `lsn`.
    std::string to;
    std::string checkpoint;                     ///< LSN or identifier.
    std::optional<std::string> before_error{};  ///< Name of an event; empty: a failed validation.
    bool latest = false;
    bool accepts_loss = false;  ///< With `latest`.
    bool swap = false;
};
int restore(const restore_choice& order);

struct diff_order {
    world_choice where;
    std::string from;
    std::optional<std::string> to{};  ///< None: now.
    std::uint64_t limit = 50;
};
int diff(const diff_order& order);

/// What the lines of a file mean; the same in every worker.
struct line_rules {
    bool accounts = false;  ///< Lines open accounts; otherwise they move value.
    std::string columns;    ///< "role=column,..."
    int scale = 0;
    int shift = 0;           ///< Digits by which the file's numbers are moved behind the point.
    std::string where;       ///< Lines that count: "column=value|value"; empty: all.
    std::string reverse;     ///< Lines that move the other way, alike.
    bool is_signed = false;  ///< A negative amount moves the other way.
    std::string asset = "unit";
    std::string opening = "grant";
    std::string kind = "player";  ///< Of accounts whose kind no column says.
    std::string budget;           ///< At most so much may the faucet have minted; empty: no limit.
    std::string on_bad_line = "skip";
};

struct import_order {
    world_choice where;
    std::string file;
    line_rules rules;
    std::uint32_t workers = 0;         ///< 0: two, or one where the order of lines decides.
    std::int64_t grant = 0;            ///< 0: chosen from the file.
    std::string refused_file;          ///< Where the refused lines are listed; empty: nowhere.
    std::uint64_t progress_lines = 0;  ///< Off a terminal, a line each so many; 0: one a second.
    std::uint64_t rate = 0;            ///< At most so many lines a second; 0: as fast as it goes.
};
int import_file(const import_order& order);

struct close_order {
    world_choice where;
    std::string identity;  ///< The first digits of it.
};
int list_imports(const world_choice& where);
int close_import(const close_order& order);

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
    line_rules rules;
    std::string identity;
    std::int64_t grant = 0;
    std::uint64_t end_line = 0;  ///< Lines from here on are not played; 0: all are.
    bool resumed = false;        ///< Some lines may be decided already.
    std::uint64_t rate = 0;
};
int import_part(const part_order& order);
int demo_worker(const part_order& order);
int demo_keeper(const part_order& order);

}  // namespace perdure::apps
