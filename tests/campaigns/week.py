"""A week of operation in minutes: memory stays flat, and so does the ledger.

    python -m tests.campaigns.week --calls 2000000 --accounts 400 --seed 1

A whole enforcer but for its connections, its clock told by hand: calls that are asked about, answered and
ended; a day's cycle for each account in its own zone, rolling windows, notices, modes that change, CDRs that
another process imports, restarts, and a round of pruning every six hours that keeps decisions for one day and
calls for two. Prints a line at the end of the second, fourth, fifth and last day: calls, cycles, resident
memory, the file, what is in it. Always at midnight, since what a day's rules remember of its calls grows
until its end. Pages of the ledger that SQLite keeps in memory are told apart: these have a cap of their own,
and fill up to it.

Exit 1 where counters differ, the chain does not hold, or anything grew: what is in use, pages aside, between
the fourth day and the end by more than a twentieth and 1 MB; the file in that time by a tenth and 1 MB;
and resident memory after the fifth day, since when nothing starts anew, by a tenth and 5 MB. A start reads
what it needs in one go and leaves holes in the heap: resident memory takes a step then which is no growth.
Calls that are over are remembered up to a cap; so that it is reached early, and filling it is not taken for
growth, the cap here is a fortieth of the calls where that is less. `--leak 150` keeps so many bytes of each
call, to see that a leak is found.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import tempfile
import time
import tracemalloc
from collections import deque
from dataclasses import replace
from heapq import heappop, heappush
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from enforcer import history
from enforcer.app import House, build
from enforcer.control.keeping import kept
from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Source
from enforcer.domain.cycle import BillingCycle, Period
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.retention import Terms
from enforcer.ledger import at_hand
from enforcer.ledger.pruning import Pruner
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.ledger.store import Store
from enforcer.settings import load
from enforcer.telemetry import Telemetry, set_up_logging
from tests.support.memory import held

DAY = 86_400.0
BEGIN = 1_795_478_400.0         # 2026-11-24, 00:00 UTC
TERMS = Terms(DAY, 2 * DAY)
STEP = 60.0                     # seconds of the week at a time
MIDNIGHTS = (2, 4, 5, 7)        # days after which it is looked at; on the second and fifth it starts anew
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Sao_Paulo")
CONFIG = """\
site = "week"
[ledger]
url = "sqlite:///ledger.db"
[policy]
packs = ["pack.toml"]
mode = "tag"
[[switch]]
name = "pbx1"
secret_env = "ENFORCER_AMI_SECRET"
"""
PACK = """\
[pack]
name = "week"
revision = "1"
"""
RULE = """\
[[rule]]
id = "{0}"
kind = "{0}"
clause = "{0}"
{1}
critical = {{ at = {2}, verdict = "tag" }}
"""
DAILY = 'window = { period = "day" }'
RULES = (
    ("attempts", DAILY, "{busy}"), ("minutes", DAILY, "100000"),
    ("short_calls", DAILY + "\nmin_answered = 50", "40"),
    ("failed_calls", 'window = "1h"\nmin_attempts = 50', "60"),
    ("distinct_numbers", 'window = "2h"', "100000"),
    ("same_number", DAILY, "100000"), ("redials", 'window = "1h"', "100000"),
    ("concurrent_calls", "", "10000"), ("cps", "", "1000"),
)


class Stand(NamedTuple):
    """Where everything stood."""

    calls: int
    cycles: int
    resident: float             # MB, holes in the heap given back where that can be
    pages: float                # MB of that which are pages of the ledger, up to the caps of ledger/store.py
    live: float                 # MB in use, holes left out
    file: float                 # MB, the ledger's
    rows: dict[str, int]
    seconds: float              # of the real clock


class Week:
    """See the module."""

    def __init__(
        self, folder: Path, calls: int, accounts: int, seed: int, days: float = 7.0, leak: int = 0
    ) -> None:
        self.folder, self.calls, self.days = folder, calls, days
        self.chance = random.Random(seed)
        self._leak, self._leaked = leak, list[bytes]()
        self.now = BEGIN
        self.told = self.cycles = self.imported = self.notices = self.pruned = 0
        self.wrong: list[str] = []
        self._events: list[tuple[float, int, CallEvent]] = []
        self._cdrs: deque[CallEvent] = deque(maxlen=5000)
        self._loop = asyncio.new_event_loop()
        os.environ.setdefault("ENFORCER_AMI_SECRET", "week")
        busy = max(10, int(2 * calls / days / accounts))
        pack = PACK + "".join(RULE.format(k, extra, at.format(busy=busy)) for k, extra, at in RULES)
        (folder / "pack.toml").write_text(pack)
        (folder / "enforcer.toml").write_text(CONFIG)
        self._nowhere = Path(os.devnull).open("w")  # noqa: SIM115
        set_up_logging("json", self._nowhere)
        self.house = self._open()
        self.house.ledger.put_accounts(
            Account(f"acct-{n:05}", f"cust-{n // 4:05}", AccountType.PBX, anchor_day=1 + n % 28,
                    timezone=ZONES[n // 4 % len(ZONES)])
            for n in range(accounts)
        )
        self._changed()
        self._accounts = self.house.ledger.accounts()
        self._cycle = {
            account.id: BillingCycle(1, account.timezone, Period.DAY).at(self.now)
            for account in self._accounts
        }

    def _open(self) -> House:
        settings = load(self.folder / "enforcer.toml")
        # Telemetry of its own, as another process would have: it holds on to the house that it measures.
        house = build(settings, Telemetry(CollectorRegistry()), lambda work: work(), lambda: self.now)
        house.admission.hurry = lambda: None        # there is no link to hurry
        return house

    def _changed(self) -> None:
        """Modes or accounts are not what they were: as `app.changed` does, by our clock."""
        house = self.house
        house.admission.steer(Modes(house.ledger.modes(), house.settings.policy.default_mode), self.now)
        house.bureau.look_again()

    def run(self, say: bool = True) -> list[Stand]:
        """The whole week."""
        stands: list[Stand] = []
        begun, steps, each = time.monotonic(), int(self.days * DAY / STEP), int(DAY / 4 / STEP)
        for step in range(1, steps + 1):
            self._step(self.calls * step // steps)
            if step % each == 0:
                self._six_hours(step // each)
            if step * STEP / DAY in MIDNIGHTS:
                stands.append(self._stand(time.monotonic() - begun))
                if say:
                    print(_line(stands[-1]), flush=True)
        self.wrong += [str(one) for one in self.house.ledger.verify()]
        proof = self.house.ledger.prove()
        self.wrong += [proof.broken] if proof.broken else []
        return stands

    def close(self) -> None:
        """Let go of everything."""
        self.house.ledger.close()
        self._loop.close()
        self._nowhere.close()

    # A minute ------------------------------------------------------------------------------------

    def _step(self, until: int) -> None:
        begin = self.now
        many = until - self.told
        for nth in range(many):
            self._tell(begin + STEP * nth / many)
            self._call()
        self._tell(begin + STEP)
        house = self.house
        house.ledger.tidy()
        house.ledger.changed_elsewhere()
        house.guard.beat()
        self._loop.run_until_complete(house.bureau._look())
        house.admission.round("pbx1", self.now)

    def _call(self) -> None:
        chance, now = self.chance, self.now
        # A twentieth of the accounts makes a fifth of the calls: they are over their day's limit by noon.
        few = max(1, len(self._accounts) // 20)
        account = self._accounts[chance.randrange(few if chance.random() < 0.2 else len(self._accounts))]
        cycle = self._cycle[account.id]
        if not cycle.holds(now):
            self.cycles += 1
            self._cycle[account.id] = BillingCycle(1, account.timezone, Period.DAY).at(now)
        self.told += 1
        attempt = CallAttempt(
            f"pbx1/{int(now)}.{self.told}", "pbx1", account.id, Direction.OUTBOUND,
            f"1212555{chance.randrange(10_000):04}", "12025550100", now,
            f"PJSIP/{account.id}-{self.told:08x}",
        )
        decision = self.house.admission.admit(attempt)
        if self._leak:
            self._leaked.append(bytes(self._leak))
        if decision.refused:
            return
        ring, talk = chance.uniform(1, 20), chance.choice((0, 0, 3, 40, 200))
        answer = now + ring if talk else None
        if answer is not None:
            self._later(answer, CallEvent(Phase.ANSWERED, attempt, answer, answered_at=answer))
        end = now + ring + talk
        ended = CallEvent(Phase.ENDED, attempt, end, answered_at=answer, hangup_cause=16)
        self._later(end, ended)
        if self.told % 20 == 0:
            self._cdrs.append(ended._replace(source=Source.CDR, billsec=float(talk)))

    def _later(self, at: float, event: CallEvent) -> None:
        heappush(self._events, (at, self.told * 2 + (event.phase is Phase.ENDED), event))

    def _tell(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            at, _, event = heappop(self._events)
            self.now = max(self.now, at)
            self.house.admission.observe(event)
        self.now = until

    # Six hours -----------------------------------------------------------------------------------

    def _six_hours(self, nth: int) -> None:
        ledger = self.house.ledger
        ledger.flush()          # whoever is last in line for the machine holds its own lock too long
        account = self.chance.choice(self._accounts).id
        ledger.put_mode(ModeSetting(
            self.chance.choice((Mode.TAG, Mode.MONITOR)), account=account, at=self.now, who="week",
            until=self.now + DAY,
        ))
        self._changed()
        if nth % 4 == 2:
            self._import()
        if nth in (7, 18):
            ledger.close()
            del ledger, self.house          # as ever: the next one does not begin beside the last
            gc.collect()
            self.house = self._open()
        self._prune()

    def _import(self) -> None:
        """Another process reads a CDR file; half of the calls are new to everybody."""
        settings = load(self.folder / "enforcer.toml")
        plan = settings.numbers.plan()
        self.house.ledger.flush()
        other = SqliteLedger(settings.ledger_path, plan.classify, lambda: self.now, canonical=plan.canonical)
        events = list(self._cdrs)
        events += [
            one._replace(attempt=replace(one.attempt, call_id=f"{one.attempt.call_id}.{self.imported}"))
            for one in events[:len(events) // 2]
        ]
        done = other.absorb(events)
        other.close()
        self.imported += done.new
        while self.house.ledger.changed_elsewhere():
            pass

    def _prune(self) -> None:
        ledger = self.house.ledger
        ledger.flush()
        store = Store(self.folder / "ledger.db", 30.0)
        try:
            pruner = Pruner(store, lambda: self.now, lambda _: None)
            pruner.look(max(TERMS))
            policy = self.house.admission.policy
            revisions = history.revisions(ledger)
            found = kept(ledger, policy, revisions, self.now, self.now - TERMS.calls, pruner.oldest_call)
            outcome = pruner.prune(TERMS, found.needed)
            self.pruned += outcome.decisions + outcome.calls
        finally:
            store.close()

    def _stand(self, seconds: float) -> Stand:
        ledger = self.house.ledger
        ledger.flush()
        store = Store(self.folder / "ledger.db", 30.0)
        with store.reading() as connection:
            rows = {
                table: connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar_one()
                for table in ("call", "decision", "journal", "pruned", "lived", "told", "call_before")
            }
        store.close()
        self.notices = len(ledger.registers.notices.all())
        file = (self.folder / "ledger.db").stat().st_size / 1e6
        return Stand(self.told + self.imported, self.cycles, *held(), file, rows, seconds)


def grown(stands: list[Stand]) -> list[str]:
    """What grew between the fourth day, when pruning has begun, and the end."""
    half, before, end = stands[1], stands[2], stands[3]
    found = []
    for what, first, last, share, least in (        # pages have a cap of their own
        ("what is in use", half.live - half.pages, end.live - end.pages, 1.05, 1.0),
        ("resident memory", before.resident - before.pages, end.resident - end.pages, 1.1, 5.0),
    ):
        if last > first * share + least:
            found.append(f"{what} grew from {first:.1f} to {last:.1f} MB, pages of the ledger aside")
    if end.file > half.file * 1.1 + 1:
        found.append(f"the file grew from {half.file:.1f} to {end.file:.1f} MB")
    return found


def _line(stand: Stand) -> str:
    rows = ", ".join(f"{count} {name}" for name, count in stand.rows.items())
    return (
        f"{stand.seconds:6.0f} s: {stand.calls} calls, {stand.cycles} cycles closed, "
        f"{stand.resident:.1f} MB resident, {stand.live:.1f} in use, "
        f"{stand.pages:.1f} of them pages of the ledger, "
        f"which has {stand.file:.1f} MB ({rows})"
    )


def main() -> int:
    """Run one week."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--accounts", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--leak", type=int, default=0, help="Keep so many bytes of each call.")
    parser.add_argument("--trace", action="store_true", help="Name the ten places where memory grew most.")
    asked = parser.parse_args()
    at_hand.REMEMBER_CALLS = min(at_hand.REMEMBER_CALLS, asked.calls // 40)
    if asked.trace:
        tracemalloc.start()
    with tempfile.TemporaryDirectory() as folder:
        week = Week(Path(folder), asked.calls, asked.accounts, asked.seed, leak=asked.leak)
        before = tracemalloc.take_snapshot() if asked.trace else None
        stands = week.run()
        if before is not None:
            for one in tracemalloc.take_snapshot().compare_to(before, "lineno")[:10]:
                print(one)
        week.close()
    wrong = week.wrong + grown(stands)
    print(f"{week.pruned} rows pruned, {week.notices} notices, {week.imported} calls imported; "
          f"{'; '.join(wrong) or 'nothing differs, nothing grew'}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
