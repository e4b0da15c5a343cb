"""Gaps as people see them, and their end: filled by what CDRs told.

In: a ledger, an account, what was read. Out: lines and facts; entries that close gaps.
Refuses to know: how gaps come about, and files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from enforcer.checkup import Finding, Grade
from enforcer.control.words import iso, local
from enforcer.domain.gap import IN_ORDER, Gap, Room
from enforcer.domain.journal import JournalEntry
from enforcer.domain.open_gaps import room
from enforcer.domain.usage import Usage
from enforcer.ledger.port import Ledger, Place
from enforcer.settings_switch import SwitchSettings

BAD_ROWS = "a row that is no good may be a call that is missing"


def filled(ledger: Ledger, switch: str, since: float, until: float, by: str, at: float) -> list[JournalEntry]:
    """The entries that close what CDRs of a switch fill that were written from `since` to `until`."""
    return [
        gap.closed(by, at) for gap in ledger.registers.gaps.open(switch) if gap.covered(since, until)
    ]


def filled_by(ledger: Ledger, place: Place, at: float, delay: float) -> list[JournalEntry]:
    """The same for a file that was followed to its end, whose rows come up to `delay` seconds after their
    calls ended. Rows are written in the order in which calls end, within seconds: so one of a call that ended
    later proves it at once that nothing is held back any more."""
    until = max(place.read_at - delay, place.ended_at - IN_ORDER)
    return filled(ledger, place.switch, place.since, until, "the switch's CDR file", at)


def gap_lines(gaps: Iterable[Gap], zone: str, account: str = "") -> list[str]:
    """A line for each gap, with what it may hold of an account."""
    found = []
    for gap in gaps:
        since, until = local(gap.since, zone), local(gap.until, zone)
        when = f"from {since} to {until}"
        if gap.parts > 1:
            when = f"{gap.parts} times between {since} and {until}"
        line = f"gap: switch {gap.switch} was not heard {when} ({gap.seconds:.1f} s): {gap.cause}"
        told = gap.room(account).words if account else calls_words(gap)
        found.append(f"{line}; {told} may be missing")
    return found


def calls_words(gap: Gap) -> str:
    """How many calls it may hold something of."""
    return "an unknown number of calls" if gap.calls is None else f"up to {gap.calls} calls"


def gap_facts(gap: Gap, account: str = "") -> dict[str, Any]:
    """For programs."""
    facts: dict[str, Any] = {
        "gap": gap.id, "times": gap.parts, "switch": gap.switch,
        "from": iso(gap.since), "until": iso(gap.until),
        "seconds": round(gap.seconds, 3), "cause": gap.cause, "calls": gap.calls,
    }
    return facts | ({"possible": gap.room(account).facts} if account else {})


def cdr_findings(switch: SwitchSettings, gaps: Iterable[Gap]) -> Iterator[Finding]:
    """Whether a switch's CDR file can be followed, and which gaps wait for it."""
    subject, path = f"switch {switch.name}", switch.cdr_path
    if path is not None:
        try:
            path.open("rb").close()
            yield Finding(subject, Grade.OK, f"CDR file {path} can be read")
        except FileNotFoundError:
            if path.parent.is_dir():
                yield Finding(subject, Grade.WARNING, f"CDR file {path} is not there (yet)",
                              "it is, once a call has ended; else see cdr_file and the switch's own settings")
            else:
                yield Finding(subject, Grade.FAILED, f"CDR file {path}: there is no such directory",
                              "see cdr_file, and where the switch writes its CDRs")
        except OSError as problem:
            yield Finding(subject, Grade.FAILED, f"CDR file {path} cannot be read: {problem.strerror}",
                          "let the enforcer's user read it, and its directory")
    for line in gap_lines(gaps, "UTC"):
        advice = "wait for the running enforcer, or `enforcer reconcile`"
        yield Finding(subject, Grade.WARNING, line, advice if path is not None else (
            f"enforcer cdr import FILE --switch {switch.name}"))


def bounds_words(usages: Iterable[Usage], gaps: list[Gap], account: str) -> str:
    """An account's counters as the interval that they are while gaps are open."""
    total, more = list(usages), room(gaps, account)
    low = Room(
        sum(u.attempts for u in total), sum(u.completed + u.short for u in total), sum(u.msec for u in total)
    )
    high = low.plus(more)
    words = (
        f"attempts [{low.attempts}, {_shown(high.attempts)}]",
        f"answered [{low.answered}, {_shown(high.answered)}]",
        f"minutes [{_minutes(low.msec)}, {_minutes(high.msec)}]",
    )
    return f"{', '.join(words)}: rules act on the lower bound, which is proven"


def _shown(count: int | None) -> str:
    return "unknown" if count is None else str(count)


def _minutes(msec: int | None) -> str:
    return "unknown" if msec is None else f"{msec / 60_000:.1f}"
