"""Notices as they arrive: real HTTP and SMTP servers, the whole enforcer in between, and a ledger on disk."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from enforcer import settings
from enforcer.app import build, serve
from enforcer.control.standing import announce
from enforcer.domain.account import Account, Customer, Standing
from enforcer.domain.decision import Verdict
from enforcer.domain.notice import Stage
from enforcer.errors import BadInput
from enforcer.notices.carrier import AppriseCarrier, usable, without_secrets
from enforcer.notices.text import stationery_of
from enforcer.telemetry import Telemetry
from tests.support.ledgers import Call, Clock
from tests.support.notices import House, limit
from tests.support.receivers import HttpReceiver, MailReceiver

PACK = """
[pack]
name = "fair"
revision = "1"
contact = "Anna, +1 212 555 0199"
[[rule]]
id = "fair.calls"
kind = "attempts"
clause = "1. Fair Use"
text = "Calls that are normal for one household."
critical = { at = 3, verdict = "block" }
notice = { grace = "7d", holds = "90d" }
"""
CONFIG = """
site = "lab"
[policy]
packs = ["fair.toml"]
mode = "block"
[notices]
ops = ["{ops}"]
mail = "{mail}"
from = "Fair use <fair-use@247.example>"
deadline = 5
"""


async def test_a_web_hook_is_sent_the_text(tmp_path: Path) -> None:
    async with HttpReceiver() as hook:
        text = "You made 4 calls.\nThe limit is 3."
        assert await AppriseCarrier().carry(hook.url, "Over the limit", text) == ""
    (post,) = hook.posts
    assert (post["title"], post["message"]) == ("Over the limit", "You made 4 calls.\nThe limit is 3.")


async def test_a_mail_is_sent_from_us_to_them() -> None:
    async with MailReceiver() as mail:
        carrier = AppriseCarrier(mail.url, "Fair use <fair-use@247.example>", 5)
        assert await carrier.carry("anna@acme.example", "Über the limit", "Vier Anrufe.\n.\nGrüße") == ""
    ((recipients, message),) = mail.mails
    assert recipients == ["anna@acme.example"]
    assert "fair-use@247.example" in message["From"]
    assert message["Subject"] == "Über the limit"
    body = message.get_body(("plain",)) if message.is_multipart() else message  # type: ignore[attr-defined]
    assert body.get_content().replace("\r\n", "\n").startswith("Vier Anrufe.\n.\nGrüße")


async def test_what_is_refused_is_told_and_holds_no_secret() -> None:
    async with HttpReceiver(status=500) as hook:
        address = hook.url.replace("://", "://robot:hunter2secret@")
        problem = await AppriseCarrier().carry(address, "s", "t")
    assert "500" in problem
    assert "hunter2secret" not in problem
    async with MailReceiver(refuse="550 no such mailbox") as mail:
        assert await AppriseCarrier(mail.url, "", 5).carry("anna@acme.example", "s", "t") != ""
    assert mail.mails == []


@pytest.mark.parametrize(("url", "said", "told"), [
    ("mailto://robot:hunter2@mail.example.com", "robot at mail.example.com: hunter2 is wrong",
     "*** at mail.example.com: *** is wrong"),
    ("slack://T1JJ3T3L2/A1BRTD4JD/x", "POST /services/T1JJ3T3L2/A1BRTD4JD", "POST /services/***/***"),
    ("json://127.0.0.1/hooks/s3cr3t", "json://127.0.0.1/hooks/s3cr3t\r\nsaid 404", "*** said 404"),
])
def test_what_a_server_says_back_of_a_secret_is_not_told(url: str, said: str, told: str) -> None:
    assert without_secrets(said, url) == told


async def test_nobody_there_is_told_with_the_reason() -> None:
    async with HttpReceiver() as hook:
        address = hook.url
    problem = await AppriseCarrier().carry(address, "s", "t")
    assert "Connection refused" in problem


async def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:      # it listens, and nobody ever accepts
        address = f"json://127.0.0.1:{silent.getsockname()[1]}/"
        assert await AppriseCarrier(deadline=0.2).carry(address, "s", "t") != ""


async def test_a_plain_address_without_a_mail_server_says_what_to_set() -> None:
    assert "[notices]" in await AppriseCarrier().carry("anna@acme.example", "s", "t")


@pytest.mark.parametrize("address", ["nonsense", "no://such-thing/x", "https//example.com"])
def test_an_address_that_cannot_be_used_is_said_to_be_so(address: str) -> None:
    assert usable(address)


def test_apprise_is_not_loaded_until_something_is_sent() -> None:
    code = "import enforcer.app, enforcer.control.cli, sys; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_the_whole_enforcer_tells_customer_and_ops_and_blocks_after_the_grace(tmp_path: Path) -> None:
    clock = Clock()
    async with HttpReceiver() as hook, MailReceiver() as mail:
        (tmp_path / "fair.toml").write_text(PACK)
        (tmp_path / "enforcer.toml").write_text(CONFIG.format(ops=hook.url, mail=mail.url))
        (tmp_path / "var").mkdir()
        loop = asyncio.get_running_loop()
        telemetry = Told()
        house = build(settings.load(tmp_path / "enforcer.toml"), telemetry, loop.call_soon, clock)
        house.ledger.put_accounts([Account("acme", "big", timezone="America/New_York")])
        house.ledger.put_customers([Customer("big", "Big Inc", ("anna@acme.example",))])
        stop = asyncio.Event()
        running = asyncio.create_task(serve(house, stop))
        try:
            for n in range(5):
                decision = house.admission.admit(Call(str(n)).attempt())
            assert decision.verdict is Verdict.TAG
            await asyncio.wait_for(telemetry.arrived.wait(), 30)
            clock.now += 7 * 86_400
            decision = house.admission.admit(Call("later", start=clock.now).attempt())
            assert (decision.verdict, decision.rule) == (Verdict.BLOCK, "fair.calls")
            account = house.ledger.account("acme")
            paper = stationery_of(house.settings)
            telemetry.arrived.clear()
            announce(house.ledger, paper, account, Standing.TERMINATED, 86_400, "anna", "fraud", clock.now)
            await asyncio.wait_for(telemetry.arrived.wait(), 30)
            clock.now += 86_400
            await asyncio.wait_for(telemetry.stopped.wait(), 30)
            assert house.ledger.account("acme").standing is Standing.TERMINATED
        finally:
            stop.set()
            await running
    (recipients, message), (_, ending) = mail.mails
    assert recipients == ["anna@acme.example"]
    assert ending["Subject"] == "Account acme will be terminated"
    body = message.get_body(("plain",)) if message.is_multipart() else message  # type: ignore[attr-defined]
    text = body.get_content()
    for said in ("1. Fair Use", "Calls that are normal for one household.", "Big Inc", "+1 212 555 0199",
                 "The limit is 3", "2026-11-01 00:00 EDT", "2026-12-01 00:00 EST", "2026-11-29 07:00 EST",
                 "refused with 403", "Emergency calls always go through."):
        assert said in text, said
    assert hook.posts[0]["title"] == "[lab] fair.calls critical: account acme"


class Told(Telemetry):
    """Events for: a customer was told, and an account was stopped."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        self.arrived, self.stopped = asyncio.Event(), asyncio.Event()

    def note(self, what: str, **about: object) -> None:
        if what == "notice delivered" and about["audience"] == "customer":
            self.arrived.set()
        if what == "accounts stopped as announced":
            self.stopped.set()

    def fault(self, kind: str, **about: object) -> None:
        raise AssertionError((kind, about))


