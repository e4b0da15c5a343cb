"""A small FreeSWITCH: calls that live, ring, are answered, hang up and are killed, by our own dialplan's XML.

In: who calls whom, in which context. Out: what the caller was answered, what each leg dialled was sent, and
the events of it all. Refuses to know SIP and voice.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab import fs_dialplan
from lab.fake_esl import FakeEventSocket, event_bytes
from lab.fs_applications import Applications
from lab.fs_causes import NUMBER_OF
from lab.fs_channel import Channel
from lab.provision import ROOT

HOOK = ROOT / "dialplan" / "freeswitch"
EMERGENCY = (HOOK / "emergency.xml").read_text()
OUT = f"""<context name="default">{EMERGENCY}
  <extension name="out"><condition field="destination_number" expression="^([0-9+*#]{{1,64}})$">
    <action application="multiset" data="^^|enforcer_direction=outbound|enforcer_number=$1|enforcer_again=${{destination_number}} XML ${{context}}"/>
    <action application="execute_extension" data="enforcer XML enforcer"/>
    <action application="set" data="hangup_after_bridge=true"/>
    <action application="bridge" data="sofia/gateway/carrier/$1"/>
  </condition></extension></context>"""  # noqa: E501
"""A site's context, as dialplan/README.md has it."""


@dataclass(frozen=True, slots=True)
class FakeCall:
    """What became of one call."""

    uuid: str
    code: int
    """What the caller was answered: 200, or the SIP code of the refusal."""
    phrase: str
    headers: dict[str, str]
    """Of that refusal, as the dialplan asked for them."""
    cause: int
    talked: float
    """Seconds, of the switch's own."""
    variables: dict[str, str]
    legs: tuple[dict[str, str], ...]
    """The headers that each leg dialled was sent, and its number as ""."""
    passes: int
    """How often its dialplan began."""


