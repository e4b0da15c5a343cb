"""Who has come through a door: let in or sent away, given a time, asked one question, counted once.

In: a connection. Out: its end, as one `Outcome`.
Refuses to know: the language spoken there (that is `hear`), and what is decided.

The peer is a switch that waits with a caller on the line, or anybody else who found the port. So: nothing is
awaited between question and answer; the answer leaves in one write; whatever is not a question from an
allowed address costs a closed connection and a count. A closed connection is a good answer too: the dialplan
goes on at once with its failure policy, while silence would cost it the whole of its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Protocol, cast

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision
from enforcer.errors import WireError
from enforcer.switch.door import Door, Outcome
from enforcer.wire.answer import answer_line


class Admits(Protocol):
    """Whoever decides."""

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count the attempt and decide on it, without waiting for anything."""
        ...


class CallDoor(Door):
    """A door at which the calls of one switch ask. `asked` is told of each question, after its answer was
    written. For everything else see `Door`."""

    default_port = 0

    def __init__(
        self,
        admission: Admits,
        switch: str,
        *,
        clock: Callable[[], float],
        host: str = "127.0.0.1",
        port: int | None = None,
        peers: Iterable[str] = ("127.0.0.0/8",),
        deadline: float = 2.0,
        most: int = 1000,
        on_fault: Callable[[Exception], object] | None = None,
        asked: Callable[[CallAttempt], object] | None = None,
    ) -> None:
        super().__init__(
            clock=clock, host=host, port=self.default_port if port is None else port, peers=peers,
            deadline=deadline, most=most, on_fault=on_fault,
        )
        self.admission = admission
        self.switch = switch
        self.asked = asked


class Visit(asyncio.Protocol):
    """A connection. `outcome` is what will be counted when it is gone."""

    __slots__ = ("_door", "_loop", "_timer", "held", "outcome", "transport")

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        self._door = door
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self.held = 0
        self.outcome = Outcome.GONE
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is here: may they ask, and is there room?"""
        door = self._door
        self.transport = cast(asyncio.Transport, transport)
        door.came(self)
        peer = transport.get_extra_info("peername")
        if not peer or not door.allows(peer[0]):
            self.end(Outcome.FOREIGN)
        elif not door.let_in(self):
            self.end(Outcome.CROWDED)
        else:
            self.wait()
            self.welcome()

    def welcome(self) -> None:
        """They may ask. Nothing is said here, unless the language wants us to begin."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        if self._timer is not None:
            self._timer.cancel()
        self._door.went(self, self.outcome)

    def end(self, outcome: Outcome) -> None:
        """Close at once; nothing of ours is left to be sent."""
        self.outcome = outcome
        self._door.sent_away(self)
        if self.transport is not None:
            self.transport.abort()

    def wait(self) -> None:
        """The whole deadline begins anew."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._door.deadline, self.late)

    def late(self) -> None:
        """The deadline is over."""
        self.end(Outcome.SILENT)


class Asking(Visit):
    """A connection with one question, and one answer."""

    __slots__ = ("_calls", "_heard_at")

    def __init__(self, door: CallDoor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, loop)
        self._calls = door
        self._heard_at = 0.0

    def data_received(self, data: bytes) -> None:
        """The question, or the word on our answer, or a part of one."""
        self._heard_at = perf_counter()
        if self.transport is None or self.transport.is_closing():
            return
        self._calls.keep(self, len(data))
        if self.transport.is_closing():         # it was too much
            return
        try:
            self.hear(data, self._calls)
        except WireError:
            self.end(Outcome.MALFORMED if self.outcome is Outcome.GONE else self._told())

    def hear(self, data: bytes, door: CallDoor) -> None:
        """Read what has come. Raises WireError where it is not what should come."""
        raise NotImplementedError

    def answer(self, attempt: CallAttempt, encode: Callable[[str], bytes]) -> None:
        """Decide, and write the answer line as `encode` puts it; or close, where we could not."""
        door = self._calls
        assert self.transport is not None
        door.has_asked(self)
        try:
            data = encode(answer_line(door.admission.admit(attempt)))
        except Exception as fault:
            self.end(Outcome.FAULT)
            self.at_fault(fault)
            return
        self.outcome = Outcome.UNHEARD              # until the switch says otherwise
        self.transport.write(data)
        door.took(perf_counter() - self._heard_at)
        if door.asked is not None:
            try:
                door.asked(attempt)
            except Exception as fault:              # the call has its answer all the same
                self.at_fault(fault)

    def at_fault(self, fault: Exception) -> None:
        """Tell of it, now that the connection is looked after."""
        if self._calls.on_fault is not None:
            self._calls.on_fault(fault)

    def late(self) -> None:
        """The deadline is over, for the question or for the word on our answer."""
        self.end(Outcome.SILENT if self.outcome is Outcome.GONE else self._told())

    def _told(self) -> Outcome:
        """What became of our answer, as far as it is known."""
        return Outcome.ANSWERED if self.outcome is Outcome.ANSWERED else Outcome.UNHEARD
