#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: bad input and bad luck on the command line are answered by thing, cause and remedy, with
the promised exit code, and leave the state as it was. Exit codes: 0 done, 1 refused or not found,
2 usage, 3 damage found.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import rig
from rig import drop_region, kept, made, refused, stop, transfers, verdict

COMMANDS = [["init"], ["serve"], ["status"], ["verify"], ["import", "transfers"],
            ["import", "accounts"], ["import", "list"], ["import", "close"], ["demo"], ["events"],
            ["explain"], ["query"], ["export"], ["top"], ["doctor"],
            ["state", "put"], ["state", "get"], ["state", "history"], ["state", "diff"],
            ["state", "list"], ["state", "limit"], ["state", "erase"], ["state", "save"],
             ["state", "load"], ["stake", "open-programme"], ["stake", "close-programme"],
             ["stake", "set-rate"], ["stake", "stake"], ["stake", "unstake"], ["stake", "due"],
             ["stake", "list"], ["stake", "pay"],
             *(["plugin", verb] for verb in ("new", "inspect", "load", "list", "upgrade", "disable",
                                             "enable", "unload", "logs"))]


def every_command_has_help_with_an_example():
    for words in COMMANDS:
        answer = rig.run(*words, "--help")
        rig.claim(answer.code == 0 and "Example:\n  perdure " + words[0] in answer.out,
                  f"{words} --help shows an example", answer)
    rig.claim(rig.run("--version").out.startswith("perdure "), "it has a version")
    rig.claim("-part" not in rig.run("--help").out, "its own parts are not for people")


def usage_errors_exit_2():
    for words in ([], ["fly"], ["init"], ["init", "a", "b"], ["status", "w", "--loud"], ["import"],
                  ["import", "transfers", "w", "f"], ["demo", "--sabotage=unknown"],
                  ["import", "transfers", "w", "f", "--columns", "c", "--scale", "19"],
                  ["import", "transfers", "w", "f", "--columns", "c", "--scale", "2",
                   "--workers", "0"]):
        answer = rig.run(*words)
        rig.claim(answer.code == 2 and answer.err + answer.out, f"{words} is a usage error", answer)


def an_unknown_world_is_named_and_not_made():
    with rig.Place() as place:
        for command in ("serve", "status", "verify"):
            refused(rig.run(command, place / "nowhere"), 1, "nowhere", "perdure init")
        answer = rig.run("verify", place / "nowhere", "--json")
        reason = answer.json()["error"]["reason"]
        rig.claim(reason in ("missing", "not_found"), "as JSON too", answer)
        refused(transfers(place, place / "nowhere", ["a,b,1"]), 1, "nowhere")
        rig.claim(not (place / "nowhere").exists(), "nothing was made")


def a_world_is_made_once():
    with rig.Place() as place:
        world = made(place)
        before = (world / "MANIFEST").read_bytes()
        refused(rig.run("init", world), 1, "exists")
        rig.claim((world / "MANIFEST").read_bytes() == before, "it is as it was")
        refused(rig.run("init", place / "no" / "such" / "folder"), 1, "No such file")


def a_configuration_is_refused_by_key_and_place():
    with rig.Place() as place:
        refused(rig.run("init", place / "w", "--set", "region.capcity=1GiB"), 2, "region.capacity?")
        rig.claim(not (place / "w").exists(), "nothing was made")
        world = made(place)
        refused(rig.run("status", world, "--set", "nonsense.x=1"), 2, "world.toml")
        listed = (world / "world.toml").read_text()
        rig.claim("# capacity = " in listed and "# scrub = " in listed, "which lists them", listed)
        refused(rig.run("status", world, "--set", "region.ring=3MiB"), 2, "power of two")
        refused(rig.run("serve", world, env={"PERDURE_LOG_LEVEL": "loud"}), 2, "PERDURE_LOG_LEVEL")
        refused(rig.run("verify", world, env={"PERDURE_LOG_LEVLE": "info"}), 2, "log.level?")
        refused(rig.run("verify", world, "--set", "access.group=no-such-group"), 2, "no-such-group")
        (world / "world.toml").write_text("[region]\nsize = 1\n")
        refused(rig.run("verify", world), 2, "world.toml:2", "region.size")
        (world / "world.toml").write_text("[region\n")
        refused(rig.run("verify", world), 2, "world.toml:1")


