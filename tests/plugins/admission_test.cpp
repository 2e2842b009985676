// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/host/admission.hpp: a batch is committed whole, once, by the present instance,
// within its grants; whatever else is sent changes nothing. Planted bugs in brackets.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/plugins/stage.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using plugins::batch_writer;

struct at_desk : stage {
    batch_writer writer;

    plugins::batch_origin origin() {
        const auto& g = in.region().geometry();
        return {{g.world[0], g.world[1]}, key_of(plugin), call.generation, call.window};
    }
    static perdure_command transfer(account_id from, account_id to, amount value) {
        perdure_command made{};
        made.size = sizeof made;
        made.kind = PERDURE_COMMAND_TRANSFER;
        made.source = {from.high, from.low};
        made.target = {to.high, to.low};
        made.amount = value;
        made.asset = gold.value;
        return made;
    }
    static perdure_command mint(account_id to, amount value) {
        auto made = transfer({}, to, value);
        made.kind = PERDURE_COMMAND_MINT;
        return made;
    }
    plugins::commit_answer send(const std::vector<perdure_command>& commands,
                                std::uint64_t position) {
        writer.clear();
        for (const auto& each : commands) BOOST_TEST_REQUIRE(writer.add(each).has_value());
        return desk.commit(by, call, writer.finish(origin(), position));
    }
    /// Nothing has changed, whatever was answered.
    void expect_refused(const plugins::commit_answer& answer, errc why) {
        BOOST_TEST(name(answer.refusal) == name(why));
        BOOST_TEST(answer.lsn == 0U);
        BOOST_TEST(gold_of(bank) == 1'000'000);
        BOOST_TEST(gold_of(player(0)) == 1000);
        BOOST_TEST(gold_of(player(1)) == 1000);
        BOOST_TEST(supply() == 8 * 1000 + 1'000'000);
        BOOST_TEST(row().done == 0U);
    }
};

