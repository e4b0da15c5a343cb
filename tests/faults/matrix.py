"""One row of the matrix: a fault, and calls of every policy in every phase before it, under it and after it.

    well        before the fault                            answer       rings when it strikes
    question    asked, not answered when it strikes         mid-call     talks, and talks on when it is over
    before      placed while it is in force                 hang-up      hangs up while it is in force
    after       when it is over: all as it was

In: a fault. Out: a `Row`: cells, delays, counters, emergency calls. Refuses to know: how it is shown.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from lab.process import freeze, thaw
from lab.provision import Provisioned
from tests.faults.calls import EMERGENCY, Calls, Seen, cdrs, userfield
from tests.faults.faults import EITHER, LIVE, Fault
from tests.faults.house import ACCOUNTS, DEADLINE, HELP, POLICIES, House

PHASES = ("before", "question", "answer", "mid-call", "hang-up")
STRUCK = ("before", "question")         # whose set-up the fault can hold up
GOES = [name for name, account in ACCOUNTS.items() if account.answered == 200]
RATE = 12.0                             # calls a second while the fault is in force
MISSED = "the fault found no call there"
EARLY, LATE = 3.5, 7.0                  # s from the fault: see `Fault`


class Times(NamedTuple):
    """When the enforcer was held so that questions stand, when the fault began to strike, when it was in
    force, and when it was put right. Epoch seconds."""

    frozen: float
    began: float
    struck: float
    ended: float


@dataclass(slots=True)
class Cell:
    """One policy in one phase."""

    placed: int = 0
    as_policy: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """One fault."""

    fault: str
    words: str
    cells: dict[str, dict[str, Cell]]       # by phase, then policy
    after: Cell
    worst_added: float                      # s, of calls whose set-up it could hold up
    worst_stale: float | None               # s, once the heartbeat is stale
    allowed: float
    emergency_placed: int
    emergency_passed: int
    emergency_worst: float                  # s until answered
    switch_says: dict[str, int]
    enforcer_says: dict[str, int]
    problems: list[str]

    @property
    def placed(self) -> int:
        """All calls but the emergency calls."""
        return self.after.placed + sum(cell.placed for row in self.cells.values() for cell in row.values())

    @property
    def as_policy(self) -> int:
        """Those of them that went as their policy says."""
        return self.after.as_policy + sum(
            cell.as_policy for row in self.cells.values() for cell in row.values()
        )

    @property
    def counters_agree(self) -> bool:
        """Whether the enforcer counted what the switch wrote down."""
        return self.switch_says == self.enforcer_says

    @property
    def missed(self) -> bool:
        """Whether all that is wrong is that the fault came too early or too late for some phase."""
        return bool(self.problems) and all(MISSED in problem for problem in self.problems)

    @property
    def late(self) -> bool:
        """Whether all that is wrong is that a call waited too long, as it does where others have the CPU."""
        return self.problems == [self.lateness]

    @property
    def lateness(self) -> str:
        """What is to be said of the call that waited longest."""
        return f"a caller waited {self.worst_added:.2f} s longer than usual"

    @property
    def well(self) -> bool:
        """Whether every cell is as it should be."""
        return not self.problems

    def as_json(self) -> dict[str, object]:
        """For programs."""
        told = asdict(self)
        return told | {
            "placed": self.placed, "as_policy": self.as_policy, "counters_agree": self.counters_agree,
            "well": self.well,
        }


async def run(kind: type[Fault], parts: Mapping[str, Provisioned]) -> Row:
    """One fault, from a house that is well to a house that is well again."""
    fault = kind()
    async with House(parts, fault.asks, fault.wants) as house:
        calls = Calls(parts["sipp"], house.switch)
        times = await _play(fault, house, calls)
        counted = await _counted(house)
        rows = cdrs(house.switch.cdr_path)
        calls.look_up(rows)
        return _judge(fault, calls.seen, times, _written(rows), counted)


async def _play(fault: Fault, house: House, calls: Calls) -> Times:
    """Place all calls; when the fault began and ended."""
    await calls.place("first", list(ACCOUNTS), rate=10)
    await _taught(house)
    await calls.place("well", list(ACCOUNTS) * 2, rate=RATE)
    async with asyncio.TaskGroup() as tasks:
        def begin(phase: str, accounts: Sequence[str], talk: float, *, ringing: bool = False) -> None:
            placing = calls.place(phase, accounts, rate=RATE, talk=talk, ringing=ringing)
            tasks.create_task(placing, name=phase)

        longest = 3.0 + fault.seconds
        helped = calls.emergencies(HELP, int(2 * (longest + 2)), 2.0)
        tasks.create_task(helped, name="emergency")
        if fault.loses_calls:
            await asyncio.sleep(1.5)
        else:
            begin("mid-call", GOES * 3, longest + 3.0)
            begin("hang-up", GOES * 3, 3.0 + fault.seconds / 3)
            await asyncio.sleep(0.8)
            begin("answer", GOES * 3, 0.5, ringing=True)
            await asyncio.sleep(0.9)
        await fault.prepare(house)
        frozen = time.time()
        freeze(house.enforcer.pid)
        if not fault.loses_calls:
            burst = calls.place("question", list(ACCOUNTS) * 4, rate=100)
            tasks.create_task(burst, name="question")
            await _asked(house)
        began = time.time()
        await fault.strike(house)
        if fault.thaws:
            thaw(house.enforcer.pid)
        struck = time.time()
        stream = [name for _ in range(int(fault.seconds * RATE / len(ACCOUNTS))) for name in ACCOUNTS]
        if fault.loses_calls:
            await asyncio.sleep(0.2)
        tasks.create_task(calls.place("before", stream, rate=RATE), name="before")
        await asyncio.sleep(fault.seconds)
        ended = time.time()
        await fault.heal(house)
    if fault.relevels:
        await house.enforcer.line(lambda line: line.get("event") == "level with the switch", within=30)
    await _beating(house)
    await asyncio.sleep(1.0)        # what piled up is read
    await calls.place("after", list(ACCOUNTS) * 2, rate=RATE)
    return Times(frozen, began, struck, ended)


async def _taught(house: House) -> None:
    """Wait until the switch holds what it needs without us: the words, and the lease."""
    async with house.switch.ami() as session:
        await session.action("Events", EventMask="off")
        for key in ("word/known-over", "word/closed", "lease/leased"):
            for _ in range(200):
                if await session.listing("DBGet", Family="enforcer", Key=key):
                    break
                await asyncio.sleep(0.05)
            else:
                raise AssertionError(f"no {key} on the switch")


async def _asked(house: House) -> None:
    """Wait until questions stand on the switch that nobody has answered, or for as long as that is worth it:
    what matters is seen in the calls themselves afterwards."""
    async with house.switch.ami() as session:
        await session.action("Events", EventMask="off")
        for _ in range(150):
            status = await session.command("core show channels concise")
            waiting = [
                line for line in status.splitlines() if "WaitForCondition" in line or "!AGI!" in line
            ]
            if len(waiting) >= 9:
                return
            await asyncio.sleep(0.02)


async def _beating(house: House) -> None:
    """Wait until the switch has a heartbeat that is fresh."""
    async with house.switch.ami() as session:
        await session.action("Events", EventMask="off")
        for _ in range(300):
            found = await session.listing("DBGet", Family="enforcer", Key="hb")
            now = float((await session.action("Ping")).get("Timestamp", "0"))
            if found and now - float(found[0]["Val"]) < 3:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("no heartbeat within 15 s")


async def _counted(house: House) -> dict[str, int]:
    """What the enforcer counts, once it has read the switch's own records."""
    await asyncio.sleep(0.3)        # a commit
    await house.enforcer.command("reconcile")
    await house.enforcer.stop()
    with sqlite3.connect(house.ledger) as ledger:
        rows = ledger.execute(
            "SELECT account, refusal IN ('blocked', 'shed') AND answered_at IS NULL, "
            "answered_at IS NOT NULL, ended_at IS NULL FROM call"
        ).fetchall()
    return _sums(rows)


