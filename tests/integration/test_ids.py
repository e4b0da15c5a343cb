"""One id, wherever a decision is met: INVITE, CDR, log, `enforcer why`, MQTT, and `enforcer top`."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from enforcer.control.look import Look
from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.provision import LabUnavailable, Provisioned, provision
from lab.sipp import Call, Callee, place
from tests.support.broker import PASSWORDS, Broker

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
"""
NUMBERS = ("12025550141", "12025550142")        # one that is fine, one that is tagged


@pytest.fixture(scope="module")
def parts() -> Mapping[str, Provisioned]:
    try:
        return provision(["asterisk", "sipp", "mosquitto"])
    except LabUnavailable as reason:
        pytest.skip(f"no real switch and broker here: {reason}")


def decision_told(ledger: Path) -> str:
    """The first decision that the window tells whoever comes now."""
    with closing(Look(ledger)) as look:
        while True:         # until it comes, or the link's patience is over
            for line in look.read():
                if line.get("happened", {}).get("kind") == "decision":
                    return str(line["happened"]["facts"]["decision"])


@pytest.mark.asterisk
async def test_one_id_is_found_wherever_a_decision_is_met(
    parts: Mapping[str, Provisioned], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "broker").mkdir()
    broker = Broker(parts, tmp_path / "broker")
    await broker.start()
    request.addfinalizer(broker.kill)
    more = f'[mqtt]\nurl = "mqtt://enforcer@127.0.0.1:{broker.port}"\nsecret_env = "{SECRET}"\n'
    async with (
        Asterisk(parts["asterisk"]) as switch,
        Callee(parts["sipp"], switch.carrier_port, messages=True) as callee,
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
        async with asyncio.timeout(10):
            async for message in ear.messages:
                assert json.loads(message.payload)["decision"] == ids[1]
                break
        told = await asyncio.to_thread(decision_told, tmp_path / "enforcer.db")
        assert told == ids[1]
        rows = list(csv.reader(switch.cdr_path.read_text().splitlines()))
        found = {field.rpartition(":")[2] for row in rows for field in row if field.startswith("live;")}
        assert found == set(ids)
