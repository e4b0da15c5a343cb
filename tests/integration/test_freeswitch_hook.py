"""The dialplan that we ship for FreeSWITCH, run by the fake switch, with the real door behind it.

What is said here was seen on a real FreeSWITCH 1.11.3 as well; that one is not at hand where tests run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision, Verdict
from enforcer.switch.esl_door import EslDoor, Outcome
from enforcer.wire.answer import CAUSE_OF_SIP_CODE
from lab.fake_freeswitch import OUT, FakeFreeswitch
from lab.fs_channel import Channel

DIALPLAN = Path(__file__).parents[2] / "dialplan"
NUMBER = "12025550142"
ANSWERS: dict[str, dict[str, Any]] = {
    "allow": {"verdict": Verdict.ALLOW},
    "block": {"verdict": Verdict.BLOCK, "sip_code": 403, "tags": ("minutes",)},
    "shed": {"verdict": Verdict.THROTTLE, "sip_code": 503, "shed": True},
    "held": {"verdict": Verdict.THROTTLE, "hold": 0.350},
    "held long": {"verdict": Verdict.THROTTLE, "hold": 31.5},
    "tag": {"verdict": Verdict.TAG, "tags": ("asr.warning", "cps")},
    "cap": {"verdict": Verdict.ALLOW, "max_duration": 3},
}
SECOND = 0.05


class Scripted:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[CallAttempt] = []
        self.answer: dict[str, Any] = ANSWERS["allow"]

    def admit(self, attempt: CallAttempt) -> Decision:
        self.asked.append(attempt)
        told = dict(self.answer)
        verdict = told.pop("verdict")
        return Decision(
            "d1-2f", attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, verdict, verdict, **told,
        )


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
async def door(scripted: Scripted) -> AsyncIterator[EslDoor]:
    async with EslDoor(scripted, "fs1", clock=lambda: 7.5, port=0) as door:
        yield door


@pytest.fixture
async def switch(door: EslDoor) -> AsyncIterator[FakeFreeswitch]:
    async with FakeFreeswitch(door=f"127.0.0.1:{door.port}", second=SECOND) as switch:
        left(switch, "hb")
        yield switch


def left(switch: FakeFreeswitch, key: str, rest: str = "", until: float = 60) -> None:
    """What the enforcer has left on the switch, with its end."""
    switch.api("hash", f"insert/enf/{key}/{int(switch.clock() + until)}{rest}")


async def until(true: Callable[[], object]) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0)


def live(switch: FakeFreeswitch) -> list[Channel]:
    """The calls, without the legs dialled."""
    return [channel for channel in switch.channels.values() if channel.direction == "inbound"]


async def test_what_is_asked_is_what_is_dialled(switch: FakeFreeswitch, scripted: Scripted) -> None:
    call = await switch.call("acme", NUMBER, sip_call_id="a84b@[2001:db8::7]")
    [attempt] = scripted.asked
    assert (attempt.call_id, attempt.account, attempt.number) == (f"fs1/{call.uuid}", "acme", NUMBER)
    assert attempt.sip_call_id == "a84b@[2001:db8::7]"
    assert (call.code, call.passes, [leg[""] for leg in call.legs]) == (200, 1, [NUMBER])
    assert call.variables["userfield"] == "live;allow:0:0:0::d1-2f"
    assert (call.variables["ENF_VERDICT"], call.variables["ENF_DECISION"]) == ("allow", "d1-2f")
    assert "socket_resume" not in call.variables
    assert not switch.tasks, "the guard is gone"


async def test_blocked_call_is_refused_and_says_why(switch: FakeFreeswitch, scripted: Scripted) -> None:
    scripted.answer = ANSWERS["block"]
    call = await switch.call("acme", NUMBER)
    assert (call.code, call.phrase, call.legs) == (403, "Blocked by policy", ())
    assert call.variables["ENF_VERDICT"] == "block"
    assert call.variables["userfield"] == "live;block:21:0:0:minutes:d1-2f"
    assert call.headers == {"X-Enforcer-Decision": "d1-2f"}


@pytest.mark.parametrize("code", sorted(CAUSE_OF_SIP_CODE))
async def test_every_code_a_policy_may_ask_for_is_what_the_caller_gets(
    switch: FakeFreeswitch, scripted: Scripted, code: int
) -> None:
    scripted.answer = {"verdict": Verdict.BLOCK, "sip_code": code}
    call = await switch.call("acme", NUMBER)
    assert (call.code, call.legs) == (code, ())
    assert ("Retry-After" in call.headers) == (code == 503)


async def test_shed_call_is_told_when_to_come_back(switch: FakeFreeswitch, scripted: Scripted) -> None:
    scripted.answer = ANSWERS["shed"]
    call = await switch.call("acme", NUMBER)
    assert (call.code, call.legs) == (503, ())
    assert call.headers == {"Retry-After": "5", "X-Enforcer-Decision": "d1-2f"}
    assert (call.variables["ENF_VERDICT"], call.cause) == ("throttle", 41)


@pytest.mark.parametrize(("kind", "slept"), [("held", 350), ("held long", 30_000)])
async def test_held_call_waits_its_turn_and_goes(
    switch: FakeFreeswitch, scripted: Scripted, kind: str, slept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept_for: list[str] = []

    async def sleep(_channel: object, data: str) -> None:
        slept_for.append(data)

    monkeypatch.setattr(switch, "_app_sleep", sleep)
    scripted.answer = ANSWERS[kind]
    call = await switch.call("acme", NUMBER)
    assert call.code == 200
    assert [int(data) for data in slept_for] == [slept]


async def test_caller_who_hangs_up_while_held_dials_nobody(
    switch: FakeFreeswitch, scripted: Scripted
) -> None:
    scripted.answer = ANSWERS["held long"]
    calling = asyncio.create_task(switch.call("acme", NUMBER), name="held")
    await until(lambda: any("enf_hold" in channel.variables for channel in live(switch)))
    switch.hang_up(live(switch)[0].uuid, 487)
    assert (await calling).legs == ()


async def test_tag_goes_out_with_the_leg_and_the_callers_own_does_not(
    switch: FakeFreeswitch, scripted: Scripted
) -> None:
    scripted.answer = ANSWERS["tag"]
    forged = {"sip_h_X-Enforcer-Tag": "forged", "sip_h_X-Enforcer-Decision": "forged"}
    call = await switch.call("acme", NUMBER, **forged)
    told = {"X-Enforcer-Tag": "asr.warning+cps", "X-Enforcer-Decision": call.variables["ENF_DECISION"]}
    assert call.legs == ({"": NUMBER} | told,)
    assert call.variables["ENF_TAG"] == "asr.warning+cps"
    scripted.answer = ANSWERS["allow"]
    call = await switch.call("acme", NUMBER, **forged)
    assert call.legs == ({"": NUMBER, "X-Enforcer-Decision": call.variables["ENF_DECISION"]},)
    left(switch, "lease.acme")
    assert (await switch.call("acme", NUMBER, **forged)).legs == ({"": NUMBER},)


async def test_cap_ends_the_call_with_nobody_alive(
    switch: FakeFreeswitch, scripted: Scripted, door: EslDoor
) -> None:
    scripted.answer = ANSWERS["cap"]
    calling = asyncio.create_task(switch.call("acme", NUMBER, talk=3600), name="capped")
    await until(lambda: door.counts[Outcome.ANSWERED])
    await door.stop()
    call = await asyncio.wait_for(calling, 5)
    assert (call.code, call.cause) == (200, 602), "ALLOTTED_TIMEOUT"


@pytest.mark.parametrize("number", ["112", "911", "933", "999"])
async def test_emergency_asks_nobody_whatever_was_left(
    switch: FakeFreeswitch, scripted: Scripted, number: str
) -> None:
    left(switch, "word.acme", ":block:21:0:0:minutes:d1-2f")
    left(switch, "brake.acme", ":1:1")
    switch.globals["enf_fail"] = "closed"
    calls = await asyncio.gather(*(switch.call("acme", number, talk=1) for _ in range(5)))
    assert [call.code for call in calls] == [200] * 5
    # The same behind a hook that was put where emergency calls pass.
    site = '<context name="default">' + OUT[OUT.index('<extension name="out">') :]
    async with FakeFreeswitch([site], door=switch.globals["enf_door"], second=SECOND) as careless:
        careless.hash = switch.hash
        assert (await careless.call("acme", number)).code == 200
    assert scripted.asked == []


async def test_leased_account_asks_nobody(switch: FakeFreeswitch, scripted: Scripted) -> None:
    left(switch, "lease.acme")
    assert (await switch.call("acme", NUMBER)).code == 200
    assert scripted.asked == []
    left(switch, "lease.acme", until=-1)
    await switch.call("acme", NUMBER)
    assert len(scripted.asked) == 1, "mod_hash forgets nothing: the end is looked at"


async def test_heartbeat_too_old_is_as_if_nobody_answered(switch: FakeFreeswitch, scripted: Scripted) -> None:
    left(switch, "hb", until=-1)
    call = await switch.call("acme", NUMBER)
    assert (call.code, call.variables["userfield"]) == (200, "default;allow:0:0:0::")
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("word", "until", "fail", "code", "userfield"),
    [
        (":block:21:0:0:minutes:d1-2f", 60, "open", 403, "word;block:21:0:0:minutes:d1-2f"),
        (":tag:0:0:0:slow:", 60, "closed", 200, "word;tag:0:0:0:slow:"),
        (":block:21:0:0:minutes:d1-2f", -1, "open", 200, "default;allow:0:0:0::"),
        (":block:21:0:0:minutes:d1-2f", -1, "closed", 503, "default;block:42:0:0::"),
        (":allow:21:0:0::", 60, "closed", 503, "default;block:42:0:0::"),
        ("", 60, "open", 200, "default;allow:0:0:0::"),
        (":block:21:0:0:a;b:", 60, "open", 200, "default;allow:0:0:0::"),
    ],
)
async def test_where_nobody_answers_the_last_word_holds_until_its_end(
    switch: FakeFreeswitch, door: EslDoor, word: str, until: float, fail: str, code: int, userfield: str
) -> None:
    await door.stop()
    left(switch, "word.acme", word, until)
    switch.globals["enf_fail"] = fail
    call = await switch.call("acme", NUMBER)
    assert (call.code, call.variables["userfield"]) == (code, userfield)
    assert ("Retry-After" in call.headers) == (code == 503)


@pytest.mark.parametrize("says", [b"", b"connect\n\n"], ids=["silent", "half silent"])
async def test_door_that_never_answers_gives_the_call_back_and_a_late_answer_changes_nothing(
    switch: FakeFreeswitch, says: bytes
) -> None:
    answer_now, served = asyncio.Event(), asyncio.Event()

    async def frozen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await answer_now.wait()
        writer.write(b"sendmsg\ncall-command: execute\nexecute-app-name: multiset\n"
                     b"execute-app-arg: ^^;ENF_ANSWER=block:21:0:0:late:d9\n\nexit\n\n")  # fmt: skip
        await reader.read()
        writer.close()
        served.set()

    server = await asyncio.start_server(frozen, "127.0.0.1", 0)
    switch.globals["enf_door"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    calling = asyncio.create_task(switch.call("acme", NUMBER, talk=3600), name="asking")
    await until(lambda: any(channel.legs for channel in live(switch)))
    [channel] = live(switch)
    answer_now.set()
    await asyncio.wait_for(served.wait(), 5)
    assert channel.ready
    assert not channel.reset, "the call goes on"
    switch.hang_up(channel.uuid, 16)
    call = await calling
    assert (call.passes, call.code, call.variables["userfield"]) == (2, 200, "default;allow:0:0:0::")
    server.close()
    await server.wait_closed()


async def test_call_that_the_first_guard_loses_is_fetched_by_the_second(
    switch: FakeFreeswitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real FreeSWITCH an answer that comes in the same moment may leave the call in CS_RESET."""
    taken: list[str] = []
    transfer = switch._api_uuid_transfer

    def lost_once(arguments: str) -> str:
        taken.append(arguments)
        return transfer(arguments) if len(taken) > 1 else "+OK\n"

    async def frozen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(switch, "_api_uuid_transfer", lost_once)
    server = await asyncio.start_server(frozen, "127.0.0.1", 0)
    switch.globals["enf_door"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    call = await asyncio.wait_for(switch.call("acme", NUMBER), 5)
    assert (call.passes, call.code, len(taken)) == (2, 200, 2)
    assert not switch.tasks
    server.close()
    await server.wait_closed()


async def test_late_call_is_let_go_of_by_the_guard_even_if_it_has_a_lease_by_then(
    switch: FakeFreeswitch,
) -> None:
    async def frozen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left(switch, "lease.acme")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(frozen, "127.0.0.1", 0)
    switch.globals["enf_door"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    call = await asyncio.wait_for(switch.call("acme", NUMBER, talk=10), 5)
    assert (call.passes, call.code, len(call.legs)) == (2, 200, 1)
    server.close()
    await server.wait_closed()


async def test_caller_who_cancels_while_asking_is_gone_at_once(switch: FakeFreeswitch) -> None:
    there = asyncio.Event()

    async def frozen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(frozen, "127.0.0.1", 0)
    switch.globals["enf_door"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    calling = asyncio.create_task(switch.call("acme", NUMBER), name="asking")
    await asyncio.wait_for(there.wait(), 5)
    [channel] = switch.channels.values()
    switch.hang_up(channel.uuid, 487)
    call = await asyncio.wait_for(calling, 5)
    assert (call.passes, call.legs) == (1, ())
    await until(lambda: not switch.tasks)       # the guard finds no call any more
    server.close()
    await server.wait_closed()


async def test_brake_holds_exactly_while_nobody_answers(switch: FakeFreeswitch, door: EslDoor) -> None:
    left(switch, "brake.acme", ":2:0")
    asked = await asyncio.gather(*(switch.call("acme", NUMBER, talk=2) for _ in range(4)))
    assert [call.code for call in asked] == [200] * 4, "who answers knows the limits"
    await door.stop()
    calls = await asyncio.gather(*(switch.call("acme", NUMBER, talk=2) for _ in range(4)))
    assert sorted(call.code for call in calls) == [200, 200, 503, 503]
    shed = next(call for call in calls if call.code == 503)
    assert shed.variables["userfield"] == "brake;throttle:42:0:0:brake:"
    assert shed.headers == {"Retry-After": "5"}
    assert switch.api("limit_usage", "hash enf_calls acme") == "0", "calls that ended count no more"
    left(switch, "brake.acme", ":2:0", until=-1)
    calls = await asyncio.gather(*(switch.call("acme", NUMBER, talk=2) for _ in range(4)))
    assert [call.code for call in calls] == [200] * 4


async def test_rate_brake_counts_set_ups_of_a_second(switch: FakeFreeswitch, door: EslDoor) -> None:
    await door.stop()
    now = switch.clock()
    switch.clock = lambda: now
    left(switch, "brake.acme", ":0:3")
    calls = [await switch.call("acme", NUMBER, talk=0) for _ in range(5)]
    assert [call.code for call in calls] == [200, 200, 200, 503, 503]
    switch.clock = lambda: now + 1
    assert (await switch.call("acme", NUMBER, talk=0)).code == 200


async def test_leased_account_with_a_brake_is_held_to_it(
    switch: FakeFreeswitch, scripted: Scripted
) -> None:
    left(switch, "lease.acme")
    left(switch, "brake.acme", ":1:0")
    calls = await asyncio.gather(*(switch.call("acme", NUMBER, talk=2) for _ in range(2)))
    assert sorted(call.code for call in calls) == [200, 503]
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("code", "own", "judged"),
    [
        ("acme", "", "acme"), ("acme", "globex", "globex"), ("", "", ""), ("a/b", "", ""),
        ("acme", "a b", ""), ("x" * 81, "", ""), ("acme\n", "", ""),
    ],
)  # fmt: skip
async def test_account_is_what_the_site_says_or_the_account_code_or_none(
    switch: FakeFreeswitch, scripted: Scripted, code: str, own: str, judged: str
) -> None:
    call = await switch.call(code, NUMBER, **({"enforcer_account": own} if own else {}))
    assert call.variables.get("enf_account", "") == judged
    assert [attempt.account for attempt in scripted.asked] == [judged]


HOOK = """<context name="default"><extension name="x">
  <condition field="destination_number" expression="^x$">
  <action application="multiset" data="^^|{}enforcer_again=x XML default"/>
  <action application="execute_extension" data="enforcer XML enforcer"/>
  <action application="bridge" data="sofia/gateway/carrier/1"/></condition></extension></context>"""


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("enforcer_number=1202|", 200), ("enforcer_direction=outbound|", 484), ("enforcer_number=12a|", 484),
        ("enforcer_direction=inbound|enforcer_number=alice|", 200), ("enforcer_number=1 2|", 484),
        ("enforcer_direction=sideways|enforcer_number=12a|", 484), ("enforcer_number=911 |", 484),
        ("enforcer_direction=internal|enforcer_number=alice@x|", 484),
    ],
)  # fmt: skip
async def test_what_would_not_be_dialled_is_not_judged(
    door: EslDoor, scripted: Scripted, said: str, code: int
) -> None:
    async with FakeFreeswitch([HOOK.format(said)], door=f"127.0.0.1:{door.port}", second=SECOND) as switch:
        left(switch, "hb")
        call = await switch.call("acme", "x")
        assert call.code == code
    assert len(scripted.asked) == (code == 200)


