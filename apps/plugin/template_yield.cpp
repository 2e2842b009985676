// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/plugin/template.hpp>

namespace perdure::apps {
namespace {

constexpr std::string_view toml = R"(kind = "tick"

[tick]
every = "1h"       # Of the world's time.
missed = "each"    # Windows that passed while the world stood still are run one by one.

[capabilities]
commands = ["transfer"]
debit = ["treasury"]
read = ["accounts", "assets", "balances"]

[config.rate]
type = "integer"
default = 10
min = 0
max = 10000
unit = "1/10000"
reload = "live"
)";

constexpr std::string_view in_cpp =
    R"(// Pays each holder of gold a share of what it has, once a window, from the "treasury".
#include <cstdlib>

#include <perdure/plugins/sdk/plugin.hpp>

namespace {

// A row of the table "balances".
struct balance {
    std::uint64_t header[2];
    perdure_id key;  // The account, and the asset in the upper half of `low`.
    std::uint32_t asset;
    std::uint32_t flags;
    std::int64_t available;
    std::int64_t held;
    std::uint32_t shards;
    std::uint32_t reserved;
};
static_assert(sizeof(balance) == 64);

// How far the payments of a window have come. It is committed with them, so that none is made
// twice and none is left out, whenever the process dies.
struct place {
    std::uint64_t window;
    std::uint64_t next;  // Row to go on with.
};

// The host has checked the configuration by plugin.toml; it has no spaces.
std::int64_t number_of(std::string_view json, std::string_view key) {
    const std::size_t at = json.find(key);
    if (at == std::string_view::npos) throw std::runtime_error("no " + std::string(key));
    return std::strtoll(std::string(json.substr(at + key.size(), 20)).c_str(), nullptr, 10);
}

class yield : public perdure::plugin<yield> {
  public:
    void configure(std::string_view json, bool is_dry) {
        const std::int64_t rate = number_of(json, "\"rate\":");
        if (!is_dry) rate_ = rate;
    }

    void on_tick(const perdure_tick& tick) {
        const std::uint32_t gold = host().read().asset("gold");
        const perdure_id treasury = host().read().account("treasury");
        place at = host().state().get<place>("place").value_or(place{tick.window, 0});
        if (at.window != tick.window) at = {tick.window, 0};
        for (std::uint64_t position = tick.done;; ++position) {
            const auto rows = host().read().rows<balance>("balances", at.next, 16);
            if (rows.empty()) return;
            perdure::batch payments(host());
            for (const balance& row : rows) {
                const perdure_id holder{row.key.high, row.key.low & 0xffffffffU};
                const bool is_treasury =
                    holder.high == treasury.high && holder.low == treasury.low;
                const std::int64_t share = share_of(row.available);
                if (row.asset != gold || is_treasury || share <= 0) continue;
                payments.transfer(treasury, holder, {gold, share}, {1, tick.window});
            }
            payments.state_put("place", at).commit(position);
        }
    }

  private:
    // In two parts, so that no product overflows.
    std::int64_t share_of(std::int64_t units) const {
        return units / 10'000 * rate_ + units % 10'000 * rate_ / 10'000;
    }

    std::int64_t rate_ = 0;
};

}  // namespace

PERDURE_EXPORT_PLUGIN(yield)
)";

constexpr std::string_view in_c =
    R"(/* Pays each holder of gold a share of what it has, once a window, from the "treasury". */
#include <stdlib.h>
#include <string.h>

#include <perdure/plugins/abi/perdure_plugin.h>

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
_Static_assert(sizeof(struct balance) == 64, "as the table has it");

/* How far the payments of a window have come. It is committed with them, so that none is made
 * twice and none is left out, whenever the process dies. */
struct place {
    uint64_t window;
    uint64_t next; /* Row to go on with. */
};

struct yield {
    const perdure_ledger_1* ledger;
    const perdure_read_1* read;
    const perdure_state_1* state;
    int64_t rate;
};

