// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <perdure/io/evolution.hpp>
#include <perdure/io/spread.hpp>
#include <perdure/shm/loader.hpp>
#include <perdure/shm/table.hpp>
#include <perdure/shm/tree_node.hpp>

namespace perdure::io {
namespace {

using shm::field;
using shm::schema;

constexpr std::uint32_t nowhere = row_plan::nowhere;

const field* field_named(const schema& of, std::string_view name) {
    const auto found = std::ranges::find(of.fields, name, &field::name);
    return found == of.fields.end() ? nullptr : &*found;
}

/// Where a byte of a stored row goes; nowhere: no field names it.
std::uint32_t moved(const schema& stored, const schema& wanted, std::uint32_t at) {
    for (const auto& each : stored.fields) {
        if (at < each.offset || at >= std::uint32_t{each.offset} + each.bytes) continue;
        const auto* target = field_named(wanted, each.name);
        return target == nullptr ? nowhere : target->offset + (at - each.offset);
    }
    return nowhere;
}

/// "" or why the field cannot become what the wanted schema has under its name.
std::string why_field(const schema& stored, const schema& wanted, const field& each,
                      bool may_drop) {
    const auto* target = field_named(wanted, each.name);
    const std::string name = "field " + each.name;
    if (target == nullptr) {
        if (each.type == shm::field_type::blob) return name + " goes, and values hang on it";
        return may_drop ? "" : name + " goes, and what it holds would be lost";
    }
    constexpr auto balanced = shm::adds | shm::subtracts;
    if (target->type != each.type || target->bytes != each.bytes) {
        return name + " has another type or length";
    }
    if ((target->flags & balanced) != (each.flags & balanced)) {
        return name + " is balanced in one of both schemas";
    }
    const bool is_grouped = (each.flags & balanced) != 0;
    if (is_grouped && moved(stored, wanted, each.group_offset) != target->group_offset) {
        return name + " is balanced by another group";
    }
    return "";
}

std::string why_table(const stored_schema& from, const schema& wanted, bool may_drop) {
    const auto& stored = from.shape;
    if (wanted.version <= stored.version) {
        return "version " + std::to_string(wanted.version) + " is not above the stored " +
               std::to_string(stored.version);
    }
    if (wanted.flags != stored.flags) return "its flags are others";
    if (wanted.has_blobs() && from.heap == 0) return "its first field for long values is new";
    const bool same_key = stored.key_at == 0
                              ? wanted.key_at == 0
                              : moved(stored, wanted, stored.key_at) == wanted.key_at &&
                                    moved(stored, wanted, stored.key_at + 8) == wanted.key_at + 8;
    if (!same_key) return "its key is another one";
    for (const auto& each : stored.fields) {
        if (auto why = why_field(stored, wanted, each, may_drop); !why.empty()) return why;
    }
    return "";
}

std::vector<std::string> names_of(const schema& of, const shm::ordered_index& index) {
    std::vector<std::string> out;
    for (const auto number : index) out.push_back(of.fields[number].name);
    return out;
}

/// The tables while some of them change.
class changing_tables {
  public:
    explicit changing_tables(std::span<const stored_schema> stored) {
        for (const auto& each : stored) by_number_.emplace(each.number, each);
    }

    stored_schema* named(std::string_view name) {
        for (auto& [number, each] : by_number_) {
            if (each.shape.name == name && (each.shape.flags & shm::derived) == 0) return &each;
        }
        return nullptr;
    }

    /// Gives the table its new shape; indexes by the same fields keep their nodes' table.
    result<> reshape(stored_schema& table, const schema& wanted) {
        const auto before = table;
        std::vector<std::uint32_t> spare = before.nodes;
        table.shape = wanted;
        table.nodes.assign(wanted.indexes.size(), 0);
        for (std::size_t i = 0; i < wanted.indexes.size(); ++i) {
            for (std::size_t k = 0; k < spare.size(); ++k) {
                if (spare[k] == 0 || names_of(before.shape, before.shape.indexes[k]) !=
                                         names_of(wanted, wanted.indexes[i])) {
                    continue;
                }
                table.nodes[i] = std::exchange(spare[k], 0);
                break;
            }
        }
        for (const auto number : spare) by_number_.erase(number);
        for (std::size_t i = 0; i < wanted.indexes.size(); ++i) {
            if (table.nodes[i] == 0) table.nodes[i] = PERDURE_TRY(add_nodes(table));
        }
        return {};
    }

