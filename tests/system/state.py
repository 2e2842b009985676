#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: perdure state keeps documents through a reboot, answers refusals with cause and remedy,
says what differs between two versions, and takes whole folders in and gives them back byte for
byte, real game worlds (--real; world-eve-map, world-character-cards) among them.
"""
import json
import sys

import rig
from rig import claim, drop_region, made, refused, verdict


def put(place, world, document, value, *more):
    file = place / "value"
    file.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return rig.run("state", "put", world, document, "--file", file, *more)


def done(answer):
    claim(answer.code == 0, "it is done", answer)
    return answer


def a_document_survives_a_reboot_with_its_history():
    with rig.Place() as place:
        world = made(place)
        done(put(place, world, "markets/gold", {"price": 1}, "--to-state", "open"))
        done(put(place, world, "markets/gold", {"price": 2, "note": "late"}, "--from-state", "open",
                 "--to-state", "closed", "--expect-version", "1", "--reason", "7"))
        before = verdict(world)["state_hash"]
        drop_region(world)
        claim(verdict(world)["state_hash"] == before, "the state is the same")
        seen = done(rig.run("state", "get", world, "markets/gold", "--json")).json()
        claim(seen["value"] == {"price": 2, "note": "late"} and seen["version"] == 2, "it is", seen)
        first = done(rig.run("state", "get", world, "markets/gold", "--version", "1"))
        claim(json.loads(first.out) == {"price": 1}, "the first version too", first)
        steps = done(rig.run("state", "history", world, "markets/gold", "--json")).json()
        moves = [(each["from_state"], each["to_state"], each["reason"])
                 for each in steps["versions"]]
        claim(moves == [("", "open", 0), ("open", "closed", 7)], "its transitions", moves)
        claim("open -> closed" in done(rig.run("state", "history", world, "markets/gold")).out,
              "for people")


def refusals_say_what_to_do():
    with rig.Place() as place:
        world = made(place)
        done(put(place, world, "markets/gold", {}, "--to-state", "open"))
        before = verdict(world)["image_hash"]
        refused(put(place, world, "markets/gold", {}, "--expect-version", "3"), 1,
                "markets/gold", "version_conflict")
        refused(put(place, world, "markets/gold", {}, "--from-state", "closed"), 1, "wrong_state")
        refused(put(place, world, "markets/gold", b"{"), 1, "not_json")
        refused(put(place, world, "markets/gold", b"x", "--binary"), 1, "wrong_kind")
        refused(put(place, world, "markets/..", {}), 1, "bad_name")
        refused(put(place, world, "gold", {}), 1, "COLLECTION/NAME")
        refused(put(place, world, "markets/big", b"x" * ((16 << 20) + 1), "--binary"), 1,
                "value_too_large")
        refused(rig.run("state", "get", world, "markets/silver"), 1, "markets/silver", "not_found")
        refused(rig.run("state", "diff", world, "markets/gold"), 1, "not_found")
        refused(rig.run("state", "limit", world, "markets/gold", "--versions", "65"), 1,
                "bad_limit")
        refused(rig.run("state", "put", world, "markets/gold", "--file", place / "none"), 1, "none")
        claim(rig.run("state", "fly", world).code == 2, "no such verb")
        claim(verdict(world)["image_hash"] == before, "nothing changed")


def differences_are_named_by_json_pointers():
    with rig.Place() as place:
        world = made(place)
        done(put(place, world, "m/g", {"a": 1, "b": {"x/y": [1, 2]}, "gone": None}))
        done(put(place, world, "m/g", {"a": 1, "b": {"x/y": [1, 3, 4]}, "new~": "n"}))
        lines = done(rig.run("state", "diff", world, "m/g")).out.splitlines()
        claim(lines == ['~ /b/x~1y/1 2 -> 3', '+ /b/x~1y/2 4', '- /gone null', '+ /new~0 "n"'],
              "each place once", lines)
        changes = done(rig.run("state", "diff", world, "m/g", "--from", "2", "--to", "1",
                               "--json")).json()["changes"]
        claim({each["path"] for each in changes} ==
              {"/b/x~1y/1", "/b/x~1y/2", "/gone", "/new~0"}, "the other way round", changes)
        done(put(place, world, "m/b", b"\0abc", "--binary"))
        done(put(place, world, "m/b", b"\0abd!", "--binary"))
        answer = done(rig.run("state", "diff", world, "m/b"))
        claim("first difference at byte 3" in answer.out, "bytes", answer)
        seen = done(rig.run("state", "get", world, "m/b", "--json")).json()
        claim(bytes.fromhex(seen["hex"]) == b"\0abd!", "bytes as hexadecimal", seen)


def limits_forget_old_versions():
    with rig.Place() as place:
        world = made(place)
        for number in range(12):
            done(put(place, world, "m/g", {"n": number}))
        kept = done(rig.run("state", "history", world, "m/g", "--json")).json()["versions"]
        claim([each["version"] for each in kept] == list(range(5, 13)), "eight are kept", kept)
        done(rig.run("state", "limit", world, "m/g", "--versions", "2"))
        refused(rig.run("state", "get", world, "m/g", "--version", "10"), 1, "version 10")
        done(rig.run("state", "get", world, "m/g", "--version", "11"))
        done(rig.run("state", "erase", world, "m/g"))
        refused(rig.run("state", "get", world, "m/g"), 1, "not_found")
        claim(done(rig.run("state", "list", world, "--json")).json()["documents"] == [], "none")
        verdict(world)


def round_trip(place, world, folder, collection):
    done(rig.run("state", "save", world, collection, folder))
    before = verdict(world)["state_hash"]
    drop_region(world)
    claim(verdict(world)["state_hash"] == before, "the state is the same")
    copy = place / (collection + "-copy")
    done(rig.run("state", "load", world, collection, copy))
    files = sorted(each for each in folder.iterdir() if each.is_file())
    claim([each.name for each in files] == sorted(each.name for each in copy.iterdir()), "names")
    for each in files:
        claim(each.read_bytes() == (copy / each.name).read_bytes(), each.name)
    refused(rig.run("state", "load", world, collection, copy), 1, "there already")
    return len(files)


def a_folder_comes_back_byte_for_byte():
    with rig.Place() as place:
        world = made(place)
        folder = place / "in"
        folder.mkdir()
        for size in (0, 1, 999, 1000, 1001, 65536, 65537, 1 << 20):
            (folder / f"b{size}").write_bytes(bytes(i * 7 % 251 for i in range(size)))
        for number in range(200):
            (folder / f"m{number}.json").write_text(json.dumps({"n": number, "t": "x" * number}))
        round_trip(place, world, folder, "mixed")
        (folder / "bad.json").write_text("{")
        refused(rig.run("state", "save", world, "other", folder), 1, "not_json")
        refused(rig.run("state", "save", world, "other", folder, "--atomic"), 1)


def real_worlds_come_back_byte_for_byte():
    seen = 0
    for name in ("world-eve-map", "world-character-cards"):
        folder = rig.inputs() / name
        if not folder.is_dir():
            continue
        with rig.Place() as place:
            seen += round_trip(place, made(place), folder, name)
    if seen == 0:
        print(f"SKIPPED: no world-eve-map in {rig.inputs()}; PERDURE_DATA says where it is")
        sys.exit(77)
    print(f"{seen} files")


CASES = [a_document_survives_a_reboot_with_its_history, refusals_say_what_to_do,
         differences_are_named_by_json_pointers, limits_forget_old_versions,
         a_folder_comes_back_byte_for_byte]

if __name__ == "__main__":
    if "--real" in sys.argv:
        sys.argv.remove("--real")
        CASES = [real_worlds_come_back_byte_for_byte]
    sys.exit(rig.main(CASES))
