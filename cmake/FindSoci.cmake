# SPDX-License-Identifier: Apache-2.0
#
# SOCI with its SQLite backend as Soci::sqlite3; Debian's package brings no CMake files of its own.
# Installed too: what links the static libraries needs it again.
include(FindPackageHandleStandardArgs)
find_package(SQLite3 QUIET MODULE)
find_path(Soci_INCLUDE_DIR soci/sqlite3/soci-sqlite3.h)
find_library(Soci_core_LIBRARY soci_core)
find_library(Soci_sqlite3_LIBRARY soci_sqlite3)
mark_as_advanced(Soci_INCLUDE_DIR Soci_core_LIBRARY Soci_sqlite3_LIBRARY)
find_package_handle_standard_args(Soci
    REQUIRED_VARS Soci_sqlite3_LIBRARY Soci_core_LIBRARY Soci_INCLUDE_DIR SQLite3_FOUND
    REASON_FAILURE_MESSAGE "Debian: apt-get install libsoci-dev libsqlite3-dev")
if(Soci_FOUND AND NOT TARGET Soci::sqlite3)
    add_library(Soci::sqlite3 UNKNOWN IMPORTED)
    set_target_properties(Soci::sqlite3 PROPERTIES
        IMPORTED_LOCATION "${Soci_sqlite3_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${Soci_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES "${Soci_core_LIBRARY};SQLite::SQLite3")
endif()
