// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <map>
#include <perdure/tests/shm/audit_trees.hpp>
#include <set>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

std::string spell(std::uint32_t table, const char* what, std::uint64_t number) {
    return "table " + std::to_string(table) + ", " + what + " " + std::to_string(number);
}

/// Says that one page is used; twice is a fault.
struct page_marks {
    std::vector<bool> used;
    std::vector<std::string>& faults;
    void mark(std::uint32_t table, std::uint64_t page) {
        if (page == 0 || page >= used.size()) {
            faults.push_back(spell(table, "a page never handed out:", page));
        } else if (used[page]) {
            faults.push_back(spell(table, "a page used twice:", page));
        } else {
            used[page] = true;
        }
    }
};

/// Where a row number was found, each place once (B1).
enum class whereabouts : std::uint8_t { nowhere, live, fresh, freed, chained };

struct row_marks {
    std::uint32_t table;
    std::vector<whereabouts> marks;
    std::vector<std::string>& faults;
    void mark(std::uint64_t row, whereabouts as) {
        if (row >= marks.size()) {
            faults.push_back(spell(table, "a row beyond row_high:", row));
        } else if (marks[row] != whereabouts::nowhere) {
            faults.push_back(spell(table, "a row in two places:", row));
        } else {
            marks[row] = as;
        }
    }
};

void mark_fresh(region& where, row_marks& marks) {
    for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
        const auto& range = where.slot(i).fresh[marks.table];
        for (auto row = range.next; row < range.end; ++row) marks.mark(row, whereabouts::fresh);
    }
}

void mark_freed(region& where, row_marks& marks) {
    std::uint64_t link = where.descriptor(marks.table).free_head;
    for (std::size_t turn = 0; link != 0; ++turn) {
        if (turn > marks.marks.size()) {
            marks.faults.push_back(spell(marks.table, "the free list is a circle at", link));
            return;
        }
        marks.mark(link - 1, whereabouts::freed);
        const auto at = locate(where, marks.table, link - 1);
        if (at == 0) return;
        link = where.at<freed_row>(at)->free_link;
    }
}

/// Follows every chain of a bucket table and hands its links to `each`.
template <class Each>
void for_each_link(region& where, const found_table& buckets, Each&& each) {
    const auto count = where.descriptor(buckets.number).row_high;
    for (std::uint64_t number = 0; number < count; ++number) {
        auto at = locate(where, buckets.number, number);
        std::uint64_t link = 0;
        for (int turn = 0; at != 0 && turn < 1000; ++turn) {
            const auto& here = *where.at<bucket>(at);
            each(number, link, here);
            link = here.overflow;
            if (link == 0) break;
            at = locate(where, buckets.overflow, link - 1);
        }
    }
}

const found_table* table_numbered(const std::vector<found_table>& all, std::uint32_t number) {
    for (const auto& each : all) {
        if (each.number == number) return &each;
    }
    return nullptr;
}

}  // namespace

std::vector<found_table> tables_in(region& where) {
    std::vector<found_table> out;
    for (std::uint32_t number = schemas_table; number < table_count; ++number) {
        const auto at = locate(where, schemas_table, number);
        if (at == 0) continue;
        const auto& row = *where.at<schema_row>(at);
        if (row.header.live != 1) continue;
        out.push_back(
            {number, row.row_bytes, row.flags, row.key_at, row.index, row.overflow, shape_of(row)});
    }
    return out;
}

void audit_pages(region& where, std::vector<std::string>& faults) {
    page_marks marks{std::vector<bool>(where.header().page_next.value), faults};
    for (std::uint32_t table = 1; table < table_count; ++table) {
        const auto& d = where.descriptor(table);
        if (d.root_page == 0) continue;
        marks.mark(table, d.root_page);
        const auto* root = where.at<std::uint32_t>(where.page_at(d.root_page));
        for (std::uint32_t i = 0; i < directory_fan; ++i) {
            if (root[i] == 0) continue;
            marks.mark(table, root[i]);
            const auto* leaf = where.at<std::uint32_t>(where.page_at(root[i]));
            for (std::uint32_t k = 0; k < directory_fan; ++k) {
                if (leaf[k] == 0) continue;
                for (std::uint32_t page = 0; page < extent_pages; ++page) {
                    marks.mark(table, leaf[k] + page);
                }
            }
        }
    }
    for (std::size_t page = 1; page < marks.used.size(); ++page) {
        if (!marks.used[page]) faults.push_back("page " + std::to_string(page) + " leaked");
    }
}

