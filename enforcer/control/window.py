"""The window of a running enforcer: whoever may read its ledger sees what happens, over a local socket.

In: connections to a Unix socket beside the ledger, of mode 0600. Out: to each, one JSON object a line: the
overview of this moment, once a second, and in between what happens. Refuses to know: who looks, and orders.

Nobody waits for who looks. To one that does not read fast enough nothing is written until it has caught up:
it misses happenings, whose numbers show how many, and gets the next overview whole. What is sent to us is not
read. A view is made once a second for all, and only while somebody looks.

Whoever comes knocks (see `knock`): the ledger is looked at. One that leaves again at once came for that
alone, and no view is made for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from enforcer.control.feed import Feed, Happening
from enforcer.control.knock import reachable

SECONDS = 1.0           # between two overviews
MOST = 16               # who may look at once; who looks for longest makes room
GRACE = 0.02            # s in which one that only knocks has left again
UNREAD = 256 * 1024     # bytes that wait for one; an overview is 10 to 20 KB
LATELY = 20             # happenings told to one who comes
MOST_TOLD = 100         # happenings a second; in a flood nobody can read them, and calls wait behind them


class Window:
    """See the module. `overview` makes a view, `knocked` hears of everybody who comes; one enforcer runs on a
    ledger, so a socket that lies there was left by one that is dead."""

    def __init__(
        self, path: Path, overview: Callable[[], dict[str, Any]], feed: Feed, knocked: Callable[[], None]
    ) -> None:
        self._path = path
        self._overview = overview
        self._feed = feed
        self._knocked = knocked
        self._coming: dict[_Look, None] = {}        # who has just come, and may only have knocked
        self._looking: dict[_Look, None] = {}
        self._somebody = asyncio.Event()
        self._told = 0                  # happenings, in this second

    async def run(self) -> None:
        """Be open until cancelled. Raises OSError where the socket cannot be there."""
        server = await asyncio.get_running_loop().create_unix_server(self._look, sock=self._bound())
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._show(), name="window: overview")
                tasks.create_task(self._tell(), name="window: happenings")
        finally:
            server.close()
            for one in (*self._coming, *self._looking):
                one.close()
            self._path.unlink(missing_ok=True)

    def _bound(self) -> socket.socket:
        """The socket, for nobody but us from its first moment on."""
        with reachable(self._path) as name:
            if self._path.exists() and stat.S_ISSOCK(self._path.lstat().st_mode):
                self._path.unlink()
            bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            before = os.umask(0o177)
            try:
                bound.bind(name)
            except BaseException:
                bound.close()
                raise
            finally:
                os.umask(before)
        return bound

    def _look(self) -> _Look:
        return _Look(self)

    def came(self, one: _Look) -> None:
        """Somebody is there."""
        if len(self._coming) >= MOST:
            next(iter(self._coming)).close()
        self._coming[one] = None
        self._knocked()

    def stayed(self, one: _Look) -> None:
        """Somebody looks: at once this moment, and what was before."""
        self._coming.pop(one, None)
        if len(self._looking) >= MOST:
            next(iter(self._looking)).close()
        self._looking[one] = None
        lately = self._feed.since(self._feed.number - LATELY)
        one.write(_line(self._view()) + b"".join(_line(_told(happening)) for happening in lately))
        self._somebody.set()

    def went(self, one: _Look) -> None:
        """One looks no more."""
        self._coming.pop(one, None)
        self._looking.pop(one, None)
        if not self._looking:
            self._somebody.clear()

    def _view(self) -> dict[str, Any]:
        return {"overview": self._overview()}

    async def _show(self) -> None:
        while True:
            await self._somebody.wait()
            await asyncio.sleep(SECONDS)
            self._told = 0
            if self._looking:
                self._to_all(self._view())

    async def _tell(self) -> None:
        while True:
            await self._somebody.wait()
            with self._feed.subscribed() as subscriber:
                while self._looking:
                    happening = await subscriber.get()
                    if self._told < MOST_TOLD:
                        self._told += 1
                        self._to_all(_told(happening))

    def _to_all(self, facts: dict[str, Any]) -> None:
        line = _line(facts)
        for one in tuple(self._looking):
            one.write(line)


class _Look(asyncio.Protocol):
    """One that looks."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._transport: asyncio.Transport | None = None
        self._stays: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._stays = asyncio.get_running_loop().call_later(GRACE, self._window.stayed, self)
        self._window.came(self)

    def data_received(self, data: bytes) -> None:
        """Nobody has anything to say here: it would only be in our way."""
        self.close()

    def eof_received(self) -> None:
        self._gone()            # heard before the grace of a busy loop is over; closed by asyncio

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()

    def close(self) -> None:
        """Let go of it at once."""
        self._gone()
        if self._transport is not None:
            self._transport.abort()

    def _gone(self) -> None:
        if self._stays is not None:
            self._stays.cancel()
        self._window.went(self)

    def write(self, line: bytes) -> None:
        """A line, unless too much waits to be read already."""
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() <= UNREAD:
            transport.write(line)


def _told(happening: Happening) -> dict[str, Any]:
    facts = {"number": happening.number, "kind": happening.kind, "at": happening.at}
    return {"happened": facts | {"facts": dict(happening.facts)}}


def _line(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, separators=(",", ":")).encode() + b"\n"
