/* SPDX-License-Identifier: Apache-2.0
 *
 * Pays one unit of gold from the bank to each of eight players, every window, in two commits; its
 * state counts the windows.
 */
#include <perdure/plugins/abi/perdure_plugin.h>

#include <stdlib.h>
#include <string.h>

struct payer {
    const perdure_ledger_1* ledger;
    const perdure_read_1* rows;
    const perdure_state_1* state;
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
    memset(commands, 0, sizeof commands);
    for (uint64_t i = 0; i < 4; ++i) {
        commands[i].size = sizeof commands[i];
        commands[i].kind = PERDURE_COMMAND_TRANSFER;
        commands[i].source = bank;
        commands[i].target.high = first + i + 1;
        commands[i].asset = gold;
        commands[i].amount = 1;
    }
    return self->ledger->post(self->ledger->context, commands, 4);
}

static int32_t on_tick(void* plugin, const perdure_tick* tick) {
    struct payer* self = plugin;
    void* const to = self->ledger->context;
    for (uint64_t position = tick->done; position < 2; ++position) {
        int32_t status = self->ledger->begin(to);
        if (status == 0) status = pay(self, position * 4);
        if (status == 0 && position == 1) {
            uint64_t windows = 0;
            uint64_t bytes = sizeof windows;
            const int32_t found =
                self->state->get(self->state->context, "windows", 7, &windows, &bytes);
            if (found != PERDURE_OK && found != PERDURE_NOT_FOUND) return found;
            ++windows;
            status = self->ledger->state_put(to, "windows", 7, &windows, sizeof windows);
        }
        if (status == 0) status = self->ledger->commit(to, position, NULL);
        if (status != 0) return status;
    }
    return PERDURE_OK;
}

static void destroy(void* self) { free(self); }

const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) {
    static const perdure_plugin_api api = {.size = sizeof api,
                                           .abi_major = PERDURE_PLUGIN_ABI_MAJOR,
                                           .abi_minor = PERDURE_PLUGIN_ABI_MINOR,
                                           .create = create,
                                           .on_tick = on_tick,
                                           .destroy = destroy};
    (void)host;
    return &api;
}