void audit_rows(region& where, std::vector<std::string>& faults) {
    const auto all = tables_in(where);
    for (const auto& table : all) {
        if (table.number == schemas_table) continue;
        const auto& d = where.descriptor(table.number);
        if (d.row_bytes != table.row_bytes || d.flags != table.flags || d.index != table.index) {
            faults.push_back(spell(table.number, "descriptor against schema", d.row_bytes));
            continue;
        }
        row_marks marks{table.number, std::vector<whereabouts>(d.row_high), faults};
        if (table.overflow != 0) continue;  // Every bucket below row_high is in use.
        mark_fresh(where, marks);
        mark_freed(where, marks);
        for (const auto& other : all) {
            if (other.overflow != table.number) continue;
            for_each_link(where, other, [&](std::uint64_t, std::uint64_t link, const bucket&) {
                if (link != 0) marks.mark(link - 1, whereabouts::chained);
            });
        }
        for (const auto& other : all) {
            for (const auto& index : other.shape.indexes) {
                if (index.nodes != table.number) continue;
                for (const auto node : nodes_of(where, index)) {
                    marks.mark(node, whereabouts::chained);
                }
            }
        }
        if ((table.flags & derived) == 0) {
            for_each_row(where, table.number, [&](std::uint64_t row, const std::uint64_t* words) {
                const auto& header = *reinterpret_cast<const row_header*>(words);
                if (header.live == 1) marks.mark(row, whereabouts::live);
            });
        }
        for (std::uint64_t row = 0; row < marks.marks.size(); ++row) {
            if (marks.marks[row] == whereabouts::nowhere) {
                faults.push_back(spell(table.number, "a leaked row:", row));
            }
        }
    }
}

void audit_index(region& where, std::vector<std::string>& faults) {
    const auto all = tables_in(where);
    for (const auto& table : all) {
        if (table.index == 0) continue;
        const auto* buckets = table_numbered(all, table.index);
        if (buckets == nullptr || buckets->overflow == 0) {
            faults.push_back(spell(table.number, "no bucket table", table.index));
            continue;
        }
        const auto count = where.descriptor(table.index).row_high;
        const auto low = static_cast<std::uint32_t>(std::bit_width(count) - 1);
        std::set<std::uint64_t> entered;
        std::set<std::pair<std::uint64_t, std::uint64_t>> keys;
        const auto look_at = [&](std::uint64_t number, std::uint64_t link, const bucket& here) {
            const bool split = number >= 1ULL << low || number < count - (1ULL << low);
            const std::uint32_t level = split && count > 1 ? low + 1 : low;
            if (link == 0 && here.level != level) {
                faults.push_back(spell(table.number, "level (H2) of bucket", number));
            }
            for (const auto entry : here.entries) {
                if (entry == 0) continue;
                const std::uint64_t row = (entry & ((1ULL << 48) - 1)) - 1;
                const auto at = locate(where, table.number, row);
                if (at == 0 || where.at<row_header>(at)->live != 1) {
                    faults.push_back(spell(table.number, "an entry without a live row:", row));
                    continue;
                }
                const auto key = *where.at<row_key>(at + table.key_at);
                const auto hash = hash_of(key);
                if (entry >> 48 != hash >> 48 || (hash & ((1ULL << level) - 1)) != number) {
                    faults.push_back(spell(table.number, "an entry in the wrong bucket:", row));
                }
                if (!entered.insert(row).second || !keys.insert({key.high, key.low}).second) {
                    faults.push_back(spell(table.number, "a key entered twice:", row));
                }
            }
        };
        for_each_link(where, *buckets, look_at);
        for_each_row(where, table.number, [&](std::uint64_t row, const std::uint64_t* words) {
            const bool live = reinterpret_cast<const row_header*>(words)->live == 1;
            if (live && !entered.contains(row)) {
                faults.push_back(spell(table.number, "a live row the index does not know:", row));
            }
        });
    }
}

void audit_balances(region& where, std::vector<std::string>& faults) {
    for (const auto& table : tables_in(where)) {
        if (table.shape.rules.empty()) continue;
        std::map<std::uint32_t, __int128> sums;
        for_each_row(where, table.number, [&](std::uint64_t, const std::uint64_t* words) {
            const auto* row = reinterpret_cast<const std::byte*>(words);
            if (reinterpret_cast<const row_header*>(words)->live != 1) return;
            for (const auto& rule : table.shape.rules) {
                std::int64_t value = 0;
                std::uint32_t group = 0;
                std::memcpy(&value, row + rule.offset, 8);
                std::memcpy(&group, row + rule.group_offset, 4);
                sums[group] += static_cast<__int128>(value) * rule.sign;
            }
        });
        for (const auto& [group, sum] : sums) {
            if (sum != 0) faults.push_back(spell(table.number, "I8: the sum of group", group));
        }
    }
}

}  // namespace perdure::tests
