"""A link that is kept up, to whichever switch: connect, serve, and after a loss try again with back-off.

In: how to open a connection, what to do on it. Out: connections that end with a reason, orders that are due,
the link in numbers. Refuses to know: protocols, and what an event means.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

import structlog

from enforcer.domain.actions import Action
from enforcer.domain.call import CallEvent
from enforcer.domain.gap import Sight
from enforcer.errors import LinkError, WireError
from enforcer.switch.link import Deadlines, Judge, Lapse, LinkState, Soon
from enforcer.switch.session import Connection, until_lost
from enforcer.wire.legs import Legs

log = structlog.get_logger("link")

BEAT = 2.0                  # s between heartbeats; a dialplan takes 6 s without one for death
ROUNDS_A_BEAT = 10          # as long as there is something to write; events are handled in between
BATCH = 200                 # commands written before others get a turn: 15 to 20 KB
FAREWELL = 1.0              # s that we wait for the switch to do what was left to do when we go

MOST_UNCOUNTED = 50
NOT_RUNNING = "no enforcer was running"

S = TypeVar("S", bound=Connection)


class KeptLink(ABC, Generic[S]):
    """See the module. `peer` is how messages call the other end; `clock` is Unix seconds; `sleep` and
    `jitter` (0 to 1) are given so that tests wait for nothing."""

    def __init__(
        self, peer: object, switch: str, judge: Judge, deadlines: Deadlines | None,
        clock: Callable[[], float], sleep: Callable[[float], Awaitable[object]], jitter: Callable[[], float],
    ) -> None:
        self._name = str(peer)
        self._switch = switch
        self._judge = judge
        self._deadlines = deadlines or Deadlines()
        self.hurry = Soon(self._hurried)        # something has to be written before the next round
        # Told of each answer, how long (seconds) after the bytes of its question it was written.
        self.took: Callable[[float], object] = lambda seconds: None
        self.gathers: float | None = None       # seconds, where not as its protocol does it (see `gathering`)
        self._clock = clock
        self.wall = clock                       # the clock that others see, where that is another
        self._sleep = sleep
        self._jitter = jitter
        self._session: S | None = None
        self._heard_at: float | None = None     # on an earlier connection, the switch's time
        self._level = False
        self._problem = "not connected yet"
        self._cause = NOT_RUNNING               # of the silence that ends with the next connect
        # When silences began of which nobody counted yet what they cost.
        self._uncounted: list[float] = []
        # Nothing was heard for a while, and that is over; how many channels it had, when that is known.
        self.on_lapse: Callable[[Lapse], None] = lambda lapse: None
        self.on_counted: Callable[[float, int], None] = lambda since, unseen: None
        self._connects = self._malformed = self._failed = 0
        self._past_faults = self._past_refused = self._past_dropped = 0

    # --- what each switch does in its own way

    @property
    @abstractmethod
    def _legs(self) -> Legs:
        """The calls in progress there."""

    @property
    @abstractmethod
    def _ahead(self) -> float:
        """By how many seconds the switch's clock is ahead of ours, as far as we know."""

    @abstractmethod
    async def _connect(self) -> S:
        """A new connection, logged in. Raises LinkError."""

    @abstractmethod
    def _jobs(self, session: S) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on while the connection is up, by name; each raises LinkError when it cannot."""

    @abstractmethod
    def _part(self, session: S) -> None:
        """Send what has to be said before we go. Without a heartbeat the dialplan asks no more."""

    @abstractmethod
    def _do(self, session: S, actions: Iterable[Action]) -> None:
        """Do these now, without waiting."""

    @abstractmethod
    async def _push(self, session: S, actions: list[Action]) -> None:
        """Many actions, a batch at a time."""

    def _well(self) -> bool:
        """Whether a connection that is over was one to come back to at once."""
        return self._level

    # --- what all do alike

    def now(self) -> float:
        """The switch's time, as far as we know its clock. Unix seconds."""
        return self._clock() + self._ahead

    def remember(self, sight: Sight) -> None:
        """How far an enforcer before us heard this switch."""
        self._heard_at = sight.heard_at

    def sight(self) -> Sight | None:
        """How far it is heard, None before that is known."""
        if self._session is None or not self._level:
            return None
        serial, boot = self._counts
        return Sight(self._switch, self._session.heard_at + self._ahead, serial, boot)

    @property
    @abstractmethod
    def _counts(self) -> tuple[int | None, str]:
        """The number of the last channel that the switch made, as far as we know, and which run of it this
        is."""

    def _lapsed(self, missed: Iterable[CallEvent], unseen: int | None) -> None:
        """Level again: what was missed since the switch was last heard. At the very first there was no
        before."""
        if self._heard_at is not None:
            if unseen is None:
                self._uncounted = [*self._uncounted[-MOST_UNCOUNTED:], self._heard_at]
            self.on_lapse(Lapse(self._heard_at, self.now(), self._cause, tuple(missed), unseen))

    def _counted(self, unseen: int) -> None:
        """The switch's own numbers tell how many channels began unheard, at most, in all that were not
        counted."""
        some, self._uncounted = self._uncounted, []
        for since in some:
            self.on_counted(since, unseen)

    def act(self, actions: Iterable[Action]) -> None:
        """Do these on the switch now, without waiting. Raises LinkError at once while the link is down:
        what is late may be wrong by then, and standing orders are pushed anyway on the next connect."""
        if self._session is None:
            raise LinkError(f"{self._name}: {self._problem}")
        self._do(self._session, actions)

    def state(self) -> LinkState:
        """The link in numbers, as far as all links have them."""
        session, book = self._session, self._legs
        return LinkState(
            connected=session is not None, level=self._level, problem=self._problem, lag=0.0,
            clock_offset=self._ahead + self._clock() - self.wall(), connects=self._connects, restarts=0,
            live_calls=book.live_calls, answers=0, malformed=self._malformed,
            faults=self._past_faults + (session.faults if session else 0),
            refused_actions=self._past_refused + (session.refused if session else 0),
            unwanted_events=self._past_dropped + (session.events_dropped if session else 0),
            evicted=book.evicted,
            failed=self._failed,
            unsent=session.unsent if session else 0,
        )

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        failures = drops = 0
        while True:
            began = self._clock()
            try:
                await self._once()
            except (LinkError, WireError) as problem:
                self._failed += 1
                # Who lets us in and drops us again and again is no better than who never does.
                if not self._well():
                    failures += 1
                elif self._clock() - began >= self._deadlines.longest_retry:
                    failures = drops = 0
                else:
                    failures, drops = drops, drops + 1
                self._problem = str(problem)
                if self._level:
                    self._cause = str(problem)
                log.warning("link down", switch=self._switch, problem=str(problem))
            self._level = False
            await self._sleep(self._deadlines.pause(failures, self._jitter()))

    async def _once(self) -> None:
        """One connection, from its login to its end. Raises LinkError with the reason."""
        session = await self._connect()
        if self.gathers is not None:
            session.gather(self.gathers)
        self._session, self._problem = session, ""
        self._connects += 1
        log.info("link up", switch=self._switch, peer=self._name)
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, job in (self._jobs(session) | {"watch": until_lost(session)}).items():
                    tasks.create_task(job, name=f"link {self._switch}: {name}")
        except ExceptionGroup as group:
            expected, others = group.split((LinkError, WireError))
            if others is not None:          # a bug of ours: worth a new connection, not a dead enforcer
                self._past_faults += 1
                log.error("the link failed by our own fault", switch=self._switch, exc_info=others)
            reason = (expected or group).exceptions[0]
            raise LinkError(str(reason) or repr(reason)) from None
        except asyncio.CancelledError:
            self._part(session)             # nobody shall wait for us
            await session.leave(within=FAREWELL)
            raise
        finally:
            self._session = None
            if self._level:     # else nothing that was missed before has been made good yet
                self._heard_at = session.heard_at + self._ahead
            self._past_faults += session.faults
            self._past_refused += session.refused
            self._past_dropped += session.events_dropped
            session.close()

    async def _rounds(self, session: S) -> None:
        """Write what is due, as long as there is something."""
        for _ in range(ROUNDS_A_BEAT):
            due = self._due(self._judge.round)
            await self._push(session, due)
            if not due:
                break
            await asyncio.sleep(0)

    def _due(self, ask: Callable[[str, float], list[Action]]) -> list[Action]:
        """What is due now. A bug in there must not cost us the link."""
        try:
            return ask(self._switch, self.now())
        except Exception:
            self._past_faults += 1
            log.exception("a round failed", switch=self._switch)
            return []

    def _hurried(self) -> None:
        if self._session is not None:
            self._do(self._session, self._due(self._judge.urgent))
