// SPDX-License-Identifier: Apache-2.0
#include <perdure/plugins/host/services.hpp>

namespace perdure::plugins {
namespace {

constexpr std::uint64_t text_bytes_max = 4096;

std::span<const std::byte> span_of(const void* at, std::uint64_t bytes) noexcept {
    return {static_cast<const std::byte*>(at), bytes};
}

services& self_of(void* context) noexcept { return *static_cast<services*>(context); }

/// Nothing is thrown across: what our own side throws is a lack of memory.
template <class Work>
std::int32_t status_of(Work&& work) noexcept {
    try {
        const result<> done = work();
        return done ? PERDURE_OK : static_cast<std::int32_t>(done.error());
    } catch (...) {
        return static_cast<std::int32_t>(errc::no_memory);
    }
}

/// Texts come from the plugin: no pointer is followed that has no length, none too far.
bool is_text(const char* text, std::uint64_t bytes) noexcept {
    return text != nullptr && bytes != 0 && bytes <= text_bytes_max;
}

}  // namespace

/// What stands in the tables of functions; each begins with the service it was asked of.
struct service_calls {
    static std::int32_t begin(void* context) {
        auto& self = self_of(context);
        if (!self.is_called_) return static_cast<std::int32_t>(errc::out_of_step);
        self.batch_.clear();
        self.is_open_ = true;
        return PERDURE_OK;
    }
    static std::int32_t post(void* context, const perdure_command* commands, std::uint64_t count) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (!self.is_open_ || commands == nullptr) return errc::bad_command;
            if (count > batch_commands_max) return errc::transaction_too_large;
            for (std::uint64_t i = 0; i < count; ++i) PERDURE_TRY(self.batch_.add(commands[i]));
            return {};
        });
    }
    static std::int32_t state_put(void* context, const void* key, std::uint64_t key_bytes,
                                  const void* value, std::uint64_t value_bytes) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (!self.is_open_ || key == nullptr) return errc::bad_command;
            if (value == nullptr && value_bytes != 0) return errc::bad_command;
            return self.batch_.put(span_of(key, key_bytes), span_of(value, value_bytes));
        });
    }
    static std::int32_t state_erase(void* context, const void* key, std::uint64_t key_bytes) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (!self.is_open_ || key == nullptr) return errc::bad_command;
            return self.batch_.erase(span_of(key, key_bytes));
        });
    }
    static std::int32_t commit(void* context, std::uint64_t position, perdure_receipt* receipt) {
        auto& self = self_of(context);
        perdure_receipt unwanted{sizeof(perdure_receipt), 0, 0, 0};
        auto& into = receipt == nullptr ? unwanted : *receipt;
        return status_of([&]() -> result<> {
            if (!self.is_open_) return errc::bad_command;
            if (into.size < sizeof(perdure_receipt)) return errc::wrong_abi;
            return self.commit(position, into);
        });
    }
    static void abort(void* context) {
        self_of(context).batch_.clear();
        self_of(context).is_open_ = false;
    }

    static std::int32_t table(void* context, const char* name, std::uint64_t name_bytes,
                              std::uint32_t* table, std::uint32_t* row_bytes) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (!is_text(name, name_bytes)) return errc::bad_name;
            const auto number = PERDURE_TRY(self.table_named({name, name_bytes}));
            if (table != nullptr) *table = number;
            if (row_bytes != nullptr) {
                *row_bytes = shm::peek(self.where_->descriptor(number).row_bytes);
            }
            return {};
        });
    }
    static std::int32_t get(void* context, std::uint32_t table, const perdure_id* key, void* row,
                            std::uint64_t row_bytes) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (key == nullptr || row == nullptr) return errc::bad_command;
            return self.get_row(table, {key->high, key->low},
                                {static_cast<std::byte*>(row), row_bytes});
        });
    }
    static std::int32_t scan(void* context, std::uint32_t table, std::uint64_t* next, void* rows,
                             std::uint64_t bytes, std::uint64_t* count) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (next == nullptr || rows == nullptr || count == nullptr) return errc::bad_command;
            *count = PERDURE_TRY(self.scan(table, *next, {static_cast<std::byte*>(rows), bytes}));
            return {};
        });
    }
    static std::int32_t balance(void* context, const perdure_id* account, std::uint32_t asset,
                                std::int64_t* available, std::int64_t* held) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (account == nullptr) return errc::bad_command;
            PERDURE_TRY(self.table_named("balances"));
            const account_id who{account->high, static_cast<std::uint32_t>(account->low)};
            const auto has = PERDURE_TRY(self.reader_.read(
                [&](shm::view& in) { return self.books_->holding(in, who, asset_id{asset}); }));
            if (available != nullptr) *available = has.available;
            if (held != nullptr) *held = has.held;
            return {};
        });
    }
    static std::int32_t account(void* /*context*/, const char* name, std::uint64_t name_bytes,
                                perdure_id* id) {
        if (!is_text(name, name_bytes) || id == nullptr) {
            return static_cast<std::int32_t>(errc::bad_name);
        }
        const auto key = key_of(account_id::of(std::string_view(name, name_bytes)));
        *id = {key.high, key.low};
        return PERDURE_OK;
    }
    static std::int32_t asset(void* context, const char* code, std::uint64_t code_bytes,
                              std::uint32_t* asset, std::uint32_t* scale) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (!is_text(code, code_bytes)) return errc::bad_name;
            const auto id = asset_id::of(std::string_view(code, code_bytes));
            const auto row = PERDURE_TRY(
                self.reader_.read([&](shm::view& in) { return self.books_->asset(in, id); }));
            if (asset != nullptr) *asset = id.value;
            if (scale != nullptr) *scale = row.scale;
            return {};
        });
    }

    static std::int32_t state_get(void* context, const void* key, std::uint64_t key_bytes,
                                  void* value, std::uint64_t* value_bytes) {
        auto& self = self_of(context);
        return status_of([&]() -> result<> {
            if (key == nullptr || value_bytes == nullptr) return errc::bad_command;
            if (key_bytes == 0 || key_bytes > state_key_bytes_max) return errc::bad_name;
            const auto found = PERDURE_TRY(self.reader_.read([&](shm::view& in) {
                return self.plugins_->state(in, self.plugin_, span_of(key, key_bytes));
            }));
            const std::uint64_t room = value == nullptr ? 0 : *value_bytes;
            *value_bytes = found.size();
            if (found.size() > room) return errc::value_too_large;
            if (!found.empty()) std::memcpy(value, found.data(), found.size());
            return {};
        });
    }
    static void log(void* context, std::uint32_t level, const char* text, std::uint64_t bytes) {
        if (text == nullptr) return;
        status_of([&]() -> result<> {
            self_of(context).out_->log(level, {text, std::min(bytes, text_bytes_max)});
            return {};
        });
    }
    static std::uint64_t now(void* context) { return self_of(context).world_ns_; }
    static void add(void* context, const char* name, std::uint64_t name_bytes, std::int64_t more) {
        if (!is_text(name, name_bytes)) return;
        status_of([&]() -> result<> {
            self_of(context).out_->count({name, name_bytes}, more);
            return {};
        });
    }
    static const void* service(void* context, const char* name, std::uint64_t name_bytes) {
        if (!is_text(name, name_bytes)) return nullptr;
        return self_of(context).find({name, name_bytes});
    }
};

