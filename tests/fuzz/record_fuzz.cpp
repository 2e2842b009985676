// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever bytes a reader of records and events is given, what it hands out lies inside of
// them; the rest is garbled.
#include <perdure/shm/record_view.hpp>
#include <perdure/tests/fuzz/target.hpp>
#include <perdure/tests/io/record_sample.hpp>

using namespace perdure;

namespace {

void must(bool holds) {
    if (!holds) std::abort();
}

void must_hold(std::span<const std::byte> outer, std::span<const std::byte> inner) {
    must(inner.empty() || (inner.data() >= outer.data() &&
                           inner.data() + inner.size() <= outer.data() + outer.size()));
}

std::string text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    // Of exactly that size and aligned as in a ring, so that a sanitizer sees a byte too far.
    const std::vector<std::byte> all(reinterpret_cast<const std::byte*>(bytes),
                                     reinterpret_cast<const std::byte*>(bytes) + count);
    shm::record_walk walk(all);
    shm::record_view record;
    for (auto there = walk.next(record); there && *there; there = walk.next(record)) {
        must_hold(all, record.bytes());
        must(!record.bytes().empty());
        for (const shm::event_view& event : record.events()) {
            must_hold(record.bytes(), event.payload);
        }
        shm::change_view change;
        for (auto next = record.next(change); next && *next; next = record.next(change)) {
            must_hold(record.bytes(), change.words);
            for (std::uint32_t i = 0; i < 64; ++i) static_cast<void>(change.gained(i));
        }
    }
    return 0;
}

std::vector<std::string> tests::seeds() {
    std::vector<std::string> made;
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        tests::record_source source(seed, 100);
        std::vector<std::byte> ring;
        source.add_transfer(ring);
        made.push_back(text_of(ring));
        source.add_padding(ring, 48);
        source.add_blob(ring, 96);
        source.add_transfer(ring);
        made.push_back(text_of(ring));
    }
    return made;
}
