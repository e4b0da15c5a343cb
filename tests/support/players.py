"""The switches that a scenario can be played on: the real Asterisk, the small FreeSWITCH, a real one.

In: a running switch, the far end of its trunk. Out: `scenario.Switch`. Refuses to know what is expected.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Self

from enforcer.domain.call import Direction
from lab.ami import Ami
from lab.asterisk import Asterisk
from lab.fake_freeswitch import FakeFreeswitch
from lab.fs_channel import Channel
from lab.sipp import Callee, SipMessage
from tests.support.phone import Phone
from tests.support.sites import OUTSIDER


class PhoneCall:
    """A call on a phone of its own."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    async def final(self) -> int:
        return await self._phone.answered(within=30)

    async def rings(self) -> None:
        await self._phone.rings(within=30)

    async def hang_up(self) -> None:
        assert await self._phone.hang_up(within=30) == 200

    async def give_up(self) -> int:
        return await self._phone.cancel(within=30)


class Phones:
    """Phones on both sides of a switch that speaks SIP, and what reached its far ends (SIPp)."""

    def __init__(self, accounts: str, trunk: str, far_ends: Iterable[Callee]) -> None:
        self._accounts, self._trunk, self._far_ends = accounts, trunk, tuple(far_ends)
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def place(self, account: str, number: str, direction: Direction) -> PhoneCall:
        inbound = direction is Direction.INBOUND
        phone = Phone(OUTSIDER, self._trunk) if inbound else Phone(account, self._accounts)
        await self._open.enter_async_context(phone)
        phone.invite(number)
        return PhoneCall(phone)

    async def tags(self, number: str) -> list[str]:
        seen: dict[tuple[str | None, str | None], SipMessage] = {}
        for far_end in self._far_ends:
            for invite in far_end.invites(number):      # with those that were sent again
                seen.setdefault((invite.header("Call-ID"), invite.header("Via")), invite)
        return [invite.header("X-Enforcer-Tag") or "" for invite in seen.values()]


class OnAsterisk(Phones):
    """The real Asterisk of the lab."""

    def __init__(self, switch: Asterisk, far_ends: Iterable[Callee], ami: Ami, name: str = "pbx1") -> None:
        super().__init__(switch.sip_address, switch.sip_address, far_ends)
        self.name, self._ami = name, ami

    async def transfer(self, call: str, number: str) -> None:
        """By the trunk's leg, as the carrier's end would."""
        async with asyncio.timeout(30):
            while True:     # until both talk, which is a moment after the answer
                legs = await self._ami.listing("Status")
                ours = [one for one in legs if one["Linkedid"] == call]
                [leg] = [one["Channel"] for one in ours if one["Uniqueid"] != call]
                done = await self._ami.action(
                    "BlindTransfer", Channel=leg, Context="from-accounts", Exten=number
                )
                if done["Response"] == "Success":
                    return
                await asyncio.sleep(0.02)

    async def leased(self, account: str) -> bool:
        return "Value" in await self._ami.command(f"database get enforcer lease/{account}")


class FakedCall:
    """A call on the small FreeSWITCH."""

    def __init__(self, switch: FakeFreeswitch, channel: Channel) -> None:
        self._switch, self._channel = switch, channel
        self.running = asyncio.ensure_future(switch.follow(channel))

    async def final(self) -> int:
        while not (self._channel.answered or self.running.done()):     # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
        return 200 if self._channel.answered else (await self.running).code

    async def rings(self) -> None:
        while not self._channel.legs:       # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def hang_up(self) -> None:
        self._switch.hang_up(self._channel.uuid, 16)
        await self.running

    async def give_up(self) -> int:
        self._switch.hang_up(self._channel.uuid, 487)
        return (await self.running).code


class OnFakeFreeswitch:
    """The small FreeSWITCH, with our real dialplan."""

    def __init__(self, switch: FakeFreeswitch, name: str = "fs1") -> None:
        self.name, self._switch = name, switch
        self._channels: list[Channel] = []

    async def place(self, account: str, number: str, direction: Direction) -> FakedCall:
        if direction is Direction.INBOUND:
            channel = self._switch.begin(
                OUTSIDER, number, context="from-trunk", talk=3600, accountcode="", sip_gateway=OUTSIDER
            )
        else:
            channel = self._switch.begin(account, number, context="from-accounts", talk=3600)
        self._channels.append(channel)
        return FakedCall(self._switch, channel)

    async def transfer(self, call: str, number: str) -> None:
        assert self._switch.api("uuid_transfer", f"{call} {number} XML from-accounts") == "+OK\n"

    async def leased(self, account: str) -> bool:
        return f"enf_lease.{account}" in self._switch.hash

    async def tags(self, number: str) -> list[str]:
        legs = [leg for channel in self._channels for leg in channel.legs if leg[""] == number]
        return [leg.get("X-Enforcer-Tag", "") for leg in legs]


@asynccontextmanager
async def on_asterisk(
    switch: Asterisk, far_ends: Iterable[Callee], name: str = "pbx1"
) -> AsyncIterator[OnAsterisk]:
    """The player, for as long as its phones are there."""
    async with switch.ami() as ami, OnAsterisk(switch, far_ends, ami, name) as player:
        yield player


class OnFreeswitch(Phones):
    """A real FreeSWITCH, whose far ends for trunk and phones are one and the same."""

    def __init__(self, at: Mapping[str, str], far_end: Callee, name: str = "fs1") -> None:
        super().__init__(f"127.0.0.1:{at['sip']}", f"127.0.0.1:{at['trunk']}", [far_end])
        self.name, self._socket, self._password = name, int(at["esl"]), at["password"]

    async def api(self, command: str) -> str:
        """What its event socket answers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._socket)
        try:
            writer.write(f"auth {self._password}\n\napi {command}\n\n".encode())
            for _ in range(2):      # who are you; accepted
                await reader.readuntil(b"\n\n")
            head = (await reader.readuntil(b"\n\n")).decode()
            length = int(head.partition("Content-Length: ")[2].partition("\n")[0])
            return (await reader.readexactly(length)).decode()
        finally:
            writer.close()
            await writer.wait_closed()

    async def transfer(self, call: str, number: str) -> None:
        """Of the caller's leg, as the far end's would have it."""
        assert (await self.api(f"uuid_transfer {call} {number} XML from-accounts")).startswith("+OK")

    async def leased(self, account: str) -> bool:
        return (await self.api(f"hash select/enf/lease.{account}")).strip().isdigit()
