// SPDX-License-Identifier: Apache-2.0
//
// The directory in which a catalog lies, held open: makes its file and sets a broken one aside.
//
// Promise     No symbolic link is followed at catalog.db. The file is made and renamed, never
//             opened: to close it would drop the locks that SQLite holds on it elsewhere in the
//             process. Outside io/file.hpp, as SQLite is.
// Death       A file that was set aside may have left its journal behind; the next new file takes
//             it away first.
// Threads     One object, one thread at a time.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

namespace perdure::io {

inline constexpr const char* catalog_name = "catalog.db";
inline constexpr const char* broken_catalog_name = "catalog.db.broken";

/// Its functions throw std::system_error where the operating system refuses.
class catalog_folder {
  public:
    explicit catalog_folder(const std::string& path);
    catalog_folder(const catalog_folder&) = delete;
    catalog_folder& operator=(const catalog_folder&) = delete;
    ~catalog_folder();

    /// Against others who make files or set them aside; held as long as the object is there.
    void lock(int wait_ms);

    /// What bears the catalog's name; nothing if it is not there.
    [[nodiscard]] std::optional<struct stat> entry() const;
    /// An empty file, for its owner only.
    void make_file();
    /// Gives what is there the other name, in place of a file or an empty directory of that name.
    void set_aside();

    /// The file's path while this object is there. No character in it means anything to SOCI.
    [[nodiscard]] std::string file_path() const;

  private:
    [[nodiscard]] bool move(const std::string& from, const std::string& to) noexcept;
    void remove(const std::string& name) noexcept;

    int number_;
};

[[nodiscard]] bool is_same_file(const struct stat& one, const struct stat& other) noexcept;

}  // namespace perdure::io
