# SPDX-License-Identifier: Apache-2.0
"""The real ledgers that imports are judged by: where they lie, and what their columns mean."""
from pathlib import Path

import rig

# What each file's lines mean, without a word on opening balances.
TRACES = {
    "ledger-paysim": {
        "file": "paysim.csv.zst", "scale": 2,
        "columns": "from=nameOrig,to=nameDest,amount=amount,time=step",
        "more": ["--reverse", "type=CASH_IN"],
    },
    "ledger-amlsim-cycle": {
        "file": "transactions.csv.zst", "scale": 2,
        "columns": "from=sourceNodeId,to=targetNodeId,amount=value,time=time", "more": [],
    },
    "ledger-card-fraud": {
        "file": "transactions.csv.zst", "scale": 2,
        "columns": "from==customer-{customer},to==terminal-{terminal},amount=amount,time=time",
        "more": [],
    },
    "ledger-near-staking": {
        "file": "account_ledger.csv.zst", "scale": 9,
        "columns": "from==outside/{counterparty},to==own/{token},amount=amount,time=block",
        "more": ["--shift", "24", "--signed"],
    },
    "game-wow-ledger": {
        "file": "ledger.csv.zst", "scale": 4,
        "columns": "from=character,to=counterparty,amount=copper*quantity,time=time_s",
        "more": ["--shift", "4", "--where", "kind=buys|sales|income|expense",
                 "--reverse", "kind=sales|income"],
    },
}


def path(trace):
    return rig.inputs() / trace / TRACES[trace]["file"]


def order(world, trace, *more, columns="", file=None):
    """The words that import a trace; `columns` are put behind its own."""
    what = TRACES[trace]
    return ["import", "transfers", world, file or path(trace), "--columns",
            what["columns"] + columns, "--scale", what["scale"], *what["more"], "--json", *more]


def missing():
    """What a test that needs the traces says before it skips, or nothing."""
    absent = [trace for trace in TRACES if not Path(path(trace)).exists()]
    return absent and (f"SKIPPED: not there: {', '.join(absent)} in {rig.inputs()}; name their "
                       "folder with PERDURE_DATA")