def _written(rows: Iterable[Sequence[str]]) -> dict[str, int]:
    """The same from the CDRs, read in a way of our own."""
    calls = {}
    for row in rows:
        answer = userfield(row).partition(";")[2].split(":")
        refused = answer[0] == "block" or (answer[0] == "throttle" and answer[1] != "0")
        calls[row[19]] = (row[0], refused, row[14] == "ANSWERED", False)
    return _sums(calls.values())


def _sums(calls: Iterable[Sequence[object]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for account, refused, answered, live in calls:
        sums[f"{account}: {'refused' if refused else 'attempts'}"] += 1
        sums[f"{account}: answered"] += bool(answered)
        sums["not over"] += bool(live)
    return {key: number for key, number in sorted(sums.items()) if number}


def _judge(
    fault: Fault, seen: Sequence[Seen], times: Times, written: dict[str, int], counted: dict[str, int],
) -> Row:
    cells = {phase: {policy: Cell() for policy in POLICIES} for phase in PHASES}
    after, back = Cell(), 0
    waits: list[float] = []
    stale: list[float] = []
    usual = statistics.median(call.waited or 0.0 for call in seen if call.phase == "well")
    helped = [call for call in seen if call.number == EMERGENCY]
    for call in seen:
        if call.phase == "after":
            _note(after, call, _wrong(call, EITHER if fault.slowed else LIVE, fault))
            back += call.source == "live"
        phase = _phase(call, times)
        if phase is None:
            continue
        since = call.sent_at - times.struck
        # The fault was put right while it was asked about.
        lifted = phase == "before" and call.sent_at > times.ended - 2 * DEADLINE
        wrong = _wrong(call, EITHER if lifted else _deciders(fault, phase, since), fault)
        _note(cells[phase][ACCOUNTS[call.account].policy], call, wrong)
        if phase in STRUCK and call.waited is not None:
            waits.append(call.waited - usual)
            if phase == "before" and since > LATE and fault.late.isdisjoint(LIVE):
                stale.append(call.waited - usual)
    passed = [call for call in helped if call.code == 200 and call.waited is not None]
    worst_help = max((call.waited or 0.0 for call in passed), default=0.0)
    # What callers who ask nobody waited is the machine's own doing, and others' on it.
    unasked = [call.waited - usual for call in seen if call.account == "leased" and call.waited is not None
               and call.phase in STRUCK]
    allowed = DEADLINE + max(0.15, worst_help, *unasked)
    row = Row(
        fault.name, fault.words, cells, after, max(waits, default=0.0), max(stale, default=None), allowed,
        len(helped), len(passed), worst_help, written, counted, [],
    )
    row.problems = _problems(row, fault)
    if not back:
        row.problems.append("after: nobody asked any more")
    return row


def _phase(call: Seen, times: Times) -> str | None:
    """In which phase the fault really found this call, None where it missed it."""
    final, bye = call.final_at or times.ended, call.bye_at or times.ended
    found = {
        "before": call.sent_at < times.ended,
        "question": times.frozen < call.sent_at < times.began and (
            final > times.began or call.account == "leased"),
        "answer": call.ringing_at is not None and call.ringing_at < times.frozen and final > times.began,
        "mid-call": final < times.frozen and bye >= times.ended,
        "hang-up": final < times.frozen and times.began < bye < times.ended,
    }
    return call.phase if found.get(call.phase, False) else None


def _deciders(fault: Fault, phase: str, since: float) -> frozenset[str]:
    if phase != "before" or fault.slowed:
        return LIVE if not fault.slowed and phase in ("answer", "mid-call", "hang-up") else EITHER
    if since < EARLY:
        return fault.early
    return fault.late if since > LATE else EITHER


def _wrong(call: Seen, deciders: frozenset[str], fault: Fault) -> str:
    """What is wrong with how this call went, "" nothing."""
    account = ACCOUNTS[call.account]
    if call.final_at is None:
        return "no answer at all"
    if call.code not in (account.answered, account.unanswered, 200 if fault.forgets else 0):
        return f"{call.code} is neither of its two"
    if call.source is None or (call.source == "" and account.policy == "leased"):
        pass            # it never asked, or the switch went down before it wrote a record
    elif call.source not in deciders:
        return f"{call.source} decided"
    elif call.code == 200 and call.source == "default" and fault.forgets:
        pass
    elif call.code != (account.answered if call.source == "live" else account.unanswered):
        return f"{call.code} though {call.source} decided"
    if call.code == 200 and call.cut_off:
        return "cut off"
    if call.code == 200 and not call.ended and not fault.loses_calls:
        return "never ended"
    return ""


def _note(cell: Cell, call: Seen, wrong: str) -> None:
    cell.placed += 1
    cell.as_policy += not wrong
    if wrong:
        cell.wrong.append(f"{call.account} {call.number}: {wrong}")


def _problems(row: Row, fault: Fault) -> list[str]:
    problems = []
    for phase, cells in row.cells.items():
        for policy, cell in cells.items():
            problems += [f"{phase}, {policy}: {words}" for words in cell.wrong[:3]]
            if not cell.placed and not fault.loses_calls:
                problems.append(f"{phase}, {policy}: {MISSED}")
    problems += [f"after: {words}" for words in row.after.wrong[:3]]
    if row.worst_added > row.allowed:
        problems.append(row.lateness)
    if row.worst_stale is not None and row.worst_stale > row.allowed - DEADLINE:
        problems.append(f"a caller waited {row.worst_stale:.2f} s though the heartbeat was stale")
    if row.emergency_passed < row.emergency_placed:
        problems.append(f"{row.emergency_placed - row.emergency_passed} emergency calls did not pass")
    if not row.counters_agree:
        keys = sorted(set(row.switch_says) | set(row.enforcer_says))
        both = [(key, row.switch_says.get(key, 0), row.enforcer_says.get(key, 0)) for key in keys]
        told = ", ".join(f"{key} {ours} not {theirs}" for key, theirs, ours in both if theirs != ours)
        problems.append(f"counters differ from the CDRs: {told}")
    return problems
