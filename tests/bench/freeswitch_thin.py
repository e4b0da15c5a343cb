"""A thin line between a switch's event socket and whoever listens: bytes come no faster than it lets them.

In: bytes from the switch. Out: the same bytes, later, and how many the switch had written that the listener
had not yet. Refuses to know what they say.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import NamedTuple, Self

PIECE = 16_384
STEP = 0.05         # seconds


class Behind(NamedTuple):
    """A switch, as an enforcer sees it through the line."""

    ami_port: int
    secret: str


class Thin:
    """`async with Thin() as thin:`, then `thin.to(port)` is the port to use instead.

    bytes_a_second  0: as fast as it goes
    """

    def __init__(self) -> None:
        self.bytes_a_second = 0
        self.connections = 0
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._came, "127.0.0.1", 0, limit=PIECE)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def to(self, port: int) -> int:
        """The line leads to this port of the loopback from now on; where it begins."""
        self._port = port
        return int(self._server.sockets[0].getsockname()[1])

    async def _came(self, near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far = socket.socket()
        # A small buffer, so that it is the switch that has to wait and not the kernel that keeps it all.
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        far.setblocking(False)
        await asyncio.get_running_loop().sock_connect(far, ("127.0.0.1", self._port))
        hear, say = await asyncio.open_connection(sock=far, limit=PIECE)
        up = asyncio.create_task(_copy(near, say), name="up")
        try:
            while data := await hear.read(PIECE):
                answer.write(data)
                await answer.drain()
                if self.bytes_a_second:
                    await asyncio.sleep(len(data) / self.bytes_a_second)
                if up.done():
                    break
        except OSError:
            pass
        finally:
            self._tasks.discard(task)
            up.cancel()
            for writer in (say, answer):
                with contextlib.suppress(OSError):
                    writer.transport.abort()


async def _copy(hear: asyncio.StreamReader, say: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await hear.read(PIECE):
            say.write(data)
            await say.drain()
