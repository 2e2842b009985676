// SPDX-License-Identifier: Apache-2.0
#include <perdure/plugins/abi/perdure_plugin.h>

#include <perdure/core/purse.hpp>
#include <perdure/plugins/host/loading.hpp>
#include <perdure/plugins/host/store.hpp>

namespace perdure::plugins {
namespace {

[[noreturn]] void refuse(errc code, const std::string& id, const std::string& cause,
                         const std::string& todo) {
    throw failure(code, "plugin " + id + ": " + cause, todo);
}

/// An answer of the engine as a refusal.
void expect(const result<receipt>& done, std::string_view id, const std::string& what) {
    if (done) return;
    refuse(done.error(), std::string(id), what, std::string(remedy(done.error())));
}

/// Whatever the manifest names has to be there: a plugin that waits for a table that never comes
/// would look as if it worked.
void check_names(world& in, session& by, const manifest& what) {
    const auto& books = in.books();
    auto known = event_catalogue::read(in.region());
    if (!known) refuse(known.error(), what.id, "the declared events", "run `perdure verify`");
    for (const auto& table : what.wants.read) {
        if (!shm::find_table(in.region(), table)) {
            refuse(errc::unknown_table, what.id, "this world has no table " + table,
                   "`perdure query WORLD` lists them; mend capabilities.read");
        }
    }
    for (const auto* events : {&what.wants.emit, &what.follow}) {
        for (const auto& event : *events) {
            if (known->type_named(event) == 0) {
                refuse(errc::unknown_event, what.id, "no event " + event + " is declared",
                       "let the game declare it first (docs/events.md)");
            }
        }
    }
    const auto seen = by.read([&](view& now) -> result<std::string> {
        for (const auto& name : what.wants.debit) {
            const auto account = books.account(now, account_id::of(name));
            if (!account && account.error() == errc::unknown_account) return "account " + name;
            if (!account) return account.error();
        }
        for (const auto& [code, most] : what.wants.mint) {
            const auto asset = books.asset(now, asset_id::of(code));
            if (!asset && asset.error() == errc::unknown_asset) return "asset " + code;
            if (!asset) return asset.error();
        }
        return std::string();
    });
    if (!seen) refuse(seen.error(), what.id, "the ledger", std::string(remedy(seen.error())));
    if (seen->empty()) return;
    refuse(seen->starts_with("asset") ? errc::unknown_asset : errc::unknown_account, what.id,
           "this world has no " + *seen, "create it first, or mend the capabilities");
}

/// The account that everything a plugin has belongs to. Loaded again, it has it already.
result<> open_account(tx& by, const ledger& books, std::string_view id) {
    const auto opened = books.open_account(by, registry::account_name(id), account_kind::plugin);
    if (!opened && opened.error() != errc::exists) return opened.error();
    return {};
}

result<> open_faucets(tx& by, const ledger& books, account_id plugin, const manifest& what) {
    const auto open = [&](const std::string& code, faucet_kind way) -> result<> {
        const auto unit = PERDURE_TRY(books.asset(by, asset_id::of(code)));
        const auto opened =
            books.open_faucet(by, id_of(unit.authority), registry::faucet_name(plugin, code, way),
                              {way, asset_id::of(code), plugin, 0});
        if (!opened && opened.error() != errc::exists) return opened.error();
        return {};
    };
    for (const auto& [code, most] : what.wants.mint) {
        PERDURE_TRY(open(code, faucet_kind::faucet));
        if ((what.wants.commands >> PERDURE_COMMAND_BURN & 1) == 0) continue;
        PERDURE_TRY(open(code, faucet_kind::sink));
    }
    return {};
}

registry open_registry(session& by, std::string_view id) {
    auto opened = registry::open(by);
    if (opened) return std::move(*opened);
    refuse(opened.error(), std::string(id), "the plugins' tables cannot be made",
           std::string(remedy(opened.error())));
}

registry find_registry(world& in, std::string_view id) {
    auto found = registry::find(in.region());
    if (found) return std::move(*found);
    const errc code = found.error() == errc::unknown_table ? errc::unknown_plugin : found.error();
    refuse(code, std::string(id), "it is not loaded in " + in.directory(),
           std::string(remedy(code)));
}

}  // namespace

std::string_view state_name(std::uint32_t state) noexcept {
    switch (static_cast<plugin_state>(state)) {
        case plugin_state::loaded: return "loaded";
        case plugin_state::active: return "active";
        case plugin_state::quarantined: return "quarantined";
        case plugin_state::disabled: return "disabled";
    }
    return "unknown";
}

plugin_file load_plugin(world& in, session& by, const load_terms& terms) {
    auto file = inspect(terms.path);
    const auto& what = file.what;
    static_cast<void>(what.configure(terms.config));  // Refused before anything changes.
    check_names(in, by, what);
    io::kernel_calls calls;
    io::file_system files(calls);
    file = store(files, in.directory()).add(terms.path);
    const auto tables = open_registry(by, what.id);
    const auto plugin = registry::account_of(what.id);
    const bool ticks = what.kind == plugin_kind::tick || what.every_ns != 0;
    if (ticks) expect(in.start_clock(by), what.id, "the world's clock cannot be started");
    const auto loaded = by.write([&](tx& now) -> result<> {
        const auto time = PERDURE_TRY(in.clock().read(now));
        const std::uint64_t last = shm::next_lsn(now.where()) - 1;
        PERDURE_TRY(tables.load(now,
                                {.id = what.id,
                                 .version = what.version,
                                 .file = file.hash,
                                 .host = terms.host,
                                 .state_version = what.state_version,
                                 .config = terms.config,
                                 .granted = what.wants.canonical(),
                                 .from_ns = time.world_ns,
                                 .cursor = last},
                                terms.who));
        PERDURE_TRY(open_account(now, in.books(), what.id));
        return open_faucets(now, in.books(), plugin, what);
    });
    expect(loaded, what.id, "it cannot be entered");
    return file;
}

plugin_file upgrade_plugin(world& in, session& by, const plugin_upgrade& what) {
    auto file = inspect(what.path);
    if (file.what.id != what.id) {
        refuse(errc::bad_plugin, what.id, what.path + " is plugin " + file.what.id,
               "give the file of this plugin, or load that one");
    }
    const auto tables = find_registry(in, what.id);
    const auto plugin = registry::account_of(what.id);
    const auto old = by.read([&](view& seen) { return tables.row(seen, plugin); });
    if (!old) refuse(old.error(), what.id, "it is not loaded", std::string(remedy(old.error())));
    check_names(in, by, file.what);
    io::kernel_calls calls;
    io::file_system files(calls);
    store kept(files, in.directory());
    // What was granted is what the present file lists: begin() holds it against that.
    const auto present = manifest::of_file(kept.path_of(std::string(text_in(old->file))));
    const auto more = file.what.wants.beyond(present.wants);
    if (!more.empty() && !what.grants_more) {
        std::string all;
        for (const auto& each : more) all += (all.empty() ? "" : "; ") + each;
        refuse(errc::not_granted, what.id, "version " + file.what.version + " wants more: " + all,
               "read what it wants, then say --grant");
    }
    file = kept.add(what.path);
    expect(by.write([&](tx& now) -> result<> {
        PERDURE_TRY(open_faucets(now, in.books(), plugin, file.what));
        return tables.begin_upgrade(now, plugin,
                                    {.version = file.what.version,
                                     .file = file.hash,
                                     .granted = file.what.wants.canonical(),
                                     .shadow = what.shadow,
                                     .by = what.who});
    }),
           what.id, "its upgrade cannot be entered");
    return file;
}

std::optional<upgrade_progress> find_upgrade(const world& in, std::string_view id) {
    const auto tables = registry::find(in.region());
    if (!tables) return std::nullopt;
    auto by = in.reader();
    const auto seen = by.read([&](view& now) -> result<upgrade_progress> {
        const auto row = PERDURE_TRY(tables->upgrade(now, registry::account_of(id)));
        return upgrade_progress{row, PERDURE_TRY(tables->upgrade_text(now, row.report))};
    });
    if (seen) return *seen;
    if (seen.error() == errc::not_found) return std::nullopt;
    throw failure(seen.error(), in.directory() + ": its plugins' upgrades cannot be read",
                  std::string(remedy(seen.error())));
}

void unload_plugin(world& in, session& by, std::string_view id, std::uint64_t who) {
    const auto tables = find_registry(in, id);
    expect(by.write([&](tx& now) { return tables.unload(now, registry::account_of(id), who); }), id,
           "it cannot be unloaded");
}

void set_enabled(world& in, session& by, std::string_view id, bool enabled, std::uint64_t who) {
    const auto tables = find_registry(in, id);
    const auto next = enabled ? plugin_state::loaded : plugin_state::disabled;
    const auto step = enabled ? plugin_step::enabled : plugin_step::disabled;
    expect(by.write([&](tx& now) -> result<> {
        auto* row = PERDURE_TRY(tables.edit(now, registry::account_of(id)));
        row->state = static_cast<std::uint32_t>(next);
        row->cause = 0;
        tables.tell(now, *row, {.step = step, .by = who});
        return {};
    }),
           id, enabled ? "it cannot be enabled" : "it cannot be disabled");
}

std::vector<plugin_row> list_plugins(const world& in) {
    const auto found = registry::find(in.region());
    if (!found && found.error() == errc::unknown_table) return {};
    if (!found) {
        throw failure(found.error(), in.directory() + ": its plugins cannot be listed",
                      std::string(remedy(found.error())));
    }
    auto by = in.reader();
    auto rows = found->all(by);
    if (rows) return std::move(*rows);
    throw failure(rows.error(), in.directory() + ": its plugins cannot be listed",
                  std::string(remedy(rows.error())));
}

}  // namespace perdure::plugins
