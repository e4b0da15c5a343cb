"""Whether a rule that acts only on notice may act, in words.

In: a gate, a rule's terms, a moment. Out: a sentence and facts. Refuses to know: how notices are sent.
"""

from __future__ import annotations

from typing import Any

from enforcer.control.words import iso, local, shown
from enforcer.domain.notice import Gate, Notice, NoticeTerms, Stage
from enforcer.spans import span_words


def gate_words(gate: Gate, terms: NoticeTerms, at: float, zone: str) -> str:
    """Where notice stands, and from when on the rule may act."""
    latest = gate.latest()
    if latest is None:
        soonest = local(at + terms.grace, zone)
        return (f"notice: none was given yet, so it only tags; delivered now, it could act from {soonest} "
                f"({span_words(terms.grace)} of grace)")
    told = _told(latest, zone)
    if gate.open(at):
        return f"notice: {told}; it may act{_until(latest, at, zone)}"
    opens = gate.opens(at)
    if opens is not None:
        return f"notice: {told}; its time of grace ends on {local(opens, zone)}, until then it only tags"
    if latest.told_at is not None:
        until = local(latest.acts_until, zone)
        return f"notice: {told}; that held until {until}, so a new one has to come first"
    until = "until one is delivered" if latest.closed_at is not None else "until it is"
    return f"notice: {told}; {until}, the rule only tags"


def _until(latest: Notice, at: float, zone: str) -> str:
    """An older notice may be what opens the gate, while a newer one is still on its way."""
    if latest.acts_from <= at < latest.acts_until:
        return f" until {local(latest.acts_until, zone)}"
    return " by an earlier one"


def gate_facts(gate: Gate, terms: NoticeTerms, at: float, zone: str) -> dict[str, Any]:
    """The same for programs."""
    latest, opens = gate.latest(), gate.opens(at)

    def when(instant: float | None) -> str | None:
        return None if instant is None else iso(instant, zone)

    return {
        "open": gate.open(at), "opens": when(opens), "grace": terms.grace, "holds": terms.holds,
        "latest": None if latest is None else {
            "notice": latest.id, "level": latest.level.name.lower(), "stage": latest.stage.value,
            "created": when(latest.at), "told": when(latest.told_at), "tries": latest.tries,
            "problem": latest.problem,
        },
    }


def _told(notice: Notice, zone: str) -> str:
    name = f"{notice.id} ({notice.level.name.lower()})"
    if notice.told_at is not None:
        how = "acknowledged" if notice.delivered_at is None else "delivered"
        return f"{name} was {how} on {local(notice.told_at, zone)}"
    if notice.closed_at is not None:
        return f"{name} was closed before it was delivered ({shown(notice.closed_how) or 'no reason told'})"
    if notice.stage is Stage.FAILED:
        tries = "once" if notice.tries == 1 else f"{notice.tries} times"
        return f"{name} could not be delivered, tried {tries} ({shown(notice.problem) or 'no reason told'})"
    return f"{name} of {local(notice.at, zone)} is not delivered yet"
