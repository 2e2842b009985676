// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/export/sink.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

namespace perdure::apps {

void text_sink::flush() {
    if (pending_.empty()) return;
    write(pending_, written_);
    written_ += pending_.size();
    pending_.clear();
}

void output_sink::write(std::string_view text, std::uint64_t /*offset*/) {
    while (!text.empty()) {
        const auto done = ::write(STDOUT_FILENO, text.data(), text.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            const int error = errno;
            throw failure(error == ENOSPC ? errc::disk_full : errc::io_error,
                          std::string("standard output: ") + std::strerror(error),
                          error == ENOSPC ? "free space, or write elsewhere; what was written is "
                                            "not whole"
                                          : "look at who reads it; what was written is not whole");
        }
        text.remove_prefix(static_cast<std::size_t>(done));
    }
}

file_sink::file_sink(io::kernel_calls& calls, std::string path)
    : files_(calls), path_(std::move(path)) {
    const std::string part = path_ + ".part-" + std::to_string(::getpid());
    static_cast<void>(files_.unlink(part));  // A process of this number may have been killed.
    auto made = files_.open(part, io::open_mode::create);
    if (!made) refuse(made.error());
    part_ = std::move(*made);
}

file_sink::~file_sink() {
    if (whole_ || !part_.is_open()) return;
    const std::string part = part_.path();
    part_.close();
    static_cast<void>(files_.unlink(part));
}

void file_sink::refuse(errc reason) {
    throw failure(reason, path_ + ": " + files_.last_error(),
                  reason == errc::disk_full ? "free space there, or name another file; no half "
                                              "file was left"
                                            : "check the path; no half file was left");
}

void file_sink::write(std::string_view text, std::uint64_t offset) {
    // A full disk cuts a write short and says nothing more: asked for the blocks it says why.
    if (const auto got = part_.allocate(offset + text.size()); !got) refuse(got.error());
    if (const auto done = part_.write(std::as_bytes(std::span(text)), offset); !done) {
        refuse(done.error());
    }
}

void file_sink::finish() {
    flush();
    if (const auto synced = part_.sync(); !synced) refuse(synced.error());
    if (const auto named = part_.rename(path_); !named) refuse(named.error());
    whole_ = true;
    if (const auto kept = files_.sync_directory(io::folder_of(path_)); !kept) {
        refuse(kept.error());
    }
}

}  // namespace perdure::apps