async def test_hook_that_says_so_comes_back_from_a_refused_call(door: EslDoor, scripted: Scripted) -> None:
    site = HOOK.format("enforcer_return=true|enforcer_number=1202|")
    scripted.answer = ANSWERS["block"]
    async with FakeFreeswitch([site], door=f"127.0.0.1:{door.port}", second=SECOND) as switch:
        left(switch, "hb")
        call = await switch.call("acme", "x")
    assert call.variables["ENF_STOP"] == "403 Blocked by policy"
    assert call.code == 200, "what follows is the site's own"


async def test_transferred_call_passes_again_with_its_new_number_and_a_new_tag(
    switch: FakeFreeswitch, scripted: Scripted
) -> None:
    scripted.answer = ANSWERS["tag"]
    calling = asyncio.create_task(switch.call("acme", NUMBER, talk=3600), name="transferred")
    await until(lambda: any(channel.answered for channel in live(switch)))
    [channel] = live(switch)
    scripted.answer = ANSWERS["allow"]
    switch.api("uuid_transfer", f"{channel.uuid} 12025550143 XML default")
    await until(lambda: len(channel.legs) == 2)
    scripted.answer = ANSWERS["block"]
    switch.api("uuid_transfer", f"{channel.uuid} 12025550144 XML default")
    call = await asyncio.wait_for(calling, 5)
    assert [attempt.number for attempt in scripted.asked] == [NUMBER, "12025550143", "12025550144"]
    assert {attempt.call_id for attempt in scripted.asked} == {f"fs1/{call.uuid}"}
    assert [leg[""] for leg in call.legs] == [NUMBER, "12025550143"]
    assert ["X-Enforcer-Tag" in leg for leg in call.legs] == [True, False]
    assert (call.passes, call.cause) == (3, 21), "a call that is up is hung up"
    assert call.variables["enforcer_number"] == NUMBER, "the CDR has what was dialled first"


