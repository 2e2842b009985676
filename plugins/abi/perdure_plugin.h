/* SPDX-License-Identifier: Apache-2.0
 *
 * The binary interface between Perdure and its plugins: C11, usable from C++.
 *
 * Promise     What stands here never moves and is never taken away: structs grow at their end,
 *             under a new minor version, and each says its own size. A host of version 1.x loads
 *             every plugin that was built for 1.y.
 * Death       A plugin may die in any call. Its effects and its state change in one transaction or
 *             not at all, and it is called again with what it had not finished.
 * Power loss  A plugin that was told of a commit may be called again without it: after a power loss
 *             the world is as it was last durable, and so is the plugin's state.
 * Threads     One call at a time, always on the thread that called create(). Services may be used
 *             only during a call, and on that thread.
 * Format      Integers of fixed width; no bool, enum, bit-field or long; a length with every text;
 *             memory is freed by whoever allocated it; nothing is thrown across. Statuses are 0 or
 *             one of the numbers in Perdure's table of errors.
 */
#ifndef PERDURE_PLUGIN_H
#define PERDURE_PLUGIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PERDURE_PLUGIN_ABI_MAJOR 1
#define PERDURE_PLUGIN_ABI_MINOR 0

/* The ELF section that holds plugin.toml. */
#define PERDURE_PLUGIN_SECTION ".perdure.plugin"

/* Statuses a plugin meets most; any other number is an error as well. */
#define PERDURE_OK 0
#define PERDURE_AGAIN 1 /* Answered by on_tick: not done yet, it is called again at once. */
#define PERDURE_BUSY 8
#define PERDURE_NOT_FOUND 32
#define PERDURE_INSUFFICIENT_FUNDS 66
#define PERDURE_VALUE_TOO_LARGE 140
#define PERDURE_PLUGIN_FAILED 172    /* What a plugin answers when it has no better number. */
#define PERDURE_NOT_GRANTED 173      /* Not among the plugin's capabilities. */
#define PERDURE_GRANT_EXCEEDED 174   /* More than it may mint in one window. */
#define PERDURE_STALE_GENERATION 175 /* Another instance has taken over: end. */
#define PERDURE_OUT_OF_STEP 176      /* Not the next position of this window. */
#define PERDURE_BAD_COMMAND 177      /* Unknown kind, wrong size, or a stray field. */

/* An account, faucet, hold or a row's key. Zero is none. */
typedef struct perdure_id {
    uint64_t high;
    uint64_t low;
} perdure_id;

/* Kinds of commands, as capability.commands in plugin.toml names them. */
#define PERDURE_COMMAND_TRANSFER 1 /* source, target, asset, amount */
#define PERDURE_COMMAND_MINT 2     /* target, asset, amount: through the plugin's own faucet */
#define PERDURE_COMMAND_BURN 3     /* source (the plugin's own account), asset, amount */
#define PERDURE_COMMAND_HOLD 4     /* object (a new hold), source, asset, amount */
#define PERDURE_COMMAND_RELEASE 5  /* object, amount; 0: all that is left */
#define PERDURE_COMMAND_CAPTURE 6  /* object, target, amount; 0: all that is left */
#define PERDURE_COMMAND_FREEZE 7   /* target, until (wall clock, ns; ~0: for ever) */
#define PERDURE_COMMAND_UNFREEZE 8 /* target */
#define PERDURE_COMMAND_EVENT 9    /* event_type, event_version, payload */
/* Interest of a stake for its periods [reference, until), which must be the next ones and have
 * ended; how much that is, is not the plugin's to say. */
#define PERDURE_COMMAND_PAY_STAKE 10 /* object (the stake's key), until */
/* Tells that these periods cannot be paid now: `reason` is the status that paying them had. */
#define PERDURE_COMMAND_REFUSE_STAKE 11 /* object, until */

/* What a plugin wants done. Fields its kind does not name are 0. */
typedef struct perdure_command {
    uint32_t size; /* sizeof(perdure_command) */
    uint32_t kind;
    perdure_id source;
    perdure_id target;
    perdure_id object;
    int64_t amount; /* Minor units, above 0. */
    uint32_t asset;
    uint32_t reason;    /* The plugin's own code, kept in the event. */
    uint64_t reference; /* The plugin's own number, kept in the event. */
    uint64_t until;
    uint16_t event_type;
    uint16_t event_version;
    uint32_t payload_bytes; /* A multiple of 8. */
    const void* payload;
} perdure_command;

/* What a commit answers. */
typedef struct perdure_receipt {
    uint32_t size;     /* Set by the caller. */
    uint32_t repeated; /* 1: this position was committed before; nothing changed now. */
    uint64_t lsn;      /* Of the commit; 0 when it is repeated. */
    uint64_t refused;  /* Which command was refused, counted from 0; ~0: none of them. */
} perdure_receipt;

/* "perdure.ledger/1": one transaction at a time, all or nothing. */
typedef struct perdure_ledger_1 {
    uint32_t size;
    uint32_t reserved;
    void* context;
    /* Forgets what was posted and not committed. */
    int32_t (*begin)(void* context);
    /* Nothing is checked here but sizes; payloads are copied. */
    int32_t (*post)(void* context, const perdure_command* commands, uint64_t count);
    /* The plugin's own state: keys of 1 to 40 bytes, values of at most 16 KiB. */
    int32_t (*state_put)(void* context, const void* key, uint64_t key_bytes, const void* value,
                         uint64_t value_bytes);
    int32_t (*state_erase)(void* context, const void* key, uint64_t key_bytes);
    /* Commits commands and state together. `position` makes it happen once, however often the
     * window is run: in on_tick the number of this commit in the window, 0, 1, 2, ...; in on_events
     * the LSN up to which everything is done. After an error nothing has changed. */
    int32_t (*commit)(void* context, uint64_t position, perdure_receipt* receipt);
    void (*abort)(void* context);
} perdure_ledger_1;

