/* SPDX-License-Identifier: Apache-2.0
 *
 * Does what its configuration says, all of it bad: {"in":"tick","do":"crash"}. Built with ROGUE_BORN
 * it does that in its constructor.
 */
#define _GNU_SOURCE
#include <perdure/plugins/abi/perdure_plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

static const perdure_host_api* the_host;
static char the_order[4096] = "";

static const perdure_ledger_1* ledger(void) {
    return the_host->service(the_host->context, "perdure.ledger/1", 16);
}

static void say(const char* text) {
    const perdure_log_1* log = the_host->service(the_host->context, "perdure.log/1", 13);
    log->write(log->context, PERDURE_LOG_WARN, text, strlen(text));
}

/* Whether a call was refused; a rogue that got what it wanted says so. */
static int32_t expect_refusal(const char* what, long answer) {
    char text[128];
    if (answer < 0) return PERDURE_OK;
    snprintf(text, sizeof text, "GOT AWAY WITH %s", what);
    say(text);
    return PERDURE_PLUGIN_FAILED;
}

static void* rest(void* nothing) { return nothing; }

static int32_t reach_out(const char* order) {
    pthread_t thread;
    if (strstr(order, "file_read")) return expect_refusal("open", open("/etc/passwd", O_RDONLY));
    if (strstr(order, "file_write")) {
        return expect_refusal("creat", open("/tmp/rogue", O_WRONLY | O_CREAT, 0600));
    }
    if (strstr(order, "network")) return expect_refusal("socket", socket(AF_INET, SOCK_STREAM, 0));
    if (strstr(order, "exec")) return expect_refusal("exec", execl("/bin/true", "true", NULL));
    if (strstr(order, "thread")) {
        return expect_refusal("a thread", -pthread_create(&thread, NULL, rest, NULL));
    }
    if (strstr(order, "ptrace")) return expect_refusal("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
    if (strstr(order, "kill_keeper")) return expect_refusal("kill", kill(getppid(), SIGKILL));
    if (strstr(order, "executable")) {
        const void* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return expect_refusal("executable memory", page == MAP_FAILED ? -1 : 0);
    }
    return -1;
}

static int32_t use_up(const char* order) {
    if (strstr(order, "memory_bomb")) {
        for (unsigned i = 0; i < 4096; ++i) {
            char* more = malloc(1 << 20);
            if (more == NULL) return PERDURE_OK;
            memset(more, 1, 1 << 20);
        }
        return expect_refusal("4 GiB", 0);
    }
    if (strstr(order, "fork_bomb")) {
        for (int i = 0; i < 1000; ++i) {
            if (fork() >= 0) return expect_refusal("fork", 0);
        }
        return PERDURE_OK;
    }
    if (strstr(order, "flood")) {
        for (;;) say("a line that nobody wants");
    }
    if (strstr(order, "loop")) {
        for (;;) {
        }
    }
    return -1;
}

/* Addresses come in the order: a plugin that looks for them would find them, too. */
static int32_t write_to(const char* order) {
    const char* at = strstr(order, "\"at\":\"");
    volatile uint64_t* place = (uint64_t*)(at ? strtoull(at + 6, NULL, 16) : 0);
    if (strstr(order, "write_region")) {
        if (mprotect((void*)place, 4096, PROT_READ | PROT_WRITE) == 0) {
            return expect_refusal("mprotect", 0);
        }
        place[20] = 1;
        return expect_refusal("a write into the region", 0);
    }
    if (strstr(order, "garble_ring")) {
        /* Every word of header, marks and rings: tails, heads, lengths, kinds. */
        unsigned seed = (unsigned)strlen(order);
        for (int i = 0; i < (2 << 20) / 8; ++i) place[8 + i] = (uint64_t)rand_r(&seed) << 3;
        return PERDURE_OK;
    }
    return -1;
}

static int32_t command(const char* order, perdure_command* what) {
    perdure_receipt receipt = {sizeof receipt, 0, 0, 0};
    int32_t status = ledger()->begin(ledger()->context);
    if (status == 0) status = ledger()->post(ledger()->context, what, 1);
    if (status == 0) {
        status = ledger()->commit(ledger()->context, strstr(order, "skip") ? 7 : 0, &receipt);
    }
    return status;
}

static int32_t overreach(const char* order) {
    perdure_command what;
    const perdure_read_1* rows = the_host->service(the_host->context, "perdure.read/1", 14);
    memset(&what, 0, sizeof what);
    what.size = sizeof what;
    what.amount = 1000000;
    rows->asset(rows->context, "gold", 4, &what.asset, NULL);
    what.target.high = 1;
    if (strstr(order, "mint")) {
        what.kind = PERDURE_COMMAND_MINT;
        return command(order, &what);
    }
    if (strstr(order, "rob")) {
        what.kind = PERDURE_COMMAND_TRANSFER;
        what.source.high = 2;
        what.amount = 1;
        return command(order, &what);
    }
    if (strstr(order, "freeze")) {
        what.kind = PERDURE_COMMAND_FREEZE;
        what.asset = 0;
        what.amount = 0;
        what.until = 1;
        return command(order, &what);
    }
    if (strstr(order, "unlisted_table")) {
        return rows->table(rows->context, "faucets", 7, NULL, NULL) == PERDURE_NOT_GRANTED
                   ? PERDURE_OK
                   : expect_refusal("an unlisted table", 0);
    }
    return -1;
}

static int32_t act(const char* when) {
    const char* order = the_order;
    int32_t status = -1;
    char in[64];
    snprintf(in, sizeof in, "\"in\":\"%s\"", when);
    if (strstr(order, in) == NULL) return PERDURE_OK;
    if (strstr(order, "crash")) *(volatile int*)8 = 1;
    if (strstr(order, "abort")) abort();
    if (strstr(order, "leave")) _exit(0);
    if (strstr(order, "fail")) return PERDURE_PLUGIN_FAILED;
    status = reach_out(order);
    if (status == -1) status = use_up(order);
    if (status == -1) status = write_to(order);
    if (status == -1) status = overreach(order);
    return status == -1 ? PERDURE_OK : status;
}

#ifdef ROGUE_BORN
__attribute__((constructor)) static void born(void) {
    if (strcmp(ROGUE_BORN, "loop") == 0) {
        for (;;) {
        }
    }
    if (strcmp(ROGUE_BORN, "crash") == 0) *(volatile int*)8 = 1;
    /* Whatever a constructor opens is the plugin's own file and nothing else. */
    char text[8] = "";
    const int file = open("/etc/passwd", O_RDONLY);
    if (file >= 0 && (pread(file, text, 4, 0) != 4 || memcmp(text, "\177ELF", 4) != 0)) abort();
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0) abort();
}
#endif