async def test_fusionpbx_entries_reach_the_hook_in_a_context_of_their_own(
    door: EslDoor, scripted: Scripted
) -> None:
    """The substitution is the one of dialplan/README.md."""
    hook = (DIALPLAN / "freeswitch" / "enforcer.xml").read_text()
    hook = re.sub(r'XML enforcer([a-z-]*)"', r'XML enforcer\1@local"', hook)
    hook = re.sub(r'context name="enforcer([a-z-]*)"', r'context name="enforcer\1@local"', hook)
    entries = "".join((DIALPLAN / "fusionpbx" / f"{name}bound.xml").read_text() for name in ("in", "out"))
    route = r"""<extension name="route"><condition field="destination_number" expression="^(\d{11}|911)$">
      <action application="bridge" data="sofia/gateway/carrier/$1"/></condition></extension>"""
    site = f'<context name="pbx.example.org">{entries}{route}</context>'
    async with FakeFreeswitch([site, hook], door=f"127.0.0.1:{door.port}", second=SECOND) as switch:
        left(switch, "hb")
        site_context = {"context": "pbx.example.org", "call_direction": "outbound"}
        assert (await switch.call("acme", NUMBER, **site_context)).code == 200
        scripted.answer = ANSWERS["block"]
        assert (await switch.call("acme", NUMBER, **site_context)).code == 403
        assert (await switch.call("acme", "911", **site_context)).code == 200
        assert (await switch.call("trunk", "12025550101", context="pbx.example.org")).code == 403
    assert [(attempt.account, attempt.direction.value, attempt.number) for attempt in scripted.asked] == [
        ("acme", "outbound", NUMBER), ("acme", "outbound", NUMBER), ("acme", "inbound", "12025550101"),
    ]


