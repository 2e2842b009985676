// SPDX-License-Identifier: Apache-2.0
//
// Programmes: how the tables of stakes are found or made, and the terms that stakes are made under.
#include <perdure/core/purse.hpp>
#include <perdure/core/stake.hpp>
#include <perdure/core/stake_event_format.hpp>
#include <perdure/shm/described.hpp>

namespace perdure {
namespace {

shm::schema programme_schema() { return shm::schema_of<programme_row>("programmes"); }

shm::schema stake_schema() { return shm::schema_of<stake_row>("stakes"); }

/// Who pays, as a programme's row says it.
struct funding {
    yield_funding kind;
    shm::row_key source;
};

/// Errors: as stakes::open_programme.
result<funding> funding_of(tx& by, const ledger& books, const programme_terms& terms) noexcept {
    if (const auto* treasury = std::get_if<account_id>(&terms.from)) {
        PERDURE_TRY(books.account(by, *treasury));
        return funding{yield_funding::treasury, key_of(*treasury)};
    }
    const auto id = std::get<faucet_id>(terms.from);
    const auto faucet = PERDURE_TRY(books.faucet(by, id));
    if (faucet.kind != static_cast<std::uint32_t>(faucet_kind::faucet) ||
        faucet.asset != terms.asset.value) {
        return errc::wrong_faucet;
    }
    if (!(faucet.authority == words_of(terms.authority))) return errc::not_authorised;
    return funding{yield_funding::faucet, key_of(id)};
}

}  // namespace

result<stakes> stakes::open(shm::session& by, const ledger& books, const world_clock& time) {
    PERDURE_TRY(shm::open_table(by, programme_schema()));
    PERDURE_TRY(shm::open_table(by, stake_schema()));
    return find(by.where(), books, time);
}

result<stakes> stakes::find(shm::region& where, const ledger& books, const world_clock& time) {
    stake_tables numbers;
    numbers.programmes = PERDURE_TRY(shm::find_table(where, programme_schema()));
    numbers.stakes = PERDURE_TRY(shm::find_table(where, stake_schema()));
    return stakes(numbers, books, time);
}

std::vector<shm::schema> stakes::schemas() { return {programme_schema(), stake_schema()}; }

result<programme_id> stakes::open_programme(tx& by, std::string_view name,
                                            const programme_terms& terms) const noexcept {
    if (name.empty() || name.size() > sizeof(programme_row::name)) return errc::unknown_programme;
    if (!is_allowed(terms.yield)) return errc::bad_setting;
    const auto unit = PERDURE_TRY(books_.asset(by, terms.asset));
    if ((unit.flags & unique) != 0) return errc::serial_required;
    PERDURE_TRY(books_.account(by, terms.authority));
    const auto from = PERDURE_TRY(funding_of(by, books_, terms));
    const auto id = programme_id::of(name);
    const auto there = shm::find_row(by, tables_.programmes, key_of(id));
    if (there || there.error() != errc::not_found) return there ? errc::exists : there.error();
    std::array<char, 40> title{'e', 's', 'c', 'r', 'o', 'w', '/'};
    std::memcpy(title.data() + 7, name.data(), name.size());
    const auto escrow = PERDURE_TRY(books_.open_account(
        by, std::string_view(title.data(), 7 + name.size()), account_kind::escrow));
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.programmes, key_of(id)));
    auto* row = reinterpret_cast<programme_row*>(taken.copy);
    row->name = text_of<sizeof(programme_row::name)>(name);
    row->asset = terms.asset.value;
    row->method = static_cast<std::uint32_t>(terms.yield.method);
    row->state = static_cast<std::uint32_t>(programme_state::open);
    row->funding = static_cast<std::uint32_t>(from.kind);
    row->apy_ppb = terms.yield.apy_ppb;
    row->growth = growth_of(terms.yield);
    row->period_ns = terms.yield.period_ns;
    row->year_ns = terms.yield.year_ns;
    row->authority = words_of(terms.authority);
    row->source = from.source;
    row->escrow = words_of(escrow);
    emit(by, event_type::programme_opened, 1,
         programme_opened_v1{row->key, row->name, row->asset, row->method, row->funding, 0,
                             row->apy_ppb, row->growth, row->period_ns, row->year_ns,
                             row->authority, row->source, row->escrow});
    return id;
}

/// Errors: unknown_programme, not_authorised, programme_closed.
result<programme_row*> stakes::edit_open(tx& by, account_id authority,
                                         programme_id programme) const noexcept {
    const auto there = shm::edit_key<programme_row>(by, tables_.programmes, key_of(programme));
    if (!there) return there.error() == errc::not_found ? errc::unknown_programme : there.error();
    if (!((*there)->authority == words_of(authority))) return errc::not_authorised;
    if ((*there)->state != static_cast<std::uint32_t>(programme_state::open)) {
        return errc::programme_closed;
    }
    return *there;
}

result<> stakes::close_programme(tx& by, account_id authority,
                                 programme_id programme) const noexcept {
    auto* row = PERDURE_TRY(edit_open(by, authority, programme));
    const auto now_ns = PERDURE_TRY(time_.read(by)).world_ns;
    row->state = static_cast<std::uint32_t>(programme_state::closed);
    row->closed_ns = now_ns;
    emit(by, event_type::programme_closed, 1,
         programme_closed_v1{row->key, now_ns, words_of(authority)});
    return {};
}

result<> stakes::set_rate(tx& by, account_id authority, programme_id programme,
                          std::uint64_t apy_ppb) const noexcept {
    auto* row = PERDURE_TRY(edit_open(by, authority, programme));
    const yield_terms terms{apy_ppb, row->period_ns, row->year_ns,
                            static_cast<yield_method>(row->method)};
    if (!is_allowed(terms)) return errc::bad_setting;
    row->apy_ppb = apy_ppb;
    row->growth = growth_of(terms);
    emit(by, event_type::programme_set, 1,
         programme_set_v1{row->key, row->apy_ppb, row->growth, words_of(authority)});
    return {};
}

}  // namespace perdure
