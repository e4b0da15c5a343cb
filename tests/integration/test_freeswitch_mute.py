"""The hook of FreeSWITCH beside an enforcer that leaves many questions without an answer: nobody is asked for
a while, what holds meanwhile is what holds where nobody answers, and one call tries for all until it is
answered.

Run by the fake switch. What is said here was seen on a real FreeSWITCH 1.11.3 under load as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.switch.esl_door import EslDoor
from lab.fake_freeswitch import FakeCall, FakeFreeswitch
from tests.integration.test_freeswitch_hook import ANSWERS, NUMBER, Scripted, left, live, until

LONG = 1000.0       # s that a second lasts where the scheduler has to leave things alone
WAYS = ("door", "http")


class Beside:
    """A switch, and an enforcer that answers or hangs up on who asks, over the way at hand."""

    def __init__(self, switch: FakeFreeswitch, way: str) -> None:
        self.switch, self.way = switch, way
        self.answers = False
        self.questions = 0
        self.late = 0.0             # s until it answers
        switch.clock = lambda: self.now
        self.now = 1_800_000_000.0
        left(switch, "hb", until=3600)

    async def came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The door."""
        self.questions += 1
        self.now += self.late
        if self.answers:
            writer.write(b"connect\n\n")
            await reader.readuntil(b"\n\n")
            writer.write(b"sendmsg\ncall-command: execute\nexecute-app-name: multiset\n"
                         b"execute-app-arg: ^^;ENF_ANSWER=allow:0:0:0::d1\n\nexit\n\n")  # fmt: skip
            await reader.read()
        writer.close()

    def curl(self, _url: str, _question: str) -> str:
        """The same over HTTP."""
        self.questions += 1
        self.now += self.late
        return "allow:0:0:0::d1" if self.answers else ""

    async def call(self, number: str = NUMBER, account: str = "acme") -> FakeCall:
        """One that does not talk."""
        return await asyncio.wait_for(self.switch.call(account, number, talk=0), 5)

    async def mute(self) -> None:
        """Ten of another account whom nobody answers."""
        self.now += 1
        self.questions = 0
        for _ in range(10):
            assert "enf_mute" not in self.switch.hash
            await self.call(account="initech")
        assert (self.questions, "enf_mute" in self.switch.hash) == (10, True)
        self.questions = 0