def settings_reach_the_region():
    with rig.Place() as place:
        world = made(place, "world", "--set", "region.ring=1MiB", "--set", "region.capacity=256MiB")
        verdict(world)
        seen = rig.run("status", world, "--json").json()
        rig.claim(seen["ring_bytes"] == 1 << 20 and seen["capacity_bytes"] == 256 << 20,
                  "world.toml is obeyed", seen)


def a_foreign_or_other_format_is_not_touched():
    with rig.Place() as place:
        world = made(place)
        manifest = world / "MANIFEST"
        manifest.write_bytes(b"a grocery list, " * 96)
        answer = rig.run("verify", world, "--json")
        rig.claim(answer.code in (1, 3), "it is refused", answer)
        rig.claim(manifest.read_bytes() == b"a grocery list, " * 96, "and left as it is")


def two_keepers_are_one_and_a_standby():
    with rig.Place() as place:
        world = made(place)
        first = kept(world)
        second = kept(world)
        rig.claim(second.log[-1]["message"] == "standing by", "the second stands by", second.log)
        rig.claim(second.log[-1]["keeper"] == first.pid, "and names the first", second.log)
        seen = rig.run("status", world, "--json").json()
        rig.claim(seen["keeper"] == first.pid, "status names the keeper", seen)
        first.kill()
        first.wait()
        rig.wait_until("the standby keeps", lambda: rig.run("status", world, "--json").json()
                       ["keeper"] == second.pid)
        rig.claim(stop(second) == 0, "SIGTERM ends it well", second.log)
        rig.claim(second.log[-1]["message"] == "stopped", "and it says so", second.log)
        seen = rig.run("status", world, "--json").json()
        rig.claim(seen["keeper"] is None, "then there is none", seen)


def sigint_stops_a_keeper_and_all_is_durable():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        rig.claim(transfers(place, world, [f"a,b{i},1.50" for i in range(500)]).code == 0,
                  "imported")
        rig.claim(stop(keeper, signal.SIGINT) == 0, "SIGINT ends it well", keeper.log)
        before = verdict(world)
        rig.claim(before["durable_lsn"] == before["last_lsn"] > 500, "all is durable", before)
        drop_region(world)
        after = verdict(world)
        rig.claim(after["state_hash"] == before["state_hash"], "and comes back", after)


def a_log_file_is_written_and_is_json():
    with rig.Place() as place:
        world = made(place, "world", "--set", "log.file=keeper.log")
        keeper = kept(world)
        stop(keeper)
        lines = [json.loads(line)["message"]
                 for line in (world / "log" / "keeper.log").read_text().splitlines()]
        rig.claim(lines == [each["message"] for each in keeper.log], "the file has it all", lines)


def status_of_a_sleeping_world_wakes_nobody():
    with rig.Place() as place:
        world = made(place)
        answer = rig.run("status", world, "--json")
        rig.claim(answer.code == 0 and answer.json()["open"] is False, "it sleeps", answer)
        rig.claim(not (world / "region").exists(), "and nothing was made")


