// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever a MANIFEST holds, opening it answers a list that keeps the rules of
// docs/formats/manifest.md, or says where and why not; what retention would remove can be removed
// in its order, an append is found again, and the memory taken is in keeping with the file. Bit 0
// of an input's first byte makes chain and checksums right, bit 1 numbers and world; the rest is
// the file.
#include <cstring>
#include <perdure/io/checkpoint_policy.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/recovery.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/tests/fuzz/largest_request.hpp>
#include <perdure/tests/fuzz/target.hpp>
#include <perdure/tests/io/simulated_disk.hpp>

using namespace perdure;

namespace {

constexpr std::size_t input_max = 64 << 10;

void must(bool holds) {
    if (!holds) std::abort();
}

std::vector<std::byte> mended(std::span<const std::byte> bytes, unsigned how) {
    std::vector<std::byte> out(bytes.begin(), bytes.end());
    if ((how & 1U) == 0) return out;
    io::block_hash before{};
    io::uuid world{};
    for (std::size_t at = 0; at + io::manifest_record_bytes <= out.size();) {
        io::manifest_record record;
        std::memcpy(&record, out.data() + at, sizeof record);
        if (at == 0) world = record.world;
        if ((how & 2U) != 0) {
            record.seq = at / sizeof record + 1;
            record.world = world;
        }
        record.previous_hash = before;
        const auto all = std::as_bytes(std::span(&record, 1));
        record.crc = shm::crc32c(all.first(offsetof(io::manifest_record, crc)));
        before = io::blake2b(all);
        std::memcpy(out.data() + at, &record, sizeof record);
        at += sizeof record;
    }
    return out;
}

/// Every increment hangs on the checkpoint of that identifier instead.
std::string forked(std::vector<std::byte> content, const io::uuid& parent) {
    for (std::size_t at = 0; at < content.size(); at += io::manifest_record_bytes) {
        io::manifest_record record;
        std::memcpy(&record, content.data() + at, sizeof record);
        if (record.parent != io::uuid{}) record.parent = parent;
        std::memcpy(content.data() + at, &record, sizeof record);
    }
    return {reinterpret_cast<const char*>(content.data()), content.size()};
}

/// What docs/formats/manifest.md says of segments and checkpoints that were not retired.
void check_lists(const io::manifest& promised) {
    const auto& segments = promised.segments();
    for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
        must(segments[i].sealed && segments[i].first_lsn <= segments[i].last_lsn);
        must(segments[i].last_lsn + 1 == segments[i + 1].first_lsn);
        must(segments[i].hash_last == segments[i + 1].hash_before);
    }
    for (const auto& each : promised.checkpoints()) {
        must(each.lsn >= 1 && each.lsn <= each.last_lsn && each.file_bytes != 0);
        must(promised.checkpoint(each.id) == &each);
        if (each.is_full()) continue;
        const auto* parent = promised.checkpoint(each.parent);
        must(parent != nullptr && parent->last_lsn <= each.lsn && parent + 1 == &each);
    }
    for (const auto& plan : io::plans_for(promised, ~0ULL)) must(plan.lsn_max == ~0ULL);
}

/// All that a policy wants removed, one after the other.
void remove(io::file_system& files, io::keep_strategy strategy) {
    std::optional<io::finding> found;
    auto promised = io::manifest::open(files, "world", io::open_mode::read_write, found).value();
    io::checkpoint_policy policy;
    policy.strategy = strategy;
    policy.keep_count = 2;
    const auto goes = io::what_may_go(policy, promised, ~0ULL, ~0ULL);
    const auto before = promised.checkpoints().size();
    for (const auto& each : goes.checkpoints) must(promised.retire_checkpoint(each.id).has_value());
    for (const auto& each : goes.segments) must(promised.retire_segment(each.id).has_value());
    must(goes.checkpoints.empty() || before - goes.checkpoints.size() >= 2);
    check_lists(promised);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    if (count == 0 || count > input_max) return 0;
    tests::largest_request = 0;
    tests::simulated_disk disk;
    disk.put("world/MANIFEST", mended(std::as_bytes(std::span(bytes, count)).subspan(1), bytes[0]));
    io::file_system files(disk);
    std::optional<io::finding> found;
    const auto promised = io::manifest::open(files, "world", io::open_mode::read, found);
    if (!promised) {
        must(found && found->file == "world/MANIFEST" && !found->cause.empty());
        must(found->offset <= count && found->reason == promised.error());
        return 0;
    }
    check_lists(*promised);
    const auto incarnation = promised->incarnation();
    for (unsigned strategy = 1; strategy <= 4; ++strategy) {
        remove(files, static_cast<io::keep_strategy>(strategy));
    }
    auto writing = io::manifest::open(files, "world", io::open_mode::read_write, found);
    must(writing.has_value() && writing->raise_incarnation().has_value());
    const auto again = io::manifest::open(files, "world", io::open_mode::read, found);
    must(again.has_value() && again->incarnation() == incarnation + 1);
    must(tests::largest_request <= 4 * input_max);
    return 0;
}

std::vector<std::string> tests::seeds() {
    simulated_disk disk;
    io::file_system files(disk);
    must(io::manifest::create(files, "world", {1, 2}).has_value());
    std::optional<io::finding> found;
    auto all = io::manifest::open(files, "world", io::open_mode::read_write, found).value();
    const auto segment = [](std::uint64_t number) {
        io::segment_entry entry{{number, 1}, 1,           number * 10 - 9, number, {},
                                true,        number * 10, number,          {}};
        entry.hash_before.fill(static_cast<std::uint8_t>(number - 1));
        entry.hash_last.fill(static_cast<std::uint8_t>(number));
        return entry;
    };
    const auto checkpoint = [](std::uint64_t number, std::uint64_t parent) {
        io::checkpoint_entry entry{{number, 2},
                                   {parent, parent == 0 ? 0U : 2U},
                                   number * 10 - 4,
                                   number * 10 - 4,
                                   1000 + number,
                                   5000,
                                   {}};
        entry.link.fill(static_cast<std::uint8_t>(number));
        return entry;
    };
    std::vector<std::string> made;
    const auto keep = [&] {
        const auto& content = disk.content("world/MANIFEST");
        for (const char how : {'\0', '\1', '\3'}) {
            made.push_back(
                how + std::string(reinterpret_cast<const char*>(content.data()), content.size()));
        }
    };
    keep();
    for (std::uint64_t number = 1; number <= 7; ++number) {
        must(all.open_segment(segment(number)).has_value());
        const bool is_full = number % 3 != 0;
        must(all.publish_checkpoint(checkpoint(number, is_full ? 0 : number - 1)).has_value());
        if (number == 4) {
            keep();
            made.push_back('\3' + forked(disk.content("world/MANIFEST"), checkpoint(1, 0).id));
            must(all.retire_checkpoint(checkpoint(1, 0).id).has_value());
            must(all.retire_segment(segment(1).id).has_value());
        }
        if (number == 5) must(all.raise_incarnation().has_value());
        must(all.seal_segment(segment(number)).has_value());
    }
    keep();
    return made;
}
