// SPDX-License-Identifier: Apache-2.0
//
// A shared object (ELF64, x86-64) as bytes: its sections, the libraries it needs, what it exports.
//
// Promise     Nothing is loaded or run, and nothing outside of the bytes is read: every offset,
//             count and name is checked before it is followed. A file that cannot be loaded as a
//             plugin for a reason that stands in its headers is refused with that reason.
// Threads     Values; as long as the bytes live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <perdure/shm/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::plugins {

struct elf_section {
    std::string_view name;
    std::uint32_t type = 0;
    std::uint32_t link = 0;              ///< Number of the section that holds its texts.
    std::span<const std::byte> content;  ///< Empty where the file holds none.
};

class elf_sections {
  public:
    /// @param origin  the file, as messages name it
    /// Throws failure: bad_plugin.
    elf_sections(std::span<const std::byte> file, std::string origin);

    /// nullptr: there is none of that name. Throws failure: bad_plugin, when there are two.
    [[nodiscard]] const elf_section* find(std::string_view name) const;

    /// The libraries that the loader would load with it, in its order.
    [[nodiscard]] const std::vector<std::string>& needs() const noexcept { return needs_; }

    /// Whether dlsym() would find a function of that name. Throws failure: bad_plugin.
    [[nodiscard]] bool exports(std::string_view symbol) const;

    [[noreturn]] void refuse(const std::string& cause, std::string todo = "") const;

  private:
    struct load {
        std::uint64_t address;
        std::uint64_t offset;
        std::uint64_t bytes;
    };
    template <class Entry>
    [[nodiscard]] Entry read(std::uint64_t offset, const char* what) const;
    [[nodiscard]] std::span<const std::byte> piece(std::uint64_t offset, std::uint64_t bytes,
                                                   const char* what) const;
    [[nodiscard]] std::string_view text(std::span<const std::byte> texts, std::uint64_t at) const;
    [[nodiscard]] std::uint64_t offset_of(std::uint64_t address, const char* what) const;
    void check_header() const;
    void read_sections();
    void read_segments();
    void read_dynamic(std::span<const std::byte> entries);

    std::span<const std::byte> file_;
    std::string origin_;
    std::vector<elf_section> sections_;
    std::vector<load> loads_;
    std::vector<std::string> needs_;
};

}  // namespace perdure::plugins
