"""The dialplan hook on a real Asterisk, call by call, as the callers and the carrier see it.

One switch for all; who answers is scripted here. How long things take is only asked where that tells "held
until the deadline" from "hung for ever": the dialplan's deadline is 1 s or less, SIPp waits a minute.
"""

from __future__ import annotations

import asyncio
import csv
import itertools
import re
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any, TypeVar

import pytest

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision, Verdict
from enforcer.switch.agi import AgiDoor, Outcome
from enforcer.wire.answer import answer_line
from lab.ami import Ami, Message
from lab.asterisk import Asterisk
from lab.process import free_port
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from lab.sipp import Outcome as Placed
from tests.support.phone import Phone
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


serials = itertools.count(1000)     # of numbers that no two tests may share
ways = pytest.mark.parametrize("way", ["ami", "agi"])

VERDICTS: dict[str, tuple[Decision, int]] = {
    "1": (decision(Verdict.ALLOW), 200),
    "2": (decision(Verdict.TAG, tags=("asr.warning", "ddc")), 200),
    "3": (decision(Verdict.THROTTLE, hold=0.2, tags=("cps",)), 200),
    "4": (decision(Verdict.THROTTLE, shed=True, tags=("cps",)), 503),
    "5": (decision(Verdict.BLOCK, sip_code=403, tags=("minutes",)), 403),
    "6": (decision(Verdict.BLOCK, sip_code=603, tags=("minutes",)), 603),
}


# --- answers


@ways
async def test_answer_is_obeyed(hook: Hook, way: str) -> None:
    """One call of each kind, all at once: status, header, channel variables, CDR."""
    serial = "71" if way == "ami" else "72"
    numbers = {digit: f"{digit}0{serial}" for digit in VERDICTS}
    async with answered(way, hook, lambda number: VERDICTS[number[0]][0]):
        codes = await hook.codes(*(Call("acme", number) for number in numbers.values()))
    assert codes == [code for _, code in VERDICTS.values()]
    for digit, number in numbers.items():
        wanted, code = VERDICTS[digit]
        ended = await hook.ended(number)
        variables = dict(line.split("=", 1) for line in ended["ChanVariable"].split("\n"))
        assert variables == {"ENF_VERDICT": wanted.verdict.word, "ENF_DECISION": "d1-2f"}
        row = await hook.cdr(number)
        assert (row[2], row[3]) == (number, "from-accounts")
        assert row[17] == f"live;{answer_line(wanted)}"
        if code == 200:
            tag = (await hook.reached(number)).get("X-Enforcer-Tag")
            assert tag == ("+".join(wanted.tags) or None)
        else:
            assert hook.carrier.invites(number) == []


@ways
async def test_held_calls_pass_in_the_order_of_their_hold(hook: Hook, way: str) -> None:
    numbers = [f"8{place}73{way == 'ami':d}" for place in range(4)]
    holds = dict(zip(numbers, (0.9, 0.6, 0.3, 0.0), strict=True))

    def decide(number: str) -> Decision:
        return decision(Verdict.THROTTLE, hold=holds[number])

    async with answered(way, hook, decide):
        assert await hook.codes(*(Call("acme", number) for number in numbers)) == [200] * 4
    assert hook.order_of_arrival(*numbers) == numbers[::-1]


@ways
async def test_cap_ends_the_call_though_nobody_is_there_any_more(hook: Hook, way: str) -> None:
    number = f"9074{way == 'ami':d}"
    async with answered(way, hook, lambda _: decision(Verdict.ALLOW, max_duration=1)):
        calling = asyncio.create_task(hook.call(Call("acme", number, talk=30)), name="calling")
        await hook.reached(number)
    placed = await asyncio.wait_for(calling, 15)
    assert placed.codes == {200: 1}
    [bye] = [message for message in placed.messages if message.method == "BYE" and not message.code]
    assert not bye.sent
    assert (await hook.cdr(number))[14] == "ANSWERED"


async def test_verdict_comes_back_where_the_operator_wants_to_refuse_himself(hook: Hook) -> None:
    async with answered_by_ami(hook, lambda number: answer_line(VERDICTS[number[0]][0])):
        assert await hook.codes(Call("verdict", "1075"), Call("verdict", "5075")) == [200, 486]
    assert (await hook.cdr("5075"))[17] == "mine:21"


