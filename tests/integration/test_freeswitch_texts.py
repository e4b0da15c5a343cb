"""A whole enforcer beside a small FreeSWITCH that takes text messages: link, rules, ledger and chat plan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from enforcer.app import House
from enforcer.domain.account import Account, Standing
from enforcer.domain.call import CallRecord, Medium, Refusal
from enforcer.domain.mode import Modes
from tests.support.fake_texts import TextingFreeswitch
from tests.support.running import running, until

NUMBER = "12025550142"
PACK = """
[pack]
name = "p"
revision = "1"
[[rule]]
id = "few"
kind = "messages"
clause = "c"
accounts = ["limited"]
critical = { at = 2, verdict = "block" }
[[rule]]
id = "many"
kind = "messages"
clause = "c"
accounts = ["leased"]
critical = { at = 60, verdict = "block" }
[[rule]]
id = "tagged"
kind = "messages"
clause = "c"
accounts = ["marked"]
critical = { at = 0, verdict = "tag" }
[[rule]]
id = "unwanted"
kind = "opt_out"
clause = "c"
accounts = ["acme"]
critical = { at = 0, verdict = "block" }
"""
CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///enforcer.db"
[policy]
packs = ["pack.toml"]
mode = "block"
"""


@pytest.fixture
async def switch() -> AsyncIterator[TextingFreeswitch]:
    async with TextingFreeswitch() as switch:
        yield switch


@asynccontextmanager
async def beside(switch: TextingFreeswitch, directory: Path) -> AsyncIterator[House]:
    (directory / "pack.toml").write_text(PACK)
    (directory / "secret").write_text(switch.socket.password)
    config = directory / "enforcer.toml"
    config.write_text(
        f'{CONFIG}[[switch]]\nname = "fs1"\nkind = "freeswitch"\nport = {switch.socket.port}\n'
        'secret_file = "secret"\nmessages = true\n'
    )
    async with running(config) as house:
        yield house


@pytest.fixture
async def house(switch: TextingFreeswitch, tmp_path: Path) -> AsyncIterator[House]:
    async with beside(switch, tmp_path) as house:
        yield house


def records(house: House, account: str) -> list[CallRecord]:
    """The messages of an account, as the ledger has them."""
    return list(house.ledger.calls(account))


async def test_message_is_asked_about_counted_and_sent_on_and_its_net_taken_away(house, switch) -> None:
    switch.write("acme", NUMBER, "don't |\n\nexit\n\n")
    switch.write("acme", NUMBER, "plain")
    assert (await switch.text(NUMBER)).text == "don't |\n\nexit\n\n"
    sent = await switch.text(NUMBER, 2)
    assert (sent.text, sent.to, sent.headers["from_full"]) == (
        "plain", f"sip:{NUMBER}@carrier.example", "<sip:acme@phone.example>;tag=1",
    )  # fmt: skip
    await until(lambda: not switch.tasks)
    kept = records(house, "acme")
    assert [(one.number, one.medium, one.refusal) for one in kept] == [
        (NUMBER, Medium.MESSAGE, Refusal.NONE)
    ] * 2
    assert house.links[0].state().answers == 2


async def test_message_over_the_limit_is_dropped_its_sender_told_and_the_account_then_closed(
    house, switch
) -> None:
    for _ in range(3):
        switch.write("limited", NUMBER)
    told = await switch.text("limited")
    assert told.text.startswith(f"Not sent to {NUMBER}: refused by the rule few [")
    assert told.headers["sip_h_X-Enforcer"] == "refused"
    assert len(switch.to(NUMBER)) == 2
    await until(lambda: "enf_closed.limited" in switch.hash)
    switch.write("limited", NUMBER)
    closed = await switch.text("limited", 2)
    assert closed.text == f"Not sent to {NUMBER}: this account may send no more messages"
    switch.write("limited", "911")
    assert await switch.text("911")
    await until(lambda: len(records(house, "limited")) == 5)
    refusals = sorted(one.refusal for one in records(house, "limited"))
    assert refusals == ["", "", Refusal.BLOCKED, Refusal.BLOCKED, Refusal.WENT]


