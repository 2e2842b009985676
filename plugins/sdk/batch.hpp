// SPDX-License-Identifier: Apache-2.0
//
// One transaction of a plugin: commands and its own state, committed together or not at all.
//
// Promise     A batch that goes without a commit has changed nothing. A commit at a position that
//             was committed before changes nothing, and says so.
// Threads     As perdure_plugin.h; one batch at a time.
#pragma once

#include <perdure/plugins/sdk/host.hpp>

namespace perdure {

/// The plugin's own words on a movement, kept in the event.
struct remark {
    std::uint32_t reason = 0;
    std::uint64_t reference = 0;
};

/// So much of one asset.
struct money {
    std::uint32_t asset = 0;
    std::int64_t amount = 0;  ///< Minor units, above 0.
};

class batch {
  public:
    /// Throws refused, as everything here does.
    explicit batch(const host& on) : ledger_(on.api(), "perdure.ledger/1") { ledger_.begin(); }
    batch(const batch&) = delete;
    batch& operator=(const batch&) = delete;
    ~batch() {
        if (!done_) ledger_.abort();
    }

    batch& transfer(const perdure_id& source, const perdure_id& target, money what,
                    remark why = {}) {
        perdure_command made = command(PERDURE_COMMAND_TRANSFER, what, why);
        made.source = source;
        made.target = target;
        return post(made);
    }
    /// Through the plugin's own faucet.
    batch& mint(const perdure_id& target, money what, remark why = {}) {
        perdure_command made = command(PERDURE_COMMAND_MINT, what, why);
        made.target = target;
        return post(made);
    }
    /// `source` is the plugin's own account.
    batch& burn(const perdure_id& source, money what, remark why = {}) {
        perdure_command made = command(PERDURE_COMMAND_BURN, what, why);
        made.source = source;
        return post(made);
    }
    /// `hold` is a new one's id.
    batch& hold(const perdure_id& hold, const perdure_id& source, money what, remark why = {}) {
        perdure_command made = command(PERDURE_COMMAND_HOLD, what, why);
        made.object = hold;
        made.source = source;
        return post(made);
    }
    /// Part 0: all that is left.
    batch& release(const perdure_id& hold, std::int64_t part = 0, remark why = {}) {
        perdure_command made = command(PERDURE_COMMAND_RELEASE, {0, part}, why);
        made.object = hold;
        return post(made);
    }
    batch& capture(const perdure_id& hold, const perdure_id& target, std::int64_t part = 0,
                   remark why = {}) {
        perdure_command made = command(PERDURE_COMMAND_CAPTURE, {0, part}, why);
        made.object = hold;
        made.target = target;
        return post(made);
    }
    /// Until a moment of the wall clock, in nanoseconds; for ever unless told.
    batch& freeze(const perdure_id& target, std::uint64_t until = ~std::uint64_t{0},
                  remark why = {}) {
        perdure_command made = command(PERDURE_COMMAND_FREEZE, {}, why);
        made.target = target;
        made.until = until;
        return post(made);
    }
    batch& unfreeze(const perdure_id& target, remark why = {}) {
        perdure_command made = command(PERDURE_COMMAND_UNFREEZE, {}, why);
        made.target = target;
        return post(made);
    }
    /// An event that the plugin's manifest names. Payload is trivially copyable, its length a
    /// multiple of 8.
    template <class Payload>
    batch& event(std::uint16_t type, std::uint16_t version, const Payload& payload) {
        static_assert(std::is_trivially_copyable_v<Payload> && sizeof(Payload) % 8 == 0,
                      "a payload is copied as bytes, a multiple of 8");
        perdure_command made = command(PERDURE_COMMAND_EVENT, {}, {});
        made.event_type = type;
        made.event_version = version;
        made.payload = &payload;
        made.payload_bytes = sizeof payload;
        return post(made);
    }

    /// Interest for a stake's periods [from, to), the next ones, which have ended.
    batch& pay_stake(const perdure_id& stake, std::uint64_t from, std::uint64_t to) {
        perdure_command made = command(PERDURE_COMMAND_PAY_STAKE, {}, {0, from});
        made.object = stake;
        made.until = to;
        return post(made);
    }
    /// Tells why they cannot be paid.
    batch& refuse_stake(const perdure_id& stake, std::uint64_t to, std::uint32_t why) {
        perdure_command made = command(PERDURE_COMMAND_REFUSE_STAKE, {}, {why, 0});
        made.object = stake;
        made.until = to;
        return post(made);
    }

    template <class Value>
    batch& state_put(std::string_view key, const Value& value) {
        static_assert(std::is_trivially_copyable_v<Value> && !std::is_pointer_v<Value>,
                      "state is copied as bytes; use state_put_text() for text");
        ledger_.put(key, &value, sizeof value);
        return *this;
    }
    batch& state_put_text(std::string_view key, std::string_view value) {
        ledger_.put(key, value.data(), value.size());
        return *this;
    }
    batch& state_erase(std::string_view key) {
        ledger_.erase(key);
        return *this;
    }

    /// In on_tick the number of this commit in the window, from 0; in on_events the LSN up to which
    /// everything is done. Throws refused: nothing has changed then.
    perdure_receipt commit(std::uint64_t position) {
        perdure_receipt receipt{};
        const status answer = try_commit(position, receipt);
        if (answer == status::ok) return receipt;
        throw refused(answer, receipt.refused == ~std::uint64_t{0}
                                  ? "commit"
                                  : "command " + std::to_string(receipt.refused));
    }

    /// The same, answering what it would throw; `receipt` says which command was refused.
    status try_commit(std::uint64_t position, perdure_receipt& receipt) {
        receipt = {};
        receipt.size = sizeof receipt;
        receipt.refused = ~std::uint64_t{0};
        const status answer = ledger_.try_commit(position, receipt);
        done_ = answer == status::ok;
        return answer;
    }

  private:
    class ledger_service : public sdk::service<perdure_ledger_1> {
      public:
        using service::service;
        void begin() const { sdk::check(call(&perdure_ledger_1::begin), "begin"); }
        void post(const perdure_command& one) const {
            sdk::check(call(&perdure_ledger_1::post, &one, std::uint64_t{1}), "post");
        }
        void put(std::string_view key, const void* value, std::uint64_t bytes) const {
            sdk::check(call(&perdure_ledger_1::state_put, key.data(), key.size(), value, bytes),
                       "state_put");
        }
        void erase(std::string_view key) const {
            sdk::check(call(&perdure_ledger_1::state_erase, key.data(), key.size()), "state_erase");
        }
        [[nodiscard]] status try_commit(std::uint64_t position, perdure_receipt& receipt) const {
            return static_cast<status>(call(&perdure_ledger_1::commit, position, &receipt));
        }
        void abort() const noexcept {
            if (calls().abort != nullptr) calls().abort(calls().context);
        }
    };

    static perdure_command command(std::uint32_t kind, money what, remark why) noexcept {
        perdure_command made{};
        made.size = sizeof made;
        made.kind = kind;
        made.asset = what.asset;
        made.amount = what.amount;
        made.reason = why.reason;
        made.reference = why.reference;
        return made;
    }
    batch& post(const perdure_command& one) {
        ledger_.post(one);
        return *this;
    }

    ledger_service ledger_;
    bool done_ = false;
};

}  // namespace perdure
