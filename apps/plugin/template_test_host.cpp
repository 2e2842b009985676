// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/plugin/template.hpp>

namespace perdure::apps {

const std::string_view test_host =
    R"(// Loads the plugin that its first argument names and calls it, as a host would.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perdure/plugins/abi/perdure_plugin.h>

static int failures = 0;

static void failed(const char* what, int line) {
    ++failures;
    printf("line %d: %s\n", line, what);
}
#define CHECK(what) ((what) ? (void)0 : failed(#what, __LINE__))

/* ---- A tiny host: it keeps what is committed, and nothing else. ---- */

struct state_entry {
    char key[41];
    unsigned char value[64];
    uint64_t bytes;
};

/* A row of the table "balances". */
struct balance {
    uint64_t header[2];
    perdure_id key; /* The account, and the asset in the upper half of `low`. */
    uint32_t asset;
    uint32_t flags;
    int64_t available;
    int64_t held;
    uint32_t shards;
    uint32_t reserved;
};

enum { most = 64 };
static const perdure_id treasury = {0, 1};
static const uint32_t gold = 7;

static struct balance balances[most];
static uint64_t balance_count = 0;
static perdure_command posted[most]; /* In the open transaction. */
static uint64_t posted_count = 0;
static perdure_command done[most]; /* Committed. */
static uint64_t done_count = 0;
static struct state_entry staged[8];
static struct state_entry kept[8];
static uint64_t positions_taken = 0; /* Positions below it are committed. */
static int32_t commit_status = PERDURE_OK;
static char last_line[256]; /* Of the log. */

static int32_t begin(void* context) {
    (void)context;
    posted_count = 0;
    memcpy(staged, kept, sizeof staged);
    return PERDURE_OK;
}

static int32_t post(void* context, const perdure_command* commands, uint64_t count) {
    uint64_t i;
    (void)context;
    for (i = 0; i < count; ++i) {
        if (commands[i].size != sizeof(perdure_command)) return PERDURE_BAD_COMMAND;
        if (posted_count == most) return PERDURE_BUSY;
        posted[posted_count++] = commands[i];
    }
    return PERDURE_OK;
}

static struct state_entry* entry_of(struct state_entry* entries, const void* key, uint64_t bytes) {
    struct state_entry* unused = NULL;
    int i;
    for (i = 0; i < 8; ++i) {
        if (strlen(entries[i].key) == bytes && memcmp(entries[i].key, key, bytes) == 0) {
            return &entries[i];
        }
        if (unused == NULL && entries[i].key[0] == '\0') unused = &entries[i];
    }
    return unused;
}

static int32_t state_put(void* context, const void* key, uint64_t key_bytes, const void* value,
                         uint64_t value_bytes) {
    struct state_entry* entry = entry_of(staged, key, key_bytes);
    (void)context;
    if (entry == NULL || key_bytes > 40 || value_bytes > sizeof entry->value) return PERDURE_BUSY;
    memcpy(entry->key, key, key_bytes);
    memcpy(entry->value, value, value_bytes);
    entry->bytes = value_bytes;
    return PERDURE_OK;
}

static int32_t state_erase(void* context, const void* key, uint64_t key_bytes) {
    struct state_entry* entry = entry_of(staged, key, key_bytes);
    (void)context;
    if (entry != NULL) memset(entry, 0, sizeof *entry);
    return PERDURE_OK;
}

static int32_t commit(void* context, uint64_t position, perdure_receipt* receipt) {
    (void)context;
    receipt->repeated = position < positions_taken;
    receipt->refused = ~(uint64_t)0;
    if (receipt->repeated) return PERDURE_OK;
    if (commit_status != PERDURE_OK) return commit_status;
    if (done_count + posted_count > most) return PERDURE_BUSY;
    memcpy(done + done_count, posted, posted_count * sizeof posted[0]);
    done_count += posted_count;
    memcpy(kept, staged, sizeof kept);
    positions_taken = position + 1;
    return PERDURE_OK;
}

static void abort_batch(void* context) {
    (void)context;
    posted_count = 0;
}

static int32_t table(void* context, const char* name, uint64_t bytes, uint32_t* number,
                     uint32_t* row_bytes) {
    (void)context;
    if (bytes != 8 || memcmp(name, "balances", 8) != 0) return PERDURE_NOT_GRANTED;
    *number = 1;
    *row_bytes = sizeof(struct balance);
    return PERDURE_OK;
}

static int32_t scan(void* context, uint32_t number, uint64_t* next, void* rows, uint64_t bytes,
                    uint64_t* count) {
    (void)context;
    (void)number;
    for (*count = 0; *next < balance_count && bytes >= sizeof(struct balance); ++*next, ++*count) {
        memcpy((char*)rows + *count * sizeof(struct balance), &balances[*next],
               sizeof(struct balance));
        bytes -= sizeof(struct balance);
    }
    return PERDURE_OK;
}

static int32_t account(void* context, const char* name, uint64_t bytes, perdure_id* id) {
    (void)context;
    if (bytes != 8 || memcmp(name, "treasury", 8) != 0) return PERDURE_NOT_FOUND;
    *id = treasury;
    return PERDURE_OK;
}

static int32_t asset(void* context, const char* code, uint64_t bytes, uint32_t* number,
                     uint32_t* scale) {
    (void)context;
    if (bytes != 4 || memcmp(code, "gold", 4) != 0) return PERDURE_NOT_FOUND;
    *number = gold;
    *scale = 2;
    return PERDURE_OK;
}

static int32_t state_get(void* context, const void* key, uint64_t key_bytes, void* value,
                         uint64_t* value_bytes) {
    const struct state_entry* entry = entry_of(kept, key, key_bytes);
    const uint64_t room = *value_bytes;
    (void)context;
    if (entry == NULL || entry->bytes == 0) return PERDURE_NOT_FOUND;
    *value_bytes = entry->bytes;
    if (room < entry->bytes) return PERDURE_VALUE_TOO_LARGE;
    memcpy(value, entry->value, entry->bytes);
    return PERDURE_OK;
}

static void log_line(void* context, uint32_t level, const char* text, uint64_t bytes) {
    (void)context;
    (void)level;
    snprintf(last_line, sizeof last_line, "%.*s", (int)bytes, text);
}

static perdure_ledger_1 ledger_service = {
    sizeof(perdure_ledger_1), 0, NULL, begin, post, state_put, state_erase, commit, abort_batch};
static perdure_read_1 read_service = {
    sizeof(perdure_read_1), 0, NULL, table, NULL, scan, NULL, account, asset};
static perdure_state_1 state_service = {sizeof(perdure_state_1), 0, NULL, state_get};
static perdure_log_1 log_service = {sizeof(perdure_log_1), 0, NULL, log_line};

static const void* service(void* context, const char* name, uint64_t bytes) {
    static const char* const names[] = {"perdure.ledger/1", "perdure.read/1", "perdure.state/1",
                                        "perdure.log/1"};
    const void* const services[] = {&ledger_service, &read_service, &state_service, &log_service};
    int i;
    (void)context;
    for (i = 0; i < 4; ++i) {
        if (strlen(names[i]) == bytes && memcmp(names[i], name, bytes) == 0) return services[i];
    }
    return NULL;
}

static perdure_host_api host = {
    sizeof(perdure_host_api), PERDURE_PLUGIN_ABI_MAJOR, PERDURE_PLUGIN_ABI_MINOR, 0, 0, {0, 2},
    NULL, service};

typedef const perdure_plugin_api* (*entry_function)(const perdure_host_api*);

static const perdure_plugin_api* loaded(int argc, char** argv) {
    void* library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    entry_function entry;
    if (library == NULL) {
        printf("%s\n", argc == 2 ? dlerror() : "usage: test PLUGIN.so");
        exit(1);
    }
    *(void**)(&entry) = dlsym(library, "perdure_plugin_entry_1");
    CHECK(entry != NULL);
    return entry == NULL ? NULL : entry(&host);
}

static int finished(void) {
    printf("%d failures, in the test's own tiny host\n", failures);
    return failures != 0;
}

/* ---- The test. ---- */
)";

}  // namespace perdure::apps
