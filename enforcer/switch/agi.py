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
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, Self, cast

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision
from enforcer.errors import LinkError, WireError
from enforcer.wire.agi import AgiReader, AgiReply, AgiRequest, attempt_of, set_variable
from enforcer.wire.answer import answer_line

VARIABLE = "ENF_ANSWER"
# Connections that may wait to be accepted. Asterisk opens one a call and gives up on one only after 2 s, so a
# burst has to fit (asyncio's default of 100 overflowed in measurements at 150 calls a second).
BACKLOG = 1024
# How long an orderly stop waits for questions that are already here; the dialplan waits 0.3 s for us.
PATIENCE = 0.5


class Outcome(StrEnum):
    """What became of a connection; each ends in exactly one of these."""

    ANSWERED = "answered"       # the switch said that it took the answer
    UNHEARD = "unheard"         # answered, but the caller or the switch was gone, or did not take it
    FAULT = "fault"             # we could not decide: the switch follows its failure policy
    SILENT = "silent"           # no whole question within the deadline
    GONE = "gone"               # closed without a whole question: a port scan, a health check
    MALFORMED = "malformed"     # not a question
    FOREIGN = "foreign"         # from an address that is not allowed
    CROWDED = "crowded"         # one connection too many


class Admits(Protocol):
    """Whoever decides."""

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count the attempt and decide on it, without waiting for anything."""
        ...


class AgiDoor:
    """Listens for the questions of one switch. `async with AgiDoor(...)`, or start() and stop().

    peers       networks that may connect, as "127.0.0.0/8"
    deadline    seconds a connection may last
    most        connections at once
    on_fault    told of an error that kept us from deciding, after the connection was closed
    """

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
        self.admission = admission
        self.switch = switch
        self.clock = clock
        self.deadline = deadline
        self.most = most
        self.on_fault = on_fault
        self.counts: Counter[Outcome] = Counter()
        self.open: set[_Connection] = set()
        self._address = (host, port)
        networks = tuple(ipaddress.ip_network(peer) for peer in peers)
        # One switch has one address or two; a flood from others may not fill memory.
        self.allows = lru_cache(maxsize=256)(lambda address: _within(address, networks))
        self._server: asyncio.Server | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def port(self) -> int:
        """The port listened on, also where 0 was asked for. Raises LinkError while closed."""
        if self._server is None:
            raise LinkError("the FastAGI door is closed")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Open the door. Raises LinkError where the address cannot be listened on."""
        loop = asyncio.get_running_loop()
        host, port = self._address
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self, loop), host, port, backlog=BACKLOG
            )
        except OSError as problem:
            raise LinkError(f"FastAGI door {host}:{port}: {problem.strerror or problem}") from None

    async def stop(self) -> None:
        """Take no more questions, finish those that are here, then close."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._idle.wait()
        except TimeoutError:
            for connection in tuple(self.open):
                connection.end(Outcome.SILENT)
            await self._idle.wait()
        await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def came(self, connection: _Connection) -> None:
        """A connection is open."""
        self.open.add(connection)
        self._idle.clear()

    def went(self, connection: _Connection, outcome: Outcome) -> None:
        """A connection is closed."""
        self.counts[outcome] += 1
        self.open.discard(connection)
        if not self.open:
            self._idle.set()


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


def _within(address: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in networks)
