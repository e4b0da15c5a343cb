"""The FastAGI door: the dialplan asks over a TCP connection a call, and gets one line back.

In: connections. Out: the answer line as `SET VARIABLE ENF_ANSWER`; a count of what became of each.
Refuses to know: what is decided, and what the answer costs; it writes what `admit` returns.

The peer is a switch that waits with a caller on the line, or anybody else who found the port. So:
nothing is awaited between question and answer; the answer leaves in one write; whatever is not a
question from an allowed address costs a closed connection and a count. A closed connection is a good
answer too: the dialplan goes on at once with its failure policy, while silence would cost it the
whole of its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol, cast

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision
from enforcer.errors import WireError
from enforcer.switch.door import Door, Outcome
from enforcer.wire.agi import AgiReader, AgiReply, AgiRequest, attempt_of, set_variable
from enforcer.wire.answer import answer_line

__all__ = ["AgiDoor", "Outcome"]

VARIABLE = "ENF_ANSWER"


class Admits(Protocol):
    """Whoever decides."""

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count the attempt and decide on it, without waiting for anything."""
        ...


class AgiDoor(Door):
    """Listens for the questions of one switch. For everything but these two see `Door`."""

    name = "FastAGI"
    label = "agi"

    def __init__(
        self,
        admission: Admits,
        switch: str,
        *,
        clock: Callable[[], float],
        host: str = "127.0.0.1",
        port: int = 4573,
        peers: Iterable[str] = ("127.0.0.0/8",),
        deadline: float = 2.0,
        most: int = 1000,
        on_fault: Callable[[Exception], object] | None = None,
    ) -> None:
        super().__init__(
            clock=clock, host=host, port=port, peers=peers, deadline=deadline, most=most, on_fault=on_fault
        )
        self.admission = admission
        self.switch = switch

    def visitor(self, loop: asyncio.AbstractEventLoop) -> asyncio.BaseProtocol:
        """One question, one answer."""
        return _Connection(self, loop)


class _Connection(asyncio.Protocol):
    """One question, one answer. `_outcome` is what will be counted when the connection is gone."""

    __slots__ = ("_door", "_loop", "_outcome", "_reader", "_timer", "_transport")

    def __init__(self, door: AgiDoor, loop: asyncio.AbstractEventLoop) -> None:
        self._door = door
        self._loop = loop
        self._reader = AgiReader()
        self._outcome = Outcome.GONE
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is here: may they ask, and is there room?"""
        door = self._door
        self._transport = cast(asyncio.Transport, transport)
        crowded = len(door.open) >= door.most
        door.came(self)
        peer = transport.get_extra_info("peername")
        if not peer or not door.allows(peer[0]):
            self.end(Outcome.FOREIGN)
        elif crowded:
            self.end(Outcome.CROWDED)
        else:
            self._timer = self._loop.call_later(door.deadline, self._late)

    def data_received(self, data: bytes) -> None:
        """The question, or the word on our answer, or a part of one."""
        if self._transport is None or self._transport.is_closing():
            return
        try:
            heard = self._reader.feed(data)
            if isinstance(heard, AgiRequest):
                self._answer(heard)
                heard = self._reader.feed(b"")      # a HANGUP may have come with the question
            if isinstance(heard, AgiReply):
                self.end(Outcome.ANSWERED if heard.taken else Outcome.UNHEARD)
        except WireError:
            self.end(Outcome.MALFORMED if self._outcome is Outcome.GONE else Outcome.UNHEARD)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        if self._timer is not None:
            self._timer.cancel()
        self._door.went(self, self._outcome)

    def end(self, outcome: Outcome) -> None:
        """Close at once; nothing of ours is left to be sent."""
        self._outcome = outcome
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, request: AgiRequest) -> None:
        """Raises WireError where the request is not a question of our dialplan."""
        door = self._door
        attempt = attempt_of(request, door.switch, door.clock())
        assert self._transport is not None
        try:
            command = set_variable(VARIABLE, answer_line(door.admission.admit(attempt)))
        except Exception as fault:
            self.end(Outcome.FAULT)
            if door.on_fault is not None:
                door.on_fault(fault)
            return
        self._outcome = Outcome.UNHEARD             # until the switch says otherwise
        self._transport.write(command)

    def _late(self) -> None:
        self.end(Outcome.SILENT if self._outcome is Outcome.GONE else Outcome.UNHEARD)
