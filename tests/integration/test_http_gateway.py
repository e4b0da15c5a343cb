"""Gateways ask over HTTP: the same answers as at the doors, emergencies first, and calls that count."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from enforcer.control import gateways
from enforcer.domain.call import CallAttempt, Refusal
from enforcer.switch.agi import AgiDoor
from enforcer.switch.message_door import MessageDoor
from enforcer.wire.answer import parse_answer
from tests.support.http_house import Door, http_house

PACK = """
[pack]
name = "many"
revision = "1"
[[rule]]
id = "hold"
kind = "cps"
clause = "1"
critical = { at = 3, verdict = "throttle" }
[[rule]]
id = "calls"
kind = "attempts"
clause = "2"
warning = { at = 2, verdict = "tag" }
critical = { at = 5, verdict = "block", sip_code = 603 }
[[rule]]
id = "live"
kind = "concurrent_calls"
clause = "3"
critical = { at = 1, verdict = "block" }
accounts = ["solo"]
[[rule]]
id = "texts"
kind = "messages"
clause = "4"
critical = { at = 1, verdict = "block" }
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")


async def asked(port: int, name: str, account: str, number: str) -> str:
    """The answer line of the AGI door."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    facts = {
        "agi_network": "yes", "agi_request": "agi://x/enforcer", "agi_channel": "PJSIP/x-1",
        "agi_uniqueid": name, "agi_callerid": "unknown", "agi_arg_1": account, "agi_arg_2": "outbound",
        "agi_arg_3": number, "agi_arg_4": name,
    }
    writer.write("".join(f"{k}: {v}\n" for k, v in facts.items()).encode() + b"\n")
    line = (await reader.readline()).decode()
    writer.close()
    return line.split('"')[1]


async def test_the_answer_is_that_of_the_agi_door_field_by_field(tmp_path: Path) -> None:
    """Two accounts alike, one asking here, one there: verdicts, codes, causes, holds and tags are alike."""
    times = count()

    def clock() -> float:
        return 1_795_600_000.0 + next(times) // 2 * 0.01

    async with http_house(tmp_path, pack=PACK) as door:
        object.__setattr__(door.front, "clock", clock)
        async with AgiDoor(door.house.admission, "pbx1", clock=clock, port=0) as agi:
            seen = set()
            for number in range(9):
                dialled = "911" if number == 7 else f"21255501{number:02}"
                mine = await door.admit(str(number), dialled, "acme")
                line = parse_answer(await asked(agi.port, str(number), "apex", dialled))
                theirs = {
                    "verdict": line.verdict.word, "cause": line.cause, "hold": line.hold,
                    "max_duration": line.cap or None, "tags": line.tag.split("+") if line.tag else [],
                    "go": line.cause == 0,
                }
                assert theirs.items() <= mine.items(), number
                decision = door.house.ledger.decision(mine["decision"])
                assert decision is not None
                assert decision.sip_code == mine["sip_code"]
                assert decision.reason == mine["reason"]
                seen.add((mine["verdict"], mine["sip_code"], mine["hold"] > 0))
            assert {verdict for verdict, _, _ in seen} == {"allow", "tag", "throttle", "block"}
            assert ("block", 603, False) in seen


async def test_the_answer_about_a_message_is_that_of_the_message_door(tmp_path: Path) -> None:
    async with (
        http_house(tmp_path, pack=PACK) as door,
        MessageDoor(door.house.admission, clock=door.front.clock, port=0) as there,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        for number in range(3):
            facts = {"id": f"m{number}", "to": "2125550123", "direction": "outbound"}
            writer.write(json.dumps(facts | {"account": "apex"}).encode() + b"\n")
            theirs = json.loads(await reader.readline())
            mine = await door.gateway("/v1/message", facts | {"account": "acme", "switch": "gw"})
            for key in ("id", "verdict", "sip_code", "reason"):
                assert mine[key] == theirs[key]
        writer.close()
        assert mine["go"] is False


async def test_a_stop_that_comes_by_message_is_heard(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        await door.gateway("/v1/message", {
            "switch": "gw", "id": "in-1", "account": "acme", "to": "2125550101", "from": "2125550142",
            "direction": "inbound", "text": "STOP",
        })
        (one,) = door.house.ledger.registers.opt_outs.all("big")
        assert (one.number, one.account) == ("+12125550142", "acme")


EMERGENCIES: list[Any] = [
    {"switch": "gw", "id": "1", "account": "acme", "number": "911"},
    {"switch": "nowhere", "id": "1", "account": "acme", "number": "911"},
    {"switch": 5, "id": ["x"], "account": {"a": 1}, "number": "911", "more": "x" * 500},
    {"number": "112"},
]


async def test_an_emergency_goes_whatever_else_is_wrong(tmp_path: Path) -> None:
    def broken(attempt: CallAttempt) -> None:
        raise ZeroDivisionError("ours")

    async with http_house(tmp_path) as door:
        assert (await door.ask("POST", "/v1/accounts/acme/terminate", json={})).status_code == 200
        assert (await door.admit("x"))["go"] is False
        for facts in EMERGENCIES:
            told = await door.gateway("/v1/admit", facts)
            assert (told["go"], told["verdict"], told["sip_code"], told["hold"]) == (True, "allow", 0, 0.0)
        object.__setattr__(door.front.gateways, "admit", broken)
        assert (await door.admit("2", "911"))["go"] is True
        refused = await door.gateway("/v1/admit", {"switch": "gw", "id": "3", "number": "212555"}, 503)
        assert refused["problem"] == "we could not decide: go on as your failure policy says"


async def test_calls_count_from_the_question_to_their_reported_end(tmp_path: Path) -> None:
    async with http_house(tmp_path, pack=PACK) as door:
        assert (await door.admit("1", account="solo"))["go"] is True
        assert (await door.admit("2", account="solo"))["go"] is False       # one call at a time
        assert (await door.get("/v1/overview"))["gateways"] == [
            {"switch": "gw", "kind": "gateway", "live_calls": 1}
        ]
        assert await door.gateway("/v1/calls/answered", {"switch": "gw", "id": "1"}) == {"noted": True}
        assert (await door.admit("3", account="solo"))["go"] is False
        at = door.front.clock() + 30
        await door.gateway("/v1/calls/ended", {"switch": "gw", "id": "1", "at": at, "hangup_cause": 16})
        record = door.house.ledger.call("gw/1")
        assert record is not None
        assert (record.hangup_cause, 30_000 <= record.billmsec < 40_000) == (16, True)
        assert (await door.admit("4", account="solo"))["go"] is True
        refused = door.house.ledger.call("gw/2")
        assert refused is not None
        assert refused.refusal is Refusal.BLOCKED
        await door.gateway("/v1/calls/ended", {"switch": "gw", "id": "1"}, 404)


async def test_a_call_that_we_never_heard_of_is_counted_by_its_report(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        now = door.front.clock()
        await door.gateway("/v1/calls/answered", {
            "switch": "gw", "id": "9", "account": "acme", "number": "2125550123", "started": now - 70,
            "at": now - 60,
        })
        await door.gateway("/v1/calls/ended", {"switch": "gw", "id": "9", "at": now})
        record = door.house.ledger.call("gw/9")
        assert record is not None
        assert (record.account, record.billmsec) == ("acme", 60_000)
        for at in (now + 3600, now - 100_000, 0):
            told = {"switch": "gw", "id": "9", "number": "2", "at": at}
            assert "at: is no time between" in (await door.gateway("/v1/calls/ended", told, 422))["problem"]


async def test_a_question_that_comes_again_gets_its_answer_and_is_counted_once(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        first = await door.admit("1")
        assert await door.admit("1") == first
        assert (await door.admit("2"))["go"] is False
        told = {"switch": "gw", "id": "1", "account": "apex", "number": "2125550123"}
        assert "asked about already" in (await door.gateway("/v1/admit", told, 409))["problem"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"switch": "gw2"}, "switch: 'gw2' is no gateway of the configuration (gw); did you mean 'gw'?"),
    ({"switch": "pbx1"}, "switch: 'pbx1' is no gateway of the configuration (gw)"),
    ({"id": ""}, "id: String should match pattern"),
    ({"id": "a b"}, "id: String should match pattern"),
    ({"id": "1\n"}, "id: String should match pattern"),
    ({"number": ""}, "number: String should have at least 1 character"),
    ({"number": "1\r\nX: y"}, "number: Value error, holds characters that cannot be printed"),
    ({"caller": "x" * 81}, "caller: String should have at most 80 characters"),
    ({"direction": "sideways"}, "direction: Input should be 'outbound', 'inbound' or 'internal'"),
    ({"more": 1}, "more: Extra inputs are not permitted"),
]


async def test_what_is_no_question_is_not_counted(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        good = {"switch": "gw", "id": "1", "account": "acme", "number": "2125550123"}
        for wrong, said in WRONG:
            told = await door.gateway("/v1/admit", good | wrong, 422)
            assert told["problem"].startswith(said)
        assert list(door.house.ledger.calls()) == []
        assert (await door.admit("1", account="a:b c"))["go"] is True       # no switch could carry that name
        assert [record.account for record in door.house.ledger.live()] == [""]


def moved(door: Door, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock of the gateways that is put forward by hand."""
    ahead = [0.0]
    clock = door.front.clock
    monkeypatch.setattr(door.front.gateways, "_clock", lambda: clock() + ahead[0])

    def forward(seconds: float) -> None:
        ahead[0] += seconds

    return forward