async def test_the_enforcer_stops_though_a_delivery_hangs_and_sends_when_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "fair.toml").write_text(PACK)
    config = CONFIG.replace('ops = ["{ops}"]\nmail = "{mail}"\n', "")
    (tmp_path / "enforcer.toml").write_text(config)
    (tmp_path / "var").mkdir()
    clock, hanging = Clock(), asyncio.Event()

    async def lived(hook: HttpReceiver, until: asyncio.Event, telemetry: Told, calls: int) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        house = build(settings.load(tmp_path / "enforcer.toml"), telemetry, loop.call_soon, clock)
        house.ledger.put_customers([Customer("acme", "Acme", (hook.url,))])
        for n in range(calls):
            house.admission.admit(Call(str(n)).attempt())
        running = asyncio.create_task(serve(house, stop))
        await asyncio.wait_for(until.wait(), 30)
        stop.set()
        await asyncio.wait_for(running, 30)

    async with HttpReceiver(hangs=hanging) as hook:
        await lived(hook, hanging, Told(), 5)
    clock.now += 60
    async with HttpReceiver() as hook:
        telemetry = Told()
        await lived(hook, telemetry.arrived, telemetry, 0)
    assert [post["title"] for post in hook.posts] == ["A limit was passed: 1. Fair Use (account acme)"]


async def test_an_address_of_ops_that_cannot_be_used_keeps_the_enforcer_from_starting(tmp_path: Path) -> None:
    (tmp_path / "fair.toml").write_text(PACK)
    (tmp_path / "enforcer.toml").write_text(CONFIG.format(ops="nosuch://t0ken", mail="mailto://localhost"))
    (tmp_path / "var").mkdir()
    with pytest.raises(BadInput) as error:
        build(settings.load(tmp_path / "enforcer.toml"), Told(), lambda one: None)
    assert error.value.where == "notices.ops"
    assert "t0ken" not in str(error.value)


async def test_after_a_crash_between_sent_and_delivered_it_is_tried_again(tmp_path: Path) -> None:
    async with HttpReceiver() as hook:
        first = House(limit(3), folder=tmp_path, ops=())
        first.register("acme", "big", hook.url)
        for _ in range(4):
            first.call()

        class PulledPlug(BaseException):
            pass

        def pull() -> None:
            raise PulledPlug

        first.post.before = pull
        with pytest.raises(BaseExceptionGroup):
            await first.turn()
        assert first.notice().stage is Stage.SENT
        first.ledger.close()

        second = House(limit(3), folder=tmp_path, ops=(), post=AppriseCarrier(deadline=5), clock=first.clock)
        assert second.notice().stage is Stage.SENT
        await second.turn(60)
        assert second.notice().stage is Stage.DELIVERED
        second.ledger.close()

        third = House(limit(3), folder=tmp_path, ops=(), post=AppriseCarrier(deadline=5), clock=first.clock)
        for _ in range(3):
            third.call()
            await third.turn(4000)
        assert (third.notice().stage, third.notice().tries) == (Stage.DELIVERED, 2)
        assert third.ledger.prove().broken == ""
        third.ledger.close()
    assert len(hook.posts) == 1