def test_the_lines_that_a_site_adds_are_those_that_are_run_here() -> None:
    readme = (DIALPLAN / "README.md").read_text()
    hook = (DIALPLAN / "freeswitch" / "enforcer.xml").read_text()
    lines = [line.strip() for line in OUT.splitlines() if 'XML ${context}"' in line or "XML enforcer" in line]
    assert len(lines) == 2
    assert all(line in readme and line in hook for line in lines)


@pytest.mark.parametrize("path", sorted(DIALPLAN.rglob("*.xml")), ids=lambda path: path.name)
def test_every_file_is_xml_and_includes_nothing_by_a_comment(path: Path) -> None:
    """FreeSWITCH reads X-PRE-PROCESS also where it stands in a comment."""
    text = path.read_text()
    ElementTree.fromstring(text if not path.parent.name.startswith("fusion") else f"<x>{text}</x>")
    assert "<X-PRE-PROCESS" not in text


async def test_off_lets_everything_go(switch: FakeFreeswitch, scripted: Scripted) -> None:
    switch.globals["enf_ask"] = "off"
    left(switch, "word.acme", ":block:21:0:0:minutes:d1-2f")
    assert (await switch.call("acme", NUMBER)).code == 200
    switch.globals["enf_ask"] = "local"
    assert (await switch.call("acme", NUMBER)).code == 403
    assert scripted.asked == []


