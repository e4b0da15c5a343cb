"""FreeSWITCH's event socket, faked: sessions, commands, events, and recorded dialogues played byte for byte.

In: connections of clients (ours, or greenswitch), events to be told. Out: what FreeSWITCH 1.11 would say.
Refuses to know what a channel is: `Switch` knows that.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import Iterable, Mapping
from typing import Protocol, Self
from urllib.parse import quote

GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
AUTH = b"Content-Type: auth/request\n\n"


def event_bytes(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> bytes:
    """An event's lines, values encoded as FreeSWITCH does."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"{name}: {quote(value, safe='/,.!()$?', errors='surrogatepass')}" for name, value in pairs]
    return "\n".join(lines).encode() + b"\n\n"


def frame(body: bytes, kind: str = "text/event-plain") -> bytes:
    """The body as the event socket sends it."""
    return f"Content-Length: {len(body)}\nContent-Type: {kind}\n\n".encode() + body


def reply(text: str, **more: str) -> bytes:
    """What a command is answered with."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in more.items())
    return f"Content-Type: command/reply\nReply-Text: {text}\n{lines}\n".encode()


def goodbye(uuid: str = "") -> bytes:
    """The last that a connection hears; `uuid` is the channel's, on an outbound one."""
    named = f"Controlled-Session-UUID: {uuid}\n" if uuid else ""
    head = f"Content-Type: text/disconnect-notice\n{named}Content-Disposition: disconnect\n"
    return f"{head}Content-Length: {len(GOODBYE)}\n\n".encode() + GOODBYE


def headers_of(lines: list[str]) -> dict[str, str]:
    """"Name: value" by line."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Switch(Protocol):
    """Who carries out what a client asks for."""

    def api(self, command: str, arguments: str) -> str:
        """What an API command answers."""

    def stamp(self) -> dict[str, str]:
        """What every event says: which run of the switch it is, and when."""

    def sent(self, headers: Mapping[str, str], body: bytes) -> None:
        """A client sent an event of its own."""


class _Session:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.names: set[str] = set()
        self.subclasses: set[str] = set()
        self.filters: list[tuple[str, str]] = []

    def wants(self, headers: Mapping[str, str]) -> bool:
        name = headers["Event-Name"]
        if name == "CUSTOM":
            heard = headers.get("Event-Subclass") in self.subclasses or "ALL" in self.names
        else:
            heard = name in self.names or "ALL" in self.names
        return heard and (not self.filters or any(headers.get(key) == value for key, value in self.filters))


class FakeEventSocket:
    """`await start()`, then `fire()` what happens; `commands` has all that clients said, oldest first."""

    def __init__(self, switch: Switch, password: str = "") -> None:
        self.password = password or secrets.token_hex(8)
        self.commands: list[str] = []
        self.port = 0
        self._switch = switch
        self._sessions: set[_Session] = set()
        self._sequence = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, on the port of before where there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection without a word, as a switch that is killed does."""
        assert self._server is not None
        self._server.close()
        for session in tuple(self._sessions):
            session.writer.transport.abort()
        await self._server.wait_closed()

    def fire(self, headers: Mapping[str, str], body: bytes = b"") -> None:
        """An event, to whoever subscribed to it."""
        self._sequence += 1
        headers = {**self._switch.stamp(), **headers, "Event-Sequence": str(self._sequence)}
        if body:
            headers["Content-Length"] = str(len(body))
        data = frame(event_bytes(headers) + body)
        for session in self._sessions:
            if session.wants(headers):
                session.writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(writer)
        try:
            writer.write(AUTH)
            if not await self._log_in(reader, writer):
                return
            self._sessions.add(session)
            while True:
                command = (await reader.readuntil(b"\n\n")).decode()
                lines = command.strip("\n").split("\n")
                self.commands.append(lines[0])
                named = {name.lower(): value for name, value in headers_of(lines[1:]).items()}
                length = int(named.get("content-length", "0"))
                body = await reader.readexactly(length) if length else b""
                if not self._obey(session, lines, body):
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._sessions.discard(session)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        while True:
            command = (await reader.readuntil(b"\n\n")).decode().strip("\n")
            if command == f"auth {self.password}":
                writer.write(reply("+OK accepted"))
                return True
            if command.startswith("auth "):
                writer.write(reply("-ERR invalid") + goodbye())
                await writer.drain()
                return False
            writer.write(reply("-ERR command not found"))

    def _obey(self, session: _Session, lines: list[str], body: bytes) -> bool:
        """False where the connection is over."""
        verb, _, rest = lines[0].partition(" ")
        write = session.writer.write
        if verb == "exit":
            write(reply("+OK bye") + goodbye())
            return False
        if verb == "event" and rest.startswith("plain "):
            before, _, custom = rest.removeprefix("plain ").partition("CUSTOM")
            session.names |= set(before.split())
            session.subclasses |= set(custom.split())
            write(reply("+OK event listener enabled plain"))
        elif verb == "noevents":
            session.names, session.subclasses = set(), set()
            write(reply("+OK no longer listening for events"))
        elif verb == "filter":
            header, _, value = rest.partition(" ")
            session.filters.append((header, value))
            write(reply(f"+OK filter added. [{header}]=[{value}]"))
        elif verb == "api":
            write(frame(self._api(rest), "api/response"))
        elif verb == "bgapi":
            job = headers_of(lines[1:]).get("Job-UUID") or str(uuid.uuid4())
            write(reply(f"+OK Job-UUID: {job}", Job_UUID=job))
            self.fire({"Event-Name": "BACKGROUND_JOB", "Job-UUID": job}, self._api(rest))
        elif verb == "sendevent":
            write(reply(f"+OK {uuid.uuid4()}"))
            headers = headers_of(lines[1:])
            self.fire({"Event-Name": rest, **headers}, body)
            self._switch.sent(headers, body)
        else:
            write(reply("-ERR command not found"))
        return True

    def _api(self, rest: str) -> bytes:
        command, _, arguments = rest.partition(" ")
        return self._switch.api(command, arguments).encode()


class Replay:
    """A recorded dialogue as a server: each command gets the next recorded answer, whatever it was, and what
    followed the last answer follows at once. Then the connection is closed, or where it `stays`, the other
    side may close it. `async with Replay(data)`."""

    def __init__(self, data: bytes, *, stays: bool = False) -> None:
        self.parts = _parts(data)
        self.stays = stays
        self.commands: list[bytes] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            writer.write(self.parts[0])
            for part in self.parts[1:]:
                self.commands.append(await reader.readuntil(b"\n\n"))
                writer.write(part)
                await writer.drain()
            if self.stays:
                await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def _parts(data: bytes) -> list[bytes]:
    """The recording, cut in front of each answer to a command; put together again it is the recording."""
    cuts, at = [0], 0
    while True:
        end = data.find(b"\n\n", at)
        head = data[at:end]
        if end < 0 or b"Content-Type: text/event" in head:
            break
        if b"Content-Type: command/reply" in head and at:
            cuts.append(at)
        at = end + 2
    return [data[start:stop] for start, stop in zip(cuts, [*cuts[1:], len(data)], strict=True)]
