// SPDX-License-Identifier: Apache-2.0
//
// What a plugin in C++ sees of its host.
//
// Threads     As perdure_plugin.h: during a call, on its thread.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include <perdure/plugins/sdk/service.hpp>

namespace perdure {

/// Units of one asset.
struct units {
    std::int64_t available = 0;
    std::int64_t held = 0;
};

namespace sdk {

/// What is committed.
class read_service : public service<perdure_read_1> {
  public:
    using service::service;

    [[nodiscard]] units balance(const perdure_id& account, std::uint32_t asset) const {
        units out;
        check(call(&perdure_read_1::balance, &account, asset, &out.available, &out.held),
              "balance");
        return out;
    }
    [[nodiscard]] perdure_id account(std::string_view name) const {
        perdure_id id{};
        check(call(&perdure_read_1::account, name.data(), name.size(), &id), "account");
        return id;
    }
    /// Its number; its scale with the other.
    [[nodiscard]] std::uint32_t asset(std::string_view code) const {
        std::uint32_t scale = 0;
        return asset(code, scale);
    }
    std::uint32_t asset(std::string_view code, std::uint32_t& scale) const {
        std::uint32_t number = 0;
        check(call(&perdure_read_1::asset, code.data(), code.size(), &number, &scale), "asset");
        return number;
    }

    /// Row is trivially copyable and of the table's size.
    template <class Row>
    [[nodiscard]] std::optional<Row> find(std::string_view table, const perdure_id& key) const {
        const std::uint32_t number = table_of<Row>(table);
        Row row;
        const std::int32_t answer =
            call(&perdure_read_1::get, number, &key, static_cast<void*>(&row), sizeof row);
        if (answer == PERDURE_NOT_FOUND) return std::nullopt;
        check(answer, "row");
        return row;
    }
    /// Live rows from number `next` on, at most so many; `next` goes behind them. None: no more.
    template <class Row>
    [[nodiscard]] std::vector<Row> rows(std::string_view table, std::uint64_t& next,
                                        std::size_t most) const {
        const std::uint32_t number = table_of<Row>(table);
        std::vector<Row> out(most);
        std::uint64_t count = 0;
        check(call(&perdure_read_1::scan, number, &next, static_cast<void*>(out.data()),
                   std::uint64_t{most * sizeof(Row)}, &count),
              "scan");
        out.resize(std::min<std::uint64_t>(count, most));
        return out;
    }
    /// Each live row once; `visit` may answer false to end.
    template <class Row, class Visit>
    void for_each(std::string_view table, Visit&& visit) const {
        std::uint64_t next = 0;
        for (auto some = rows<Row>(table, next, 64); !some.empty();
             some = rows<Row>(table, next, 64)) {
            for (const Row& each : some) {
                if constexpr (std::is_same_v<decltype(visit(each)), bool>) {
                    if (!visit(each)) return;
                } else {
                    visit(each);
                }
            }
        }
    }

  private:
    template <class Row>
    [[nodiscard]] std::uint32_t table_of(std::string_view name) const {
        static_assert(std::is_trivially_copyable_v<Row>, "rows are copied as bytes");
        std::uint32_t number = 0;
        std::uint32_t bytes = 0;
        check(call(&perdure_read_1::table, name.data(), name.size(), &number, &bytes), "table");
        if (bytes != sizeof(Row)) {
            throw refused(status::bad_command,
                          std::string(name) + " has rows of " + std::to_string(bytes) + " bytes");
        }
        return number;
    }
};

/// The plugin's own state as it was last committed; a batch changes it.
class state_service : public service<perdure_state_1> {
  public:
    using service::service;

    /// Value is trivially copyable and as long as what was put.
    template <class Value>
    [[nodiscard]] std::optional<Value> get(std::string_view key) const {
        static_assert(std::is_trivially_copyable_v<Value>, "state is copied as bytes");
        Value value;
        std::uint64_t bytes = sizeof value;
        const std::int32_t answer =
            call(&perdure_state_1::get, key.data(), key.size(), static_cast<void*>(&value), &bytes);
        if (answer == PERDURE_NOT_FOUND) return std::nullopt;
        check(answer, "state");
        if (bytes != sizeof value) throw refused(status::plugin_failed, "state of another length");
        return value;
    }
    [[nodiscard]] std::optional<std::string> text(std::string_view key) const {
        std::string value(16U << 10U, '\0');
        std::uint64_t bytes = value.size();
        const std::int32_t answer = call(&perdure_state_1::get, key.data(), key.size(),
                                         static_cast<void*>(value.data()), &bytes);
        if (answer == PERDURE_NOT_FOUND) return std::nullopt;
        check(answer, "state");
        value.resize(bytes);
        return value;
    }
};

/// Lines for the operator. Never throws: without the service nobody reads them.
class log_service : public service<perdure_log_1> {
  public:
    using service::service;

    void debug(std::string_view line) const noexcept { write(PERDURE_LOG_DEBUG, line); }
    void note(std::string_view line) const noexcept { write(PERDURE_LOG_INFO, line); }
    void warn(std::string_view line) const noexcept { write(PERDURE_LOG_WARN, line); }
    void error(std::string_view line) const noexcept { write(PERDURE_LOG_ERROR, line); }

  private:
    void write(std::uint32_t level, std::string_view line) const noexcept {
        if (calls().write != nullptr)
            calls().write(calls().context, level, line.data(), line.size());
    }
};

class clock_service : public service<perdure_clock_1> {
  public:
    using service::service;
    /// World time: nanoseconds since the world began.
    [[nodiscard]] std::uint64_t now() const { return call(&perdure_clock_1::now); }
};

/// Counters. Never throws, as the log.
class metrics_service : public service<perdure_metrics_1> {
  public:
    using service::service;
    void add(std::string_view name, std::int64_t more = 1) const noexcept {
        if (calls().add != nullptr) calls().add(calls().context, name.data(), name.size(), more);
    }
};

}  // namespace sdk

class host {
  public:
    explicit host(const perdure_host_api& api)
        : api_(sdk::known_part(&api)),
          read_(api_, "perdure.read/1"),
          state_(api_, "perdure.state/1"),
          log_(api_, "perdure.log/1"),
          clock_(api_, "perdure.clock/1"),
          metrics_(api_, "perdure.metrics/1") {}

    /// The plugin's own account.
    [[nodiscard]] const perdure_id& account() const noexcept { return api_.account; }
    [[nodiscard]] const perdure_host_api& api() const noexcept { return api_; }
    [[nodiscard]] const sdk::read_service& read() const noexcept { return read_; }
    [[nodiscard]] const sdk::state_service& state() const noexcept { return state_; }
    [[nodiscard]] const sdk::log_service& log() const noexcept { return log_; }
    [[nodiscard]] const sdk::clock_service& clock() const noexcept { return clock_; }
    [[nodiscard]] const sdk::metrics_service& metrics() const noexcept { return metrics_; }

  private:
    perdure_host_api api_;
    sdk::read_service read_;
    sdk::state_service state_;
    sdk::log_service log_;
    sdk::clock_service clock_;
    sdk::metrics_service metrics_;
};

}  // namespace perdure
