#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: perdure history tells a world's checkpoints, recoveries, validations and the state of its
parts, with and without a keeper, and while one writes; a missing catalog is said, a broken one is
mended by the next keeper and stops nobody; what the MANIFEST promises is listed, whatever the
catalog knows; perdure status says how healthy the world is, alarms with what to do, and knows the
newest checkpoint of a world that nobody keeps or that sleeps; perdure doctor finds it damaged.
"""
import signal
import sqlite3
import struct
import sys
import time

import rig
from rig import claim, drop_region, kept, made, refused, stop, transfers, verdict


def history(world, *more):
    answer = rig.run("history", world, "--json", *more)
    claim(answer.code == 0, "history is told", answer)
    return answer.json()


def status(world):
    return rig.run("status", world, "--json").json()


def paid(place, world, name, count=200):
    answer = transfers(place, world, [f"{name},b{i % 9},1" for i in range(count)],
                       name=f"{name}.csv")
    claim(answer.code == 0, "transfers are played", answer)


def a_world_without_a_catalog_says_so():
    with rig.Place() as place:
        world = made(place)
        answer = rig.run("history", world)
        claim(answer.code == 0 and "catalog.db" in answer.out, "that there is none is said", answer)
        seen = history(world)
        claim(seen["catalog"] is None and seen["checkpoints"] == [], "in JSON too", seen)
        claim(not (world / "catalog.db").exists(), "who looks makes nothing")
        refused(rig.run("history", place / "nowhere"), 1, "nowhere", "perdure init")
        claim("perdure history" in rig.run("history", "--help").out, "it has an example")


def what_happened_to_a_world_is_told():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        for turn in range(3):
            paid(place, world, f"a{turn}")
            claim(rig.run("checkpoint", world).code == 0, "a checkpoint is taken")
        verdict(world)
        claim(stop(keeper) == 0, "the keeper stops")
        drop_region(world)
        verdict(world)

        seen = history(world)
        claim(len(seen["checkpoints"]) >= 3 and
              all(each["state"] == "valid" for each in seen["checkpoints"]), "checkpoints", seen)
        lsns = [each["lsn"] for each in seen["checkpoints"]]
        claim(lsns == sorted(lsns, reverse=True), "the newest first", lsns)
        files = sorted(int(each.stem) for each in (world / "checkpoints").glob("*.pcp"))
        claim(sorted(lsns) == files, "those that are there", (lsns, files))
        claim(len(seen["recoveries"]) == 1, "to make a world is no recovery", seen)
        recovery = seen["recoveries"][0]
        claim(recovery["source"] == seen["checkpoints"][0]["id"] and
              recovery["last_lsn"] == lsns[0] and recovery["lost_transactions"] == 0 and
              "unknown" in recovery["tried"][-1]["verdict"], "the recovery", recovery)
        kinds = [each["kind"] for each in seen["validations"]]
        claim(kinds.count("verify") == 2 and kinds.count("checkpoint") == len(lsns) and
              all(each["score"] == 100 for each in seen["validations"]), "validations", seen)
        claim({each["name"]: each["state"] for each in seen["components"]} ==
              dict.fromkeys(("checkpoint", "files", "journal", "keeper", "region"), "stopped"),
              "the state of its parts", seen)

        plain = rig.run("history", world)
        for words in ("checkpoints, newest first", f"LSN {lsns[0]:,}", "recoveries", "no region",
                      "verify", "keeper stopped", "100 %"):
            claim(words in plain.out, f"people read: {words}", plain)
        claim(len(history(world, "--limit", 1)["checkpoints"]) == 1, "a limit is one")
        claim(history(world, "--limit", 0) == seen, "0 is none")


def history_is_read_while_a_keeper_writes_it():
    with rig.Place() as place:
        world = made(place, "world", "--set", "checkpoint.every=1s")
        keeper = kept(world)
        for turn in range(10):
            paid(place, world, f"a{turn}", 20)
            claim(rig.run("checkpoint", world).code == 0, "a checkpoint is taken")
            history(world)
        claim(stop(keeper) == 0, "the keeper did not mind", keeper.log)
        claim(len(history(world)["checkpoints"]) >= 10, "and lost nothing", history(world))


def a_keeper_that_was_killed_leaves_what_it_had_told():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        paid(place, world, "a")
        claim(rig.run("checkpoint", world).code == 0, "a checkpoint is taken")
        rig.wait_until("it is noted", lambda: len(history(world)["validations"]) == 1)
        keeper.kill()
        keeper.wait()
        second = kept(world)
        stop(second)
        claim(len(history(world)["checkpoints"]) >= 1, "it is still there", history(world))


def a_broken_catalog_stops_nobody_and_is_mended():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        paid(place, world, "a")
        claim(rig.run("checkpoint", world).code == 0, "a checkpoint is taken")
        stop(keeper)
        lsns = [each["lsn"] for each in history(world)["checkpoints"]]
        file = world / "catalog.db"
        for damage in ("garbage", "directory", "schema"):
            if damage == "schema":
                with sqlite3.connect(file) as sql:
                    sql.execute("DROP TABLE recoveries")
                sql.close()
            else:
                file.unlink()
            if damage == "garbage":
                file.write_bytes(b"a grocery list, " * 999)
            elif damage == "directory":
                file.mkdir()
            refused(rig.run("history", world), 1, "catalog.db", "perdure serve")
            claim(status(world)["open"], "status does without")
            keeper = kept(world)
            verdict(world)
            claim(stop(keeper) == 0, "the keeper does not mind", keeper.log)
            seen = history(world)
            claim([each["lsn"] for each in seen["checkpoints"]] == lsns,
                  "the checkpoints are filled in again", seen)
            claim((world / "catalog.db.broken").exists(), "what was there is kept")


def status_says_how_healthy_the_world_is():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        paid(place, world, "a")
        plain = rig.run("status", world)
        claim("health        100 %\n" in plain.out and "ALARM" not in plain.out, "all is well",
              plain)
        seen = status(world)["health"]
        claim(seen["percent"] == 100 and seen["alarms"] == [] and
              [each["name"] for each in seen["components"]] ==
              ["journal", "checkpoint", "files", "region", "keeper"], "in JSON too", seen)
        keeper.send_signal(signal.SIGSTOP)
        rig.wait_until("a stopped keeper is noticed", lambda: status(world)["health"]["alarms"])
        plain = rig.run("status", world)
        claim("health        0 %  (keeper 0 %" in plain.out and
              f"ALARM         keeper: process {keeper.pid} is stopped" in plain.out, "and named",
              plain)
        keeper.send_signal(signal.SIGCONT)
        stop(keeper)
        claim(status(world)["health"]["percent"] == 100, "nobody needs to keep it")


def status_alarms_when_checkpoints_are_late():
    with rig.Place() as place:
        world = made(place, "world", "--set", "checkpoint.every=1s")
        keeper = kept(world)
        paid(place, world, "a")
        rig.wait_until("one is taken", lambda: status(world)["checkpoint"]["lsn"] ==
                       status(world)["last_lsn"])
        claim(status(world)["health"]["alarms"] == [], "all is well")
        keeper.kill()
        keeper.wait()
        paid(place, world, "b")
        rig.wait_until("the next is late", lambda: status(world)["health"]["alarms"])
        plain = rig.run("status", world)
        claim("ALARM         checkpoint: the newest is " in plain.out and
              "perdure serve" in plain.out, "it says what to do", plain)
        claim(status(world)["health"]["percent"] < 60, "and health falls", status(world))


def a_checkpoint_that_fails_is_an_alarm_and_history():
    with rig.Place() as place:
        world = made(place, "world", "--set", "checkpoint.every=1s")
        keeper = kept(world)
        (world / "checkpoints").rmdir() if (world / "checkpoints").exists() else None
        (world / "checkpoints").write_text("in the way")
        paid(place, world, "a")
        claim(rig.run("checkpoint", world).code == 1, "it is refused")
        rig.wait_until("it is noted", lambda: any(each["state"] == "failed" for each in
                                                  history(world)["checkpoints"]))
        plain = rig.run("status", world)
        claim("ALARM         checkpoint: the last one failed" in plain.out, "an alarm", plain)
        claim(status(world)["health"]["percent"] <= 50, "health falls", status(world))
        failed = history(world)["checkpoints"][0]
        claim(failed["lsn"] == 0 and failed["note"] and failed["trigger"], "why and when", failed)
        (world / "checkpoints").unlink()
        claim(rig.run("checkpoint", world).code == 0, "then the next one is taken")
        claim(status(world)["health"]["alarms"] == [], "and all is well", status(world))
        stop(keeper)


def saved(place, *more):
    """A world that nobody keeps, with a checkpoint; and what was said of that."""
    world = made(place)
    paid(place, world, "a")
    answer = rig.run("checkpoint", world, "--json", *more)
    claim(answer.code == 0, "a checkpoint is taken", answer)
    return world, answer.json()


def a_checkpoint_that_the_catalog_does_not_know_is_listed():
    with rig.Place() as place:
        world, first = saved(place)
        for file in world.glob("catalog.db*"):
            file.unlink()

        def is_listed(seen, version, lsn):
            claim((seen["version"], seen["lsn"], seen["kind"], seen["state"], seen["trigger"]) ==
                  (version, lsn, "full", "valid", None) and seen["id"] and seen["at"],
                  "all that the MANIFEST says of it", seen)

        def v1_is_listed(words):
            seen = history(world)["checkpoints"]
            claim(len(seen) == 1, "it is listed", seen)
            is_listed(seen[0], 1, first["lsn"])
            plain = rig.run("history", world)
            claim(f"v1, LSN {first['lsn']:,}, full, valid" in plain.out and words in plain.out,
                  "people read it", plain)

        v1_is_listed("there is no")
        drop_region(world)
        verdict(world)  # Its recovery is noted, in a catalog that knows no checkpoint.
        claim((world / "catalog.db").exists(), "there is a new catalog")
        v1_is_listed("recoveries, newest first")
        paid(place, world, "b")
        second = rig.run("checkpoint", world, "--json", "--full").json()
        seen = history(world)["checkpoints"]
        claim([each["version"] for each in seen] == [2, 1] and seen[0]["trigger"], "beside others",
              seen)
        is_listed(seen[1], 1, first["lsn"])
        seen = history(world, "--limit", 1)["checkpoints"]
        claim([each["lsn"] for each in seen] == [second["lsn"]], "the limit is of all", seen)


def the_newest_checkpoint_is_known_where_nobody_keeps_the_world():
    with rig.Place() as place:
        world, first = saved(place)
        drop_region(world)
        asleep = status(world)
        newest = asleep["checkpoint"]
        claim(not asleep["open"] and (newest["lsn"], newest["version"]) == (first["lsn"], 1) and
              0 < newest["wall_ns"] <= time.time_ns(), "while it sleeps", asleep)
        plain = rig.run("status", world)
        claim(f"checkpoint    v1, LSN {first['lsn']:,}, " in plain.out and " ago\n" in plain.out and
              "perdure doctor" in plain.out, "people read it", plain)
        claim(not (world / "region").exists(), "and nobody was woken")
        verdict(world)
        awake = status(world)
        claim(awake["open"] and awake["keeper"] is None and
              (awake["checkpoint"]["lsn"], awake["checkpoint"]["wall_ns"]) ==
              (newest["lsn"], newest["wall_ns"]), "and when it was recovered", awake)
        plain = rig.run("status", world)
        claim(f"checkpoint    LSN {first['lsn']:,}, " in plain.out and ", took" not in plain.out and
              "replays the whole" not in plain.out, "people read it", plain)

        world = made(place, "young")
        seen = status(world)["checkpoint"]
        claim(seen["lsn"] is None and "none yet" in rig.run("status", world).out,
              "of one that has none too", seen)


def a_lost_manifest_is_to_be_put_back():
    with rig.Place() as place:
        world, _ = saved(place)
        (world / "MANIFEST").unlink()
        answer = rig.run("history", world)
        refused(answer, 3, "MANIFEST", "from a copy", "docs/operations.md")
        claim("perdure init" not in answer.err, "init would refuse", answer)


def doctor_finds_a_damaged_checkpoint():
    with rig.Place() as place:
        world, first = saved(place)
        drop_region(world)

        def doctor():
            answer = rig.run("doctor", world, "--json")
            return answer, {each["check"]: each for each in answer.json()["checks"]}

        _, seen = doctor()
        claim(seen["checkpoints"]["verdict"] == "ok" and
              f"v1 of LSN {first['lsn']}" in seen["checkpoints"]["seen"], "a sound one", seen)
        file = next((world / "checkpoints").glob("*.pcp"))
        whole = file.read_bytes()
        index = struct.unpack_from("<Q", whole, len(whole) - 160 + 32)[0]
        for at, byte in ((40, 0), (index + 10, index), (len(whole) - 90, len(whole) - 160)):
            spoiled = bytearray(whole)
            spoiled[at] ^= 0x40
            file.write_bytes(spoiled)
            answer, seen = doctor()
            seen = seen["checkpoints"]
            claim(answer.code == 3 and seen["verdict"] == "damaged" and
                  f"{file.name} at byte {byte}: " in seen["seen"] and "--deep" in seen["to_do"],
                  f"damage at {at}", answer)
            claim(file.read_bytes() == spoiled, "it is left as it is")
        file.unlink()
        answer, seen = doctor()
        claim(answer.code == 3 and file.name in seen["checkpoints"]["seen"], "a lost one", answer)
        file.write_bytes(whole)
        claim(doctor()[1]["checkpoints"]["verdict"] == "ok", "and when it was put back")


def a_keeper_that_was_asked_tells_the_kind():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        for turn in range(3):
            paid(place, world, f"a{turn}")
            answer = rig.run("checkpoint", world, "--json", *["--full"] * (turn == 1))
            newest = history(world)["checkpoints"][0]
            claim(answer.json()["kind"] == newest["kind"] and
                  answer.json()["version"] == newest["version"], "as it is listed", answer)
            claim(turn == 2 or newest["kind"] == "full", "as it was asked", newest)
        claim(stop(keeper) == 0, "the keeper stops", keeper.log)


CASES = [a_world_without_a_catalog_says_so, what_happened_to_a_world_is_told,
         history_is_read_while_a_keeper_writes_it,
         a_keeper_that_was_killed_leaves_what_it_had_told,
         a_broken_catalog_stops_nobody_and_is_mended, status_says_how_healthy_the_world_is,
         status_alarms_when_checkpoints_are_late,
         a_checkpoint_that_fails_is_an_alarm_and_history,
         a_checkpoint_that_the_catalog_does_not_know_is_listed,
         the_newest_checkpoint_is_known_where_nobody_keeps_the_world,
         a_lost_manifest_is_to_be_put_back, doctor_finds_a_damaged_checkpoint,
         a_keeper_that_was_asked_tells_the_kind]

if __name__ == "__main__":
    sys.exit(rig.main(CASES))