IN = """<context name="public">
  <extension name="in"><condition field="destination_number" expression="^([0-9+]+)$">
    <action application="multiset" data="^^|enforcer_direction=inbound|enforcer_account=acme|enforcer_number=$1|enforcer_again=${destination_number} XML ${context}"/>
    <action application="execute_extension" data="enforcer XML enforcer"/>
    <action application="set" data="hangup_after_bridge=true"/>
    <action application="bridge" data="user/acme"/>
  </condition></extension></context>"""  # noqa: E501


async def test_who_called_for_help_is_called_back_with_nobody_alive() -> None:
    """Blocked by a word, braked, and the switch fails closed."""
    async with FakeFreeswitch([OUT, IN], second=SECOND) as switch:
        left(switch, "word.acme", ":block:21:0:0:standing:")
        left(switch, "brake.acme", ":9:9")
        switch.globals["enf_fail"] = "closed"

        async def codes(*numbers: str) -> list[int]:
            return [(await switch.call("acme", number)).code for number in numbers]

        async def back() -> int:
            return (await switch.call("+13035550199", "12025550101", context="public")).code

        assert await back() == 403
        assert await codes("933") == [200]
        assert await back() == 403
        assert await codes("911", "13035550199") == [200, 403]
        assert [await back() for _ in range(3)] == [200] * 3
        assert await codes("13035550199", "0113035550199", "303555019", "13035550198") == [200, 200, 403, 403]
        switch.hash.pop("enf_sos.acme")         # as the scheduler does, an hour later
        assert await back() == 403
        assert len(switch.tasks) == 1, "one end for every window, however often somebody calls for help"


