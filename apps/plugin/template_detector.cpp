// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/plugin/template.hpp>

namespace perdure::apps {
namespace {

constexpr std::string_view toml = R"(kind = "events"

[events]
follow = ["transferred"]

[capabilities]
commands = ["freeze"]

[config.limit]
type = "integer"
default = 1000000
min = 1
unit = "minor units"
reload = "live"
)";

constexpr std::string_view in_cpp =
    R"(// Freezes an account that moves more at once than the limit, and tells the operator why.
#include <cstdlib>

#include <perdure/plugins/sdk/plugin.hpp>

namespace {

// The front of the event "transferred"; newer versions append.
struct transferred {
    perdure_id source;
    perdure_id target;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t reason;
};

// The host has checked the configuration by plugin.toml; it has no spaces.
std::int64_t number_of(std::string_view json, std::string_view key) {
    const std::size_t at = json.find(key);
    if (at == std::string_view::npos) throw std::runtime_error("no " + std::string(key));
    return std::strtoll(std::string(json.substr(at + key.size(), 20)).c_str(), nullptr, 10);
}

class detector : public perdure::plugin<detector> {
  public:
    void configure(std::string_view json, bool is_dry) {
        const std::int64_t limit = number_of(json, "\"limit\":");
        if (!is_dry) limit_ = limit;
    }

    // The freezes and how far it has looked are committed together: no event is looked at twice.
    void on_events(const perdure::event_list& events) {
        std::uint64_t alarms = host().state().get<std::uint64_t>("alarms").value_or(0);
        perdure::batch freezes(host());
        for (const perdure_event& each : events) {
            const auto moved = perdure::payload_of<transferred>(each);
            if (moved.amount <= limit_) continue;
            ++alarms;
            freezes.freeze(moved.source);
            host().log().warn("event " + std::to_string(each.lsn) + " moves " +
                              std::to_string(moved.amount) + ", more than " +
                              std::to_string(limit_));
        }
        freezes.state_put("alarms", alarms).commit(events.last_lsn());
    }

  private:
    std::int64_t limit_ = INT64_MAX;
};

}  // namespace

PERDURE_EXPORT_PLUGIN(detector)
)";

constexpr std::string_view in_c =
    R"(/* Freezes an account that moves more at once than the limit, and tells the operator why. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perdure/plugins/abi/perdure_plugin.h>

/* The front of the event "transferred"; newer versions append. */
struct transferred {
    perdure_id source;
    perdure_id target;
    int64_t amount;
    uint32_t asset;
    uint32_t reason;
};

struct detector {
    const perdure_ledger_1* ledger;
    const perdure_state_1* state;
    const perdure_log_1* log;
    int64_t limit;
};

static const void* service(const perdure_host_api* host, const char* name) {
    return host->service(host->context, name, strlen(name));
}

static int32_t create(const perdure_host_api* host, void** self) {
    struct detector* made = calloc(1, sizeof *made);
    *self = made;
    if (made == NULL) return PERDURE_PLUGIN_FAILED;
    made->ledger = service(host, "perdure.ledger/1");
    made->state = service(host, "perdure.state/1");
    made->log = service(host, "perdure.log/1");
    made->limit = INT64_MAX;
    if (made->ledger != NULL && made->state != NULL) return PERDURE_OK;
    free(made);
    *self = NULL;
    return PERDURE_NOT_GRANTED;
}

static void destroy(void* self) { free(self); }

/* The host has checked the configuration by plugin.toml; it has no spaces. */
static int32_t configure(void* self, const char* json, uint64_t json_bytes, uint32_t dry_run) {
    struct detector* here = self;
    char text[256];
    const char* found;
    if (json_bytes >= sizeof text) return PERDURE_PLUGIN_FAILED;
    memcpy(text, json, json_bytes);
    text[json_bytes] = '\0';
    found = strstr(text, "\"limit\":");
    if (found == NULL) return PERDURE_PLUGIN_FAILED;
    if (dry_run == 0) here->limit = strtoll(found + strlen("\"limit\":"), NULL, 10);
    return PERDURE_OK;
}

static int32_t freeze(const struct detector* here, const perdure_event* event,
                      const struct transferred* moved) {
    perdure_command command = {.size = sizeof command, .kind = PERDURE_COMMAND_FREEZE};
    char line[120];
    const int bytes = snprintf(line, sizeof line,
                               "event %" PRIu64 " moves %" PRId64 ", more than %" PRId64,
                               event->lsn, moved->amount, here->limit);
    if (here->log != NULL && bytes > 0) {
        here->log->write(here->log->context, PERDURE_LOG_WARN, line, (uint64_t)bytes);
    }
    command.target = moved->source;
    command.until = ~(uint64_t)0;
    return here->ledger->post(here->ledger->context, &command, 1);
}

