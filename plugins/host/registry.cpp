// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/purse.hpp>
#include <perdure/plugins/host/registry.hpp>
#include <perdure/shm/described.hpp>

namespace perdure::plugins {
namespace {

shm::schema plugin_schema() { return shm::schema_of<plugin_row>("plugins"); }
shm::schema allowance_schema() { return shm::schema_of<allowance_row>("plugin_allowances"); }
shm::schema upgrade_schema() { return shm::schema_of<upgrade_row>("plugin_upgrades"); }
shm::schema state_schema() { return shm::schema_of<plugin_state_row>("plugin_states"); }

std::span<const std::byte> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// Of plugin and name: hashed as names are.
shm::row_key state_key(account_id plugin, std::span<const std::byte> name) {
    std::string whole(sizeof plugin.high + sizeof plugin.low, '\0');
    std::memcpy(whole.data(), &plugin.high, sizeof plugin.high);
    std::memcpy(whole.data() + sizeof plugin.high, &plugin.low, sizeof plugin.low);
    whole.append(reinterpret_cast<const char*>(name.data()), name.size());
    return key_of(faucet_id::of(whole));
}

bool is_named(const plugin_state_row& row, account_id plugin,
              std::span<const std::byte> name) noexcept {
    return row.plugin == words_of(plugin) && row.name_bytes == name.size() &&
           std::memcmp(row.name.data(), name.data(), name.size()) == 0;
}

errc or_unknown(errc why) noexcept { return why == errc::not_found ? errc::unknown_plugin : why; }

/// Live rows of a table as a reader finds them, each true by itself.
result<> gather(shm::reader& by, std::uint32_t table, std::vector<plugin_row>& into) {
    const auto& where = by.in().where();
    const std::uint64_t end = shm::load(where.descriptor(table).row_high);
    for (std::uint64_t number = 0; number < end; ++number) {
        const auto seen = by.read([&](shm::view& in) -> result<plugin_row> {
            const auto there = in.get<plugin_row>(table, number);
            if (!there && there.error() == errc::not_found) return plugin_row{};
            return there;
        });
        if (!seen) return seen.error();
        if (seen->header.live == 1) into.push_back(*seen);
    }
    return {};
}

}  // namespace

std::vector<event_declaration> plugin_events() {
    return {declaration_of<plugin_stepped_v1>("plugin_stepped", event_type::plugin_stepped, 1)
                .described()};
}

std::string registry::account_name(std::string_view id) {
    return std::string("plugin:").append(id);
}

account_id registry::account_of(std::string_view id) { return account_id::of(account_name(id)); }

std::string registry::faucet_name(account_id plugin, std::string_view code, faucet_kind way) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string name(way == faucet_kind::faucet ? "mint:" : "burn:");
    for (int shift = 60; shift >= 20; shift -= 4) name += digits[plugin.high >> shift & 15];
    name += code;
    return name;
}

result<registry> registry::open(shm::session& by) {
    PERDURE_TRY(shm::open_table(by, plugin_schema()));
    PERDURE_TRY(shm::open_table(by, allowance_schema()));
    PERDURE_TRY(shm::open_table(by, state_schema()));
    PERDURE_TRY(shm::open_table(by, upgrade_schema()));
    PERDURE_TRY(shm::blob_heap::open(by));
    PERDURE_TRY(event_catalogue::open(by, plugin_events()));
    return find(by.where());
}

result<registry> registry::find(shm::region& where) {
    registry out;
    out.plugins_ = PERDURE_TRY(shm::find_table(where, plugin_schema()));
    out.allowances_ = PERDURE_TRY(shm::find_table(where, allowance_schema()));
    out.states_ = PERDURE_TRY(shm::find_table(where, state_schema()));
    out.upgrades_ = PERDURE_TRY(shm::find_table(where, upgrade_schema()));
    out.upgrades_heap_ = PERDURE_TRY(shm::heap_of(where, out.upgrades_));
    out.texts_heap_ = PERDURE_TRY(shm::heap_of(where, out.plugins_));
    out.states_heap_ = PERDURE_TRY(shm::heap_of(where, out.states_));
    out.blobs_ = PERDURE_TRY(shm::blob_heap::find(where));
    return out;
}

