// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/error.hpp>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace perdure {
namespace {

struct entry {
    std::string_view name;
    std::string_view remedy;
};

/// No default: a new enumerator without its words is a warning, and an error in the ci preset.
entry describe(errc code) noexcept {
    switch (code) {
        case errc::conflict:
            return {"conflict", "Another transaction holds what this one needs; run it again."};
        case errc::stalled:
            return {"stalled",
                    "A wait reached its deadline; `perdure status` names who is waited for."};
        case errc::forked:
            return {"forked",
                    "This handle was inherited through fork(); open the world in the child."};
        case errc::transaction_too_large:
            return {"transaction_too_large",
                    "More rows or bytes than one transaction may touch; split it."};
        case errc::region_full:
            return {"region_full",
                    "The region's capacity is used up; raise `region.capacity` and restart."};
        case errc::no_memory:
            return {"no_memory",
                    "The file system under the region is full; free space or move "
                    "`region.directory`."};
        case errc::no_slot:
            return {"no_slot",
                    "Every participant slot is taken; end a session before you join another."};
        case errc::busy:
            return {"busy", "The rows kept changing; read again, or attach with write access."};
        case errc::read_only:
            return {"read_only", "This handle may not write; open the world with write access."};
        case errc::unbalanced:
            return {"unbalanced",
                    "The transaction creates or destroys value; only mint and burn may."};
        case errc::garbled:
            return {"garbled",
                    "Something in the region or a file is not what it must be; run `perdure "
                    "verify`."};
        case errc::durability_lost:
            return {"durability_lost",
                    "A write or sync failed, and this region stays frozen; mend the disk, stop the "
                    "world's processes, `rm \"$(readlink WORLD/region)\"`, start again: it comes "
                    "back as it was last durable."};
        case errc::not_attached:
            return {"not_attached", "The session has left or its world is closed; join again."};
        case errc::wrong_thread:
            return {"wrong_thread", "A session stays on the thread that joined; join on this one."};
        case errc::nested:
            return {"nested", "A transaction is open already; do this work inside it."};
        case errc::not_found: return {"not_found", "No row under that key or id."};
        case errc::exists:
            return {"exists", "A row under that key exists already; use it or choose another key."};
        case errc::stale_row:
            return {"stale_row", "The row was freed after its id was noted; look it up again."};
        case errc::unknown_table:
            return {"unknown_table", "No table of that id or name; declare it first."};
        case errc::too_many_tables:
            return {"too_many_tables", "The table directory is full; docs/limits.md has its size."};
        case errc::schema_mismatch:
            return {"schema_mismatch",
                    "A table of that name has another schema: restore the world with this program, "
                    "use the other's version, or another name."};
        case errc::bad_schema:
            return {"bad_schema", "The schema breaks a rule that shm/schema.hpp lists."};
        case errc::value_left:
            return {"value_left", "The row still holds a blob; erase that first."};
        case errc::unknown_account: return {"unknown_account", "No such account; open it first."};
        case errc::unknown_asset: return {"unknown_asset", "No such asset; create it first."};
        case errc::insufficient_funds:
            return {"insufficient_funds", "The source holds less than the amount."};
        case errc::overflow:
            return {"overflow", "The amount leaves the range of 64-bit minor units; split it."};
        case errc::bad_amount: return {"bad_amount", "Amounts that move are above zero."};
        case errc::same_account:
            return {"same_account", "Source and target are one account; name two."};
        case errc::not_authorised:
            return {"not_authorised", "The actor may not mint or burn this asset; ask its issuer."};
        case errc::unknown_hold:
            return {"unknown_hold", "No hold under that id: it was used up, or never made."};
        case errc::too_many_legs:
            return {"too_many_legs", "Too many legs for one batch; post it in several."};
        case errc::unknown_faucet:
            return {"unknown_faucet",
                    "No faucet or sink of that name; the asset's issuer opens it."};
        case errc::wrong_faucet:
            return {"wrong_faucet", "It is the other kind or another asset's; name the right one."};
        case errc::budget_exceeded:
            return {"budget_exceeded",
                    "More than the faucet's budget has left; its issuer sets it."};
        case errc::account_frozen:
            return {"account_frozen", "The account is frozen; wait for its end or unfreeze it."};
        case errc::unknown_item:
            return {"unknown_item", "No item of that serial: it was destroyed, or never created."};
        case errc::serial_required:
            return {"serial_required", "Units of this asset are items; move each by its serial."};
        case errc::not_unique:
            return {"not_unique", "This asset has no serials; use transfer, mint and burn."};
        case errc::not_owner: return {"not_owner", "The item belongs to another account."};
        case errc::bad_shards: return {"bad_shards", "A balance has 2, 4, 8, 16, 32 or 64 shards."};
        case errc::unknown_stake:
            return {"unknown_stake", "No such stake: it was ended, or never made."};
        case errc::unknown_programme:
            return {"unknown_programme",
                    "No such programme; `perdure stake list` shows those that are."};
        case errc::programme_closed:
            return {"programme_closed", "The programme is closed; stake in another one."};
        case errc::io_error:
            return {"io_error", "The operating system refused a call; the log has its errno."};
        case errc::disk_full: return {"disk_full", "The disk is full; free space, then try again."};
        case errc::lease_held:
            return {"lease_held", "Another keeper serves this world; stop it or stand by."};
        case errc::lease_lost:
            return {"lease_lost", "Another keeper took over; this one must stop."};
        case errc::damaged:
            return {"damaged", "A file fails its checks; run `perdure verify` and restore it."};
        case errc::missing:
            return {"missing", "The manifest promises a file that is not there; restore it."};
        case errc::wrong_format:
            return {"wrong_format",
                    "Another format version or layout; use the build that wrote it."};
        case errc::foreign:
            return {"foreign",
                    "The file is not Perdure's or belongs to another user; check path and owner."};
        case errc::bad_setting:
            return {"bad_setting",
                    "No such configuration, or a value outside its range; mend the key it names."};
        case errc::history_gone:
            return {"history_gone",
                    "The journal does not hold that LSN any more; begin at a later one."};
        case errc::not_written:
            return {"not_written",
                    "The journal does not reach that LSN yet; let a keeper write it, then ask "
                    "again."};
        case errc::unknown_event:
            return {"unknown_event",
                    "No such event is declared in this world; `perdure events --help` says how "
                    "to list them."};
        case errc::cursor_elsewhere:
            return {"cursor_elsewhere",
                    "Another process works on this projection; read its cursor and go on from "
                    "there."};
        case errc::broken_chain:
            return {"broken_chain",
                    "The row's history and its present values disagree; run `perdure verify`."};
        case errc::value_too_large:
            return {"value_too_large",
                    "The value is longer than 16 MiB or than its document may be; split it or "
                    "raise the document's limit."};
        case errc::version_conflict:
            return {"version_conflict",
                    "Somebody else has written the document; read it again and decide anew."};
        case errc::wrong_state:
            return {"wrong_state",
                    "The document is not in the state the transition begins in; read it again."};
        case errc::not_json:
            return {"not_json", "The text is no JSON; mend it or store it as binary."};
        case errc::name_taken:
            return {"name_taken", "Another name has the same hash; choose a slightly other one."};
        case errc::bad_name:
            return {"bad_name",
                    "The name is empty, too long or has characters it may not have; "
                    "docs/limits.md says which it may."};
        case errc::wrong_kind:
            return {"wrong_kind",
                    "The document is JSON and not binary, or the other way round; erase it first."};
        case errc::bad_limit:
            return {"bad_limit", "A document keeps 1 to 64 versions of at most 16 MiB each."};
        case errc::bad_query:
            return {"bad_query",
                    "A word of the question cannot be read or names no field; mend the one it "
                    "names."};
        case errc::bad_line:
            return {"bad_line", "The line cannot be read; --on-bad-line skip goes on without it."};
        case errc::import_closed:
            return {"import_closed",
                    "This import was closed: its lines are decided and not played again."};
        case errc::bad_plugin:
            return {"bad_plugin",
                    "The file is no plugin, or its manifest is wrong; `perdure plugin inspect` "
                    "says what it lacks."};
        case errc::wrong_abi:
            return {"wrong_abi",
                    "The plugin was built for another interface; build it with this package."};
        case errc::plugin_failed:
            return {"plugin_failed",
                    "The plugin answered an error or died; `perdure plugin logs` says more."};
        case errc::not_granted:
            return {"not_granted",
                    "The plugin may not do that; list it in plugin.toml and grant it with "
                    "--grant."};
        case errc::grant_exceeded:
            return {"grant_exceeded",
                    "More than the plugin may mint in one window; grant more, or mint less."};
        case errc::stale_generation:
            return {"stale_generation",
                    "Another instance of the plugin has taken over; this one "
                    "ends."};
        case errc::out_of_step:
            return {"out_of_step",
                    "Not the next position of the window; count its commits from 0."};
        case errc::bad_command:
            return {"bad_command",
                    "A command of unknown kind or with stray fields; perdure_plugin.h says which "
                    "it has."};
        case errc::unknown_plugin:
            return {"unknown_plugin",
                    "No plugin of that id is loaded; `perdure plugin list` shows those that are."};
    }
    return {"unknown", "Not an error code of this build."};
}

class perdure_category final : public boost::system::error_category {
  public:
    constexpr perdure_category() noexcept : error_category(0x70657264757265ULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "perdure"; }

    [[nodiscard]] std::string message(int code) const override {
        return std::string(remedy(static_cast<errc>(code)));
    }
};

constexpr perdure_category the_category;

}  // namespace

const boost::system::error_category& category() noexcept { return the_category; }

std::string_view name(errc code) noexcept { return describe(code).name; }

std::string_view remedy(errc code) noexcept { return describe(code).remedy; }

void throw_exception_from_error(errc code, const boost::source_location& where) {
    throw boost::system::system_error(boost::system::error_code(make_error_code(code), &where));
}

failure::failure(errc code, std::string what, std::string todo)
    : system_error(make_error_code(code), what + "; " + todo),
      reason_(code),
      thing_(std::move(what)),
      todo_(std::move(todo)) {}

void invariant_broken(const char* expression, const char* file, int line) noexcept {
    static_cast<void>(
        std::fprintf(stderr, "perdure: broken invariant: %s (%s:%d)\n", expression, file, line));
    std::abort();
}

}  // namespace perdure
