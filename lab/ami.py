"""A plain AMI client for tests and the lab: one session, actions answered in order of their ActionID.

In: actions as keywords. Out: replies and events as dicts (a header that comes twice is joined by newlines).
Refuses to reconnect, filter or be fast: it is the second opinion beside the enforcer's own link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lab.process import LabFailed

Message = dict[str, str]


class Ami:
    """One logged-in session. `events` keeps everything that was not a reply, oldest first."""

    def __init__(self, host: str, port: int, username: str, secret: str) -> None:
        self._address = (host, port)
        self._login = (username, secret)
        self._replies: dict[str, asyncio.Queue[Message]] = {}
        self._arrived = asyncio.Condition()
        self._serial = 0
        self.events: list[Message] = []

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the session. Raises OSError where nobody listens, LabFailed where the login is refused."""
        self._reader, self._writer = await asyncio.open_connection(*self._address, limit=1 << 20)
        await self._reader.readline()  # the banner
        self._listening = asyncio.create_task(self._listen(), name="lab AMI reader")
        username, secret = self._login
        reply = await self.action("Login", Username=username, Secret=secret)
        if reply.get("Response") != "Success":
            await self.close()
            raise LabFailed(f"AMI login of {username} was refused: {reply.get('Message')}")

    async def close(self) -> None:
        self._listening.cancel()
        self._writer.close()
        await asyncio.gather(self._listening, self._writer.wait_closed(), return_exceptions=True)

    async def action(self, action: str, *, within: float = 5.0, **headers: str) -> Message:
        """Send one action, return its Response. Raises TimeoutError."""
        serial, replies = self._send(action, headers)
        try:
            async with asyncio.timeout(within):
                return await replies.get()
        finally:
            del self._replies[serial]

    async def listing(self, action: str, *, within: float = 5.0, **headers: str) -> list[Message]:
        """Send an action that answers with a list, return the list's entries. Raises TimeoutError."""
        serial, replies = self._send(action, headers)
        found: list[Message] = []
        try:
            async with asyncio.timeout(within):
                while (message := await replies.get()).get("EventList") != "Complete":
                    if message.get("Response") == "Error":
                        return []
                    if "Event" in message:
                        found.append(message)
        finally:
            del self._replies[serial]
        return found

    async def command(self, line: str) -> str:
        """What the switch's console prints for one command."""
        return (await self.action("Command", Command=line)).get("Output", "")

    async def event(
        self,
        name: str,
        *,
        within: float = 10.0,
        where: Callable[[Message], bool] = lambda _: True,
        **headers: str,
    ) -> Message:
        """The first event of this name with these headers, also one that came before. Raises TimeoutError."""

        def fits(message: Message) -> bool:
            same = all(message.get(key) == value for key, value in headers.items())
            return message.get("Event") == name and same and where(message)

        async with asyncio.timeout(within), self._arrived:
            while True:
                for message in self.events:
                    if fits(message):
                        return message
                await self._arrived.wait()

    def _send(self, action: str, headers: dict[str, str]) -> tuple[str, asyncio.Queue[Message]]:
        self._serial += 1
        serial = f"lab-{self._serial}"
        lines = [f"Action: {action}", f"ActionID: {serial}"]
        for key, value in headers.items():
            lines += [f"{key}: {part}" for part in value.split("\n")]  # e.g. Variable, several times
        self._replies[serial] = asyncio.Queue()
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return serial, self._replies[serial]

    async def _listen(self) -> None:
        while True:
            try:
                block = await self._reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            message: Message = {}
            for line in block.decode("utf-8", "replace").split("\r\n"):
                key, colon, value = line.partition(":")
                if colon:
                    value = value.removeprefix(" ")
                    message[key] = f"{message[key]}\n{value}" if key in message else value
            replies = self._replies.get(message.get("ActionID", ""))
            if replies is not None:
                replies.put_nowait(message)
            else:
                async with self._arrived:
                    self.events.append(message)
                    self._arrived.notify_all()
