"""What a link to a switch needs from the rest of the house, and what it is to it.

In: nothing. Out: the port to `Admission` as a link sees it, a link as its owner sees it, deadlines, state.
Refuses to know: which switch it is, and how it is spoken to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from enforcer.domain.actions import Action
from enforcer.domain.call import CallAttempt, CallEvent
from enforcer.domain.decision import Decision
from enforcer.domain.gap import Sight
from enforcer.wire.legs import Legs


class Judge(Protocol):
    """The meeting point of ledger and policy, as far as a link needs it (see `admission`)."""

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count the attempt and decide on it; synchronous, because a caller waits."""

    def observe(self, event: CallEvent) -> list[Action]:
        """Count what happened; actions, where something must be done about it."""

    def wrote(self, event: CallEvent) -> list[Action]:
        """Count a message that nobody was asked about."""

    def named(self, event: CallEvent) -> list[Action]:
        """An event, observed already, told whose call it is, which its beginning had not."""

    def round(self, switch: str, at: float) -> list[Action]:
        """What is due on a switch now."""

    def everything(self, switch: str, at: float) -> list[Action]:
        """All that a switch should hold, again."""

    def urgent(self, switch: str, at: float) -> list[Action]:
        """What cannot wait for the next round."""

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        """Somebody wrote these words to an account."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. Asterisk itself closes a session that has not logged in after 5 (authtimeout)."""

    login: float = 5.0
    pong: float = 4.0           # with a beat of 2 s: silence is noticed before the dialplan's 6 s are over
    action: float = 5.0
    listing: float = 20.0       # a Status entry is about 1 KB: 5,000 channels are 5 MB to be written and read
    first_retry: float = 0.25
    longest_retry: float = 15.0

    def pause(self, failures: int, jitter: float) -> float:
        """Before the next try: doubling, and never in step with other enforcers, between half and all of it.
        `jitter` is 0 to 1."""
        pause = min(self.longest_retry, self.first_retry * 2.0 ** min(failures, 16))
        return pause * (0.5 + 0.5 * jitter)


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link in numbers, for the metrics, the page and `enforcer doctor`."""

    connected: bool
    level: bool                 # live calls re-read and orders pushed since the last connect
    problem: str                # why it is down, or what the switch refuses us; "" nothing
    lag: float                  # s from the last event's own time until we had it
    clock_offset: float         # s the switch's clock is ahead of ours
    connects: int
    restarts: int               # of the switch, as far as we saw
    live_calls: int
    answers: int
    malformed: int              # events without what Asterisk always sends, values that no action carries
    faults: int                 # events that our own code failed on
    refused_actions: int
    unwanted_events: int        # sent although nobody reads them
    evicted: int
    failed: int = 0             # tries that came to nothing, and connections that were lost
    unsent: int = 0             # bytes of ours that the switch has not taken yet


def worth_a_line(times: int) -> bool:
    """Of what others can make happen as often as they like: the first ten, then each doubling. All are
    counted; the log is not theirs to fill."""
    return times <= 10 or times & (times - 1) == 0


@dataclass(frozen=True, slots=True)
class Lapse:
    """A switch was not heard from `since` to `until` (its own time). `endings` are the calls that were there
    and are gone; `unseen` how many channels began and ended meanwhile, None where that is not known yet."""

    since: float
    until: float
    cause: str
    endings: tuple[CallEvent, ...]
    unseen: int | None


class Link(Protocol):
    """A link to one switch, whichever it is."""

    @property
    def book(self) -> Legs:
        """The calls in progress there."""

    took: Callable[[float], object]
    on_lapse: Callable[[Lapse], None]
    on_counted: Callable[[float, int], None]

    def remember(self, sight: Sight) -> None:
        """How far an enforcer before us heard this switch."""

    def sight(self) -> Sight | None:
        """How far it is heard, None before that is known."""

    @property
    def hurry(self) -> Callable[[], object]:
        """Call it where something has to be written before the next round."""

    async def run(self) -> None:
        """Keep the link up until cancelled."""

    def asked(self, attempt: CallAttempt) -> None:
        """A door was asked about this call, which is counted by now."""

    def act(self, actions: Iterable[Action]) -> None:
        """Do these on the switch now. Raises LinkError while the link is down."""

    def now(self) -> float:
        """The switch's time, as far as its clock is known. Unix seconds."""

    def state(self) -> LinkState:
        """The link in numbers."""


class Soon:
    """Call it as often as you like: `do` is called once, when all that is going on just now is done."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self._due = False

    def __call__(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._now)

    def _now(self) -> None:
        self._due = False
        self._do()
