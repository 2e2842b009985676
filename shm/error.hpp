// SPDX-License-Identifier: Apache-2.0
//
// How Perdure says that something went wrong: the one leaf header every folder may include.
//
// Promise     An answer is a result<T> (two registers, no allocation), a refusal to start throws
//             perdure::failure with what, where and what to do, a broken invariant stops the
//             process.
// Death       PERDURE_ASSERT ends the process like SIGKILL would; whoever comes next repairs.
// Threads     Everything here may be called from any thread.
#pragma once

#include <boost/system/system_error.hpp>
#include <cstdint>
#include <perdure/shm/result.hpp>
#include <string>
#include <string_view>

namespace perdure {

/// Every answer the engine can give besides success. Never renumbered; 0 is never valid.
enum class errc : std::uint16_t {
    // Transactions.
    conflict = 1,               ///< Another transaction holds what this one needs; run it again.
    stalled = 2,                ///< A wait reached its deadline.
    forked = 3,                 ///< The handle was inherited through fork(); open the world again.
    transaction_too_large = 4,  ///< More rows or bytes than an undo area or the ring can take.
    region_full = 5,            ///< The region's capacity is used up.
    no_memory = 6,              ///< The file system under the region has no space left.
    no_slot = 7,                ///< Every participant slot is taken.
    busy = 8,                   ///< A read-only reader gave up after bounded tries.
    read_only = 9,              ///< The handle may not write.
    unbalanced = 10,       ///< The transaction creates or destroys value outside mint and burn.
    garbled = 11,          ///< A structure in the region or a file is not what it must be.
    durability_lost = 12,  ///< A write or sync failed; durable commits are refused until restart.
    not_attached = 13,     ///< The session has left or its world is closed.
    wrong_thread = 14,     ///< A session was used on a thread that did not join.
    nested = 15,           ///< A transaction was started inside a transaction.
    // Tables.
    not_found = 32,        ///< No row under that key or id.
    exists = 33,           ///< A row under that key exists already.
    stale_row = 34,        ///< The row was freed after its id was noted.
    unknown_table = 35,    ///< No table with that id or name.
    too_many_tables = 36,  ///< The table directory is full.
    schema_mismatch = 37,  ///< A table of that name exists with another schema.
    bad_schema = 38,       ///< The schema breaks a rule of shm/schema.hpp.
    value_left = 39,       ///< A row that is to be freed still holds a blob.
    // Ledger.
    unknown_account = 64,
    unknown_asset = 65,
    insufficient_funds = 66,
    overflow = 67,        ///< An amount left the range of int64 minor units.
    bad_amount = 68,      ///< Zero or negative where value must move.
    same_account = 69,    ///< Source and target are one account.
    not_authorised = 70,  ///< The actor may not mint or burn this asset.
    unknown_hold = 71,
    too_many_legs = 72,    ///< A batch of more legs than ledger.hpp's legs_max.
    unknown_faucet = 73,   ///< No faucet or sink of that name.
    wrong_faucet = 74,     ///< It works the other way, or on another asset.
    budget_exceeded = 75,  ///< The faucet's budget is less than what is asked of it.
    account_frozen = 76,   ///< Nothing may leave this account now.
    unknown_item = 77,     ///< Never created, or destroyed.
    serial_required = 78,  ///< A unique asset moves item by item.
    not_unique = 79,       ///< The asset has no items.
    not_owner = 80,        ///< The item is somebody else's.
    bad_shards = 81,       ///< Not a power of two from 2 to shards_max.
    // Stakes.
    unknown_stake = 82,      ///< No stake under that id: it was ended, or never made.
    unknown_programme = 83,  ///< No programme of that name, or a name of 0 or above 32 bytes.
    programme_closed = 84,   ///< It takes no stakes any more.
    // Files.
    io_error = 96,  ///< The operating system refused a call; errno is in the log.
    disk_full = 97,
    lease_held = 98,     ///< Another keeper holds the lease.
    lease_lost = 99,     ///< The fencing epoch moved on; this keeper must stop.
    damaged = 100,       ///< A file's content fails its checks.
    missing = 101,       ///< The manifest promises a file that is not there.
    wrong_format = 102,  ///< Another format version or layout.
    foreign = 103,       ///< The file is not Perdure's, or belongs to somebody else.
    bad_setting = 104,   ///< A configuration key nobody knows, or a value outside its range.
    // Events.
    history_gone = 128,      ///< The journal does not hold that LSN any more.
    not_written = 129,       ///< The journal does not reach that LSN yet.
    unknown_event = 130,     ///< No event of that name or number is declared in this world.
    cursor_elsewhere = 131,  ///< The projection's cursor is not where this consumer left it.
    broken_chain = 132,      ///< A row's history does not lead back to its beginning.
    // Documents and blobs.
    value_too_large = 140,   ///< Longer than 16 MiB, or than its document may be.
    version_conflict = 141,  ///< The document has another version than the caller expected.
    wrong_state = 142,       ///< The document is not in the state the transition begins in.
    not_json = 143,          ///< The text of a JSON document does not parse.
    name_taken = 144,        ///< Another name has the same hash.
    bad_name = 145,          ///< A name is empty, too long or has characters it may not have.
    wrong_kind = 146,        ///< The document is JSON and not binary, or the other way round.
    bad_limit = 147,         ///< A document keeps 1 to 64 versions of at most 16 MiB.
    // Questions.
    bad_query = 150,  ///< A condition, order or field that cannot be read or is not there.
    // Imports.
    bad_line = 161,       ///< A line of a file holds nothing that can be imported.
    import_closed = 162,  ///< The import's keys are gone: its lines would be applied twice.
    // Plugins.
    bad_plugin = 170,        ///< Not a plugin, or its manifest cannot be read.
    wrong_abi = 171,         ///< Built for another binary interface than this host has.
    plugin_failed = 172,     ///< A call answered an error, or its process died in it.
    not_granted = 173,       ///< Not among the capabilities that the operator has granted.
    grant_exceeded = 174,    ///< More than a plugin may mint in one window.
    stale_generation = 175,  ///< Another instance of the plugin has taken over.
    out_of_step = 176,       ///< Not the next position of the window.
    bad_command = 177,       ///< A command of unknown kind, wrong size or with stray fields.
    unknown_plugin = 178,    ///< No plugin of that id is loaded.
};

/// The category behind errc, so that a boost::system::error_code can carry one.
const boost::system::error_category& category() noexcept;

inline boost::system::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), category()};
}

