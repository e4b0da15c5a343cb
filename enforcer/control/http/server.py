"""The HTTP server inside the enforcer's own event loop: uvicorn, without its own ideas of signals and logs.

In: an application, settings. Out: a socket that answers, until stopped. Refuses to know: routes.

Whoever sends slowly, reads slowly or comes in thousands is let go of: calls are decided in the same loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from enforcer.control.http.guests import Arrival, Guests
from enforcer.errors import LinkError
from enforcer.settings_http import BACKLOG, HttpSettings

LAST_SECONDS = 2                # for answers that are under way when the enforcer stops
KEEP_SECONDS = 15               # for a connection between two requests
LONGEST_HEAD = 16_384           # bytes of a request line and headers


class _Quiet(uvicorn.Server):
    """Signals are the enforcer's own matter."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol(guests: Guests, deadline: float) -> type[H11Protocol]:
    """A connection that may not dawdle: its first bytes, each head of a request, and what it is sent have
    `deadline` seconds. Bodies have theirs in `bounds`."""

    class Prompt(H11Protocol):
        _late: asyncio.TimerHandle | None = None
        _stuck: asyncio.TimerHandle | None = None
        _met = False            # our transport
        _early = b""

        def connection_made(self, transport: Any) -> None:
            self._met = True
            super().connection_made(transport)
            if not guests.enter(self):
                return
            self._late = self.loop.call_later(deadline, transport.abort)
            if self._early:
                self.data_received(self._early)

        def data_received(self, data: bytes) -> None:
            if not self._met:       # the end of a TLS handshake brought it
                self._early += data
                return
            if self.transport.is_closing():
                return
            if self._late is None and (self.cycle is None or self.cycle.response_complete):
                self._late = self.loop.call_later(deadline, self.transport.abort)
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete and self._late is not None:
                self._late.cancel()
                self._late = None

        @property
        def asking(self) -> bool:
            """Whether a whole request is being answered, or events are told."""
            cycle = self.cycle
            return cycle is not None and not cycle.response_complete and not cycle.more_body

        def on_response_complete(self) -> None:
            guests.served(self)
            super().on_response_complete()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stuck = self.loop.call_later(deadline, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._stuck is not None:
                self._stuck.cancel()
                self._stuck = None

        def connection_lost(self, exc: Exception | None) -> None:
            if not self._met:       # over before we heard of it
                return
            for timer in (self._late, self._stuck):
                if timer is not None:
                    timer.cancel()
            guests.leave(self)
            super().connection_lost(exc)

    return Prompt


class HttpServer:
    """See the module. `close` is awaited first when it stops: it ends what would never end by itself. `fault`
    hears of a server that ended by itself: calls go on without it."""

    def __init__(
        self, app: ASGIApp, settings: HttpSettings, close: Callable[[], Awaitable[None]],
        fault: Callable[..., None],
    ) -> None:
        self.app = app
        self._fault = fault
        self._close = close
        self._settings = settings
        self._guests = Guests(settings)
        reads, secured = _protocol(self._guests, settings.read_deadline), settings.tls()

        def arrives(**its: Any) -> asyncio.Protocol:
            if secured is None:
                return reads(**its)
            return Arrival(self._guests, secured, settings.read_deadline, lambda: reads(**its))

        config = uvicorn.Config(
            app, http=cast("type[asyncio.Protocol]", arrives), ws="none", lifespan="off", log_config=None,
            log_level="critical", access_log=False, server_header=False, proxy_headers=False, backlog=BACKLOG,
            timeout_keep_alive=KEEP_SECONDS, timeout_graceful_shutdown=LAST_SECONDS,
            h11_max_incomplete_event_size=LONGEST_HEAD,
        )
        config.load()
        self._server = _Quiet(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises LinkError where the address is taken."""
        host, port = self._settings.address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With its protocol named, asyncio turns Nagle's algorithm off: else an answer could wait 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(BACKLOG)
        except OSError as problem:
            listening.close()
            raise LinkError(
                f"http {self._settings.listen}: {os.strerror(problem.errno or 0)}; "
                "stop what listens there, or choose another [http] listen"
            ) from None
        self._task = asyncio.create_task(self._server.serve([listening]), name="http")
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            problem = None if task.cancelled() else task.exception()
            self._fault("http ended", problem=repr(problem))

    async def stop(self) -> None:
        """Answer what is under way, and listen no more."""
        if self._task is None:
            return
        task, self._task = self._task, None
        await self._close()
        self._guests.close()
        self._server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
