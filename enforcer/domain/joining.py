"""What several tellings of one call come to: facts joined, so that order and repeats do not matter.

In: a record, and what else is told of the same call. Out: the record with all of it.
Refuses to know: who tells, and where records are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from enforcer.domain.call import (
    CallAttempt,
    CallEvent,
    CallRecord,
    Direction,
    Phase,
    Refusal,
    Source,
    milliseconds,
)

# A call is forked to a few phones and fails over to a few carriers; more is a loop in somebody's dialplan.
MOST_LEGS = 64

# Who called whom and how: words that a source tells, or leaves empty.
_WORDS = ("account", "number", "caller", "route", "channel", "direction")
_words: Callable[[CallAttempt | CallRecord], tuple[str, ...]] = attrgetter(*_WORDS)


def merged(record: CallRecord, event: CallEvent) -> CallRecord:
    """The record with what the event adds. Repeats, losses and any order give the same record.

    Each fact is joined on its own, commutatively and idempotently: what events told stands
    over what CDRs told; within one source the earliest start and answer and the longest
    ending stand; a refusal once known stays. Who called whom is told alike, or not at all, by
    events; where the rows of one call differ, the lesser in the alphabet stand, as in `joined`. Where the
    account changes, `customer` becomes "". One word may come late: that a call stays inside, which only the
    dialplan knows, and says before the call is answered; after that it is another call's word, a transfer's.
    """
    changes: dict[str, Any] = {}
    attempt, source = event.attempt, event.source
    if (all_told := _words(attempt)) != (all_known := _words(record)):
        better = source > record.started_by
        row = source is Source.CDR and record.started_by is Source.CDR
        for name, told, known in zip(_WORDS, all_told, all_known, strict=True):
            if told and told != known and (
                better or not known or (row and told < known) or _inside(record, source, told)
            ):
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
    if event.legs and event.legs != record.legs:
        changes["legs"] = all_legs(record.legs, event.legs)
    if event.phase is Phase.ENDED:
        msec = 0
        if source is Source.CDR and event.billsec is not None:
            msec = max(0, milliseconds(event.billsec))
        if _ending(source, msec, event.at, event.hangup_cause, event.sip_code) > _ending_of(record):
            changes |= {
                "ended_at": event.at, "ended_by": source,
                "hangup_cause": event.hangup_cause, "sip_code": event.sip_code,
            }
        if msec > record.told_msec:
            changes["told_msec"] = msec
    return _measured(record._replace(**changes)) if changes else record


def _inside(record: CallRecord, source: Source, told: str) -> bool:
    """Whether this word makes an internal call of one that its context had as another."""
    return told is Direction.INTERNAL and source >= record.started_by and record.answered_at is None


# What goes together in a record; the first of each group is what was told.
_TEXTS = (("account", "customer"), ("number", "number_class"), ("caller",), ("route",), ("channel",),
          ("direction",))

_texts: Callable[[CallRecord], tuple[str, ...]] = attrgetter(*(name for names in _TEXTS for name in names))


def joined(record: CallRecord, other: CallRecord) -> CallRecord:
    """What two records of one call, kept by two hands, tell together; fact by fact as `merged`.

    Where one source told both different words, the lesser in the alphabet stand: whoever joins
    them, in whichever order, must come to the same record.
    """
    changes: dict[str, Any] = {}
    for names in _TEXTS if _texts(record) != _texts(other) else ():
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
    if other.legs and other.legs != record.legs:
        changes["legs"] = all_legs(record.legs, other.legs)
    if _ending_of(other) > _ending_of(record):
        changes |= {
            "ended_at": other.ended_at, "ended_by": other.ended_by,
            "hangup_cause": other.hangup_cause, "sip_code": other.sip_code,
        }
    if other.told_msec > record.told_msec:
        changes["told_msec"] = other.told_msec
    return _measured(record._replace(**changes)) if changes else record


def _measured(record: CallRecord) -> CallRecord:
    """Events that told both answer and end measured the call better than its CDR, which is then not kept."""
    if record.told_msec and record.ended_by is Source.EVENT and record.answered_by is Source.EVENT:
        return record._replace(told_msec=0)
    return record


def all_legs(some: str, others: str) -> str:
    """The legs that either names, in alphabetical order; of very many the first.

    >>> all_legs("PJSIP/a-1 PJSIP/b-2", "PJSIP/b-2 PJSIP/a-0")
    'PJSIP/a-0 PJSIP/a-1 PJSIP/b-2'
    """
    return " ".join(sorted({*some.split(), *others.split()})[:MOST_LEGS])


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
    msec = 0 if record.ended_by is Source.EVENT else record.told_msec
    return _ending(record.ended_by, msec, record.ended_at, record.hangup_cause, record.sip_code)


def _earlier(source: Source, at: float, known_by: Source | None, known_at: float | None) -> bool:
    """Whether a time told by `source` replaces the known one: better source first, then earlier."""
    if known_by is None or known_at is None:
        return True
    return source > known_by or (source == known_by and at < known_at)


def alike(known: CallRecord, record: CallRecord) -> bool:
    """Whether two versions of a call count in the same tallies and leave the same trail."""
    return (
        known.started_at == record.started_at and known.account == record.account
        and known.number == record.number and known.number_class is record.number_class
        and known.customer == record.customer and known.caller == record.caller
        and known.refusal is record.refusal and known.direction is record.direction
        and known.medium is record.medium and known.route == record.route
    )
