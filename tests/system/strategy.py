#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: what docs/operations.md promises of each checkpoint.strategy can be restored, by the
version of a save, its LSN, or any LSN between; what is gone is refused with what is kept; history
shows the versions. And an export with --consistent shows one moment beside writers.
"""
import json
import sys

import rig
from rig import claim, kept, made, refused, stop, transfers, verdict

SAVES = 4
LINES = 12_000  # Of each save: more than the smallest segment of the journal takes.


def a_life(place, strategy, *more):
    """A world with four full saves, journal between them: LSN and hash of each."""
    world = made(place, strategy, "--set", f"checkpoint.strategy={strategy}",
                 "--set", "journal.segment=1MiB", *more)
    saves = []
    for turn in range(SAVES):
        lines = [f"a{turn}-{i % 997},b{i % 89},1" for i in range(LINES)]
        answer = transfers(place, world, lines, name=f"{strategy}{turn}.csv")
        claim(answer.code == 0, "transfers are played", answer)
        told = rig.run("checkpoint", world, "--full", "--json").json()
        claim(told["version"] == turn + 1, "each save has a version", told)
        saves.append((told["lsn"], verdict(world)["image_hash"]))
    return world, saves


def restored(place, world, *point):
    """The answer, and what it leads to."""
    target = place / ("to-" + world.name + "-".join(map(str, point)))
    answer = rig.run("restore", world, "--to", target, "--json", *point)
    return answer, verdict(target) if answer.code == 0 else None


def expect(place, world, save, *point):
    answer, seen = restored(place, world, *point)
    claim(answer.code == 0, f"{world.name}: {point} is restored", answer)
    told = answer.json()["lsn"], seen["image_hash"]  # Its first opening adds a record of its own.
    claim(told == save, "and is that state", (point, seen, save))


def expect_sound(place, world, lsn):
    answer, seen = restored(place, world, "--lsn", lsn)
    # Who opens a world of its first records makes the tables that are not there yet.
    claim(answer.code == 0 and answer.json()["lsn"] == lsn and seen["verdict"] == "sound",
          f"{world.name}: LSN {lsn} is restored", (answer, seen))


def between(saves, first):
    return (saves[first][0] + saves[first + 1][0]) // 2


def versioned_has_every_save_by_its_version():
    with rig.Place() as place:
        world, saves = a_life(place, "versioned", "--set", "retention.checkpoints=2",
                              "--set", "retention.age=1s")
        for number, save in enumerate(saves, 1):
            expect(place, world, save, "--checkpoint", f"v{number}")
        expect(place, world, saves[1], "--checkpoint", saves[1][0])
        expect_sound(place, world, between(saves, 0))
        refused(rig.run("restore", world, "--to", place / "no", "--checkpoint", "v9"), 1,
                "no checkpoint v9", f"v4 (LSN {saves[3][0]})")


def event_sourced_has_every_record_from_the_first():
    with rig.Place() as place:
        world, saves = a_life(place, "event_sourced")
        files = list((world / "checkpoints").glob("*.pcp"))
        claim(len(files) == 2, "two checkpoints are there, to be quick", files)
        for lsn, image in saves:
            expect(place, world, (lsn, image), "--lsn", lsn)
        expect_sound(place, world, 7)
        refused(rig.run("restore", world, "--to", place / "no", "--checkpoint", "v1"), 1,
                "no checkpoint v1")


def hybrid_has_any_record_behind_the_oldest_that_is_kept():
    with rig.Place() as place:
        world, saves = a_life(place, "hybrid", "--set", "retention.checkpoints=2")
        expect_sound(place, world, between(saves, 2))
        expect(place, world, saves[2], "--checkpoint", "v3")
        refused(rig.run("restore", world, "--to", place / "no", "--checkpoint", "v1"), 1,
                "no checkpoint v1")
        refused(rig.run("restore", world, "--to", place / "no", "--lsn", between(saves, 0)), 1,
                str(saves[2][0]))


def snapshot_only_has_moments_and_not_what_lies_between():
    with rig.Place() as place:
        world, saves = a_life(place, "snapshot_only", "--set", "retention.checkpoints=4")
        for number, save in enumerate(saves, 1):
            expect(place, world, save, "--checkpoint", f"v{number}")
        refused(rig.run("restore", world, "--to", place / "no", "--lsn", between(saves, 0)), 1,
                str(saves[0][0]))
        expect_sound(place, world, between(saves, 2))


def history_shows_which_version_a_save_is():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        for turn in range(2):
            transfers(place, world, [f"a{turn},b,1"], name=f"{turn}.csv")
            rig.run("checkpoint", world)
        claim(stop(keeper) == 0, "it stops")
        seen = rig.run("history", world, "--json").json()["checkpoints"]
        claim([each["version"] for each in seen] == list(range(len(seen), 0, -1)), "in JSON", seen)
        plain = rig.run("history", world)
        claim(f"v1, LSN {seen[-1]['lsn']}, full" in plain.out, "people read it", plain)


def a_consistent_export_adds_up_beside_writers():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        lines = [f"a{i % 997},b{i % 89},1" for i in range(60_000)]
        file = place / "many.csv"
        file.write_text("from,to,amount\n" + "".join(line + "\n" for line in lines))
        writer = rig.start("import", "transfers", world, file, "--columns",
                           "from=from,to=to,amount=amount", "--scale", 2)
        moments = set()
        while writer.poll() is None or not moments:
            target = place / "now.json"
            answer = rig.run("export", world, "assets", "balances", "--format", "json",
                             "--consistent", "--to", target, "--json")
            if answer.code != 0 and not moments:
                continue  # Its tables are just being made.
            claim(answer.code == 0, "it is exported", answer)
            told = answer.json()
            claim(told["lsn_from"] == told["lsn_to"], "as of one moment", told)
            seen = json.loads(target.read_text())["tables"]
            have = sum(int(each["available"]) + int(each["held"]) for each in seen["balances"])
            claim(have == sum(int(each["supply"]) for each in seen["assets"]), "it adds up",
                  (told, have))
            moments.add(told["lsn_to"])
        claim(writer.wait(60) == 0, "the writer did not mind")
        claim(len(moments) > 1, "the world went on", moments)
        claim(stop(keeper) == 0, "it stops")


CASES = [versioned_has_every_save_by_its_version, event_sourced_has_every_record_from_the_first,
         hybrid_has_any_record_behind_the_oldest_that_is_kept,
         snapshot_only_has_moments_and_not_what_lies_between,
         history_shows_which_version_a_save_is, a_consistent_export_adds_up_beside_writers]

if __name__ == "__main__":
    sys.exit(rig.main(CASES))