    [[nodiscard]] std::vector<stored_schema> all() const {
        std::vector<stored_schema> out;
        for (const auto& [number, each] : by_number_) out.push_back(each);
        return out;
    }

  private:
    /// A table for the nodes of a new ordered index. Named by its number: those that stay are named
    /// by their place in the schema of before.
    result<std::uint32_t> add_nodes(const stored_schema& owner) {
        std::uint32_t number = shm::first_user_table;
        while (by_number_.contains(number)) ++number;
        if (number >= shm::table_count) return errc::too_many_tables;
        stored_schema made;
        made.number = number;
        made.header = {owner.header.lsn, 0, 1};
        made.shape.name = owner.shape.name + ".tree" + std::to_string(number);
        made.shape.row_bytes = sizeof(shm::tree_node);
        made.shape.flags = shm::derived;
        by_number_.emplace(number, std::move(made));
        return number;
    }

    std::map<std::uint32_t, stored_schema> by_number_;
};

}  // namespace

result<evolved_tables> evolve(std::span<const stored_schema> stored, const evolution& to,
                              std::string& why) {
    changing_tables changing(stored);
    evolved_tables out;
    for (const auto& wanted : to.wanted) {
        auto* table = changing.named(wanted.name);
        // One that is not there is made by whoever wants it, when it opens the world.
        if (table == nullptr || table->shape == wanted) continue;
        const auto sound = wanted.validate();
        const auto cause = sound ? why_table(*table, wanted, to.may_drop) : "it breaks a rule";
        if (!cause.empty()) {
            why = "table " + wanted.name + ": " + cause;
            return sound ? errc::schema_mismatch : errc::bad_schema;
        }
        if (const auto done = changing.reshape(*table, wanted); !done) {
            why = "table " + wanted.name + ": no number is free for an index of it";
            return done.error();
        }
        out.changed.push_back(wanted.name);
    }
    out.tables = changing.all();
    return out;
}

result<bool> is_evolved(shm::region& where, const evolution& to) {
    for (const auto& wanted : to.wanted) {
        const auto there = shm::find_table(where, wanted.name);
        if (!there && there.error() == errc::unknown_table) continue;
        if (!there) return there.error();
        if (PERDURE_TRY(shm::read_schema(where, *there)) != wanted) return true;
    }
    return false;
}

result<evolved_tables> load_evolved(const checkpoint_reader& from, const evolution& to,
                                    shm::region& into, std::string& why) {
    PERDURE_ASSERT(from.entry().is_full() && from.entry().last_lsn == from.entry().lsn);  // V1
    std::optional<finding> found;
    const auto load = [&]() -> result<evolved_tables> {
        table_archive archive;
        std::vector<std::byte> payload;
        const auto header = PERDURE_TRY(from.read(0, payload, found));
        const auto stored = PERDURE_TRY(archive.unpack_schemas(header, payload));
        auto made = PERDURE_TRY(evolve(stored, to, why));
        shm::loader loading(into);
        into.header().world_time.value = from.header().world_time;
        std::map<std::uint32_t, row_plan> plans;
        for (const auto& each : made.tables) {
            PERDURE_TRY(loading.put_schema(each.number, PERDURE_TRY(row_of(each))));
            const auto before = std::ranges::find(stored, each.number, &stored_schema::number);
            if (before != stored.end()) {
                plans.emplace(each.number, row_plan(before->shape, each.shape));
            }
        }
        row_batch batch;
        for (std::size_t section = 1; section < from.sections(); ++section) {
            const auto rows = PERDURE_TRY(from.read(section, payload, found));
            const auto plan = plans.find(rows.table);
            if (plan == plans.end()) return errc::damaged;
            PERDURE_TRY(archive.unpack(rows, payload, plan->second, batch));
            PERDURE_TRY(loading.make_room(rows.table, rows.first_row, rows.last_row + 1));
            loading.put_rows(rows.table, batch.numbers, batch.rows.data());
        }
        loading.go_on_behind(from.entry().lsn);
        PERDURE_TRY(loading.finish(spread));
        return made;
    };
    auto done = load();
    if (!done && found) why = found->file + ": " + found->cause;
    return done;
}

}  // namespace perdure::io
