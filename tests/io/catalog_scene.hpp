// SPDX-License-Identifier: Apache-2.0
//
// A directory with a catalog in it, facts to note, and the file as other tools see it.
#pragma once

#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <perdure/io/catalog.hpp>

namespace perdure::tests {

namespace fs = std::filesystem;
using io::checkpoint_fact;

/// The file as any other program has it open.
class tool {
  public:
    explicit tool(const std::string& path) {
        BOOST_REQUIRE(::sqlite3_open(path.c_str(), &file_) == SQLITE_OK);
    }
    tool(const tool&) = delete;
    tool& operator=(const tool&) = delete;
    ~tool() { ::sqlite3_close(file_); }

    void run(const std::string& sql) {
        const int answer = ::sqlite3_exec(file_, sql.c_str(), nullptr, nullptr, nullptr);
        BOOST_REQUIRE_MESSAGE(answer == SQLITE_OK, sql << ": " << ::sqlite3_errmsg(file_));
    }
    /// The columns of all rows, as texts.
    [[nodiscard]] std::vector<std::vector<std::string>> ask(const std::string& sql) {
        std::vector<std::vector<std::string>> rows;
        const auto take = [](void* into, int count, char** texts, char**) {
            static_cast<decltype(rows)*>(into)->emplace_back(texts, texts + count);
            return 0;
        };
        BOOST_REQUIRE(::sqlite3_exec(file_, sql.c_str(), take, &rows, nullptr) == SQLITE_OK);
        return rows;
    }

  private:
    sqlite3* file_ = nullptr;
};

struct world_directory {
    std::string path = "/tmp/perdure catalog=\"_XXXXXX";  // SOCI's own separators.

    world_directory() { BOOST_REQUIRE(::mkdtemp(path.data()) != nullptr); }
    world_directory(const world_directory&) = delete;
    world_directory& operator=(const world_directory&) = delete;
    ~world_directory() { fs::remove_all(path); }

    [[nodiscard]] std::string file() const { return io::catalog_path(path); }
    [[nodiscard]] std::string broken() const { return file() + ".broken"; }
    [[nodiscard]] std::string made_anew() const { return "a new one was made"; }

    void write(const std::string& text) const { std::ofstream(file()) << text; }
    [[nodiscard]] static std::string content(const std::string& path) {
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }
};

inline checkpoint_fact checkpoint(int number) {
    return {
        .id = "00000000-0000-4000-8000-00000000000" + std::to_string(number),
        .lsn = 100U * static_cast<unsigned>(number),
        .parent = number > 1 ? checkpoint(number - 1).id : "",
        .kind = number > 1 ? checkpoint_fact::extent::incremental : checkpoint_fact::extent::full,
        .created_ns = 1'700'000'000'000'000'000U + static_cast<unsigned>(number),
        .rows = 5'000'000'000,
        .raw_bytes = 1ULL << 40,
        .stored_bytes = 1ULL << 39,
        .capture_us = 12,
        .cut_us = 3,
        .write_ms = 4500,
        .trigger = "interval",
        .note = "number " + std::to_string(number)};
}

inline void must_note(io::catalog& catalog, const auto& fact) {
    catalog.note(fact);
    BOOST_TEST(catalog.last_error() == "");
}

/// That it can be written and read.
inline void must_work(io::catalog& catalog) {
    must_note(catalog, checkpoint(7));
    const auto found = catalog.checkpoints(1);
    BOOST_REQUIRE(found.size() == 1U);
    BOOST_TEST((found[0] == checkpoint(7)));
}

inline bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace perdure::tests