/// The enumerator's own spelling ("insufficient_funds"), "unknown" for a value outside the enum.
std::string_view name(errc code) noexcept;

/// One sentence for people: what it means and what to do about it.
std::string_view remedy(errc code) noexcept;

/// A refusal to start: open, attach, configuration, plugin load.
class failure : public boost::system::system_error {
  public:
    /// @param code   answered by reason()
    /// @param what   thing and cause, e.g. "region /dev/shm/x: 4096 bytes, expected 1 GiB"
    /// @param todo   the remedy, e.g. "remove the file; the world recovers from its journal"
    failure(errc code, std::string what, std::string todo);

    [[nodiscard]] errc reason() const noexcept { return reason_; }
    [[nodiscard]] const std::string& thing() const noexcept { return thing_; }
    [[nodiscard]] const std::string& todo() const noexcept { return todo_; }

  private:
    errc reason_;
    std::string thing_;
    std::string todo_;
};

/// Called by PERDURE_ASSERT: prints the broken invariant and aborts.
[[noreturn]] void invariant_broken(const char* expression, const char* file, int line) noexcept;

}  // namespace perdure

template <>
struct boost::system::is_error_code_enum<perdure::errc> : std::true_type {};

#define PERDURE_ASSERT(expression) \
    (__builtin_expect(!!(expression), 1) \
         ? void() \
         : ::perdure::invariant_broken(#expression, __FILE__, __LINE__))

#if defined(PERDURE_SLOW_CHECKS)
#define PERDURE_ASSERT_SLOW(expression) PERDURE_ASSERT(expression)
#else
#define PERDURE_ASSERT_SLOW(expression) void()
#endif

/// Evaluates a result, leaves the function with its error, else yields its value. The counter gives
/// each use a name of its own, so that one may stand inside another.
#define PERDURE_TRY(expression) PERDURE_TRY_COUNTED(expression, __COUNTER__)
#define PERDURE_TRY_COUNTED(expression, count) PERDURE_TRY_NAMED(expression, count)
#define PERDURE_TRY_NAMED(expression, count) PERDURE_TRY_INTO(expression, perdure_try_##count)
#define PERDURE_TRY_INTO(expression, tried) \
    (__extension__({ \
        auto&& tried = (expression); \
        if (__builtin_expect(!tried.has_value(), 0)) return tried.error(); \
        *std::forward<decltype(tried)>(tried); \
    }))
