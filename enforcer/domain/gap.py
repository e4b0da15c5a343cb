"""Stretches of time in which a switch was not heard, and what may have happened in them at most.

In: what a link knows when it is back: since when it heard nothing, which calls ended meanwhile, how many
channels began. Out: a `Gap`; for an account what may have to be added to its counters; entries of the
journal.
Refuses to know: links, CDR files, and rules: those act on what is counted, which is what is proven.

    counted   low: calls that somebody told us of. A call that ended unseen counts without its minutes.
    high      low, and at most this much more: every channel that began unheard may have been a call of this
              account, answered at once, and talking to the end of the gap. A call that ended unseen may have
              been answered, and have talked as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from enforcer.domain.call import CallEvent, Phase, Source, milliseconds
from enforcer.domain.journal import JournalEntry, Kind

MOST_ACCOUNTS = 500         # named in one gap; what ended of further ones is kept under no name
NO_NAME = ""
SEVERAL = "for several reasons"
# Seconds. CDRs are written in the order in which calls end, but for those that end nearly at once: threads of
# the switch overtake each other, and Asterisk's times are whole seconds.
IN_ORDER = 5.0


class Sight(NamedTuple):
    """How far a switch was heard, for whoever runs after us. `heard_at` is the switch's time; `serial` is the
    number of the last channel that it made, None where nobody knows; `boot` tells its runs apart."""

    switch: str
    heard_at: float
    serial: int | None = None
    boot: str = ""


class Ended(NamedTuple):
    """Calls of one account whose end nobody saw. `unanswered` of them had not been answered when they were
    last heard of; `msec` is what all of them may have talked that is not counted."""

    calls: int = 0
    unanswered: int = 0
    msec: int = 0

    def plus(self, other: Ended) -> Ended:
        """Of both, which are different calls."""
        return Ended(self.calls + other.calls, self.unanswered + other.unanswered, self.msec + other.msec)


class Room(NamedTuple):
    """What may have happened beyond what is counted. None: nobody can tell."""

    attempts: int | None = 0
    answered: int | None = 0
    msec: int | None = 0

    def plus(self, other: Room) -> Room:
        """In both gaps together."""
        return Room(*(None if a is None or b is None else a + b for a, b in zip(self, other, strict=True)))

    @property
    def facts(self) -> dict[str, Any]:
        """For programs."""
        minutes = None if self.msec is None else f"{self.msec / 60_000:.1f}"
        return {"attempts": self.attempts, "answered": self.answered, "minutes": minutes}

    @property
    def words(self) -> str:
        """As people read it.

        >>> Room(3, None, 90_000).words
        'up to 3 attempts, an unknown number of answered calls, up to 1.5 min'
        """
        attempts = _count(self.attempts, "attempts")
        answered = _count(self.answered, "answered calls")
        minutes = "unknown minutes" if self.msec is None else f"up to {self.msec / 60_000:.1f} min"
        return f"{attempts}, {answered}, {minutes}"


def _count(number: int | None, of: str) -> str:
    return f"an unknown number of {of}" if number is None else f"up to {number} {of}"


class Gap(NamedTuple):
    """One switch unheard, in its own time (Unix seconds). `unseen` channels at most began meanwhile that are
    over; None: nobody knows. `channels` is how many calls the switch can hold, 0 unknown.

    Where there are too many, neighbours are put together (see `open_gaps`): it was unheard `parts` times
    then, `silent` seconds in all, `longest` at once; in between it was heard.
    """

    switch: str
    since: float
    until: float
    cause: str
    unseen: int | None = None
    ended: Mapping[str, Ended] = {}
    channels: int = 0
    parts: int = 1
    silent: float = 0.0
    longest: float = 0.0

    @property
    def id(self) -> str:
        """Its name in the journal. One that was put together is named after its end as well: another that
        begins with it is another gap, and is not filled by what fills this one."""
        name = f"{self.switch}@{self.since:.3f}"
        return name if self.parts == 1 else f"{name}..{self.until:.3f}"

    @property
    def seconds(self) -> float:
        """For how long the switch was unheard."""
        return max(0.0, self.until - self.since) if self.parts == 1 else self.silent

    @property
    def at_once(self) -> float:
        """For how long without a break: nothing that began and ended in it can have lasted longer."""
        return self.seconds if self.parts == 1 else self.longest

    @property
    def empty(self) -> bool:
        """Whether nothing at all can have happened in it."""
        return self.unseen == 0 and not self.ended

    @property
    def calls(self) -> int | None:
        """Calls that it may hold something of, of all accounts."""
        return None if self.unseen is None else self.unseen + sum(one.calls for one in self.ended.values())

    def room(self, account: str) -> Room:
        """What may have to be added to an account's counters."""
        ended = self.ended.get(account, Ended()).plus(self.ended.get(NO_NAME, Ended()))
        if self.unseen is None:
            held = self.channels * milliseconds(self.seconds) + ended.msec if self.channels else None
            return Room(None, None, held)
        msec = self.unseen * milliseconds(self.at_once) + ended.msec
        return Room(self.unseen, self.unseen + ended.unanswered, msec)

    def concerns(self, account: str) -> bool:
        """Whether anything of this account may have happened in it."""
        return self.unseen != 0 or account in self.ended or NO_NAME in self.ended

    def covered(self, since: float, until: float) -> bool:
        """Whether CDRs written without a break from `since` to `until` (the switch's time) fill it."""
        return since <= self.since and until >= self.until

    def with_next(self, later: Gap) -> Gap:
        """This one and a later one of the same switch as one gap, which allows whatever both allow together
        and at times a little more: the longer one bounds the calls of both."""
        both = self, later
        unseen = None if None in (self.unseen, later.unseen) else sum(gap.unseen or 0 for gap in both)
        channels = max(gap.channels if gap.unseen is None else gap.unseen for gap in both)
        if any(gap.unseen is None and not gap.channels for gap in both):
            channels = 0
        return Gap(
            self.switch, min(self.since, later.since), max(self.until, later.until),
            self.cause if self.cause == later.cause else SEVERAL, unseen,
            all_ended(self.ended, later.ended),
            channels if unseen is None else max(self.channels, later.channels), self.parts + later.parts,
            self.seconds + later.seconds, max(self.at_once, later.at_once),
        )

    def opened(self, at: float) -> JournalEntry:
        """The entry that puts it on record."""
        return JournalEntry(Kind.GAP, at, self.id, body={
            "what": "opened", "switch": self.switch, "since": self.since, "until": self.until,
            "cause": self.cause, "unseen": self.unseen, "channels": self.channels,
            "ended": {account: list(one) for account, one in self.ended.items()},
        })

    def counted(self, unseen: int, at: float) -> JournalEntry:
        """The switch's own count tells how many channels began meanwhile."""
        return JournalEntry(Kind.GAP, at, self.id, body={"what": "counted", "unseen": unseen})

    def closed(self, by: str, at: float) -> JournalEntry:
        """It was filled, and by what."""
        return JournalEntry(Kind.GAP, at, self.id, body={"what": "closed", "by": by})


def all_ended(one: Mapping[str, Ended], other: Mapping[str, Ended]) -> dict[str, Ended]:
    """What ended unseen in both, by account; of one account too many under no name, which is anybody's."""
    found = dict(one)
    for account, more in other.items():
        _add(found, account, more)
    return found


def _add(found: dict[str, Ended], account: str, more: Ended) -> None:
    if account not in found and len(found) >= MOST_ACCOUNTS:
        account = NO_NAME
    found[account] = found.get(account, Ended()).plus(more)


def ended_unseen(endings: Iterable[CallEvent], since: float, until: float) -> dict[str, Ended]:
    """What calls may have talked that were there at `since` and are gone at `until`, by account."""
    found: dict[str, Ended] = {}
    for event in endings:
        if event.phase is Phase.ENDED and event.source is Source.INFERRED:
            answered = event.answered_at
            most = milliseconds(max(0.0, until - (since if answered is None else answered)))
            _add(found, event.attempt.account, Ended(1, answered is None, most))
    return found
