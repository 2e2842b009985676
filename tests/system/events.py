#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: `events` prints every event once and in order, by name and scale, filtered, followed,
without a keeper and without write access, and ends well however it is ended; `explain` tells an
account's story as a naive history does.
"""
import json
import os
import random
import signal
import subprocess
import sys
from decimal import Decimal

import rig
from rig import claim, kept, made, refused, stop, transfers

PEOPLE = [f"p{i}" for i in range(12)]


def lines(answer):
    claim(answer.code == 0, "it ends well", answer)
    return [json.loads(line) for line in answer.out.splitlines()]


def played(place, count, seed=1):
    """A world with so many random transfers, and what was asked for."""
    world = made(place, "world", "--set", "region.capacity=128MiB", "--set", "region.ring=64KiB")
    chance = random.Random(seed)
    wanted = []
    for _ in range(count):
        source, target = chance.sample(PEOPLE, 2)
        wanted.append((source, target, Decimal(chance.randrange(1, 90000)) / 100))
    answer = transfers(place, world, [f"{s},{t},{a}" for s, t, a in wanted], "--asset", "gold")
    claim(answer.code == 0, "the transfers are played", answer)
    return world, wanted


def every_event_is_printed_once_in_order():
    with rig.Place() as place:
        world, wanted = played(place, 3000)
        seen = lines(rig.run("events", world, "--json", "--type", "transferred"))
        claim(len(seen) == len(wanted), "as many as were asked for", len(seen))
        lsns = [each["lsn"] for each in seen]
        claim(lsns == sorted(lsns), "in order")
        told = sorted((e["fields"]["source"], e["fields"]["target"], Decimal(e["fields"]["amount"]))
                      for e in seen)
        claim(told == sorted(wanted), "with names and amounts in the asset's scale")
        claim({e["fields"]["asset"] for e in seen} == {"gold"}, "and the asset's code")
        plain = rig.run("events", world, "--type", "transferred").out.splitlines()
        claim(len(plain) == len(seen) and " source=" in plain[0], "plain lines are as many", plain)

        late = lines(rig.run("events", world, "--json", "--from", lsns[1000]))
        claim(late[0]["lsn"] == lsns[1000], "it begins in the middle", late[:1])
        few = lines(rig.run("events", world, "--json", "--limit", 7))
        claim(len(few) == 7, "--limit is obeyed", few)
        his = lines(rig.run("events", world, "--json", "--account", "p3", "--type",
                            "transferred,minted", "--asset", "gold"))
        naive = sum("p3" in (s, t) for s, t, _ in wanted)
        claim(len([e for e in his if e["type"] == "transferred"]) == naive, "by account", len(his))
        claim(not lines(rig.run("events", world, "--json", "--asset", "silver")), "by asset")
        claim(not lines(rig.run("events", world, "--json", "--account", "@17")), "by number")


def it_works_where_nothing_may_be_written():
    with rig.Place() as place:
        world, wanted = played(place, 200)
        region = os.readlink(world / "region")
        before = (world / "MANIFEST").read_bytes()
        answer = subprocess.run(["strace", "-f", "-e", "trace=openat", rig.PERDURE, "events",
                                 str(world), "--json"], capture_output=True, text=True) \
            if os.access("/usr/bin/strace", os.X_OK) else None
        if answer:
            opened = [line for line in answer.stderr.splitlines() if region in line]
            claim(opened and all("O_RDWR" not in line for line in opened), "read-only", opened)
        claim(len(lines(rig.run("events", world, "--json", "--type", "transferred"))) ==
              len(wanted), "without a keeper")
        claim((world / "MANIFEST").read_bytes() == before, "and nothing is written")


def it_follows_until_it_is_told_to_stop():
    for how in (signal.SIGINT, signal.SIGTERM):
        with rig.Place() as place:
            world, _ = played(place, 20)
            keeper = kept(world)
            follower = rig.start("events", world, "--follow", "--json", "--type", "transferred",
                                 "--account", "p1", stdout=subprocess.PIPE)
            reader = rig.start("events", world, "--follow", "--from", "1", "--json",
                               stdout=subprocess.PIPE)
            claim(json.loads(reader.stdout.readline())["type"], "the second has begun")
            # The first may begin behind some of these: until it has seen one, there are more.
            os.set_blocking(follower.stdout.fileno(), False)
            first = ""
            turn = 0  # Each is another file: a line is played once.
            while not first:
                turn += 1
                answer = transfers(place, world, [f"p1,p2,{turn}"], "--asset", "gold")
                claim(answer.code == 0, "more is paid", answer)
                first = follower.stdout.readline()
            claim(json.loads(first)["fields"]["source"] == "p1", "it sees what is new", first)
            reader.stdout.close()  # Whoever reads goes first.
            follower.send_signal(how)
            claim(follower.wait(60) == 0, f"{how.name} ends it well")
            claim(reader.wait(60) == 0, "a closed pipe ends it well")
            claim(stop(keeper) == 0, "the keeper ends well", keeper.log)


def what_is_wrong_is_named():
    with rig.Place() as place:
        world, _ = played(place, 20)
        refused(rig.run("events", world, "--type", "flown"), 1, "flown", "transferred")
        refused(rig.run("events", world, "--account", "@x"), 2, "@x")
        refused(rig.run("explain", world, "nobody"), 1, "nobody")
        refused(rig.run("explain", world, "p1", "--asset", "silver"), 1, "silver")
        refused(rig.run("events", place / "nowhere"), 1, "nowhere")
        claim(rig.run("events", world, "--durable", "--applied").code == 2, "one of both")
        claim(rig.run("explain", world).code == 2, "an account is needed")


def explain_tells_what_a_naive_history_tells():
    with rig.Place() as place:
        world, wanted = played(place, 3000, seed=5)
        order = {}
        for each in lines(rig.run("events", world, "--json", "--type", "transferred")):
            fields = each["fields"]
            order.setdefault(each["lsn"], []).append(
                (fields["source"], fields["target"], Decimal(fields["amount"])))
        for name in PEOPLE[:4]:
            told = rig.run("explain", world, name, "--limit", 0, "--json").json()
            claim(len(told["balances"]) == 1, "it has one asset", told)
            gold = told["balances"][0]
            claim(gold["whole"], "it reaches back to the beginning")
            naive = []
            for lsn, moves in order.items():
                gained = sum(a if t == name else -a for s, t, a in moves if name in (s, t))
                if any(name in (s, t) for s, t, _ in moves):
                    naive.append((lsn, gained))
            changes = gold["changes"]
            seen = [(c["lsn"], Decimal(c["available"])) for c in changes]
            # The grant stands in the record of the account's first line.
            claim(seen[:-1] == naive[::-1][:-1], "the same changes, newest first", name)
            claim(seen[-1][0] == naive[0][0], "and the same beginning", seen[-1])
            balance = Decimal(gold["available"])
            claim(balance == sum(each for _, each in seen), "the changes add up", gold)
            for change in changes:
                claim(Decimal(change["available_after"]) == balance, "at each step", change)
                claim(change["events"], "each change has its events", change)
                balance -= Decimal(change["available"])
            claim(balance == 0, "from nothing")
            some = rig.run("explain", world, name, "--asset", "gold", "--limit", 3, "--json").json()
            claim(some["balances"][0]["changes"] == changes[:3], "--limit takes the newest", some)
            claim(not some["balances"][0]["whole"], "and says that there is more", some)


if __name__ == "__main__":
    sys.exit(rig.main([every_event_is_printed_once_in_order, it_works_where_nothing_may_be_written,
                       it_follows_until_it_is_told_to_stop, what_is_wrong_is_named,
                       explain_tells_what_a_naive_history_tells]))
