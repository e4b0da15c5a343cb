"""A manager on a real socket that behaves, or misbehaves, as a test tells it.

In: connections of the link under test. Out: the actions it received, in order.
It answers what a link asks at login; a test overrides single answers, or says raw bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.support.link_server import LinkServer

Action = dict[str, str]
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
SECRET = "s3cret-of-the-test"
CHALLENGE = "156113427"


class AmiServer(LinkServer):
    """`actions` keeps everything received (headers as sent; a repeated one keeps its last value)."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: list[Action] = []
        self.banner = BANNER
        self.secret = SECRET
        self.startup = "00:00:01"
        self.listing: list[str] = []
        self.overrides: dict[str, Callable[[Action], bytes | None]] = {}
        self.reading = asyncio.Event()      # cleared: what is sent stays in the sockets
        self.reading.set()
        self._by_name: defaultdict[str, list[Action]] = defaultdict(list)

    async def received(self, name: str, count: int = 1, **headers: str) -> Action:
        """The count-th action of this name (with these headers), once it has come."""

        def found() -> list[Action]:
            return [
                action
                for action in self._by_name[name]
                if all(action.get(k) == v for k, v in headers.items())
            ]

        return await self.nth(found, count)

    def say(self, text: str | bytes) -> None:
        """Bytes to the latest connection, as they are; text gets CR LF line ends and an empty line."""
        data = text if isinstance(text, bytes) else text.strip().replace("\n", "\r\n").encode() + b"\r\n\r\n"
        self._writers[-1].write(data)

    def stop_reading_after(self, name: str) -> None:
        """What follows this action stays in the sockets until `reading` is set again."""
        self.overrides[name] = self._stops_reading

    def names(self) -> list[str]:
        return [action["Action"] for action in self.actions]

    async def conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Action by action."""
        writer.write(self.banner)
        while True:
            await self.reading.wait()
            block = await reader.readuntil(b"\r\n\r\n")
            action = dict(
                line.split(": ", 1) for line in block.decode().strip().split("\r\n") if ": " in line
            )
            answer = self.overrides.get(action.get("Action", ""), self._answer)(action)
            if answer:
                writer.write(answer)
            async with self._arrived:
                self.actions.append(action)
                self._by_name[action.get("Action", "")].append(action)
                self._arrived.notify_all()
            if action.get("Action") == "Logoff" and answer:
                break           # as Asterisk does: whoever says good-bye waits for it

    def _stops_reading(self, action: Action) -> bytes:
        self.reading.clear()
        return self._answer(action)

    def _answer(self, action: Action) -> bytes:
        name = action["Action"]
        if name == "Challenge":
            return response(action, Challenge=CHALLENGE)
        if name == "Login":
            key = hashlib.md5((CHALLENGE + self.secret).encode()).hexdigest()
            if action.get("Key") != key:
                return response(action, "Error", Message="Authentication failed")
        if name == "Ping":
            return response(action, Ping="Pong", Timestamp="1000.000000")
        if name == "CoreStatus":
            return response(action, CoreStartupDate="2026-11-22", CoreStartupTime=self.startup)
        if name == "Status":
            entries = "".join(
                entry.strip().replace("\n", "\r\n") + f"\r\nActionID: {action['ActionID']}\r\n\r\n"
                for entry in self.listing
            )
            done = f"Event: StatusComplete\r\nActionID: {action['ActionID']}\r\nEventList: Complete\r\n\r\n"
            return response(action, EventList="start") + (entries + done).encode()
        return response(action)


def response(action: Action, kind: str = "Success", **headers: str) -> bytes:
    lines = [f"Response: {kind}"]
    if "ActionID" in action:
        lines.append(f"ActionID: {action['ActionID']}")
    lines += [f"{key}: {value}" for key, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def ami_server() -> AsyncIterator[AmiServer]:
    """One server on a free port of the loopback, gone afterwards."""
    async with AmiServer().listening() as server:
        try:
            yield server
        finally:
            server.reading.set()
