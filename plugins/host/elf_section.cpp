// SPDX-License-Identifier: Apache-2.0
#include <perdure/plugins/host/elf_section.hpp>

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace perdure::plugins {
namespace {

// What a linker makes of a plugin has some 40 sections and 12 segments.
constexpr std::uint64_t sections_max = 4096;
constexpr std::uint64_t segments_max = 128;
constexpr std::uint64_t needs_max = 256;
constexpr std::size_t name_max = 255;

constexpr const char* build_again = "build it again with perdure_add_plugin(), or copy it again";

}  // namespace

void elf_sections::refuse(const std::string& cause, std::string todo) const {
    throw failure(errc::bad_plugin, origin_ + ": " + cause,
                  todo.empty() ? build_again : std::move(todo));
}

std::span<const std::byte> elf_sections::piece(std::uint64_t offset, std::uint64_t bytes,
                                               const char* what) const {
    if (offset > file_.size() || bytes > file_.size() - offset) {
        refuse(std::string(what) + " ends behind the file's " + std::to_string(file_.size()) +
               " bytes");
    }
    return file_.subspan(offset, bytes);
}

template <class Entry>
Entry elf_sections::read(std::uint64_t offset, const char* what) const {
    Entry entry;
    std::memcpy(&entry, piece(offset, sizeof entry, what).data(), sizeof entry);
    return entry;
}

std::string_view elf_sections::text(std::span<const std::byte> texts, std::uint64_t at) const {
    if (at >= texts.size()) refuse("a name lies outside of its table");
    const auto rest = texts.subspan(at, std::min<std::size_t>(texts.size() - at, name_max + 1));
    const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
    if (end == rest.end()) refuse("a name has no end within 255 bytes");
    return {reinterpret_cast<const char*>(rest.data()),
            static_cast<std::size_t>(end - rest.begin())};
}

elf_sections::elf_sections(std::span<const std::byte> file, std::string origin)
    : file_(file), origin_(std::move(origin)) {
    check_header();
    read_sections();
    read_segments();
}

void elf_sections::check_header() const {
    constexpr std::size_t magic_bytes = SELFMAG;
    if (file_.size() < magic_bytes || std::memcmp(file_.data(), ELFMAG, magic_bytes) != 0) {
        refuse("not a shared object: it does not begin as an ELF file",
               "name the .so that perdure_add_plugin() made");
    }
    const auto header = read<Elf64_Ehdr>(0, "its header");
    const auto* identity = header.e_ident;
    if (identity[EI_CLASS] != ELFCLASS64 || identity[EI_DATA] != ELFDATA2LSB) {
        refuse("not of 64 bits and little-endian", "build it for x86-64");
    }
    if (header.e_machine != EM_X86_64) {
        refuse("built for machine " + std::to_string(header.e_machine) + ", not for x86-64 (62)",
               "build it for x86-64");
    }
    if (header.e_type != ET_DYN) {
        refuse("ELF type " + std::to_string(header.e_type) + ", not a shared object (3)",
               "name the .so that perdure_add_plugin() made");
    }
    if (identity[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT ||
        (identity[EI_OSABI] != ELFOSABI_NONE && identity[EI_OSABI] != ELFOSABI_GNU) ||
        header.e_ehsize != sizeof(Elf64_Ehdr)) {
        refuse("its header is of no kind that Linux loads");
    }
}

void elf_sections::read_sections() {
    const auto header = read<Elf64_Ehdr>(0, "its header");
    if (header.e_shnum == 0) {
        refuse("it has no sections", "do not strip its section headers: they hold plugin.toml");
    }
    if (header.e_shnum > sections_max || header.e_shentsize != sizeof(Elf64_Shdr) ||
        header.e_shstrndx >= header.e_shnum) {
        refuse("its table of " + std::to_string(header.e_shnum) + " sections cannot be");
    }
    static_cast<void>(piece(header.e_shoff, std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr),
                            "its section table"));
    const auto entry = [&](std::uint64_t number) {
        return read<Elf64_Shdr>(header.e_shoff + number * sizeof(Elf64_Shdr), "a section header");
    };
    const auto names = entry(header.e_shstrndx);
    if (names.sh_type != SHT_STRTAB) refuse("its sections have no names");
    const auto texts = piece(names.sh_offset, names.sh_size, "its table of names");
    for (std::uint64_t number = 0; number < header.e_shnum; ++number) {
        const auto from = entry(number);
        elf_section made{text(texts, from.sh_name), from.sh_type, from.sh_link, {}};
        const bool holds_bytes = from.sh_type != SHT_NULL && from.sh_type != SHT_NOBITS;
        if (holds_bytes) made.content = piece(from.sh_offset, from.sh_size, "a section");
        // Unpacking would be one more parser in front of code that nobody trusts yet.
        if ((from.sh_flags & SHF_COMPRESSED) != 0) made.content = {};
        sections_.push_back(made);
    }
}

const elf_section* elf_sections::find(std::string_view name) const {
    const auto found = std::ranges::find(sections_, name, &elf_section::name);
    if (found == sections_.end()) return nullptr;
    if (std::find_if(found + 1, sections_.end(), [&](const elf_section& each) {
            return each.name == name;
        }) != sections_.end()) {
        refuse("it has two sections " + std::string(name));
    }
    return &*found;
}

void elf_sections::read_segments() {
    const auto header = read<Elf64_Ehdr>(0, "its header");
    if (header.e_phnum == 0 || header.e_phnum > segments_max ||
        header.e_phentsize != sizeof(Elf64_Phdr)) {
        refuse("its table of " + std::to_string(header.e_phnum) + " segments cannot be");
    }
    std::optional<Elf64_Phdr> dynamic;
    for (std::uint64_t number = 0; number < header.e_phnum; ++number) {
        const auto each =
            read<Elf64_Phdr>(header.e_phoff + number * sizeof(Elf64_Phdr), "its segment table");
        if (each.p_type == PT_LOAD) {
            static_cast<void>(piece(each.p_offset, each.p_filesz, "a segment"));
            loads_.push_back({each.p_vaddr, each.p_offset, each.p_filesz});
        }
        if (each.p_type == PT_GNU_STACK && (each.p_flags & PF_X) != 0) {
            refuse("it wants a stack that can be run, which its host forbids",
                   "link it with -Wl,-z,noexecstack");
        }
        if (each.p_type != PT_DYNAMIC) continue;
        if (dynamic) refuse("it has two dynamic segments");
        dynamic = each;
    }
    if (!dynamic) refuse("it is not linked as a shared object", "link it with -shared");
    // By address, as the loader reads it.
    const std::uint64_t at = offset_of(dynamic->p_vaddr, "its dynamic segment");
    read_dynamic(piece(at, dynamic->p_filesz, "its dynamic segment"));
}

std::uint64_t elf_sections::offset_of(std::uint64_t address, const char* what) const {
    for (const load& each : loads_) {
        if (address >= each.address && address - each.address < each.bytes) {
            return each.offset + (address - each.address);
        }
    }
    refuse(std::string(what) + " lies in none of its segments");
}

void elf_sections::read_dynamic(std::span<const std::byte> entries) {
    std::vector<std::uint64_t> names;
    std::optional<std::uint64_t> texts_at;
    std::uint64_t texts_bytes = 0;
    bool has_end = false;
    for (; entries.size() >= sizeof(Elf64_Dyn) && !has_end;
         entries = entries.subspan(sizeof(Elf64_Dyn))) {
        Elf64_Dyn entry;
        std::memcpy(&entry, entries.data(), sizeof entry);
        switch (entry.d_tag) {
            case DT_NULL: has_end = true; break;
            case DT_NEEDED:
            case DT_AUXILIARY:
            case DT_FILTER: names.push_back(entry.d_un.d_val); break;
            case DT_STRTAB: texts_at = entry.d_un.d_ptr; break;
            case DT_STRSZ: texts_bytes = entry.d_un.d_val; break;
            case DT_FLAGS_1:
                if ((entry.d_un.d_val & DF_1_PIE) != 0) {
                    refuse("a program, not a shared object", "link it with -shared");
                }
                break;
            default: break;
        }
        if (names.size() > needs_max) refuse("it needs more than 256 libraries");
    }
    if (!has_end) refuse("its dynamic segment has no end");
    if (!texts_at) refuse("its dynamic segment has no names");
    const auto texts = piece(offset_of(*texts_at, "its table of dynamic names"), texts_bytes,
                             "its table of dynamic names");
    for (const std::uint64_t name : names) needs_.emplace_back(text(texts, name));
}

bool elf_sections::exports(std::string_view symbol) const {
    for (const elf_section& table : sections_) {
        if (table.type != SHT_DYNSYM) continue;
        if (table.link >= sections_.size()) refuse("its table of symbols has no names");
        const auto texts = sections_[table.link].content;
        for (auto rest = table.content; rest.size() >= sizeof(Elf64_Sym);
             rest = rest.subspan(sizeof(Elf64_Sym))) {
            Elf64_Sym each;
            std::memcpy(&each, rest.data(), sizeof each);
            const auto binding = ELF64_ST_BIND(each.st_info);
            const auto visibility = ELF64_ST_VISIBILITY(each.st_other);
            if (each.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(each.st_info) != STT_FUNC ||
                (binding != STB_GLOBAL && binding != STB_WEAK) ||
                (visibility != STV_DEFAULT && visibility != STV_PROTECTED)) {
                continue;
            }
            if (text(texts, each.st_name) == symbol) return true;
        }
    }
    return false;
}

}  // namespace perdure::plugins
