/* SPDX-License-Identifier: Apache-2.0
 *
 * Pays PAYER_AMOUNT units of gold from the bank to each of eight players, every window, in two
 * commits; its state counts the windows, in one word or (PAYER_STATE 2) in two. PAYER_FAILS: after
 * so many windows of its own it crashes. PAYER_NAMES: players are accounts by name, not by
 * number.
 *
 * Wrong on purpose: PAYER_FORGETS pays all of a window again after a crash; PAYER_COUNTS pays what
 * its memory says, PAYER_ASKS what the machine's clock says; PAYER_MINTS makes gold, as much as it
 * may or more, PAYER_MINTS_FROM that player on; PAYER_IDLE says that it has migrated.
 */
#include <perdure/plugins/abi/perdure_plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef PAYER_AMOUNT
#define PAYER_AMOUNT 1
#endif
#ifndef PAYER_STATE
#define PAYER_STATE 1
#endif
#ifndef PAYER_FAILS
#define PAYER_FAILS (~0ULL)
#endif

#ifndef PAYER_MINTS
#define PAYER_MINTS 0
#endif
#ifndef PAYER_MINTS_FROM
#define PAYER_MINTS_FROM 0
#endif

static int64_t amount_to_pay(void) {
#ifdef PAYER_COUNTS
    static int64_t paid = 0;
    return ++paid;
#elif defined PAYER_ASKS
    return 1 + time(NULL) % 1000;
#else
    return PAYER_AMOUNT;
#endif
}

struct payer {
    const perdure_ledger_1* ledger;
    const perdure_read_1* rows;
    const perdure_state_1* state;
    uint64_t runs;
};

static const void* service(const perdure_host_api* host, const char* name) {
    return host->service(host->context, name, strlen(name));
}

static int32_t create(const perdure_host_api* host, void** self) {
    struct payer* made = calloc(1, sizeof *made);
    made->ledger = service(host, "perdure.ledger/1");
    made->rows = service(host, "perdure.read/1");
    made->state = service(host, "perdure.state/1");
    *self = made;
    return made->ledger && made->rows && made->state ? PERDURE_OK : PERDURE_NOT_GRANTED;
}

static int32_t pay(struct payer* self, uint64_t first) {
    perdure_command commands[4];
    perdure_id bank;
    uint32_t gold = 0;
    int32_t status = self->rows->account(self->rows->context, "bank", 4, &bank);
    if (status == 0) status = self->rows->asset(self->rows->context, "gold", 4, &gold, NULL);
    if (status != 0) return status;
    const int mints = PAYER_MINTS != 0 && first + 1 > PAYER_MINTS_FROM;
    memset(commands, 0, sizeof commands);
    for (uint64_t i = 0; i < 4; ++i) {
        commands[i].size = sizeof commands[i];
        commands[i].kind = mints ? PERDURE_COMMAND_MINT : PERDURE_COMMAND_TRANSFER;
        if (!mints) commands[i].source = bank;
#ifdef PAYER_NAMES
        char name[16];
        const int length = snprintf(name, sizeof name, "player-%d", (int)(first + i + 1));
        status = self->rows->account(self->rows->context, name, (uint64_t)length,
                                     &commands[i].target);
        if (status != 0) return status;
#else
        commands[i].target.high = first + i + 1;
#endif
        commands[i].asset = gold;
        commands[i].amount = mints ? PAYER_MINTS : amount_to_pay();
    }
    return self->ledger->post(self->ledger->context, commands, 4);
}

static int32_t on_tick(void* plugin, const perdure_tick* tick) {
    struct payer* self = plugin;
    void* const to = self->ledger->context;
    if (self->runs++ >= PAYER_FAILS) *(volatile int*)8 = 1;
#ifdef PAYER_FORGETS
    const uint64_t first = tick->done;
    uint64_t position = 0;
#else
    const uint64_t first = 0;
    uint64_t position = tick->done;
#endif
    for (; position < 2; ++position) {
        int32_t status = self->ledger->begin(to);
        if (status == 0) status = pay(self, position * 4);
        if (status == 0 && position == 1) {
            uint64_t windows[PAYER_STATE] = {0};
            uint64_t bytes = sizeof windows;
            const int32_t found =
                self->state->get(self->state->context, "windows", 7, windows, &bytes);
            if (found != PERDURE_OK && found != PERDURE_NOT_FOUND) return found;
            if (found == PERDURE_OK && bytes != sizeof windows) return PERDURE_PLUGIN_FAILED;
            ++windows[0];
            status = self->ledger->state_put(to, "windows", 7, windows, sizeof windows);
        }
        if (status == 0) status = self->ledger->commit(to, first + position, NULL);
        if (status != 0) return status;
    }
    return PERDURE_OK;
}

/* One word more, or one less. */
static int32_t migrate(void* plugin, uint32_t from, uint32_t to) {
    struct payer* self = plugin;
    uint64_t windows[2] = {0, 77};
    uint64_t bytes = from * sizeof windows[0];
#ifdef PAYER_IDLE
    return PERDURE_OK;
#endif
    int32_t status = self->state->get(self->state->context, "windows", 7, windows, &bytes);
    if (status == PERDURE_OK) status = self->ledger->begin(self->ledger->context);
    if (status == PERDURE_OK) {
        status = self->ledger->state_put(self->ledger->context, "windows", 7, windows,
                                         to * sizeof windows[0]);
    }
    return status == PERDURE_OK ? self->ledger->commit(self->ledger->context, 0, NULL) : status;
}

static void destroy(void* self) { free(self); }

const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) {
    static const perdure_plugin_api api = {.size = sizeof api,
                                           .abi_major = PERDURE_PLUGIN_ABI_MAJOR,
                                           .abi_minor = PERDURE_PLUGIN_ABI_MINOR,
                                           .create = create,
                                           .migrate = migrate,
                                           .on_tick = on_tick,
                                           .destroy = destroy};
    (void)host;
    return &api;
}
