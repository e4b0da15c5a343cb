"""One scenario, whoever plays it: accounts, what they do step by step, and what is expected in neutral words.

In: a TOML file (`tests/scenarios`), a switch to play it on. Out: all that was decided and recorded, in a form
in which two switches can be compared field by field. Refuses to know: SIP, AMI, the event socket.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from enforcer.domain.call import CallRecord, Direction
from enforcer.domain.decision import Decision, Finding
from enforcer.domain.journal import Kind
from enforcer.domain.usage import Usage
from tests.support.stage import Stage

EMERGENCY = ("911", "112")
STEPS = ("call", "close", "ends", "transfer", "lease", "run")


class Placed(Protocol):
    """A call that somebody has placed, as the caller's phone has it."""

    async def final(self) -> int:
        """What it was answered, once it was."""

    async def rings(self) -> None:
        """Wait until the far end rings."""

    async def hang_up(self) -> None:
        """End it; it talks."""

    async def give_up(self) -> int:
        """End it while it rings: what it is answered then."""


class Switch(Protocol):
    """A switch with phones on both sides."""

    name: str

    async def place(self, account: str, number: str, direction: Direction) -> Placed:
        """An account calls a number; inbound, an outsider calls one of the account's."""

    async def transfer(self, call: str, number: str) -> None:
        """The far end of a call in progress (the switch's own id) sends its caller on to a number."""

    async def leased(self, account: str) -> bool:
        """Whether the switch would let it call unasked."""

    async def tags(self, number: str) -> list[str]:
        """The X-Enforcer-Tag of each leg that reached the far end for this number, "" where it had none."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One customer's story."""

    name: str
    accounts: tuple[str, ...]
    steps: tuple[dict[str, Any], ...]
    within: float = 3.0         # seconds by which times may differ, on a machine that is busy

    def numbers(self) -> set[str]:
        """All that is dialled in it."""
        return {step.get("to") or step["call"] for step in self.steps if {"call", "to"} & step.keys()} | {
            step["call"] for step in self.steps if "call" in step
        }


@dataclass(frozen=True, slots=True)
class Scenario:
    """A policy, and lanes."""

    policy: str
    lanes: tuple[Lane, ...]

    @property
    def accounts(self) -> list[str]:
        """All accounts, in order."""
        return [account for lane in self.lanes for account in lane.accounts]

    def rows(self, anchor: int) -> str:
        """The accounts for import; their cycles begin on that day."""
        return "".join(f"{a},{lane.name},pbx,,,{anchor},UTC\n" for lane in self.lanes for a in lane.accounts)


def read(path: Path) -> Scenario:
    """A scenario. Raises AssertionError where lanes could get into each other's way."""
    data = tomllib.loads(path.read_text())
    lanes = tuple(
        Lane(one["name"], tuple(one["accounts"]), tuple(one["steps"]), one.get("within", 3.0))
        for one in data["lane"]
    )
    for what in ([a for lane in lanes for a in lane.accounts], [n for lane in lanes for n in lane.numbers()]):
        twice = [name for name, times in Counter(what).items() if times > 1 and name not in EMERGENCY]
        assert not twice, f"in two lanes: {twice}"
    for lane in lanes:
        for step in lane.steps:
            assert sum(key in step for key in STEPS) == 1, step
    return Scenario(data["policy"], lanes)


