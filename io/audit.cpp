// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <map>
#include <perdure/io/audit.hpp>
#include <perdure/io/blob_audit.hpp>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/journal_reader.hpp>
#include <perdure/shm/blob.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/ring.hpp>
#include <perdure/shm/tree_index.hpp>

namespace perdure::io {
namespace {

constexpr std::size_t problems_max = 20;  // A table: the rest is of the same kind.

const shm::row_header& header_at(const std::byte* row) noexcept {
    return *reinterpret_cast<const shm::row_header*>(row);
}

void check_index(shm::region& where, table_image& table) {
    shm::view in(where);
    const std::size_t bytes = table.shape.row_bytes;
    for (std::uint64_t row = 0; row * bytes < table.rows.size(); ++row) {
        const auto* at = table.rows.data() + row * bytes;
        if (header_at(at).live != 1) continue;
        shm::row_key key;
        std::memcpy(&key, at + table.shape.key_at, sizeof key);
        in.clear();
        const auto found = shm::find_row(in, table.number, key);
        if (found && *found == row) continue;
        table.problems.push_back("table " + table.shape.name + ": the index does not lead to row " +
                                 std::to_string(row));
        if (table.problems.size() == problems_max) return;
    }
}

/// Every ordered index leads through the live rows in the order of their keys, each once.
void check_order(shm::region& where, table_image& table) {
    const auto shape = shm::read_shape(where, table.number);
    if (!shape) return;
    std::uint64_t live = 0;
    const std::size_t bytes = table.shape.row_bytes;
    for (std::size_t at = 0; at < table.rows.size(); at += bytes) {
        live += header_at(table.rows.data() + at).live;
    }
    for (std::size_t i = 0; i < shape->indexes.size(); ++i) {
        const auto complain = [&](const std::string& cause) {
            table.problems.push_back("table " + table.shape.name + ": ordered index " +
                                     std::to_string(i) + " " + cause);
        };
        const shm::tree by{table.number, shape->indexes[i]};
        shm::view in(where);
        shm::scan<shm::view> walk(in, by, shm::key_prefix().lowest(), shm::key_prefix().highest());
        std::uint64_t met = 0;
        shm::index_key last{};
        for (;; ++met) {
            in.clear();  // Nothing moves: what was noted is not needed.
            const auto more = walk.next();
            if (!more) complain("cannot be walked: " + std::string(name(more.error())));
            if (!more || !*more) break;
            const bool is_there = walk.row() * bytes < table.rows.size();
            const auto* row = table.rows.data() + (is_there ? walk.row() * bytes : 0);
            const bool fits = is_there && header_at(row).live == 1 &&
                              shm::key_of_row(by.shape, row, walk.row()) == walk.key();
            if (!fits) complain("has another key for row " + std::to_string(walk.row()));
            if (met > 0 && walk.key().words <= last.words) complain("does not ascend");
            if (table.problems.size() >= problems_max) return;
            last = walk.key();
        }
        if (met != live) {
            complain("leads to " + std::to_string(met) + " rows of " + std::to_string(live));
        }
    }
}

/// What a row says about the world: its fields, without header, numbers and free space.
void append_logical(const table_image& table, const table_image* heap, const std::byte* row,
                    std::vector<std::byte>& target) {
    for (const auto& field : table.shape.fields) {
        if (field.type == shm::field_type::blob) {
            shm::blob_ref ref;
            std::memcpy(&ref, row + field.offset, sizeof ref);
            append_blob(heap, ref, target);
            continue;
        }
        target.insert(target.end(), row + field.offset, row + field.offset + field.bytes);
    }
}

void append_text(std::vector<std::byte>& target, std::string_view text) {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    target.insert(target.end(), bytes, bytes + text.size());
    target.push_back(std::byte{0});
}

template <class T>
void append_value(std::vector<std::byte>& target, const T& value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    target.insert(target.end(), bytes, bytes + sizeof value);
}

void append_schema(std::vector<std::byte>& target, const shm::schema& shape) {
    append_text(target, shape.name);
    append_value(target, shape.version);
    for (const auto& field : shape.fields) {
        append_text(target, field.name);
        append_value(target, static_cast<std::uint16_t>(field.type));
        append_value(target, field.bytes);
    }
}

std::string hex(std::span<const std::uint8_t> bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

constexpr bool is_balanced(const shm::field& field) noexcept {
    return (field.flags & (shm::adds | shm::subtracts)) != 0;
}

std::string digest_of(std::span<const std::byte> bytes) { return hex(blake2b(bytes, {})); }

/// Of a pooled table: one row for all that agree in what is not balanced, with their sums.
std::vector<std::byte> pooled_image(const table_image& table) {
    std::map<std::vector<std::byte>, std::vector<std::uint64_t>> pools;
    const std::size_t bytes = table.shape.row_bytes;
    for (std::size_t at = 0; at < table.rows.size(); at += bytes) {
        const auto* row = table.rows.data() + at;
        if (header_at(row).live != 1) continue;
        std::vector<std::byte> same;
        std::vector<std::uint64_t> values;
        for (const auto& field : table.shape.fields) {
            const auto* place = row + field.offset;
            if (is_balanced(field)) {
                std::memcpy(&values.emplace_back(), place, 8);
            } else if (field.offset != table.shape.key_at) {
                same.insert(same.end(), place, place + field.bytes);
            }
        }
        auto& sums = pools[same];
        sums.resize(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) sums[i] += values[i];
    }
    std::vector<std::byte> out;
    for (const auto& [same, sums] : pools) {
        out.insert(out.end(), same.begin(), same.end());
        for (const auto sum : sums) append_value(out, sum);
    }
    return out;
}

/// Live rows in the order of their logical bytes: the key, where there is one, comes first in them.
std::vector<std::byte> logical_image(const image& taken, const table_image& table) {
    if ((table.shape.flags & shm::pooled) != 0) return pooled_image(table);
    const auto* heap = table_numbered(taken, table.heap);
    std::vector<std::byte> fields;
    const std::size_t bytes = table.shape.row_bytes;
    std::size_t width = 0;
    for (const auto& field : table.shape.fields) {
        width += field.type == shm::field_type::blob ? blob_digest_bytes : field.bytes;
    }
    for (std::size_t at = 0; at < table.rows.size(); at += bytes) {
        const auto* row = table.rows.data() + at;
        if (header_at(row).live == 1) append_logical(table, heap, row, fields);
    }
    std::vector<const std::byte*> order;
    for (std::size_t at = 0; width != 0 && at < fields.size(); at += width) {
        order.push_back(fields.data() + at);
    }
    std::sort(order.begin(), order.end(), [width](const auto* left, const auto* right) {
        return std::memcmp(left, right, width) < 0;
    });
    std::vector<std::byte> sorted;
    sorted.reserve(fields.size());
    for (const auto* row : order) sorted.insert(sorted.end(), row, row + width);
    return sorted;
}

/// Rows with their numbers; of a freed row only what outlives it.
std::vector<std::byte> physical_image(const table_image& table) {
    std::vector<std::byte> out;
    const std::size_t bytes = table.shape.row_bytes;
    for (std::uint64_t row = 0; row * bytes < table.rows.size(); ++row) {
        const auto* at = table.rows.data() + row * bytes;
        const auto& header = header_at(at);
        if (header.live != 1 && header.lsn == 0) continue;  // Never used.
        append_value(out, row);
        out.insert(out.end(), at, at + (header.live == 1 ? bytes : sizeof header));
    }
    return out;
}

using group_sums = std::map<std::uint32_t, __int128>;

void add_balances(const table_image& table, group_sums& sums, audit& out) {
    const std::size_t bytes = table.shape.row_bytes;
    std::size_t negative = 0;
    for (std::size_t at = 0; at < table.rows.size(); at += bytes) {
        const auto* row = table.rows.data() + at;
        if (header_at(row).live != 1) continue;
        for (const auto& field : table.shape.fields) {
            if (!is_balanced(field)) continue;
            std::int64_t value = 0;
            std::uint32_t group = 0;
            std::memcpy(&value, row + field.offset, 8);
            std::memcpy(&group, row + field.group_offset, 4);
            sums[group] += (field.flags & shm::adds) != 0 ? value : -static_cast<__int128>(value);
            if (value < 0 && ++negative <= problems_max) {
                out.problems.push_back("table " + table.shape.name + ": " + field.name +
                                       " of row " + std::to_string(at / bytes) + " is negative");
            }
        }
    }
}

}  // namespace

image take_image(shm::region& where) {
    image out;
    out.last_lsn = shm::next_lsn(where) - 1;
    for (std::uint32_t number = shm::first_user_table; number < shm::table_count; ++number) {
        const auto shape = shm::read_schema(where, number);
        if (!shape || (shape->flags & shm::derived) != 0) continue;
        const auto heap = shm::heap_of(where, number);
        table_image table{number, *shape, heap ? *heap : 0, {}, {}};
        const auto& d = where.descriptor(number);
        table.rows.resize(d.row_high * d.row_bytes);
        for (std::uint64_t row = 0; row < d.row_high; ++row) {
            const std::uint64_t at = shm::locate(where, number, row);
            if (at == 0) continue;
            shm::copy_out(table.rows.data() + row * d.row_bytes, where.at<std::byte>(at),
                          d.row_bytes);
        }
        if (d.index != 0) check_index(where, table);
        if (!table.shape.indexes.empty()) check_order(where, table);
        out.tables.push_back(std::move(table));
    }
    return out;
}

std::vector<std::string> check_checkpoints(file_system& files, const std::string& directory) {
    std::vector<std::string> problems;
    std::optional<finding> found;
    const auto promised = manifest::open(files, directory, open_mode::read, found);
    const auto tell = [&](errc why) {
        problems.push_back(found ? found->file + " at byte " + std::to_string(found->offset) +
                                       ": " + found->cause
                                 : std::string(name(why)) + ": " + files.last_error());
        found.reset();
    };
    if (!promised) {
        tell(promised.error());
        return problems;
    }
    for (const auto& each : promised->checkpoints()) {
        const auto check = [&]() -> result<> {
            const auto path = checkpoint_path(directory, each.lsn);
            const auto reader = PERDURE_TRY(checkpoint_reader::open(files, path, found));
            PERDURE_TRY(reader.compare(*promised, each, found));
            return check_sections(reader, found);
        };
        if (const auto sound = check(); !sound) tell(sound.error());
    }
    return problems;
}

std::vector<std::string> check_journal(file_system& files, const std::string& directory,
                                       std::uint64_t durable_lsn) {
    std::optional<finding> found;
    std::uint64_t last = 0;
    const auto walk = [&]() -> result<> {
        const auto promised = PERDURE_TRY(manifest::open(files, directory, open_mode::read, found));
        // A restored world begins behind its checkpoint.
        if (!promised.checkpoints().empty()) last = promised.checkpoints().back().last_lsn;
        auto reader = PERDURE_TRY(journal_reader::open(files, promised, 1, found));
        while (PERDURE_TRY(reader.next(found))) {
            PERDURE_TRY(reader.records(found));
            last = reader.block().header.last_lsn;
        }
        return {};
    };
    const auto walked = walk();
    if (!walked) {
        return {found ? found->file + " at byte " + std::to_string(found->offset) + ": " +
                            found->cause
                      : "journal: " + files.last_error()};
    }
    if (last >= durable_lsn) return {};
    return {"journal: it ends at LSN " + std::to_string(last) + ", durable is " +
            std::to_string(durable_lsn)};
}

audit examine(const image& taken) {
    audit out;
    std::vector<const table_image*> order;
    for (const auto& table : taken.tables) order.push_back(&table);
    std::sort(order.begin(), order.end(), [](const auto* left, const auto* right) {
        return left->shape.name < right->shape.name;
    });
    std::vector<std::byte> state;
    std::vector<std::byte> physical;
    group_sums sums;
    for (const auto* table : order) {
        out.problems.insert(out.problems.end(), table->problems.begin(), table->problems.end());
        append_schema(physical, table->shape);
        append_text(physical, digest_of(physical_image(*table)));
        add_balances(*table, sums, out);
        if ((table->shape.flags & (shm::transient | shm::heap)) != 0) continue;
        append_schema(state, table->shape);
        append_text(state, digest_of(logical_image(taken, *table)));
    }
    for (auto& each : check_blobs(taken)) out.problems.push_back(std::move(each));
    out.conserved = true;
    for (const auto& [group, sum] : sums) {
        if (sum == 0) continue;
        out.conserved = false;
        out.problems.push_back("asset " + std::to_string(group) +
                               ": balances and supply differ by " +
                               std::to_string(static_cast<long long>(sum)));
    }
    out.state_hash = digest_of(state);
    out.image_hash = digest_of(physical);
    return out;
}

std::string why_unbalanced(shm::region& where) {
    std::map<std::uint32_t, __int128> sums;
    for (std::uint32_t number = shm::first_user_table; number < shm::table_count; ++number) {
        const auto shape = shm::read_shape(where, number);
        if (!shape || shape->rules.empty()) continue;
        const auto add = [&](std::uint64_t /*row*/, std::uint64_t at) {
            if (where.at<shm::row_header>(at)->live != 1) return;
            for (const auto& rule : shape->rules) {
                std::int64_t value = 0;
                std::uint32_t group = 0;
                std::memcpy(&value, where.at<std::byte>(at + rule.offset), sizeof value);
                std::memcpy(&group, where.at<std::byte>(at + rule.group_offset), sizeof group);
                sums[group] += rule.sign > 0 ? value : -static_cast<__int128>(value);
            }
        };
        shm::each_row(where, number, 0, where.descriptor(number).row_high, add);
    }
    for (const auto& [group, sum] : sums) {
        if (sum != 0) return "the balances of asset " + std::to_string(group) + " do not add up";
    }
    return {};
}

}  // namespace perdure::io
