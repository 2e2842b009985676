#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: where a world's journal begins late, because retention took its oldest segments or
because the world was restored, `events` begins with what is kept and says so, a wish for more is
refused with the first LSN there is, and `explain` tells what is kept and what the balance was
before that; `diff` calls accounts, assets and amounts by the names that `query` uses, and only
counts bookkeeping.
"""
import json
import sys
from decimal import Decimal

import rig
from rig import claim, made, refused, transfers, verdict

SAVES = 4
LINES = 12_000  # Of each save: more than the smallest segment of the journal takes.
SMALL = ("--set", "region.capacity=128MiB", "--set", "region.ring=64KiB")


def done(*words):
    answer = rig.run(*words)
    claim(answer.code == 0, f"{' '.join(map(str, words))} is done", answer)
    return answer


def told(*words):
    return done(*words, "--json").json()


def lines(*words):
    return [json.loads(line) for line in done(*words, "--json").out.splitlines()]


def first_kept(world):
    """By the names of the journal's files."""
    return min(int(each.name.split(".")[0]) for each in (world / "journal").iterdir()
               if each.name[:20].isdigit())


def forgetful(place):
    """A world that has dropped its oldest segments, and the LSN of the oldest checkpoint it keeps.
    The others are paid in each quarter of it; "early" only in the first."""
    world = made(place, "world", *SMALL, "--set", "checkpoint.strategy=hybrid", "--set",
                 "journal.segment=1MiB", "--set", "retention.checkpoints=2")
    saves = []
    for turn in range(SAVES):
        paid = [f"a{turn}-{i % 997},b{i % 89},1.25" for i in range(LINES)]
        if turn == 0:
            paid.append("a0-0,early,2.50")
        answer = transfers(place, world, paid, "--asset", "gold", name=f"{turn}.csv")
        claim(answer.code == 0, "transfers are played", answer)
        saves.append(told("checkpoint", world, "--full")["lsn"])
    claim(first_kept(world) > 1, "its first segments are gone", first_kept(world))
    return world, saves[-2]


def restored(place):
    """A world made of another's last state, with a few transfers of its own."""
    source = made(place, "source", *SMALL)
    answer = transfers(place, source, [f"a{i % 9},b{i % 7},1.25" for i in range(200)] +
                       ["a0,early,2.50"], "--asset", "gold", name="s.csv")
    claim(answer.code == 0, "transfers are played", answer)
    done("restore", source, "--to", place / "world", "--latest")
    world = place / "world"
    claim(verdict(world)["verdict"] == "sound", "it is opened")
    answer = transfers(place, world, [f"a{i % 9},b{i % 7},3.25" for i in range(20)], "--asset",
                       "gold", name="w.csv")
    claim(answer.code == 0, "and goes on", answer)
    claim(first_kept(world) > 200, "its journal begins late", first_kept(world))
    return world


def expect_events(world):
    first = first_kept(world)
    note = f"from LSN {first:,}: what was before is not kept"
    few = done("events", world, "--limit", 1)
    claim(few.err.count(note) == 1, "people are told where it begins", few)
    rows = few.out.splitlines()
    claim(len(rows) == 1 and int(rows[0].split()[0]) >= first, "with one event", few)
    every = done("events", world, "--json")
    claim("not kept" not in every.err, "programs have the LSNs", every.err)
    seen = lines("events", world)
    claim(seen == lines("events", world, "--from", first), "it is all that can be asked for",
          (seen[:1], first))
    claim(note not in done("events", world, "--from", first, "--limit", 1).err, "which is no loss")
    answer = rig.run("events", world, "--from", 1)
    refused(answer, 1, "history_gone", f"LSN {first}", f"--from {first}")
    claim(answer.out == "", "and nothing is printed instead", answer)
    refused(rig.run("events", world, "--from", 1, "--follow"), 1, f"--from {first}")
    return seen


