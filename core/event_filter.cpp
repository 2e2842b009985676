// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/event_filter.hpp>

namespace perdure {
namespace {

/// Whether a field of that unit holds these bytes.
template <class Value>
bool holds(const event_declaration& known, const shm::event_view& event, event_unit unit,
           const Value& value) noexcept {
    return std::any_of(known.fields.begin(), known.fields.end(), [&](const event_field& field) {
        return field.unit == unit && field.bytes == sizeof value &&
               std::memcmp(event.payload.data() + field.offset, &value, sizeof value) == 0;
    });
}

}  // namespace

bool event_filter::passes(const event_catalogue& catalogue,
                          const shm::event_view& event) const noexcept {
    if (!only.empty() && std::find(only.begin(), only.end(), event.type) == only.end()) {
        return false;
    }
    if (!account && !asset) return true;
    const auto* known = catalogue.find(event);
    if (known == nullptr || event.payload.size() < known->bytes) return false;
    if (account && !holds(*known, event, event_unit::account, key_of(*account))) return false;
    return !asset || holds(*known, event, event_unit::asset, asset->value);
}

}  // namespace perdure