class FakeFreeswitch(Applications):
    """`async with FakeFreeswitch() as switch: await switch.call("acme", "12025550142")`.

    texts    XML of contexts besides the hook's own; `OUT` where none is given
    second   how long a second takes here, for waits and the scheduler; the clock itself is not changed
    """

    def __init__(
        self,
        texts: Iterable[str | Path] = (OUT,),
        *,
        door: str = "127.0.0.1:1",
        second: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.plan = fs_dialplan.Dialplan([*texts, HOOK / "enforcer.xml"])
        self.globals = {"enf_door": door, "emergency_gateway": "carrier"}
        self.socket = FakeEventSocket(self)
        self.core = str(uuid.uuid4())
        self.channels: dict[str, Channel] = {}
        self.second, self.clock = second, clock

    async def __aenter__(self) -> Self:
        await self.socket.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in tuple(self.channels.values()):
            self.hang_up(channel.uuid, 501)
        for task in self.tasks.values():
            task.cancel()
        for listener in tuple(self.listeners):
            listener.cancel()
        await asyncio.gather(*self.listeners, return_exceptions=True)
        self.socket.fire({"Event-Name": "SHUTDOWN"})
        await self.socket.stop()

    def sent(self, headers: Mapping[str, str], body: bytes) -> None:
        """A client's own event: nobody in here listens."""

    # --- a call

    async def call(
        self, account: str, number: str, *, context: str = "default", talk: float = 0.1, ring: float = 0.0,
        **variables: str,
    ) -> FakeCall:
        """An account calls: `ring` seconds until the answer, `talk` seconds until it hangs up."""
        channel = self.begin(account, number, context=context, talk=talk, ring=ring, **variables)
        return await self.follow(channel)

    def begin(
        self, account: str, number: str, *, context: str = "default", talk: float = 0.1, ring: float = 0.0,
        **variables: str,
    ) -> Channel:
        """The INVITE of such a call; `follow` it."""
        channel = Channel(f"sofia/lab/{account}@127.0.0.1", number, context, account)
        channel.started, channel.talk, channel.ring = self.clock(), talk, ring
        channel.variables = {
            "uuid": channel.uuid, "direction": "inbound", "accountcode": account,
            "sip_call_id": f"{channel.uuid}@127.0.0.1", **variables,
        }  # fmt: skip
        self._created(channel)
        return channel

    async def follow(self, channel: Channel) -> FakeCall:
        """Run its dialplan to the end of the call."""
        passes = 0
        try:
            while not channel.ended:
                passes += 1
                if channel.transfer is not None:
                    channel.destination, channel.context = channel.transfer
                    channel.transfer = None
                await self._route(channel)
        finally:
            if not channel.ended:
                self.hang_up(channel.uuid, 16)
        code = 200 if channel.answered else channel.code or 480
        asked = {key[7:]: value for key, value in channel.variables.items() if key.startswith("sip_rh_")}
        return FakeCall(
            channel.uuid, code, channel.phrase, asked, channel.cause,
            (channel.ended_at - channel.answered) / self.second if channel.answered else 0.0,
            channel.variables, tuple(channel.legs), passes,
        )

    async def _route(self, channel: Channel) -> None:
        """The dialplan, once, from its beginning."""
        found = self._hunt(channel, channel.context, channel.destination)
        if found is None:
            self.hang_up(channel.uuid, NUMBER_OF["NO_ROUTE_DESTINATION"])
            return
        await self.run(channel, found)
        if channel.ready:
            self.hang_up(channel.uuid, 16)

    def _created(self, channel: Channel) -> None:
        self.sessions += 1
        self.channels[channel.uuid] = channel
        self.tell("CHANNEL_CREATE", channel)

    async def dial(self, channel: Channel, number: str, **about: str) -> None:
        """`bridge`: one leg, which does what its number's last digits say (`lab/scenarios/callee.xml`)."""
        leg = Channel(f"sofia/lab/{number}", number, channel.context, channel.caller, "outbound")
        leg.started = self.clock()
        exported = self.exported(channel)
        leg.variables = {
            "uuid": leg.uuid, "direction": "outbound", "originator": channel.uuid, **about, **exported,
        }  # fmt: skip
        channel.variables["originated_legs"] = f"{leg.uuid};{number};{number}"
        sent = {key[6:]: value for key, value in exported.items() if key.startswith("sip_h_")}
        channel.legs.append({"": number, **sent})
        self._created(leg)
        far = {"486": (17, 486), "404": (1, 404), "503": (41, 503), "603": (21, 603)}.get(number[-3:])
        ring = 60.0 if number.endswith("180") else channel.ring
        patience = float(channel.variables.get("call_timeout", "60"))
        await channel.stirred_within(min(ring, patience) * self.second)
        if ring >= patience and channel.ready:
            self.hang_up(leg.uuid, 19)
            return
        if far is not None and channel.ready:
            self.hang_up(leg.uuid, far[0])
            channel.code, channel.variables["sip_invite_failure_status"] = far[1], str(far[1])
            self.hang_up(channel.uuid, far[0])
        elif channel.ready:
            for one in (leg, channel):
                one.answered = one.answered or self.clock()
                self.tell("CHANNEL_ANSWER", one)
            await channel.stirred_within(channel.talk * self.second)
        self.hang_up(leg.uuid, channel.cause or 16)
        if channel.ready and channel.variables.get("hangup_after_bridge") == "true":
            self.hang_up(channel.uuid, 16)

    def hang_up(self, uuid: str, cause: int) -> bool:
        """End a channel with a Q.850 cause; False where there is none."""
        channel = self.channels.pop(uuid, None)
        if channel is None:
            return False
        channel.ended, channel.cause, channel.ended_at = True, cause, self.clock()
        if cause == NUMBER_OF["ORIGINATOR_CANCEL"] and not channel.answered:
            channel.code, channel.variables["sip_term_status"] = 487, "487"
        channel.stir()
        self.let_go(channel)
        self.tell("CHANNEL_HANGUP_COMPLETE", channel)
        return True

    # --- what is told of it

    def stamp(self) -> dict[str, str]:
        """What every event says."""
        return {"Core-UUID": self.core, "Event-Date-Timestamp": str(int(self.clock() * 1e6))}

    def tell(self, event: str, channel: Channel) -> None:
        """An event about a channel."""
        self.socket.fire(self.described(event, channel))

    def described(self, event: str, channel: Channel) -> dict[str, str]:
        """The headers of an event about a channel."""
        return {"Event-Name": event, **self.stamp(), "FreeSWITCH-Hostname": "fake", **channel.told()}

    def dump(self, channel: Channel) -> str:
        """What `uuid_dump` says, and `connect` on an outbound socket."""
        return event_bytes(self.described("CHANNEL_DATA", channel)).decode()

    def listing(self) -> str:
        """What `show channels as json` says."""
        rows = [one.row() for one in self.channels.values()]
        told: dict[str, Any] = {"row_count": len(rows)}
        return json.dumps({**told, "rows": rows} if rows else told)