static const void* service(const perdure_host_api* host, const char* name) {
    return host->service(host->context, name, strlen(name));
}

static int32_t create(const perdure_host_api* host, void** self) {
    struct yield* made = calloc(1, sizeof *made);
    *self = made;
    if (made == NULL) return PERDURE_PLUGIN_FAILED;
    made->ledger = service(host, "perdure.ledger/1");
    made->read = service(host, "perdure.read/1");
    made->state = service(host, "perdure.state/1");
    if (made->ledger != NULL && made->read != NULL && made->state != NULL) return PERDURE_OK;
    free(made);
    *self = NULL;
    return PERDURE_NOT_GRANTED;
}

static void destroy(void* self) { free(self); }

/* The host has checked the configuration by plugin.toml; it has no spaces. */
static int32_t configure(void* self, const char* json, uint64_t json_bytes, uint32_t dry_run) {
    struct yield* here = self;
    char text[256];
    const char* found;
    if (json_bytes >= sizeof text) return PERDURE_PLUGIN_FAILED;
    memcpy(text, json, json_bytes);
    text[json_bytes] = '\0';
    found = strstr(text, "\"rate\":");
    if (found == NULL) return PERDURE_PLUGIN_FAILED;
    if (dry_run == 0) here->rate = strtoll(found + strlen("\"rate\":"), NULL, 10);
    return PERDURE_OK;
}

/* In two parts, so that no product overflows. */
static int64_t share_of(int64_t units, int64_t rate) {
    return units / 10000 * rate + units % 10000 * rate / 10000;
}

static int32_t pay(const struct yield* here, perdure_id treasury, const struct balance* row,
                   uint64_t window) {
    perdure_command command = {.size = sizeof command, .kind = PERDURE_COMMAND_TRANSFER};
    command.source = treasury;
    command.target.high = row->key.high;
    command.target.low = row->key.low & 0xffffffffU;
    command.asset = row->asset;
    command.amount = share_of(row->available, here->rate);
    command.reason = 1;
    command.reference = window;
    if (command.target.high == treasury.high && command.target.low == treasury.low) {
        return PERDURE_OK;
    }
    return command.amount > 0 ? here->ledger->post(here->ledger->context, &command, 1) : PERDURE_OK;
}

/* One transaction: the payments to some rows, and how far that is. */
static int32_t pay_rows(const struct yield* here, const struct balance* rows, uint64_t count,
                        const struct place* at, uint64_t position) {
    const perdure_ledger_1* ledger = here->ledger;
    perdure_receipt receipt = {.size = sizeof receipt};
    perdure_id treasury;
    uint32_t gold = 0;
    uint32_t scale = 0;
    uint64_t i;
    int32_t status = here->read->account(here->read->context, "treasury", 8, &treasury);
    if (status == PERDURE_OK) {
        status = here->read->asset(here->read->context, "gold", 4, &gold, &scale);
    }
    if (status == PERDURE_OK) status = ledger->begin(ledger->context);
    if (status != PERDURE_OK) return status;
    for (i = 0; i < count && status == PERDURE_OK; ++i) {
        if (rows[i].asset == gold) status = pay(here, treasury, &rows[i], at->window);
    }
    if (status == PERDURE_OK) {
        status = ledger->state_put(ledger->context, "place", 5, at, sizeof *at);
    }
    if (status == PERDURE_OK) status = ledger->commit(ledger->context, position, &receipt);
    if (status != PERDURE_OK) ledger->abort(ledger->context);
    return status;
}

