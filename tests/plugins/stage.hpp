// SPDX-License-Identifier: Apache-2.0
//
// A world with gold, a bank and players, and one plugin in its registry whose calls are made by the
// test itself.
#pragma once

#include <cstdlib>
#include <fstream>
#include <perdure/plugins/host/instance.hpp>
#include <perdure/tests/core/scene.hpp>

namespace perdure::tests {

inline const account_id bank = account_id::of("bank");

/// What a plugin may in the tests that do not say otherwise.
inline plugins::capabilities usual_capabilities() {
    plugins::capabilities out;
    for (const auto* kind : {"transfer", "mint", "hold", "release", "capture", "event"}) {
        out.commands |= 1U << plugins::command_named(kind);
    }
    out.debit = {"bank"};
    out.read = {"balances", "accounts"};
    out.mint = {{"gold", 100}};
    return out;
}

class stage : public scene, public plugins::outlet {
  public:
    explicit stage(plugins::capabilities granted = usual_capabilities())
        : in(open_wide()),
          by(in.join()),
          registry(plugins::registry::open(by).value()),
          wants(std::move(granted)),
          desk(in, registry, plugins::grant::of(plugin, wants, in.events())) {
        found(in, by, 8, 1000);
        const auto laid = by.write([&](tx& now) -> result<> {
            const auto& books = in.books();
            PERDURE_TRY(books.open_account(now, "bank", account_kind::treasury));
            PERDURE_TRY(books.mint(now, treasury, bank, gold, 1'000'000));
            PERDURE_TRY(books.open_account(now, plugin, account_kind::plugin));
            const auto faucet = plugins::registry::faucet_name(plugin, "gold", faucet_kind::faucet);
            PERDURE_TRY(
                books.open_faucet(now, treasury, faucet, {faucet_kind::faucet, gold, plugin, 0}));
            return registry.load(now, {.id = id, .version = "1.0.0", .file = std::string(64, 'a')},
                                 0);
        });
        static_cast<void>(laid.value());
        activate(1);
    }

    world open_wide() {
        auto made = options();
        made.undo_bytes = 128ULL << 10;
        return world::open(directory(), made);
    }

    /// As the keeper does when an instance takes over.
    void activate(std::uint64_t generation) {
        static_cast<void>(by.write([&](tx& now) -> result<> {
                                auto* row = PERDURE_TRY(registry.edit(now, plugin));
                                row->generation = generation;
                                row->state =
                                    static_cast<std::uint32_t>(plugins::plugin_state::active);
                                registry.tell(now, *row, {plugins::plugin_step::activated});
                                return {};
                            }).value());
        call.generation = generation;
    }

    plugins::plugin_row row() {
        return by.read([&](view& seen) { return registry.row(seen, plugin); }).value();
    }
    amount gold_of(account_id account) { return balance_of(in, by, account).value(); }
    amount supply() {
        return by.read([&](view& seen) { return in.books().asset(seen, gold); }).value().supply;
    }
    std::string state(std::string_view key) {
        const auto found = by.read([&](view& seen) {
            return registry.state(seen, plugin, std::as_bytes(std::span(key.data(), key.size())));
        });
        if (!found) return std::string(name(found.error()));
        return {reinterpret_cast<const char*>(found->data()), found->size()};
    }

    plugins::commit_answer commit(std::span<const std::byte> batch) override {
        ++commits;
        return desk.commit(by, call, batch);
    }
    void log(std::uint32_t /*level*/, std::string_view text) override { lines.emplace_back(text); }
    void count(std::string_view name, std::int64_t more) override {
        counts[std::string(name)] += more;
    }
    [[nodiscard]] bool has_line(std::string_view part) const {
        return std::ranges::any_of(
            lines, [&](const std::string& line) { return line.find(part) != std::string::npos; });
    }

    const std::string id = "org.example.sample";
    const account_id plugin = plugins::registry::account_of(id);
    world in;
    session by;
    plugins::registry registry;
    plugins::capabilities wants;
    plugins::admission desk;
    plugins::plugin_call call{.kind = plugins::call_kind::tick, .to_ns = 1000};
    std::vector<std::string> lines;
    std::map<std::string, std::int64_t> counts;
    int commits = 0;
};

}  // namespace perdure::tests