result<> registry::load(tx& by, const plugin_terms& terms, std::uint64_t who) const {
    if (terms.id.empty() || terms.id.size() >= sizeof(plugin_row::id)) return errc::bad_name;
    if (terms.version.size() >= sizeof(plugin_row::version) ||
        terms.file.size() != sizeof(plugin_row::file)) {
        return errc::bad_name;
    }
    const auto plugin = account_of(terms.id);
    const auto taken = PERDURE_TRY(shm::insert_key(by, plugins_, key_of(plugin)));
    auto* row = reinterpret_cast<plugin_row*>(taken.copy);
    row->id = text_of<sizeof(plugin_row::id)>(terms.id);
    row->version = text_of<sizeof(plugin_row::version)>(terms.version);
    row->file = text_of<sizeof(plugin_row::file)>(terms.file);
    row->state = static_cast<std::uint32_t>(plugin_state::loaded);
    row->host = static_cast<std::uint32_t>(terms.host);
    row->state_version = terms.state_version;
    row->from_ns = terms.from_ns;
    row->cursor = terms.cursor;
    PERDURE_TRY(blobs_->put(by, texts_heap_, row->config, bytes_of(terms.config)));
    PERDURE_TRY(blobs_->put(by, texts_heap_, row->granted, bytes_of(terms.granted)));
    tell(by, *row, {.step = plugin_step::loaded, .by = who});
    return {};
}

result<> registry::unload(tx& by, account_id plugin, std::uint64_t who) const {
    auto* row = PERDURE_TRY(edit(by, plugin));
    tell(by, *row, {.step = plugin_step::unloaded, .by = who});
    const auto upgraded = end_upgrade(by, plugin, {.step = plugin_step::given_up, .by = who});
    if (!upgraded && upgraded.error() != errc::not_found) return upgraded.error();
    PERDURE_TRY(blobs_->erase(by, texts_heap_, row->config));
    PERDURE_TRY(blobs_->erase(by, texts_heap_, row->granted));
    return shm::erase_key(by, plugins_, key_of(plugin));
}

result<plugin_row*> registry::edit(tx& by, account_id plugin) const noexcept {
    const auto there = shm::edit_key<plugin_row>(by, plugins_, key_of(plugin));
    if (!there) return or_unknown(there.error());
    return *there;
}

void registry::tell(tx& by, const plugin_row& row, const step_note& note) const {
    emit(by, event_type::plugin_stepped, 1,
         plugin_stepped_v1{{row.key.high, row.key.low},
                           row.id,
                           row.version,
                           row.file,
                           row.generation,
                           row.window,
                           note.number,
                           static_cast<std::uint32_t>(note.step),
                           static_cast<std::uint32_t>(note.cause),
                           note.by});
}

template <shm::row_source Source>
result<plugin_row> registry::row(Source& in, account_id plugin) const noexcept {
    auto there = shm::get_key<plugin_row>(in, plugins_, key_of(plugin));
    if (!there) return or_unknown(there.error());
    return there;
}
template result<plugin_row> registry::row(tx&, account_id) const noexcept;
template result<plugin_row> registry::row(shm::view&, account_id) const noexcept;

namespace {

template <shm::row_source Source>
result<std::string> text_of_blob(Source& in, std::uint32_t heap, const shm::blob_ref& of) {
    if (of.bytes > shm::blob_bytes_max) return errc::garbled;
    std::string out(of.bytes, '\0');
    PERDURE_TRY(
        shm::get_blob(in, heap, of, std::as_writable_bytes(std::span(out.data(), out.size()))));
    return out;
}

}  // namespace