services::services(shm::region& where, account_id plugin, outlet& out)
    : where_(&where), reader_(where), plugin_(plugin), out_(&out) {
    const auto key = key_of(plugin);
    const auto& world = where.geometry().world;
    using calls = service_calls;
    host_ = {sizeof host_,
             PERDURE_PLUGIN_ABI_MAJOR,
             PERDURE_PLUGIN_ABI_MINOR,
             world[0],
             world[1],
             {key.high, key.low},
             this,
             calls::service};
    origin_ = {{world[0], world[1]}, key, 0, 0};
    ledger_ = {sizeof ledger_,
               0,
               this,
               calls::begin,
               calls::post,
               calls::state_put,
               calls::state_erase,
               calls::commit,
               calls::abort};
    rows_ = {sizeof rows_, 0,           this,           calls::table,
             calls::get,   calls::scan, calls::balance, calls::account,
             calls::asset};
    state_ = {sizeof state_, 0, this, calls::state_get};
    log_ = {sizeof log_, 0, this, calls::log};
    clock_ = {sizeof clock_, 0, this, calls::now};
    metrics_ = {sizeof metrics_, 0, this, calls::add};
}

result<std::unique_ptr<services>> services::make(shm::region& where, account_id plugin,
                                                 std::set<std::string> read, outlet& out) {
    std::unique_ptr<services> made(new services(where, plugin, out));
    made->plugins_ = PERDURE_TRY(registry::find(where));
    made->books_ = PERDURE_TRY(ledger::find(where));
    made->read_ = std::move(read);
    return made;
}

