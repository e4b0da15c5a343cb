"""The least of a phone that writes: sends text messages (SIP MESSAGE), and takes those that it is sent.

In: a switch's address, an account. Out: what the switch answered, and what came. Refuses to know calls.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import NamedTuple, Self


class Text(NamedTuple):
    """A message that came. `headers` by their names in lower case."""

    number: str
    headers: dict[str, str]
    body: str


class _Wire(asyncio.DatagramProtocol):
    def __init__(self, texter: Texter) -> None:
        self.texter = texter
        self.closed = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.texter.heard(data.decode("utf-8", "replace"), addr)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


class Texter:
    """One socket. `async with Texter("127.0.0.1:5060") as phone:`. The far end of a trunk is one too."""

    def __init__(self, switch: str, port: int = 0) -> None:
        host, _, switch_port = switch.rpartition(":")
        self._switch = (host, int(switch_port))
        self.port = port
        self.texts: list[Text] = []
        self._codes: dict[str, asyncio.Future[int]] = {}
        self._known: set[str] = set()
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, self._wire = await loop.create_datagram_endpoint(
            lambda: _Wire(self), local_addr=("127.0.0.1", self.port)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        await self._wire.closed.wait()

    async def send(
        self, account: str, number: str, text: str = "hello", *, display: str = "", more: str = "",
        within: float = 10.0,
    ) -> int:
        """Write to a number; the final status. `display` goes before the address in From, as it is."""
        call_id, body, host = secrets.token_hex(8), text.encode(), self._switch[0]
        self._codes[call_id] = asyncio.get_running_loop().create_future()
        head = (
            f"MESSAGE sip:{number}@{host}:{self._switch[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{secrets.token_hex(6)}\r\n"
            f"From: {display}<sip:{account}@127.0.0.1>;tag={secrets.token_hex(4)}\r\n"
            f"To: <sip:{number}@{host}>\r\nCall-ID: {call_id}\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n"
            f"{more}Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.sendto(head.encode() + body, self._switch)
        try:
            async with asyncio.timeout(within):
                return await self._codes[call_id]
        finally:
            del self._codes[call_id]

    async def text(self, number: str, count: int = 1, within: float = 10.0) -> Text:
        """The count-th message to this number (or user), once it is here. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while len(self.to(number)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.to(number)[count - 1]

    def to(self, number: str) -> list[Text]:
        """The messages to this number so far."""
        return [text for text in self.texts if text.number == number]

    def heard(self, message: str, addr: tuple[str, int]) -> None:
        """A datagram."""
        head, _, body = message.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        call_id = headers.get("call-id", "")
        if first.startswith("SIP/2.0 "):
            waiting = self._codes.get(call_id)
            if waiting is not None and not waiting.done() and (code := int(first.split()[1])) >= 200:
                waiting.set_result(code)
            return
        wanted = ("via:", "from:", "to:", "call-id:", "cseq:")
        kept = [line for line in lines if line.lower().startswith(wanted)]
        answer = ["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]
        self._transport.sendto("\r\n".join(answer).encode(), addr)
        if not first.startswith("MESSAGE ") or call_id in self._known:
            return
        self._known.add(call_id)
        number = first.split()[1].partition(":")[2].partition("@")[0]
        self.texts.append(Text(number, headers, body))
        self._arrived.set()