@pytest.fixture(params=WAYS)
async def beside(request: pytest.FixtureRequest) -> AsyncIterator[Beside]:
    async with FakeFreeswitch(second=LONG) as switch:
        it = Beside(switch, request.param)
        server = await asyncio.start_server(it.came, "127.0.0.1", 0)
        async with server:
            switch.globals["enf_door"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            if it.way == "http":
                switch.globals["enf_ask"] = "http://127.0.0.1:8090"
                switch.curl = it.curl
            yield it


async def test_ten_of_a_second_without_an_answer_and_nobody_is_asked(beside: Beside) -> None:
    for _ in range(9):
        await beside.call()
    beside.now += 1
    for _ in range(9):
        await beside.call()
    assert beside.questions == 18, "nine of one second, and nine of the next"
    await beside.call()
    for _ in range(20):
        call = await beside.call()
        assert (call.code, call.variables["userfield"]) == (200, "default;allow:0:0:0::")
    beside.now += 30
    await beside.call()
    assert beside.questions == 19, "whoever else has the time to look"


@pytest.mark.parametrize(
    ("leaves", "fail", "codes", "userfield"),
    [
        ((), "open", [200, 200], "default;allow:0:0:0::"),
        ((), "closed", [503, 503], "default;block:42:0:0::"),
        ((("word.acme", ":block:21:0:0:a:d1-2f"),), "open", [403, 403], "word;block:21:0:0:a:d1-2f"),
        ((("word.acme", ":tag:0:0:0:slow:"),), "closed", [200, 200], "word;tag:0:0:0:slow:"),
        ((("brake.acme", ":0:1"),), "open", [200, 503], "brake;throttle:42:0:0:brake:"),
        ((("brake.acme", ":0:1"),), "closed", [503, 503], "brake;throttle:42:0:0:brake:"),
    ],
)
async def test_who_is_not_asked_about_goes_as_who_is_not_answered(
    beside: Beside, leaves: tuple[tuple[str, str], ...], fail: str, codes: list[int], userfield: str
) -> None:
    """Also call by call: the second of two is what the second of two unanswered ones is."""
    beside.switch.globals["enf_fail"] = fail
    for key, rest in leaves:
        left(beside.switch, key, rest)
    unanswered = [await beside.call() for _ in range(2)]
    await beside.mute()
    beside.now += 1
    unasked = [await beside.call() for _ in range(2)]
    assert beside.questions == 0
    for calls in (unanswered, unasked):
        assert [call.code for call in calls] == codes
        assert calls[-1].variables["userfield"] == userfield


async def test_emergency_leased_and_refused_calls_are_what_they_were(beside: Beside) -> None:
    await beside.mute()
    left(beside.switch, "word.acme", ":block:21:0:0:minutes:d1-2f")
    left(beside.switch, "lease.globex")
    assert [(await beside.call(number)).code for number in ("112", "911", NUMBER)] == [200, 200, 403]
    leased = await beside.call(account="globex")
    assert (leased.code, leased.variables["enf_source"]) == (200, "lease")
    assert not {"enf_mute", "enf_asked"} & set(leased.variables)
    beside.switch.hash.pop("enf_try")
    assert [(await beside.call(number)).code for number in ("112", "911")] == [200, 200]
    assert ("enf_try" in beside.switch.hash, beside.questions) == (False, 0), "they do not try for others"


async def test_one_tries_for_all_until_three_in_turn_are_answered_at_once(beside: Beside) -> None:
    await beside.mute()
    for tries, answers in enumerate((False, False, True, True, False, True, True, True), 1):
        beside.now += 2
        assert beside.switch.hash.pop("enf_try"), "as the scheduler does, one to two seconds later"
        beside.answers = answers
        first, *others = [await beside.call() for _ in range(5)]
        source, decision = ("live", "d1") if answers else ("default", "")
        assert first.variables["userfield"] == f"{source};allow:0:0:0::{decision}"
        if tries < 8:
            assert {call.variables["userfield"] for call in others} == {"default;allow:0:0:0::"}
            assert beside.questions == tries
    assert {call.variables["userfield"] for call in others} == {"live;allow:0:0:0::d1"}
    assert beside.questions == 12
    assert not {"enf_mute", "enf_try"} & set(beside.switch.hash)
    assert not beside.switch.tasks


async def test_try_that_is_answered_late_is_none(beside: Beside) -> None:
    await beside.mute()
    beside.answers = True
    for _ in range(5):
        beside.late = 1.0
        beside.switch.hash.pop("enf_try")
        assert (await beside.call()).variables["userfield"] == "live;allow:0:0:0::d1"
    assert re.fullmatch(r"\d{10}", beside.switch.hash["enf_mute"])


async def test_nobody_is_asked_or_tries_where_the_heartbeat_is_old(beside: Beside) -> None:
    await beside.mute()
    beside.switch.hash.pop("enf_try")
    left(beside.switch, "hb", until=-1)
    await beside.call()
    beside.switch.globals["enf_ask"] = "local"
    left(beside.switch, "hb", until=60)
    await beside.call()
    assert ("enf_try" in beside.switch.hash, beside.questions) == (False, 0)


async def test_mute_ends_with_nobody_alive_and_no_call_that_tries(beside: Beside) -> None:
    await beside.mute()
    assert len(beside.switch.tasks) == 2
    beside.switch.time_passes(5)
    assert ("enf_try" in beside.switch.hash, "enf_mute" in beside.switch.hash) == (False, True)
    beside.switch.time_passes(11)
    assert not {"enf_mute", "enf_try"} & set(beside.switch.hash)
    assert not beside.switch.tasks


@contextlib.asynccontextmanager
async def silent_door() -> AsyncIterator[tuple[str, list[None]]]:
    """Its address, and as many as came."""
    came: list[None] = []

    async def frozen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(None)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(frozen, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", came


async def test_try_of_a_caller_who_hangs_up_does_not_silence_the_hook_for_ever() -> None:
    async with silent_door() as (address, came), FakeFreeswitch(door=address, second=LONG) as switch:
        left(switch, "hb", until=3600)
        waiting = [asyncio.create_task(switch.call("acme", NUMBER, talk=0), name="asks") for _ in range(12)]
        await until(lambda: len(came) == 12)
        switch.time_passes(3)
        calls = await asyncio.gather(*waiting)
        assert {call.variables["userfield"] for call in calls} == {"default;allow:0:0:0::"}
        assert {call.passes for call in calls} == {2}, "the guard took them back"
        switch.time_passes(3)
        assert ("enf_try" in switch.hash, "enf_mute" in switch.hash) == (False, True)
        trying = asyncio.create_task(switch.call("acme", NUMBER), name="trying")
        await until(lambda: len(came) == 13)
        assert "enf_try" in switch.hash
        switch.hang_up(live(switch)[0].uuid, 487)
        assert (await trying).legs == ()
        switch.time_passes(5)
        assert ("enf_try" in switch.hash, "enf_mute" in switch.hash) == (False, True)


async def test_at_most_fifty_wait_at_the_door_at_a_time() -> None:
    """The others go at once, as if nobody answered, and say nothing about whoever was asked."""
    async with silent_door() as (address, came), FakeFreeswitch(door=address, second=LONG) as switch:
        left(switch, "hb", until=3600)
        waiting = [asyncio.create_task(switch.call("acme", NUMBER, talk=0), name="asks") for _ in range(50)]
        await until(lambda: len(came) == 50)
        for _ in range(12):
            call = await switch.call("acme", NUMBER, talk=0)
            assert (call.passes, call.variables["userfield"]) == (1, "default;allow:0:0:0::")
        assert (await switch.call("acme", "112", talk=0)).code == 200
        assert (len(came), "enf_mute" in switch.hash) == (50, False)
        switch.time_passes(3)
        assert {call.passes for call in await asyncio.gather(*waiting)} == {2}
        assert switch.api("limit_usage", "hash enf_asking all") == "0"


async def test_enforcer_that_is_well_again_decides_again() -> None:
    scripted = Scripted()
    scripted.answer = ANSWERS["block"]
    async with EslDoor(scripted, "fs1", clock=lambda: 7.5, port=0) as door, FakeFreeswitch(
        second=LONG, clock=lambda: 1_800_000_000.0
    ) as switch:
        left(switch, "hb", until=3600)
        for _ in range(15):
            assert (await switch.call("acme", NUMBER, talk=0)).code == 200
        switch.globals["enf_door"] = f"127.0.0.1:{door.port}"
        for _ in range(3):
            switch.hash.pop("enf_try")
            assert (await switch.call("acme", NUMBER, talk=0)).code == 403
        assert (await switch.call("acme", NUMBER, talk=0)).code == 403
    assert len(scripted.asked) == 4


steps = st.lists(st.sampled_from(["refused", "answered", "second", "try free"]), max_size=40)


@settings(max_examples=25, deadline=None)
@given(steps, st.sampled_from(WAYS))
def test_whatever_comes_nothing_of_it_stays_on_the_switch(done: list[str], way: str) -> None:
    asyncio.run(_day(done, way))


async def _day(done: list[str], way: str) -> None:
    async with FakeFreeswitch(second=0.001) as switch:
        it = Beside(switch, way)
        async with await asyncio.start_server(it.came, "127.0.0.1", 0) as server:
            switch.globals["enf_door"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            if way == "http":
                switch.globals["enf_ask"], switch.curl = "http://127.0.0.1:8090", it.curl
            for step in done:
                it.answers = step == "answered"
                if step == "second":
                    it.now += 1
                elif step == "try free":
                    switch.hash.pop("enf_try", None)
                else:
                    for _ in range(4 if step == "refused" else 1):
                        assert (await it.call()).code == 200
            await until(lambda: not switch.tasks)
            assert not {"enf_mute", "enf_try"} & set(switch.hash)
