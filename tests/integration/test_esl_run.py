"""An enforcer put together from a configuration runs with a FreeSWITCH: it counts, leaves a lease, stops."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.esl import event_bytes, frame
from tests.support.esl_server import PASSWORD, esl_server
from tests.support.house import one_rule
from tests.support.running import running

UUID = "c03e2ee0-8baa-4a9d-85b4-b30a36945051"
PACK = one_rule("at = 1000", name="p", clause="c")


async def test_calls_are_counted_and_who_calls_gets_a_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", PASSWORD)
    (tmp_path / "pack.toml").write_text(PACK)
    config = tmp_path / "enforcer.toml"
    async with esl_server() as server:
        config.write_text(
            'site = "lab"\n[ledger]\nurl = "sqlite:///enforcer.db"\n[policy]\npacks = ["pack.toml"]\n'
            f'[[switch]]\nname = "fs1"\nkind = "freeswitch"\nport = {server.port}\n'
            'secret_env = "ENFORCER_TEST_SECRET"\n'
        )
        server.now = time.time()
        async with running(config, lambda house: True) as house:
            await server.received("api show")
            server.say(frame(event_bytes({
                "Event-Name": "CHANNEL_CREATE", **dict(server.stamp()), "Channel-Name": "sofia/lab/acme",
                "Unique-ID": UUID, "Call-Direction": "inbound", "Caller-Context": "default",
                "Caller-Destination-Number": "12025550142", "variable_accountcode": "acme",
            })))    # fmt: skip
            lease = await server.received("api hash insert/enf/lease.acme/")
            assert int(lease.rpartition("/")[2]) >= int(server.now) + 50
            assert [(record.account, record.call_id) for record in house.ledger.live("fs1")] == [
                ("acme", f"fs1/{UUID}")
            ]
        await server.received("exit")
        assert "hb" not in server.hash
