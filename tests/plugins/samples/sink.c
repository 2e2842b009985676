/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink in C: counts the events it is given, and keeps the count as its state.
 */
#include <stdlib.h>

#include <perdure/plugins/abi/perdure_plugin.h>

struct counter {
    const perdure_ledger_1* ledger;
    const perdure_state_1* state;
};

static const void* service(const perdure_host_api* host, const char* name, uint64_t bytes) {
    return host->service(host->context, name, bytes);
}

static int32_t create(const perdure_host_api* host, void** self) {
    struct counter* made = malloc(sizeof *made);
    if (made == NULL) return PERDURE_PLUGIN_FAILED;
    made->ledger = service(host, "perdure.ledger/1", 16);
    made->state = service(host, "perdure.state/1", 15);
    *self = made;
    return PERDURE_OK;
}

static int32_t on_events(void* self, const perdure_event* events, uint64_t count,
                         uint64_t first_lsn, uint64_t last_lsn) {
    const struct counter* here = self;
    uint64_t seen = 0;
    uint64_t bytes = sizeof seen;
    int32_t status = here->state->get(here->state->context, "seen", 4, &seen, &bytes);
    (void)events;
    (void)first_lsn;
    if (status != PERDURE_OK && status != PERDURE_NOT_FOUND) return status;
    seen += count;
    status = here->ledger->begin(here->ledger->context);
    if (status != PERDURE_OK) return status;
    status = here->ledger->state_put(here->ledger->context, "seen", 4, &seen, sizeof seen);
    if (status == PERDURE_OK) {
        perdure_receipt receipt = {.size = sizeof receipt};
        status = here->ledger->commit(here->ledger->context, last_lsn, &receipt);
    }
    if (status != PERDURE_OK) here->ledger->abort(here->ledger->context);
    return status;
}

static void destroy(void* self) { free(self); }

const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) {
    static const perdure_plugin_api api = {
        .size = sizeof api,
        .abi_major = PERDURE_PLUGIN_ABI_MAJOR,
        .abi_minor = PERDURE_PLUGIN_ABI_MINOR,
        .create = create,
        .on_events = on_events,
        .destroy = destroy,
    };
    return host->abi_major == PERDURE_PLUGIN_ABI_MAJOR ? &api : NULL;
}
