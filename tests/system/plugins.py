#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims of `perdure plugin` on a world that `perdure serve` keeps: load, list, logs, upgrade,
disable, enable and unload work and say so, as text and as JSON; a killed plugin is back; one that
crashes is quarantined, health says so, and the world goes on; the keeper's death ends its plugins,
the next one starts them; after a crash of the machine they go on where the world was durable."""
import os
import signal

import rig
from rig import claim, refused, run, start, wait_until

SAMPLES = os.path.join(os.environ["PERDURE_BUILD"], "tests/plugins/samples")
PAYER, ROGUE = "org.example.payer", "org.example.rogue"


def sample(name):
    return os.path.join(SAMPLES, name + ".so")


def listed(world):
    answer = run("plugin", "list", world, "--json")
    claim(answer.code == 0, "plugins are listed", answer)
    return {each["id"]: each for each in answer.json()["plugins"]}


def hosts():
    """Processes of plugins that this test's keepers have started."""
    keepers, found = {each.pid for each in rig.STARTED}, []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                name, rest = file.read().rsplit(")", 1)
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if "perdure_plugin_" in name and state != "Z" and int(parent) in keepers:
            found.append(int(pid))
    return found


def serve(place, world):
    keeper = start("serve", world, "--set", "clock.tick=20ms",
                   stderr=open(place / "serve.log", "a", encoding="utf-8"))
    wait_until("it keeps the world", lambda: run("status", world, "--json").json().get("keeper"))
    return keeper




def populated(place):
    """Eight players that the payer knows, and a bank."""
    world = rig.made(place, "world", "--set", "clock.tick=20ms")
    file = place / "accounts.csv"
    lines = ["name,balance", "bank,1000000"] + [f"player-{i},1000" for i in range(1, 9)]
    file.write_text("\n".join(lines) + "\n")
    answer = run("import", "accounts", world, file, "--columns", "name=name,balance=balance",
                 "--asset", "gold", "--scale", 0)
    claim(answer.code == 0, "accounts come in", answer)
    return world


def life_of_a_plugin(place):
    world = populated(place)
    refused(run("plugin", "load", world, place / "nothing.so"), 1)
    refused(run("plugin", "load", world, sample("not_a_plugin")), 1, "bad_plugin")
    refused(run("plugin", "unload", world, PAYER), 1, "unknown_plugin")
    claim(run("plugin", "list", world).out.startswith("no plugin"), "none is loaded")

    # Nobody keeps the world: it is loaded, and waits.
    answer = run("plugin", "load", world, sample("payer_named"), "--json")
    claim(answer.code == 0 and answer.json()["kept"] is False, "it waits for a keeper", answer)
    keeper = serve(place, world)
    wait_until("windows pass", lambda: listed(world)[PAYER]["windows"] >= 2)
    refused(run("plugin", "load", world, sample("payer_named")), 1, "exists")
    claim("takes over" in run("plugin", "logs", world, PAYER).out, "its log says who works")

    before = listed(world)[PAYER]
    os.kill(hosts()[0], signal.SIGKILL)
    wait_until("it is back", lambda: listed(world)[PAYER]["windows"] > before["windows"] + 1)
    after = listed(world)[PAYER]
    claim(after["crashes"] == 1 and after["generation"] > before["generation"], "it was noticed",
          after)
    claim("signal 9" in run("plugin", "logs", world, PAYER).out, "its log says how it ended")

    answer = run("plugin", "upgrade", world, PAYER, sample("payer_named_double"), "--shadow", 2,
                 "--json")
    claim(answer.code == 0 and answer.json()["upgraded"], "it is upgraded", answer)
    claim(answer.json()["compared"] >= 1 and "transfer" in answer.json()["report"],
          "what differs is told", answer)
    refused(run("plugin", "upgrade", world, PAYER, sample("rogue")), 1, "bad_plugin")

    answer = run("plugin", "disable", world, PAYER)
    claim(answer.code == 0, "it is disabled", answer)
    wait_until("its process ends", lambda: not hosts())
    answer = run("plugin", "enable", world, PAYER)
    claim(answer.code == 0 and "active" in answer.out, "it goes on", answer)

    # The keeper dies, and its plugins with it; the next one starts them again.
    keeper.kill()
    keeper.wait()
    wait_until("no plugin outlives its keeper", lambda: not hosts())
    then = listed(world)[PAYER]["windows"]
    serve(place, world)
    wait_until("the next keeper goes on", lambda: listed(world)[PAYER]["windows"] > then)
    answer = run("plugin", "unload", world, PAYER, "--json")
    claim(answer.code == 0 and not listed(world), "it is unloaded", answer)
    rig.verdict(world)


def a_rogue_is_left_alone(place):
    world = populated(place)
    serve(place, world)
    answer = run("plugin", "load", world, sample("rogue"), "--config",
                 '{"in":"tick","do":"crash"}')
    claim(answer.code == 0, "it is loaded", answer)
    wait_until("it is quarantined", lambda: listed(world)[ROGUE]["state"] == "quarantined")
    status = run("status", world, "--json").json()
    claim(status["health"]["percent"] < 100 and
          any("quarantined" in each for each in status["health"]["alarms"]), "health says so",
          status)
    claim("signal 11" in run("plugin", "logs", world, ROGUE).out, "the log says why")
    answer = rig.transfers(place, world, ["a,b,1.00"])
    claim(answer.code == 0, "the world goes on", answer)
    rig.verdict(world)


def after_a_crash_of_the_machine(place):
    world = populated(place)
    keeper = serve(place, world)
    claim(run("plugin", "load", world, sample("payer_named")).code == 0, "it is loaded")
    wait_until("windows pass", lambda: listed(world)[PAYER]["windows"] >= 3)
    keeper.kill()
    keeper.wait()
    os.unlink(os.readlink(world / "region"))
    serve(place, world)
    then = listed(world)[PAYER]["windows"]
    wait_until("it goes on by itself", lambda: listed(world)[PAYER]["windows"] > then + 2)
    run("plugin", "disable", world, PAYER)
    wait_until("its process ends", lambda: not hosts())
    rig.verdict(world)


if __name__ == "__main__":
    for each in (life_of_a_plugin, a_rogue_is_left_alone, after_a_crash_of_the_machine):
        with rig.Place() as somewhere:
            each(somewhere)
        print(f"{each.__name__}: as claimed")
