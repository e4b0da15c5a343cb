"""The built-in fake switch: calls that ask over AMI or AGI as the dialplan would, without any voice.

In: who calls whom and how long. Out: what became of the call. For machines where the real Asterisk can't be
had, and for tests of what a real one does only rarely. It follows `dialplan/asterisk/enforcer.conf`
(emergency, heartbeat, lease, question, last word, default) except brakes, transfers and inbound calls, and
`lab/scenarios/callee.xml` for what the far end does. Refuses to know SIP.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lab.fake_ami import FakeAmi, Headers
from lab.fake_channel import UP, Channel, ask_agi

EMERGENCY = frozenset({"112", "911", "933"})
FAR_END = {"486": (17, 486), "404": (1, 404), "503": (34, 503), "603": (21, 403)}
"""Last digits of the number -> Q.850 cause, SIP code."""
SIP_CODES = {1: 404, 16: 603, 17: 486, 19: 480, 21: 403, 28: 484, 34: 503, 42: 503}
"""Q.850 cause of our hang-up -> what the caller is answered, as measured on Asterisk 22."""
CHANNEL_VARIABLES = ("ENF_VERDICT", "ENF_DECISION")


@dataclass(frozen=True, slots=True)
class FakeCall:
    """What became of one call."""

    uniqueid: str
    code: int
    """What the caller was answered: 200, or the SIP code of the refusal."""
    cause: int
    source: str
    """Who decided: emergency, lease, live, word, default."""
    waited: float
    """Seconds between the call's start and the dial, or the refusal."""
    talked: float
    variables: dict[str, str]


