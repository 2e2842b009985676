// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/plugin/template.hpp>

namespace perdure::apps {
namespace {

constexpr std::string_view toml = R"(kind = "sink"

[events]
follow = ["transferred"]
)";

constexpr std::string_view in_cpp =
    R"(// Counts transfers and what they move, and keeps the totals as its state.
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

struct totals {
    std::uint64_t transfers;
    std::int64_t units;  // Minor units of all assets, for the sake of an example.
};

class sink : public perdure::plugin<sink> {
  public:
    // The totals and how far they go change together: no event is counted twice or left out.
    void on_events(const perdure::event_list& events) {
        totals sum = host().state().get<totals>("totals").value_or(totals{0, 0});
        for (const perdure_event& each : events) {
            ++sum.transfers;
            sum.units += perdure::payload_of<transferred>(each).amount;
        }
        perdure::batch(host()).state_put("totals", sum).commit(events.last_lsn());
    }
};

}  // namespace

PERDURE_EXPORT_PLUGIN(sink)
)";

constexpr std::string_view in_c =
    R"(/* Counts transfers and what they move, and keeps the totals as its state. */
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

struct totals {
    uint64_t transfers;
    int64_t units; /* Minor units of all assets, for the sake of an example. */
};

struct sink {
    const perdure_ledger_1* ledger;
    const perdure_state_1* state;
};

static const void* service(const perdure_host_api* host, const char* name) {
    return host->service(host->context, name, strlen(name));
}

static int32_t create(const perdure_host_api* host, void** self) {
    struct sink* made = calloc(1, sizeof *made);
    *self = made;
    if (made == NULL) return PERDURE_PLUGIN_FAILED;
    made->ledger = service(host, "perdure.ledger/1");
    made->state = service(host, "perdure.state/1");
    if (made->ledger != NULL && made->state != NULL) return PERDURE_OK;
    free(made);
    *self = NULL;
    return PERDURE_NOT_GRANTED;
}

static void destroy(void* self) { free(self); }

/* The totals and how far they go change together: no event is counted twice or left out. */
static int32_t on_events(void* self, const perdure_event* events, uint64_t count,
                         uint64_t first_lsn, uint64_t last_lsn) {
    const struct sink* here = self;
    const perdure_ledger_1* ledger = here->ledger;
    perdure_receipt receipt = {.size = sizeof receipt};
    struct totals sum = {0, 0};
    uint64_t bytes = sizeof sum;
    const char* at = (const char*)events;
    uint64_t i;
    int32_t status = here->state->get(here->state->context, "totals", 6, &sum, &bytes);
    (void)first_lsn;
    if (status != PERDURE_OK && status != PERDURE_NOT_FOUND) return status;
    for (i = 0; i < count; ++i) {
        /* By its own size: a newer host's events are longer. */
        const perdure_event* event = (const perdure_event*)at;
        struct transferred moved;
        if (event->payload_bytes < sizeof moved) return PERDURE_PLUGIN_FAILED;
        memcpy(&moved, event->payload, sizeof moved);
        ++sum.transfers;
        sum.units += moved.amount;
        at += event->size;
    }
    status = ledger->begin(ledger->context);
    if (status != PERDURE_OK) return status;
    status = ledger->state_put(ledger->context, "totals", 6, &sum, sizeof sum);
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

struct totals {
    uint64_t transfers;
    int64_t units;
};

static struct totals kept_totals(void) {
    struct totals out = {0, 0};
    const struct state_entry* entry = entry_of(kept, "totals", 6);
    if (entry != NULL && entry->bytes == sizeof out) memcpy(&out, entry->value, sizeof out);
    return out;
}

int main(int argc, char** argv) {
    const perdure_plugin_api* api = loaded(argc, argv);
    struct transferred moved[3];
    perdure_event events[3];
    void* self = NULL;
    uint64_t i;
    if (api == NULL || api->create(&host, &self) != PERDURE_OK) return 1;
    memset(moved, 0, sizeof moved);
    memset(events, 0, sizeof events);
    for (i = 0; i < 3; ++i) {
        moved[i].amount = (int64_t)(i + 1) * 100;
        events[i].size = sizeof events[i];
        events[i].type = 3;
        events[i].version = 1;
        events[i].lsn = 20 + i;
        events[i].payload = &moved[i];
        events[i].payload_bytes = sizeof moved[i];
    }
    CHECK(api->on_events(self, events, 3, 20, 22) == PERDURE_OK);
    CHECK(kept_totals().transfers == 3);
    CHECK(kept_totals().units == 600);
    CHECK(positions_taken == 23);

    /* A commit that is refused changes nothing, and says so. */
    commit_status = PERDURE_STALE_GENERATION;
    CHECK(api->on_events(self, events, 1, 23, 23) == PERDURE_STALE_GENERATION);
    CHECK(kept_totals().transfers == 3);
    commit_status = PERDURE_OK;
    CHECK(api->on_events(self, events, 1, 23, 23) == PERDURE_OK);
    CHECK(kept_totals().transfers == 4);
    CHECK(kept_totals().units == 700);
    CHECK(done_count == 0);

    api->destroy(self);
    return finished();
}
)";

}  // namespace

const plugin_template sink_template{
    "sink",
    toml,
    in_c,
    in_cpp,
    test,
    sink_stage_test,
    "Counts transfers and what they move. It posts nothing; its totals are its state, which is "
    "committed\ntogether with how far they go."};

}  // namespace perdure::apps