/* The freezes and how far it has looked are committed together: no event is looked at twice. */
static int32_t on_events(void* self, const perdure_event* events, uint64_t count,
                         uint64_t first_lsn, uint64_t last_lsn) {
    const struct detector* here = self;
    const perdure_ledger_1* ledger = here->ledger;
    perdure_receipt receipt = {.size = sizeof receipt};
    uint64_t alarms = 0;
    uint64_t bytes = sizeof alarms;
    const char* at = (const char*)events;
    uint64_t i;
    int32_t status = here->state->get(here->state->context, "alarms", 6, &alarms, &bytes);
    (void)first_lsn;
    if (status != PERDURE_OK && status != PERDURE_NOT_FOUND) return status;
    status = ledger->begin(ledger->context);
    if (status != PERDURE_OK) return status;
    for (i = 0; i < count && status == PERDURE_OK; ++i) {
        /* By its own size: a newer host's events are longer. */
        const perdure_event* event = (const perdure_event*)at;
        struct transferred moved;
        at += event->size;
        memset(&moved, 0, sizeof moved);
        if (event->payload_bytes >= sizeof moved) memcpy(&moved, event->payload, sizeof moved);
        if (moved.amount <= here->limit) continue;
        ++alarms;
        status = freeze(here, event, &moved);
    }
    if (status == PERDURE_OK) {
        status = ledger->state_put(ledger->context, "alarms", 6, &alarms, sizeof alarms);
    }
    if (status == PERDURE_OK) status = ledger->commit(ledger->context, last_lsn, &receipt);
    if (status != PERDURE_OK) ledger->abort(ledger->context);
    return status;
}

const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) {
    static const perdure_plugin_api api = {
        .size = sizeof api,
        .abi_major = PERDURE_PLUGIN_ABI_MAJOR,
        .abi_minor = PERDURE_PLUGIN_ABI_MINOR,
        .create = create,
        .configure = configure,
        .on_events = on_events,
        .destroy = destroy,
    };
    return host->abi_major == PERDURE_PLUGIN_ABI_MAJOR ? &api : NULL;
}
)";

constexpr std::string_view test = R"(struct transferred {
    perdure_id source;
    perdure_id target;
    int64_t amount;
    uint32_t asset;
    uint32_t reason;
    uint64_t reference;
};

static uint64_t kept_alarms(void) {
    uint64_t out = 0;
    const struct state_entry* entry = entry_of(kept, "alarms", 6);
    if (entry != NULL && entry->bytes == sizeof out) memcpy(&out, entry->value, sizeof out);
    return out;
}

int main(int argc, char** argv) {
    const perdure_plugin_api* api = loaded(argc, argv);
    static const char json[] = "{\"limit\":200}";
    struct transferred moved[3];
    perdure_event events[3];
    void* self = NULL;
    uint64_t i;
    if (api == NULL || api->create(&host, &self) != PERDURE_OK) return 1;
    memset(moved, 0, sizeof moved);
    memset(events, 0, sizeof events);
    for (i = 0; i < 3; ++i) {
        moved[i].source.low = 10 + i;
        moved[i].amount = (int64_t)(i + 1) * 100;
        events[i].size = sizeof events[i];
        events[i].lsn = 20 + i;
        events[i].payload = &moved[i];
        events[i].payload_bytes = sizeof moved[i];
    }
    /* Before it is configured nothing is too much; a dry run changes nothing. */
    CHECK(api->configure(self, json, sizeof json - 1, 1) == PERDURE_OK);
    CHECK(api->on_events(self, events, 3, 20, 22) == PERDURE_OK);
    CHECK(done_count == 0 && kept_alarms() == 0);

    /* The third moves more than 200, and is frozen. */
    CHECK(api->configure(self, json, sizeof json - 1, 0) == PERDURE_OK);
    CHECK(api->configure(self, "{}", 2, 0) != PERDURE_OK);
    CHECK(api->on_events(self, events, 3, 23, 25) == PERDURE_OK);
    CHECK(done_count == 1 && kept_alarms() == 1);
    CHECK(done[0].kind == PERDURE_COMMAND_FREEZE && done[0].target.low == 12);
    CHECK(strcmp(last_line, "event 22 moves 300, more than 200") == 0);

    /* A commit that is refused changes nothing. */
    commit_status = PERDURE_STALE_GENERATION;
    CHECK(api->on_events(self, events, 3, 26, 28) == PERDURE_STALE_GENERATION);
    CHECK(done_count == 1 && kept_alarms() == 1);

    api->destroy(self);
    return finished();
}
)";

}  // namespace

const plugin_template detector_template{
    "detector",
    toml,
    in_c,
    in_cpp,
    test,
    detector_stage_test,
    "Looks at each transfer and freezes an account that moves more at once than its limit. Each "
    "event is\nlooked at exactly once, whatever is killed meanwhile."};

}  // namespace perdure::apps
