"""What every connection to a switch has, in whichever protocol: it is up, or lost once and with a reason.

In: a peer, and what asyncio tells of the socket. Out: `lost`; whatever waits fails with its reason.
Refuses to know: what is said on the connection, and reconnecting.
"""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import structlog

from enforcer.errors import LinkError, WireError
from enforcer.switch import tls
from enforcer.switch.gathering import Gathering
from enforcer.switch.link import worth_a_line

log = structlog.get_logger("link")

# Unread commands of ours. A switch that lets this much pile up (10,000 and more) reads nothing any more.
MOST_UNSENT = 1 << 20
UNREAD = "the switch does not read what we send"


class Connection(asyncio.BaseProtocol):
    """See the module. `lost` is done when the connection is over. `peer` is how messages call it."""

    def __init__(self, peer: object, clock: Callable[[], float]) -> None:
        loop = asyncio.get_running_loop()
        self.heard_at = clock()         # when the last byte came
        self.faults = 0                 # events that our own code failed on
        self.refused = 0                # posted commands that the switch answered with an error
        self.lost: asyncio.Future[LinkError] = loop.create_future()
        self._name = str(peer)
        self._clock = clock
        self._greeted: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._gathering = Gathering()

    def gather(self, seconds: float) -> None:
        """So long, in seconds, may an event wait for others to be read with it; 0 not at all."""
        self._gathering.seconds = seconds

    def close(self, problem: str = "closed by us") -> None:
        """End the connection; whatever waits fails with this problem."""
        if not self.lost.done():
            self.lost.set_result(LinkError(f"{self._name}: {problem}"))
        self._gathering.prompt()
        if self._transport is not None:
            self._transport.abort()
        self._fail_all()

    async def leave(self, *, within: float) -> None:
        """Say good-bye, and wait until the switch has closed the connection: it has done by then all that was
        posted. (Whoever closes first, answers unread, resets the connection, and what the switch has not read
        yet is lost.) One that takes longer than `within` seconds is not waited for."""
        if self._transport is not None and not self.lost.done():
            self._say_goodbye()
            self._gathering.prompt()
            await asyncio.wait((self.lost,), timeout=within)
            self.close()

    @property
    def unsent(self) -> int:
        """Bytes of ours that the switch has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    # --- what each protocol does in its own way

    @property
    def events_dropped(self) -> int:
        """Events that the switch sent although nobody reads them."""
        raise NotImplementedError

    def _say_goodbye(self) -> None:
        """Post what makes the switch close the connection."""
        raise NotImplementedError

    def _waiters(self) -> Iterable[asyncio.Future[Any]]:
        """Everything that somebody waits for on this connection."""
        raise NotImplementedError

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.close(f"connection lost: {exc}" if exc else "the switch closed the connection")

    # --- for the protocols

    def _open(self, *, full: bool = False) -> asyncio.Transport:
        """The transport, to be written to. Raises LinkError where the connection is down, or the switch has
        let too much pile up (`full`: by the protocol's own measure)."""
        transport = self._transport
        if transport is None or self.lost.done():
            raise LinkError(f"{self._name}: not connected")
        if full or transport.get_write_buffer_size() > MOST_UNSENT:
            self.close(UNREAD)
            raise LinkError(f"{self._name}: {UNREAD}")
        return transport

    def _hand_over(self, on_event: Callable[[Any, Any], object], message: object) -> None:
        """Let somebody handle an event; what that raises is counted and logged, and ends nothing."""
        try:
            on_event(self, message)
        except Exception:
            self.faults += 1
            if worth_a_line(self.faults):
                log.exception(
                    "an event could not be handled", peer=self._name, message=repr(message), times=self.faults
                )

    def _fail_all(self) -> None:
        error = self.lost.result()
        for future in self._waiters():
            if not future.done():
                future.set_exception(LinkError(str(error)))
        if not self._greeted.done():
            self._greeted.set_exception(LinkError(str(error)))
            self._greeted.exception()       # looked at here: there may be nobody waiting for it


C = TypeVar("C", bound=Connection)


async def opened(
    make: Callable[[], C], host: str, port: int, login: Callable[[C], Awaitable[None]], *, peer: object,
    within: float, secured: ssl.SSLContext | None = None, certified: str = "",
) -> C:
    """Connect and log in, all of it `within` seconds; over TLS where that is `secured`, with a certificate
    made out to the host, or to the name that is `certified`. Raises LinkError naming the peer."""
    session: C | None = None
    try:
        async with asyncio.timeout(within):
            _transport, session = await asyncio.get_running_loop().create_connection(
                make, host, port, ssl=secured, server_hostname=(certified or host) if secured else None
            )
            await login(session)
    except BaseException as problem:
        if session is not None:
            session.close("login failed")
        if isinstance(problem, OSError):        # frames of a TLS handshake would hold 256 KiB until collected
            traceback.clear_frames(problem.__traceback__)
        if isinstance(problem, TimeoutError):
            raise LinkError(f"{peer}: no login within {within:g} s") from None
        if isinstance(problem, ssl.SSLError):
            raise LinkError(f"{peer}: {tls.words(problem)}") from None
        if isinstance(problem, OSError):
            raise LinkError(f"{peer}: {problem.strerror or problem}") from None
        if isinstance(problem, WireError):
            raise LinkError(f"{peer}: {problem}") from None
        raise
    return session


async def until_lost(session: Connection) -> None:
    """Raises LinkError, with the reason, when the connection is over."""
    await asyncio.wait((session.lost,))
    raise session.lost.result()