def import_counts_every_line_and_names_the_bad_ones():
    with rig.Place() as place:
        world = made(place)
        lines = ["a,b,1.005", "a,b,1.015", "a,a,1", "a,b,0", "b,a,-1", "a,b", "a,,1", "a,b,1e3",
                 '"c,1","say ""b""",12.30', "a,b,99999999999999999999"]
        answer = transfers(place, world, lines, "--json")
        rig.claim(answer.code == 0, "it is done", answer)
        seen = answer.json()
        counts = {"lines": 10, "applied": 3, "already_applied": 0, "refused": 3,
                  "refused_by_reason": {"same_account": 1, "bad_amount": 2}, "malformed": 4,
                  "malformed_by_reason": {
                      "another number of fields than the header": 1,
                      "an account without a name": 1, "the amount is no decimal number": 1,
                      "the amount leaves 64 bits": 1}, "rounded": 2, "left_out": 0}
        rig.claim({key: seen[key] for key in counts} == counts, "each line is counted once", seen)
        for words in ("line 4: refused: same_account", "line 5: refused: bad_amount",
                      "line 7: malformed: another number of fields",
                      "line 8: malformed: an account",
                      "line 9: malformed: the amount is no decimal",
                      "line 11: malformed: the amount leaves"):
            rig.claim(words in answer.err, f"it says: {words}", answer)
        listed = place / "refused.csv"
        again = transfers(place, world, lines, "--json", "--workers", 3, "--refused", listed).json()
        counts.update(applied=0, already_applied=3)
        rig.claim({key: again[key] for key in counts} == counts, "a second time applies nothing",
                  again)
        rig.claim(listed.read_text().splitlines() == [
            "line,outcome,reason", "4,refused,same_account", "5,refused,bad_amount",
            "6,refused,bad_amount", "7,malformed,another number of fields than the header",
            "8,malformed,an account without a name", "9,malformed,the amount is no decimal number",
            "11,malformed,the amount leaves 64 bits"], "all of them are listed",
            listed.read_text())
        plain = transfers(place, world, lines)
        for words in ("3 refused", "2  bad_amount", "1  an account without a name", "rounded"):
            rig.claim(words in plain.out, f"people read: {words}", plain)


def import_stops_at_a_bad_line_when_told_to():
    with rig.Place() as place:
        for name, lines, code, at in (
                ("refused", ["a,b,1", "b,b,2", "a,b,4"], "same_account", "line 3"),
                ("malformed", ["a,b,1", "a,b", "a,b,4"], "bad_line", "line 3")):
            world = made(place, name)
            once = transfers(place, world, lines, "--on-bad-line", "stop")
            refused(once, 1, code, at, "--on-bad-line skip")
            on = transfers(place, world, lines, "--json").json()
            rig.claim((on["already_applied"], on["applied"]) == (1, 1),
                      "the line before it was applied, the line behind it not", on)
        refused(transfers(place, world, lines, "--on-bad-line", "stop", "--workers", 2), 2,
                "--workers 1")


def import_opens_accounts_as_it_is_told_and_keeps_its_budget():
    with rig.Place() as place:
        world = made(place)
        file = place / "accounts.csv"
        file.write_text("who,what,has\nbank,treasury,100\nann,,2.50\nann,player,1\nbob,duck,1\n"
                        "eve,player,0\n")
        words = ["import", "accounts", world, file, "--scale", 2, "--columns"]
        seen = rig.run(*words, "name=who,kind=what,balance=has", "--json").json()
        rig.claim(seen["applied"] == 3 and seen["refused_by_reason"] == {"exists": 1} and
                  seen["malformed_by_reason"] == {"there is no such kind of account": 1},
                  "three are opened", seen)
        # 102.50 are minted; bob's 1 is the last that fits.
        seen = rig.run(*words, "name=who,balance=has", "--budget", "103.50", "--json").json()
        rig.claim(seen["refused_by_reason"] == {"exists": 4} and seen["applied"] == 1,
                  "those that are there are refused", seen)
        lines = ["ann,zoe,1", "new,zoe,1", "ann,bank,0.10"]
        seen = transfers(place, world, lines, "--opening", "fixed:5", "--budget", "107",
                         "--json").json()
        rig.claim(seen["refused_by_reason"] == {"budget_exceeded": 2} and seen["applied"] == 1,
                  "beyond the budget nobody is opened", seen)
        seen = transfers(place, world, lines, "--opening", "fixed:5", "--json").json()
        rig.claim(seen["refused_by_reason"] == {"budget_exceeded": 2},
                  "a line is decided once, whatever the next run allows", seen)
        rig.claim(verdict(world)["conserved"], "money is conserved")
        refused(transfers(place, world, lines, "--opening", "gift"), 2, "fixed:AMOUNT")
        refused(transfers(place, world, lines, "--opening", "column"), 2, "opening_from")
        refused(transfers(place, world, lines, "--budget", "much"), 2, "decimal")