template <shm::row_source Source>
result<std::string> registry::text(Source& in, const shm::blob_ref& of) const {
    return text_of_blob(in, texts_heap_, of);
}
template <shm::row_source Source>
result<std::string> registry::upgrade_text(Source& in, const shm::blob_ref& of) const {
    return text_of_blob(in, upgrades_heap_, of);
}
template result<std::string> registry::upgrade_text(tx&, const shm::blob_ref&) const;
template result<std::string> registry::upgrade_text(shm::view&, const shm::blob_ref&) const;
template result<std::string> registry::text(tx&, const shm::blob_ref&) const;
template result<std::string> registry::text(shm::view&, const shm::blob_ref&) const;

result<std::vector<plugin_row>> registry::all(shm::reader& by) const {
    std::vector<plugin_row> out;
    PERDURE_TRY(gather(by, plugins_, out));
    std::ranges::sort(out, {}, [](const plugin_row& row) { return text_in(row.id); });
    return out;
}

template <shm::row_source Source>
result<std::vector<std::byte>> registry::state(Source& in, account_id plugin,
                                               std::span<const std::byte> name) const {
    const auto row =
        PERDURE_TRY(shm::get_key<plugin_state_row>(in, states_, state_key(plugin, name)));
    if (!is_named(row, plugin, name)) return errc::name_taken;
    if (row.value.bytes > shm::blob_bytes_max) return errc::garbled;
    std::vector<std::byte> out(row.value.bytes);
    PERDURE_TRY(shm::get_blob(in, states_heap_, row.value, std::span(out)));
    return out;
}
template result<std::vector<std::byte>> registry::state(tx&, account_id,
                                                        std::span<const std::byte>) const;
template result<std::vector<std::byte>> registry::state(shm::view&, account_id,
                                                        std::span<const std::byte>) const;

result<> registry::put_state(tx& by, account_id plugin, std::span<const std::byte> name,
                             std::span<const std::byte> value) const {
    const auto key = state_key(plugin, name);
    const auto there = shm::edit_key<plugin_state_row>(by, states_, key);
    if (there) {
        if (!is_named(**there, plugin, name)) return errc::name_taken;
        return blobs_->put(by, states_heap_, (*there)->value, value);
    }
    if (there.error() != errc::not_found) return there.error();
    const auto taken = PERDURE_TRY(shm::insert_key(by, states_, key));
    auto* row = reinterpret_cast<plugin_state_row*>(taken.copy);
    row->plugin = words_of(plugin);
    std::memcpy(row->name.data(), name.data(), name.size());
    row->name_bytes = static_cast<std::uint32_t>(name.size());
    return blobs_->put(by, states_heap_, row->value, value);
}

result<> registry::erase_state(tx& by, account_id plugin, std::span<const std::byte> name) const {
    const auto key = state_key(plugin, name);
    const auto there = shm::edit_key<plugin_state_row>(by, states_, key);
    if (!there) return there.error() == errc::not_found ? result<>() : there.error();
    if (!is_named(**there, plugin, name)) return errc::name_taken;
    PERDURE_TRY(blobs_->erase(by, states_heap_, (*there)->value));
    return shm::erase_key(by, states_, key);
}

result<> registry::allow(tx& by, const shm::row_key& key, std::uint64_t window, amount value,
                         amount most) const noexcept {
    const auto there = shm::edit_key<allowance_row>(by, allowances_, key);
    if (!there && there.error() != errc::not_found) return there.error();
    allowance_row* row = nullptr;
    if (there) {
        row = *there;
    } else {
        const auto taken = PERDURE_TRY(shm::insert_key(by, allowances_, key));
        row = reinterpret_cast<allowance_row*>(taken.copy);
        row->asset = static_cast<std::uint32_t>(key.low >> 32);
    }
    const amount before = row->window == window ? row->minted : 0;
    const amount after = PERDURE_TRY(add(before, value));
    if (after > most) return errc::grant_exceeded;
    row->window = window;
    row->minted = after;
    return {};
}

}  // namespace perdure::plugins
