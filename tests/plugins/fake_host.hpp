// SPDX-License-Identifier: Apache-2.0
//
// A host on std::map: it keeps what a plugin commits, and counts what it says.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <perdure/plugins/abi/perdure_plugin.h>

namespace perdure::tests {

struct purse_row {
    perdure_id owner;
    std::int64_t coins;
};

class fake_host {
  public:
    fake_host() {
        ledger_ = {sizeof ledger_, 0, this, begin, post, state_put, state_erase, commit, abort};
        read_ = {sizeof read_, 0, this, table, row, scan, balance, account, asset};
        state_ = {sizeof state_, 0, this, state_get};
        log_ = {sizeof log_, 0, this, write};
        clock_ = {sizeof clock_, 0, this, now};
        metrics_ = {sizeof metrics_, 0, this, add};
        services = {{"perdure.ledger/1", &ledger_}, {"perdure.read/1", &read_},
                    {"perdure.state/1", &state_},   {"perdure.log/1", &log_},
                    {"perdure.clock/1", &clock_},   {"perdure.metrics/1", &metrics_}};
        api = {sizeof api, 1, 0, 7, 8, {1, 2}, this, service};
    }
    fake_host(const fake_host&) = delete;
    fake_host& operator=(const fake_host&) = delete;

    perdure_host_api api{};
    std::map<std::string, const void*> services;  ///< Those that are granted.
    std::map<std::string, std::string> kept;      ///< State that was committed.
    std::vector<perdure_command> done;
    std::vector<std::string> payloads;
    std::vector<purse_row> purses;
    std::vector<std::string> lines;
    std::map<std::string, std::int64_t> counters;
    std::uint64_t begun = 0;
    std::uint64_t aborted = 0;
    std::uint64_t scan_most = 2;  ///< Rows of one scan.
    std::uint32_t purse_bytes = sizeof(purse_row);
    std::int32_t commit_status = PERDURE_OK;
    std::uint64_t refused_command = ~0ULL;
    bool repeats = false;

  private:
    static fake_host& of(void* context) { return *static_cast<fake_host*>(context); }
    static const void* service(void* context, const char* name, std::uint64_t bytes) {
        const auto found = of(context).services.find(std::string(name, bytes));
        return found == of(context).services.end() ? nullptr : found->second;
    }
    static std::int32_t begin(void* context) {
        ++of(context).begun;
        of(context).posted_.clear();
        of(context).put_.clear();
        return PERDURE_OK;
    }
    static std::int32_t post(void* context, const perdure_command* commands, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            if (commands[i].size != sizeof(perdure_command)) return PERDURE_BAD_COMMAND;
            of(context).posted_.push_back(commands[i]);
            of(context).payloads.emplace_back(static_cast<const char*>(commands[i].payload),
                                              commands[i].payload_bytes);
        }
        return PERDURE_OK;
    }
    static std::int32_t state_put(void* context, const void* key, std::uint64_t key_bytes,
                                  const void* value, std::uint64_t bytes) {
        of(context).put_[{static_cast<const char*>(key), key_bytes}] = {
            static_cast<const char*>(value), bytes};
        return PERDURE_OK;
    }
    static std::int32_t state_erase(void* context, const void* key, std::uint64_t bytes) {
        of(context).kept.erase({static_cast<const char*>(key), bytes});
        return PERDURE_OK;
    }
    static std::int32_t commit(void* context, std::uint64_t, perdure_receipt* receipt) {
        fake_host& here = of(context);
        receipt->refused = here.refused_command;
        if (here.commit_status != PERDURE_OK) return here.commit_status;
        receipt->repeated = here.repeats ? 1 : 0;
        if (here.repeats) return PERDURE_OK;
        for (const auto& [key, value] : here.put_) here.kept[key] = value;
        here.done.insert(here.done.end(), here.posted_.begin(), here.posted_.end());
        return PERDURE_OK;
    }
    static void abort(void* context) { ++of(context).aborted; }
    static std::int32_t table(void* context, const char* name, std::uint64_t bytes,
                              std::uint32_t* number, std::uint32_t* row_bytes) {
        if (std::string(name, bytes) != "purses") return PERDURE_NOT_GRANTED;
        *number = 5;
        *row_bytes = of(context).purse_bytes;
        return PERDURE_OK;
    }
    static std::int32_t row(void* context, std::uint32_t, const perdure_id* key, void* into,
                            std::uint64_t bytes) {
        for (const purse_row& each : of(context).purses) {
            if (std::memcmp(&each.owner, key, sizeof *key) != 0) continue;
            std::memcpy(into, &each, bytes);
            return PERDURE_OK;
        }
        return PERDURE_NOT_FOUND;
    }
    static std::int32_t scan(void* context, std::uint32_t, std::uint64_t* next, void* rows,
                             std::uint64_t bytes, std::uint64_t* count) {
        const fake_host& here = of(context);
        *count = 0;
        while (*next < here.purses.size() && *count < here.scan_most &&
               (*count + 1) * sizeof(purse_row) <= bytes) {
            std::memcpy(static_cast<char*>(rows) + *count * sizeof(purse_row), &here.purses[*next],
                        sizeof(purse_row));
            ++*next, ++*count;
        }
        return PERDURE_OK;
    }
    static std::int32_t balance(void*, const perdure_id*, std::uint32_t, std::int64_t* available,
                                std::int64_t* held) {
        *available = 12, *held = 3;
        return PERDURE_OK;
    }
    static std::int32_t account(void*, const char* name, std::uint64_t bytes, perdure_id* id) {
        if (std::string(name, bytes) != "treasury") return PERDURE_NOT_FOUND;
        *id = {9, 9};
        return PERDURE_OK;
    }
    static std::int32_t asset(void*, const char* code, std::uint64_t bytes, std::uint32_t* number,
                              std::uint32_t* scale) {
        if (std::string(code, bytes) != "gold") return PERDURE_NOT_FOUND;
        *number = 77, *scale = 2;
        return PERDURE_OK;
    }
    static std::int32_t state_get(void* context, const void* key, std::uint64_t key_bytes,
                                  void* value, std::uint64_t* bytes) {
        const auto found = of(context).kept.find({static_cast<const char*>(key), key_bytes});
        if (found == of(context).kept.end()) return PERDURE_NOT_FOUND;
        const std::uint64_t room = std::exchange(*bytes, found->second.size());
        if (room < *bytes) return PERDURE_VALUE_TOO_LARGE;
        std::memcpy(value, found->second.data(), *bytes);
        return PERDURE_OK;
    }
    static void write(void* context, std::uint32_t level, const char* text, std::uint64_t bytes) {
        of(context).lines.push_back(std::to_string(level) + ' ' + std::string(text, bytes));
    }
    static std::uint64_t now(void*) { return 4242; }
    static void add(void* context, const char* name, std::uint64_t bytes, std::int64_t more) {
        of(context).counters[std::string(name, bytes)] += more;
    }

    perdure_ledger_1 ledger_{};
    perdure_read_1 read_{};
    perdure_state_1 state_{};
    perdure_log_1 log_{};
    perdure_clock_1 clock_{};
    perdure_metrics_1 metrics_{};
    std::vector<perdure_command> posted_;
    std::map<std::string, std::string> put_;
};

}  // namespace perdure::tests
