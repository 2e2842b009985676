#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: perdure checkpoint saves a world beside its keeper and without one; a reboot comes back
from it, from the one before when it is damaged, from the journal when all are; restore makes a
world of any point and swaps it in; query, export, explain and diff show any point; verify --deep
notices what verify cannot; each refusal says what to do.
"""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import rig
from rig import claim, drop_region, kept, made, refused, stop, transfers, verdict


def done(*words):
    answer = rig.run(*words)
    claim(answer.code == 0, f"{words[0]} is done", answer)
    return answer


def checkpoint(world, *more):
    return done("checkpoint", world, "--json", *more).json()


def paid(place, world, first, count, name):
    """Each line its own transaction; every file its own payers."""
    lines = [f"a{first},b{i % 7},1.{i % 90 + 10}" for i in range(count)]
    answer = transfers(place, world, lines, name=name)
    claim(answer.code == 0, "transfers are played", answer)


def files_of(world):
    return sorted((world / "checkpoints").glob("*.pcp"))


def spoil(path, at=400):
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x10]))


def three_points(place):
    """A world with two checkpoints and transfers behind each; its hashes at them and now."""
    world = made(place, "world", "--set", "journal.segment=1MiB")
    hashes = []
    for turn in range(2):
        paid(place, world, turn, 300, f"{turn}.csv")
        hashes.append((checkpoint(world, "--full")["lsn"], verdict(world)["image_hash"]))
    paid(place, world, 2, 50, "2.csv")
    hashes.append((verdict(world)["last_lsn"], verdict(world)["image_hash"]))
    return world, hashes


def a_reboot_comes_back_from_the_newest_sound_checkpoint():
    with rig.Place() as place:
        world, hashes = three_points(place)
        for damaged in range(3):
            drop_region(world)
            keeper = kept(world)
            told = [each for each in keeper.log if each["message"] == "recovered"][0]
            wanted = hashes[1 - damaged][0] if damaged < 2 else 0
            claim(told["checkpoint_lsn"] == wanted, f"with {damaged} damaged", told)
            refusals = [each for each in keeper.log if each["message"] == "refused at recovery"]
            claim(len(refusals) == (1 if damaged else 0), "and it says what it refused", keeper.log)
            claim(verdict(world)["image_hash"] == hashes[2][1], "the state is the same")
            claim(stop(keeper, signal.SIGKILL) != 0, "killed: takes none at shutdown")
            if damaged < 2:
                spoil(files_of(world)[-1])
        claim(len(list((world / "checkpoints").glob("*.rejected"))) == 2, "both are kept aside")


def a_keeper_takes_them_on_request_by_interval_and_at_shutdown():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world, "--set", "checkpoint.every=1s")
        paid(place, world, 0, 200, "0.csv")
        first = checkpoint(world)
        claim(first["made"] and "file" not in first, "the keeper took it", first)
        claim(not checkpoint(world)["made"], "nothing has changed, nothing is written")
        paid(place, world, 1, 20, "1.csv")
        rig.wait_until("the next by interval", lambda: len(files_of(world)) >= 2)
        seen = done("status", world, "--json").json()["checkpoint"]
        claim(seen["failed"] is None and seen["next_ns"] > 0, "status shows it", seen)
        paid(place, world, 2, 20, "2.csv")
        claim(stop(keeper) == 0, "it stops")
        last = [each for each in keeper.log if each["message"] == "checkpoint"][-1]
        claim(last["lsn"] == verdict(world)["last_lsn"], "the last one has everything", last)


def a_disk_that_is_full_refuses_the_checkpoint_and_nothing_else():
    with rig.Place() as place:
        world = made(place)
        paid(place, world, 0, 100, "0.csv")
        (world / "checkpoints").mkdir(exist_ok=True)
        # What stands in for a full disk: its name is taken by a folder that cannot go.
        lsn = verdict(world)["last_lsn"]
        blocked = world / "checkpoints" / f"{lsn:020}.pcp.new"
        (blocked / "full").mkdir(parents=True)
        refused(rig.run("checkpoint", world), 1, "checkpoint")
        paid(place, world, 1, 10, "1.csv")
        claim(checkpoint(world)["made"], "the next one is taken")
        shutil.rmtree(blocked)


def any_point_can_be_restored_and_swapped_in():
    with rig.Place() as place:
        world, hashes = three_points(place)
        middle = (hashes[0][0] + hashes[1][0]) // 2
        ways = [(["--lsn", hashes[0][0]], hashes[0]), (["--checkpoint", hashes[1][0]], hashes[1]),
                (["--latest"], hashes[2])]
        for number, (words, (lsn, image)) in enumerate(ways):
            target = place / f"restored{number}"
            told = done("restore", world, "--to", target, "--json", *words).json()
            claim(told["lsn"] == lsn, f"{words}", told)
            seen = verdict(target)
            claim(seen["image_hash"] == image and seen["last_lsn"] == lsn + 1,
                  "it is that state, and the record of its opening", seen)
            paid(place, target, 8, 5, f"on{number}.csv")  # And a world that goes on.
            claim(verdict(target)["verdict"] == "sound", "sound")
            drop_region(target)
            claim(verdict(target)["verdict"] == "sound", "also after a reboot")
        told = done("restore", world, "--to", place / "old", "--lsn", middle, "--swap",
                    "--json").json()
        claim(told["replaced"] == str(place / "old"), "the old one is kept", told)
        claim(verdict(world)["last_lsn"] == middle + 1, "the world is the restored one")
        claim(verdict(place / "old")["image_hash"] == hashes[2][1], "the old one is as it was")


def a_world_in_use_is_not_swapped_away():
    with rig.Place() as place:
        world, hashes = three_points(place)
        keeper = kept(world)
        words = ["restore", world, "--to", place / "new", "--lsn", hashes[0][0], "--swap"]
        refused(rig.run(*words), 1, "has it open")
        claim(verdict(world)["image_hash"] == hashes[2][1], "nothing has changed")
        claim(stop(keeper) == 0, "it stops")


def the_past_is_shown_beside_a_running_keeper():
    with rig.Place() as place:
        world, hashes = three_points(place)
        keeper = kept(world)
        accounts = ["query", world, "accounts", "--limit", 0, "--json"]
        then = done(*accounts, "--lsn", hashes[0][0]).json()
        now = done(*accounts).json()
        claim(0 < len(then["rows"]) < len(now["rows"]), "fewer accounts then")
        out = done("export", world, "accounts", "--format", "csv", "--lsn", hashes[0][0]).out
        claim(len(out.splitlines()) == len(then["rows"]) + 1, "export says the same")
        told = done("explain", world, "a0", "--lsn", hashes[0][0], "--limit", 1)
        claim("a0" in told.out, "explain begins there", told)
        differs = done("diff", world, "--from", hashes[0][0], "--to", hashes[1][0], "--json").json()
        claim(differs["tables"]["accounts"]["added"] == 1, "one account came", differs["tables"])
        claim(done("diff", world, "--from", hashes[1][0], "--to", hashes[1][0]).out.endswith(
            "nothing differs\n"), "a point does not differ from itself")
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 60))
        latest = done(*accounts, "--at", stamp).json()
        claim(len(latest["rows"]) == len(now["rows"]), "a time behind the last is now")
        claim(stop(keeper) == 0, "it stops")


def deep_verification_notices_what_lies_in_the_files():
    with rig.Place() as place:
        world, _ = three_points(place)
        claim(done("verify", world, "--deep", "--json").json()["verdict"] == "sound", "sound")
        spoil(files_of(world)[0])
        claim(verdict(world)["verdict"] == "sound", "its memory and journal are sound")
        deep = rig.run("verify", world, "--deep", "--json")
        claim(deep.code == 3 and files_of(world)[0].name in deep.out, "the file is named", deep)


def health(world):
    return json.loads(rig.run("status", world, "--json").out)["health"]


def rot_is_found_while_the_world_runs():
    with rig.Place() as place:
        world, _ = three_points(place)
        whole = files_of(world)[0].read_bytes()
        spoil(files_of(world)[0])
        keeper = kept(world, "--set", "checkpoint.scrub=64MiB")
        for line in keeper.stderr:
            told = json.loads(line)
            if told["message"] == "damaged on disk":
                break
        claim(files_of(world)[0].name in told["why"], "the file is named", told)
        rig.wait_until("it is an alarm", lambda: health(world)["percent"] == 30)
        claim("verify --deep" in health(world)["alarms"][0], "with a remedy", health(world))
        time.sleep(0.5)  # Further rounds.
        files_of(world)[0].write_bytes(whole)
        rig.wait_until("the alarm ends", lambda: health(world)["percent"] == 100)
        claim(stop(keeper) == 0, "and it goes on until it is stopped")
        more = [each for each in keeper.log if each["message"] == "damaged on disk"]
        claim(not more, "it is told once", more)


def checkpoints_that_are_not_its_own_are_refused():
    with rig.Place() as place:
        world, hashes = three_points(place)
        newest, older = files_of(world)[-1], files_of(world)[0]
        shutil.copy(older, newest)  # An older generation put back.
        drop_region(world)
        keeper = kept(world)
        why = [each for each in keeper.log if each["message"] == "refused at recovery"]
        claim("not the checkpoint that the MANIFEST promises" in why[0]["why"], "named", why)
        claim(verdict(world)["image_hash"] == hashes[2][1], "nothing is lost")
        stop(keeper, signal.SIGKILL)
        other = made(place, "other")
        paid(place, other, 0, 10, "o.csv")
        checkpoint(other)
        shutil.copy(files_of(other)[0], files_of(world)[-1])  # Of another world.
        drop_region(world)
        keeper = kept(world)
        why = [each for each in keeper.log if each["message"] == "refused at recovery"]
        claim("another world" in why[0]["why"], "named", why)
        claim(verdict(world)["image_hash"] == hashes[2][1], "nothing is lost")
        stop(keeper, signal.SIGKILL)


def a_world_copied_while_it_runs_is_a_world_of_its_own():
    with rig.Place() as place:
        world, hashes = three_points(place)
        keeper = kept(world)
        shutil.copytree(world, place / "copy", symlinks=True)
        copied = verdict(place / "copy")
        claim(copied["image_hash"] == hashes[2][1], "the copy is the state that was durable")
        paid(place, place / "copy", 5, 5, "c.csv")
        claim(verdict(world)["image_hash"] == hashes[2][1], "the other one does not notice")
        regions = {os.readlink(each / "region") for each in (world, place / "copy")}
        claim(len(regions) == 2, "two regions", regions)
        claim(stop(keeper) == 0, "it stops")


def refusals_say_what_to_do():
    with rig.Place() as place:
        world, hashes = three_points(place)
        refused(rig.run("restore", world, "--to", place / "x", "--lsn", 10 ** 9), 1, "last durable")
        refused(rig.run("restore", world, "--to", place / "x", "--checkpoint", 5), 1,
                str(hashes[0][0]))
        refused(rig.run("restore", world, "--to", world, "--latest"), 1, "there already")
        refused(rig.run("restore", world, "--to", place / "x"), 2, "--latest")
        refused(rig.run("restore", world, "--to", place / "x", "--at", "yesterday"), 2, "UTC")
        refused(rig.run("query", world, "accounts", "--at", "1999-01-01 00:00:00"), 1, "later")
        refused(rig.run("checkpoint", place / "nowhere"), 1, "nowhere")
        claim(not Path(place / "x").exists(), "nothing was made")


def work_that_takes_long_says_that_it_goes_on():
    with rig.Place() as place:
        world = made(place)
        with (world / "lock").open("w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)  # As if another process recovered it.
            process = rig.start("verify", world, "--json", stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
            told = process.stderr.readline()
            claim("opening" in told and " s, " in told, "a plain line on standard error", told)
            fcntl.lockf(lock, fcntl.LOCK_UN)
            out, _ = process.communicate()
        claim(process.returncode == 0 and json.loads(out)["verdict"] == "sound",
              "and then it is done", out)


CASES = [a_reboot_comes_back_from_the_newest_sound_checkpoint,
         a_keeper_takes_them_on_request_by_interval_and_at_shutdown,
         a_disk_that_is_full_refuses_the_checkpoint_and_nothing_else,
         any_point_can_be_restored_and_swapped_in, a_world_in_use_is_not_swapped_away,
         the_past_is_shown_beside_a_running_keeper,
         deep_verification_notices_what_lies_in_the_files,
         rot_is_found_while_the_world_runs, checkpoints_that_are_not_its_own_are_refused,
         a_world_copied_while_it_runs_is_a_world_of_its_own, refusals_say_what_to_do,
         work_that_takes_long_says_that_it_goes_on]

if __name__ == "__main__":
    sys.exit(rig.main(CASES))
