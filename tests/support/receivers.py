"""Real servers that notices arrive at: one that takes HTTP posts, one that takes mail; both on free ports."""

from __future__ import annotations

import asyncio
import email
import json
import warnings
from dataclasses import dataclass, field
from email.message import Message
from email.policy import default
from typing import Any

with warnings.catch_warnings():
    # Apprise loads its plugins at their first use, and some of those load what Python 3.13 will not have.
    warnings.simplefilter("ignore")
    import apprise

    apprise.Apprise.instantiate("json://localhost")


@dataclass
class HttpReceiver:
    """Takes every POST and answers with `status`. `posts` are the bodies, as JSON. One that `hangs` never
    answers, and sets that event instead."""

    status: int = 200
    hangs: asyncio.Event | None = None
    posts: list[dict[str, Any]] = field(default_factory=list)
    posted: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _open: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict)

    async def __aenter__(self) -> HttpReceiver:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()
        await asyncio.gather(*self._open.values())
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/notices"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.partition(":")[2]) for line in head.splitlines()
                if line.lower().startswith("content-length:")
            )
            self.posts.append(json.loads(await reader.readexactly(length)))
            self.posted.set()
            if self.hangs is not None:
                self.hangs.set()
                await reader.read()
                return
            writer.write(
                f"HTTP/1.1 {self.status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()
        finally:
            del self._open[writer]
            writer.close()
            await writer.wait_closed()


@dataclass
class MailReceiver:
    """An SMTP server (RFC 5321) as small as one can be: every mail is taken, unless `refuse` says otherwise.
    `mails` are (recipients, message)."""

    refuse: str = ""
    mails: list[tuple[list[str], Message]] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> MailReceiver:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"mailto://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().strip():
            word = line.upper()
            if word.startswith("DATA"):
                writer.write(b"354 go on\r\n")
                raw = (await reader.readuntil(b"\r\n.\r\n"))[:-5].replace(b"\r\n..", b"\r\n.")
                self.mails.append((recipients, email.message_from_bytes(raw, policy=default)))
                recipients = []
            elif word.startswith("RCPT"):
                if self.refuse:
                    writer.write(f"{self.refuse}\r\n".encode())
                    continue
                recipients.append(line.partition("<")[2].partition(">")[0])
            elif word.startswith("QUIT"):
                writer.write(b"221 bye\r\n")
                return
            writer.write(b"250 fine\r\n")
