// SPDX-License-Identifier: Apache-2.0
//
// A file with a text in it, gone with the object.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace perdure::tests {

struct text_file {
    std::string path = "/tmp/perdure_text_XXXXXX";

    explicit text_file(const std::string& text) {
        ::close(::mkstemp(path.data()));
        std::ofstream(path) << text;
    }
    text_file(const text_file&) = delete;
    text_file& operator=(const text_file&) = delete;
    ~text_file() { std::filesystem::remove(path); }
};

}  // namespace perdure::tests