async def test_question_says_who_calls_whom(hook: Hook) -> None:
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "allow:0:0:0::", asked):
        await hook.codes(Call("globex", "+12025550176"))
    [question] = asked
    assert [question[header] for header in ("Account", "Direction", "Number")] == [
        "globex", "outbound", "+12025550176",
    ]  # fmt: skip
    assert question["Uniqueid"] == question["Linkedid"]
    async with answered_by_agi(hook, lambda _: decision(Verdict.ALLOW)) as (door, scripted):
        await hook.codes(Call("globex", "+12025550177"))
        assert door.counts[Outcome.ANSWERED] == 1
    [attempt] = scripted.asked
    assert (attempt.account, attempt.number, attempt.caller) == ("globex", "+12025550177", "globex")
    assert attempt.call_id == f"lab/{(await hook.ended('+12025550177'))['Uniqueid']}"
    assert attempt.channel.startswith("PJSIP/globex-")


async def test_inbound_call_is_asked_about_by_the_account_it_is_for(hook: Hook, phones: Callee) -> None:
    asked: list[Message] = []
    answers = {"12025550101": "allow:0:0:0::", "12025550102": "block:21:0:0::"}
    async with answered_by_ami(hook, answers.__getitem__, asked):
        calls = [Call("carrier", number) for number in answers]
        assert await hook.codes(*calls) == [200, 403]
    assert {(question["Account"], question["Direction"]) for question in asked} == {
        ("acme", "inbound"), ("globex", "inbound"),
    }  # fmt: skip


# --- what was left on the switch


async def test_lease_lets_pass_unasked_until_it_expires(hook: Hook) -> None:
    now = int(time.time())
    await hook.order("lease/a1", str(now + 600))
    await hook.order("lease/a2", str(now - 1))
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "block:21:0:0::", asked):
        assert await hook.codes(Call("a1", "1078"), Call("a2", "2078"), Call("a3", "3078")) == [200, 403, 403]
    assert {question["Account"] for question in asked} == {"a2", "a3"}
    assert (await hook.cdr("1078"))[17] == ""


async def test_word_is_obeyed_where_nobody_answers_until_it_expires(hook: Hook) -> None:
    """Asked in vain (a fresh heartbeat) and not asked at all (an old one): the same."""
    now = int(time.time())
    await hook.order("word/a4", f"{now + 600}:block:16:0:0:minutes:d9")
    await hook.order("word/a5", f"{now - 1}:block:16:0:0:minutes:d9")
    await hook.order("word/a6", f"{now + 600}:tag:0:0:0:asr:d9")
    await hook.order("word/a7", f"{now + 600}:nonsense")
    for serial, age in (("79", -600.0), ("80", 3600.0)):
        await hook.heartbeat(age)
        numbers = [f"{place}0{serial}" for place in range(4, 9)]
        calls = [Call(f"a{number[0]}", number) for number in numbers]
        assert await hook.codes(*calls) == [603, 200, 200, 200, 200]
        userfields = [(await hook.cdr(number))[17] for number in numbers]
        assert userfields == [
            "word;block:16:0:0:minutes:d9", "default;allow:0:0:0::", "word;tag:0:0:0:asr:d9",
            "default;allow:0:0:0::", "default;allow:0:0:0::",
        ]
        assert (await hook.reached(numbers[2]))["X-Enforcer-Tag"] == "asr"


async def test_site_that_fails_closed_refuses_for_a_while_what_no_word_allows(hook: Hook) -> None:
    await hook.settings(ENF_FAIL="closed")
    await hook.order("word/a9", f"{int(time.time()) + 600}:allow:0:0:0::")
    assert await hook.codes(Call("a8", "8081"), Call("a9", "9081")) == [503, 200]
    assert (await hook.cdr("8081"))[17] == "default;block:42:0:0::"


async def test_concurrency_brake_holds_exactly_with_nobody_there(hook: Hook) -> None:
    await hook.heartbeat(age=3600)
    await hook.order("brake/a10", f"{int(time.time()) + 600}:3:0")
    await hook.order("brake/a11", f"{int(time.time()) - 1}:1:0")
    braked = [Call("a10", f"{place}82", talk=1.5) for place in range(10, 20)]
    expired = [Call("a11", f"{place}82", talk=0.1) for place in range(20, 24)]
    placed = await hook.call(*braked, *expired)
    assert placed.codes == {200: 3 + 4, 503: 7}
    sources = Counter([(await hook.cdr(call.number))[17] for call in braked])
    assert sources == {"default;allow:0:0:0::": 3, "brake;throttle:42:0:0:brake:": 7}
    # The three are over: there is room for three again, and a refused call took none of it.
    again = await hook.call(*(Call("a10", f"{place}83", talk=1.0) for place in range(10, 15)))
    assert again.codes == {200: 3, 503: 2}


