"""The HTTP server inside the enforcer's own event loop: uvicorn, without its own ideas of signals and logs.

In: an application, settings. Out: a socket that answers, until stopped. Refuses to know: routes.

Whoever sends slowly, reads slowly or comes in thousands is let go of: calls are decided in the same loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from enforcer.errors import LinkError
from enforcer.settings_http import HttpSettings

LAST_SECONDS = 2                # for answers that are under way when the enforcer stops
BACKLOG = 128


class _Quiet(uvicorn.Server):
    """Signals are the enforcer's own matter."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """See the module."""

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._settings = settings
        self._tls = settings.tls()
        config = uvicorn.Config(
            app, http="h11", ws="none", lifespan="off", log_config=None, log_level="critical",
            access_log=False, server_header=False, proxy_headers=False, backlog=BACKLOG,
            limit_concurrency=settings.max_connections, timeout_keep_alive=15,
            timeout_graceful_shutdown=LAST_SECONDS,
        )
        config.load()
        config.ssl = self._tls
        self._server = _Quiet(config)
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises LinkError where the address is taken."""
        host, port = self._settings.address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as problem:
            raise LinkError(
                f"http {self._settings.listen}: {problem.strerror or problem}; "
                "stop what listens there, or choose another [http] listen"
            ) from None
        self._task = asyncio.create_task(self._server.serve([self._socket]), name="http")

    async def stop(self) -> None:
        """Answer what is under way, and listen no more."""
        if self._task is None:
            return
        self._server.should_exit = True
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
