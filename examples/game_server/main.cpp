// SPDX-License-Identifier: Apache-2.0
//
// A game server that attaches to a world: opens players, lets them trade, pays one out.
// Kill it at any instant and start it again: no trade is half done, nobody is paid out twice.
#include <perdure/world.hpp>

#include <array>
#include <boost/describe.hpp>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace {

using namespace perdure;

constexpr std::array players{"alice", "bob", "carol", "dave"};
constexpr amount purse = 1'000;
constexpr amount payout = 50;

/// The game's own event: what `perdure events` shows, and consumers of the journal read.
struct order_paid_v1 {
    account_words player;
    std::uint64_t order;
    amount paid;
    std::uint32_t asset;
    std::uint32_t reserved;
};
BOOST_DESCRIBE_STRUCT(order_paid_v1, (), (player, order, paid, asset))
constexpr std::uint16_t order_paid = 1'000;  // Those below are Perdure's.

event_declaration declared_order_paid() {
    return declaration_of<order_paid_v1>("order_paid", event_type{order_paid}, 1).described();
}

asset_id gold() { return asset_id::of("gold"); }
asset_id sword() { return asset_id::of("sword"); }

/// True when it is done; "there already" is as good. Anything else is worth stopping for.
bool settled(const result<receipt>& done, const std::string& what) {
    if (done || done.error() == errc::exists) return true;
    std::cerr << what << ": " << name(done.error()) << ". " << remedy(done.error()) << '\n';
    return false;
}

/// Assets and players, each once: a second start finds them.
bool set_up(session& by, const ledger& books) {
    const account_id bank = account_id::of("bank");
    const auto founded = by.write([&](tx& in) -> result<> {
        PERDURE_TRY(books.open_account(in, "bank", account_kind::treasury));
        PERDURE_TRY(books.create_asset(in, "gold", 0, bank));
        PERDURE_TRY(books.create_asset(in, "sword", 0, bank));
        return {};
    });
    if (!settled(founded, "bank")) return false;
    for (const char* player : players) {
        const auto opened = by.write([&](tx& in) -> result<> {
            const account_id one =
                PERDURE_TRY(books.open_account(in, player, account_kind::player));
            PERDURE_TRY(books.mint(in, bank, one, gold(), purse));
            return books.mint(in, bank, one, sword(), 10);
        });
        if (!settled(opened, player)) return false;
    }
    return true;
}

/// A sword for gold: both change hands, or neither does, whoever dies meanwhile.
result<receipt> trade(session& by, const ledger& books, account_id buyer, account_id seller,
                      amount price) {
    return by.write([&](tx& in) -> result<> {
        PERDURE_TRY(books.transfer(in, buyer, seller, gold(), price));
        return books.transfer(in, seller, buyer, sword(), 1);
    });
}

/// Gold leaves the game. What leaves the machine may depend only on what survives power loss.
result<receipt> pay_out(world& in, session& by, account_id player, std::uint64_t order) {
    const shm::transaction_key key{player.high,
                                   order};  // The shop's order: paid once, however often.
    receipt earlier;
    const auto paid = by.write([&](tx& t) -> result<> {
        const auto before = PERDURE_TRY(in.books().once(t, key));
        if (before) return earlier = *before, result<>();
        PERDURE_TRY(in.books().burn(t, account_id::of("bank"), player, gold(), payout));
        const order_paid_v1 what{{player.high, player.low}, order, payout, gold().value, 0};
        t.event(order_paid, 1, std::as_bytes(std::span(&what, 1)));
        return {};
    });
    if (!paid) return paid;
    const receipt safe = paid->lsn != 0 ? *paid : earlier;
    PERDURE_TRY(in.wait(by, safe, durability::durable));
    return safe;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: game_server WORLD [TRADES]\nfirst: perdure init WORLD\n";
        return 2;
    }
    const long trades = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1000;
    try {
        world in = world::open(argv[1]);  // Attaches; recovers from the journal if it must.
        session by = in.join();
        const ledger& books = in.books();
        if (!set_up(by, books)) return 1;
        const event_declaration ours = declared_order_paid();
        if (!event_catalogue::open(by, {&ours, 1})) return 1;  // Finds it from the second time on.

        std::mt19937 dice(7);
        int done = 0;
        int refused = 0;
        for (long i = 0; i < trades; ++i) {
            const auto buyer = account_id::of(players[dice() % players.size()]);
            const auto seller = account_id::of(players[dice() % players.size()]);
            const auto paid = trade(by, books, buyer, seller, 1 + dice() % 20);
            paid ? ++done : ++refused;  // Too poor, no sword, or trading with oneself.
        }
        std::cout << done << " trades, " << refused << " refused\n";

        const auto paid = pay_out(in, by, account_id::of("alice"), 4711);
        if (!settled(paid, "payout")) return 1;
        std::cout << "alice is paid out: order 4711 is on disk\n";

        amount sum = 0;
        for (const char* player : players) {
            const auto held = by.read(
                [&](shm::view& v) { return books.balance(v, account_id::of(player), gold()); });
            sum += held.value();
            std::cout << player << " has " << held.value() << " gold\n";
        }
        std::cout << "together " << sum << '\n';
        return 0;
    } catch (const failure& why) {
        std::cerr << why.thing() << "\n  to do: " << why.todo() << '\n';
        return 1;
    }
}
