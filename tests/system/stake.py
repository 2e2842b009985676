#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: perdure stake opens programmes, takes stakes in and gives them back, foretells what will
be due to the minor unit, survives a reboot, and answers refusals with cause and remedy.
"""
import sys

import rig
from rig import claim, drop_region, made, refused, verdict


def done(*words):
    answer = rig.run("stake", *words)
    claim(answer.code == 0, "it is done", answer)
    return answer


def bazaar(place, *more):
    """A world with a bank and two people, and a programme of 5 % a year."""
    world = made(place)
    file = place / "accounts.csv"
    file.write_text("name,balance\nbank,1000\nalice,5000\nbob,20\n")
    answer = rig.run("import", "accounts", world, file, "--scale", 2, "--asset", "gold",
                     "--columns", "name=name,balance=balance")
    claim(answer.code == 0, "accounts are opened", answer)
    done("open-programme", world, "vault", "--asset", "gold", "--apy", "5", "--treasury", "bank",
         "--authority", "bank", *more)
    return world


def due(world, span):
    told = done("due", world, "--in", span, "--json").json()["due"]
    return {each["account"]: each["amount"] for each in told}


def what_will_be_due_is_foretold_to_the_minor_unit():
    with rig.Place() as place:
        world = bazaar(place)
        done("stake", world, "vault", "alice", "1000")
        done("stake", world, "vault", "bob", "20.00", "--number", "7")
        claim(due(world, "0s") == {}, "nothing yet")
        claim(due(world, "1d") == {"alice": "0.13", "bob": "0.00"}, "a day", due(world, "1d"))
        claim(due(world, "365d") == {"alice": "50.00", "bob": "1.00"}, "a year")
        claim(due(world, "730d") == {"alice": "100.00", "bob": "2.00"}, "two years")
        shown = done("due", world, "--in", "365d").out
        claim("vault  alice #1  50.00 gold  365 periods" in shown, "for people", shown)
        before = verdict(world)["state_hash"]
        drop_region(world)
        claim(verdict(world)["state_hash"] == before, "it survives a reboot")
        claim(due(world, "365d")["alice"] == "50.00", "and pays the same")


def compound_interest_of_whole_years_is_the_rate():
    with rig.Place() as place:
        world = bazaar(place, "--compound", "--period", "1h")
        done("stake", world, "vault", "alice", "1000")
        claim(due(world, "365d") == {"alice": "50.00"}, "a year")
        claim(due(world, "730d") == {"alice": "102.50"}, "two years")
        claim(due(world, "1095d") == {"alice": "157.62"}, "three", due(world, "1095d"))


def units_come_back_in_parts():
    with rig.Place() as place:
        world = bazaar(place)
        done("stake", world, "vault", "alice", "1000")
        part = done("unstake", world, "vault", "alice", "--part", "250.50", "--json").json()
        claim(part["received"] == "250.50", "a part", part)
        listed = done("list", world, "--json").json()
        claim(listed["stakes"][0]["principal"] == "749.50", "the rest stays", listed)
        claim(listed["programmes"][0]["staked"] == "749.50", "in all", listed)
        claim("749.50 gold came back" in done("unstake", world, "vault", "alice").out, "the rest")
        claim(done("list", world, "--json").json()["stakes"] == [], "none is left")
        done("set-rate", world, "vault", "--apy", "4.25", "--authority", "bank")
        done("close-programme", world, "vault", "--authority", "bank")
        shown = done("list", world).out
        claim("4.2500000 % simple each 1d" in shown and "closed" in shown, "for people", shown)
        told = rig.run("events", world, "--json").out
        for event in ("programme_opened", "staked", "unstaked", "programme_set",
                      "programme_closed"):
            claim(f'"type":"{event}"' in told, f"{event} is told", told)
        paid = done("pay", world, "--json").json()
        claim(paid == {"stakes": 0, "periods": 0, "paid": {}, "refused": []}, "no stakes", paid)


def refusals_say_what_to_do():
    with rig.Place() as place:
        world = bazaar(place)
        done("stake", world, "vault", "alice", "10")
        before = verdict(world)["image_hash"]

        def refuses(reason, *words, code=1):
            refused(rig.run("stake", *words), code, reason)

        opening = ["open-programme", world, "more", "--asset", "gold", "--authority", "bank"]
        refuses("who pays", *opening, "--apy", "5", code=2)
        refuses("who pays", *opening, "--apy", "5", "--treasury", "bank", "--faucet", "f", code=2)
        refuses("no percentage", *opening, "--apy", "x", "--treasury", "bank", code=2)
        refuses("no length of time", *opening, "--apy", "5", "--treasury", "bank", "--period",
                "soon", code=2)
        refuses("bad_setting", *opening, "--apy", "10001", "--treasury", "bank", code=2)
        refuses("unknown_account", *opening, "--apy", "5", "--treasury", "nobody")
        refuses("unknown_faucet", *opening, "--apy", "5", "--faucet", "none")
        refuses("exists", "stake", world, "vault", "alice", "10")
        refuses("unknown_programme", "stake", world, "cellar", "alice", "10")
        refuses("insufficient_funds", "stake", world, "vault", "bob", "20.01")
        refuses("bad_amount", "stake", world, "vault", "bob", "0")
        refuses("bad_amount", "stake", world, "vault", "bob", "much")
        refuses("same_account", "stake", world, "vault", "bank", "1")
        refuses("unknown_stake", "unstake", world, "vault", "bob")
        refuses("insufficient_funds", "unstake", world, "vault", "alice", "--part", "10.01")
        refuses("not_authorised", "close-programme", world, "vault", "--authority", "alice")
        claim(verdict(world)["image_hash"] == before, "nothing changed")
        answer = rig.run("stake", "unstake", world, "vault", "bob", "--json")
        claim(answer.json()["error"]["reason"] == "unknown_stake", "as JSON too", answer)


CASES = [what_will_be_due_is_foretold_to_the_minor_unit,
         compound_interest_of_whole_years_is_the_rate, units_come_back_in_parts,
         refusals_say_what_to_do]

if __name__ == "__main__":
    sys.exit(rig.main(CASES))
