"""Notices: what a customer was told, when, and from when on a rule may act because of it.

In: what a rule asks for (`NoticeTerms`), and the steps in the life of each notice. Out: the notice as it
stands, and whether it opens the gate for a verdict.
Refuses to know: how a notice is sent, its wording, and the clock.

    created ──▶ sent ──▶ delivered ──▶ acknowledged        a person may acknowledge at any time: told by
                  │ ▲                                      telephone or letter; that is delivery as well
                  ▼ │
                 failed    tried again later, and shouted about

Any of them may be closed: nothing follows from it any more. A step that comes late, or twice, takes nothing
back: who was told stays told, and what is closed stays closed.

Source: 247VoIP, 1 Fair Use: "Wherever reasonably possible, we will give you written notice before taking any
such action, and allow a reasonable period to allow you to modify your use."
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from enforcer.domain.decision import Level
from enforcer.domain.journal import JournalEntry, Kind

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class NoticeTerms:
    """A rule that acts only on notice. `grace` seconds after delivery it may act; for `holds` seconds after
    that a further breach needs no new notice."""

    grace: float = 7 * DAY
    holds: float = 90 * DAY


class Stage(StrEnum):
    """How far a notice has come."""

    CREATED = "created"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"           # withdrawn, or what it announced was done


class Audience(StrEnum):
    """Who is told: the customer, or the operator's own people."""

    CUSTOMER = "customer"
    OPS = "ops"


