"""What happened on a switch, in the field's words.

In: nothing; these are the values that `wire` produces and everybody else consumes.
Out: `CallAttempt`, `CallEvent`, and `CallRecord`, the one row that a call leaves behind.
Refuses to know: AMI, ESL, CSV, and which policy is in force.

A text message is told in the same words: an attempt of the medium "message", which nobody answers.

Times are Unix seconds (float, the switch's own clock); durations in records are whole
milliseconds, so that sums do not depend on the order in which calls arrive. Events and records are
tuples because several are made for every call: that costs a quarter of a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple


class Direction(StrEnum):
    """Who placed the call, seen from the account: it called out, or it was called."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"
    INTERNAL = "internal"


class Medium(StrEnum):
    """What was attempted: a call, or a text message. A message that arrives is over as it begins."""

    CALL = "call"
    MESSAGE = "message"


class NumberClass(StrEnum):
    """What kind of number was dialled; decides exemptions before any rule is read.

    CALLBACK is not told by the number: a call back after an emergency call (see `emergency`). Its word is the
    first in the alphabet, so that it stands where two hands tell one call differently (see `joined`).
    """

    CALLBACK = "callback"
    EMERGENCY = "emergency"
    DIRECTORY_ASSISTANCE = "directory_assistance"
    TOLL_FREE = "toll_free"
    PREMIUM = "premium"
    INTERNATIONAL = "international"
    INTERNAL = "internal"
    HIGH_RISK = "high_risk"
    ORDINARY = "ordinary"

    @property
    def untouched(self) -> bool:
        """Whether no rule counts or judges such a call."""
        return self in UNTOUCHED


UNTOUCHED = frozenset({NumberClass.EMERGENCY, NumberClass.CALLBACK})


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
    `channel` is the name by which the switch lets us act on the caller's leg. `sip_call_id` is the Call-ID of
    the caller's INVITE, told with questions only; the caller chose it, so it tells nothing but where to look.
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
    medium: Medium = Medium.CALL
    sip_call_id: str = ""   # "" where the switch does not say


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
    legs: str = ""                      # names of the legs dialled so far, see `CallRecord`
    callback: bool = False              # the switch let it through as a call back after an emergency call,
    since: float | None = None          # which it says was then (Unix seconds)


class CallRecord(NamedTuple):
    """The one row that a call leaves behind; every number in the ledger is derived from these.

    Each time says who told it (`*_by`). `told_msec` is the billsec of a CDR, in milliseconds;
    it is used where events did not tell us both answer and end (see `billmsec`). `legs` are the names of the
    legs that were dialled for it (forks, failover, redirects), a blank between them, in order.
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
    legs: str = ""
    medium: Medium = Medium.CALL

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
            self.started_at, self.channel, self.route, self.medium,
        )

    @property
    def seizures(self) -> int:
        """How many legs were tried, for policies that count those: one at least."""
        return self.legs.count(" ") + 1

    @property
    def billmsec(self) -> int:
        """Milliseconds from answer to end; 0 while the call lasts and where it was never answered."""
        if self.ended_by is Source.CDR or self.ended_by is Source.INFERRED:
            return self.told_msec
        if self.ended_at is None or self.answered_at is None:
            return 0
        msec = max(0, milliseconds(self.ended_at - self.answered_at))
        if self.answered_by is Source.CDR and (self.told_msec or msec < _NOT_A_SECOND):
            return self.told_msec       # from a whole second to an exact time is up to one too long
        return msec


_NOT_A_SECOND = 2000        # what may lie between them where the call lasted less than one, in milliseconds
_KEPT = (Refusal.BLOCKED, Refusal.SHED)


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, truncated as switches truncate billsec, free of float noise.

    >>> milliseconds(1795309510.830154 - 1795309504.830154), milliseconds(5.9999)
    (6000, 5999)
    """
    return round(seconds * 1_000_000) // 1000