def expect_story(world, account, seen):
    """`seen`: the events that are kept."""
    first = first_kept(world)
    story = told("explain", world, account, "--limit", 0)["balances"][0]
    claim(not story["whole"] and story["history_begins"] == first, "it says where it begins", story)
    changes = story["changes"]
    claim(all(each["lsn"] >= first for each in changes), "of what is kept", changes[-1:])
    gains = sum(Decimal(each["available"]) for each in changes)
    naive = sum(sign * Decimal(each["fields"]["amount"]) for each in seen
                for sign, role in ((1, "target"), (-1, "source"), (1, "account"))
                if each["type"] in ("transferred", "minted") and
                each["fields"].get(role) == account)
    claim(gains == naive, "all of that", (account, gains, naive))
    claim(Decimal(story["available_before"]) + gains == Decimal(story["available"]) and
          story["held_before"] == "0.00", "and what it had before", story["available_before"])
    plain = done("explain", world, account, "--limit", 0).out.splitlines()[-1].strip()
    claim(plain == f"older changes are not kept (before LSN {first:,}): they had come to "
          f"available {story['available_before']}, held 0.00", "people read the same", plain)
    return story


def retention_leaves_events_that_begin_late():
    with rig.Place() as place:
        world, _ = forgetful(place)
        seen = expect_events(world)
        last = [each for each in seen if each["type"] == "transferred"][-1]["fields"]
        claim(len(seen) >= LINES and last["source"].startswith(f"a{SAVES - 1}-"), "to the end",
              last)


def retention_leaves_stories_that_begin_late():
    with rig.Place() as place:
        world, known = forgetful(place)
        seen = lines("events", world)
        story = expect_story(world, "b7", seen)
        changes = story["changes"]
        claim(changes, "something is kept", story)
        # A moment that a checkpoint still knows lies on the story.
        then = {each["shown"]["account"]: each["shown"]["available"] for each in
                told("query", world, "balances", "--lsn", known, "--limit", 0)["rows"]}
        on = next((each["available_after"] for each in changes if each["lsn"] <= known),
                  story["available_before"])
        claim(on == then["b7"], "as a checkpoint knows it", (on, then["b7"]))
        some = told("explain", world, "b7", "--limit", 3)["balances"][0]
        claim(some["changes"] == changes[:3] and not some["whole"] and
              "history_begins" not in some, "--limit takes the newest", some)
        plain = done("explain", world, "b7", "--limit", 3).out
        claim(plain.endswith("… older changes: --limit 0\n"), "and says that there are more", plain)
        last = told("explain", world, "b7", "--limit", len(changes))["balances"][0]
        claim(last == story, "exactly as many as are kept are all", last["changes"][-1:])
        early = expect_story(world, "early", seen)
        claim(early["changes"] == [] and early["available_before"] == early["available"],
              "whoever had no change since has what he had", early)


def a_restored_world_tells_what_was_since():
    with rig.Place() as place:
        world = restored(place)
        seen = expect_events(world)
        claim(sum(each["type"] == "transferred" for each in seen) == 20, "its own", len(seen))
        for account in ("b3", "a4"):
            claim(expect_story(world, account, seen)["changes"], "some are its own", account)
        early = expect_story(world, "early", seen)
        claim(early["changes"] == [], "or none", early)
        answer = done("explain", world, "early", "--limit", 1)
        claim("older changes are not kept" in answer.out, "also with a limit", answer)


def a_world_that_has_just_been_restored_tells_that_nothing_is_kept():
    with rig.Place() as place:
        source = made(place, "source", *SMALL)
        claim(transfers(place, source, ["a,b,1.25"], "--asset", "gold").code == 0, "it is played")
        done("restore", source, "--to", place / "world", "--latest")
        world = place / "world"
        claim(verdict(world)["verdict"] == "sound", "it is opened")
        claim(not [e for e in lines("events", world) if e["type"] == "transferred"], "no events")
        story = told("explain", world, "b")["balances"][0]
        claim(story["changes"] == [] and story["available_before"] == story["available"] and
              story["history_begins"] > 1, "no changes, and it is said", story)


def a_whole_journal_is_told_as_ever():
    with rig.Place() as place:
        world = made(place, "world", *SMALL)
        claim(transfers(place, world, ["a,b,1.25"], "--asset", "gold").code == 0, "it is played")
        seen = done("events", world)
        claim(seen.out and "not kept" not in seen.err, "nothing is missing", seen)
        story = told("explain", world, "b")["balances"][0]
        claim(story["whole"] and "history_begins" not in story, "nor here", story)


