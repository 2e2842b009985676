#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: restore touches nothing it has not made, leaves nothing when it is refused, takes over
what one that died has left; a point that is none is refused, and never means now; before an error
is before an event, the game's own too, or without a name the last state that was found sound;
nobody waits for a keeper that is stopped.
"""
import shutil
import signal
import subprocess
import sys
import time

import rig
from rig import claim, drop_region, kept, made, refused, stop, transfers, verdict


def a_world(place):
    """With two transfers, and a checkpoint between them."""
    world = made(place)
    for turn in range(2):
        lines = [f"a{turn},b{i},1.0{i}" for i in range(1, 6)]
        claim(transfers(place, world, lines, name=f"{turn}.csv").code == 0, "it has a history")
        claim(rig.run("checkpoint", world).code == 0, "and checkpoints")
    return world


def only_what_a_restore_has_made_is_taken_over():
    with rig.Place() as place:
        world = a_world(place)
        mine = place / "new.restoring"
        mine.mkdir()
        (mine / "precious").write_text("mine")
        words = ["restore", world, "--to", place / "new", "--latest"]
        refused(rig.run(*words), 1, "no restore has made it")
        claim((mine / "precious").read_text() == "mine", "it is as it was")
        claim(not (place / "new").exists(), "and nothing is there")
        shutil.rmtree(mine)
        mine.write_text("a file")
        refused(rig.run(*words), 1, "no restore has made it")
        mine.unlink()
        mine.mkdir()
        (mine / "precious").write_text("mine")
        (mine / "restoring").write_text("")  # As one that died leaves it.
        answer = rig.run(*words)
        claim(answer.code == 0 and not mine.exists(), "what a restore left is taken over", answer)
        claim(sorted(each.name for each in (place / "new").iterdir())
              == sorted(each.name for each in world.iterdir() if each.name != "region"
                        and not each.name.startswith("catalog")), "the new world is whole")


def a_directory_is_named_in_many_ways():
    with rig.Place() as place:
        world = a_world(place)
        answer = rig.run("restore", world, "--to", f"{place / 'slash'}//", "--latest")
        claim(answer.code == 0 and verdict(place / "slash")["verdict"] == "sound",
              "a slash at its end", answer)
        refused(rig.run("restore", world, "--to", "", "--latest"), 2, "names no directory")
        refused(rig.run("restore", world, "--to", place / "no" / "x", "--latest"), 1,
                str(place / "no"), "there is no such directory")
        claim(not list(place.path.glob("*.restoring")), "nothing is left")


def a_refused_swap_changes_nothing():
    with rig.Place() as place:
        world = a_world(place)
        keeper = kept(world)
        words = ["restore", world, "--to", place / "old", "--latest", "--swap"]
        refused(rig.run(*words), 1, "has it open")
        claim(not (place / "old").exists(), "nothing was restored under the old one's name")
        claim(stop(keeper) == 0, "it stops")
        claim(rig.run(*words).code == 0, "then the same line does it")


def a_point_that_is_none_never_means_now():
    with rig.Place() as place:
        world = a_world(place)
        for words in (["--lsn", 0], ["--lsn", -1]):
            answer = rig.run("query", world, "accounts", *words)
            claim(answer.code == 2 and "--lsn" in answer.err, f"{words}", answer)
        refused(rig.run("query", world, "accounts", "--at", ""), 2, "--at", "no time")
        for words in (["--from", ""], ["--from", 0], ["--from", "v1"], ["--from", 9, "--to", ""]):
            answer = rig.run("diff", world, *words)
            claim(answer.code == 2 and words[-2] in answer.err and "an LSN" in answer.err,
                  f"diff {words}", answer)
        refused(rig.run("diff", world, "--from", 9999999999), 1, "9999999999")


def what_is_printed_as_a_time_is_a_time():
    with rig.Place() as place:
        world = a_world(place)
        newest = rig.run("history", world, "--json").json()["checkpoints"][0]
        answer = rig.run("query", world, "accounts", "--at", newest["at"], "--json")
        claim(answer.code == 0 and len(answer.json()["rows"]) > 0, "with its fraction", answer)
        tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 100_000))
        claim(rig.run("query", world, "accounts", "--at", tomorrow).code == 0, "and a day")
        refused(rig.run("query", world, "accounts", "--at", "2001-01-01"), 1, "later than that")


def before_an_error_may_be_before_an_event_that_a_game_declares():
    with rig.Place() as place:
        world = made(place)
        answer = rig.run(world, 50, program=rig.GAME_SERVER)
        claim(answer.code == 0, "the example trades and pays out", answer)
        paid = rig.run("events", world, "--type", "order_paid", "--json").json()
        claim(paid["fields"]["player"] == "alice" and paid["fields"]["order"] == 4711,
              "which is an event of its own", paid)
        for name in ("order_paid", "1000"):
            told = rig.run("restore", world, "--to", place / name, "--before-error", name, "--json")
            claim(told.code == 0 and told.json()["lsn"] == paid["lsn"] - 1, f"by {name}", told)
        refused(rig.run("restore", world, "--to", place / "new", "--before-error", "order_pad"), 1,
                "order_pad", "unknown_event", "transferred, ", ", order_paid")
        drop_region(world)
        told = rig.run("restore", world, "--to", place / "files", "--before-error", "order_paid",
                       "--json")
        claim(told.code == 0 and told.json()["lsn"] == paid["lsn"] - 1, "by its files", told)
        (world / "MANIFEST").write_bytes(b"torn")
        refused(rig.run("restore", world, "--to", place / "new", "--before-error", "order_paid"), 1,
                "order_paid", "MANIFEST", "by its number")


def before_an_error_is_the_last_sound_state():
    with rig.Place() as place:
        world = a_world(place)
        words = ["restore", world, "--before-error", "--to", place / "sound", "--json"]
        refused(rig.run(*words), 1, "no failed validation")
        sound = verdict(world)
        claim(transfers(place, world, ["a0,b9,1.00"], name="more.csv").code == 0, "it goes on")
        newest = sorted((world / "checkpoints").glob("*.pcp"))[-1]
        whole = newest.read_bytes()
        newest.write_bytes(whole[:-1])
        claim(rig.run("verify", world, "--deep").code == 3, "a validation fails")
        newest.write_bytes(whole)
        told = rig.run(*words)
        claim(told.code == 0 and told.json()["lsn"] == sound["last_lsn"], "the one before", told)


def nobody_waits_for_a_keeper_that_is_stopped():
    with rig.Place() as place:
        world = a_world(place)
        keeper = kept(world)
        keeper.send_signal(signal.SIGSTOP)
        rig.wait_until("it is seen", lambda: "is stopped" in rig.run("status", world).out)
        refused(rig.run("checkpoint", world, timeout=30), 1, f"process {keeper.pid}",
                f"kill -CONT {keeper.pid}")
        answer = rig.run("restore", world, "--to", place / "new", "--lsn", 20, timeout=30)
        claim(answer.code == 0 and "is stopped" in answer.out, "a restore does without", answer)
        keeper.send_signal(signal.SIGCONT)
        claim(stop(keeper) == 0, "it goes on")


def a_full_disk_says_so_and_keeps_no_half_world():
    with rig.Place() as place:
        world = a_world(place)
        small = place / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small],
                                 check=False)
        if mounted.returncode != 0:
            print("  SKIPPED: no file system may be mounted here")
            return
        try:
            answer = rig.run("restore", world, "--to", small / "new", "--latest")
            refused(answer, 1, "disk_full")
            claim(not list(small.iterdir()), "nothing is left")
        finally:
            subprocess.run(["umount", small], check=True)
        shutil.rmtree(small)
        drop_region(world)
        claim(verdict(world)["verdict"] == "sound", "the world is as it was")


CASES = [only_what_a_restore_has_made_is_taken_over, a_directory_is_named_in_many_ways,
         a_refused_swap_changes_nothing, a_point_that_is_none_never_means_now,
         what_is_printed_as_a_time_is_a_time,
         before_an_error_may_be_before_an_event_that_a_game_declares,
         before_an_error_is_the_last_sound_state, nobody_waits_for_a_keeper_that_is_stopped,
         a_full_disk_says_so_and_keeps_no_half_world]

if __name__ == "__main__":
    sys.exit(rig.main(CASES))
