"""The dialplan hook on a real Asterisk where nobody answers: what was left on the switch counts, and no call
waits for longer than the deadline, whatever is at the door or on the link.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from enforcer.domain.decision import Verdict
from lab.ami import Message
from lab.process import free_port
from lab.sipp import Call
from tests.support import hook as at_hook
from tests.support.hook import Hook, answered, answered_by_ami, decision, ways
from tests.support.phone import Phone

asterisk, hook = at_hook.asterisk, at_hook.hook

serials = itertools.count(1000)     # of numbers that no two tests may share


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
        seconds = Counter(int(at) for at in began)
        allowed = sum(min(5, count) for count in seconds.values())
        if placed.codes[200] == allowed:    # else one began late in a second, and was counted in the next
            break
    assert placed.codes[200] == allowed
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


async def test_local_and_off_ask_nobody(hook: Hook) -> None:
    await hook.order("word/a17", f"{int(time.time()) + 600}:block:21:0:0::")
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "block:16:0:0::", asked):
        await hook.settings(ENF_ASK="local")
        assert await hook.codes(Call("a17", "1087"), Call("a18", "2087")) == [403, 200]
        await hook.settings(ENF_ASK="off")
        assert await hook.codes(Call("a17", "1088"), Call("a18", "2088")) == [200, 200]
    assert asked == []


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
