// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/tables/money.hpp>

#include <algorithm>
#include <cstring>

#include <perdure/core/amount.hpp>

namespace perdure::apps {
namespace {

constexpr std::size_t assets_max = 65536;
constexpr int scale_max = 18;

const shm::field* field_of(const shm::schema& shape, std::string_view name,
                           shm::field_type type) noexcept {
    const auto found = std::ranges::find_if(shape.fields, [&](const shm::field& each) {
        return each.name == name && each.type == type;
    });
    return found == shape.fields.end() ? nullptr : &*found;
}

bool is_balanced(const shm::field& field) noexcept {
    return (field.flags & (shm::adds | shm::subtracts)) != 0;
}

/// The first balanced field that has `field` as its group, or nullptr.
const shm::field* balanced_by(const shm::schema& shape, std::uint32_t group_offset) noexcept {
    const auto found = std::ranges::find_if(shape.fields, [&](const shm::field& each) {
        return is_balanced(each) && each.group_offset == group_offset;
    });
    return found == shape.fields.end() ? nullptr : &*found;
}

std::uint32_t group_in(const stored_row& row, std::uint32_t offset) noexcept {
    std::uint32_t group = 0;
    std::memcpy(&group, row.bytes.data() + offset, sizeof group);
    return group;
}

}  // namespace

money::money(world_reader& in) : in_(&in) {
    std::optional<stored_table> assets;
    for (auto& each : in.tables()) {
        if (each.shape.name == "assets")
            assets = std::move(each);
        else if (each.shape.name == "accounts")
            accounts_ = std::move(each);
    }
    if (accounts_ && (accounts_->shape.key_at == 0 ||
                      field_of(accounts_->shape, "name", shm::field_type::text) == nullptr)) {
        accounts_.reset();
    }
    if (!assets) return;
    const auto* number = field_of(assets->shape, "asset", shm::field_type::u32);
    const auto* code = field_of(assets->shape, "code", shm::field_type::text);
    const auto* scale = field_of(assets->shape, "scale", shm::field_type::u32);
    if (number == nullptr || code == nullptr || scale == nullptr) return;
    table_scan scan(in, *assets);
    for (stored_row row; assets_.size() < assets_max && scan.next(row);) {
        const auto digits = group_in(row, scale->offset);
        if (digits > scale_max) continue;
        const column names{code->name, column_source::field, *code};
        assets_[group_in(row, number->offset)] = {print_plain(read_value(names, row)),
                                                  static_cast<int>(digits)};
    }
}

std::optional<std::string> money::shown(const stored_table& of, const column& what,
                                        const stored_row& row) const {
    if (what.source != column_source::field) return std::nullopt;
    const auto& field = what.field;
    const bool is_group =
        field.type == shm::field_type::u32 && balanced_by(of.shape, field.offset) != nullptr;
    if (!is_group && !is_balanced(field)) return std::nullopt;
    const auto found = assets_.find(group_in(row, is_group ? field.offset : field.group_offset));
    if (found == assets_.end()) return std::nullopt;
    if (is_group) return found->second.code;
    return print_amount(std::get<std::int64_t>(read_value(what, row)), found->second.scale);
}

std::optional<std::string> money::account(const stored_table& of, const stored_row& row) {
    if (!accounts_ || of.shape.key_at == 0) return std::nullopt;
    const auto balanced = std::ranges::find_if(of.shape.fields, is_balanced);
    if (balanced == of.shape.fields.end()) return std::nullopt;
    shm::row_key key{};
    std::memcpy(&key, row.bytes.data() + of.shape.key_at, sizeof key);
    if (key.low >> 32 != group_in(row, balanced->group_offset)) return std::nullopt;
    key.low &= UINT32_MAX;
    if (!in_->find(*accounts_, key, found_)) return std::nullopt;
    const auto* text = field_of(accounts_->shape, "name", shm::field_type::text);
    auto known = print_plain(read_value({text->name, column_source::field, *text}, found_));
    if (!known.empty()) return known;
    if (key.low != 0) return std::nullopt;
    return std::to_string(key.high);  // Opened by number.
}

}  // namespace perdure::apps
