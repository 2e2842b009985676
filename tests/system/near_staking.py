#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims, on recorded staking of a public chain (ledger-near-staking): the import rebuilds what
each pool held, movement by movement, to the last unit of the world's scale; a programme with one
fitted rate comes to what was recorded but for the pools' own changes of rate, which are printed.

The records have 24 digits, the world 9: each amount is rounded half to even, so after n movements a
sum may differ from the recorded balance by n/2 units. Needs the traces; says so where they are not.
"""
import csv
import io
import math
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "independent"))

import rig
import stake_yield
import traces
from rig import claim

TRACE = "ledger-near-staking"
UNIT = 10**15  # Yocto a unit of 10^-9.
EPOCH_BLOCKS = 43_200
YEAR_NS = 365 * 86_400 * 10**9
PERCENT = 10**7
HOUR_S = 3600
WIDE = Context(prec=60)


def rows(name):
    packed = rig.inputs() / TRACE / name
    text = subprocess.run(["zstd", "-dc", packed], check=True, capture_output=True, text=True)
    return list(csv.DictReader(io.StringIO(text.stdout)))


def units(yocto):
    """Rounded half to even, as the import does."""
    return int((Decimal(yocto) / UNIT).quantize(Decimal(1), ROUND_HALF_EVEN, context=WIDE))


def number(text):
    return int(Decimal(text).scaleb(9))


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def pools():
    by_pool = defaultdict(list)
    for row in rows("account_ledger.csv.zst"):
        if "pool" in row["token"]:
            by_pool[row["token"]].append(row)
    return by_pool


def done(answer):
    claim(answer.code == 0, "it is done", answer)
    return answer


def history(world, account):
    """What it was opened with; (change, balance after) of every movement, the oldest first."""
    told = done(rig.run("explain", world, account, "--limit", 0, "--json")).json()["balances"]
    claim(len(told) == 1 and told[0]["whole"], "its whole history is there")
    changes = told[0]["changes"][::-1]
    grants = [number(event["fields"]["amount"]) for each in changes for event in each["events"]
              if event["type"] == "minted"]
    # The first line's transaction opens the account as well.
    grant = grants[0] if grants else 0
    claim(len(grants) <= 1, "it is opened once", grants)
    seen = [(number(each["available"]), number(each["available_after"])) for each in changes]
    seen[0] = (seen[0][0] - grant, seen[0][1])
    return grant, seen


def every_pool_is_rebuilt_movement_by_movement():
    with rig.Place() as place:
        world = rig.made(place)
        said = done(rig.run(*traces.order(world, TRACE, "--workers", 1))).json()
        print(f"  {said}"[:150])
        for pool, recorded in pools().items():
            opening, changes = history(world, f"own/{pool}")
            moved = [row for row in recorded if units(row["amount"]) != 0]
            claim(len(moved) == len(changes), f"{pool}: each movement is there",
                  f"{len(moved)} {len(changes)}")
            held = worst = drift = 0
            for count, (row, (change, after)) in enumerate(zip(moved, changes), 1):
                claim(change == units(row["amount"]), f"{pool}: the amount", row)
                held += units(row["amount"])
                claim(after - opening == held, f"{pool}: the balance behind it", row)
                # What the export lost in gaps is its own; the sum of amounts is what was moved.
                exact = sum(int(each["amount"]) for each in moved[:count])
                worst = max(worst, abs(Decimal(exact) / UNIT - held))
                drift = units(row["balance_after"]) - held
                claim(worst <= Decimal(count) / 2, f"{pool}: rounding alone", f"{worst} {count}")
            print(f"  {pool}: {len(changes)} movements, rounding came to {worst:.1f} units of "
                  f"10^-9 at most; the record's last balance is {drift:+} units beside the sum")
        rig.verdict(world)


def the_second_account_is_rebuilt_too():
    """stake_balance.csv has deposits, withdrawals and earnings in columns of their own."""
    recorded = rows("stake_balance.csv.zst")
    with rig.Place() as place:
        lines, expected = [], []
        for row in recorded:
            for kind in ("deposit", "earnings", "withdrawal"):
                amount = Decimal(row[f"{kind}_yocto"])
                if amount != 0:
                    lines.append(f"{kind},{row[kind + '_yocto']}")
                    expected.append(units(amount) * (-1 if kind == "withdrawal" else 1))
        file = place / "near.csv"
        file.write_text("kind,amount\n" + "\n".join(lines) + "\n")
        world = rig.made(place)
        done(rig.run("import", "transfers", world, file, "--columns",
                     "from==outside/{kind},to==staked,amount=amount", "--scale", 9, "--shift", 24,
                     "--reverse", "kind=withdrawal", "--workers", 1, "--json"))
        opening, changes = history(world, "staked")
        claim([change for change, _ in changes] == expected, "each movement is there")
        held = 0
        for change, after in changes:
            held += change
            claim(after - opening == held, "the balance behind it")
        print(f"  {len(changes)} movements of {len(recorded)} rows; at the end {held} units of "
              f"10^-9 are left of what was recorded as nothing")
        claim(abs(held) <= len(changes), "rounding alone", held)


def stretches():
    """(name, [(seconds, yocto)]): balances at the ends of epochs without a movement but rewards."""
    found = []
    for pool, recorded in pools().items():
        runs, run = [], []
        for row, then in zip(recorded, recorded[1:]):
            follows = (not then["tx"] and int(then["block"]) - int(row["block"]) == EPOCH_BLOCKS and
                       then["balance_before"] == row["balance_after"] and int(then["amount"]) > 0)
            run = run + [row] if follows else []
            runs.append(run)
        longest = max(runs, key=len)
        found.append((pool, [(seconds(row["time"]), int(row["balance_after"]))
                             for row in longest]))
    recorded = rows("stake_balance.csv.zst")
    runs, run = [], []
    for row, then in zip(recorded, recorded[1:]):
        gained = Decimal(then["earnings_yocto"])
        still = Decimal(then["deposit_yocto"]) == Decimal(then["withdrawal_yocto"]) == 0
        follows = gained > 0 and still and int(then["block"]) - int(row["block"]) == EPOCH_BLOCKS
        run = run + [row] if follows else []
        runs.append(run)
    longest = max(runs, key=len)
    found.append(("stake_balance", [(seconds(row["time"]), int(Decimal(row["balance_yocto"])))
                                    for row in longest]))
    return [each for each in found if len(each[1]) > 100]


def fitted(ratio, period_s, periods):
    """Parts per billion a year, so that this ratio comes of so many periods."""
    yearly = math.exp(math.log(ratio) / periods * (YEAR_NS / 1e9) / period_s)
    return round((yearly - 1) * 1e9)


def opened(place, principal, apy, period_s):
    """A world with one stake of so many units, made at world time 0."""
    world = rig.made(place)
    file = place / "accounts.csv"
    file.write_text(f"name,balance\nstaker,{Decimal(principal).scaleb(-9):f}\nbank,1000000\n")
    done(rig.run("import", "accounts", world, file, "--scale", 9, "--asset", "near",
                 "--columns", "name=name,balance=balance"))
    done(rig.run("stake", "open-programme", world, "pool", "--asset", "near", "--apy",
                 f"{Decimal(apy) / PERCENT:f}", "--compound", "--period", period_s,
                 "--treasury", "bank", "--authority", "bank"))
    done(rig.run("stake", "stake", world, "pool", "staker", f"{Decimal(principal).scaleb(-9):f}"))
    return world


def due_after(world, span_s):
    due = done(rig.run("stake", "due", world, "--in", span_s, "--json")).json()["due"]
    return (due[0]["to"], number(due[0]["amount"])) if due else (0, 0)


def one_rate_comes_near_what_was_recorded():
    """Epochs have no fixed length, so both are compared by time; periods are hours."""
    for name, recorded in stretches():
        began, first = recorded[0]
        spans = [round(at - began) for at, _ in recorded]
        principal = units(first)
        apy = fitted(recorded[-1][1] / first, spans[-1], 1)
        worst = beside = 0
        with rig.Place() as place:
            world = opened(place, principal, apy, HOUR_S)
            for epoch in sorted({round((len(recorded) - 1) * step / 24) for step in range(1, 25)}):
                periods, due = due_after(world, spans[epoch])
                right = stake_yield.compound(apy, HOUR_S * 10**9, YEAR_NS, principal, periods)
                claim(periods == spans[epoch] // HOUR_S and due in right,
                      f"{name}: the closed form", f"{epoch}: {due}, {right}")
                beside = principal + due - units(recorded[epoch][1])
                worst = max(worst, beside, key=abs)
        earned = units(recorded[-1][1]) - principal
        print(f"  {name}: {len(recorded) - 1} epochs in {spans[-1] / 86400:.1f} days, "
              f"{apy / PERCENT:.5f} % a year; earned {earned} units of 10^-9, ours "
              f"{worst:+} beside it on the way at most ({100 * abs(worst) / earned:.2f} %), "
              f"{beside:+} at the end")
        # The end is what was fitted: a rate of whole parts per billion, and less than an hour.
        limit = principal * spans[-1] * 1e9 / YEAR_NS * 1e-9 + earned * HOUR_S / spans[-1] * 1.2 + 2
        claim(abs(beside) <= limit, f"{name}: the end", f"{beside} {limit}")
        claim(abs(worst) < earned / 50, f"{name}: on the way", worst)


def a_rate_for_each_epoch_comes_to_what_was_recorded():
    """The protocol pays each epoch a share of what is staked then: compound, with a rate that
    changes. One period at its own fitted rate differs by the rounding of that rate alone."""
    for name, recorded in stretches():
        worst = total = 0
        for (began, before), (ended, after) in zip(recorded, recorded[1:]):
            span = round(ended - began)
            apy = fitted(after / before, span, 1)
            paid = min(stake_yield.compound(apy, span * 10**9, YEAR_NS, units(before), 1))
            beside = paid - (units(after) - units(before))
            worst = max(worst, abs(beside))
            total += beside
            # Half a part per billion of a year, what doubles hold of the ratio, and the cut.
            limit = units(before) * (span * 1e9 / YEAR_NS * 0.6e-9 + 2.3e-16 * 4) + 2
            claim(abs(beside) <= limit, f"{name}: an epoch", f"{beside} {limit}")
        print(f"  {name}: {len(recorded) - 1} epochs, at most {worst} units of 10^-9 beside an "
              f"epoch's reward, {total} in all")


CASES = [every_pool_is_rebuilt_movement_by_movement, the_second_account_is_rebuilt_too,
         one_rate_comes_near_what_was_recorded, a_rate_for_each_epoch_comes_to_what_was_recorded]

if __name__ == "__main__":
    if not (rig.inputs() / TRACE).is_dir():
        print(f"SKIPPED: no {TRACE} in {rig.inputs()}; name its folder with PERDURE_DATA")
        sys.exit(77)
    sys.exit(rig.main(CASES))