async def test_rate_brake_holds_exactly_with_nobody_there(hook: Hook) -> None:
    await hook.heartbeat(age=3600)
    for attempt in range(3):
        account = f"a{12 + attempt}"
        await hook.order(f"brake/{account}", f"{int(time.time()) + 600}:0:5")
        calls = [Call(account, f"{place}{attempt}84") for place in range(10, 34)]
        placed = await hook.call(*calls, rate=16)
        created = [event for event in hook.ami.events if event.get("Event") == "Newchannel"]
        ours = [event for event in created if re.fullmatch(rf"\d\d{attempt}84", event["Exten"])]
        began = [float(event["Timestamp"]) for event in ours]
        assert len(began) == len(calls)
        if all(at % 1 < 0.98 for at in began):      # else nobody can say in which second it was counted
            break
    seconds = Counter(int(at) for at in began)
    assert placed.codes[200] == sum(min(5, count) for count in seconds.values())
    assert placed.codes[503] == len(calls) - placed.codes[200]


async def test_brake_and_word_together_still_ask(hook: Hook) -> None:
    """A braked account is asked about like any other, and its lease holds under the brake."""
    now = int(time.time())
    for account in ("a15", "a16"):
        await hook.order(f"brake/{account}", f"{now + 600}:2:0")
    await hook.order("lease/a16", f"{now + 600}")
    async with answered_by_ami(hook, lambda _: "block:21:0:0::"):
        placed = await hook.call(
            *(Call("a15", f"{place}85") for place in range(1, 3)),
            *(Call("a16", f"{place}85", talk=1.0) for place in range(3, 7)),
        )
    assert placed.codes == {403: 2, 200: 2, 503: 2}


# --- when nobody answers, or something does that is no enforcer

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HALF = b'SET VARIABLE ENF_ANSWER "block:2'


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def at_once_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def half_a_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Asterisk spins on this until the connection closes; a door that dies half way closes it."""
    await reader.readuntil(b"\n\n")
    writer.write(HALF)
    await writer.drain()
    writer.close()


async def gone_after_a_command(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\n\n")
    writer.write(b"NOOP\n")
    await reader.readline()
    writer.close()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\n\n")
    writer.write(b'SET VARIABLE ENF_ANSWER "block everything"\n')
    await reader.readline()
    writer.close()


@asynccontextmanager
async def odd_door(hook: Hook, behaviour: Behaviour | None) -> AsyncIterator[None]:
    """A FastAGI door that misbehaves; None: nobody listens."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await behaviour(reader, writer)  # type: ignore[misc]
        writer.close()

    here: list[asyncio.StreamWriter] = []
    port = free_port(socket.SOCK_STREAM)
    if behaviour is None:
        await hook.settings(ENF_ASK="agi", ENF_AGI=f"agi://127.0.0.1:{port}/ask")
        yield
        return
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        await hook.settings(ENF_ASK="agi", ENF_AGI=f"agi://127.0.0.1:{port}/ask")
        yield
    finally:
        server.close()
        for writer in here:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in here), return_exceptions=True)
        await server.wait_closed()


async def get_through(hook: Hook, *, held: bool) -> None:
    """An ordinary call and two emergency calls, one of them by a hook that should not be there.

    All get through. The ordinary one is sent first: where it is held until the deadline, the others
    overtake it.
    """
    ordinary = f"70{next(serials)}"
    seen = len(hook.carrier.invites())
    calls = [Call("acme", ordinary), Call("acme", "112"), Call("careless", "999")]
    placed = await asyncio.wait_for(hook.call(*calls), 10)
    assert placed.codes == {200: 3}
    assert placed.failed == 0
    assert (await hook.cdr(ordinary))[17] == "default;allow:0:0:0::"
    arrived = [invite.number for invite in hook.carrier.invites()[seen:]]
    assert sorted(arrived) == ["112", ordinary, "999"]
    assert not held or arrived[-1] == ordinary


