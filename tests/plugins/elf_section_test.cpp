// SPDX-License-Identifier: Apache-2.0
//
// Claims: what gcc and ld make of a plugin is read as its author wrote it; a file that is cut off
// at any byte, is of another kind, lacks its manifest or its entry, or has any header field set to
// what cannot be is refused with thing and remedy; nothing outside of the bytes is read (the
// address sanitizer watches: each input lies in an allocation of its own length).
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <sstream>

#include <perdure/plugins/host/elf_section.hpp>
#include <perdure/plugins/host/plugin_file.hpp>
#include <perdure/tests/plugins/small_elf.hpp>

namespace {

using namespace perdure;
using tests::small_elf;

constexpr const char* sound_toml =
    "id = \"org.example.x\"\nversion = \"1.0.0\"\nabi = \"1.0\"\nkind = \"sink\"\n";

std::string sample(const std::string& name) {
    const char* const folder = std::getenv("PERDURE_SAMPLES");
    BOOST_REQUIRE_MESSAGE(folder != nullptr, "run through ctest, which sets PERDURE_SAMPLES");
    return std::string(folder) + '/' + name + ".so";
}

std::string content_of(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    BOOST_REQUIRE_MESSAGE(stream, path);
    std::ostringstream out;
    out << stream.rdbuf();
    return out.str();
}

/// Inspects a copy of exactly these bytes; the words of the refusal, none when there is none.
std::optional<std::string> refusal(const std::string& bytes) {
    const auto copy = std::make_unique<std::byte[]>(bytes.size());
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    try {
        static_cast<void>(plugins::inspect(std::span(copy.get(), bytes.size()), "x.so"));
        return std::nullopt;
    } catch (const failure& why) {
        BOOST_TEST((why.reason() == errc::bad_plugin || why.reason() == errc::wrong_abi));
        BOOST_TEST(why.thing().starts_with("x.so"));
        BOOST_TEST(!why.todo().empty());
        return why.thing() + " | " + why.todo();
    }
}

void refused(const std::string& bytes, const std::string& part) {
    const auto words = refusal(bytes);
    BOOST_TEST(words.has_value(), "nothing was refused; wanted: " << part);
    if (words) BOOST_TEST(words->find(part) != std::string::npos, *words << ", not: " << part);
}

template <class Field>
std::string with(std::string bytes, std::size_t at, Field value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return bytes;
}

std::uint64_t word_at(const std::string& bytes, std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return word;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plugins_elf_section)

BOOST_AUTO_TEST_CASE(plugins_in_both_languages_are_read_as_they_were_written) {
    const auto tick = plugins::inspect(sample("sample_tick"));
    BOOST_TEST(tick.what.id == "org.example.tick");
    BOOST_TEST(tick.what.every_ns == 10'000'000'000U);
    BOOST_TEST(tick.hash.size() == 64U);
    BOOST_TEST(tick.bytes == std::filesystem::file_size(sample("sample_tick")));
    BOOST_TEST((std::find(tick.needs.begin(), tick.needs.end(), "libc.so.6") != tick.needs.end()));
    BOOST_TEST(plugins::manifest::of_file(sample("sample_sink")).id == "org.example.counter");
    BOOST_TEST(plugins::inspect(sample("sample_sink")).hash != tick.hash);
}

BOOST_AUTO_TEST_CASE(the_section_is_the_manifest_byte_for_byte) {
    const std::string bytes = content_of(sample("sample_tick"));
    const plugins::elf_sections sections(std::as_bytes(std::span(bytes)), "x.so");
    const auto* found = sections.find(".perdure.plugin");
    BOOST_REQUIRE(found != nullptr);
    const std::string toml =
        content_of(std::string(std::getenv("PERDURE_SOURCE")) + "/tests/plugins/samples/tick.toml");
    BOOST_TEST(found->content.size() == toml.size());
    BOOST_TEST(std::memcmp(found->content.data(), toml.data(), toml.size()) == 0);
    BOOST_TEST((sections.find(".perdure.plugins") == nullptr));
    BOOST_TEST(sections.exports("perdure_plugin_entry_1"));
    BOOST_TEST(!sections.exports("perdure_plugin_entry"));
    BOOST_TEST(!sections.exports("malloc"));  // Needed, not exported.
}

BOOST_AUTO_TEST_CASE(a_plugin_exports_its_entry_alone) {
    for (const char* name : {"sample_tick", "sample_sink"}) {
        const std::string bytes = content_of(sample(name));
        const plugins::elf_sections sections(std::as_bytes(std::span(bytes)), "x.so");
        const auto* table = sections.find(".dynsym");
        BOOST_REQUIRE(table != nullptr);
        int exported = 0;
        for (auto rest = table->content; rest.size() >= sizeof(Elf64_Sym);
             rest = rest.subspan(sizeof(Elf64_Sym))) {
            Elf64_Sym each;
            std::memcpy(&each, rest.data(), sizeof each);
            if (each.st_shndx != SHN_UNDEF) ++exported;
        }
        BOOST_TEST(exported == 1, name);
    }
}

BOOST_AUTO_TEST_CASE(what_lacks_manifest_or_entry_or_needs_more_is_refused) {
    refused(content_of(sample("sample_no_manifest")), "no section .perdure.plugin");
    refused(content_of(sample("sample_no_entry")), "no function perdure_plugin_entry_1");
    refused(content_of(sample("sample_more_libraries")), "libzstd.so.1");
    refused(content_of("/proc/self/exe"), "a program, not a shared object");
}

BOOST_AUTO_TEST_CASE(what_is_no_plugin_is_refused_by_its_path) {
    const auto refused_path = [](const std::string& path, errc reason, const std::string& part) {
        try {
            static_cast<void>(plugins::inspect(path));
            BOOST_ERROR(path + " was not refused");
        } catch (const failure& why) {
            BOOST_TEST((why.reason() == reason));
            BOOST_TEST(why.thing().find(part) != std::string::npos, why.thing());
        }
    };
    refused_path("/tmp", errc::bad_plugin, "not a file");
    refused_path("/dev/zero", errc::bad_plugin, "not a file");
    refused_path("/tmp/no/such.so", errc::io_error, "No such file");
    refused(sound_toml, "does not begin as an ELF file");
    refused("", "does not begin as an ELF file");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_off_is_refused) {
    const std::string small = small_elf{sound_toml}.bytes();
    BOOST_TEST(!refusal(small).has_value());
    for (std::size_t bytes = 0; bytes < small.size(); ++bytes) {
        BOOST_TEST(refusal(small.substr(0, bytes)).has_value(), bytes << " bytes were taken");
    }
    const std::string real = content_of(sample("sample_tick"));
    for (std::size_t bytes = 0; bytes < real.size(); bytes += 251) {
        BOOST_TEST(refusal(real.substr(0, bytes)).has_value(), bytes << " bytes were taken");
    }
}

BOOST_AUTO_TEST_CASE(each_field_of_the_header_is_looked_at) {
    const std::string sound = small_elf{sound_toml}.bytes();
    refused(with(sound, EI_CLASS, std::uint8_t{ELFCLASS32}), "64 bits");
    refused(with(sound, EI_DATA, std::uint8_t{ELFDATA2MSB}), "little-endian");
    refused(with(sound, EI_VERSION, std::uint8_t{0}), "of no kind that Linux loads");
    refused(with(sound, EI_OSABI, std::uint8_t{ELFOSABI_FREEBSD}), "of no kind that Linux loads");
    refused(with(sound, offsetof(Elf64_Ehdr, e_type), Elf64_Half{ET_EXEC}), "ELF type 2");
    refused(with(sound, offsetof(Elf64_Ehdr, e_type), Elf64_Half{ET_REL}), "ELF type 1");
    refused(with(sound, offsetof(Elf64_Ehdr, e_machine), Elf64_Half{EM_AARCH64}), "machine 183");
    refused(with(sound, offsetof(Elf64_Ehdr, e_version), Elf64_Word{2}), "no kind that Linux");
    refused(with(sound, offsetof(Elf64_Ehdr, e_ehsize), Elf64_Half{52}), "no kind that Linux");
    refused(with(sound, offsetof(Elf64_Ehdr, e_shnum), Elf64_Half{0}), "no sections");
    refused(with(sound, offsetof(Elf64_Ehdr, e_shnum), Elf64_Half{65'535}), "65535 sections");
    refused(with(sound, offsetof(Elf64_Ehdr, e_shnum), Elf64_Half{4000}), "section table ends");
    refused(with(sound, offsetof(Elf64_Ehdr, e_shentsize), Elf64_Half{8}), "sections cannot be");
    refused(with(sound, offsetof(Elf64_Ehdr, e_shstrndx), Elf64_Half{5}), "sections cannot be");
    refused(with(sound, offsetof(Elf64_Ehdr, e_shoff), ~Elf64_Off{0}), "section table ends");
    refused(with(sound, offsetof(Elf64_Ehdr, e_phnum), Elf64_Half{0}), "0 segments");
    refused(with(sound, offsetof(Elf64_Ehdr, e_phnum), Elf64_Half{65'535}), "65535 segments");
    refused(with(sound, offsetof(Elf64_Ehdr, e_phoff), ~Elf64_Off{7}), "segment table ends");
}

BOOST_AUTO_TEST_CASE(sections_and_segments_that_cannot_be_are_refused) {
    const std::string sound = small_elf{sound_toml}.bytes();
    const auto sections = word_at(sound, offsetof(Elf64_Ehdr, e_shoff));
    const auto section = [&](std::size_t number, std::size_t field) {
        return sections + number * sizeof(Elf64_Shdr) + field;
    };
    const auto segment = [&](std::size_t number, std::size_t field) {
        return sizeof(Elf64_Ehdr) + number * sizeof(Elf64_Phdr) + field;
    };
    refused(with(sound, section(1, offsetof(Elf64_Shdr, sh_offset)), sound.size() + 1),
            "a section");
    refused(with(sound, section(1, offsetof(Elf64_Shdr, sh_size)), ~Elf64_Xword{0}), "a section");
    refused(with(sound, section(1, offsetof(Elf64_Shdr, sh_type)), Elf64_Word{SHT_NOBITS}),
            "no section .perdure.plugin");
    refused(with(sound, section(1, offsetof(Elf64_Shdr, sh_flags)), Elf64_Xword{SHF_COMPRESSED}),
            "no section .perdure.plugin");
    refused(with(sound, section(1, offsetof(Elf64_Shdr, sh_name)), Elf64_Word{60'000}), "a name");
    const auto name_of_first = section(1, offsetof(Elf64_Shdr, sh_name));
    Elf64_Word name = 0;
    std::memcpy(&name, sound.data() + name_of_first, sizeof name);
    refused(with(sound, section(2, offsetof(Elf64_Shdr, sh_name)), name), "two sections");
    refused(with(sound, section(3, offsetof(Elf64_Shdr, sh_link)), Elf64_Word{77}), "symbols");
    refused(with(sound, section(4, offsetof(Elf64_Shdr, sh_type)), Elf64_Word{SHT_PROGBITS}),
            "no names");

    refused(with(sound, segment(0, offsetof(Elf64_Phdr, p_filesz)), sound.size() + 1), "a segment");
    refused(with(sound, segment(0, offsetof(Elf64_Phdr, p_type)), Elf64_Word{PT_NOTE}), "none of");
    refused(with(sound, segment(1, offsetof(Elf64_Phdr, p_type)), Elf64_Word{PT_NOTE}), "-shared");
    refused(with(sound, segment(1, offsetof(Elf64_Phdr, p_vaddr)), ~Elf64_Addr{0}), "none of its");
    refused(with(sound, segment(1, offsetof(Elf64_Phdr, p_filesz)), Elf64_Xword{16}), "no end");
    refused(with(sound, segment(2, offsetof(Elf64_Phdr, p_type)), Elf64_Word{PT_DYNAMIC}),
            "two dyn");
    refused(with(sound, segment(2, offsetof(Elf64_Phdr, p_flags)), Elf64_Word{PF_R | PF_X}),
            "noexecstack");
}

BOOST_AUTO_TEST_CASE(libraries_are_those_that_the_loader_would_see) {
    small_elf made{sound_toml};
    made.needs = {"libc.so.6", "libcurl.so.4"};
    refused(made.bytes(), "libcurl.so.4, which the host does not have | link that library");
    made.needs = {std::string(300, 'x')};
    refused(made.bytes(), "no end within 255 bytes");
    made.needs = std::vector<std::string>(257, "libc.so.6");
    refused(made.bytes(), "more than 256 libraries");
    made.needs = {};
    BOOST_TEST(!refusal(made.bytes()).has_value());
    made.symbol = "perdure_plugin_entry_2";
    refused(made.bytes(), "exports no function");
    refused(small_elf{"kind = 5"}.bytes(), "plugin.toml:1");
}

BOOST_AUTO_TEST_CASE(any_byte_may_be_any_other) {
    const std::string sound = small_elf{sound_toml}.bytes();
    std::mt19937_64 random(7);
    for (std::size_t at = 0; at < sound.size(); ++at) {
        std::string changed = sound;
        changed[at] = static_cast<char>(random());
        static_cast<void>(refusal(changed));  // Taken or refused, and nothing else.
        changed[at] = '\xff';
        static_cast<void>(refusal(changed));
    }
}

BOOST_AUTO_TEST_SUITE_END()