class FakeAsterisk:
    """One switch: `async with FakeAsterisk() as switch: await switch.call("acme", "12025550142")`.

    ask       "ami" or "agi"
    agi       "host:port" of the FastAGI door
    max_wait  seconds to wait for an answer; stale: seconds after which a heartbeat is too old to ask at all
    fail      "open" or "closed": what holds where nobody answers and no word was left
    """

    def __init__(
        self,
        *,
        ask: str = "ami",
        agi: str = "127.0.0.1:4573",
        max_wait: float = 0.3,
        stale: float = 6.0,
        fail: str = "open",
    ) -> None:
        self.secret = secrets.token_hex(8)
        self.ami = FakeAmi(self, self.secret)
        self.variables: dict[str, str] = {}
        self._ask, self._agi = ask, agi
        self._max_wait, self._stale, self._fail = max_wait, stale, fail
        self._channels: dict[str, Channel] = {}
        self._serial = 0

    @property
    def ami_port(self) -> int:
        return self.ami.port

    @property
    def processed(self) -> int:
        return self._serial

    async def __aenter__(self) -> Self:
        await self.ami.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._channels.values():
            channel.ended.set()
        self.ami.event("Shutdown", "system,all", [("Shutdown", "Cleanly"), ("Restart", "False")])
        await self.ami.stop()

    # --- a call

    async def call(self, account: str, number: str, *, talk: float = 0.1, ring: float = 0.0) -> FakeCall:
        """An account calls a number: `ring` seconds until the answer, `talk` seconds until the hang-up."""
        channel = self._create(account, number)
        try:
            source, cause, hold, cap = await self._admitted(channel)
            if hold:
                await self._ended_within(channel, hold)
            waited = time.time() - channel.started
            if cause:
                channel.cause = cause
            elif not channel.ended.is_set():
                await self._dial(channel, min(talk, cap) if cap else talk, ring)
        finally:
            code = self._destroy(channel)
        talked = time.time() - channel.answered if channel.answered else 0.0
        return FakeCall(channel.uniqueid, code, channel.cause, source, waited, talked, channel.variables)

    def _create(self, account: str, number: str) -> Channel:
        self._serial += 1
        now = time.time()
        name = f"PJSIP/{account}-{self._serial:08x}"
        channel = Channel(name, f"fake-{int(now)}.{self._serial}", account, number, now)
        self._channels[name] = channel
        self._event("Newchannel", channel)
        return channel

    async def _dial(self, channel: Channel, talk: float, ring: float) -> None:
        suffix = channel.number[-3:]
        if suffix == "180":
            ring = max(ring, 60.0)
        if ring and await self._ended_within(channel, ring):
            return
        if channel.number not in EMERGENCY and suffix in FAR_END:
            channel.cause = FAR_END[suffix][0]
            return
        channel.state, channel.answered = UP, time.time()
        self._event("Newstate", channel)
        channel.cause = 16
        if suffix != "200":
            await self._ended_within(channel, talk)

    @staticmethod
    async def _ended_within(channel: Channel, seconds: float) -> bool:
        """Wait so long, or until somebody hangs the channel up (True then)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await channel.ended.wait()
        return channel.ended.is_set()

    def _destroy(self, channel: Channel) -> int:
        """Hang up; what the caller was answered."""
        del self._channels[channel.name]
        answered = channel.state == UP
        cause = channel.cause or 16
        code = 200 if answered else SIP_CODES.get(cause, 603)
        tech = [] if answered else [("TechCause", str(code))]
        self._event("Hangup", channel, [("Cause", str(cause)), ("Cause-txt", "Unknown"), *tech])
        channel.cause = cause
        return code

    # --- the hook

    async def _admitted(self, channel: Channel) -> tuple[str, int, float, float]:
        """(source, cause, hold, cap), as dialplan/asterisk/enforcer.conf would come to it."""
        if channel.number in EMERGENCY:
            return "emergency", 0, 0.0, 0.0
        now = int(time.time())
        if _number(self._stored(f"lease/{channel.account}")) > now:
            return "lease", 0, 0.0, 0.0
        source, answer = "live", ""
        if now - _number(self._stored("hb")) <= self._stale:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(self._max_wait):
                    await (ask_agi(self._agi, channel) if self._ask == "agi" else self._ask_ami(channel))
            answer = channel.variables.get("ENF_ANSWER", "")
        if _parts(answer) is None:
            until, _, word = self._stored(f"word/{channel.account}").partition(":")
            source, answer = ("word", word) if _number(until) > now else ("default", "")
        parts = _parts(answer)
        if parts is None:
            verb = "block" if self._fail == "closed" else "allow"
            source, parts = "default", (verb, "42", "0", "0", "", "")
        verdict, cause, hold, cap, tag, decision = parts
        channel.variables |= {"ENF_VERDICT": verdict, "ENF_TAG": tag, "ENF_DECISION": decision}
        refused = verdict in ("throttle", "block")
        return source, int(cause) if refused else 0, min(float(hold), 30.0), float(cap)

    async def _ask_ami(self, channel: Channel) -> None:
        headers = [("Account", channel.account), ("Direction", "outbound"), ("Number", channel.number)]
        self._event("UserEvent", channel, headers, before=[("UserEvent", "EnfAsk")])
        await channel.told.wait()

    def _stored(self, key: str) -> str:
        return self.ami.database.get(f"enforcer/{key}", "")

    # --- what AMI reaches (see lab.fake_ami.Channels)

    def set_variable(self, channel: str, name: str, value: str) -> bool:
        if not channel:
            self.variables[name] = value
            return True
        found = self._channels.get(channel)
        if found is None:
            return False
        found.variables[name] = value
        if name == "ENF_ANSWER":
            found.told.set()
        return True

    def variable(self, channel: str, name: str) -> str | None:
        if not channel:
            return self.variables.get(name, "")
        found = self._channels.get(channel)
        return None if found is None else found.variables.get(name, "")

    def hang_up(self, channel: str, cause: int) -> bool:
        found = self._channels.get(channel)
        if found is None:
            return False
        found.cause = cause
        found.ended.set()
        return True

    def status(self, variables: Sequence[str]) -> list[Headers]:
        return [
            [*channel.about(), *(("Variable", f"{name}={channel.told_of(name)}") for name in variables)]
            for channel in self._channels.values()
        ]

    def _event(self, name: str, channel: Channel, after: Headers = (), before: Headers = ()) -> None:
        privilege = "user,all" if name == "UserEvent" else "call,all"
        shown = [("ChanVariable", f"{key}={channel.variables.get(key, '')}") for key in CHANNEL_VARIABLES]
        self.ami.event(name, privilege, [*before, *channel.about(), *shown, *after])

def _number(text: str) -> int:
    head = text.partition(":")[0]
    return int(head) if head.isdecimal() else 0


def _parts(answer: str) -> tuple[str, str, str, str, str, str] | None:
    """verb:cause:hold:cap:tag:decision, None where it is not such a line."""
    parts = answer.split(":")
    if len(parts) != 6 or parts[0] not in ("allow", "tag", "throttle", "block") or not parts[1].isdecimal():
        return None
    verb, cause, hold, cap, tag, decision = parts
    return verb, cause, hold, cap, tag, decision
