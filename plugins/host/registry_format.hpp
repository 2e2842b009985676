// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the rows of the plugins' tables, and the event of their lives.
//
// Invariants  U1 `done` commits of the window that begins at `from_ns` have been made, and no
//             other; each raised it in its own transaction. When it is above 0, `to_ns` is
//             where that window ends, whoever runs it again.
//             U2 `generation` goes up with every instance that is started; a commit names it.
//             U3 what a plugin has minted in a window stands in its allowance row, changed with the
//             mint.
// Format      docs/formats/plugins.md
#pragma once

#include <boost/describe.hpp>
#include <perdure/core/event_format.hpp>
#include <perdure/shm/schema_format.hpp>

namespace perdure::plugins {

enum class plugin_state : std::uint32_t {
    loaded = 1,       ///< Wants to run; no instance is active yet.
    active = 2,       ///< An instance runs, or is started again after it died.
    quarantined = 3,  ///< Crashed too often; stays so until somebody loads or enables it.
    disabled = 4,     ///< By an operator.
};

enum class host_kind : std::uint32_t {
    process = 1,   ///< A process of its own that may only read the region.
    embedded = 2,  ///< Inside the keeper: "inline" on the command line.
};

struct plugin_row {
    shm::row_header header;
    shm::transaction_key key;  ///< The id of its account.
    std::array<char, 64> id;
    std::array<char, 24> version;
    std::array<char, 64> file;  ///< BLAKE2b-256 in hexadecimal: its name in the store.
    std::uint32_t state;        ///< plugin_state
    std::uint32_t host;         ///< host_kind
    std::uint32_t cause;        ///< errc of what went wrong last since it was loaded, 0 = nothing.
    std::uint32_t state_version;
    std::uint64_t generation;
    std::uint64_t window;   ///< Windows that are finished.
    std::uint64_t from_ns;  ///< World time: where the next window begins.
    std::uint64_t to_ns;    ///< Where the one at hand ends, 0 = none is at hand.
    std::uint64_t done;     ///< Commits of the one at hand.
    std::uint64_t cursor;   ///< Events up to this LSN are done.
    std::uint64_t crashes;  ///< In all.
    shm::blob_ref config;   ///< JSON.
    shm::blob_ref granted;  ///< capabilities::canonical() of what was granted.
};
static_assert(shm::mapped<plugin_row> && sizeof(plugin_row) == 288);
static_assert(offsetof(plugin_row, state) == 184 && offsetof(plugin_row, config) == 256);
BOOST_DESCRIBE_STRUCT(plugin_row, (),
                      (key, id, version, file, state, host, cause, state_version, generation,
                       window, from_ns, to_ns, done, cursor, crashes, config, granted))

/// What a plugin has minted of an asset in a window.
struct allowance_row {
    shm::row_header header;
    shm::transaction_key key;  ///< (plugin's account, asset), as a balance's.
    std::uint64_t window;      ///< Which one `minted` is of.
    std::int64_t minted;
    std::uint32_t asset;
    std::uint32_t reserved;
};
static_assert(shm::mapped<allowance_row> && sizeof(allowance_row) == 56);
BOOST_DESCRIBE_STRUCT(allowance_row, (), (key, window, minted, asset))

/// An entry of a plugin's own state.
struct plugin_state_row {
    shm::row_header header;
    shm::transaction_key key;  ///< Of plugin and name.
    account_words plugin;
    std::array<char, 40> name;  ///< Any bytes.
    std::uint32_t name_bytes;
    std::uint32_t reserved;
    shm::blob_ref value;
};
static_assert(shm::mapped<plugin_state_row> && sizeof(plugin_state_row) == 112);
BOOST_DESCRIBE_STRUCT(plugin_state_row, (), (key, plugin, name, name_bytes, value))

enum class upgrade_stage : std::uint32_t {
    shadowing = 1,  ///< The old version works, the new one is asked what it would do.
    probation = 2,  ///< The new version works; a failure returns the old one.
};

/// An upgrade that is under way; gone when it is settled or has failed.
struct upgrade_row {
    shm::row_header header;
    shm::transaction_key key;  ///< The plugin's.
    std::array<char, 24> new_version;
    std::array<char, 64> new_file;
    std::array<char, 24> old_version;
    std::array<char, 64> old_file;
    std::uint32_t stage;  ///< upgrade_stage
    std::uint32_t old_state_version;
    std::uint64_t windows_left;  ///< Of the stage.
    std::uint64_t compared;      ///< Windows that both versions have run.
    std::uint64_t differing;     ///< And wanted different things in.
    std::uint64_t by;            ///< User id of whose command it is.
    shm::blob_ref new_granted;   ///< capabilities::canonical()
    shm::blob_ref old_granted;
    shm::blob_ref report;  ///< Text: what differed.
};
static_assert(shm::mapped<upgrade_row> && sizeof(upgrade_row) == 296);
BOOST_DESCRIBE_STRUCT(upgrade_row, (),
                      (key, new_version, new_file, old_version, old_file, stage, old_state_version,
                       windows_left, compared, differing, by, new_granted, old_granted, report))

enum class plugin_step : std::uint32_t {
    loaded = 1,
    unloaded = 2,
    activated = 3,    ///< A new generation takes over.
    refused = 4,      ///< It could not be started: the cause.
    crashed = 5,      ///< Its process died.
    hung = 6,         ///< It was killed at its hard deadline.
    broke_rules = 7,  ///< It was killed for what it posted: the cause.
    quarantined = 8,
    disabled = 9,
    enabled = 10,
    upgraded = 11,  ///< The new version works from the next window on.
    returned = 12,  ///< To the version before an upgrade.
    skipped = 13,   ///< Windows that its manifest does not want made up: `number` of them.
    shadowed = 14,  ///< A new version is tried beside the old one.
    settled = 15,   ///< The new version has stood its probation.
    given_up = 16,  ///< A new version that could not be tried: the old one works on.
};

struct plugin_stepped_v1 {
    account_words plugin;
    std::array<char, 64> id;
    std::array<char, 24> version;
    std::array<char, 64> file;
    std::uint64_t generation;
    std::uint64_t window;
    std::uint64_t number;  ///< Of a process: how it ended, as wait() says; of windows: how many.
    std::uint32_t step;    ///< plugin_step
    std::uint32_t cause;   ///< errc, 0 = none.
    std::uint64_t by;      ///< User id of whose command it was; ~0: the keeper's own.
};
static_assert(shm::mapped<plugin_stepped_v1> && sizeof(plugin_stepped_v1) == 208);
BOOST_DESCRIBE_STRUCT(plugin_stepped_v1, (),
                      (plugin, id, version, file, generation, window, number, step, cause, by))

inline constexpr std::uint64_t by_keeper = ~0ULL;

}  // namespace perdure::plugins
