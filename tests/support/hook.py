"""A real Asterisk with the hook in its dialplan, its odd accounts, and who answers when it asks.

In: the provisioned lab. Out: a `Hook`, by which a test leaves orders on the switch, places calls and sees
what became of them; somebody who answers over AMI or at the FastAGI door. Refuses to know what is expected.
"""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision, Verdict
from enforcer.switch.agi import AgiDoor
from enforcer.wire.answer import answer_line
from lab.ami import Ami, Message
from lab.asterisk import Asterisk
from lab.process import free_port
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from lab.sipp import Outcome as Placed
from tests.support.standing import standing

Parts = Mapping[str, Provisioned]
Line = Callable[[str], str]
T = TypeVar("T")
SOON = 5.0

# Account codes that a careless operator may have written. None may be taken for another account.
ODD_ACCOUNTS = {
    "odd1": "a/b", "odd2": 'ac"me', "odd3": "ac,me", "odd4": "ac(me", "odd5": "ac me",
    "odd6": "x" * 79 + "//",
}  # fmt: skip
REDIRECTOR = free_port()

DIALPLAN = r"""
[with-verdict]
exten => _X.,1,Gosub(enforcer,verdict,1(${CHANNEL(accountcode)},outbound,${EXTEN}))
 same => n,GotoIf($["${GOSUB_RETVAL}" = "stop"]?refused)
 same => n,Dial(PJSIP/${EXTEN}@carrier,60)
 same => n(refused),Set(CDR(userfield)=mine:${ENF_CAUSE})
 same => n,Hangup(17)

[careless]
exten => _[0-9+].,1,Gosub(enforcer,s,1(${CHANNEL(accountcode)},outbound,${EXTEN}))
 same => n,Dial(PJSIP/${EXTEN}@carrier,60)

[splits]
exten => _X.,1,Set(CALLERID(num)=${URIDECODE(1%0D%0AAccount: acme)})
 same => n,Goto(from-accounts,${EXTEN},1)

[psap]
exten => _X.,1,Set(CALLERID(num)=+13035550189)
 same => n,Gosub(enforcer,s,1(helped,inbound,${EXTEN}))
 same => n,Dial(PJSIP/${EXTEN}@carrier,60)
 same => n,Hangup(${HANGUPCAUSE})

[to-redirector]
exten => _X.,1,Gosub(enforcer,s,1(${CHANNEL(accountcode)},outbound,${EXTEN}))
 same => n,Dial(PJSIP/redirector,60)
 same => n,Hangup(${HANGUPCAUSE})
"""
ENDPOINTS = f"""
[splits](account)
context = splits
accountcode = splits
[verdict](account)
context = with-verdict
accountcode = verdict
[careless](account)
context = careless
accountcode = careless
[helped](account)
accountcode = helped
[psap](account)
context = psap
accountcode = psap
[forwarded](account)
context = to-redirector
accountcode = forwarded
[redirector](account)
aors = redirector
[redirector](phone)
contact = sip:redirector@127.0.0.1:{REDIRECTOR}
""" + "".join(f"[{name}](account)\naccountcode = {code}\n" for name, code in ODD_ACCOUNTS.items())


@pytest.fixture(scope="module")
def asterisk(lab_parts: Parts) -> Iterator[Asterisk]:
    files = {"extensions_local.conf": DIALPLAN, "pjsip_local.conf": ENDPOINTS}
    names = [f"a{number}" for number in range(1, 20)]
    yield from standing(Asterisk(lab_parts["asterisk"], accounts=names, files=files))


