"""Windows full of calls in few words, and what a rule makes of them: for tables of arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from enforcer.domain.account import Account
from enforcer.domain.call import CallRecord, Medium, Refusal, Source
from enforcer.domain.decision import Level
from enforcer.domain.load import Loads
from enforcer.domain.notice import Gate
from enforcer.domain.registers import Registers
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import Judgement
from enforcer.domain.rules.seat import File, Seat
from enforcer.domain.usage import recount
from tests.support.rules import NOON, record, talked

ACME = Account("acme", "acme")


def numbered(*groups: Iterable[CallRecord], name: str = "pbx1") -> list[CallRecord]:
    """Calls of one window, each with an id of its own."""
    calls = [call for group in groups for call in group]
    return [call._replace(call_id=f"{name}/{nth}") for nth, call in enumerate(calls)]


def calls(
    *lengths: float, failed: int = 0, ringing: int = 0, talking: int = 0, blocked: int = 0, shed: int = 0,
    lost: int = 0, at: float = NOON, **facts: Any,
) -> list[CallRecord]:
    """Calls that began at `at`: answered ones of these lengths in seconds, and so many of other fates. `lost`
    ones were answered, and nobody saw them end."""
    answered = {"answered_at": at, "answered_by": Source.EVENT}
    over = {"ended_at": at + 20, "ended_by": Source.EVENT, "hangup_cause": 17}
    fates: list[tuple[int, dict[str, Any]]] = [
        (failed, over), (ringing, {}), (talking, answered),
        (blocked, {**over, "refusal": Refusal.BLOCKED}), (shed, {**over, "refusal": Refusal.SHED}),
        (lost, {**answered, "ended_at": at + 300, "ended_by": Source.INFERRED}),
    ]
    others = [record(at, **fate) for number, fate in fates for _ in range(number)]
    return numbered([call._replace(**facts) for call in (*(talked(one, at) for one in lengths), *others)])


def messages(number: int, /, at: float = NOON, **facts: Any) -> list[CallRecord]:
    """Text messages; each is over as it begins."""
    one = record(at, medium=Medium.MESSAGE, ended_at=at, ended_by=Source.EVENT, **facts)
    return numbered([one] * number, name="pbx1/m")


def judged(
    one: Rule, window: Iterable[CallRecord], at: float = NOON, *, account: Account = ACME,
    registers: Registers | None = None, loads: Loads | None = None,
) -> Judgement | None:
    """How things stand at `at` for a rule and its signals, all counted from nothing but calls."""
    return one.look(sat(one, window, at, account=account, registers=registers, loads=loads), at)


def sat(
    one: Rule, window: Iterable[CallRecord], at: float = NOON, *, account: Account = ACME,
    registers: Registers | None = None, loads: Loads | None = None,
) -> Seat:
    """A rule at an account whose calls these are."""
    counted = list(window)
    file = File(account, registers or Registers(), loads or Loads(), lambda number: "+" + number.lstrip("+0"))
    also = tuple(Seat(s, recount(counted, s.spec.measure, at), file=file) for s in one.spec.also)
    return Seat(one, recount(counted, one.spec.measure, at), None, Gate(), also, file)


def reached(one: Rule, window: Iterable[CallRecord], at: float = NOON) -> Level:
    """The level that a rule is on."""
    judgement = judged(one, window, at)
    return Level.FINE if judgement is None else judgement.level