@dataclass(slots=True)
class Played:
    """What came of a lane: what each step showed, and what is on record at the end."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, list[str]] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    counters: dict[str, dict[str, Any]] = field(default_factory=dict)
    journal: list[tuple[str, str, str]] = field(default_factory=list)


async def play(scenario: Scenario, stage: Stage, switch: Switch) -> dict[str, Played]:
    """All lanes, side by side."""
    players = [_Player(lane, stage, switch) for lane in scenario.lanes]
    async with asyncio.TaskGroup() as tasks:
        for player in players:
            tasks.create_task(player.play(), name=player.lane.name)
    played = {player.lane.name: await player.result() for player in players}
    for lane in scenario.lanes:
        lenient(played[lane.name], lane.within)
    return played


class _Player:
    def __init__(self, lane: Lane, stage: Stage, switch: Switch) -> None:
        self.lane, self.stage, self.switch = lane, stage, switch
        self.labels: dict[str, str] = {}            # call id -> what it is called here
        self.left: dict[str, tuple[str, Placed, bool]] = {}
        self.told = 0                               # decisions of ours that a step has shown
        self.played = Played()

    async def play(self) -> None:
        for number, step in enumerate(self.lane.steps, 1):
            verb = next(key for key in STEPS if key in step)
            shown: dict[str, Any] = {"step": number}
            try:
                await getattr(self, f"_{verb}")(f"{number}", step, shown)
            except AssertionError as problem:
                raise AssertionError(f"{self.lane.name}, step {number} {step}: {problem}") from problem
            shown["decisions"] = self._new_decisions()
            if step.get("asked") == "perhaps":
                shown["decisions"] = []
            if "burst" in step:     # how many were there already when one was judged is a race
                for decision in shown["decisions"]:
                    del decision["usage"]
            self.played.steps.append(shown)

    # --- steps

    async def _call(self, label: str, step: dict[str, Any], shown: dict[str, Any]) -> None:
        account = step.get("account", self.lane.accounts[0])
        direction = Direction(step.get("direction", "outbound"))
        burst = step.get("burst", 1)
        placed = [await self.switch.place(account, step["call"], direction) for _ in range(burst)]
        inbound = direction is Direction.INBOUND
        ids = await self.stage.until(
            lambda: self._new_calls(step["call"], "" if inbound else account, burst), "call"
        )
        self.labels |= dict.fromkeys(ids, label)
        if "leave" in step:
            rings = step["call"].endswith("180")
            self.left[step["leave"]] = (ids[0], placed[0], rings)
            if rings:
                await placed[0].rings()
            else:
                shown["code"] = await placed[0].final()
                await self.stage.until(lambda: self.stage.answered(ids[0]), "answer told")
            await self._asked(ids[0], step)
            return
        codes = await asyncio.gather(*(one.final() for one in placed))
        for one, code in zip(placed, codes, strict=True):
            if code == 200:
                await self.stage.until(
                    lambda: sum(bool(self.stage.answered(i)) for i in ids) >= codes.count(200), "answers"
                )
                await one.hang_up()
        for call_id in ids:
            await self._over(call_id)
        if burst > 1:
            ids.sort(key=[decision.call_id for decision in self._mine()].index)     # as they were judged
            self.labels |= {call_id: f"{label}.{n}" for n, call_id in enumerate(ids, 1)}
            shown["codes"] = dict(sorted(Counter(codes).items()))
        else:
            shown["code"] = codes[0]

    async def _over(self, call_id: str) -> None:
        await self.stage.until(lambda: self.stage.ended(call_id), "end told")

    async def _close(self, label: str, step: dict[str, Any], shown: dict[str, Any]) -> None:
        call_id, placed, rings = self.left.pop(step["close"])
        if rings:
            shown["code"] = await placed.give_up()
        else:
            await placed.hang_up()
        await self._over(call_id)

    async def _ends(self, label: str, step: dict[str, Any], shown: dict[str, Any]) -> None:
        call_id, _, _ = self.left.pop(step["ends"])
        await self._over(call_id)

    async def _transfer(self, label: str, step: dict[str, Any], shown: dict[str, Any]) -> None:
        call_id, _, _ = self.left[step["transfer"]]
        before = len(await self.switch.tags(step["to"]))
        await self.switch.transfer(call_id.partition("/")[2], step["to"])
        if step.get("verdict") == "block":
            await self.stage.until(lambda: self._decided(call_id, step["to"]), "decision")
            return
        while len(await self.switch.tags(step["to"])) <= before:    # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        await self._asked(call_id, step)

    async def _lease(self, label: str, step: dict[str, Any], shown: dict[str, Any]) -> None:
        self.stage.house.admission.hurry()
        async with asyncio.timeout(30):
            while await self.switch.leased(self.lane.accounts[0]) is not step["lease"]:     # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _run(self, label: str, step: dict[str, Any], shown: dict[str, Any]) -> None:
        await self.stage.run(*step["run"])

    # --- what is seen

    async def _asked(self, call_id: str, step: dict[str, Any]) -> None:
        if step.get("asked", True):
            number = step.get("to", step.get("call"))
            await self.stage.until(lambda: self._decided(call_id, number), "decision")

    def _decided(self, call_id: str, number: str) -> bool:
        return any(d.call_id == call_id and d.number == number for d in self.stage.decisions)

    def _new_calls(self, number: str, caller: str, count: int) -> list[str] | None:
        """The calls to this number (by this caller, where one is named) that no step has seen, as soon as
        there are so many. Two lanes may call an emergency number at once."""
        found = [
            call_id for call_id, (calling, dialled) in self.stage.calls().items()
            if dialled == number and caller in ("", calling) and call_id not in self.labels
        ]
        return found if len(found) >= count else None

    def _mine(self) -> list[Decision]:
        return [d for d in self.stage.decisions if d.account in self.lane.accounts]

    def _new_decisions(self) -> list[dict[str, Any]]:
        """What was decided since the last step, as it may be compared."""
        mine = self._mine()
        new, self.told = mine[self.told :], len(mine)
        return [self._decision(one) for one in new]

    def _decision(self, decision: Decision) -> dict[str, Any]:
        fields = decision._asdict()
        for name in ("decision_id", "at", "switch", "sip_call_id"):
            del fields[name]
        return {
            **fields, "call_id": self.labels.get(decision.call_id, "?"), "verdict": decision.verdict.word,
            "would_be": decision.would_be.word, "hold": _held(decision.hold), "refused": decision.refused,
            "reason": _Words(decision.reason), "findings": [_finding(f) for f in decision.findings],
            "usage": {rule: _usage(usage) for rule, usage in decision.usage},
        }

    async def result(self) -> Played:
        ledger, played = self.stage.house.ledger, self.played
        for number in sorted(self.lane.numbers()):
            if number not in EMERGENCY:
                played.tags[number] = await self.switch.tags(number)
        records = [record for account in self.lane.accounts for record in ledger.calls(account)]
        told = [self._record(record) for record in records]
        played.records = sorted(told, key=lambda one: [int(n) for n in one["call"].split(".")])
        now = self.stage.facts[-1].at
        for account in self.lane.accounts:
            played.counters[account] = {
                seat.rule.spec.id: _usage(seat.tally.usage()) for seat in ledger.seats(account, now)
            }
            # Notices are written by a round of their own, which may or may not have come yet.
            entries = [e for e in ledger.journal(account=account) if e.kind is not Kind.NOTICE]
            # A call for help is learned of from events, which come when they come: told first, always.
            entries.sort(key=lambda e: e.kind is not Kind.EMERGENCY)
            played.journal += [(e.kind.value, e.account, e.customer) for e in entries]
        return played

    def _record(self, record: CallRecord) -> dict[str, Any]:
        fields = record._asdict()
        for name in ("call_id", "switch", "channel", "legs", "started_at", "answered_at", "ended_at"):
            del fields[name]
        label = self.labels.get(record.call_id)
        assert label is not None, f"a call that nobody placed: {record}"
        return {
            **fields, "call": label, "answered": record.answered_at is not None,
            "over": record.ended_at is not None, "hangup_cause": _Cause(record.hangup_cause or 0),
            "seizures": record.seizures, "dialled": bool(record.legs),
            "billed": _Seconds(record.billmsec / 1000),
        }


class _Seconds(float):
    """A time that no two switches measure alike: equal within so many seconds."""

    within = 1.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and abs(self - other) <= self.within

    __hash__ = None  # type: ignore[assignment]


class _Words(str):
    """What is said of such a time, in minutes: equal but for that."""

    within = 1.0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Words):
            return False
        if _MINUTES.sub("#", str(self)) != _MINUTES.sub("#", str(other)):
            return False
        both = zip(_MINUTES.findall(self), _MINUTES.findall(other), strict=True)
        return all(abs(float(a) - float(b)) <= self.within / 60 for a, b in both)

    __hash__ = None  # type: ignore[assignment]


_MINUTES = re.compile(r"\d+\.\d+")


class _Cause(int):
    """A Q.850 cause: each switch has words of its own for what SIP knows but Q.850 does not. The SIP code of
    such an ending is compared as it is."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        both = {int(self), int(other)} if isinstance(other, int) else set()
        return len(both) == 1 or any(both <= alike for alike in _ALIKE if both)

    __hash__ = None  # type: ignore[assignment]


