"""The least of a SIP phone: places one call, ends or transfers it, gives it up, or sends callers elsewhere.

In: a switch's address, an account, a number. Out: what the switch answered. For the few dialogues that the
lab's SIPp scenarios do not have. Refuses to know audio, authentication, and more than one call at a time.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Self
from urllib.parse import quote

_ECHOED = ("via:", "from:", "to:", "call-id:", "cseq:")


class _Wire(asyncio.DatagramProtocol):
    def __init__(self, hear: asyncio.Queue[str]) -> None:
        self.hear = hear
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:     # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = data.decode("utf-8", "replace")
        if message.startswith("BYE "):      # whoever hangs up is told at once that we heard it
            kept = [line for line in message.split("\r\n") if line.lower().startswith(_ECHOED)]
            lines = ["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]
            self.transport.sendto("\r\n".join(lines).encode(), addr)
        self.hear.put_nowait(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


class Phone:
    """One socket, one call. `async with Phone(account, "127.0.0.1:5060") as phone:`."""

    def __init__(self, account: str, switch: str, port: int = 0) -> None:
        host, _, switch_port = switch.rpartition(":")
        self._switch = (host, int(switch_port))
        self._account = account
        self.port = port
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._call_id = secrets.token_hex(8)
        self._from = f"<sip:{account}@127.0.0.1>;tag={secrets.token_hex(4)}"
        self._to = ""
        self._branch = ""
        self._number = ""
        self._cseq = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, self._wire = await loop.create_datagram_endpoint(
            lambda: _Wire(self._heard), local_addr=("127.0.0.1", self.port)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        await self._wire.closed.wait()      # the port is free again

    def invite(self, number: str, more: str = "", account: str | None = None) -> None:
        """Begin a call; with further header lines, and with another user part of From, if wanted."""
        if account is not None:
            self._from = f"<sip:{account}@127.0.0.1>;tag={secrets.token_hex(4)}"
        self._number, self._to, self._cseq = number, f"<sip:{number}@{self._switch[0]}>", 1
        self._branch = self._new_branch()
        sdp = (
            "v=0\r\no=p 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=audio 42000 RTP/AVP 0\r\n"
        )
        self._request("INVITE", self._branch, more, body=sdp)

    async def answered(self, within: float = 10.0) -> int:
        """The final status of the INVITE, acknowledged. Raises TimeoutError."""
        status = await self._final("INVITE", within)
        self._request("ACK", self._new_branch() if status < 300 else self._branch)
        return status

    async def refer(self, number: str, within: float = 10.0, *, instead: Phone | None = None) -> int:
        """Transfer the other party to this number, blindly, or into the call that `instead` has there; the
        status of the REFER."""
        self._cseq += 1
        replaces = f"?Replaces={quote(instead._dialogue)}" if instead else ""
        target = f"Refer-To: <sip:{number}@{self._switch[0]}:{self._switch[1]}{replaces}>\r\n"
        self._request("REFER", self._new_branch(), f"{target}Referred-By: {self._from.partition(';')[0]}\r\n")
        return await self._final("REFER", within)

    @property
    def _dialogue(self) -> str:
        tags = {name: text.partition("tag=")[2] for name, text in (("from", self._from), ("to", self._to))}
        return f"{self._call_id};to-tag={tags['to']};from-tag={tags['from']}"

    async def cancel(self, within: float = 10.0) -> int:
        """Give the call up before it is answered; the final status of the INVITE."""
        self._request("CANCEL", self._branch)
        return await self.answered(within)

    async def rings(self, within: float = 10.0) -> None:
        """Wait until the far end rings. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while not (await self._heard.get()).startswith("SIP/2.0 18"):
                pass

    async def hang_up(self, within: float = 10.0) -> int:
        """End the call, which talks; the status of the BYE."""
        self._cseq += 1
        self._request("BYE", self._new_branch())
        return await self._final("BYE", within)

    async def redirect(self, number: str, within: float = 10.0) -> None:
        """Answer one incoming call with 302 to this number."""
        async with asyncio.timeout(within):
            while not (invite := await self._heard.get()).startswith("INVITE "):
                pass
        kept = [line for line in invite.split("\r\n") if line.lower().startswith(_ECHOED)]
        kept = [f"{line};tag={self._call_id}" if line.lower().startswith("to:") else line for line in kept]
        contact = f"Contact: <sip:{number}@127.0.0.1:{self.port}>"
        lines = ["SIP/2.0 302 Moved Temporarily", *kept, contact, "Content-Length: 0", "", ""]
        self._transport.sendto("\r\n".join(lines).encode(), self._switch)

    async def _final(self, method: str, within: float) -> int:
        pause = 0.5         # RFC 3261, timers A and E: over UDP a request that nobody answers is sent again
        async with asyncio.timeout(within):
            while True:
                try:
                    async with asyncio.timeout(pause):
                        message = await self._heard.get()
                except TimeoutError:
                    if pause < 4:
                        self._transport.sendto(self._last, self._switch)
                        pause *= 2
                    continue
                pause = within
                status = re.match(r"SIP/2\.0 ([2-6]\d\d)", message)
                if status and re.search(rf"^CSeq: \d+ {method}\r?$", message, re.MULTILINE):
                    to = re.search(r"^To: (.*?)\r?$", message, re.MULTILINE)
                    self._to = to[1] if to else self._to
                    return int(status[1])

    def _request(self, method: str, branch: str, more: str = "", body: str = "") -> None:
        cseq = 1 if method in ("ACK", "CANCEL") else self._cseq
        host, port = self._switch
        head = (
            f"{method} sip:{self._number}@{host}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}\r\n"
            f"From: {self._from}\r\nTo: {self._to}\r\nCall-ID: {self._call_id}\r\n"
            f"CSeq: {cseq} {method}\r\nContact: <sip:{self._account}@127.0.0.1:{self.port}>\r\n"
            f"Max-Forwards: 70\r\n{more}"
            + ("Content-Type: application/sdp\r\n" if body else "")
            + f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._last = (head + body).encode()
        self._transport.sendto(self._last, self._switch)

    @staticmethod
    def _new_branch() -> str:
        return f"z9hG4bK{secrets.token_hex(6)}"
