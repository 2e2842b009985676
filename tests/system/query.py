#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: query, export, top and doctor look at a world without a keeper, beside one that trades,
and while its processes are stopped; what they print is exact and can be read back; what they refuse
they refuse by name, with the promised exit code, and leave no half file. A user of access.group may
look and may not write.
"""
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import rig
from rig import claim, drop_region, kept, made, refused, stop, transfers, verdict

ALL = [f"p{i % 40},p{(i * 7 + 1) % 40},{i % 9 + 1}.25" for i in range(400)]
ACCOUNTS = 41  # The treasury is one more.


def world_with_balances(place, *more):
    world = made(place, "world", "--set", "region.capacity=128MiB", *more)
    claim(transfers(place, world, ALL).code == 0, "imported")
    return world


def rows(world, *words):
    answer = rig.run("query", world, *words, "--json")
    claim(answer.code == 0, "the query answers", answer)
    return answer.json()["rows"]


def every_command_has_help_with_an_example():
    for words in (["query"], ["export"], ["top"], ["doctor"]):
        answer = rig.run(*words, "--help")
        claim(answer.code == 0 and "Example:\n  perdure " + words[0] in answer.out,
              f"{words} --help shows an example", answer)


def a_query_lists_tables_and_shows_rows():
    with rig.Place() as place:
        world = world_with_balances(place)
        listed = {each["table"]: each for each in
                  rig.run("query", world, "--json").json()["tables"]}
        claim(listed["accounts"]["rows"] == ACCOUNTS and listed["balances"]["rows"] == 40,
              "rows are counted", listed)
        claim(not any("." in name for name in listed), "indexes are no tables", listed)
        claim("balances" in rig.run("query", world).out, "people see it too")

        balances = rows(world, "balances", "--limit", 0)
        supply = rows(world, "assets")[0]["supply"]
        claim(sum(each["available"] + each["held"] for each in balances) == supply,
              "amounts are exact", supply)
        top = rows(world, "balances", "--order", "available:desc", "--limit", 3)
        claim([each["available"] for each in top] ==
              sorted((each["available"] for each in balances), reverse=True)[:3], "in order", top)
        one = top[0]
        claim(rows(world, "balances", "--where", f"key = {one['key']}") == [one], "by its key", one)
        claim(one["shown"]["asset"] == "unit" and one["shown"]["account"].startswith("p") and
              one["shown"]["available"] == f"{one['available'] / 100:.2f}", "with names", one)
        some = rows(world, "balances", "--where", f"available < {one['available']}", "--limit", 0)
        claim(len(some) == sum(each["available"] < one["available"] for each in balances),
              "by condition", some)
        claim([list(each) for each in rows(world, "accounts", "--fields", "name,lsn", "--limit", 1)]
              == [["name", "lsn"]], "only these fields")
        shown = rig.run("query", world, "balances", "--order", "available:desc", "--limit", 1)
        claim(one["shown"]["account"] in shown.out and one["shown"]["available"] in shown.out,
              "people see names and amounts", shown)
        claim("there are more" in shown.err, "and that there is more", shown)


def what_cannot_be_asked_is_refused_by_name():
    with rig.Place() as place:
        world = world_with_balances(place)
        refused(rig.run("query", world, "balance"), 1, "unknown_table", "did you mean balances?")
        refused(rig.run("query", world, "balances", "--where", "availble > 3"), 2, "bad_query",
                "availble", "available")
        refused(rig.run("query", world, "balances", "--where", "available > 3.50"), 2, "3.50",
                "minor units")
        refused(rig.run("query", world, "balances", "--where", "available >"), 2, "operator")
        refused(rig.run("query", world, "balances", "--order", "available:up"), 2, "up")
        refused(rig.run("query", world, "balances", "--fields", "a"), 2, '"a"')
        refused(rig.run("export", world, "--format", "csv"), 2, "one table")
        refused(rig.run("export", world, "wares"), 1, "wares")
        claim(rig.run("export", world, "--format", "xml").code == 2, "a usage error")
        for command in ("query", "export", "top"):
            refused(rig.run(command, place / "nowhere"), 1, "nowhere", "perdure init")
        answer = rig.run("query", world, "balance", "--json")
        claim(answer.json()["error"]["reason"] == "unknown_table", "as JSON too", answer)
        drop_region(world)
        refused(rig.run("query", world, "balances"), 1, "perdure serve")


def an_export_can_be_read_back():
    with rig.Place() as place:
        world = world_with_balances(place)
        wanted = rows(world, "accounts", "--limit", 0)
        lines = [json.loads(line) for line in rig.run("export", world, "accounts").out.splitlines()]
        claim([{k: v for k, v in each.items() if k != "table"} for each in lines] == wanted and
              all(each["table"] == "accounts" for each in lines), "JSON lines", lines[:2])
        whole = json.loads(rig.run("export", world, "--format", "json").out)
        claim(whole["tables"]["accounts"] == wanted and whole["lsn_from"] == whole["lsn_to"] > 0,
              "JSON, of all tables", list(whole["tables"]))
        answer = rig.run("export", world, "accounts", "--format", "csv")
        read = list(csv.DictReader(io.StringIO(answer.out, newline="")))
        claim([each["name"] for each in read] == [each["name"] for each in wanted], "CSV", read[:2])
        claim("all as of LSN" in answer.err, "and the moment", answer)

        file = place / "accounts.csv"
        file.write_text("old")
        answer = rig.run("export", world, "accounts", "--format", "csv", "--to", file, "--json")
        claim(answer.code == 0 and answer.json()["rows"] == ACCOUNTS and
              answer.json()["bytes"] == file.stat().st_size, "to a file", answer)
        refused(rig.run("export", world, "--to", place / "no" / "such.json"), 1, "such.json",
                "no half file")


def a_full_disk_leaves_no_half_file():
    with rig.Place() as place:
        world = world_with_balances(place)
        small = place / "small"
        small.mkdir()
        script = f"""mount -t tmpfs -o size=16k none "{small}" || exit 99
            echo old > "{small}/all.json"
            "{rig.PERDURE}" export "{world}" --format json --to "{small}/all.json"
            code=$?; ls "{small}"; cat "{small}/all.json"; exit $code"""
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True,
                              text=True)
        if done.returncode == 99 or "unshare:" in done.stderr:
            print(f"  SKIPPED: {done.stderr.strip()}", flush=True)
            return
        answer = rig.Answer(done.returncode, done.stdout, done.stderr)
        refused(answer, 1, "disk_full", "all.json", "no half file")
        claim(answer.out == "all.json\nold\n", "what was there is as it was", answer)


def exports_and_queries_run_beside_writers():
    with rig.Place() as place:
        world = world_with_balances(place)
        keeper = kept(world)
        supply = rows(world, "assets")[0]["supply"]
        file = place / "more.csv"
        file.write_text("from,to,amount\n" + "".join(f"{line}\n" for line in ALL * 500))
        busy = rig.start("import", "transfers", world, file, "--columns",
                         "from=from,to=to,amount=amount", "--scale", 2,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        rig.wait_until("it trades", lambda: rig.run("status", world, "--json").json()["last_lsn"]
                       > 2000)
        whole = json.loads(rig.run("export", world, "balances", "--format", "json").out)
        claim(len(whole["tables"]["balances"]) == 40 and whole["lsn_to"] >= whole["lsn_from"],
              "an export is whole", whole)
        seen = rig.run("top", world, "--once", "--json").json()
        claim(seen["keeper"]["process"] == keeper.pid and seen["keeper"]["state"] == "lives",
              "top names the keeper", seen)
        claim(len(seen["participants"]) >= 2 and seen["last_lsn"] > 2000, "and who trades", seen)
        claim(sum(each["commits"] for each in seen["participants"]) > 1000, "how much", seen)
        os.killpg(busy.pid, signal.SIGKILL)
        busy.wait()
        balances = rows(world, "balances", "--limit", 0)  # Whatever the dead have left.
        claim(sum(each["available"] + each["held"] for each in balances) == supply,
              "nothing is lost", supply)
        claim(stop(keeper) == 0, "the keeper did not mind", keeper.log)


def a_stopped_keeper_is_seen():
    with rig.Place() as place:
        world = world_with_balances(place)
        keeper = kept(world)
        keeper.send_signal(signal.SIGSTOP)
        rig.wait_until("it stands", lambda: rig.run("top", world, "--once", "--json").json()
                       ["keeper"]["state"] == "stopped")
        answer = rig.run("top", world, "--once")
        claim(answer.code == 0 and "STOPPED" in answer.out, "top says so", answer)
        claim(len(rows(world, "accounts", "--limit", 0)) == ACCOUNTS, "rows are read all the same")
        answer = rig.run("doctor", world)
        claim(answer.code == 1 and "is stopped" in answer.out and "kill -CONT" in answer.out,
              "doctor says what to do", answer)
        keeper.send_signal(signal.SIGCONT)
        claim(stop(keeper) == 0, "it goes on", keeper.log)
        claim(rig.run("top", world, "--once", "--json").json()["keeper"] is None, "then nobody")


def top_ends_by_a_signal():
    with rig.Place() as place:
        world = world_with_balances(place)
        process = rig.start("top", world, stdout=subprocess.PIPE)
        line = process.stdout.readline()
        claim("commits" in line and "\x1b" not in line, "plain lines off a terminal", line)
        process.send_signal(signal.SIGINT)
        claim(process.wait(60) == 0, "it ends well")


def doctor_checks_machine_and_world():
    with rig.Place() as place:
        answer = rig.run("doctor", "--json")
        claim(answer.code in (0, 1), "the machine alone", answer)
        names = {each["check"] for each in answer.json()["checks"]}
        claim({"kernel", "disk sync", "region memory", "clock", "PID namespace", "limit core"} <=
              names, "it looks at all", names)
        world = world_with_balances(place)
        seen = {each["check"]: each for each in rig.run("doctor", world, "--json").json()["checks"]}
        for name in ("configuration", "journal", "lease", "region"):
            claim(seen[name]["verdict"] == "ok", f"{name} is ok", seen[name])
        answer = rig.run("doctor", place / "nowhere")
        claim(answer.code == 1 and "perdure init" in answer.out, "no world is bad", answer)

        (world / "world.toml").write_text("[region]\nsize = 1\n")
        answer = rig.run("doctor", world)
        claim(answer.code == 1 and "region.size" in answer.out, "so is its configuration", answer)
        (world / "world.toml").unlink()
        segment = sorted((world / "journal").iterdir())[0]
        segment.rename(place / "kept")
        answer = rig.run("doctor", world)
        claim(answer.code == 3 and segment.name in answer.out, "a lost segment is damage", answer)
        (place / "kept").rename(segment)
        manifest = world / "MANIFEST"
        manifest.write_bytes(b"\0" + manifest.read_bytes()[1:])
        claim(rig.run("doctor", world, "--json").json()["verdict"] in ("damaged", "bad"),
              "and a broken MANIFEST")


def a_bundle_holds_no_rows():
    with rig.Place() as place:
        world = world_with_balances(place)
        file = place / "support.tar.zst"
        answer = rig.run("doctor", world, "--bundle", file, "--json")
        held = answer.json()["bundle_holds"]
        subprocess.run(["zstd", "-q", "-d", file], check=True)
        content = b""
        with tarfile.open(place / "support.tar") as tar:
            names = [each.name.removeprefix("perdure-support/") for each in tar]
            for each in tar:
                content += tar.extractfile(each).read()
        claim(names == held and {"doctor.json", "status.json", "schemas.json", "MANIFEST",
                                 "world.toml", "region_header.bin"} <= set(names), "it says all",
              names)
        claim(not re.search(rb"\bp1[0-9]\b", content), "no player's name")
        for row in rows(world, "balances", "--limit", 5):
            claim(str(row["available"]).encode() not in content, "no balance", row)


def as_user(number, group, *words):
    setpriv = shutil.which("setpriv")
    claim(setpriv is not None, "setpriv is there")
    done = subprocess.run([setpriv, f"--reuid={number}", f"--regid={number}", "--groups",
                           str(group), rig.PERDURE, *map(str, words)], capture_output=True,
                          text=True)
    return rig.Answer(done.returncode, done.stdout, done.stderr)


def a_user_of_the_group_may_look_and_may_not_write():
    if os.getuid() != 0:
        print("  SKIPPED: only root can be several users", flush=True)
        return
    group, member, stranger = 54321, 54322, 54323
    with rig.Place() as place:
        place.path.chmod(0o755)
        world = world_with_balances(place, "--set", f"access.group={group}", "--set",
                                    "access.rights=read")
        keeper = kept(world)
        answer = as_user(member, group, "query", world, "balances", "--json")
        claim(answer.code == 0 and len(answer.json()["rows"]) == 40, "it may query", answer)
        claim(as_user(member, group, "export", world, "accounts").code == 0, "export")
        answer = as_user(member, group, "top", world, "--once", "--json")
        claim(answer.code == 0 and answer.json()["keeper"]["process"] == keeper.pid, "top", answer)
        answer = as_user(member, group, "doctor", world)
        claim("damaged" not in answer.out.splitlines()[0] and answer.code in (0, 1), "doctor",
              answer)

        before = verdict(world)["image_hash"]
        answer = as_user(member, group, "verify", world)
        refused(answer, 1, "Permission denied")
        region = Path(os.readlink(world / "region"))
        claim(region.stat().st_mode & 0o777 == 0o640, "the region says so itself")
        file = place / "t.csv"
        file.chmod(0o644)
        answer = as_user(member, group, "import", "transfers", world, file, "--columns",
                         "from=from,to=to,amount=amount", "--scale", 2)
        claim(answer.code == 1 and "Permission denied" in answer.err, "it may not trade", answer)
        claim(verdict(world)["image_hash"] == before, "nothing was written")
        answer = as_user(member, group, "serve", world)
        claim(answer.code == 1, "it may not keep", answer)

        answer = as_user(stranger, stranger, "query", world, "balances")
        claim(answer.code == 1 and "Permission denied" in answer.err, "a stranger may not look",
              answer)
        claim(stop(keeper) == 0, "the keeper did not mind", keeper.log)


if __name__ == "__main__":
    sys.exit(rig.main([every_command_has_help_with_an_example,
                       a_query_lists_tables_and_shows_rows,
                       what_cannot_be_asked_is_refused_by_name,
                       an_export_can_be_read_back,
                       a_full_disk_leaves_no_half_file,
                       exports_and_queries_run_beside_writers,
                       a_stopped_keeper_is_seen,
                       top_ends_by_a_signal,
                       doctor_checks_machine_and_world,
                       a_bundle_holds_no_rows,
                       a_user_of_the_group_may_look_and_may_not_write]))