@pytest.mark.parametrize(
    "behaviour",
    [None, silent, at_once_gone, half_a_line, gone_after_a_command, garbage],
    ids=["absent", "silent", "gone at once", "half a line", "gone after a command", "garbage"],
)
async def test_trouble_at_the_door_costs_the_deadline_at_most(
    hook: Hook, behaviour: Behaviour | None
) -> None:
    await hook.settings(ENF_MAXWAIT="1")
    async with odd_door(hook, behaviour):
        await get_through(hook, held=behaviour is silent)


@pytest.mark.parametrize(
    "text", ["", "block everything", "block:21", 'block:21:0:0::"', "allow:21:0:0::", "x" * 900]
)
async def test_trouble_on_the_link_costs_the_deadline_at_most(hook: Hook, text: str) -> None:
    """Nobody there, or a link that sets what is no answer."""
    await hook.settings(ENF_MAXWAIT="1")
    async with answered_by_ami(hook, lambda _: text):
        await get_through(hook, held=not text)


@ways
async def test_old_heartbeat_means_nobody_is_asked_and_nobody_waits(hook: Hook, way: str) -> None:
    """With a deadline of half a minute, one wait would be seen."""
    await hook.heartbeat(age=7)
    await hook.settings(ENF_MAXWAIT="30")
    number = f"70{next(serials)}"
    async with odd_door(hook, silent):
        await hook.settings(ENF_ASK=way)
        placed = await asyncio.wait_for(hook.call(Call("acme", number)), 10)
    assert placed.codes == {200: 1}
    assert not [event for event in hook.ami.events if event.get("Event") == "UserEvent"]


@ways
async def test_one_who_leaves_many_without_an_answer_is_not_asked_for_a_while(hook: Hook, way: str) -> None:
    """Forty within two seconds: in one of them at least ten, also where two count as one."""
    await hook.settings(ENF_MAXWAIT="0.1")
    async with odd_door(hook, silent):
        await hook.settings(ENF_ASK=way)
        numbers = [f"70{next(serials)}" for _ in range(40)]
        placed = await asyncio.wait_for(hook.call(*(Call("acme", number) for number in numbers)), 20)
        assert placed.codes == {200: 40}
        mute = (await hook.ami.action("Getvar", Variable="ENF_MUTE"))["Value"]
        assert abs(int(mute) - time.time()) < 60

        await hook.settings(ENF_MUTE=str(int(time.time()) + 600), ENF_MAXWAIT="30")
        hook.ami.events.clear()
        number = f"70{next(serials)}"
        placed = await asyncio.wait_for(hook.call(Call("acme", number), Call("acme", "112")), 10)
        assert placed.codes == {200: 2}
        assert (await hook.cdr(number))[17] == "default;allow:0:0:0::"
        assert not [event for event in hook.ami.events if event.get("Event") == "UserEvent"]
    await hook.settings(ENF_MUTE=str(int(time.time()) - 1))
    async with answered(way, hook, lambda _: decision(Verdict.BLOCK, sip_code=403)):
        assert await hook.codes(Call("acme", f"70{next(serials)}")) == [403]


async def test_emergency_call_passes_whatever_was_ordered(hook: Hook) -> None:
    """Word, brake and closed site at once, through a hook put where it should not be."""
    until = int(time.time()) + 600
    await hook.heartbeat(age=3600)
    await hook.settings(ENF_FAIL="closed")
    await hook.order("word/careless", f"{until}:block:21:0:0::")
    await hook.order("brake/careless", f"{until}:1:1")
    try:
        ordinary = [Call("careless", f"1{place}86") for place in range(3)]
        placed = await hook.call(*ordinary, *(Call("careless", number) for number in ("112", "999", "112")))
        assert placed.codes[200] == 3
        assert sum(placed.codes.values()) == 6
    finally:
        await hook.ami.action("DBDelTree", Family="enforcer", Key="word/careless")
        await hook.ami.action("DBDelTree", Family="enforcer", Key="brake/careless")


