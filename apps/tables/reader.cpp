// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/tables/reader.hpp>

#include <cstring>

#include <perdure/apps/cli/configuration.hpp>
#include <perdure/io/opening.hpp>
#include <perdure/io/past.hpp>
#include <perdure/shm/ring.hpp>

namespace perdure::apps {
namespace {

const shm::row_header& header_of(const stored_row& row) noexcept {
    return *reinterpret_cast<const shm::row_header*>(row.bytes.data());
}

}  // namespace

std::unique_ptr<shm::region> world_reader::attach(shm::access mode) {
    const world_options options = options_from(read_config(where_));
    io::opening_options how;
    how.region_directory = options.region_directory;
    how.boot = options.boot_id;
    how.may_rebuild = false;
    how.mode = mode;
    io::kernel_calls calls;
    io::file_system files(calls);
    io::opening_report report;
    return io::open_world(files, where_.directory, how, report, [](shm::region&) {});
}

/// The world as it was.
std::unique_ptr<shm::region> world_reader::recall() {
    const world_options options = options_from(read_config(where_));
    io::kernel_calls calls;
    io::past history(calls, where_.directory);
    io::opening_options how;
    how.region_directory = options.region_directory;
    how.region.capacity_bytes = options.capacity_bytes;
    how.region.ring_bytes = 64 << 10;
    io::opening_report report;
    return history.at(history.lsn_of(point_of(where_)), how, report);
}

world_reader::world_reader(const world_choice& where)
    : where_(where),
      region_(is_past(where) ? recall() : attach(shm::access::read_only)),
      reader_(*region_) {}

std::uint64_t world_reader::last_lsn() const noexcept {
    return still_ ? still_->lsn() : shm::next_lsn(*region_) - 1;
}

void world_reader::freeze(const std::vector<std::string>& tables) {
    if (is_past(where_)) return;  // It stands still.
    const auto take = [&] {
        io::kernel_calls calls;
        return io::snapshot::take(*region_, calls, where_.directory, {.tables = tables});
    };
    auto taken = take();
    if (!taken && taken.error() == errc::busy && try_repair()) taken = take();
    if (!taken && taken.error() == errc::busy) refuse_held("world " + where_.directory + ": a row");
    if (!taken) refuse("world " + where_.directory, taken.error());
    still_ = std::move(*taken);
}

void world_reader::refuse(const std::string& thing, errc reason) {
    throw failure(reason, thing + ": " + std::string(name(reason)), std::string(remedy(reason)));
}

/// Attaching for writing sweeps away what the dead have left; once is enough, or it is no dead one.
bool world_reader::try_repair() noexcept {
    if (std::exchange(repaired_, true)) return false;
    try {
        const auto writing = attach(shm::access::read_write);
        shm::sweep(*writing);
        return true;
    } catch (const failure&) {
        return false;  // This user may only read.
    }
}

void world_reader::refuse_held(const std::string& thing) {
    std::string holders;
    for (std::uint32_t i = 0; i < region_->geometry().slot_count; ++i) {
        const auto& slot = region_->slot(i);
        if (shm::load(slot.active) == 0) continue;
        holders += (holders.empty() ? "" : ", ") + std::string("process ") +
                   std::to_string(shm::load(slot.pid)) + " in slot " + std::to_string(i);
    }
    throw failure(errc::busy,
                  thing + " stays in somebody's transaction" +
                      (holders.empty() ? "" : "; in one are: " + holders),
                  "let a stopped process go on, or end it; `perdure status` by a user who may "
                  "write repairs what a dead one has left");
}

std::vector<stored_table> world_reader::tables() {
    std::vector<stored_table> out;
    for (std::uint32_t i = shm::first_user_table; i < shm::table_count; ++i) {
        auto shape = patiently("schema " + std::to_string(i),
                               [&](shm::view&) { return shm::read_schema(*region_, i); });
        if (!shape && shape.error() == errc::unknown_table) continue;
        if (!shape) {
            throw failure(shape.error(), "table " + std::to_string(i) + ": its schema is broken",
                          "run `perdure verify` on this world");
        }
        if ((shape->flags & (shm::derived | shm::heap)) == 0) out.push_back({i, std::move(*shape)});
    }
    return out;
}

stored_table world_reader::table_named(std::string_view name) {
    auto all = tables();
    std::vector<std::string_view> names;
    std::string there;
    for (auto& each : all) {
        if (each.shape.name == name) return std::move(each);
        names.push_back(each.shape.name);
        there += (there.empty() ? "" : ", ") + each.shape.name;
    }
    const auto near = io::nearest(name, names);
    throw failure(
        errc::unknown_table,
        "world " + where_.directory + ": no table is called \"" + std::string(name) + '"',
        (near.empty() ? "" : "did you mean " + std::string(near) + "? ") + "There are: " + there);
}

shm::index_shape world_reader::index_shape(const stored_table& of, std::size_t number) {
    const auto shape = patiently("schema " + of.shape.name,
                                 [&](shm::view&) { return shm::read_shape(*region_, of.number); });
    if (!shape) refuse("schema " + of.shape.name, shape.error());
    if (number >= shape->indexes.size()) refuse("schema " + of.shape.name, errc::garbled);
    return shape->indexes[number];
}

std::uint64_t world_reader::row_end(const stored_table& of) const noexcept {
    if (still_) {
        const auto* table = still_->table(of.shape.name);
        return table == nullptr ? 0 : table->rows.size() / of.shape.row_bytes;
    }
    return shm::load(region_->descriptor(of.number).row_high);
}

bool world_reader::read(const stored_table& of, std::uint64_t row, stored_row& into) {
    if (still_) {
        if (row >= row_end(of)) return false;
        const auto* at = still_->table(of.shape.name)->rows.data() + row * of.shape.row_bytes;
        into.row = row;
        into.bytes.assign(at, at + of.shape.row_bytes);
        return header_of(into).live == 1;
    }
    const std::uint64_t at = reader_.in().locate(of.number, row);
    if (at == 0) return false;
    into.row = row;
    into.bytes.resize(of.shape.row_bytes);
    const auto copied =
        patiently("table " + of.shape.name + ", row " + std::to_string(row), [&](shm::view& in) {
            return in.get_words(at, of.shape.row_bytes, shm::stripe_of(of.number, row),
                                into.bytes.data());
        });
    if (!copied) {
        throw failure(copied.error(),
                      "table " + of.shape.name + ", row " + std::to_string(row) + ": " +
                          std::string(name(copied.error())),
                      std::string(remedy(copied.error())));
    }
    return header_of(into).live == 1;
}

bool world_reader::find(const stored_table& of, const shm::row_key& key, stored_row& into) {
    for (int turn = 0; turn < 8; ++turn) {
        const auto row = patiently("table " + of.shape.name, [&](shm::view& in) {
            return shm::find_row(in, of.number, key);
        });
        if (!row && row.error() == errc::not_found) return false;
        if (!row) refuse("table " + of.shape.name + ": its index", row.error());
        // Freed between the two looks, perhaps taken for another key: look again.
        if (read(of, *row, into) &&
            std::memcmp(into.bytes.data() + of.shape.key_at, &key, sizeof key) == 0) {
            return true;
        }
    }
    refuse_held("table " + of.shape.name + ", the row with that key");
}

}  // namespace perdure::apps
