"""The socket behind a fake manager or event socket: who is there, what has come, and the end of it all.

In: connections of the link under test. Out: bytes to the latest of them; waits for what is to come.
Refuses to know: the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Self, TypeVar

T = TypeVar("T")


class LinkServer:
    """One server on a port of the loopback; `connections` are all that it ever had."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self._arrived = asyncio.Condition()
        self._writers: list[asyncio.StreamWriter] = []

    async def nth(self, found: Callable[[], Sequence[T]], count: int) -> T:
        """The count-th of what is found, once it has come."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(found()) >= count)
        return found()[count - 1]

    async def connected(self, count: int) -> None:
        """Once there were so many."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: self.connections >= count)

    def hang_up(self) -> None:
        """On the latest."""
        self._writers[-1].close()

    async def conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What is said to one of them, until it is gone."""
        raise NotImplementedError

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        """On a free port, gone afterwards."""
        server = await asyncio.start_server(self._met, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await server.wait_closed()

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        async with self._arrived:
            self.connections += 1
            self._arrived.notify_all()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self.conversation(reader, writer)
        writer.close()