async def test_emergency_calls_pass_whatever_stands_on_the_switch(hook: Hook) -> None:
    """Ten states of it, drawn at random, by a hook that is where emergency calls pass. Nobody answers."""
    random = Random(911)
    until = int(time.time()) + 600
    orders = {
        "word/careless": [f"{until}:block:21:0:0::", f"{until}:throttle:0:29.000:1:x:", "x", f"{until}:", ""],
        "brake/careless": [f"{until}:1:1", f"{until}:0:1", "0:0:0", "x", ""],
        "lease/careless": [str(until), "1", "x", ""],
        "closed/careless": ["1", ""],
    }
    try:
        for _ in range(10):
            await hook.heartbeat(age=random.choice([-600.0, 0.0, 3600.0]))
            await hook.settings(
                ENF_ASK=random.choice(["ami", "agi", "local", "off", "", "nonsense"]),
                ENF_AGI="agi://127.0.0.1:1/ask", ENF_FAIL=random.choice(["open", "closed"]),
                ENF_MAXWAIT=random.choice(["0.3", "30"]), ENF_STALE=random.choice(["6", "0", ""]),
                ENF_EMERGENCY_WINDOW=random.choice(["", "0", "3600"]),
            )
            for key, values in orders.items():
                if value := random.choice(values):
                    await hook.order(key, value)
                else:
                    await hook.ami.action("DBDel", Family="enforcer", Key=key)
            seen = len(hook.carrier.invites())
            calls = [Call("careless", number) for number in ("112", "999", "+1911")]
            placed = await asyncio.wait_for(hook.call(*calls), 10)
            assert placed.codes == {200: 3}
            assert sorted(one.number for one in hook.carrier.invites()[seen:]) == ["+1911", "112", "999"]
    finally:
        await hook.settings(ENF_EMERGENCY_WINDOW="", ENF_STALE="", ENF_MAXWAIT="0.5")
        for key in orders:
            await hook.ami.action("DBDelTree", Family="enforcer", Key=key)


@ways
async def test_caller_who_hangs_up_while_we_ask_is_gone_at_once(hook: Hook, way: str) -> None:
    await hook.settings(ENF_MAXWAIT="30")
    number = f"70{next(serials)}"
    asked = asyncio.Event()

    async def silent_once_asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        asked.set()
        await reader.read()

    async with odd_door(hook, silent_once_asked), Phone("acme", hook.switch.sip_address) as phone:
        await hook.settings(ENF_ASK=way)
        phone.invite(number)
        # Only now is the switch waiting for us; a caller who was gone before that never asked.
        if way == "agi":
            await asyncio.wait_for(asked.wait(), 10)
        else:
            await hook.ami.event("UserEvent", UserEvent="EnfAsk", Number=number)
        assert await phone.cancel() == 487
        assert (await hook.ended(number))["Cause"] == "127"
    assert (await hook.cdr(number))[2:4] == [number, "from-accounts"]


async def test_local_and_off_ask_nobody(hook: Hook) -> None:
    await hook.order("word/a17", f"{int(time.time()) + 600}:block:21:0:0::")
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "block:16:0:0::", asked):
        await hook.settings(ENF_ASK="local")
        assert await hook.codes(Call("a17", "1087"), Call("a18", "2087")) == [403, 200]
        await hook.settings(ENF_ASK="off")
        assert await hook.codes(Call("a17", "1088"), Call("a18", "2088")) == [200, 200]
    assert asked == []


# --- what callers may send

async def test_number_that_is_not_what_would_be_judged_gets_484(hook: Hook) -> None:
    asked: list[Message] = []
    numbers = [
        "1000%3Bfoo", "1000%0D%0AUniqueid:%20x",
        "1000%22%2C9", "1000%2C", "10%200", "1000)", "10(0", "911%3Bfoo", "1$%7BEPOCH%7D",
    ]  # fmt: skip
    async with answered_by_ami(hook, lambda _: "allow:0:0:0::", asked):
        placed = await hook.call(*(Call("acme", number) for number in numbers))
        assert placed.codes == {484: len(numbers)}
        assert asked == []
        assert await hook.codes(Call("acme", "*72"), Call("acme", "+12025550189")) == [200, 200]