/* "perdure.read/1": what is committed. Each answer is true at one moment; two of them need not be
 * of the same one. Only tables that plugin.toml lists. */
typedef struct perdure_read_1 {
    uint32_t size;
    uint32_t reserved;
    void* context;
    int32_t (*table)(void* context, const char* name, uint64_t name_bytes, uint32_t* table,
                     uint32_t* row_bytes);
    /* The row with that key; `row_bytes` must be the table's. */
    int32_t (*get)(void* context, uint32_t table, const perdure_id* key, void* row,
                   uint64_t row_bytes);
    /* Live rows from number *next on, as many as there is room for; *next goes behind the last that
     * was looked at, *count 0 with status 0: there are no more. */
    int32_t (*scan)(void* context, uint32_t table, uint64_t* next, void* rows, uint64_t bytes,
                    uint64_t* count);
    int32_t (*balance)(void* context, const perdure_id* account, uint32_t asset, int64_t* available,
                       int64_t* held);
    /* The id behind an account's name, the number behind an asset's code. */
    int32_t (*account)(void* context, const char* name, uint64_t name_bytes, perdure_id* id);
    int32_t (*asset)(void* context, const char* code, uint64_t code_bytes, uint32_t* asset,
                     uint32_t* scale);
} perdure_read_1;

/* "perdure.state/1": the plugin's own state as it was last committed. */
typedef struct perdure_state_1 {
    uint32_t size;
    uint32_t reserved;
    void* context;
    /* *value_bytes: room on the way in, length on the way out, also where the room is too small
     * (status 140). PERDURE_NOT_FOUND: no such key. */
    int32_t (*get)(void* context, const void* key, uint64_t key_bytes, void* value,
                   uint64_t* value_bytes);
} perdure_state_1;

#define PERDURE_LOG_DEBUG 1
#define PERDURE_LOG_INFO 2
#define PERDURE_LOG_WARN 3
#define PERDURE_LOG_ERROR 4

/* "perdure.log/1": lines for the operator; too many are dropped, and counted. */
typedef struct perdure_log_1 {
    uint32_t size;
    uint32_t reserved;
    void* context;
    void (*write)(void* context, uint32_t level, const char* text, uint64_t bytes);
} perdure_log_1;

/* "perdure.clock/1": world time, never the machine's. */
typedef struct perdure_clock_1 {
    uint32_t size;
    uint32_t reserved;
    void* context;
    /* Nanoseconds since the world began. */
    uint64_t (*now)(void* context);
} perdure_clock_1;

/* "perdure.metrics/1": counters that the keeper writes to the plugin's log. */
typedef struct perdure_metrics_1 {
    uint32_t size;
    uint32_t reserved;
    void* context;
    void (*add)(void* context, const char* name, uint64_t name_bytes, int64_t more);
} perdure_metrics_1;

/* What a plugin gets. */
typedef struct perdure_host_api {
    uint32_t size;
    uint16_t abi_major;
    uint16_t abi_minor;
    uint64_t world_high;
    uint64_t world_low;
    perdure_id account; /* The plugin's own. */
    void* context;
    /* A service by its versioned name; NULL: not granted, or not known to this host. */
    const void* (*service)(void* context, const char* name, uint64_t name_bytes);
} perdure_host_api;

/* A half-open window of world time, [from, to): everything a plugin may know about time. */
typedef struct perdure_tick {
    uint32_t size;
    uint32_t reserved;
    uint64_t window; /* Its number; windows are counted from 0 and never skipped silently. */
    uint64_t from_ns;
    uint64_t to_ns;
    uint64_t done; /* Commits of this window that were made before: positions below it are taken. */
    uint64_t seed; /* The same whenever this window is run. */
    uint64_t generation;
    uint64_t deadline_ns; /* How long the call may take before its process is killed. */
} perdure_tick;

typedef struct perdure_event {
    uint32_t size;
    uint16_t type;
    uint16_t version;
    uint64_t lsn;
    uint64_t wall_ns;
    uint64_t world_time;
    const void* payload;
    uint32_t payload_bytes;
    uint32_t reserved;
} perdure_event;

/* What a plugin is. Functions it does not need are NULL, but for create and destroy. */
typedef struct perdure_plugin_api {
    uint32_t size;
    uint16_t abi_major; /* What it was built for. */
    uint16_t abi_minor;
    int32_t (*create)(const perdure_host_api* host, void** self);
    /* JSON by the schema in plugin.toml. dry_run 1: only says whether it would do. */
    int32_t (*configure)(void* self, const char* json, uint64_t json_bytes, uint32_t dry_run);
    /* Brings the state from an older schema to this one, in one commit at position 0. */
    int32_t (*migrate)(void* self, uint32_t from, uint32_t to);
    int32_t (*activate)(void* self, uint64_t generation);
    int32_t (*on_tick)(void* self, const perdure_tick* tick);
    /* All events have an LSN above what was committed before. */
    int32_t (*on_events)(void* self, const perdure_event* events, uint64_t count,
                         uint64_t first_lsn, uint64_t last_lsn);
    /* The last call but destroy(); what is not committed is lost. */
    int32_t (*quiesce)(void* self, uint64_t deadline_ns);
    int32_t (*self_test)(void* self);
    void (*destroy)(void* self);
} perdure_plugin_api;

/* The one symbol a plugin exports. NULL: it will not run on this host. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host);

#ifdef __cplusplus
}
#endif

#endif