# 503: congestion, temporary failure. The caller gave up: normal, or interworking. 603: normal, or rejected.
# 480: no user answers, or responds.
_ALIKE = ({34, 41, 42}, {16, 127}, {16, 21}, {18, 19})


def _held(hold: float) -> str:
    """The class of it: how long exactly depends on when the calls came."""
    return "held" if hold else "at once"


def _usage(usage: Usage) -> dict[str, Any]:
    fields = usage._asdict()
    return {**fields, "msec": _Seconds(fields["msec"] / 1000)}


def _finding(finding: Finding) -> dict[str, Any]:
    return {**finding._asdict(), "hold": _held(finding.hold), "value": _Words(finding.value)}


def lenient(found: Any, within: float) -> None:
    """Have the times in there be equal within so many seconds."""
    if isinstance(found, _Seconds | _Words):
        found.within = within
    elif isinstance(found, Played):
        lenient([getattr(found, name) for name in Played.__slots__], within)
    elif isinstance(found, dict):
        lenient(list(found.values()), within)
    elif isinstance(found, list):
        for one in found:
            lenient(one, within)


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Every field in which two accounts of a lane differ: "steps[3].decisions[0].sip_code: 403, 503"."""
    if isinstance(one, Played) and isinstance(other, Played):
        return [
            line for name in Played.__slots__
            for line in differences(getattr(one, name), getattr(other, name), name)
        ]
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            line for key in one | other
            for line in differences(one.get(key, "nothing"), other.get(key, "nothing"), f"{path}.{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [line for n, (a, b) in enumerate(zip(one, other, strict=True))
                for line in differences(a, b, f"{path}[{n}]")]
    return [] if one == other else [f"{path}: {one!r}, {other!r}"]


def unexpected(lane: Lane, played: Played) -> list[str]:
    """Where a lane did not go as its file says."""
    wrong: list[str] = []
    for step, shown in zip(lane.steps, played.steps, strict=True):
        found = {key: value for key, value in shown.items() if key in ("code", "codes")}
        found["decisions"] = len(shown["decisions"])
        wanted: dict[str, Any] = {"decisions": _wanted_decisions(step)}
        if "codes" in step:
            wanted["codes"] = {int(code): times for code, times in step["codes"].items()}
        elif "code" in step or ("call" in step and "code" in shown):
            wanted["code"] = step.get("code", 200)
        if step.get("verdict") or step.get("rule") or ("call" in step and wanted["decisions"] == 1):
            first = shown["decisions"][-1] if shown["decisions"] else {}
            verdict = step.get("verdict", "allow") if "burst" not in step else first.get("verdict")
            wanted |= {"verdict": verdict, "rule": step.get("rule", "")}
            found |= {"verdict": first.get("verdict"), "rule": first.get("rule")}
            if "burst" not in step:
                wanted |= {"would_be": step.get("would_be", verdict), "tags": step.get("tags", "")}
                found |= {"would_be": first.get("would_be"), "tags": "+".join(first.get("tags", ()))}
        if found != wanted:
            wrong.append(f"step {shown['step']} {step}: {found}, wanted {wanted}")
    return wrong


def _wanted_decisions(step: dict[str, Any]) -> int:
    if "call" in step or "transfer" in step:
        return int(step.get("burst", 1)) if step.get("asked", True) is True else 0
    return int("verdict" in step)
