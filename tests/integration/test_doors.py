"""Several switches of a kind in one enforcer: each asks at a door of its own, and its calls are its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from enforcer.app import House, build
from enforcer.errors import BadInput
from enforcer.settings import Settings, load
from enforcer.settings_doors import doorways
from enforcer.switch.door import Outcome
from enforcer.switch.visit import CallDoor
from enforcer.telemetry import Telemetry
from lab.fake_asterisk import FakeAsterisk
from lab.fake_freeswitch import FakeFreeswitch
from lab.process import free_port
from tests.support.house import one_rule
from tests.support.running import running, until

NUMBER = "12025550142"
PACK = one_rule('at = 3, verdict = "block", sip_code = 403', name="p", clause="c")
HEAD = """
site = "lab"
[ledger]
url = "sqlite:///enforcer.db"
[policy]
packs = ["pack.toml"]
mode = "block"
[lease]
seconds = 0
"""


def switch(name: str, kind: str, port: int, more: str = "") -> str:
    """A table; each has the same secret."""
    head = f'[[switch]]\nname = "{name}"\nkind = "{kind}"\nport = {port}\n'
    return f'{head}secret_env = "SECRET_{name}"\n{more}\n'


def settings(home: Path, text: str) -> Settings:
    (home / "pack.toml").write_text(PACK)
    (home / "enforcer.toml").write_text(HEAD + text)
    return load(home / "enforcer.toml")


def connected(house: House) -> bool:
    return all(link.state().connected for link in house.links)


async def test_two_freeswitches_ask_each_at_its_own_door_and_are_one_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    async with (
        FakeFreeswitch(door=f"127.0.0.1:{first}", second=0.05) as one,
        FakeFreeswitch(door=f"127.0.0.1:{second}", second=0.05) as two,
    ):
        monkeypatch.setenv("SECRET_fs1", one.socket.password)
        monkeypatch.setenv("SECRET_fs2", two.socket.password)
        configured = settings(
            tmp_path, f"[door.esl]\nenabled = true\nport = {first}\n"
            + switch("fs1", "freeswitch", one.socket.port)
            + switch("fs2", "freeswitch", two.socket.port, f"door_port = {second}"),
        )
        async with running(configured, connected) as house:
            await until(lambda: "enf_hb" in one.hash and "enf_hb" in two.hash)
            calls = [await one.call("acme", NUMBER, talk=0), await two.call("acme", NUMBER, talk=0),
                     await two.call("acme", NUMBER, talk=0), await one.call("acme", NUMBER, talk=0)]
            assert [call.code for call in calls] == [200, 200, 200, 403]
            assert {call.variables["userfield"].partition(";")[0] for call in calls} == {"live"}
            await until(lambda: [one.counts[Outcome.ANSWERED] for one in house.doors] == [2, 2])
            for number, call in zip((1, 2, 2, 1), calls, strict=True):
                assert house.ledger.call(f"fs{number}/{call.uuid}") is not None

            # One that asks at the other's door is sent away: its calls would be counted as another's.
            two.globals["enf_door"] = f"127.0.0.1:{first}"
            strayed = await two.call("acme", NUMBER, talk=0)
            assert strayed.variables["userfield"].partition(";")[0] in ("word", "default")
            await until(lambda: house.doors[0].counts[Outcome.FOREIGN])
            assert house.doors[0].counts == {Outcome.ANSWERED: 2, Outcome.FOREIGN: 1}
            assert house.ledger.call(f"fs1/{strayed.uuid}") is None


async def test_two_asterisks_ask_each_at_its_own_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    async with (
        FakeAsterisk(ask="agi", agi=f"127.0.0.1:{first}") as one,
        FakeAsterisk(ask="agi", agi=f"127.0.0.1:{second}") as two,
    ):
        monkeypatch.setenv("SECRET_pbx1", one.secret)
        monkeypatch.setenv("SECRET_pbx2", two.secret)
        configured = settings(
            tmp_path, f"[door.agi]\nenabled = true\nport = {first}\n"
            + switch("pbx1", "asterisk", one.ami_port)
            + switch("pbx2", "asterisk", two.ami_port, f"door_port = {second}"),
        )
        async with running(configured, connected) as house:
            await until(lambda: all("enforcer/hb" in fake.ami.database for fake in (one, two)))
            calls = [await one.call("acme", NUMBER), await two.call("acme", NUMBER)]
            assert [call.source for call in calls] == ["live", "live"]
            await until(lambda: [one.counts[Outcome.ANSWERED] for one in house.doors] == [1, 1])
            assert house.ledger.call(f"pbx2/{calls[1].uniqueid}") is not None


ESL, AGI, HTTP = (f"[door.{name}]\nenabled = true\n" for name in ("esl", "agi", "http"))
FS1 = switch("fs1", "freeswitch", 1)


@pytest.mark.parametrize(
    ("text", "doors"),
    [
        (HTTP + FS1 + switch("fs2", "freeswitch", 2, "door_http_port = 8091"),
         [("http", "fs1", 8090), ("http", "fs2", 8091)]),
        (HTTP + ESL + FS1 + switch("fs2", "freeswitch", 2, "door_port = 8085"),
         [("esl", "fs1", 8084), ("esl", "fs2", 8085), ("http", "fs1", 8090)]),
        (HTTP + ESL + FS1 + switch("fs2", "freeswitch", 2, "door_http_port = 8091"),
         [("esl", "fs1", 8084), ("http", "fs1", 8090), ("http", "fs2", 8091)]),
    ],
    ids=["both over HTTP", "one has both ways", "each its own way"],
)
def test_every_freeswitch_has_a_door_over_http_or_over_the_event_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, doors: list[tuple[str, str, int]]
) -> None:
    for name in ("fs1", "fs2"):
        monkeypatch.setenv(f"SECRET_{name}", "x")
    configured = settings(tmp_path, text)
    assert [place[:3] for place in doorways(configured.switches, configured.door)] == doors
    house = build(configured, Telemetry(CollectorRegistry()), lambda *_: None)
    try:
        opened = [(one.label, one.switch) for one in house.doors if isinstance(one, CallDoor)]
        assert opened == [(table, name) for table, name, _ in doors]
    finally:
        house.ledger.close()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ESL + switch("fs1", "freeswitch", 1) + switch("fs2", "freeswitch", 2),
         r"switch\.door_port: \[door\.esl\] serves fs1: give fs2 a port of its own, which is its enf_door"),
        (ESL + switch("fs1", "freeswitch", 1) + switch("fs2", "freeswitch", 2, "door_port = 8084"),
         r"the door of fs1 has port 8084 already: a door belongs to one switch"),
        (ESL + AGI + switch("pbx1", "asterisk", 1) + switch("fs1", "freeswitch", 2, "door_port = 4573"),
         r"the door of pbx1 has port 4573 already"),
        (ESL + "[door.messages]\nenabled = true\n" + switch("fs1", "freeswitch", 2, "door_port = 4575"),
         r"\[door\.messages\] has port 4575 already"),
        (switch("fs1", "freeswitch", 1, "door_port = 8085"),
         r"\[door\.esl\] is not enabled: nobody listens there"),
        (switch("pbx1", "asterisk", 1, 'door_allow = ["10.0.0.0/8"]'),
         r"\[door\.agi\] is not enabled: nobody listens there"),
        (HTTP + FS1 + switch("fs2", "freeswitch", 2),
         r"switch\.door_http_port: \[door\.http\] serves fs1: give fs2 a port of its own, which is in"),
        (ESL + FS1 + switch("fs2", "freeswitch", 2, "door_port = 8085\ndoor_http_port = 8091"),
         r"switch\.door_http_port: \[door\.http\] is not enabled: nobody listens there"),
        (ESL + HTTP + switch("fs1", "freeswitch", 1, "door_http_port = 8084"),
         r"the door of fs1 has port 8084 already"),
        (ESL + switch("fs1", "freeswitch", 1, 'door_allow = ["10.0.0.999"]'), "no such network"),
        (ESL + switch("fs1", "freeswitch", 1, "door_port = 70000"), "65535"),
    ],
    ids=["none", "same", "other kind", "messages", "disabled", "allow disabled", "none over HTTP",
         "HTTP disabled", "same over HTTP", "network", "range"],
)  # fmt: skip
def test_a_door_that_cannot_be_is_one_clear_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as raised:
        settings(tmp_path, text)
    assert "\n" not in str(raised.value)
    assert "enforcer.toml:" in str(raised.value)


def test_a_switch_that_does_not_ask_needs_no_door(tmp_path: Path) -> None:
    listens = switch("fs2", "freeswitch", 2, "listener_only = true")
    settings(tmp_path, ESL + switch("fs1", "freeswitch", 1) + listens)
    settings(tmp_path, AGI + switch("pbx1", "asterisk", 1) + switch("pbx2", "asterisk", 2))