def the_budget_holds_whoever_spends_it():
    with rig.Place() as place:
        world = made(place)
        lines = [f"a{i},b{i},1" for i in range(1000)]
        seen = transfers(place, world, lines, "--json", "--workers", 8, "--opening", "fixed:3",
                         "--budget", "2999").json()
        # 499 pairs take 6 each; the last 5 are enough for nobody's pair.
        rig.claim(seen["applied"] == 499 and seen["refused_by_reason"] == {"budget_exceeded": 501},
                  "exactly what the budget allows is applied", seen)


def a_closed_import_is_listed_and_not_played_again():
    with rig.Place() as place:
        world = made(place)
        rig.claim("nothing" in rig.run("import", "list", world).out, "an empty list says so")
        lines = [f"a{i},b,1" for i in range(200)] + ["b,b,1"]
        seen = transfers(place, world, lines, "--json").json()
        listed = rig.run("import", "list", world, "--json").json()["imports"]
        rig.claim(len(listed) == 1 and listed[0]["state"] == "done" and
                  listed[0]["identity"] == seen["identity"] and listed[0]["applied"] == 200 and
                  listed[0]["refused"] == 1 and listed[0]["file"] == "t.csv", "it is listed",
                  listed)
        before = verdict(world)
        refused(rig.run("import", "close", world, "00000000"), 1, "import list")
        refused(rig.run("import", "close", world, seen["identity"][:4]), 2, "8 digits")
        answer = rig.run("import", "close", world, seen["identity"][:12])
        rig.claim(answer.code == 0, "it is closed", answer)
        rig.claim(verdict(world)["state_hash"] == before["state_hash"], "no balance has moved")
        rig.claim("closed" in rig.run("import", "list", world).out, "the list says so")
        refused(transfers(place, world, lines), 1, "import_closed")
        rig.claim(verdict(world)["state_hash"] == before["state_hash"], "nothing was played again")
        again = rig.run("import", "close", world, seen["identity"])
        rig.claim(again.code == 0, "closing again changes nothing", again)


def import_refuses_what_it_cannot_mean():
    with rig.Place() as place:
        world = made(place)
        refused(transfers(place, world, ["a,b,1"], header="who,to,amount"), 2, '"from"', "who, to")
        file = place / "t.csv"
        refused(rig.run("import", "transfers", world, place / "none.csv", "--columns",
                        "from=from,to=to,amount=amount", "--scale", 2), 1, "none.csv")
        file.write_text("")
        refused(rig.run("import", "transfers", world, file, "--columns",
                        "from=from,to=to,amount=amount", "--scale", 2), 2, "empty")
        rig.claim(transfers(place, world, ["a,b,1"]).code == 0, "scale 2 is done")
        answer = rig.run("import", "transfers", world, file, "--columns",
                         "from=from,to=to,amount=amount", "--scale", 3)
        refused(answer, 1, "unit", "--scale 2")


def an_import_that_meets_the_capacity_stops_and_goes_on():
    with rig.Place() as place:
        tight = ["--set", "region.capacity=64MiB", "--set", "region.slots=8", "--set",
                 "region.ring=1MiB"]
        world = made(place, "world", *tight)
        lines = [f"a{i},b{i},1" for i in range(160_000)]
        answer = transfers(place, world, lines)
        refused(answer, 1, "region_full", "region.capacity", "same command")
        before = verdict(world)
        rig.claim(before["conserved"], "money is conserved", before)
        # All of it is durable once somebody kept it; a new region is as large as it is told.
        keeper = kept(world)
        rig.wait_until("all is durable",
                       lambda: verdict(world)["durable_lsn"] == before["last_lsn"])
        stop(keeper)
        drop_region(world)
        answer = transfers(place, world, lines, "--json", "--set", "region.capacity=1GiB")
        rig.claim(answer.code == 0, "with more capacity it goes on", answer)
        seen = answer.json()
        rig.claim(seen["already_applied"] > 0 and
                  seen["already_applied"] + seen["applied"] == 160_000, "to the end", seen)


