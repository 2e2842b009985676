# SPDX-License-Identifier: Apache-2.0
"""A ledger as one would write it in an afternoon: dictionaries, whole integers, one line after the
other. It shares no code with the import it judges.

usage: naive_ledger.play(rows, Rules(...)) -> a Book: refused lines, balances, what was minted
"""
import csv
import io
import subprocess
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from typing import Callable, Optional

LARGEST = 2**63 - 1
getcontext().prec = 60


def read(path):
    """The rows of a CSV, packed or not, as dictionaries."""
    raw = path.read_bytes()
    if path.suffix == ".zst":
        raw = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
    return list(csv.DictReader(io.StringIO(raw.decode(), newline="")))


def minor(text, scale, shift=0):
    """A decimal number in units of 10^-scale, half to even."""
    moved = Decimal(text).scaleb(scale - shift)
    return int(moved.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@dataclass
class Rules:
    """What a row means: names, an amount below zero for the other way, opening balances."""
    payer: Callable
    payee: Callable
    amount: Callable
    opens_payer: Callable = lambda row: 0
    opens_payee: Callable = lambda row: 0
    counts: Callable = lambda row: True
    budget: Optional[int] = None


@dataclass
class Book:
    balances: dict = field(default_factory=dict)
    minted: int = 0
    refused: dict = field(default_factory=dict)
    after: list = field(default_factory=list)  # (payer's, payee's) behind each row

    def open(self, name, value, budget):
        """Why it may not be opened, or None."""
        if name in self.balances:
            return None
        if value and budget is not None and self.minted + value > budget:
            return "budget_exceeded"
        self.minted += value
        self.balances[name] = value
        return None

    def move(self, payer, payee, value):
        if value <= 0:
            return "bad_amount"
        if payer == payee:
            return "same_account"
        if self.balances[payer] < value:
            return "insufficient_funds"
        if self.balances[payee] + value > LARGEST:
            return "overflow"
        self.balances[payer] -= value
        self.balances[payee] += value
        return None


def play(rows, rules, book=None):
    """Row i of the file is its line i + 2: the header is line 1 and no field has a line break."""
    book = book or Book()
    for line, row in enumerate(rows, 2):
        sides = [(rules.payer(row), rules.opens_payer(row)),
                 (rules.payee(row), rules.opens_payee(row))]
        value = rules.amount(row) if rules.counts(row) else None
        if value is not None:
            ordered = sides if value >= 0 else sides[::-1]
            before = {name: book.balances.get(name) for name, _ in sides}, book.minted
            why = book.open(*ordered[0], rules.budget) or book.open(*ordered[1], rules.budget) \
                or book.move(ordered[0][0], ordered[1][0], abs(value))
            if why:  # A refused line leaves nothing behind, not even an account.
                book.refused[line] = why
                book.minted = before[1]
                for name, balance in before[0].items():
                    if balance is None:
                        book.balances.pop(name, None)
        book.after.append(tuple(book.balances.get(name, 0) for name, _ in sides))
    return book
