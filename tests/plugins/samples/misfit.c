/* SPDX-License-Identifier: Apache-2.0
 *
 * Does nothing, in good order; MISFIT_... makes it break one rule that every plugin must keep.
 */
#include <perdure/plugins/abi/perdure_plugin.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int the_plugin;

static int32_t create(const perdure_host_api* host, void** self) {
    (void)host;
    *self = &the_plugin;
    return PERDURE_OK;
}

static int32_t configure(void* self, const char* json, uint64_t bytes, uint32_t dry_run) {
    (void)self;
    (void)json;
    (void)bytes;
    (void)dry_run;
#ifdef MISFIT_BOUND
    /* The host's text has no spaces and no zero behind it; it ends in }. */
    for (uint64_t i = 0; i + 9 <= bytes; ++i) {
        if (memcmp(json + i, "\"rate\":10", 9) == 0) return PERDURE_VALUE_TOO_LARGE;
    }
#endif
    return PERDURE_OK;
}

static int32_t on_tick(void* self, const perdure_tick* tick) {
    (void)self;
    (void)tick;
#ifdef MISFIT_CRASH
    *(volatile int*)8 = 1;
#endif
#ifdef MISFIT_NOSY
    if (open("/etc/passwd", O_RDONLY) >= 0) abort();
#endif
#ifdef MISFIT_MEMORY
    for (char* more = malloc(1 << 18); more != NULL; more = malloc(1 << 18)) *more = 1;
#endif
#ifdef MISFIT_ANSWER
    return PERDURE_BUSY;
#else
    return PERDURE_OK;
#endif
}

static int32_t quiesce(void* self, uint64_t deadline_ns) {
    (void)self;
    (void)deadline_ns;
#ifdef MISFIT_QUIESCE
    for (;;) {
    }
#endif
    return PERDURE_OK;
}

static int32_t self_test(void* self) {
    (void)self;
#ifdef MISFIT_SELF_TEST
    return PERDURE_PLUGIN_FAILED;
#else
    return PERDURE_OK;
#endif
}

static void destroy(void* self) {
    (void)self;
#ifdef MISFIT_DESTROY
    abort();
#endif
}

const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) {
    static const perdure_plugin_api api = {.size = sizeof api,
                                           .abi_major = PERDURE_PLUGIN_ABI_MAJOR,
                                           .abi_minor = PERDURE_PLUGIN_ABI_MINOR,
                                           .create = create,
                                           .configure = configure,
#ifndef MISFIT_SILENT
                                           .on_tick = on_tick,
#endif
                                           .quiesce = quiesce,
                                           .self_test = self_test,
                                           .destroy = destroy};
    (void)host;
#ifdef MISFIT_SILENT
    (void)on_tick;
#endif
    return &api;
}
