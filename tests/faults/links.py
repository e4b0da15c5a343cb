"""Links that can be cut in both ways in which links are lost: with a word (RST) and without one (silence).

In: where the switch's manager listens. Out: an address for the enforcer to connect to, and a knife.
Where we are root the enforcer lives in a network namespace of its own, and silence is its cable pulled;
elsewhere it is a relay that stops reading and writing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import struct
import subprocess
from types import TracebackType
from typing import Self

PULLED = struct.pack("ii", 1, 0)        # SO_LINGER: on, 0 s: what is not read is thrown away and RST sent


def namespaces() -> bool:
    """Whether this process may make network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


class Cable:
    """A network namespace, joined to ours by one cable that can be pulled."""

    def __init__(self) -> None:
        name = f"enf{os.getpid()}"
        self._name, self._ours, self._theirs = name, f"{name}a", f"{name}b"
        number = os.getpid() % 16384
        # 10.213.0.0/16 in pieces of four addresses.
        net = f"10.213.{number // 64}.{4 * (number % 64)}".rsplit(".", 1)
        self.host = f"{net[0]}.{int(net[1]) + 1}"
        self._far = f"{net[0]}.{int(net[1]) + 2}"

    @property
    def inside(self) -> list[str]:
        """The beginning of a command line that runs inside."""
        return ["ip", "netns", "exec", self._name]

    def __enter__(self) -> Self:
        for line in (
            f"netns add {self._name}",
            f"link add {self._ours} type veth peer name {self._theirs} netns {self._name}",
            f"addr add {self.host}/30 dev {self._ours}",
            f"link set {self._ours} up",
            f"-n {self._name} addr add {self._far}/30 dev {self._theirs}",
            f"-n {self._name} link set {self._theirs} up",
            f"-n {self._name} link set lo up",
        ):
            _ip(line)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["ip", "link", "del", self._ours], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self._name], check=False, capture_output=True)

    def pull(self) -> None:
        """Nothing arrives any more, on either side, and nobody is told."""
        _ip(f"link set {self._ours} down")

    def plug(self) -> None:
        """As before."""
        _ip(f"link set {self._ours} up")


class Relay:
    """What the enforcer connects to instead of the switch."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reset()

    async def restore(self) -> None:
        """Let connections through, again."""
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._joined, self.host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def reset(self) -> None:
        """Tear all connections, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, PULLED)
            writer.transport.abort()

    def silence(self) -> None:
        """Carry nothing more; connections stay, and new ones lead nowhere."""
        self._flows.clear()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._flows.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
            self._open.add(far_writer)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._carry(reader, far_writer), name="relay there")
                    tasks.create_task(self._carry(far_reader, writer), name="relay back")
            except* (OSError, EOFError):
                pass
            finally:
                self._open.discard(far_writer)
                far_writer.close()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        raise EOFError


def _ip(line: str) -> None:
    subprocess.run(["ip", *line.split()], check=True, capture_output=True)