async def test_who_calls_back_is_noted_though_the_account_has_a_lease(scripted: Scripted) -> None:
    """By its account code or by what the site says; nobody is asked."""
    scripted.answer = ANSWERS["block"]
    for coded in (False, True):
        inbound = IN.replace("|enforcer_account=acme", "") if coded else IN
        async with (
            EslDoor(scripted, "fs1", clock=lambda: 7.5, port=0) as door,
            FakeFreeswitch([OUT, inbound], door=f"127.0.0.1:{door.port}", second=SECOND) as switch,
        ):
            left(switch, "hb")
            left(switch, "lease.acme")
            who = {"accountcode": "acme"} if coded else {}
            assert (await switch.call("acme", "112")).code == 200
            back = await switch.call("+13035550199", "12025550101", context="public", **who)
            assert back.code == 200
            assert switch.hash["enf_back.acme"] == "13035550199"
            assert re.fullmatch(r"\d{10}:acme", back.variables["enf_helped"])
            assert (await switch.call("acme", NUMBER)).code == 200      # the lease holds for all others
            switch.api("hash", "delete/enf/lease.acme")
            assert scripted.asked == []
            assert (await switch.call("acme", "13035550199")).code == 200
            assert (await switch.call("acme", NUMBER)).code == 403
            scripted.asked.clear()
