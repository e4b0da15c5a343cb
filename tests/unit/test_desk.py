"""The desk: every order is answered, carried out once, and in force when the answer is given."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enforcer.control import desk
from enforcer.control.acts import Office
from enforcer.control.desk import Ack, Desk
from enforcer.control.feed import KEEP_UP, LATELY, Feed
from enforcer.control.site import Site
from enforcer.domain.account import Standing
from enforcer.domain.band import WHO
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.errors import LedgerError
from enforcer.ledger.port import Ledger
from enforcer.notices.text import stationery_of
from tests.support.house import House

NOW = 1_795_309_510.0
PACK = """
[pack]
name = "small"
revision = "1"
[[rule]]
id = "calls"
kind = "attempts"
clause = "1"
critical = { at = 3, verdict = "block" }
[[rule]]
id = "repeat"
kind = "strikes"
clause = "7"
scope = "customer"
window = "365d"
strikes = ["copyright"]
critical = { at = 3 }
"""


class Office1:
    """A desk over a real SQLite ledger, and all that was heard of it."""

    def __init__(self, house: House, ledger: Ledger, site: Site) -> None:
        self.ledger = ledger
        self.changes = 0
        self.problem = ""
        self.acks: list[Ack] = []
        office = Office(
            ledger, site.plan, lambda: site.policy, ("pbx1",), stationery_of(site.settings),
            lambda: self.problem,
        )
        self.desk = Desk(office, lambda: NOW, self._changed)
        self.desk.on_ack.append(self.acks.append)

    def _changed(self) -> None:
        self.changes += 1

    def say(self, do: str, **facts: Any) -> Ack:
        return self.desk.take({"do": do} | facts, "ann", "test")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, PACK)


@pytest.fixture
def office(house: House) -> Iterator[Office1]:
    site = Site(house.config)
    with site.ledger(site.policy) as ledger:
        yield Office1(house, ledger, site)


def test_an_order_is_carried_out_and_in_force_before_it_is_answered(office: Office1) -> None:
    ack = office.say("mode.set", mode="block", account="acme", reason="complaint")
    assert (ack.accepted, ack.said, ack.who, ack.door) == (True, "account acme: block", "ann", "test")
    (setting,) = office.ledger.modes()
    assert (setting.mode, setting.account, setting.who, setting.at) == (Mode.BLOCK, "acme", "ann", NOW)
    assert office.changes == 1
    assert office.acks == [ack]


def test_what_cannot_be_done_is_answered_too_and_changes_nothing(office: Office1) -> None:
    ack = office.say("mode.set", mode="block", account="acne", id="x1")
    assert (ack.accepted, ack.id) == (False, "x1")
    assert ack.said == "no such account: 'acne'; did you mean 'acme'?"
    assert (office.changes, office.ledger.modes()) == (0, [])
    assert office.acks == [ack]


@pytest.mark.parametrize("text", [b"", b"\x00\xff", b"[]", b'{"do": {}}', b'{"do": "reload", "id": []}'])
def test_garbage_is_answered_and_never_raises(office: Office1, text: bytes) -> None:
    assert not office.desk.take(text, "ann", "test").accepted


def test_the_same_order_twice_is_one_strike_also_after_a_restart(house: House, office: Office1) -> None:
    told = {"kind": "copyright", "customer": "big", "id": "ticket-1"}
    first, again = office.say("strike.add", **told), office.say("strike.add", **told)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.said == first.said
    site = Site(house.config)
    with site.ledger(site.policy) as ledger:        # a second enforcer's view of the same file
        later = Office1(house, ledger, site).say("strike.add", **told)
        assert later.repeated
        assert len(ledger.registers.strikes.all()) == 1


def test_a_name_that_another_order_had_is_refused(office: Office1) -> None:
    office.say("mode.ceiling", mode="tag", id="a")
    ack = office.say("reload", id="a")
    assert (ack.accepted, ack.said) == (False, "id: 'a' was the name of another order, mode.ceiling")


def test_a_name_is_not_lent_to_the_same_order_about_something_else(house: House, office: Office1) -> None:
    assert office.say("account.suspend", account="acme", id="4711").accepted
    ack = office.say("account.suspend", account="other", id="4711")
    assert ack.said == (
        "id: '4711' was the name of another order (account acme suspended): give this one its own"
    )
    assert (ack.accepted, ack.repeated) == (False, False)
    told = {"do": "account.suspend", "account": "acme", "reason": "by the other door", "id": "4711"}
    again = office.desk.take(told, "bob", "http")
    assert (again.accepted, again.repeated) == (True, True)


@pytest.mark.parametrize("other", [
    {"mode": "off"}, {"account": "acme"}, {"for": "1h"}, {"rule": "calls"}, {"switch": "pbx1"},
])
def test_a_mode_is_not_taken_for_set_because_another_had_its_name(
    office: Office1, other: dict[str, str]
) -> None:
    told = {"mode": "block", "id": "1"}
    assert office.say("mode.set", **told).accepted
    assert not office.say("mode.set", **(told | other)).accepted
    assert office.say("mode.set", **told).repeated


def test_an_account_is_suspended_resumed_and_announced_for_termination(office: Office1) -> None:
    assert office.say("account.suspend", account="acme", reason="unpaid").said == "account acme suspended"
    assert office.ledger.account("acme").standing is Standing.SUSPENDED
    assert office.say("account.resume", account="acme").accepted
    said = office.say("account.terminate", account="acme", after="7d").said
    assert said.startswith("account acme will be terminated 7 days after notice n-")
    (notice,) = office.ledger.registers.notices.announcing("acme")
    assert office.say("notice.ack", notice=notice.id, reason="by telephone").accepted


def test_opt_outs_and_strikes_are_entered_and_withdrawn(office: Office1) -> None:
    assert office.say("optout.add", number="2125550123", account="acme").accepted
    assert office.ledger.registers.opt_outs.found("+12125550123", "big", "acme") is not None
    assert office.say("optout.remove", number="2125550123", account="acme").accepted
    assert office.ledger.registers.opt_outs.found("+12125550123", "big", "acme") is None
    said = office.say("strike.add", kind="spam", account="acme").said
    assert "warning: no rule of the packs counts strikes of the kind 'spam'" in said
    (strike,) = office.ledger.registers.strikes.all()
    assert not office.say("strike.withdraw", strike=strike.id).accepted
    assert office.say("strike.withdraw", strike=strike.id, reason="an error").accepted


async def test_an_order_waits_a_moment_for_a_ledger_that_somebody_holds(
    house: House, office: Office1, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PAUSES", (0.0, 0.0))
    put, tries = office.ledger.put_mode, []

    def locked(setting: ModeSetting) -> None:
        tries.append(setting)
        if len(tries) < 3:
            raise LedgerError("enforcer.db: database is locked")
        put(setting)

    monkeypatch.setattr(office.ledger, "put_mode", locked)
    told = {"do": "mode.set", "mode": "block"}
    assert (await office.desk.take_patiently(told, "ann", "test")).accepted
    assert [ack.accepted for ack in office.acks] == [True]      # told of once
    tries.clear()
    monkeypatch.setattr(desk, "PAUSES", (0.0,))
    ack = await office.desk.take_patiently(told, "ann", "test")
    assert (ack.accepted, ack.ours, ack.said) == (False, True, "enforcer.db: database is locked")
    assert (len(tries), len(office.acks)) == (2, 2)


async def test_what_cannot_be_done_is_not_tried_again(office: Office1) -> None:
    assert not (await office.desk.take_patiently({"do": "mode.set"}, "ann", "test")).accepted
    assert len(office.acks) == 1


def test_accounts_are_added_and_changed(office: Office1) -> None:
    told = {"account": "nova", "customer": "big", "type": "pbx"}
    assert office.say("account.add", **told).said == "account nova added"
    assert office.say("account.set", **told | {"plan": "flat"}).said == "account nova changed"
    assert office.ledger.account("nova").plan == "flat"


def test_a_pack_that_is_wrong_leaves_the_old_one_in_force_and_says_so(office: Office1) -> None:
    assert office.say("reload").said == "in force: small@1"
    office.problem = "pack.toml:7: critical.at must be more than 0"
    ack = office.say("reload")
    assert (ack.accepted, ack.said) == (False, f"{office.problem}; small@1 stays in force")


def test_modes_set_at_the_desk_are_those_of_the_command_line(house: House, office: Office1) -> None:
    office.say("mode.ceiling", mode="monitor")
    site = Site(house.config)
    with site.ledger() as ledger:
        assert Modes(ledger.modes()).ceiling(NOW) == office.ledger.modes()[0]


async def test_a_subscriber_gets_what_happens_in_order_and_what_it_missed() -> None:
    feed = Feed()
    feed.tell("mode", NOW, {"n": 1})
    feed.tell("mode", NOW, {"n": 2})
    with feed.subscribed(since=1) as late, feed.subscribed() as new:
        waiting = asyncio.ensure_future(new.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        feed.tell("decision", NOW, {"n": 3})
        assert [(await late.get()).number, (await late.get()).number] == [2, 3]
        assert (await waiting).facts == {"n": 3}
    feed.tell("decision", NOW, {"n": 4})
    assert late.waiting() == 0


async def test_a_subscriber_who_does_not_keep_up_loses_the_oldest_and_nothing_grows() -> None:
    feed = Feed()
    with feed.subscribed() as slow:
        for number in range(KEEP_UP + 5):
            feed.tell("decision", NOW, {"n": number})
        assert (slow.missed, slow.waiting()) == (5, KEEP_UP)
        assert (await slow.get()).number == 6
    assert len(feed.since(0)) == LATELY


def test_a_person_arms_the_breaker_again_from_the_desk(office: Office1) -> None:
    assert office.say("breaker.rearm", reason="a typo").said.startswith("the breaker has not tripped")
    office.ledger.put_mode(ModeSetting(Mode.THROTTLE, ceiling=True, who="ann", at=NOW - 60))
    office.ledger.put_mode(ModeSetting(Mode.MONITOR, ceiling=True, who=WHO, at=NOW - 1, why="61 %"))
    assert office.say("breaker.rearm").said.startswith("reason: is missing")
    ack = office.say("breaker.rearm", reason="a typo")
    assert (ack.accepted, ack.said) == (True, "re-armed; site ceiling: throttle")
    ceiling = Modes(office.ledger.modes()).ceiling(NOW)
    assert ceiling is not None
    assert (ceiling.mode, ceiling.who, ceiling.why) == (Mode.THROTTLE, "ann", "a typo")


def test_nobody_signs_as_the_breaker(office: Office1) -> None:
    for who in (WHO, "ann"):
        ack = office.desk.take({"do": "mode.ceiling", "mode": "block", "who": WHO}, who, "test")
        assert (ack.accepted, ack.said) == (
            False, "who: 'breaker' is the name that the breaker itself signs with: name a person"
        )
    assert office.desk.take({"do": "mode.ceiling", "mode": "block", "who": WHO}, "ann", "test", True).accepted
    assert [setting.who for setting in office.ledger.modes()] == ["ann"]