const void* services::find(std::string_view name) const noexcept {
    if (name == "perdure.ledger/1") return &ledger_;
    if (name == "perdure.read/1") return &rows_;
    if (name == "perdure.state/1") return &state_;
    if (name == "perdure.log/1") return &log_;
    if (name == "perdure.clock/1") return &clock_;
    if (name == "perdure.metrics/1") return &metrics_;
    return nullptr;
}

void services::begin(std::uint64_t generation, std::uint64_t window,
                     std::uint64_t world_ns) noexcept {
    origin_.generation = generation;
    origin_.window = window;
    world_ns_ = world_ns;
    is_called_ = true;
    is_open_ = false;
    batch_.clear();
}

void services::end() noexcept {
    is_called_ = is_open_ = false;
    batch_.clear();
}

result<std::uint32_t> services::table_named(std::string_view name) {
    if (!read_.contains(std::string(name))) return errc::not_granted;
    const auto number = PERDURE_TRY(shm::find_table(*where_, name));
    tables_.insert(number);
    return number;
}

result<> services::commit(std::uint64_t position, perdure_receipt& receipt) {
    const auto answer = out_->commit(batch_.finish(origin_, position));
    batch_.clear();
    is_open_ = false;
    receipt.repeated = answer.repeated ? 1 : 0;
    receipt.lsn = answer.lsn;
    receipt.refused = answer.refused;
    if (answer.refusal != errc{}) return answer.refusal;
    return {};
}

result<> services::get_row(std::uint32_t table, const shm::row_key& key, std::span<std::byte> out) {
    if (!tables_.contains(table)) return errc::not_granted;
    if (shm::peek(where_->descriptor(table).row_bytes) != out.size()) return errc::schema_mismatch;
    const auto shape = PERDURE_TRY(shm::read_shape(*where_, table));
    if (shape.key_at == 0) return errc::not_found;
    return reader_.read([&](shm::view& in) -> result<> {
        const std::uint64_t row = PERDURE_TRY(shm::find_row(in, table, key));
        const std::uint64_t at = in.locate(table, row);
        if (at == 0) return errc::conflict;
        PERDURE_TRY(in.get_words(at, static_cast<std::uint32_t>(out.size()),
                                 shm::stripe_of(table, row), out.data()));
        shm::row_header header;
        shm::row_key found;
        std::memcpy(&header, out.data(), sizeof header);
        std::memcpy(&found, out.data() + shape.key_at, sizeof found);
        // Freed between the two looks, perhaps taken for another key.
        return header.live == 1 && found == key ? result<>() : result<>(errc::conflict);
    });
}

result<std::uint64_t> services::scan(std::uint32_t table, std::uint64_t& next,
                                     std::span<std::byte> out) {
    if (!tables_.contains(table)) return errc::not_granted;
    const std::uint32_t row_bytes = shm::peek(where_->descriptor(table).row_bytes);
    if (row_bytes == 0 || out.size() < row_bytes) return errc::schema_mismatch;
    const std::uint64_t end = shm::load(where_->descriptor(table).row_high);
    std::uint64_t count = 0;
    for (; next < end && (count + 1) * row_bytes <= out.size(); ++next) {
        std::byte* const into = out.data() + count * row_bytes;
        const bool is_live = PERDURE_TRY(reader_.read([&](shm::view& in) -> result<bool> {
            const std::uint64_t at = in.locate(table, next);
            if (at == 0) return false;
            PERDURE_TRY(in.get_words(at, row_bytes, shm::stripe_of(table, next), into));
            shm::row_header header;
            std::memcpy(&header, into, sizeof header);
            return header.live == 1;
        }));
        if (is_live) ++count;
    }
    return count;
}

}  // namespace perdure::plugins
