// SPDX-License-Identifier: Apache-2.0
//
// Where an export goes: standard output, or a file that appears when it is whole.
//
// Promise     A file has its name only when all of it is on the disk; until then it is
//             FILE.part-PID, which is removed when anything fails.
// Death       A killed export leaves the part; the file that bore the name before is as it was.
// Threads     One thread.
#pragma once

#include <perdure/io/file.hpp>
#include <string>
#include <string_view>

namespace perdure::apps {

class text_sink {
  public:
    text_sink() = default;
    text_sink(const text_sink&) = delete;
    text_sink& operator=(const text_sink&) = delete;
    virtual ~text_sink() = default;

    /// Throws failure: disk_full, io_error.
    void add(std::string_view text) {
        pending_ += text;
        if (pending_.size() >= flush_bytes) flush();
    }
    /// Nothing may be added afterwards. Throws failure: as add().
    virtual void finish() = 0;
    [[nodiscard]] std::uint64_t bytes() const noexcept { return written_ + pending_.size(); }

  protected:
    static constexpr std::size_t flush_bytes = 256 * 1024;
    void flush();
    virtual void write(std::string_view text, std::uint64_t offset) = 0;

  private:
    std::string pending_;
    std::uint64_t written_ = 0;
};

class output_sink final : public text_sink {
  public:
    void finish() override { flush(); }

  protected:
    void write(std::string_view text, std::uint64_t offset) override;
};

class file_sink final : public text_sink {
  public:
    /// Throws failure: io_error.
    file_sink(io::kernel_calls& calls, std::string path);
    file_sink(const file_sink&) = delete;
    file_sink& operator=(const file_sink&) = delete;
    ~file_sink() override;
    /// Syncs the file, gives it its name, syncs the folder.
    void finish() override;

  protected:
    void write(std::string_view text, std::uint64_t offset) override;

  private:
    [[noreturn]] void refuse(errc reason);
    io::file_system files_;
    std::string path_;
    io::file part_;
    bool whole_ = false;
};

}  // namespace perdure::apps
