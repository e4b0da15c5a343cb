"""What happened on a switch, in the field's words.

In: nothing; these are the values that `wire` produces and everybody else consumes.
Out: `CallAttempt`, `CallEvent`, and `CallRecord`, the one row that a call leaves behind.
Refuses to know: AMI, ESL, CSV, and which policy is in force.

Times are Unix seconds (float, the switch's own clock); durations in records are whole
milliseconds, so that sums do not depend on the order in which calls arrive. Events and records are
tuples because several are made for every call: that costs a quarter of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from operator import attrgetter
from typing import Any, NamedTuple


class Direction(StrEnum):
    """Who placed the call, seen from the account: it called out, or it was called."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"
    INTERNAL = "internal"


class NumberClass(StrEnum):
    """What kind of number was dialled; decides exemptions before any rule is read."""

    EMERGENCY = "emergency"
    DIRECTORY_ASSISTANCE = "directory_assistance"
    TOLL_FREE = "toll_free"
    PREMIUM = "premium"
    INTERNATIONAL = "international"
    INTERNAL = "internal"
    HIGH_RISK = "high_risk"
    ORDINARY = "ordinary"


class Phase(IntEnum):
    """Where in its life a call is; a later phase never goes back to an earlier one."""

    STARTED = 1
    ANSWERED = 2
    ENDED = 3


class Refusal(StrEnum):
    """Whether enforcement itself kept the call from being set up. Such a call feeds no ratio.

    WENT: the switch says that it let the call go on, which stands over what we had decided: the
    answer came too late (we were frozen), or never (the connection was lost).
    """

    NONE = ""
    SHED = "shed"
    BLOCKED = "blocked"
    WENT = "went"


class Source(IntEnum):
    """Who told us; where two sources disagree, the higher one is believed."""

    INFERRED = 0  # nobody told us: the call was gone when we looked again
    CDR = 1      # whole seconds, written by the switch after the call
    EVENT = 2    # microseconds, as it happened


@dataclass(frozen=True, slots=True)
class CallAttempt:
    """One request to set up a call (a seizure), before any verdict.

    One per call, however many legs, forks, transfers or failover retries it has.
    `call_id` is unique over all switches of a site: "<switch>/<id of the first channel>".
    `channel` is the name by which the switch lets us act on the caller's leg.
    """

    call_id: str
    switch: str
    account: str            # "" where the switch does not say
    direction: Direction
    number: str             # as dialled, before any normalisation
    caller: str
    at: float               # the switch's clock, Unix seconds
    channel: str = ""
    route: str = ""         # carrier or trunk that the call came by or goes to, "" unknown


class CallEvent(NamedTuple):
    """One step in the life of a call: started, answered, or ended.

    The attempt travels with every event, so that a lost beginning is not a lost call.
    `hangup_cause` is a Q.850 cause; `sip_code` the final SIP status where the switch tells it.
    """

    phase: Phase
    attempt: CallAttempt
    at: float
    answered_at: float | None = None
    billsec: float | None = None        # told by CDRs only; from events it is end minus answer
    hangup_cause: int | None = None
    sip_code: int | None = None
    refusal: Refusal = Refusal.NONE     # what the switch did in our name (its own brake, or our word)
    source: Source = Source.EVENT


class CallRecord(NamedTuple):
    """The one row that a call leaves behind; every number in the ledger is derived from these.

    Each time says who told it (`*_by`). `told_msec` is the billsec of a CDR, in milliseconds;
    it is used only where no event told us the end (see `billmsec`).
    """

    call_id: str
    switch: str
    account: str
    customer: str
    direction: Direction
    number: str
    caller: str
    number_class: NumberClass
    route: str
    channel: str
    started_at: float
    started_by: Source = Source.EVENT
    answered_at: float | None = None
    answered_by: Source | None = None
    ended_at: float | None = None
    ended_by: Source | None = None
    told_msec: int = 0
    hangup_cause: int | None = None
    sip_code: int | None = None
    refusal: Refusal = Refusal.NONE

    @property
    def live(self) -> bool:
        """Set up or being set up, as far as we know, and not refused by us."""
        return self.ended_at is None and not self.refused

    @property
    def refused(self) -> bool:
        """Kept from being set up by us. What was answered was not, whatever we had decided."""
        return self.refusal in _KEPT and self.answered_at is None

    def attempt(self) -> CallAttempt:
        """The seizure that this record is of."""
        return CallAttempt(
            self.call_id, self.switch, self.account, self.direction, self.number, self.caller,
            self.started_at, self.channel, self.route,
        )

    @property
    def billmsec(self) -> int:
        """Milliseconds from answer to end; 0 while the call lasts and where it was never answered."""
        if self.ended_by is Source.CDR or self.ended_by is Source.INFERRED:
            return self.told_msec
        if self.ended_at is None or self.answered_at is None:
            return 0
        return max(0, milliseconds(self.ended_at - self.answered_at))


_KEPT = (Refusal.BLOCKED, Refusal.SHED)

