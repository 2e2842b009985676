// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/event_catalogue.hpp>
#include <perdure/shm/described.hpp>

namespace perdure {
namespace {

shm::schema catalogue_schema() {
    // What a build knows of events is not part of what a world's economy is.
    return shm::schema_of<event_type_row>("event_types", {.flags = shm::transient});
}

shm::row_key key_of(const event_declaration& of) noexcept { return {of.type, of.version}; }

/// Whether it is there; enters nothing. Errors: schema_mismatch.
result<bool> is_declared(shm::transaction& in, std::uint32_t table, const event_declaration& one) {
    const auto there = shm::get_key<event_type_row>(in, table, key_of(one));
    if (!there && there.error() == errc::not_found) return false;
    if (!there) return there.error();
    const auto known = PERDURE_TRY(from_row(*there));
    if (known != one) return errc::schema_mismatch;
    return true;
}

result<> enter(shm::transaction& in, std::uint32_t table, const event_declaration& one) {
    const auto taken = PERDURE_TRY(shm::insert_key(in, table, key_of(one)));
    auto* row = reinterpret_cast<event_type_row*>(taken.copy);
    const auto header = row->header;
    const auto key = row->key;
    *row = to_row(one);
    row->header = header;
    row->key = key;
    return {};
}

}  // namespace

result<event_catalogue> event_catalogue::open(shm::session& by,
                                              std::span<const event_declaration> wanted) {
    const auto table = PERDURE_TRY(shm::open_table(by, catalogue_schema()));
    for (const auto& one : wanted) {
        PERDURE_TRY(one.validate());
        PERDURE_TRY(by.write([&](shm::transaction& in) -> result<> {
            if (PERDURE_TRY(is_declared(in, table, one))) return {};
            return enter(in, table, one);
        }));
    }
    return read(by.where());
}

result<event_catalogue> event_catalogue::read(shm::region& where) {
    const auto table = PERDURE_TRY(shm::find_table(where, catalogue_schema()));
    event_catalogue made;
    shm::reader by(where);
    const std::uint64_t end = shm::load(where.descriptor(table).row_high);
    for (std::uint64_t row = 0; row < end; ++row) {
        const auto copy =
            by.read([&](shm::view& seen) { return seen.get<event_type_row>(table, row); });
        if (!copy && copy.error() != errc::not_found) return copy.error();
        if (copy && copy->header.live == 1) made.all_.push_back(PERDURE_TRY(from_row(*copy)));
    }
    std::sort(made.all_.begin(), made.all_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.type, a.version) < std::pair(b.type, b.version);
    });
    made.resolve(where);
    return made;
}

/// Names into numbers, once; each table is looked for once.
void event_catalogue::resolve(shm::region& where) {
    struct known_table {
        std::uint32_t number = 0;
        shm::schema shape;
    };
    std::vector<known_table> tables;
    const auto table_named = [&](const std::string& name) -> const known_table& {
        for (const auto& each : tables) {
            if (each.shape.name == name) return each;
        }
        auto& made = tables.emplace_back();
        const auto number = shm::find_table(where, name);
        auto shape =
            number ? shm::read_schema(where, *number) : result<shm::schema>(number.error());
        if (shape) made = {*number, std::move(*shape)};
        made.shape.name = name;
        return made;
    };
    for (const auto& each : all_) {
        auto& places = places_.emplace_back();
        for (const auto& effect : each.effects) {
            auto& to = places.emplace_back();
            const auto& table = table_named(effect.table);
            for (const auto& field : table.shape.fields) {
                if (field.name != effect.column || field.offset % 8 != 0) continue;
                to = {table.number, field.offset / 8U};
            }
        }
    }
}

bool event_catalogue::has(std::span<const event_declaration> wanted) const noexcept {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& each) {
        return std::find(all_.begin(), all_.end(), each) != all_.end();
    });
}

const event_declaration* event_catalogue::find(std::uint16_t type,
                                               std::uint16_t version) const noexcept {
    const auto behind = std::upper_bound(all_.begin(), all_.end(), std::pair(type, version),
                                         [](const auto& wanted, const auto& each) {
                                             return wanted < std::pair(each.type, each.version);
                                         });
    if (behind == all_.begin() || (behind - 1)->type != type) return nullptr;
    return &*(behind - 1);
}

std::uint16_t event_catalogue::type_named(std::string_view name) const noexcept {
    const auto named = [&](const event_declaration& each) { return each.name == name; };
    const auto found = std::find_if(all_.begin(), all_.end(), named);
    return found == all_.end() ? std::uint16_t{0} : found->type;
}

result<> event_catalogue::predict(const shm::event_view& event,
                                  std::vector<predicted_change>& into) const {
    const auto* known = find(event);
    if (known == nullptr) return errc::unknown_event;
    const auto& places = places_[static_cast<std::size_t>(known - all_.data())];
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto& effect = known->effects[i];
        if (effect.kind == effect_kind::sets || places[i].table == 0) continue;
        const auto key = PERDURE_TRY(known->key_of(effect, event));
        if (key == shm::transaction_key{}) continue;  // Names no row: e.g. no faucet was used.
        const bool counts =
            effect.kind == effect_kind::increments || effect.kind == effect_kind::decrements;
        const std::uint64_t value =
            counts ? 1 : PERDURE_TRY(known->word_of(known->fields[effect.field], event));
        const bool gains =
            effect.kind == effect_kind::adds || effect.kind == effect_kind::increments;
        into.push_back({places[i].table, places[i].word, key, gains ? value : 0 - value});
    }
    return {};
}

}  // namespace perdure
