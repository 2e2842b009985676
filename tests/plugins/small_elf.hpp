// SPDX-License-Identifier: Apache-2.0
//
// The smallest file that is a plugin to those who only look at it.
#pragma once

#include <elf.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace perdure::tests {

struct small_elf {
    std::string toml;
    std::vector<std::string> needs = {"libc.so.6"};
    std::string symbol = "perdure_plugin_entry_1";

    /// Sections: none, .perdure.plugin, .dynstr, .dynsym, .shstrtab.
    static constexpr std::uint16_t section_count = 5;
    static constexpr std::uint16_t segment_count = 3;

    [[nodiscard]] std::string bytes() const {
        std::string texts(1, '\0');
        const auto named = [](std::string& table, const std::string& name) {
            const std::size_t at = table.size();
            table += name + '\0';
            return at;
        };
        std::vector<Elf64_Dyn> dynamic;
        const auto entry = [&](Elf64_Sxword tag, std::uint64_t value) {
            Elf64_Dyn made{};
            made.d_tag = tag;
            made.d_un.d_val = value;
            dynamic.push_back(made);
        };
        for (const std::string& each : needs) entry(DT_NEEDED, named(texts, each));
        std::array<Elf64_Sym, 2> symbols{};
        symbols[1].st_name = static_cast<Elf64_Word>(named(texts, symbol));
        symbols[1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
        symbols[1].st_shndx = 1;

        std::string out(sizeof(Elf64_Ehdr) + segment_count * sizeof(Elf64_Phdr), '\0');
        const auto put = [&](const void* from, std::size_t count) {
            const std::size_t at = out.size();
            out.append(static_cast<const char*>(from), count);
            return at;
        };
        const std::size_t toml_at = put(toml.data(), toml.size());
        const std::size_t texts_at = put(texts.data(), texts.size());
        const std::size_t symbols_at = put(symbols.data(), sizeof symbols);
        entry(DT_STRTAB, texts_at);
        entry(DT_STRSZ, texts.size());
        entry(DT_NULL, 0);
        const std::size_t dynamic_at = put(dynamic.data(), dynamic.size() * sizeof(Elf64_Dyn));

        std::string names(1, '\0');
        std::array<Elf64_Shdr, section_count> sections{};
        const auto section = [&](std::size_t number, const char* name, std::uint32_t type,
                                 std::size_t at, std::size_t count) {
            sections[number].sh_name = static_cast<Elf64_Word>(named(names, name));
            sections[number].sh_type = type;
            sections[number].sh_offset = at;
            sections[number].sh_size = count;
        };
        section(1, ".perdure.plugin", SHT_PROGBITS, toml_at, toml.size());
        section(2, ".dynstr", SHT_STRTAB, texts_at, texts.size());
        section(3, ".dynsym", SHT_DYNSYM, symbols_at, sizeof symbols);
        sections[3].sh_link = 2;
        section(4, ".shstrtab", SHT_STRTAB, out.size(), 0);
        sections[4].sh_size = names.size();
        put(names.data(), names.size());
        const std::size_t sections_at = put(sections.data(), sizeof sections);
        put_front(out, dynamic_at, dynamic.size() * sizeof(Elf64_Dyn), sections_at);
        return out;
    }

  private:
    static void put_front(std::string& out, std::size_t dynamic_at, std::size_t dynamic_bytes,
                          std::size_t sections_at) {
        std::array<Elf64_Phdr, segment_count> segments{};
        segments[0].p_type = PT_LOAD;
        segments[0].p_filesz = segments[0].p_memsz = out.size();
        segments[1].p_type = PT_DYNAMIC;
        segments[1].p_offset = segments[1].p_vaddr = dynamic_at;
        segments[1].p_filesz = segments[1].p_memsz = dynamic_bytes;
        segments[2].p_type = PT_GNU_STACK;
        segments[2].p_flags = PF_R | PF_W;
        Elf64_Ehdr header{};
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_ident[EI_VERSION] = EV_CURRENT;
        header.e_type = ET_DYN;
        header.e_machine = EM_X86_64;
        header.e_version = EV_CURRENT;
        header.e_phoff = sizeof header;
        header.e_shoff = sections_at;
        header.e_ehsize = sizeof header;
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_phnum = segment_count;
        header.e_shentsize = sizeof(Elf64_Shdr);
        header.e_shnum = section_count;
        header.e_shstrndx = 4;
        std::memcpy(out.data(), &header, sizeof header);
        std::memcpy(out.data() + sizeof header, segments.data(), sizeof segments);
    }
};

}  // namespace perdure::tests