BOOST_FIXTURE_TEST_CASE(a_batch_is_committed_once_however_often_it_is_sent, at_desk) {
    const auto first = send({transfer(bank, player(0), 5), transfer(bank, player(1), 7)}, 0);
    BOOST_TEST(name(first.refusal) == name(errc{}));
    BOOST_TEST(!first.repeated);
    BOOST_TEST(first.lsn != 0U);
    for (int again = 0; again < 3; ++again) {
        const auto repeated = send({transfer(bank, player(0), 5)}, 0);  // [position_ignored]
        BOOST_TEST(repeated.repeated);
        BOOST_TEST(repeated.lsn == 0U);
    }
    BOOST_TEST(gold_of(player(0)) == 1005);
    BOOST_TEST(gold_of(player(1)) == 1007);
    BOOST_TEST(row().done == 1U);
    // The next position and the next window are others.
    BOOST_TEST(!send({transfer(bank, player(0), 5)}, 1).repeated);
    BOOST_TEST(desk.finish(by, call).has_value());
    call.window = 1;
    BOOST_TEST(!send({transfer(bank, player(0), 5)}, 0).repeated);
    BOOST_TEST(gold_of(player(0)) == 1015);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_FIXTURE_TEST_CASE(positions_are_taken_in_order_and_in_their_window, at_desk) {
    expect_refused(send({transfer(bank, player(0), 5)}, 1), errc::out_of_step);
    expect_refused(send({transfer(bank, player(0), 5)}, ~0ULL), errc::out_of_step);
    call.window = 1;
    expect_refused(send({transfer(bank, player(0), 5)}, 0), errc::out_of_step);
    call.window = 0;
    BOOST_TEST(desk.finish(by, call).has_value());
    // The window is finished: what was left of it comes too late.
    expect_refused(send({transfer(bank, player(0), 5)}, 0), errc::out_of_step);
    BOOST_TEST((desk.finish(by, call) == result<>(errc::out_of_step)));
}

BOOST_FIXTURE_TEST_CASE(an_instance_that_was_replaced_commits_nothing, at_desk) {
    auto old = call;
    activate(2);
    call = old;
    expect_refused(send({transfer(bank, player(0), 5)}, 0), errc::stale_generation);
    BOOST_TEST((desk.finish(by, call) == result<>(errc::stale_generation)));
    // One that lies about its generation is no better.
    call.generation = 2;
    writer.clear();
    BOOST_TEST(writer.add(transfer(bank, player(0), 5)).has_value());
    auto lie = origin();
    lie.generation = 1;
    expect_refused(desk.commit(by, call, writer.finish(lie, 0)), errc::stale_generation);
    // A plugin that is gone, or was told to stop.
    static_cast<void>(by.write([&](tx& now) -> result<> {
                            auto* at = PERDURE_TRY(registry.edit(now, plugin));
                            at->state = static_cast<std::uint32_t>(plugins::plugin_state::disabled);
                            return {};
                        }).value());
    expect_refused(send({transfer(bank, player(0), 5)}, 0), errc::stale_generation);
}

BOOST_FIXTURE_TEST_CASE(what_was_not_granted_is_refused, at_desk) {
    const auto refused = [&](const perdure_command& what, errc why) {
        const auto answer = send({transfer(bank, player(0), 5), what}, 0);
        expect_refused(answer, why);
        BOOST_TEST(answer.refused == 1U);
    };
    refused(transfer(player(0), player(1), 5), errc::not_granted);  // [grant_ignored]
    refused(transfer(treasury, player(1), 5), errc::not_granted);
    auto command = transfer({}, player(0), 0);
    command.kind = PERDURE_COMMAND_FREEZE;
    command.asset = 0;
    command.until = 1;
    refused(command, errc::not_granted);
    command = mint(player(0), 5);
    command.asset = asset_id::of("silver").value;
    refused(command, errc::not_granted);
    command = transfer(bank, {}, 0);
    command.kind = PERDURE_COMMAND_EVENT;
    command.source = {};
    command.asset = 0;
    command.event_type = static_cast<std::uint16_t>(event_type::minted);
    command.event_version = 2;
    refused(command, errc::not_granted);
}

BOOST_FIXTURE_TEST_CASE(minting_is_counted_by_the_window_whatever_dies, at_desk) {
    BOOST_TEST(send({mint(player(0), 60)}, 0).refused == plugins::commit_answer::none);
    const auto more = send({mint(player(0), 41)}, 1);  // [allowance_ignored]
    BOOST_TEST(name(more.refusal) == "grant_exceeded");
    BOOST_TEST(more.refused == 0U);
    // Another instance goes on with the same window, and the same allowance.
    activate(2);
    BOOST_TEST(name(send({mint(player(0), 41)}, 1).refusal) == "grant_exceeded");
    BOOST_TEST(name(send({mint(player(0), 40)}, 1).refusal) == name(errc{}));
    BOOST_TEST(gold_of(player(0)) == 1100);
    BOOST_TEST(desk.finish(by, call).has_value());
    call.window = 1;
    BOOST_TEST(name(send({mint(player(0), 100)}, 0).refusal) == name(errc{}));
    BOOST_TEST(name(send({mint(player(0), 1)}, 1).refusal) == "grant_exceeded");
    BOOST_TEST(supply() == 8 * 1000 + 1'000'000 + 200);
    BOOST_TEST(in.verify(by).conserved);
}

BOOST_FIXTURE_TEST_CASE(commands_with_stray_or_missing_fields_are_refused, at_desk) {
    const auto expect = [&](perdure_command what, errc why) {
        expect_refused(send({what}, 0), why);
    };
    auto command = transfer(bank, player(0), 5);
    command.object.low = 1;
    expect(command, errc::bad_command);
    command = transfer(bank, player(0), 5);
    command.target = {};
    expect(command, errc::bad_command);
    command = transfer(bank, player(0), 5);
    command.until = 1;
    expect(command, errc::bad_command);
    command = transfer(bank, player(0), 5);
    command.source.low |= 1ULL << 40;
    expect(command, errc::bad_command);
    expect(transfer(bank, player(0), 0), errc::bad_command);
    expect(transfer(bank, player(0), -5), errc::bad_amount);
    expect(transfer(bank, player(0), 1'000'001), errc::insufficient_funds);
    expect(transfer(bank, account_id::of(std::uint64_t{77}), 1), errc::unknown_account);
}

BOOST_FIXTURE_TEST_CASE(holds_are_ended_by_whoever_made_them, at_desk) {
    auto hold = transfer(bank, {}, 50);
    hold.kind = PERDURE_COMMAND_HOLD;
    hold.object = {1, 2};
    auto capture = transfer({}, player(0), 20);
    capture.kind = PERDURE_COMMAND_CAPTURE;
    capture.object = {1, 2};
    capture.asset = 0;
    BOOST_TEST(name(send({hold, capture}, 0).refusal) == name(errc{}));
    BOOST_TEST(gold_of(player(0)) == 1020);
    // Somebody else's hold stays.
    BOOST_TEST(by.write([&](tx& now) {
                     return in.books().hold(now, {3, 4}, bank, gold, 10);
                 }).has_value());
    capture.object = {3, 4};
    capture.amount = 0;
    BOOST_TEST(name(send({capture}, 1).refusal) == "not_granted");
    auto release = transfer({}, {}, 0);
    release.kind = PERDURE_COMMAND_RELEASE;
    release.asset = 0;
    release.object = {1, 2};
    BOOST_TEST(name(send({release}, 1).refusal) == name(errc{}));
    BOOST_TEST(gold_of(bank) == 1'000'000 - 20 - 10);
}

BOOST_FIXTURE_TEST_CASE(state_and_effects_change_together_or_not_at_all, at_desk) {
    const auto bytes = [](std::string_view text) {
        return std::as_bytes(std::span(text.data(), text.size()));
    };
    writer.clear();
    BOOST_TEST(writer.put(bytes("at"), bytes("one")).has_value());
    BOOST_TEST(writer.add(transfer(bank, player(0), 5)).has_value());
    BOOST_TEST(name(desk.commit(by, call, writer.finish(origin(), 0)).refusal) == name(errc{}));
    BOOST_TEST(state("at") == "one");
    writer.clear();
    BOOST_TEST(writer.put(bytes("at"), bytes("two")).has_value());
    BOOST_TEST(writer.add(transfer(bank, player(0), 5'000'000)).has_value());
    BOOST_TEST(name(desk.commit(by, call, writer.finish(origin(), 1)).refusal) ==
               "insufficient_funds");
    BOOST_TEST(state("at") == "one");
    writer.clear();
    const std::string large(plugins::state_value_bytes_max, 'x');
    BOOST_TEST(writer.put(bytes("at"), bytes(large)).has_value());
    BOOST_TEST(name(desk.commit(by, call, writer.finish(origin(), 1)).refusal) == name(errc{}));
    BOOST_TEST(state("at") == large);
    writer.clear();
    BOOST_TEST(writer.erase(bytes("at")).has_value());
    BOOST_TEST(writer.erase(bytes("never there")).has_value());
    BOOST_TEST(name(desk.commit(by, call, writer.finish(origin(), 2)).refusal) == name(errc{}));
    BOOST_TEST(state("at") == "not_found");
    BOOST_TEST(in.verify(by).sound);
}

BOOST_FIXTURE_TEST_CASE(events_move_the_cursor_with_the_effects, at_desk) {
    call.kind = plugins::call_kind::events;
    call.last_lsn = 40;
    call.window = 0;
    BOOST_TEST(!send({transfer(bank, player(0), 5)}, 30).repeated);
    BOOST_TEST(row().cursor == 30U);
    BOOST_TEST(send({transfer(bank, player(0), 5)}, 30).repeated);
    BOOST_TEST(send({transfer(bank, player(0), 5)}, 12).repeated);
    BOOST_TEST(name(send({transfer(bank, player(0), 5)}, 41).refusal) == "out_of_step");
    BOOST_TEST(!send({transfer(bank, player(0), 5)}, 40).repeated);
    BOOST_TEST(gold_of(player(0)) == 1010);
    call.last_lsn = 50;
    BOOST_TEST(desk.pass(by, call).has_value());
    BOOST_TEST(row().cursor == 50U);
}

BOOST_FIXTURE_TEST_CASE(what_belongs_to_another_world_or_plugin_is_refused, at_desk) {
    writer.clear();
    BOOST_TEST(writer.add(transfer(bank, player(0), 5)).has_value());
    auto wrong = origin();
    wrong.world.high ^= 1;
    expect_refused(desk.commit(by, call, writer.finish(wrong, 0)), errc::foreign);
    wrong = origin();
    wrong.plugin.low ^= 1;
    expect_refused(desk.commit(by, call, writer.finish(wrong, 0)), errc::foreign);
}

BOOST_FIXTURE_TEST_CASE(garbage_changes_nothing, at_desk) {
    writer.clear();
    BOOST_TEST(writer.add(transfer(bank, player(0), 5)).has_value());
    const auto whole = writer.finish(origin(), 0);
    std::vector<std::byte> bytes(whole.begin(), whole.end());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        BOOST_TEST(name(desk.commit(by, call, bytes).refusal) == "garbled");
        bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    }
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        BOOST_TEST(name(desk.commit(by, call, std::span(bytes).first(cut)).refusal) == "garbled");
    }
    expect_refused({.refusal = errc::garbled}, errc::garbled);
}

}  // namespace
