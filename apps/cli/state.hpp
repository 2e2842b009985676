// SPDX-License-Identifier: Apache-2.0
//
// perdure state: what each of its verbs is asked for.
//
// Promise     What was written is durable when the command ends with 0.
// Threads     Called once, on the main thread.
#pragma once

#include <optional>
#include <perdure/apps/cli/command.hpp>

namespace perdure::apps {

struct state_order {
    world_choice where;
    std::string document;    ///< COLLECTION/NAME
    std::string collection;  ///< Of the verbs that mean all of it; empty: all collections.
    std::string file;        ///< Empty: standard input or output.
    std::string folder;
    bool binary = false;
    bool atomic = false;
    std::optional<std::uint64_t> expect_version;
    std::optional<std::string> from_state;
    std::optional<std::string> to_state;
    std::uint32_t reason = 0;
    std::uint64_t version = 0;  ///< 0: the newest.
    std::uint64_t from = 0;     ///< diff; 0: the one before `to`.
    std::uint64_t to = 0;
    std::optional<std::uint32_t> versions;  ///< limit
    std::optional<std::uint64_t> bytes;
};

int state_put(const state_order& order);
int state_get(const state_order& order);
int state_history(const state_order& order);
int state_diff(const state_order& order);
int state_list(const state_order& order);
int state_erase(const state_order& order);
int state_limit(const state_order& order);
/// Every file of a folder becomes a document of the collection, and the other way round.
int state_save(const state_order& order);
int state_load(const state_order& order);

}  // namespace perdure::apps
