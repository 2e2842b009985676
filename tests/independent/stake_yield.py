#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What stakes have earned, counted with whole numbers and fractions of any length, by the rules of
docs/stakes.md and without the engine's code.

usage: stake_yield.py FILE     each line: METHOD APY_PPB PERIOD_NS YEAR_NS PRINCIPAL N OWED

Simple interest must be the exact floor. Compound interest must be the floor of the exact power
(1 + apy)^(n * period / year); where the exact amount lies within 2^-19 of a whole minor unit either
neighbour's side may have been taken, and a whole one must be that one. OWED is "overflow" when the
total does not fit. Exit 0: all agree, 1: not, with the first that differs.
"""
import sys
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction

BILLION = 10**9
MOST = 2**63 - 1
EXACT = Context(prec=140, Emax=10**9, Emin=-10**9)


def simple(apy, period, year, principal, n):
    return {principal * apy * n * period // (BILLION * year)}


def compound(apy, period, year, principal, n):
    """The amounts that are right: one, or two on either side of a whole minor unit."""
    power = Fraction(n * period, year)
    growth = Fraction(BILLION + apy, BILLION)
    if power.denominator == 1 and power.numerator <= 200:
        whole = principal * (growth**power.numerator - 1)
        return {whole.numerator // whole.denominator} if whole.denominator == 1 else \
            near(Decimal(whole.numerator), whole.denominator)
    exponent = EXACT.divide(Decimal(power.numerator), Decimal(power.denominator))
    logarithm = EXACT.multiply(EXACT.ln(EXACT.divide(Decimal(BILLION + apy), Decimal(BILLION))),
                               exponent)
    if logarithm > 100:
        return {MOST + 1}  # Or more.
    grown = EXACT.exp(logarithm)
    return near(EXACT.multiply(Decimal(principal), EXACT.subtract(grown, Decimal(1))), 1)


def near(value, divisor):
    value = EXACT.divide(value, Decimal(divisor))
    whole = int(value.to_integral_value(ROUND_FLOOR))
    margin = EXACT.divide(Decimal(1), Decimal(2**19))
    up = EXACT.add(value, margin)
    return {whole, int(up.to_integral_value(ROUND_FLOOR))}


def main():
    lines = equal = close = over = 0
    for line in open(sys.argv[1], encoding="utf-8"):
        method, *numbers, said = line.split()
        apy, period, year, principal, n = map(int, numbers)
        right = (simple if method == "simple" else compound)(apy, period, year, principal, n)
        most = MOST if method == "simple" else MOST - principal
        lines += 1
        if said == "overflow":
            over += 1
            fits = all(value <= most for value in right)
        else:
            fits = int(said) not in right or int(said) > most
            equal += int(said) == min(right)
            close += len(right) > 1
        if fits:
            print(f"line {lines}: {line.strip()}: {sorted(right)} instead")
            return 1
    print(f"{lines} amounts: {equal} floors, {close} beside a whole unit, {over} too large")
    return 0 if lines > 1000 and over > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
