"""A door on a TCP port: who may come in, how many at once, and what became of each connection.

In: connections. Out: a protocol for each, and a count of how each ended.
Refuses to know: what is asked there, and what is answered.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, Self

from enforcer.errors import LinkError

# Connections that may wait to be accepted. Asterisk opens one a call and gives up on one only after 2 s, so a
# burst has to fit (asyncio's default of 100 overflowed in measurements at 150 calls a second).
BACKLOG = 1024
# Bytes of questions that are not whole yet, over all connections of a door. A channel of a FreeSWITCH is 12
# KB and may be stretched to 1 MB by its caller; a thousand that wait at once are 12 MB.
MOST_HELD = 64 * 1024 * 1024
# How long an orderly stop waits for questions that are already here; the dialplan waits 0.3 s for us.
PATIENCE = 0.5


class Outcome(StrEnum):
    """What became of a connection; each ends in exactly one of these."""

    ANSWERED = "answered"       # the other side took what it was answered
    UNHEARD = "unheard"         # answered, but the caller or the switch was gone, or did not take it
    FAULT = "fault"             # we could not decide: the switch follows its failure policy
    SILENT = "silent"           # no whole question within the deadline
    GONE = "gone"               # closed without a whole question: a port scan, a health check
    MALFORMED = "malformed"     # not a question
    FOREIGN = "foreign"         # from an address that is not allowed
    CROWDED = "crowded"         # one connection too many: who has asked nothing for longest makes room


class Visitor(Protocol):
    """A connection, as its door sees it. `held` are the bytes of a question that is not whole yet."""

    held: int

    def end(self, outcome: Outcome) -> None:
        """Close at once."""


class Door:
    """`async with Door(...)`, or start() and stop().

    name        what it is called in errors; `label` in metrics
    peers       networks that may connect, as "127.0.0.0/8"
    deadline    seconds that a question may take
    most        connections at once; who comes then is let in for the one that has asked nothing for longest:
                a switch asks in the moment in which it connects, who only wants to be in the way does not
    on_fault    told of an error that kept us from deciding, after the connection was closed
    took        told of each answer, how long (seconds) after the end of its question it was written
    """

    name = label = ""
    took: Callable[[float], object] = staticmethod(lambda seconds: None)

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        host: str,
        port: int,
        peers: Iterable[str],
        deadline: float,
        most: int,
        on_fault: Callable[[Exception], object] | None,
    ) -> None:
        self.clock = clock
        self.deadline = deadline
        self.most = most
        self.on_fault = on_fault
        self.counts: Counter[Outcome] = Counter()
        self.open: set[Visitor] = set()
        self.inside: set[Visitor] = set()           # those of them that were let in and not sent away
        self._unasked: dict[Visitor, None] = {}     # of those, who has asked nothing yet, the longest first
        self._held = 0
        self._address = (host, port)
        networks = tuple(ipaddress.ip_network(peer) for peer in peers)
        # One switch has one address or two; a flood from others may not fill memory.
        self.allows = lru_cache(maxsize=256)(lambda address: _within(address, networks))
        self._server: asyncio.Server | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def visitor(self, loop: asyncio.AbstractEventLoop) -> asyncio.BaseProtocol:
        """Who serves a connection."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port listened on, also where 0 was asked for. Raises LinkError while closed."""
        if self._server is None:
            raise LinkError(f"the {self.name} door is closed")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Open the door. Raises LinkError where the address cannot be listened on."""
        loop = asyncio.get_running_loop()
        host, port = self._address
        try:
            self._server = await loop.create_server(lambda: self.visitor(loop), host, port, backlog=BACKLOG)
        except OSError as problem:
            raise LinkError(
                f"{self.name} door {host}:{port}: {problem.strerror or problem}; stop what listens there, or "
                f"choose another address under [door.{self.label}]"
            ) from None

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

    def came(self, connection: Visitor) -> None:
        """A connection is open."""
        self.open.add(connection)
        self._idle.clear()

    def let_in(self, connection: Visitor) -> bool:
        """Whether there is room. Somebody else may have to go for it."""
        if len(self.inside) >= self.most and not self._one_goes():
            return False
        self.inside.add(connection)
        self._unasked[connection] = None
        return True

    def keep(self, connection: Visitor, size: int) -> None:
        """A part of a question has come, of so many bytes. Where it is too much for all together, those go
        that have asked nothing for longest."""
        if connection in self._unasked:
            connection.held += size
            self._held += size
            while self._held > MOST_HELD and self._one_goes():
                pass

    def has_asked(self, connection: Visitor) -> None:
        """It has asked a whole question, and does not have to make room for others."""
        if connection in self._unasked:
            del self._unasked[connection]
            self._held -= connection.held

    def sent_away(self, connection: Visitor) -> None:
        """It is being closed, by us, and in nobody's way."""
        self.has_asked(connection)
        self.inside.discard(connection)

    def _one_goes(self) -> bool:
        longest = next(iter(self._unasked), None)
        if longest is not None:
            longest.end(Outcome.CROWDED)
        return longest is not None

    def went(self, connection: Visitor, outcome: Outcome) -> None:
        """A connection is closed."""
        self.counts[outcome] += 1
        self.sent_away(connection)
        self.open.discard(connection)
        if not self.open:
            self._idle.set()


def _within(address: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in networks)
