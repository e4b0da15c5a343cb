"""kill -9 at random moments under load: after each, what the ledger counts is what the switch's CDRs say.

    python -m tests.campaigns.kills --kills 200 --seed 7

One real Asterisk under SIPp, which no kill touches. For each kill a burst of calls is placed, the enforcer
is killed somewhere in it (every fourth time once more, while it starts), and started again while calls go
on. When the burst is over, its CDR file is read (by `enforcer reconcile`'s own code; every tenth time that
is left to the running enforcer), and every call and every account is compared: attempts, answered calls,
seconds. Where events measured a call, its seconds may differ from the CDR by the one that the CDR rounds
away. In the end no gap may be open. Exit 1 where anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from enforcer.control.cdr_follow import Follower
from enforcer.control.gaps import filled_by
from enforcer.control.site import Site
from enforcer.domain.cycle import Span
from enforcer.domain.measure import Measure, Scope
from enforcer.ledger.port import Ledger
from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.provision import Provisioned, provision
from lab.sipp import Call, Callee, place

ACCOUNTS = ("one", "two", "three", "four")
POLICY = """
[pack]
name = "kills"
revision = "1"
effective = 2026-01-01

[[rule]]
id = "attempts"
kind = "attempts"
clause = "1"
critical = { at = 100000, verdict = "block" }
"""
BURST, RATE = 14, 16.0      # calls a burst, and a second
ALWAYS = Span(0.0, 1e11, "all of it")
ENDINGS = ("142", "143", "144", "486", "404")


class Row(NamedTuple):
    """A call as its CDRs have it."""

    account: str
    answered: bool
    seconds: int


@dataclass
class Report:
    """What came of it."""

    kills: int = 0
    calls: int = 0
    rounded: int = 0            # calls whose seconds differ by the one that a CDR rounds away
    gaps: int = 0
    wrong: list[str] = field(default_factory=list)


def rows_of(path: Path) -> dict[str, Row]:
    """The calls in a Master.csv, by the switch's own id."""
    found: dict[str, Row] = {}
    if not path.exists():
        return found
    with path.open(newline="") as file:
        for row in csv.reader(file):
            call, answered, seconds = row[-2], row[14] == "ANSWERED", int(row[13])
            known = found.get(call, Row(row[0], False, 0))
            found[call] = Row(
                known.account, known.answered or answered, max(known.seconds, seconds if answered else 0),
            )
    return found


def compare(ledger: Ledger, rows: dict[str, Row], report: Report) -> None:
    """Every call, then every account."""
    report.calls = len(rows)
    records = {record.call_id.partition("/")[2]: record for record in ledger.calls()}
    for call in rows.keys() ^ records.keys():
        report.wrong.append(f"{call} is only in {'the CDRs' if call in rows else 'the ledger'}")
    seconds: dict[str, int] = defaultdict(int)
    rounded: dict[str, int] = defaultdict(int)
    for call in rows.keys() & records.keys():
        row, record = rows[call], records[call]
        told = record.billmsec // 1000
        seconds[row.account] += told
        rounded[row.account] += told - row.seconds
        same = (record.account, record.answered_at is not None, record.live) == (*row[:2], False)
        if not same or abs(told - row.seconds) > 1:
            report.wrong.append(f"{call}: {row} is {record}")
    report.rounded = sum(map(abs, rounded.values()))
    for account in ACCOUNTS:
        mine = [row for row in rows.values() if row.account == account]
        usage = ledger.derive(Scope.ACCOUNT, account, Measure(), ALWAYS).usage()
        counted = usage.attempts, usage.completed + usage.short, usage.live
        wanted = len(mine), sum(row.answered for row in mine), 0
        if counted != wanted:
            report.wrong.append(f"{account}: {counted} counted, {wanted} in the CDRs")
        if seconds[account] - rounded[account] != sum(row.seconds for row in mine):
            report.wrong.append(f"{account}: {seconds[account]} s counted")


