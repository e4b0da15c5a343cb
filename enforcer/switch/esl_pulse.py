"""The pulse of a FreeSWITCH: is it there, do its events come, how late, by which clock, and is it still the
run of the switch that we knew?

In: a session, and every event. Out: the clock's offset, the lag, restarts; and a connection closed in time.
Refuses to know: calls, orders, what follows when a connection is closed.

Each beat is an event that we send to ourselves through the switch's own queue. Its answer says that the
switch reads, its coming back that events come, and all it carries the switch itself has written.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from itertools import count

import structlog

from enforcer.switch.esl_session import OURS, Session
from enforcer.switch.lateness import STEADY, Lateness
from enforcer.wire import freeswitch_actions as orders
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch_channel import micros

log = structlog.get_logger("esl")


class Pulse:
    """See the module. `clock` is our time, Unix seconds."""

    def __init__(self, switch: str, clock: Callable[[], float]) -> None:
        self.offset = 0.0           # s the switch's clock is ahead of ours
        self.restarts = 0
        self.core = ""              # the run of the switch that we knew
        self._begun = 0             # channels that we heard begin
        self._counted: tuple[int, int] | None = None    # so many by the switch's count, by ours
        self.compared = False       # whether the last answer of `missed` came from two counts
        self._switch = switch
        self._clock = clock
        self._clock_read = False
        self._lateness = Lateness()
        self._echo: tuple[str, asyncio.Future[Message]] | None = None
        self._tokens = (f"{secrets.token_hex(4)}-{number}" for number in count(1))

    def remember(self, core: str, total: int | None) -> None:
        """The run of the switch, and the number of channels it had had, when an enforcer before us left."""
        self.core = core
        self._counted = None if total is None or not core else (total, 0)

    @property
    def total(self) -> int | None:
        """How many channels the switch had had at the last beat, None where it does not say."""
        return None if self._counted is None else self._counted[0]

    @property
    def lag(self) -> float:
        """Seconds from the last event's own time until we had it."""
        return self._lateness.lag

    @property
    def late(self) -> bool:
        """Whether the last events came too late."""
        return self._lateness.late

    def begin(self) -> None:
        """A new connection: nothing waits for us there."""
        self._lateness.begin()

    async def beat(self, session: Session, within: float) -> None:
        """Raises LinkError where the switch has not answered, or our event not come, `within` seconds after
        the last byte heard."""
        token, echo = next(self._tokens), asyncio.get_running_loop().create_future()
        self._echo = token, echo
        asked_at = self._clock()
        await session.ask(orders.beat(token), within=within)
        answered_at = self._clock()
        event = await session.hear(echo, within, "events do not come: our own did not")
        theirs = micros(event, "Event-Date-Timestamp")
        if theirs is not None and (answered_at - asked_at <= STEADY or not self._clock_read):
            self.offset = theirs - (asked_at + answered_at) / 2
            self._clock_read = True
        self._known_run(event["Core-UUID"])

    def felt(self, session: Session, message: Message) -> bool:
        """Looks at how late this event is, and lets go of a switch whose events pile up. True where it was
        one of ours, and nothing else is to be done about it."""
        told, ours = micros(message, "Event-Date-Timestamp"), self._clock()
        if told is not None and self._clock_read:
            why = self._lateness.felt(ours + self.offset - told, ours)
            if why:
                session.close(why)
        if message.name != OURS:
            self._begun += message.name == "CHANNEL_CREATE"
            return False
        if self._echo is not None and message.get(orders.BEAT_HEADER) == self._echo[0]:
            future = self._echo[1]
            if not future.done():
                future.set_result(message)
        return True

    def missed(self, total: int | None) -> int:
        """How many channels began since this was last asked that we never heard of; `total` is the switch's
        own count, now. 0 where nobody knows: at first, after a restart, where the switch does not say.

        Asked at every beat, so that a channel that never had an event is not taken for one of a gap.
        """
        self.compared = total is not None and self._counted is not None
        before, self._counted = self._counted, None if total is None else (total, self._begun)
        if total is None or before is None:
            return 0
        return max(0, total - before[0] - (self._begun - before[1]))

    def _known_run(self, core: str) -> None:
        if self.core and core != self.core:
            self.restarts += 1
            self._counted = None
            log.warning("the switch was restarted", switch=self._switch)
        self.core = core