async def test_tag_travels_with_the_message(house, switch) -> None:
    switch.write("marked", NUMBER, **{"sip_h_X-Enforcer-Tag": "forged"})
    assert (await switch.text(NUMBER)).headers["sip_h_X-Enforcer-Tag"] == "tagged.critical"


async def test_account_far_from_every_limit_is_asked_no_more_but_counted_and_refused_in_time(
    house, switch
) -> None:
    switch.write("leased", NUMBER)
    await until(lambda: "enf_lease.leased" in switch.hash)
    switch.write("leased", NUMBER)
    assert len(switch.to(NUMBER)) == 2                  # it went at once
    for _ in range(30):
        switch.write("leased", NUMBER)
    await until(lambda: "enf_lease.leased" not in switch.hash)
    for _ in range(40):
        switch.write("leased", NUMBER)
    await switch.text("leased")
    assert len(switch.to(NUMBER)) == 60


async def test_stop_is_honoured_from_the_next_message_on_and_start_takes_it_back(house, switch) -> None:
    switch.write("12025550177", "12025550101", "Stop, please!", trunk=True)
    assert (await switch.text("acme")).text == "Stop, please!"
    switch.write("acme", "+12025550177")
    assert "unwanted" in (await switch.text("acme", 2)).text
    switch.write("12025550177", "12025550101", "START", trunk=True)
    await switch.text("acme", 3)
    switch.write("acme", "12025550177")
    await switch.text("12025550177")
    assert len(switch.to("acme")) == 3


async def test_suspended_account_is_stopped_at_once_and_writes_again_when_resumed(house, switch) -> None:
    house.ledger.put_accounts([Account("acme", "acme-co", standing=Standing.SUSPENDED)])
    house.admission.steer(Modes((), house.settings.policy.default_mode), house.links[0].now())
    await until(lambda: "standing" in switch.hash.get("enf_word.acme", ""))
    switch.write("acme", NUMBER)
    assert (await switch.text("acme")).text == f"Not sent to {NUMBER}: this account is stopped"
    switch.write("acme", "112")
    assert await switch.text("112")
    assert not switch.to(NUMBER)


async def test_frozen_enforcer_costs_each_message_a_moment_and_sends_none_twice(house, switch) -> None:
    link = house.links[0]
    transport = link._session._transport                 # frozen: what comes is not read
    transport.pause_reading()
    switch.write("acme", NUMBER, "from the net")
    switch.write("acme", NUMBER, "don't lose it")       # no net can hold it: it waits for us
    assert (await switch.text(NUMBER)).headers["net"] == "yes"
    transport.resume_reading()
    assert (await switch.text(NUMBER, 2)).text == "don't lose it"
    await until(lambda: len(records(house, "acme")) == 2)
    await until(lambda: {one.refusal for one in records(house, "acme")} == {Refusal.WENT, ""})
    assert len(switch.to(NUMBER)) == 2


async def test_enforcer_that_leaves_opens_what_a_rule_has_closed(switch, tmp_path) -> None:
    async with beside(switch, tmp_path):
        for _ in range(3):
            switch.write("limited", NUMBER)
        await until(lambda: "enf_closed.limited" in switch.hash)
    assert "enf_closed.limited" not in switch.hash
    switch.write("limited", NUMBER)
    assert len(switch.to(NUMBER)) == 3                  # nobody is there to refuse it


async def test_next_enforcer_opens_what_a_killed_one_has_closed(switch, tmp_path) -> None:
    switch.hash["enf_closed.acme"] = "99999999999"
    async with beside(switch, tmp_path):
        await until(lambda: "enf_closed.acme" not in switch.hash)
        switch.write("acme", NUMBER)
        assert await switch.text(NUMBER)


async def test_text_for_help_opens_the_window_on_the_switch_and_with_the_enforcer(house, switch) -> None:
    switch.write("acme", "933")
    switch.write("limited", "911", "fire")
    assert (await switch.text("911")).text == "fire"
    assert [key for key in switch.hash if "sos" in key] == ["enf_sos.limited"]
    await until(lambda: [one.number for one in records(house, "limited")] == ["911"])
    windows = house.ledger.registers.emergencies
    assert [account for account, _ in windows.open(switch.clock())] == ["limited"]