async def campaign(
    parts: Mapping[str, Provisioned], folder: Path, kills: int, seed: int,
    say: Callable[[str], None] = print, alone: int = 10,
) -> Report:
    """See the module."""
    chance = random.Random(seed)
    report = Report()
    async with AsyncExitStack() as stack:
        switch = await stack.enter_async_context(Asterisk(parts["asterisk"], accounts=ACCOUNTS))
        callee = Callee(parts["sipp"], switch.carrier_port)
        stack.callback(callee.close)
        await callee.start()
        enforcer = Enforcer(
            folder, switch, POLICY, accounts="".join(f"{name},{name}-co,pbx,,,,\n" for name in ACCOUNTS),
            more=f'cdr_file = "{switch.cdr_path}"\ncdr_delay = 5\n',
        )
        stack.push_async_callback(enforcer.stop)
        await enforcer.start()
        site, turn = Site(enforcer.config), 0
        while report.kills < kills and not report.wrong:
            turn += 1
            batch = [
                Call(chance.choice(ACCOUNTS), f"12025550{chance.choice(ENDINGS)}", chance.uniform(0.0, 1.1))
                for _ in range(BURST)
            ]
            burst = asyncio.create_task(place(
                parts["sipp"], switch.sip_address, batch, rate=RATE, within=90.0,
            ))
            moment = chance.uniform(0.0, BURST / RATE + 0.6)
            await asyncio.sleep(moment)
            enforcer.kill()
            report.kills += 1
            await enforcer.start(level=False)
            if chance.random() < 0.25 and report.kills < kills:
                await asyncio.sleep(chance.uniform(0.0, 1.2))
                enforcer.kill()
                report.kills += 1
                await enforcer.start(level=False)
            await burst
            await enforcer.line(lambda line: line.get("event") == "level with the switch", within=60.0)
            try:
                await _reconciled(site, switch, by_itself=turn % alone == 0)
            except TimeoutError:
                report.wrong.append(f"not read by itself: {enforcer.lines()[-20:]}")
            report.gaps += sum(line.get("event") == "gap" for line in enforcer.lines())
            with site.ledger() as ledger:
                compare(ledger, rows_of(switch.cdr_path), report)
            say(f"kill {report.kills} after {moment:.3f} s: {report.calls} calls, {len(report.wrong)} wrong")
        until = time.monotonic() + 60
        while True:             # what is left open now, the running enforcer closes by itself
            with site.ledger() as ledger:
                left = ledger.registers.gaps.open()
                if not left or time.monotonic() > until:
                    report.wrong += [f"still open: {gap}; read: {ledger.places()}" for gap in left]
                    break
            await asyncio.sleep(0.5)
        await enforcer.command("verify")
    return report


async def _reconciled(site: Site, switch: Asterisk, by_itself: bool) -> None:
    """What the switch wrote is read; where it is left to the enforcer, as soon as it has."""
    settings = site.settings.switch("pbx1")
    if not by_itself:
        swept = Follower(settings, switch.cdr_path, site.ledger, print).sweep()
        assert swept.place is not None
        with site.ledger() as ledger:
            ledger.put(filled_by(ledger, swept.place, time.time(), settings.cdr_delay))
        return
    async with asyncio.timeout(60):
        while True:
            with site.ledger() as ledger:
                place_read = ledger.places().get("pbx1")
            if place_read is not None and place_read.position == switch.cdr_path.stat().st_size:
                return
            await asyncio.sleep(0.2)


def main() -> int:
    """Run for as many kills as asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--alone", type=int, default=10, help="each so many turns it is left alone")
    asked = parser.parse_args()
    print(f"seed {asked.seed}, {asked.kills} kills", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        parts = provision(["asterisk", "sipp"])
        report = asyncio.run(
            campaign(parts, Path(folder), asked.kills, asked.seed, alone=asked.alone)
        )
    for line in report.wrong:
        print(line)
    print(
        f"{report.kills} kills in {time.monotonic() - begun:.0f} s, {report.calls} calls, "
        f"{report.gaps} gaps, all closed; {len(report.wrong)} differences; "
        f"{report.rounded} s rounded away by CDRs"
    )
    return bool(report.wrong)


if __name__ == "__main__":
    sys.exit(main())