static int32_t create(const perdure_host_api* host, void** self) {
    the_host = host;
    *self = the_order;
#ifdef ROGUE_CREATE
    abort();
#endif
    return PERDURE_OK;
}
static int32_t configure(void* self, const char* json, uint64_t bytes, uint32_t dry_run) {
    (void)self;
    (void)dry_run;
    if (bytes >= sizeof the_order) return PERDURE_PLUGIN_FAILED;
    memcpy(the_order, json, bytes);
    the_order[bytes] = '\0';
    return act("configure");
}
static int32_t migrate(void* self, uint32_t from, uint32_t to) {
    (void)self;
    (void)from;
    (void)to;
    return act("migrate");
}
static int32_t activate(void* self, uint64_t generation) {
    (void)self;
    (void)generation;
    return act("activate");
}
static int32_t on_tick(void* self, const perdure_tick* tick) {
    (void)self;
    (void)tick;
    return act("tick");
}
static int32_t on_events(void* self, const perdure_event* events, uint64_t count, uint64_t first,
                         uint64_t last) {
    (void)self;
    (void)events;
    (void)count;
    (void)first;
    (void)last;
    return act("events");
}
static int32_t quiesce(void* self, uint64_t deadline_ns) {
    (void)self;
    (void)deadline_ns;
    return act("quiesce");
}
static int32_t self_test(void* self) {
    (void)self;
    return act("self_test");
}
static void destroy(void* self) {
    (void)self;
    act("destroy");
}

const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) {
    static const perdure_plugin_api api = {sizeof api,
#ifdef ROGUE_ABI
                                           ROGUE_ABI,
#else
                                           PERDURE_PLUGIN_ABI_MAJOR,
#endif
                                           PERDURE_PLUGIN_ABI_MINOR,
                                           create,
                                           configure,
                                           migrate,
                                           activate,
                                           on_tick,
                                           on_events,
                                           quiesce,
                                           self_test,
                                           destroy};
    (void)host;
    return &api;
}
