"""This moment, as the overview shows it: the state in words, the plot, what happened lately.

In: the overview's facts and the feed. Out: facts for templates. Refuses to know: HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from enforcer.control.feed import Happening
from enforcer.control.page.plot import plot
from enforcer.control.words import MORE_ON_RECORD, iso
from enforcer.domain.notice import Audience

LATELY = 30             # things that happened, told on the page; so many are looked at:
LOOKED_AT = 300
NEWS = ("breaker", "fault", "gap", "level", "mode", "order", "switch")        # what is worth saying aloud


def moment(overview: Mapping[str, Any], happened: Iterable[Happening], armed: bool) -> dict[str, Any]:
    """See the module. `armed`: the breaker is on."""
    ceiling = overview["ceiling"]
    default = next((one for one in overview["modes"] if one["subject"] == "default"), None)
    told = [one for one in happened if not _told_better(one)]
    events = [event(one) for one in reversed(told[-LATELY:])]
    return {
        "overview": overview, "ceiling": ceiling, "plot": plot(overview["decisions"]),
        "default": default or {
            "mode": overview["mode"], "who": None, "at": None, "why": "configuration", "until": None,
        },
        "breaker": "tripped" if overview["breaker"]["tripped"] else "armed" if armed else "off",
        "live": sum(one["live_calls"] for one in overview["switches"]),
        "events": events,
        "news": next((one for one in events if one["kind"] in NEWS), None),
        "faults": list(reversed(overview["faults"])),
    }


def _told_better(one: Happening) -> bool:
    """Whether something else tells the same here: of what ops hear the level does, of a gap the gap."""
    facts = one.facts
    return bool(
        (one.kind == "notice" and facts["audience"] == Audience.OPS)
        or (one.kind == "fault" and facts["fault"] == "gap")
    )


def event(happening: Happening) -> dict[str, Any]:
    """One thing that happened, in words."""
    facts = happening.facts
    return {
        "number": happening.number, "kind": happening.kind, "at": iso(happening.at),
        "words": _words(happening),
        "word": {"decision": facts.get("verdict"), "level": facts.get("level")}.get(happening.kind) or "",
        "account": facts.get("account") or "" if happening.kind == "decision" else "",
        "subject": facts.get("decision") or "",
    }


def _words(happening: Happening) -> str:
    facts = happening.facts
    match happening.kind:
        case "decision":
            more = "" if facts["verdict"] == facts["would_be"] else f" (would be {facts['would_be']})"
            return f"call to {facts['number']}: {facts['verdict']}{more}, {facts['reason']}"
        case "mode":
            if facts.get("gone"):
                return f"{facts['subject']}: its mode has ended"
            why = f" ({facts['why']})" if facts["why"] and facts["who"] else ""
            return f"{facts['subject']}: mode {facts['mode']}, by {facts['who'] or 'the configuration'}{why}"
        case "switch":
            state = "linked" if facts["connected"] else f"not linked: {facts['problem'] or 'no reason told'}"
            return f"switch {facts['switch']}: {state}"
        case "order":
            done = facts["said"] if facts["accepted"] else f"refused: {facts['said']}"
            return f"{facts['who'] or 'somebody'} by {facts['door']}: {done}"
        case "record" if facts["record"] == "more":
            return MORE_ON_RECORD
        case "record":
            about = facts["account"] or facts["customer"]
            standing = f" ({facts['standing']})" if facts["standing"] else ""
            return f"{about}: {facts['record']} {facts['ref']}{standing} on record"
        case "fault":
            rest = ", ".join(str(value) for key, value in facts.items() if key not in ("fault", "at"))
            return f"{facts['fault']}{f': {rest}' if rest else ''}"
        case "notice":
            return f"notice {facts['notice']} to {facts['audience']}, {facts['stage']}: {facts['subject']}"
        case "gap":
            if not facts["open"]:
                return f"gap {facts['gap']} is closed: {facts['by']}"
            calls = "an unknown number of" if facts["calls"] is None else f"up to {facts['calls']}"
            heard = f"switch {facts['switch']} was not heard for {facts['seconds']} s ({facts['cause']})"
            return f"{heard}: {calls} calls may be missing"
        case "level":
            about = facts["account"] or facts["customer"]
            return f"{about}, rule {facts['rule']}: {'cleared' if facts['cleared'] else facts['level']}"
        case _:
            return ", ".join(f"{key} {value}" for key, value in facts.items() if value not in (None, ""))
