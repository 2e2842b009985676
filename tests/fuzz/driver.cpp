// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target without libFuzzer: over its seeds and over mutations of them from a number, so
// that the targets are built and run wherever the tests are.
//
// usage: PROGRAM [SEED [COUNT]]       what a failure prints is the command that replays it
//        PROGRAM --corpus DIRECTORY   writes the seeds there
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include <perdure/tests/fuzz/target.hpp>

namespace {

constexpr std::uint64_t seed_unless_told = 1;
constexpr std::uint64_t count_unless_told = 4000;

// Said by the signal handler, which may not format anything.
std::array<char, 160> last_words{};

void say_last_words(int signal) {
    if (::write(STDERR_FILENO, last_words.data(), ::strnlen(last_words.data(), last_words.size())) <
        0) {
        ::_exit(1);
    }
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

std::string mutated(const std::vector<std::string>& seeds, std::mt19937_64& random) {
    std::string text = seeds[random() % seeds.size()];
    const auto place = [&] { return text.empty() ? 0 : random() % text.size(); };
    for (std::uint64_t change = 1 + random() % 6; change > 0; --change) {
        switch (random() % 6) {
            case 0:
                if (!text.empty()) text[place()] ^= static_cast<char>(1U << random() % 8);
                break;
            case 1: text.insert(place(), 1, static_cast<char>(random())); break;
            case 2: text.erase(place(), random() % 8); break;
            case 3: text.insert(place(), text.substr(place(), random() % 64)); break;
            case 4: {
                const std::string& other = seeds[random() % seeds.size()];
                text.resize(place());
                text += other.substr(other.empty() ? 0 : random() % other.size());
                break;
            }
            default:
                for (std::uint64_t i = place(), end = i + 8; i < end && i < text.size(); ++i) {
                    text[i] = static_cast<char>(random() % 2 == 0 ? 0xff : 0);
                }
        }
    }
    return text;
}

void run(const std::string& text) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

int write_corpus(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    int number = 0;
    for (const std::string& each : perdure::tests::seeds()) {
        std::ofstream stream(folder / ("seed-" + std::to_string(number++)), std::ios::binary);
        stream << each;
        if (!stream.flush()) return 1;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string(argv[1]) == "--corpus") return write_corpus(argv[2]);
    const std::uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : seed_unless_told;
    const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : count_unless_told;
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) ::signal(signal, say_last_words);
    const auto all = perdure::tests::seeds();
    if (count > 1) {
        for (const std::string& each : all) run(each);
    }
    for (std::uint64_t i = 0; i < count; ++i) {
        std::snprintf(last_words.data(), last_words.size(), "again: %s %llu 1\n", argv[0],
                      static_cast<unsigned long long>(first + i));
        std::mt19937_64 random(first + i);
        run(mutated(all, random));
    }
    std::printf("%zu seeds and %llu mutations from %llu\n", all.size(),
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(first));
    return 0;
}
