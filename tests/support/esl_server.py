"""An event socket on a real port that behaves, or misbehaves, as a test tells it.

In: connections of the link under test. Out: the commands it received, in order.
It answers what a link asks, in the bytes that a FreeSWITCH 1.11 uses for it, and keeps what is written to
mod_hash; a test overrides single answers, or says raw bytes (a recorded dialogue, say).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.support.esl import event_bytes, frame
from tests.support.link_server import LinkServer

PASSWORD = "s3cret-of-the-test"
CORE = "a8200edd-6298-479b-9719-520dac79234d"
GREETING = b"Content-Type: auth/request\n\n"
GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"


class EslServer(LinkServer):
    """`commands` keeps everything received, without its empty line."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[str] = []
        self.greeting = GREETING
        self.password = PASSWORD
        self.core = CORE
        self.now = 1000.0               # the switch's clock
        self.echoes = True              # what is sent as an event comes back
        self.hash: dict[str, str] = {}
        self.sessions = 7               # channels that it has had since it started
        self.listing = '{"row_count":0}\n'
        self.dumps: dict[str, bytes] = {}
        self.overrides: dict[str, Callable[[str], bytes | None]] = {}     # by how a command begins

    async def received(self, beginning: str, count: int = 1) -> str:
        """The count-th command that begins so, once it has come."""

        def found() -> list[str]:
            return [command for command in self.commands if command.startswith(beginning)]

        return await self.nth(found, count)

    def say(self, data: bytes) -> None:
        """Bytes to the latest connection, as they are."""
        self._writers[-1].write(data)

    async def drained(self) -> None:
        """Once the latest connection takes more, and others had a turn."""
        await self._writers[-1].drain()
        await asyncio.sleep(0)

    async def conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Command by command."""
        writer.write(self.greeting)
        while True:
            command = (await reader.readuntil(b"\n\n")).decode().removesuffix("\n\n")
            answer = self._answer
            for beginning, other in self.overrides.items():
                if command.startswith(beginning):
                    answer = other
            told = answer(command)
            if told:
                writer.write(told)
            async with self._arrived:
                self.commands.append(command)
                self._arrived.notify_all()
            if command == "exit":
                writer.close()

    def _answer(self, command: str) -> bytes:
        verb, _, rest = command.partition(" ")
        if verb == "auth":
            return reply("+OK accepted") if rest == self.password else reply("-ERR invalid")
        if verb == "sendevent":
            return reply("+OK 6a13e2b4") + (self.event_of(command) if self.echoes else b"")
        if verb == "api":
            name, _, arguments = rest.partition(" ")
            return frame(self._api(name, arguments), "api/response")
        if verb == "exit":
            return reply("+OK bye") + frame(GOODBYE, "text/disconnect-notice")
        return reply("+OK event listener enabled plain")

    def event_of(self, command: str) -> bytes:
        """The event that a `sendevent` makes, as it comes to whoever asked for it."""
        first, *headers = command.split("\n")
        own = [tuple(header.split(": ", 1)) for header in headers]
        return frame(event_bytes([("Command", first), *own, ("Event-Name", "CUSTOM"), *self.stamp()]))

    def stamp(self) -> list[tuple[str, str]]:
        """What the switch writes into every event."""
        return [("Core-UUID", self.core), ("Event-Date-Timestamp", str(int(self.now * 1e6)))]

    def _api(self, name: str, arguments: str) -> bytes:
        if name == "show":
            return self.listing.encode()
        if name == "status":
            said = "UP 0 years, 0 days, 0 hours, 1 minute, 5 seconds\nFreeSWITCH is ready\n"
            return f"{said}{self.sessions} session(s) since startup\n0 session(s) - peak 4\n".encode()
        if name == "uuid_dump":
            return self.dumps.get(arguments, b"-ERR No such channel!\n")
        if name == "hash_dump":
            return "".join(f"D/enf_{key}/{value}\n" for key, value in self.hash.items()).encode()
        if name != "hash":
            return b"+OK\n"
        verb, _realm, key, *value = arguments.split("/", 3)
        if verb == "select":
            return self.hash.get(key, "-ERR no reply\n").encode()
        if verb == "insert":
            self.hash[key] = value[0]
        elif self.hash.pop(key, None) is None:
            return b"-ERR Not found\n"
        return b"+OK\n"


def reply(text: str) -> bytes:
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode()


@asynccontextmanager
async def esl_server() -> AsyncIterator[EslServer]:
    """One server on a free port of the loopback, gone afterwards."""
    async with EslServer().listening() as server:
        yield server