def different(place):
    """A world, two moments of it, and what `query` shows of its balances at both."""
    world = made(place, "world", *SMALL)
    shown = []
    for turn in range(2):
        paid = [f"p{i % 5},p{i % 3 + 5},{turn + 1}.25" for i in range(60)] + [f"p0,n{turn},7.50"]
        answer = transfers(place, world, paid, "--asset", "gold", name=f"{turn}.csv")
        claim(answer.code == 0, "transfers are played", answer)
        lsn = told("checkpoint", world, "--full")["lsn"]
        rows = told("query", world, "balances", "--lsn", lsn, "--limit", 0)["rows"]
        shown.append((lsn, {each["shown"]["account"]: each["shown"] for each in rows}))
    return world, shown[0], shown[1]


def a_difference_bears_the_names_that_a_query_shows():
    with rig.Place() as place:
        world, (begin, then), (end, now) = different(place)
        words = ("diff", world, "--from", begin, "--to", end)
        plain = done(*words).out.splitlines()
        rows = told(*words)["tables"]["balances"]["rows"]
        wanted = {name for name in then if then[name]["available"] != now[name]["available"]}
        changed = {each["shown"]["account"]: each for each in rows if each["change"] == "changed"}
        claim(wanted and set(changed) == wanted, "whose balance it is", sorted(changed))
        for name, each in changed.items():
            was, has = then[name]["available"], now[name]["available"]
            claim(each["shown"]["available"] == [was, has] and each["shown"]["asset"] == "gold",
                  "names and amounts", each)
            claim([int(n) for n in each["fields"]["available"]] ==
                  [int(Decimal(n).scaleb(2)) for n in (was, has)], "beside what is stored", each)
            claim(len(each["name"]) == 32, "the key among it", each)
            claim(f"  changed  row {each['row']:<8} {name} gold; available {was} -> {has}" in
                  plain, "people read it", plain)
        came = [each for each in rows if each["change"] == "added"]
        claim([each["shown"]["account"] for each in came] == ["n1"], "who came", came)
        claim(came[0]["shown"]["available"] == now["n1"]["available"], "with what", came)
        claim(any(line.startswith("  added ") and line.endswith(" n1") for line in plain),
              "an account has its name", plain)
        assets = told(*words)["tables"]["assets"]["rows"][0]
        claim(assets["shown"]["asset"] == "gold" and "." in assets["shown"]["supply"][1],
              "an asset's supply has its scale", assets)


def a_difference_counts_bookkeeping():
    with rig.Place() as place:
        world, (begin, _), (end, _) = different(place)
        words = ("diff", world, "--from", begin, "--to", end)
        few, every = told(*words)["tables"], told(*words, "--limit", 0)["tables"]
        books = {"idempotency", "imports"} & set(every)
        claim(books, "there is some", list(every))
        for name in books:
            claim(few[name]["rows"] == [] and every[name]["rows"], "listed when all is wanted",
                  name)
            counts = ("added", "removed", "changed")
            claim([few[name][n] for n in counts] == [every[name][n] for n in counts] and
                  sum(every[name][n] for n in counts) == len(every[name]["rows"]),
                  "counted all the same", few[name])
        claim(few["balances"] == every["balances"], "the others are listed", few["balances"])
        plain = done(*words).out.splitlines()
        for name in books:
            at = next(i for i, line in enumerate(plain) if line.startswith(f"{name}: "))
            claim(plain[at + 1] == "  bookkeeping, only counted; --limit 0 shows its rows",
                  "people are told how to see them", plain)
        one = told(*words, "--limit", 1)["tables"]["balances"]
        claim(len(one["rows"]) == 1, "--limit is obeyed", one)


CASES = [retention_leaves_events_that_begin_late, retention_leaves_stories_that_begin_late,
         a_restored_world_tells_what_was_since,
         a_world_that_has_just_been_restored_tells_that_nothing_is_kept,
         a_whole_journal_is_told_as_ever, a_difference_bears_the_names_that_a_query_shows,
         a_difference_counts_bookkeeping]

if __name__ == "__main__":
    sys.exit(rig.main(CASES))
