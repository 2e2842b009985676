#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claim: with balances too small for what a real trace moves, one worker refuses exactly the lines
that a naive ledger refuses, for the same reasons, and has its balances behind every line.

How: the naive ledger (naive_ledger.py) plays the file first. The balances that it has behind each
line are put into the file as two more columns; the import compares its own with them line by line,
and its list of refused lines is compared with the naive one. At the end `query` shows all
accounts and all balances, and they are the naive ledger's.
"""
import csv
import json
import sys
import time

import naive_ledger
import rig
import traces
from naive_ledger import Rules, minor

BUDGET = 4_000_000  # What the import of card payments may mint: 300 each are not there for all.


def cents(column):
    return lambda row: minor(row[column], 2)


def paysim(_):
    sign = {"CASH_IN": -1}
    return Rules(
        payer=lambda row: row["nameOrig"], payee=lambda row: row["nameDest"],
        amount=lambda row: sign.get(row["type"], 1) * minor(row["amount"], 2),
        opens_payer=cents("oldbalanceOrg"), opens_payee=cents("oldbalanceDest"),
    ), ",opening_from=oldbalanceOrg,opening_to=oldbalanceDest", ["--opening", "column"]


def amlsim(_):
    return Rules(payer=lambda row: row["sourceNodeId"], payee=lambda row: row["targetNodeId"],
                 amount=cents("value")), "", ["--opening", "zero"]


def cards(_):
    return Rules(payer=lambda row: "customer-" + row["customer"],
                 payee=lambda row: "terminal-" + row["terminal"], amount=cents("amount"),
                 opens_payer=lambda row: 300_00, opens_payee=lambda row: 300_00,
                 budget=BUDGET * 100,
                 ), "", ["--opening", "fixed:300", "--budget", BUDGET]


def near(_):
    return Rules(payer=lambda row: "outside/" + row["counterparty"],
                 payee=lambda row: "own/" + row["token"],
                 amount=lambda row: minor(row["amount"], 9, 24),
                 opens_payer=lambda row: 10**12, opens_payee=lambda row: 10**12,
                 ), "", ["--opening", "fixed:1000"]


def wow(_):
    def moved(row):
        value = int(row["copper"]) * int(row["quantity"] or 1)
        return -value if row["kind"] in ("sales", "income") else value
    return Rules(payer=lambda row: row["character"], payee=lambda row: row["counterparty"],
                 amount=moved, opens_payer=lambda row: 500_0000, opens_payee=lambda row: 500_0000,
                 counts=lambda row: row["kind"] in ("buys", "sales", "income", "expense"),
                 ), "", ["--opening", "fixed:500"]


PLANS = {"ledger-paysim": paysim, "ledger-amlsim-cycle": amlsim, "ledger-card-fraud": cards,
         "ledger-near-staking": near, "game-wow-ledger": wow}


def opened_accounts(world, book):
    """AMLSim says in a file of its own what each account begins with."""
    nodes = rig.inputs() / "ledger-amlsim-cycle" / "nodes.csv.zst"
    words = ["import", "accounts", world, nodes, "--columns", "name=nodeid,balance=init_balance",
             "--scale", 2, "--json"]
    for wanted in ("applied", "already_applied"):  # The second time nothing happens.
        answer = rig.run(*words)
        rig.claim(answer.code == 0, "accounts are opened", answer)
        rig.claim(answer.json()[wanted] == answer.json()["lines"] == 20000, wanted, answer)
    for row in naive_ledger.read(nodes):
        book.open(row["nodeid"], minor(row["init_balance"], 2), None)


def with_balances(place, trace, rows, after):
    """The file once more, with the naive ledger's balances behind each line."""
    file = place / f"{trace}.csv"
    with file.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*rows[0], "naive_from", "naive_to"])
        for row, (payer, payee) in zip(rows, after):
            table.writerow([*row.values(), written(trace, payer), written(trace, payee)])
    return file


def written(trace, units):
    """Minor units as the file's other numbers are written."""
    if "near" in trace:
        return units * 10**15
    return units if "wow" in trace else f"{units // 100}.{units % 100:02}"


def shown(world, table):
    answer = rig.run("query", world, table, "--limit", 0, "--json")
    rig.claim(answer.code == 0, f"{table} are shown", answer)
    return answer.json()["rows"]


def compare_all(world, book):
    """Who has nothing may have no balance yet."""
    names = {row["name"] for row in shown(world, "accounts")} - {"import"}
    rig.claim(names == set(book.balances), "the accounts are the naive ledger's",
              sorted(names ^ set(book.balances))[:10])
    ours = {row["shown"]["account"]: row["available"] + row["held"]
            for row in shown(world, "balances")}
    differing = {name for name in names if ours.get(name, 0) != book.balances[name]}
    rig.claim(not differing, "each account has what it has in the naive ledger",
              sorted(differing)[:10])
    return len(ours)


def check(trace):
    with rig.Place() as place:
        world = rig.made(place)
        rules, columns, more = PLANS[trace](None)
        rows = naive_ledger.read(traces.path(trace))
        book = naive_ledger.Book()
        if trace == "ledger-amlsim-cycle":
            opened_accounts(world, book)
        naive_ledger.play(rows, rules, book)
        file = with_balances(place, trace, rows, book.after)
        listed = place / "refused.csv"
        answer = rig.run(*traces.order(
            world, trace, *more, "--refused", listed,
            columns=columns + ",after_from=naive_from,after_to=naive_to", file=file))
        rig.claim(answer.code == 0, "the import is done", answer)
        seen = answer.json()
        refused = {int(row["line"]): row["reason"] for row in naive_ledger.read(listed)
                   if row["outcome"] == "refused"}
        rig.claim(refused == book.refused, f"the refused lines of {trace} are the naive ledger's",
                  sorted(set(refused.items()) ^ set(book.refused.items()))[:10])
        rig.claim(seen["refused"] == len(refused) > 0 and seen["malformed"] == 0,
                  "they are counted, and there are some", answer)
        balances = seen["balances"]
        rig.claim(balances["compared"] == balances["equal"] > seen["applied"],
                  "every balance behind every line is the naive ledger's", answer)
        at_the_end = compare_all(world, book)
        verdict = rig.verdict(world)
        rig.claim(verdict["conserved"], "money is conserved", verdict)
        print(json.dumps({"trace": trace, **{key: seen[key] for key in (
            "lines", "applied", "refused", "refused_by_reason", "left_out", "rounded")},
            "balances": balances, "balances_at_the_end": at_the_end,
            "state_hash": verdict["state_hash"]}), flush=True)


def main():
    missing = traces.missing()
    if missing:
        print(missing)
        return 77
    began = time.monotonic()
    for trace in sys.argv[1:] or PLANS:
        try:
            check(trace)
        except AssertionError as why:
            print(f"FAILED {trace}: {why}\nagain: python3 {sys.argv[0]} {trace}")
            return 1
    print(f"passed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