def a_packed_file_cut_short_is_damage():
    with rig.Place() as place:
        world = made(place)
        file = place / "t.csv"
        file.write_text("from,to,amount\n" + "".join(f"a{i},b,{i}\n" for i in range(5000)))
        subprocess.run(["zstd", "-q", "--rm", file], check=True)
        packed = place / "t.csv.zst"
        packed.write_bytes(packed.read_bytes()[:-100])
        refused(rig.run("import", "transfers", world, packed, "--columns",
                        "from=from,to=to,amount=amount", "--scale", 0), 3, "t.csv.zst")


def a_damaged_journal_is_found_and_left_as_it_is():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        for part in range(3):  # Several blocks, each synced.
            transfers(place, world, [f"a{part},b{i},1" for i in range(300)], name=f"{part}.csv")
        stop(keeper)
        segment = sorted((world / "journal").iterdir())[0]
        good = bytearray(segment.read_bytes())
        used = len(good.rstrip(b"\0"))
        good[used // 3] ^= 0x40
        segment.write_bytes(good)

        seen = verdict(world, code=3)
        rig.claim(seen["verdict"] == "damaged" and
                  any(segment.name in each for each in seen["problems"]),
                  "verify names the file while memory is whole", seen)
        drop_region(world)
        seen = verdict(world, code=3)
        rig.claim(seen["verdict"] == "damaged" and seen["problems"], "and without memory", seen)
        refused(rig.run("serve", world), 3, segment.name)
        rig.claim(segment.read_bytes() == good, "the evidence is left as it is")


def a_segment_that_is_gone_is_missed():
    with rig.Place() as place:
        world = made(place)
        rig.claim(transfers(place, world, ["a,b,1"]).code == 0, "imported")
        drop_region(world)
        for segment in (world / "journal").iterdir():
            segment.unlink()
        refused(rig.run("serve", world), 3)
        rig.claim(verdict(world, code=3)["verdict"] == "damaged", "verify says so too")


def a_world_copied_while_it_ran_is_a_world_of_its_own():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        rig.claim(transfers(place, world, [f"a,b{i},1" for i in range(200)]).code == 0, "imported")
        copy = place / "copy"
        shutil.copytree(world, copy, symlinks=True)
        answer = rig.run("verify", copy, "--json")
        rig.claim(answer.code == 0, "the copy is opened from its own journal", answer)
        original = rig.run("status", world, "--json").json()["region"]
        rig.claim(rig.run("status", copy, "--json").json()["region"] != original,
                  "in memory of its own")
        rig.claim(transfers(place, copy, ["a,b,1"], name="more.csv").code == 0, "it takes commits")
        rig.claim(stop(keeper) == 0, "the original does not notice", keeper.log)
        rig.claim(verdict(world)["last_lsn"] < verdict(copy)["last_lsn"], "they go apart")


def a_read_only_directory_is_refused():
    if os.getuid() == 0:
        unprivileged = shutil.which("setpriv")
        rig.claim(unprivileged is not None, "setpriv is there: root may write anywhere")
        words = [unprivileged, "--reuid=65534", "--regid=65534", "--clear-groups", rig.PERDURE]
    else:
        words = [rig.PERDURE]
    with rig.Place() as place:
        place.path.chmod(0o555)
        done = subprocess.run([*words, "init", str(place / "world")], capture_output=True,
                              text=True)
        refused(rig.Answer(done.returncode, done.stdout, done.stderr), 1, "Permission denied")


def a_region_directory_that_is_not_there_is_refused():
    with rig.Place() as place:
        world = made(place)
        refused(rig.run("verify", world, "--set", f"region.directory={place / 'nowhere'}"), 1,
                "nowhere")
        verdict(world)


if __name__ == "__main__":
    sys.exit(rig.main([each for each in list(globals().values())
                       if getattr(each, "__module__", "") == "__main__"]))
