// SPDX-License-Identifier: Apache-2.0
//
// The words of `perdure import`, for the command that people give and for the workers it starts.
//
// Threads     The main thread.
#pragma once

#include <string>
#include <vector>

#include <perdure/apps/cli/command.hpp>

namespace CLI {
class App;  // Its header is read only where words are added: it costs each reader five seconds.
}

namespace perdure::apps {

/// The options of `import transfers` (or accounts, as the rules say) behind WORLD and --json.
void add_import_options(CLI::App* command, import_order& order);

/// What a worker is told, and the same as words.
void add_part_options(CLI::App* command, part_order& order);
[[nodiscard]] std::vector<std::string> part_words(const part_order& order);

}  // namespace perdure::apps
