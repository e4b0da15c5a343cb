"""FreeSWITCH asks over HTTP: the door on real sockets, and the dialplan on the fake switch.

What is said here was seen on a real FreeSWITCH 1.11.3 as well; that one is not at hand where tests run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision, Verdict
from enforcer.errors import WireError
from enforcer.switch.http_door import HttpDoor, Outcome
from enforcer.wire.answer import answer_line
from enforcer.wire.http_door import attempt_of
from lab.fake_freeswitch import FakeFreeswitch

NUMBER = "12025550142"
QUESTION = f"outbound;acme;{NUMBER};c-1;;carrier;12025550101"
ANSWER = b"allow:0:0:0::d1-2f"
ALLOW, BLOCK = {"verdict": Verdict.ALLOW}, {"verdict": Verdict.BLOCK, "sip_code": 403, "tags": ("minutes",)}
TAG = {"verdict": Verdict.TAG, "tags": ("asr.warning",)}


def asked(question: str = QUESTION, path: str = "") -> bytes:
    """As mod_curl puts it."""
    return (
        f"POST /{path} HTTP/1.1\r\nHost: 127.0.0.1:8090\r\nUser-Agent: freeswitch-curl/1.0\r\nAccept: */*\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(question)}\r\n\r\n{question}"
    ).encode()


class Scripted:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[CallAttempt] = []
        self.answer: dict[str, object] = ALLOW

    def admit(self, attempt: CallAttempt) -> Decision:
        self.asked.append(attempt)
        told = dict(self.answer)
        verdict = told.pop("verdict")
        return Decision(
            "d1-2f", attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, verdict, verdict, **told,  # type: ignore[arg-type]
        )

    def curl(self, url: str, question: str) -> str:
        """What mod_curl would bring back, without the sockets between."""
        try:
            return answer_line(self.admit(attempt_of(question, "fs1", 7.5)))
        except WireError:
            return ""


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
async def door(scripted: Scripted) -> AsyncIterator[HttpDoor]:
    async with HttpDoor(scripted, "fs1", clock=lambda: 7.5, port=0, deadline=0.05) as door:
        yield door


@pytest.fixture
async def switch(scripted: Scripted) -> AsyncIterator[FakeFreeswitch]:
    async with FakeFreeswitch(second=0.05) as switch:
        switch.globals["enf_ask"] = "http://127.0.0.1:8090"
        switch.curl = scripted.curl
        left(switch, "hb")
        yield switch


def left(switch: FakeFreeswitch, key: str, rest: str = "", until: float = 60) -> None:
    """What the enforcer has left on the switch, with its end."""
    switch.api("hash", f"insert/enf/{key}/{int(switch.clock() + until)}{rest}")


async def said(door: HttpDoor, data: bytes) -> bytes:
    """All that the door answers to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(data)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def counted(door: HttpDoor, outcome: Outcome) -> None:
    async with asyncio.timeout(5):
        while not door.counts[outcome]:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_call_asks_in_one_round_trip(door: HttpDoor, scripted: Scripted) -> None:
    answer = await said(door, asked())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + ANSWER)
    await counted(door, Outcome.ANSWERED)
    [attempt] = scripted.asked
    assert (attempt.account, attempt.number, attempt.at) == ("acme", NUMBER, 7.5)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Outcome.MALFORMED), (asked()[:-1], Outcome.SILENT),
        (asked("outbound;acme;1202;x"), Outcome.MALFORMED), (b"", Outcome.SILENT),
    ],
    ids=["get", "half", "no question", "silent"],
)  # fmt: skip
async def test_what_is_no_question_costs_a_closed_connection(
    door: HttpDoor, scripted: Scripted, data: bytes, outcome: Outcome
) -> None:
    assert await said(door, data) == b""
    await counted(door, outcome)
    assert scripted.asked == []


async def test_a_door_that_cannot_decide_closes(door: HttpDoor, scripted: Scripted) -> None:
    scripted.answer = {"verdict": None}
    assert await said(door, asked()) == b""
    await counted(door, Outcome.FAULT)