static int32_t on_tick(void* self, const perdure_tick* tick) {
    const struct yield* here = self;
    struct balance rows[16];
    struct place at = {0, 0};
    uint64_t bytes = sizeof at;
    uint64_t position;
    uint32_t balances = 0;
    uint32_t row_bytes = 0;
    int32_t status = here->state->get(here->state->context, "place", 5, &at, &bytes);
    if (status != PERDURE_OK && status != PERDURE_NOT_FOUND) return status;
    if (status == PERDURE_NOT_FOUND || at.window != tick->window) {
        at.window = tick->window;
        at.next = 0;
    }
    status = here->read->table(here->read->context, "balances", 8, &balances, &row_bytes);
    if (status == PERDURE_OK && row_bytes != sizeof rows[0]) status = PERDURE_PLUGIN_FAILED;
    for (position = tick->done; status == PERDURE_OK; ++position) {
        uint64_t count = 0;
        status = here->read->scan(here->read->context, balances, &at.next, rows, sizeof rows,
                                  &count);
        if (status != PERDURE_OK || count == 0) return status;
        status = pay_rows(here, rows, count, &at, position);
    }
    return status;
}

const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) {
    static const perdure_plugin_api api = {
        .size = sizeof api,
        .abi_major = PERDURE_PLUGIN_ABI_MAJOR,
        .abi_minor = PERDURE_PLUGIN_ABI_MINOR,
        .create = create,
        .configure = configure,
        .on_tick = on_tick,
        .destroy = destroy,
    };
    return host->abi_major == PERDURE_PLUGIN_ABI_MAJOR ? &api : NULL;
}
)";

constexpr std::string_view test = R"(static void add_balance(uint64_t low, int64_t available) {
    struct balance* row = &balances[balance_count++];
    row->key.low = low | (uint64_t)gold << 32;
    row->asset = gold;
    row->available = available;
}

static int32_t run_window(const perdure_plugin_api* api, void* self, uint64_t window,
                          uint64_t positions) {
    perdure_tick tick;
    memset(&tick, 0, sizeof tick);
    tick.size = sizeof tick;
    tick.window = window;
    tick.done = positions;
    positions_taken = positions;
    return api->on_tick(self, &tick);
}

int main(int argc, char** argv) {
    const perdure_plugin_api* api = loaded(argc, argv);
    static const char json[] = "{\"rate\":100}";
    void* self = NULL;
    uint64_t i;
    if (api == NULL || api->create(&host, &self) != PERDURE_OK) return 1;
    CHECK(api->configure(self, json, sizeof json - 1, 0) == PERDURE_OK);
    CHECK(api->configure(self, "{}", 2, 0) != PERDURE_OK);

    add_balance(1, 1000000); /* The treasury gets nothing. */
    for (i = 10; i < 50; ++i) add_balance(i, (int64_t)i * 100);
    CHECK(run_window(api, self, 0, 0) == PERDURE_OK);
    CHECK(done_count == 40);
    CHECK(done[0].kind == PERDURE_COMMAND_TRANSFER && done[0].asset == gold);
    CHECK(done[0].source.low == treasury.low && done[0].target.low == 10);
    CHECK(done[0].amount == 10 && done[39].amount == 49);
    CHECK(positions_taken == 3);

    /* The same window again, as after a crash: nobody is paid twice. */
    CHECK(run_window(api, self, 0, 3) == PERDURE_OK);
    CHECK(done_count == 40);

    /* What cannot be paid is not paid in part. */
    done_count = 0;
    commit_status = PERDURE_INSUFFICIENT_FUNDS;
    CHECK(run_window(api, self, 1, 0) == PERDURE_INSUFFICIENT_FUNDS);
    CHECK(done_count == 0);
    commit_status = PERDURE_OK;
    CHECK(run_window(api, self, 1, 0) == PERDURE_OK);
    CHECK(done_count == 40);

    api->destroy(self);
    return finished();
}
)";

}  // namespace

const plugin_template yield_template{
    "yield",
    toml,
    in_c,
    in_cpp,
    test,
    yield_stage_test,
    "Pays each holder of gold a share of what it has, every hour of the world's time, from the "
    "account\n\"treasury\". Each window is paid exactly once, whatever is killed meanwhile."};

}  // namespace perdure::apps
