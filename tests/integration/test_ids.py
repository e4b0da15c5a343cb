"""One id, wherever a decision is met: INVITE, CDR, log, `enforcer why`, MQTT, and `enforcer top`.

Asterisk puts none into a refusal: there the SIP Call-ID, which every answer carries, leads to it."""

from __future__ import annotations

import asyncio
import csv
import json
import socket
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from enforcer.control.look import Look
from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import free_port
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from tests.support.broker import PASSWORDS, Broker
from tests.support.parts import provided

SECRET = "TEST_MQTT_SECRET"
PACK = """
[pack]
name = "ids"
revision = "1"
[[rule]]
id = "calls"
kind = "attempts"
clause = "1"
critical = { at = 1, verdict = "tag" }
[[rule]]
id = "most"
kind = "attempts"
clause = "2"
critical = { at = 2, verdict = "block" }
"""
NUMBERS = ("12025550141", "12025550142")        # one that is fine, one that is tagged
REFUSED = "12025550143"


@pytest.fixture(scope="module")
def parts() -> Mapping[str, Provisioned]:
    return provided("asterisk", "sipp", "mosquitto")


def decision_told(ledger: Path) -> str:
    """The first decision that the window tells whoever comes now."""
    with closing(Look(ledger)) as look:
        while True:         # until it comes, or the link's patience is over
            for line in look.read():
                if line.get("happened", {}).get("kind") == "decision":
                    return str(line["happened"]["facts"]["decision"])


async def first(ear: aiomqtt.Client, number: int) -> list[dict[str, Any]]:
    """So many messages, as they come."""
    found: list[dict[str, Any]] = []
    async for message in ear.messages:
        found.append(json.loads(message.payload))
        if len(found) == number:
            break
    return found


@pytest.mark.parametrize("ask", ["ami", "agi"])
@pytest.mark.asterisk
async def test_one_id_is_found_wherever_a_decision_is_met(
    parts: Mapping[str, Provisioned], tmp_path: Path, ask: str
) -> None:
    broker = Broker(parts)
    door = free_port(socket.SOCK_STREAM)
    variables = {"ENF_ASK": ask, "ENF_AGI": f"agi://127.0.0.1:{door}/ask", "ENF_MAXWAIT": "5"}
    more = f'[mqtt]\nurl = "mqtt://enforcer@127.0.0.1:{broker.port}"\nsecret_env = "{SECRET}"\n'
    more += f"[door.agi]\nenabled = true\nport = {door}\n" if ask == "agi" else ""
    async with (
        Asterisk(parts["asterisk"], variables=variables) as switch,
        Callee(parts["sipp"], switch.carrier_port, messages=True) as callee,
        broker,
        broker.client("watcher") as ear,
        Enforcer(
            tmp_path, switch, PACK, accounts="acme,acme,pbx,,,,\n", more=more,
            env={SECRET: PASSWORDS["enforcer"]},
        ) as enforcer,
    ):
        await enforcer.line(lambda line: line.get("event") == "mqtt connected")
        await ear.subscribe("enforcer/lab/event/decision")
        for number in NUMBERS:
            placed = await place(parts["sipp"], switch.sip_address, [Call("acme", number)])
            assert placed.codes[200] == 1
        refusal = await place(parts["sipp"], switch.sip_address, [Call("acme", REFUSED)], messages=True)
        (answer,) = refusal.final(REFUSED)
        ids = []
        for number, verdict in zip(NUMBERS, ("allow", "tag"), strict=True):
            logged = await enforcer.line(
                lambda line, number=number: line.get("event") == "decision" and line["number"] == number
            )
            assert logged["verdict"] == verdict
            (invite,) = callee.invites(number)
            assert invite.header("X-Enforcer-Decision") == logged["decision"]
            assert (await enforcer.json("why", logged["decision"]))["decision"] == logged["decision"]
            ids.append(logged["decision"])
        assert len(set(ids)) == 2

        # All that Asterisk tells a refused caller besides what the caller said itself: the cause.
        assert answer.code == 403
        assert {name for name, _ in answer.headers} == {
            "Via", "From", "To", "Call-ID", "CSeq", "Server", "Reason", "Content-Length",
        }
        assert answer.header("Reason") == "Q.850;cause=21"
        traced = answer.header("Call-ID")
        blocked = await enforcer.line(lambda line: line.get("sip_call_id") == traced)
        assert (blocked["verdict"], blocked["sip_code"]) == ("block", 403)
        found = await enforcer.json("why", traced)
        assert [one["decision"] for one in found["decisions"]] == [blocked["decision"]]
        assert found["call"]["call"] == blocked["call"]
        async with asyncio.timeout(10):
            published = await first(ear, 2)
        assert [one["decision"] for one in published] == [ids[1], blocked["decision"]]
        assert published[1]["sip_call_id"] == traced
        told = await asyncio.to_thread(decision_told, tmp_path / "enforcer.db")
        assert told == ids[1]
        rows = list(csv.reader(switch.cdr_path.read_text().splitlines()))
        found = {field.rpartition(":")[2] for row in rows for field in row if field.startswith("live;")}
        assert found == {*ids, blocked["decision"]}
