// SPDX-License-Identifier: Apache-2.0
//
// The plugins that a world keeps: WORLD/plugins/<hash>.so, named by what they hold.
//
// Promise     A name stands for its bytes: they are hashed when they are stored and again each time
//             they are asked for. What was checked is what is stored, whatever becomes of the
//             author's file meanwhile.
// Death       A process killed while it adds leaves a temporary file, which the next add removes.
// Power loss  What add() answered is there afterwards.
// Threads     One at a time; a second process that adds at the same moment is refused.
#pragma once

#include <perdure/io/file.hpp>
#include <perdure/plugins/host/plugin_file.hpp>
#include <string>

namespace perdure::plugins {

class store {
  public:
    /// Requires: `files` outlives it.
    store(io::file_system& files, const std::string& world_directory)
        : files_(files), directory_(world_directory + "/plugins") {}

    /// Copies the plugin into the world; a second time nothing changes, but that a damaged copy is
    /// replaced. Throws failure: bad_plugin, wrong_abi, io_error, disk_full, busy.
    plugin_file add(const std::string& path);

    /// Of the stored file, read-only. Throws failure: unknown_plugin, damaged, io_error.
    [[nodiscard]] std::string path_of(const std::string& hash);

  private:
    [[nodiscard]] std::string name_of(const std::string& hash) const {
        return directory_ + '/' + hash + ".so";
    }
    [[nodiscard]] result<std::string> hash_at(const std::string& path);
    result<> add(std::span<const std::byte> content, const std::string& hash);
    result<> remove_leftovers();
    result<> write(std::span<const std::byte> content, const std::string& to);

    io::file_system& files_;
    std::string directory_;
    std::string why_;  ///< What failed before the clean-up did.
};

}  // namespace perdure::plugins