async def test_account_with_odd_characters_is_no_account_and_nobody_else(hook: Hook) -> None:
    """AstDB holds orders for every name that a careless reading could arrive at."""
    until = int(time.time()) + 600
    for name in ("ab", "a", "acme", "ac", "b", "x" * 79, "x" * 80):
        await hook.order(f"word/{name}", f"{until}:block:21:0:0::")
        await hook.order(f"brake/{name}", f"{until}:1:1")
    await hook.order("lease/a/b", str(until))
    asked: list[Message] = []
    try:
        calls = [Call(name, f"{place}090") for place, name in enumerate(ODD_ACCOUNTS, 1)]
        async with answered_by_ami(hook, lambda _: "", asked):
            assert await hook.codes(*calls) == [200] * len(calls)
        assert {(question["Account"], question["Direction"]) for question in asked} == {("", "outbound")}
        assert sorted(question["Number"] for question in asked) == [call.number for call in calls]
    finally:
        for key in ("word", "brake"):
            await hook.ami.action("DBDelTree", Family="enforcer", Key=key)


# --- calls that are sent elsewhere

async def asked_about(asked: list[Message], number: str) -> None:
    await until(lambda: [question for question in asked if question["Number"] == number])


async def test_transferred_call_passes_the_hook_again(hook: Hook) -> None:
    asked: list[Message] = []
    answers = {"7091": "tag:0:0:0:first:d1", "8091": "tag:0:0:0:second:d2", "7092": "allow:0:0:0::d3",
               "8092": "block:21:0:0::d4"}
    async with answered_by_ami(hook, answers.__getitem__, asked):
        for first, second in (("7091", "8091"), ("7092", "8092")):
            async with Phone("acme", hook.switch.sip_address) as phone:
                phone.invite(first)
                assert await phone.answered() == 200
                await hook.bridged(first)
                assert await phone.refer(second) == 202
                await asked_about(asked, second)
                if first == "7091":
                    assert (await hook.reached(second))["X-Enforcer-Tag"] == "second"
                else:
                    await hook.ami.event("Hangup", Exten=second)
                    assert hook.carrier.invites(second) == []


async def test_redirected_call_passes_the_hook_again(hook: Hook) -> None:
    asked: list[Message] = []
    answers = {"7093": "allow:0:0:0::d1", "8093": "allow:0:0:0::d2", "7094": "allow:0:0:0::d3",
               "8094": "block:21:0:0::d4"}
    async with answered_by_ami(hook, answers.__getitem__, asked):
        for first, second, code in (("7093", "8093", 200), ("7094", "8094", 403)):
            async with (
                Phone("redirector", hook.switch.sip_address, REDIRECTOR) as elsewhere,
                Phone("forwarded", hook.switch.sip_address) as phone,
            ):
                phone.invite(first)
                await elsewhere.redirect(second)
                assert await phone.answered() == code
        assert [question["Number"] for question in asked] == ["7093", "8093", "7094", "8094"]


async def test_time_limit_of_an_ordinary_call_ends_where_it_becomes_an_emergency_call(hook: Hook) -> None:
    """By a redirect, and by a transfer from the far end."""
    async def limits(account: str) -> set[str]:
        """What the account's calls have left, without those that have no limit ("0")."""
        channels = await hook.ami.listing("Status")
        ours = [c for c in channels if c["Channel"].startswith(f"PJSIP/{account}-")]
        assert ours
        return {channel["TimeToHangup"] for channel in ours} - {"0"}

    async with answered_by_ami(hook, lambda _: "allow:0:0:3000::d1"):
        async with (
            Phone("redirector", hook.switch.sip_address, REDIRECTOR) as elsewhere,
            Phone("forwarded", hook.switch.sip_address) as phone,
        ):
            phone.invite("7095")
            await elsewhere.redirect("933")
            assert await phone.answered() == 200
            assert await limits("forwarded") == set()
        async with Phone("globex", hook.switch.sip_address) as phone:
            phone.invite("7096")
            assert await phone.answered() == 200
            await hook.bridged("7096")
            assert await limits("globex")
            channels = await hook.ami.listing("CoreShowChannels")
            [bridge] = [c["BridgeId"] for c in channels if c["Exten"] == "7096"]
            [far] = [c for c in channels if c["BridgeId"] == bridge and c["Exten"] != "7096"]
            sent = await hook.ami.action(
                "BlindTransfer", Channel=far["Channel"], Context="from-accounts", Exten="112"
            )
            assert sent["Response"] == "Success"
            await hook.bridged("112")
            assert await limits("globex") == set()