# Who called whom and how: words that a source tells, or leaves empty.
_WORDS = ("account", "number", "caller", "route", "channel")
_words: Callable[[CallAttempt | CallRecord], tuple[str, ...]] = attrgetter(*_WORDS)


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, truncated as switches truncate billsec, free of float noise.

    >>> milliseconds(1795309510.830154 - 1795309504.830154), milliseconds(5.9999)
    (6000, 5999)
    """
    return round(seconds * 1_000_000) // 1000


def merged(record: CallRecord, event: CallEvent) -> CallRecord:
    """The record with what the event adds. Repeats, losses and any order give the same record.

    Each fact is joined on its own, commutatively and idempotently: what events told stands
    over what CDRs told; within one source the earliest start and answer and the longest
    ending stand; a refusal once known stays. Who called whom is told alike, or not at all, by
    everything that comes from one source. Where the account changes, `customer` becomes "".
    """
    changes: dict[str, Any] = {}
    attempt, source = event.attempt, event.source
    if (all_told := _words(attempt)) != (all_known := _words(record)):
        better = source > record.started_by
        for name, told, known in zip(_WORDS, all_told, all_known, strict=True):
            if told and told != known and (better or not known):
                changes[name] = told
                if name == "account":
                    changes["customer"] = ""
    if _earlier(source, attempt.at, record.started_by, record.started_at):
        changes |= {"started_at": attempt.at, "started_by": source}
    answered_at = event.at if event.phase is Phase.ANSWERED else event.answered_at
    if answered_at is not None and _earlier(source, answered_at, record.answered_by, record.answered_at):
        changes |= {"answered_at": answered_at, "answered_by": source}
    if _graver(event.refusal, record.refusal):
        changes["refusal"] = event.refusal
    if event.phase is Phase.ENDED:
        msec = 0
        if source is Source.CDR and event.billsec is not None:
            msec = max(0, milliseconds(event.billsec))
        if _ending(source, msec, event.at, event.hangup_cause, event.sip_code) > _ending_of(record):
            changes |= {
                "ended_at": event.at, "ended_by": source, "told_msec": msec,
                "hangup_cause": event.hangup_cause, "sip_code": event.sip_code,
            }
    return record._replace(**changes) if changes else record


# What goes together in a record; the first of each group is what was told.
_TEXTS = (("account", "customer"), ("number", "number_class"), ("caller",), ("route",), ("channel",))


def joined(record: CallRecord, other: CallRecord) -> CallRecord:
    """What two records of one call, kept by two hands, tell together; fact by fact as `merged`.

    Where one source told both different words, the lesser in the alphabet stand: whoever joins
    them, in whichever order, must come to the same record.
    """
    changes: dict[str, Any] = {}
    for names in _TEXTS:
        mine = tuple(getattr(record, name) for name in names)
        theirs = tuple(getattr(other, name) for name in names)
        if mine == theirs or not theirs[0]:
            continue
        if not mine[0] or (-other.started_by, theirs) < (-record.started_by, mine):
            changes.update(zip(names, theirs, strict=True))
    if _earlier(other.started_by, other.started_at, record.started_by, record.started_at):
        changes |= {"started_at": other.started_at, "started_by": other.started_by}
    if other.answered_by is not None and other.answered_at is not None and _earlier(
        other.answered_by, other.answered_at, record.answered_by, record.answered_at
    ):
        changes |= {"answered_at": other.answered_at, "answered_by": other.answered_by}
    if _graver(other.refusal, record.refusal):
        changes["refusal"] = other.refusal
    if _ending_of(other) > _ending_of(record):
        changes |= {
            "ended_at": other.ended_at, "ended_by": other.ended_by, "told_msec": other.told_msec,
            "hangup_cause": other.hangup_cause, "sip_code": other.sip_code,
        }
    return record._replace(**changes) if changes else record


def _texts(record: CallRecord, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(getattr(record, name) for name in names)


_GRAVITY = {refusal: rank for rank, refusal in enumerate(Refusal)}


def _graver(refusal: Refusal, known: Refusal) -> bool:
    """Whether a refusal replaces the known one: any replaces none, blocked stands over shed, and the
    switch's word that the call went on over both."""
    return refusal is not known and _GRAVITY[refusal] > _GRAVITY[known]


def _ending(
    by: Source | None, msec: int, at: float | None, cause: int | None, sip_code: int | None
) -> tuple[int, int, float, int, int]:
    """What decides which of two endings stands: better source first, then the longer one. Unknown
    is less than anything known, so that no two different endings are equal."""
    return (
        -1 if by is None else int(by), msec, 0.0 if at is None else at,
        -1 if cause is None else cause, -1 if sip_code is None else sip_code,
    )


def _ending_of(record: CallRecord) -> tuple[int, int, float, int, int]:
    return _ending(record.ended_by, record.told_msec, record.ended_at, record.hangup_cause, record.sip_code)


def _earlier(source: Source, at: float, known_by: Source | None, known_at: float | None) -> bool:
    """Whether a time told by `source` replaces the known one: better source first, then earlier."""
    if known_by is None or known_at is None:
        return True
    return source > known_by or (source == known_by and at < known_at)
