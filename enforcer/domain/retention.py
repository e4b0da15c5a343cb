"""How long is kept what, and what time is: the arithmetic of pruning.

In: terms, moments at which somebody looked at the clock, journal entries. Out: how far pruning may go, who is
held, and what was pruned when.
Refuses to know: where rows are kept, and how they are removed.

A clock that jumps must not make young things old. So nothing is pruned by the clock alone: it also has to be
old by the time that was lived, in which each look at the clock adds what passed since the look before, and a
day at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from enforcer.domain.journal import JournalEntry, Kind

MOST_LIVED = 86_400.0       # seconds that pass between two looks at the clock, as far as we believe it


class Terms(NamedTuple):
    """How many seconds decisions and calls are kept at the least; 0 for ever."""

    decisions: float
    calls: float


class Moment(NamedTuple):
    """A look at the clock: when it was (Unix seconds), how much time was lived by then (seconds), and how far
    the chain (its last link) and the calls (their last change) had come."""

    at: float
    seconds: float
    link: int
    change: int


def lived(before: Moment | None, at: float, link: int, change: int) -> Moment:
    """The next look at the clock."""
    if before is None:
        return Moment(at, 0.0, link, change)
    return Moment(at, before.seconds + min(max(at - before.at, 0.0), MOST_LIVED), link, change)


def old_enough(moments: Sequence[Moment], keep: float) -> Moment | None:
    """The last of these moments since which `keep` seconds were lived; None where there is none, or where
    `keep` is 0. Moments are in their order."""
    if not keep or not moments:
        return None
    since = moments[-1].seconds - keep
    return next((one for one in reversed(moments) if one.seconds <= since), None)


class Held(NamedTuple):
    """Whose calls and decisions are kept, however old: accounts, and customers with all their accounts."""

    accounts: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()


def held(entries: Iterable[JournalEntry]) -> dict[tuple[str, str], JournalEntry]:
    """The holds in force, by customer and account ("" for all of the customer's), of entries in order."""
    found: dict[tuple[str, str], JournalEntry] = {}
    for entry in entries:
        if entry.kind is Kind.HOLD:
            found.pop((entry.customer, entry.account), None)
            if entry.body.get("held"):
                found[entry.customer, entry.account] = entry
    return found


class Pruned(NamedTuple):
    """One checkpoint: when it was made (Unix seconds), and what was removed then. `decisions_before` and
    `calls_before` (Unix seconds, None where none were) are when all that was removed had begun."""

    at: float
    link: int
    decisions: int
    decisions_before: float | None
    calls: int
    calls_before: float | None
    ids: dict[str, list[int]]

    def names(self, decision_id: str) -> bool:
        """Whether a decision of this id was removed then."""
        prefix, dash, number = decision_id.partition("-")
        span = self.ids.get(prefix)
        if not dash or span is None:
            return False
        try:
            return span[0] <= int(number, 16) <= span[1]
        except ValueError:
            return False


def checkpoints(entries: Iterable[JournalEntry]) -> list[Pruned]:
    """What was pruned, the oldest first. Entries that say nothing of the kind are left out: the chain tells
    whether somebody altered them."""
    found = []
    for entry in entries:
        body = entry.body
        if entry.kind is Kind.PRUNE and isinstance(body, dict):
            found.append(Pruned(
                entry.at, entry.link, body.get("decisions", 0), body.get("decisions_before"),
                body.get("calls", 0), body.get("calls_before"), body.get("ids", {}),
            ))
    return found