async def test_caller_whose_number_has_line_breaks_is_refused(hook: Hook) -> None:
    """Leased or not: it could write into the events that its calls are counted by."""
    await hook.order("lease/splits", str(int(time.time()) + 600))
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "allow:0:0:0::", asked):
        assert (await hook.call(Call("splits", "7097"))).codes == {484: 1}
    assert asked == []


# --- after an emergency call

async def test_who_called_for_help_is_called_back_though_everything_else_is_refused(hook: Hook) -> None:
    """Nobody is alive, the account is blocked by a word, braked, and the site fails closed."""
    until = int(time.time()) + 600
    await hook.heartbeat(age=3600)
    await hook.settings(ENF_FAIL="closed", ENF_EMERGENCY_WINDOW="")
    await hook.order("word/helped", f"{until}:block:21:0:0:standing:")
    await hook.order("brake/helped", f"{until}:1:1")
    back = "13035550189"
    try:
        assert await hook.codes(Call("psap", "12025550186")) == [403]
        test, refused = await hook.codes(Call("helped", "933"), Call("psap", "12025550187"))
        assert (test, refused in (403, 503)) == (200, True)
        assert await hook.codes(Call("helped", "112")) == [200]
        # Whoever calls it; it calls back who called it last, however that is written; and nobody else.
        placed = await hook.call(*[Call("psap", "12025550188")] * 3)
        assert placed.codes == {200: 3}
        assert (await hook.cdr("12025550188"))[17] == "emergency;allow:0:0:0::"
        assert await hook.codes(Call("helped", back), Call("helped", f"+{back}"), Call("helped", "911")) == [
            200, 200, 200
        ]
        assert set(await hook.codes(Call("helped", "14045550188"))) <= {403, 503}
        await hook.settings(ENF_EMERGENCY_WINDOW="0")
        assert set(await hook.codes(Call("psap", "12025550185"), Call("helped", f"1{back}"))) <= {403, 503}
    finally:
        await hook.settings(ENF_EMERGENCY_WINDOW="")
        for kind in ("word", "brake"):
            await hook.ami.action("DBDelTree", Family="enforcer", Key=f"{kind}/helped")


async def test_who_calls_back_is_noted_though_the_account_has_a_lease(hook: Hook) -> None:
    """Nobody is asked, and the enforcer is told of the emergency call, which it may not have seen."""
    until = int(time.time()) + 600
    await hook.settings(ENF_EMERGENCY_WINDOW="")
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "block:21:0:0::", asked), hook.switch.ami("enforcer") as link:
        await hook.order("lease/helped", str(until))
        assert await hook.codes(Call("helped", "112"), Call("psap", "12025550184")) == [200, 200]
        told = await link.event("UserEvent", UserEvent="EnfBack")
        assert (told["Account"], told["Direction"], told["Number"]) == ("helped", "inbound", "12025550184")
        assert until - 700 < int(told["Since"]) <= until
        # With a lease the account still asks nobody about its other calls.
        assert await hook.codes(Call("helped", "14045550183")) == [200]
        assert asked == []
        await hook.ami.action("DBDelTree", Family="enforcer", Key="lease/helped")
        assert await hook.codes(Call("helped", "13035550189"), Call("helped", "14045550182")) == [200, 403]
        # A window that is long over costs a lease nothing.
        await hook.order("lease/helped", str(until))
        await hook.settings(ENF_EMERGENCY_WINDOW="0")
        assert await hook.codes(Call("helped", "14045550181")) == [200]
        assert [question["Number"] for question in asked] == ["14045550182"]
    await hook.settings(ENF_EMERGENCY_WINDOW="")
    await hook.ami.action("DBDelTree", Family="enforcer", Key="lease/helped")


async def test_an_odd_account_name_never_stands_in_the_way_of_an_emergency_call(hook: Hook) -> None:
    calls = [Call(name, "112") for name in ODD_ACCOUNTS]
    assert (await hook.call(*calls)).codes == {200: len(calls)}


async def test_an_emergency_call_waits_for_no_lock_of_astdb(hook: Hook) -> None:
    """The switch's database is locked by somebody else for as long as it takes."""
    paths = list(hook.switch.directory.rglob("astdb.sqlite3"))
    with sqlite3.connect(paths[0], isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            placed = await asyncio.wait_for(hook.call(Call("a19", "112")), 10)
        finally:
            other.execute("ROLLBACK")
    assert placed.codes == {200: 1}