async def test_what_is_asked_is_what_is_dialled(switch: FakeFreeswitch, scripted: Scripted) -> None:
    call = await switch.call("acme", NUMBER)
    [attempt] = scripted.asked
    assert (attempt.call_id, attempt.account, attempt.number) == (f"fs1/{call.uuid}", "acme", NUMBER)
    assert (call.code, call.passes, [leg[""] for leg in call.legs]) == (200, 1, [NUMBER])
    assert call.variables["userfield"] == "live;allow:0:0:0::d1-2f"
    assert (call.variables["ENF_VERDICT"], call.variables["ENF_DECISION"]) == ("allow", "d1-2f")
    assert not switch.tasks, "it needs no guard"


@pytest.mark.parametrize(
    ("written", "told"), [("a84b@[2001:db8::7]", "a84b@[2001:db8::7]"), ("a 84b", ""), ("", "")]
)
async def test_the_sip_call_id_is_told_where_it_can_be(
    switch: FakeFreeswitch, scripted: Scripted, written: str, told: str
) -> None:
    scripted.answer = BLOCK
    call = await switch.call("acme", NUMBER, sip_call_id=written)
    assert (call.code, call.headers) == (403, {"X-Enforcer-Decision": "d1-2f"})
    assert [attempt.sip_call_id for attempt in scripted.asked] == [told]


async def test_blocked_and_tagged_as_by_the_other_door(switch: FakeFreeswitch, scripted: Scripted) -> None:
    scripted.answer = BLOCK
    call = await switch.call("acme", NUMBER)
    assert (call.code, call.legs, call.variables["userfield"]) == (403, (), "live;block:21:0:0:minutes:d1-2f")
    scripted.answer = TAG
    call = await switch.call("acme", NUMBER, **{"sip_h_X-Enforcer-Tag": "forged"})
    told = {"X-Enforcer-Tag": "asr.warning", "X-Enforcer-Decision": "d1-2f"}
    assert call.legs == ({"": NUMBER} | told,)


@pytest.mark.parametrize("word", ["", ":block:21:0:0:minutes:d1-2f"])
async def test_where_nobody_answers_word_and_default_hold(switch: FakeFreeswitch, word: str) -> None:
    switch.curl = lambda url, question: ""
    if word:
        left(switch, "word.acme", word)
    call = await switch.call("acme", NUMBER)
    assert call.code == (403 if word else 200)
    assert call.variables["userfield"] == (f"word;{word[1:]}" if word else "default;allow:0:0:0::")


async def test_what_is_no_answer_line_is_none(switch: FakeFreeswitch) -> None:
    for answer in ("<html>502</html>", "allow:21:0:0::", "allow:0:0:0::x|ENF_CAUSE=0", "-ERR no reply\n"):
        switch.curl = lambda url, question, answer=answer: answer
        call = await switch.call("acme", NUMBER)
        assert (call.code, call.variables["userfield"]) == (200, "default;allow:0:0:0::"), answer


async def test_asks_nobody_where_leased_stale_or_an_emergency(
    switch: FakeFreeswitch, scripted: Scripted
) -> None:
    assert (await switch.call("acme", "911")).code == 200
    left(switch, "lease.acme")
    assert (await switch.call("acme", NUMBER)).code == 200
    left(switch, "lease.acme", until=-1)
    left(switch, "hb", until=-1)
    assert (await switch.call("acme", NUMBER)).code == 200
    assert scripted.asked == []


async def test_a_callers_number_that_is_none_is_not_told(switch: FakeFreeswitch, scripted: Scripted) -> None:
    for caller in ("${hash(insert/enf/lease.acme/9999999999)}", "a b;c", "x" * 65, "1202555\n0101"):
        await switch.call(caller, NUMBER, accountcode="acme")
    assert [(attempt.account, attempt.caller) for attempt in scripted.asked] == [("acme", "")] * 4
    assert not any("lease" in key for key in switch.hash)