async def until(look: Callable[[], T | None]) -> T:
    """What is found as soon as there is something: SIPp and Asterisk write files and tell nobody."""
    async with asyncio.timeout(SOON):
        while not (found := look()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


class Hook:
    """The switch as a test sees it: what was left in AstDB, its globals, and calls."""

    def __init__(self, switch: Asterisk, carrier: Callee, parts: Parts, ami: Ami) -> None:
        self.switch, self.carrier, self.parts, self.ami = switch, carrier, parts, ami

    async def order(self, key: str, value: str) -> None:
        """As a link does it."""
        await self.ami.action("DBPut", Family="enforcer", Key=key, Val=value)

    async def heartbeat(self, age: float = -600.0) -> None:
        """The enforcer was heard so many seconds ago (by default it stays fresh for the whole test)."""
        await self.order("hb", str(int(time.time() - age)))

    async def settings(self, **values: str) -> None:
        for name, value in values.items():
            await self.ami.action("Setvar", Variable=name, Value=value)

    async def call(self, *calls: Call, rate: float = 100.0, scenario: str = "caller") -> Placed:
        return await place(
            self.parts["sipp"], self.switch.sip_address, calls, rate=rate, messages=True, scenario=scenario
        )

    async def codes(self, *calls: Call) -> list[int | None]:
        """The final status of each call, placed all at once; the numbers have to differ."""
        placed = await self.call(*calls)
        assert placed.failed == 0, placed.codes
        return [placed.final(call.number)[0].code for call in calls]

    async def ended(self, number: str) -> Message:
        """The Hangup of the call to this number."""

        def leading(event: Message) -> bool:
            return event["Uniqueid"] == event["Linkedid"] and event["Exten"] == number

        return await self.ami.event("Hangup", where=leading)

    async def cdr(self, number: str) -> list[str]:
        """The call's record, read once Asterisk has said that the call is over."""
        uniqueid = (await self.ended(number))["Uniqueid"]

        def record() -> list[str] | None:
            with self.switch.cdr_path.open(newline="") as rows:
                return next((row for row in csv.reader(rows) if row[16] == uniqueid), None)

        return await until(record)

    async def bridged(self, number: str) -> None:
        """Wait until both legs of a call talk to each other: only then can it be transferred."""
        async with asyncio.timeout(SOON):
            while True:
                channels = await self.ami.listing("CoreShowChannels")
                if any(channel["Exten"] == number and channel["BridgeId"] for channel in channels):
                    return
                await asyncio.sleep(0.02)

    async def reached(self, number: str) -> Message:
        """The headers of the INVITE that reached the carrier."""
        return dict((await until(lambda: self.carrier.invites(number)))[0].headers)

    def order_of_arrival(self, *numbers: str) -> list[str]:
        """These numbers as the carrier saw them come."""
        seen = [invite.number for invite in self.carrier.invites() if invite.number in numbers]
        return list(dict.fromkeys(seen))


@pytest.fixture
async def hook(asterisk: Asterisk, carrier: Callee, lab_parts: Parts) -> AsyncIterator[Hook]:
    async with asterisk.ami() as ami:
        hook = Hook(asterisk, carrier, lab_parts, ami)
        await hook.settings(ENF_ASK="ami", ENF_FAIL="open", ENF_MAXWAIT="0.5", ENF_EMERGENCY="112&999")
        await hook.settings(ENF_MUTE="0", ENF_UNANSWERED="")
        await hook.heartbeat()
        yield hook


# --- who answers


@asynccontextmanager
async def answered_by_ami(hook: Hook, line: Line, asked: list[Message] | None = None) -> AsyncIterator[None]:
    """Somebody on the AMI link, with no more rights than the enforcer's user has."""
    async with hook.switch.ami("enforcer") as link:

        async def answer() -> None:
            while True:
                question = await link.event("UserEvent", within=600, UserEvent="EnfAsk")
                link.events.remove(question)
                if asked is not None:
                    asked.append(question)
                if text := line(question["Number"]):
                    reply = await link.action(
                        "Setvar", Channel=question["Channel"], Variable="ENF_ANSWER", Value=text
                    )
                    assert reply["Response"] == "Success"

        await hook.settings(ENF_ASK="ami")
        answering = asyncio.create_task(answer(), name="answering")
        try:
            yield
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)


class Scripted:
    def __init__(self, decide: Callable[[str], Decision]) -> None:
        self._decide = decide
        self.asked: list[CallAttempt] = []

    def admit(self, attempt: CallAttempt) -> Decision:
        self.asked.append(attempt)
        return self._decide(attempt.number)


@asynccontextmanager
async def answered_by_agi(
    hook: Hook, decide: Callable[[str], Decision]
) -> AsyncIterator[tuple[AgiDoor, Scripted]]:
    """The real door, with a scripted admission behind it."""
    scripted = Scripted(decide)
    async with AgiDoor(scripted, "lab", clock=time.time, port=0) as door:
        await hook.settings(ENF_ASK="agi", ENF_AGI=f"agi://127.0.0.1:{door.port}/ask")
        yield door, scripted


@asynccontextmanager
async def answered(way: str, hook: Hook, decide: Callable[[str], Decision]) -> AsyncIterator[None]:
    if way == "agi":
        async with answered_by_agi(hook, decide):
            yield
    else:
        async with answered_by_ami(hook, lambda number: answer_line(decide(number))):
            yield


def decision(verdict: Verdict, **more: Any) -> Decision:
    return Decision("d1-2f", 0.0, "", "lab", "", "", "", verdict, verdict)._replace(**more)


ways = pytest.mark.parametrize("way", ["ami", "agi"])
