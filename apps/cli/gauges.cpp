// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/gauges.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>

#include <boost/json.hpp>
#include <perdure/shm/ring.hpp>

namespace perdure::apps {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

double rate(std::uint64_t now, std::uint64_t before, std::uint64_t span_ns) noexcept {
    if (span_ns == 0 || now < before) return 0;
    return static_cast<double>(now - before) * static_cast<double>(second_ns) /
           static_cast<double>(span_ns);
}

std::vector<participant_gauge> read_participants(const shm::region& where, std::uint64_t now_ns) {
    std::vector<participant_gauge> out;
    for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
        const auto& slot = where.slot(i);
        const auto pid = shm::load(slot.pid);
        const auto active = shm::load(slot.active);
        if (pid == 0 && active == 0) continue;
        const auto joined = shm::load(slot.joined_ns);
        out.push_back({i, pid, shm::load(slot.thread), shm::load(slot.commits),
                       joined < now_ns ? (now_ns - joined) / second_ns : 0, active == 1,
                       active == shm::slot_fenced, process_state(pid)});
    }
    return out;
}

}  // namespace

std::string process_state(std::uint64_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    // The name may hold blanks and parentheses: the state follows the last one.
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos || name_end + 2 >= line.size()) return "gone";
    switch (line[name_end + 2]) {
        case 'T':
        case 't': return "stopped";
        case 'Z':
        case 'X': return "gone";
        default: return "lives";
    }
}

void expect_running_keeper(const world& in) {
    const auto keeper = in.status().keeper_pid;
    if (keeper == 0 || process_state(keeper) != "stopped") return;
    const auto number = std::to_string(keeper);
    throw failure(errc::stalled,
                  "world " + in.directory() + ": its keeper, process " + number + ", is stopped",
                  "kill -CONT " + number + ", or kill it");
}

gauges read_gauges(world_reader& in) {
    auto& where = in.region();
    const auto& header = where.header();
    gauges out;
    out.at_ns = where.waits().now_ns();
    out.last_lsn = in.last_lsn();
    out.durable_lsn = std::min(out.last_lsn, shm::load(header.durable.lsn));
    const auto head = shm::load(header.head.value);
    out.ring_used = std::max(head, shm::load(header.producer.tail)) - head;
    out.ring_bytes = where.geometry().ring_bytes;
    out.region_bytes = shm::load(header.committed_bytes.value);
    out.capacity_bytes = where.geometry().capacity_bytes;
    out.repairs = shm::load(header.counters.repairs);
    out.repairs_undone = shm::load(header.counters.repairs_undone);
    out.garbled = shm::load(header.counters.garbled);
    out.last_error = shm::load(header.counters.last_error);
    out.gate_wait_ns_max = shm::load(header.counters.gate_waits_ns_max);
    out.incarnation = where.geometry().incarnation;
    out.fault = shm::load(header.durable.failed);
    out.keeper_epoch = shm::load(header.keeper.epoch);
    out.gate_slot = static_cast<std::uint32_t>(shm::load(header.gate.value));
    if (shm::load(header.keeper.slot) != 0) {
        out.keeper_pid = shm::load(header.keeper.pid);
        out.keeper_process = process_state(out.keeper_pid);
    }
    out.participants = read_participants(where, where.waits().wall_ns());
    for (const auto& each : in.tables()) {
        const auto rows = in.row_end(each);
        out.tables.push_back({each.shape.name, rows, rows * each.shape.row_bytes});
    }
    return out;
}

boost::json::object as_json(const gauges& now, const gauges& before) {
    namespace json = boost::json;
    const auto span = now.at_ns - before.at_ns;
    json::array sitting;
    for (const auto& each : now.participants) {
        const auto was =
            std::ranges::find(before.participants, each.slot, &participant_gauge::slot);
        const bool same = was != before.participants.end() && was->thread == each.thread;
        sitting.push_back(json::object{
            {"slot", each.slot},
            {"process", each.pid},
            {"thread", each.thread},
            {"state", each.process},
            {"in_transaction", each.active},
            {"fenced", each.fenced},
            {"commits", each.commits},
            {"commits_per_second", same ? rate(each.commits, was->commits, span) : 0.0},
            {"seconds", each.seconds}});
    }
    json::array tables;
    for (const auto& each : now.tables) {
        tables.push_back(
            json::object{{"table", each.name}, {"rows_up_to", each.rows}, {"bytes", each.bytes}});
    }
    const auto word = [](std::uint64_t code) {
        return code == 0 ? json::value(nullptr) : json::value(name(static_cast<errc>(code)));
    };
    json::value keeper = nullptr;
    if (now.keeper_pid != 0) {
        keeper = json::object{{"process", now.keeper_pid}, {"state", now.keeper_process}};
    }
    return {{"seconds", static_cast<double>(span) / static_cast<double>(second_ns)},
            {"commits_per_second", rate(now.last_lsn, before.last_lsn, span)},
            {"durable_per_second", rate(now.durable_lsn, before.durable_lsn, span)},
            {"last_lsn", now.last_lsn},
            {"durable_lsn", now.durable_lsn},
            {"durable_lag", now.last_lsn - now.durable_lsn},
            {"ring_used_bytes", now.ring_used},
            {"ring_bytes", now.ring_bytes},
            {"region_bytes", now.region_bytes},
            {"capacity_bytes", now.capacity_bytes},
            {"keeper", std::move(keeper)},
            {"keeper_epoch", now.keeper_epoch},
            {"incarnation", now.incarnation},
            {"repairs", now.repairs},
            {"repairs_undone", now.repairs_undone},
            {"garbled", now.garbled},
            {"last_error", word(now.last_error)},
            {"fault", word(now.fault)},
            {"gate_closed_by_slot",
             now.gate_slot == 0 ? json::value(nullptr) : json::value(now.gate_slot - 1)},
            {"gate_wait_max_ns", now.gate_wait_ns_max},
            {"participants", std::move(sitting)},
            {"tables", std::move(tables)}};
}

}  // namespace perdure::apps