async def test_a_transferred_call_is_asked_about_again(switch: FakeFreeswitch, scripted: Scripted) -> None:
    calling = asyncio.create_task(switch.call("acme", NUMBER, talk=3600), name="transferred")
    async with asyncio.timeout(5):
        while not any(channel.answered for channel in switch.channels.values()):  # noqa: ASYNC110
            await asyncio.sleep(0)
    [uuid] = [channel.uuid for channel in switch.channels.values() if channel.direction == "inbound"]
    scripted.answer = BLOCK
    switch.api("uuid_transfer", f"{uuid} 12025550143 XML default")
    call = await asyncio.wait_for(calling, 5)
    assert [attempt.number for attempt in scripted.asked] == [NUMBER, "12025550143"]
    assert {attempt.call_id for attempt in scripted.asked} == {f"fs1/{call.uuid}"}
    assert (call.passes, call.cause) == (2, 21), "a call that is up is hung up"
    assert call.variables["enforcer_number"] == NUMBER, "the CDR has what was dialled first"


TOKENS = {"fs1": "one-0123456789abcdef", "fs2": "two-0123456789abcdef"}


async def say(door: HttpDoor, path: str) -> bytes:
    """What one question is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(asked(path=path))
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("tokens", [{"fs1": "", "fs2": ""}, TOKENS])
async def test_two_switches_are_told_apart_by_their_names_and_tokens(
    scripted: Scripted, tokens: dict[str, str]
) -> None:
    faults: list[Exception] = []
    one, two = (
        HttpDoor(scripted, name, clock=lambda: 7.5, port=0, on_fault=faults.append) for name in ("fs1", "fs2")
    )
    async with one, two:
        for door in (one, two):
            door.token, door.known = tokens[door.switch], tokens
            for name, token in tokens.items():
                answer = await say(door, f"{name}/{token}".removesuffix("/"))
                assert answer.endswith(ANSWER) is (name == door.switch)
    assert [attempt.switch for attempt in scripted.asked] == ["fs1", "fs2"]
    assert one.counts == two.counts == Counter({Outcome.ANSWERED: 1, Outcome.FOREIGN: 1})
    assert [str(fault) for fault in faults] == [
        "fs2 asks at the door of fs1: see enf_ask there", "fs1 asks at the door of fs2: see enf_ask there",
    ]


@pytest.mark.parametrize("path", ["", "fs1", "fs1/", f"fs1/{TOKENS['fs2']}", f"fs1/{TOKENS['fs1']}x",
                                  f"fs2/{TOKENS['fs1']}", f"/{TOKENS['fs2']}", TOKENS["fs1"]])
async def test_who_has_not_the_token_is_not_answered_and_the_token_is_told_to_nobody(
    scripted: Scripted, path: str
) -> None:
    faults: list[Exception] = []
    async with HttpDoor(scripted, "fs1", clock=lambda: 7.5, port=0, on_fault=faults.append) as door:
        door.token = TOKENS["fs1"]
        assert await say(door, path) == b""
        assert scripted.asked == []
        assert (await say(door, f"fs1/{TOKENS['fs1']}")).endswith(ANSWER)
    assert len(faults) == 1
    assert not any(token in str(faults[0]) for token in TOKENS.values())


async def test_who_asks_at_anothers_door_for_ever_does_not_fill_the_log(scripted: Scripted) -> None:
    faults: list[Exception] = []
    async with HttpDoor(scripted, "fs1", clock=lambda: 7.5, port=0, on_fault=faults.append) as door:
        for _ in range(40):
            await say(door, "fs2")
    assert (door.misled, len(faults)) == (40, 12)


@pytest.mark.parametrize("path", ["/fs1", f"/fs1/{TOKENS['fs1']}"])
async def test_dialplan_asks_where_its_name_and_token_are_in_the_address(
    switch: FakeFreeswitch, path: str
) -> None:
    asked_at: list[str] = []
    curl = switch.curl
    switch.curl = lambda url, question: (asked_at.append(url), curl(url, question))[1]
    switch.globals["enf_ask"] += path
    await switch.call("acme", NUMBER)
    assert asked_at == [f"http://127.0.0.1:8090{path}"]
