"""Who is connected: never more than so many, nobody who is uninvited, and over TLS from the first byte.

In: connections as they come. Out: each to the protocol that reads it, or closed. Refuses to know: HTTP.

A connection counts from its first moment, its TLS handshake with it: asyncio keeps 256 KiB for each that is
to be over TLS, whether it says anything or not, so that whoever only connects could take all memory.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import traceback
from collections.abc import Callable
from typing import Any, Protocol, cast

from enforcer.settings_http import HttpSettings


class Guest(Protocol):
    """A connection. `asking` is whether a whole request is being answered, or events are told."""

    transport: asyncio.Transport

    @property
    def asking(self) -> bool: ...


class Guests:
    """Those that are inside. Where one comes too many, who has been here for longest without a whole request
    goes for it: whoever only wants to be in the way keeps nobody out."""

    def __init__(self, settings: HttpSettings) -> None:
        self._allowed = tuple(ipaddress.ip_network(network) for network in settings.allow)
        self._loopback = settings.loopback
        self._most = settings.max_connections
        self._inside: dict[Guest, None] = {}        # who was answered or came last is last
        self._greeted: set[asyncio.Task[None]] = set()

    def enter(self, guest: Guest) -> bool:
        """Whether it may stay; where not, it is closed already."""
        peer = guest.transport.get_extra_info("peername")
        invited = self.welcome(peer[0] if peer else "")
        if not invited or (len(self._inside) >= self._most and not self._one_goes()):
            guest.transport.abort()
            return False
        self._inside[guest] = None
        return True

    def served(self, guest: Guest) -> None:
        """It had its answer: of those inside it is the last to go."""
        if guest in self._inside:
            self._inside[guest] = self._inside.pop(guest)

    def leave(self, guest: Guest) -> None:
        """It is gone."""
        self._inside.pop(guest, None)

    def welcome(self, address: str) -> bool:
        """Whether connections from there are invited at all."""
        if not self._allowed or not address:
            return True
        found = ipaddress.ip_address(address)
        found = getattr(found, "ipv4_mapped", None) or found
        return self._loopback or found.is_loopback or any(found in network for network in self._allowed)

    def greet(self, greeting: asyncio.Task[None]) -> None:
        """A handshake that is under way."""
        self._greeted.add(greeting)
        greeting.add_done_callback(self._greeted.discard)

    def close(self) -> None:
        """No handshake goes on."""
        for greeting in tuple(self._greeted):
            greeting.cancel()

    def _one_goes(self) -> bool:
        idle = next((one for one in self._inside if not one.asking), None)
        if idle is not None:
            del self._inside[idle]
            idle.transport.abort()
        return idle is not None


class Arrival(asyncio.Protocol):
    """A connection until its TLS handshake is done, for which it has `within` seconds; then what `make` makes
    has it. What that is told may begin before it hears of its transport: the last bytes of a handshake bring
    the first of a request."""

    asking = False
    transport: asyncio.Transport

    def __init__(
        self, guests: Guests, context: ssl.SSLContext, within: float, make: Callable[[], asyncio.Protocol]
    ) -> None:
        self._guests = guests
        self._context = context
        self._within = within
        self._make = make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._guests.enter(self):
            self.transport.pause_reading()
            self._guests.greet(asyncio.create_task(self._greeted(), name="tls handshake"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._guests.leave(self)

    async def _greeted(self) -> None:
        inner = self._make()
        options: dict[str, Any] = {"server_side": True, "ssl_handshake_timeout": self._within}
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(self.transport, inner, self._context, **options)
        except OSError as problem:      # no TLS, or gone: its frames would hold the 256 KiB until collected
            traceback.clear_frames(problem.__traceback__)
            return
        finally:
            self._guests.leave(self)
        if secured is not None and not secured.is_closing():
            inner.connection_made(secured)
