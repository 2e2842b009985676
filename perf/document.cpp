// SPDX-License-Identifier: Apache-2.0
//
// 100,000 documents of 2 KiB saved in one go: new ones, then each a second version. Through a ring
// of 64 MiB the journal must keep pace; as a burst into a ring that takes them all it need not. The
// values are JSON as a game writes it, checked before they are saved. An operation is a document;
// the latency is that of the whole go, until the last one is applied.
#include "bazaar.hpp"
#include "report.hpp"

#include <perdure/core/document.hpp>

namespace perdure::perf {
namespace {

constexpr std::uint64_t document_count = 100'000;
constexpr std::size_t document_bytes = 2048;
constexpr const char* works[] = {"documents-new", "documents-again", "documents-burst-new",
                                 "documents-burst-again"};

/// An order book in JSON of just that many bytes.
std::string text_of(std::uint64_t number) {
    std::string text = R"({"market":)" + std::to_string(number) + R"(,"orders":[)";
    for (std::uint64_t i = 0; text.size() + 80 < document_bytes; ++i) {
        const std::uint64_t drawn = scatter(number * 64 + i);
        text += (i == 0 ? "" : ",") + std::string(R"({"price":)") +
                std::to_string(drawn % 100'000) + R"(,"left":)" + std::to_string(drawn >> 40U) +
                R"(,"side":")" + (drawn % 2 == 0 ? "bid" : "ask") + R"("})";
    }
    text += R"(],"note":")";
    text.append(document_bytes - text.size() - 2, 'x');
    return text + "\"}";
}

/// Saves all of them as often as there are series, in a world of its own.
void save(const options& asked, std::uint64_t ring_bytes, std::span<const document_entry> all,
          std::span<series> into) {
    world_options how;
    how.capacity_bytes = std::uint64_t{2} << 30U;
    how.ring_bytes = ring_bytes;
    bazaar in(asked, 0, how);
    for (series& each : into) {
        measurement made;
        const std::uint64_t begun = nanoseconds_now();
        must(in.in().documents().save(in.by(), "markets", all), "save");
        made.latency.add(nanoseconds_now() - begun);
        made.operations_per_second =
            static_cast<double>(document_count) * 1e9 / static_cast<double>(made.latency.sum());
        each.add(made, in.journal());
        in.wait_durable();
        stop_if_asked();
    }
}

void run(const options& asked) {
    std::vector<std::string> names;
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < document_count; ++i) {
        names.push_back("market" + std::to_string(i));
        texts.push_back(text_of(i));
    }
    std::vector<document_entry> all;
    for (std::uint64_t i = 0; i < document_count; ++i) {
        all.push_back({names[i], {document_kind::json, std::as_bytes(std::span(texts[i]))}});
    }
    std::vector<series> found;
    for (const char* work : works) {
        found.push_back(series({work, "perdure", durability_level::applied, 1}));
    }
    for (int turn = 0; turn < asked.runs(); ++turn) {
        save(asked, std::uint64_t{64} << 20U, all, std::span(found).first(2));
        save(asked, std::uint64_t{512} << 20U, all, std::span(found).last(2));
    }
    for (const series& one : found) {
        if (asked.wants_work(one.title().work)) one.print(asked.suite);
    }
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }
