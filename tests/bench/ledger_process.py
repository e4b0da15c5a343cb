"""What is measured in a process of its own, because it is the process that is measured.

    python -m tests.bench.ledger_process ROLE CONFIG [NUMBER...]        prints one line of JSON
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import NoReturn

from enforcer.app import House, build
from enforcer.domain.call import CallEvent, Phase
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.settings import load
from enforcer.telemetry import Telemetry, set_up_logging
from tests.bench.site import FIRST, NOON, account, attempt, life

BATCH = 5_000


class Clock:
    """Time as we tell it."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def house(config: str, clock: Clock) -> House:
    """An enforcer, all of it but its connections; what may wait is done at once."""
    os.environ.setdefault("ENFORCER_AMI_SECRET", "bench")
    nowhere = Path(os.devnull).open("w")  # noqa: SIM115
    set_up_logging("json", nowhere)
    return build(load(Path(config)), Telemetry(), lambda work: work(), clock)


def restart(config: str) -> NoReturn:
    """From nothing to the first decision."""
    found = house(config, Clock())
    found.admission.admit(attempt(0, account(1).id, NOON))
    counted = {seat.tally.attempts for seat in found.ledger.seats(account(1).id, NOON)}
    print(json.dumps({"attempts": sorted(counted)}), flush=True)
    os._exit(0)     # before the writer's thread has written: the file is used again


def fill(config: str, rows: int, accounts: int) -> object:
    """Put so many calls of this month straight into the store."""
    settings = load(Path(config))
    ledger = SqliteLedger(settings.ledger_path, settings.numbers.plan().classify, Clock())
    ledger.put_accounts(account(n) for n in range(accounts))
    pace = (NOON - 3600 - FIRST) / rows
    for start in range(0, rows, BATCH):
        events = []
        for n in range(start, min(start + BATCH, rows)):
            one = attempt(n, account(n * 7919 % accounts).id, FIRST + n * pace)
            events.append(list(life(one, n))[-1])
        ledger.absorb(events)
    ledger.close()
    return {"rows": rows}


def memory(config: str, first: int, more: int) -> object:
    """Resident KiB: before anybody called, after `first` accounts did, after `more` did."""
    clock = Clock()
    found = house(config, clock)
    sizes = [_resident()]
    called = 0
    for many in (first, more):
        found.ledger.put_accounts(account(n) for n in range(called, called + many))
        for n in range(called, called + many):
            one = attempt(n, account(n).id, clock.now)
            found.admission.admit(one)
            for event in life(one, n):
                found.admission.observe(event)
            clock.now += 0.01
            if n % 200 == 0:
                found.admission.round("pbx1", clock.now)
            if n % 10_000 == 0:
                found.ledger.flush()
        called += many
        found.ledger.flush()
        sizes.append(_resident())
    found.ledger.close()
    return {"kib": sizes}


def durable(config: str, calls: int) -> object:
    """Calls begun and ended as fast as they can be counted, until all are on the disk."""
    found = house(config, Clock())
    gc.collect()
    begin = perf_counter()
    for n in range(calls):
        one = attempt(n, account(n % 1000).id, NOON)
        found.ledger.apply(CallEvent(Phase.STARTED, one, NOON))
        for event in life(one, n):
            found.ledger.apply(event)
    found.ledger.flush()
    took = perf_counter() - begin
    found.ledger.close()
    return {"durable": took}


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


ROLES = {role.__name__: role for role in (restart, fill, memory, durable)}

if __name__ == "__main__":
    role, config, *numbers = sys.argv[1:]
    print(json.dumps(ROLES[role](config, *map(int, numbers))))
