"""A process that writes to a ledger until it is killed, or until its disk is full.

    python -m tests.support.ledger_process FILE calls        events for ever, told in lines when durable
    python -m tests.support.ledger_process FILE full BYTES   no file may grow past so many bytes
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from itertools import count
from pathlib import Path

from enforcer.errors import LedgerError
from enforcer.ledger.sqlite import SqliteLedger
from tests.support.ledgers import PATIENCE, POLICY, Call, Clock, classify, talked, tell, usage
from tests.support.rules import NOON


def call(number: int) -> Call:
    """The calls of these processes: number n of them."""
    return Call(f"{number}", f"a{number % 7}", start=NOON + number / 100)


def calls_for_ever(ledger: SqliteLedger) -> None:
    """Calls that ring, talk and end; after every tenth the number of those that are surely kept."""
    for number in count():
        one = call(number)
        tell(ledger, one.started())
        if number % 5:
            tell(ledger, one.answered())
        if number % 3:
            tell(ledger, one.ended(number % 12))
        if number % 10 == 9:
            ledger.flush()
            print(number + 1, flush=True)


def full_disk(ledger: SqliteLedger, most: int) -> None:
    """Fill the disk, go on, and make room again; tells what the ledger said of itself."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    told = 0
    refusal = ""
    while not refusal:
        for _ in range(200):
            tell(ledger, *talked(call(told * 7), 10))
            told += 1
        try:
            ledger.flush()
        except LedgerError as problem:
            refusal = str(problem)
    degraded = ledger.degraded
    during = usage(ledger, account="a0").attempts
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    try:
        ledger.flush()
    except LedgerError:
        ledger.flush()          # what failed had been begun before there was room
    print(json.dumps({
        "told": told, "refusal": refusal, "degraded": degraded, "during": during,
        "after": ledger.degraded, "overflow": ledger.overflow, "mismatches": len(ledger.verify()),
        "kept": sum(1 for _ in ledger.calls()),
    }), flush=True)
    ledger.close()


if __name__ == "__main__":
    mine = SqliteLedger(Path(sys.argv[1]), classify, Clock(), PATIENCE)
    mine.use(POLICY)
    if sys.argv[2] == "full":
        full_disk(mine, int(sys.argv[3]))
    else:
        calls_for_ever(mine)
