// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <perdure/apps/cli/state_place.hpp>

namespace perdure::apps {
namespace {

using open_file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

[[noreturn]] void refuse_file(const std::string& path, errc why) {
    throw failure(why, path + ": " + std::strerror(errno), std::string(remedy(why)));
}

}  // namespace

void state_place::refuse(const std::string& thing, errc why) {
    throw failure(why, thing + ": " + std::string(name(why)), std::string(remedy(why)));
}

document_name name_in(const std::string& text) {
    const auto slash = text.find('/');
    if (slash == std::string::npos) {
        throw failure(errc::bad_name, "document " + text + ": no collection",
                      "name it COLLECTION/NAME, for example markets/gold");
    }
    const std::string_view whole = text;
    return {whole.substr(0, slash), whole.substr(slash + 1)};
}

std::string read_whole(const std::string& path) {
    open_file file(
        path.empty() ? ::fdopen(::dup(STDIN_FILENO), "rb") : std::fopen(path.c_str(), "rb"),
        std::fclose);
    const std::string name = path.empty() ? "standard input" : path;
    if (file == nullptr) refuse_file(name, errc::io_error);
    std::string out;
    std::array<char, 1 << 16> piece;
    while (out.size() <= shm::blob_bytes_max) {
        const std::size_t count = std::fread(piece.data(), 1, piece.size(), file.get());
        out.append(piece.data(), count);
        if (count < piece.size()) break;
    }
    if (std::ferror(file.get()) != 0) refuse_file(name, errc::io_error);
    if (out.size() > shm::blob_bytes_max) state_place::refuse(name, errc::value_too_large);
    return out;
}

void write_whole(const std::string& path, std::string_view value) {
    open_file file(
        path.empty() ? ::fdopen(::dup(STDOUT_FILENO), "wb") : std::fopen(path.c_str(), "wbx"),
        std::fclose);
    const std::string name = path.empty() ? "standard output" : path;
    if (file == nullptr && errno == EEXIST) {
        throw failure(errc::exists, name + ": it is there already",
                      "move it away or choose another place");
    }
    if (file == nullptr) refuse_file(name, errc::io_error);
    const bool whole = std::fwrite(value.data(), 1, value.size(), file.get()) == value.size();
    if (!whole || std::fflush(file.get()) != 0) refuse_file(name, errc::io_error);
}

std::string_view spell(document_kind kind) noexcept {
    return kind == document_kind::json ? "json" : "binary";
}

}  // namespace perdure::apps
