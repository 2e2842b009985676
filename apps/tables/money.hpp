// SPDX-License-Identifier: Apache-2.0
//
// Names and scaled amounts beside the numbers that rows hold, from what the schemas say: a balanced
// field names its group, the group is an asset, and the table "assets" knows its code and scale. A
// key whose upper 32 bits are the group begins with an account's.
//
// Promise     Only ever an addition: what is stored is printed as well, exactly.
// Threads     One thread.
#pragma once

#include <map>
#include <optional>
#include <perdure/apps/tables/reader.hpp>

namespace perdure::apps {

class money {
  public:
    /// Reads the assets there are. A world without such tables has no names.
    explicit money(world_reader& in);

    /// "12.50" for a balanced field, "gold" for its group; nothing for any other.
    [[nodiscard]] std::optional<std::string> shown(const stored_table& of, const column& what,
                                                   const stored_row& row) const;
    /// Name, or else number, of the account that a balance's key begins with.
    [[nodiscard]] std::optional<std::string> account(const stored_table& of, const stored_row& row);

  private:
    struct asset {
        std::string code;
        int scale;
    };
    world_reader* in_;
    std::map<std::uint64_t, asset> assets_;
    std::optional<stored_table> accounts_;
    stored_row found_;
};

}  // namespace perdure::apps