async def test_a_call_whose_end_is_lost_holds_no_channel_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_house(tmp_path, pack=PACK) as door:
        forward = moved(door, monkeypatch)
        await door.admit("1", account="solo")
        await door.admit("2", account="acme")
        await door.gateway("/v1/calls/answered", {"switch": "gw", "id": "2"})
        forward(gateways.RINGING_SECONDS + 1)
        door.front.gateways.look()
        assert [record.call_id for record in door.house.ledger.live("gw")] == ["gw/2"]
        forward(gateways.LONGEST_SECONDS)
        door.front.gateways.look()
        assert door.house.ledger.live("gw") == []


async def test_calls_that_went_on_when_we_stopped_are_known_after_a_restart(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        await door.admit("1")
    async with http_house(tmp_path) as door:
        await door.gateway("/v1/calls/ended", {"switch": "gw", "id": "1"})
        assert door.house.ledger.live() == []


async def test_a_call_that_a_rule_ends_is_told_to_the_gateway(tmp_path: Path) -> None:
    pack = PACK.replace('kind = "messages"', 'kind = "minutes"\nhang_up = true')
    async with http_house(tmp_path, pack=pack) as door:
        now = door.front.clock()
        told = {"switch": "gw", "id": "1", "account": "acme", "number": "2125550123", "started": now - 90}
        await door.gateway("/v1/calls/answered", told | {"at": now - 80})
        door.front.gateways.look()
        (happened,) = [one for one in door.front.feed.since(0) if one.kind == "hang_up"]
        assert happened.facts == {"switch": "gw", "id": "1", "cause": 21}


async def test_a_call_id_may_have_every_sign_that_sip_allows(tmp_path: Path) -> None:
    name = "a/b+c==/0%2F[x]{y}?z@10.0.0.1"       # RFC 3261, 25.1: callid = word [ "@" word ]
    async with http_house(tmp_path) as door:
        asked = await door.admit(name)
        assert await door.admit(name) == asked
        await door.gateway("/v1/calls/answered", {"switch": "gw", "id": name})
        await door.gateway("/v1/calls/ended", {"switch": "gw", "id": name})
        door.house.ledger.written()
        told = await door.get("/v1/why/" + quote(f"gw/{name}", safe=""))
        assert told["call"]["call"] == f"gw/{name}"
        assert (await door.get("/v1/why/" + quote(name, safe="")))["call"]["call"] == f"gw/{name}"