class About(StrEnum):
    """What a notice says."""

    LEVEL = "level"             # a rule's level was reached
    CLEARED = "cleared"         # and is not any more
    STANDING = "standing"       # an account is about to be suspended or terminated, or was
    PROPOSAL = "proposal"       # ops are asked to suspend or terminate
    TROUBLE = "trouble"         # ops are told that something does not work
    BREAKER = "breaker"         # ops are told that so much would be refused that nothing is any more


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, as it stands. `id` follows from who is told what about whom, in which cycle: the same is
    never said twice. Times are Unix seconds, None where it has not come to that.

    `grace` seconds after its delivery the rule may act, for `holds` seconds; 0 where nothing waits for it.
    `facts` are the words and numbers that its text is made of, and that text as it was worded when it was
    created ("subject", "text"); `then` is the standing that follows by itself.
    """

    id: str
    audience: Audience
    about: About
    customer: str
    account: str                # "" for the customer as a whole
    rule: str
    level: Level
    cycle: str
    at: float                   # when it was created
    grace: float = 0.0
    holds: float = 0.0
    then: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    stage: Stage = Stage.CREATED
    tries: int = 0
    tried_at: float | None = None
    delivered_at: float | None = None
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    problem: str = ""           # why it could not be delivered
    closed_at: float | None = None
    closed_how: str = ""        # "withdrawn", or what was done

    @property
    def told_at(self) -> float | None:
        """When the customer surely knew: delivered or acknowledged, whichever was first."""
        known = [at for at in (self.delivered_at, self.acknowledged_at) if at is not None]
        return min(known, default=None)

    @property
    def acts_from(self) -> float:
        """When the rule may act because of it; infinite while nobody was told."""
        return float("inf") if self.told_at is None else self.told_at + self.grace

    @property
    def acts_until(self) -> float:
        """When a further breach needs a new notice."""
        return self.acts_from + self.holds

    @property
    def pending(self) -> bool:
        """Whether it still has to be delivered."""
        return self.told_at is None and self.closed_at is None

    @property
    def announces(self) -> bool:
        """Whether a standing is still to follow from it."""
        return bool(self.then) and self.closed_at is None


def notice_id(
    audience: Audience, about: About, customer: str, account: str, rule: str, level: Level, cycle: str
) -> str:
    """The name of a notice, which follows from what it says and to whom."""
    text = "\0".join((audience, about, customer, account, rule, str(int(level)), cycle))
    return f"n-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def created(notice: Notice) -> JournalEntry:
    """The entry that begins a notice."""
    body: dict[str, Any] = {
        "stage": Stage.CREATED.value, "audience": notice.audience.value, "about": notice.about.value,
        "rule": notice.rule, "level": int(notice.level), "cycle": notice.cycle, "grace": notice.grace,
        "holds": notice.holds, "then": notice.then, "facts": dict(notice.facts),
    }
    return JournalEntry(Kind.NOTICE, notice.at, notice.id, notice.customer, notice.account, body)


def step(
    notice: Notice, stage: Stage, at: float, *, problem: str = "", by: str = "", how: str = ""
) -> JournalEntry:
    """The entry that takes a notice further."""
    said = {"stage": stage.value, "problem": problem, "by": by, "how": how}
    body = {name: value for name, value in said.items() if value}
    return JournalEntry(Kind.NOTICE, at, notice.id, notice.customer, notice.account, body)


def after(notice: Notice | None, entry: JournalEntry) -> Notice | None:
    """The notice after an entry; None for a step in the life of a notice that nobody knows. A notice that is
    created again stays what it was."""
    body = entry.body
    stage = Stage(body["stage"])
    if stage is Stage.CREATED:
        if notice is not None:
            return notice
        return Notice(
            entry.ref, Audience(body["audience"]), About(body["about"]), entry.customer, entry.account,
            body["rule"], Level(body["level"]), body["cycle"], entry.at, body["grace"], body["holds"],
            body["then"], body["facts"],
        )
    if notice is None:
        return None
    match stage:
        case Stage.SENT:
            notice = replace(notice, tries=notice.tries + 1, tried_at=_later(notice.tried_at, entry.at))
        case Stage.DELIVERED:
            notice = replace(notice, delivered_at=_first(notice.delivered_at, entry.at), problem="")
        case Stage.ACKNOWLEDGED:
            by = notice.acknowledged_by or body.get("by", "")
            at = _first(notice.acknowledged_at, entry.at)
            notice = replace(notice, acknowledged_at=at, acknowledged_by=by, problem="")
        case Stage.CLOSED:
            how = notice.closed_how or body.get("how", "")
            notice = replace(notice, closed_at=_first(notice.closed_at, entry.at), closed_how=how)
        case _:
            if notice.pending:
                notice = replace(notice, problem=body.get("problem", ""))
    return replace(notice, stage=_reached(notice, stage))


def _reached(notice: Notice, stage: Stage) -> Stage:
    """How far a notice has come with a step: never back to where it has to be delivered once more."""
    if notice.closed_at is not None:
        return Stage.CLOSED
    if notice.acknowledged_at is not None:
        return Stage.ACKNOWLEDGED
    return Stage.DELIVERED if notice.delivered_at is not None else stage


def _first(known: float | None, at: float) -> float:
    return at if known is None else min(known, at)


def _later(known: float | None, at: float) -> float:
    return at if known is None else max(known, at)


class Gate:
    """Whether a rule may act on one subject: only after a notice was delivered and its grace has ended."""

    __slots__ = ("_notices",)

    def __init__(self) -> None:
        self._notices: dict[str, Notice] = {}

    def learn(self, notice: Notice) -> None:
        """A notice about this rule and subject, as it stands now."""
        self._notices[notice.id] = notice

    def open(self, at: float) -> bool:
        """Whether the rule may act at `at` (Unix seconds)."""
        return any(n.acts_from <= at < n.acts_until for n in self._notices.values())

    def opens(self, at: float) -> float | None:
        """When it opens, as far as notices that were delivered say; None where none does any more."""
        times = [n.acts_from for n in self._notices.values() if n.told_at is not None and at < n.acts_until]
        return min(times, default=None)

    def latest(self) -> Notice | None:
        """The notice created last."""
        return max(self._notices.values(), key=lambda n: n.at, default=None)


def words_of_gate(gate: Gate | None, at: float) -> str:
    """Why a verdict is held back; "" where it is not. For the moment of a decision, without dates."""
    latest = None if gate is None else gate.latest()
    if gate is None or latest is None:
        return "no notice was given yet"
    if gate.open(at):
        return ""
    if gate.opens(at) is not None:
        return "the time of grace has not ended"
    return "its notice was not delivered" if latest.told_at is None else "its notice does not hold any more"
