"""From breach to proof of delivery, step by step: created, sent, delivered, grace, and only then a block."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from enforcer.domain.account import Standing
from enforcer.domain.call import CallAttempt, CallEvent, Phase
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.notice import About, Audience, Stage, created, step
from enforcer.domain.policy import Policy
from enforcer.domain.rules.seat import Seat
from enforcer.errors import LedgerError
from enforcer.notices import delivery, watch
from tests.support.notices import DAY, MAIL, OPS, House, limit
from tests.support.rules import rule


def over(house: House, calls: int = 4) -> None:
    """One call more than the limit, unless told otherwise."""
    for _ in range(calls):
        house.call()


def _ended(house: House, attempt: CallAttempt) -> CallEvent:
    """The call ends unanswered."""
    return CallEvent(Phase.ENDED, attempt, house.clock.now, hangup_cause=16)


async def test_a_limit_blocks_only_when_its_notice_was_delivered_and_the_grace_has_ended() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    over(house)
    assert house.call().verdict is Verdict.TAG
    await house.turn()
    notice = house.notice()
    assert (notice.stage, notice.level) == (Stage.DELIVERED, Level.CRITICAL)
    assert notice.delivered_at == house.clock.now
    assert notice.acts_from == house.clock.now + 7 * DAY
    house.clock.now += 7 * DAY - 1
    assert house.call().verdict is Verdict.TAG
    house.clock.now += 1
    decision = house.call()
    assert (decision.verdict, decision.sip_code) == (Verdict.BLOCK, 403)


async def test_every_step_is_on_record_in_its_order() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    over(house)
    await house.turn()
    steps = [entry.body["stage"] for entry in house.ledger.journal(ref=house.notice().id)]
    assert steps == ["created", "sent", "delivered"]
    delivered = list(house.ledger.journal(ref=house.notice().id))[-1]
    assert delivered.body["how"] == MAIL


async def test_the_text_on_record_is_the_text_that_was_sent() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    over(house)
    await house.turn()
    (sent,) = [one for one in house.post.sent if one[0] == MAIL]
    facts = house.notice().facts
    assert sent == (MAIL, facts["subject"], facts["text"])


async def test_a_failed_delivery_keeps_the_block_impossible_and_is_shouted_about() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    house.post.down[MAIL] = "Connection refused"
    over(house)
    await house.turn()
    notice = house.notice()
    assert (notice.stage, notice.tries) == (Stage.FAILED, 1)
    assert "Connection refused" in notice.problem
    assert ("notice not delivered", "Connection refused") in [
        (kind, str(about["problem"]).partition(": ")[2]) for kind, about in house.ears.faults_heard
    ]
    house.clock.now += 8 * DAY      # the same cycle: NOON is the 22nd
    assert house.call().verdict is Verdict.TAG
    assert house.ears.registry.get_sample_value(
        "enforcer_notices_total", {"audience": "customer", "outcome": "failed"}
    ) == 1


async def test_ops_hear_once_of_a_notice_that_could_not_be_delivered() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    house.post.down[MAIL] = "Connection refused"
    over(house)
    for _ in range(5):
        await house.turn(4000)
    assert house.notice().tries == 5
    (trouble,) = house.notices(Audience.OPS, About.TROUBLE)
    assert len([e for e in house.ledger.journal(ref=trouble.id) if e.body["stage"] == "created"]) == 1
    assert house.notice().id in trouble.facts["text"]
    assert sum("has not reached" in subject for subject in house.post.to(OPS)) == 1


async def test_what_failed_is_tried_again_later_and_later() -> None:
    house = House(limit(3), ops=())
    house.register("acme", "big", MAIL)
    house.post.down[MAIL] = "busy"
    over(house)
    await house.turn()
    tries = []
    for wait in (59, 1, 299, 1, 3599, 1, 3599, 1):
        await house.turn(wait)
        tries.append(house.notice().tries)
    assert tries == [1, 2, 2, 3, 3, 4, 4, 5]
    house.post.down.clear()
    await house.turn(3600)
    assert house.notice().stage is Stage.DELIVERED
    assert house.notice().problem == ""
    assert len(house.post.to(MAIL)) == 1
    await house.turn(3600)
    assert len(house.post.to(MAIL)) == 1


async def test_one_address_that_takes_it_is_delivery_and_the_other_is_reported() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL, "json://acme.example")
    house.post.down["json://acme.example"] = "404"
    over(house)
    await house.turn()
    assert house.notice().stage is Stage.DELIVERED
    assert house.ears.faults_heard[0][1]["problem"] == "json://acme.example: 404"
    assert house.notices(Audience.OPS, About.TROUBLE) == []


async def test_ops_wait_behind_no_long_queue_of_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_A_ROUND", 2)
    house = House(limit(0))
    for account in ("a", "b", "c", "d"):
        house.register(account, account, f"{account}@example.com")
        house.post.down[f"{account}@example.com"] = "busy"
        house.call(account)
    house.watch.tick(house.clock.now)
    rounds = [await house.delivery.round(house.clock) for _ in range(4)]
    assert rounds == [2, 2, 2, 2]       # four levels to ops; then their customers, two by two
    assert len(house.post.to(OPS)) == 4 + 2
    assert [n.tries for n in house.notices(about=About.LEVEL)] == [1, 1, 0, 0]


async def test_a_customer_without_any_address_has_to_be_told_by_hand_and_that_is_delivery() -> None:
    house = House(limit(3))
    house.register("acme", "big")
    over(house)
    for _ in range(3):
        await house.turn(61)
    notice = house.notice()
    assert (notice.stage, notice.tries) == (Stage.CREATED, 0)
    (trouble,) = house.notices(Audience.OPS, About.TROUBLE)
    assert "by hand" in trouble.facts["text"]
    house.ledger.put([step(notice, Stage.ACKNOWLEDGED, house.clock.now, by="anna", how="telephone")])
    house.clock.now += 7 * DAY
    assert house.call().verdict is Verdict.BLOCK
    await house.turn()
    assert house.post.to(MAIL) == []


async def test_an_address_entered_later_is_used() -> None:
    house = House(limit(3))
    house.register("acme", "big")
    over(house)
    await house.turn()
    house.register("acme", "big", MAIL)
    await house.turn(30)
    assert house.post.to(MAIL) == []
    house.delivery.look_again()
    await house.turn(1)
    assert len(house.post.to(MAIL)) == 1


async def test_warning_and_limit_are_told_each_once_however_often_they_are_met() -> None:
    house = House(limit(5, 2))
    house.register("acme", "big", MAIL)
    for _ in range(12):
        house.call()
        await house.turn(11)
        await house.turn(11)
    assert [n.level for n in house.notices()] == [Level.WARNING, Level.CRITICAL]
    assert len(house.post.to(MAIL)) == 2
    assert len(house.post.to(OPS)) == 2


async def test_whoever_jumps_over_the_limit_is_not_warned_afterwards() -> None:
    house = House(rule("concurrent_calls", 3, 1))
    house.register("acme", "big", MAIL)
    over(house)
    await house.turn()
    assert [n.level for n in house.notices(Audience.OPS)] == [Level.CRITICAL]
    for expected in ([], [], [About.CLEARED]):      # the fourth was refused; the three end one by one
        house.admission.observe(_ended(house, house.ledger.live()[0].attempt()))
        await house.turn(20)
        assert [n.about for n in house.notices(Audience.OPS)] == [About.LEVEL, *expected]


@pytest.mark.parametrize(("mode", "ops", "customer"), [
    (Mode.OFF, 0, 0), (Mode.MONITOR, 1, 0), (Mode.TAG, 1, 1), (Mode.THROTTLE, 1, 1), (Mode.BLOCK, 1, 1),
])
async def test_ops_are_told_from_monitor_up_and_customers_from_tag_up(
    mode: Mode, ops: int, customer: int
) -> None:
    house = House(limit(3), mode=mode)
    house.register("acme", "big", MAIL)
    over(house)
    await house.turn()
    assert (len(house.notices(Audience.OPS)), len(house.notices())) == (ops, customer)


async def test_a_mode_that_was_raised_tells_the_customer_then() -> None:
    house = House(limit(3), mode=Mode.MONITOR)
    house.register("acme", "big", MAIL)
    over(house)
    await house.turn()
    assert house.notices() == []
    house.modes.append(ModeSetting(Mode.TAG, account="acme", at=house.clock.now))
    house.admission.steer(Modes(house.modes), house.clock.now)
    await house.turn(20)
    assert len(house.notices()) == 1


async def test_a_rule_without_notice_tells_only_ops() -> None:
    house = House(rule("attempts", 3))
    house.register("acme", "big", MAIL)
    over(house)
    await house.turn()
    assert house.notices() == []
    assert len(house.post.to(OPS)) == 1
    assert "The customer is not told." in house.notices(Audience.OPS)[0].facts["text"]


async def test_a_level_that_only_events_reached_is_noticed() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    for _ in range(4):
        house.leased()
    await house.turn()
    assert house.notice().level is Level.CRITICAL


async def test_a_level_that_is_reached_long_after_the_last_call_was_asked_about_is_noticed() -> None:
    house = House(rule("asr", 4, notice=limit(1).spec.notice, min_attempts=4))
    house.register("acme", "big", MAIL)
    over(house)
    house.clock.now += 3000
    house.admission.round("pbx1", house.clock.now)
    assert house.admission.orders.callers() == []           # a quiet account has no orders any more
    for wait in (0, 11, 11):
        await house.turn(wait)
    assert house.notices() == []                            # a call that rings is no failure
    for record in house.ledger.live():
        house.ledger.apply(_ended(house, record.attempt()))
    await house.turn(11)
    assert house.notice().facts["value"] == "4/0"


async def test_a_level_that_was_left_again_is_told_once() -> None:
    house = House(rule("asr", 4, notice=limit(1).spec.notice, min_attempts=4))
    house.register("acme", "big", MAIL)
    for _ in range(8):
        house.leased()
    for record in house.ledger.live():
        house.admission.observe(_ended(house, record.attempt()))
    await house.turn()
    assert house.notice().facts["value"] == "8/0"
    for _ in range(8):
        house.leased(seconds=60)
    for _ in range(3):
        await house.turn(20)
    cleared = house.notice(About.CLEARED)
    assert cleared.level is Level.CRITICAL
    assert cleared.facts["value"] == "16/8 = 2"
    assert "within the limits" in cleared.facts["text"]
    for _ in range(30):
        house.leased()
    for record in house.ledger.live():
        house.admission.observe(_ended(house, record.attempt()))
    await house.turn(20)
    for _ in range(40):
        house.leased(seconds=60)
    await house.turn(20)
    assert len(house.notices(about=About.CLEARED)) == 1     # once a level and cycle
    assert len(house.notices(about=About.LEVEL)) == 1


async def test_whoever_is_kept_at_the_limit_by_refusals_has_not_left_it() -> None:
    house = House(rule("attempts", 3))
    for _ in range(3):
        over(house)
        await house.turn(20)
    assert [n.about for n in house.notices(Audience.OPS)] == [About.LEVEL]


async def test_what_is_over_at_once_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(rule("cps", 1, verdict=Verdict.ALLOW), rule("attempts", 3))
    over(house)
    await house.turn()
    looked: list[str] = []
    look = house.watch._look_at

    def watched(seat: Seat, account: str, *more: Any) -> None:
        looked.append(seat.rule.spec.id)
        look(seat, account, *more)

    monkeypatch.setattr(house.watch, "_look_at", watched)
    assert {n.rule for n in house.notices(Audience.OPS)} == {"cps", "attempts"}
    for _ in range(3):
        await house.turn(3 * 3600)
        house.admission.round("pbx1", house.clock.now)      # a quiet account has no orders any more
    assert house.admission.orders.callers() == []
    looked.clear()
    await house.turn(3 * 3600)
    assert "attempts" in looked         # this level may be left
    house.admission.use(Policy([rule("cps", 1)]), house.clock.now)
    looked.clear()
    await house.turn(3 * 3600)
    assert looked == []


async def test_a_cycle_that_is_over_clears_nothing() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    over(house)
    await house.turn()
    house.clock.now += 10 * DAY         # December
    house.leased()
    await house.turn()
    assert house.notices(about=About.CLEARED) == []
    over(house)
    await house.turn()
    assert [n.cycle for n in house.notices()] == ["2026-11", "2026-12"]


async def test_a_breach_while_the_notice_holds_needs_no_new_grace() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    over(house)
    await house.turn()
    house.clock.now += 10 * DAY
    over(house)
    assert house.call().verdict is Verdict.BLOCK
    await house.turn()
    december = house.notices()[-1]
    assert "notice of it was given before" in december.facts["text"]


async def test_strikes_ask_ops_to_decide_once() -> None:
    house = House(rule("strikes", 1, cycles=1, verdict=Verdict.ALLOW, propose=Standing.TERMINATED))
    house.register("acme", "big", MAIL)
    body = {"kind": "copyright", "at": house.clock.now, "who": "anna"}
    house.ledger.put([JournalEntry(Kind.STRIKE, house.clock.now, "s-1", "big", "acme", body)])
    for _ in range(3):
        house.call()
        await house.turn(11)
    (asked,) = house.notices(Audience.OPS, About.PROPOSAL)
    assert "enforcer account terminate acme --after 7d" in asked.facts["text"]
    assert house.notices(Audience.OPS, About.LEVEL) == []
    assert len(house.post.to(OPS)) == 1


async def test_a_strike_that_people_enter_is_noticed_though_nobody_calls() -> None:
    house = House(rule(
        "strikes", 1, cycles=1, verdict=Verdict.ALLOW, propose=Standing.SUSPENDED,
        measure=Measure(Scope.CUSTOMER),
    ))
    house.register("acme", "big", MAIL)
    await house.turn()
    body = {"kind": "copyright", "at": house.clock.now, "who": "anna"}
    house.ledger.put([JournalEntry(Kind.STRIKE, house.clock.now, "s-1", "big", "", body)])
    house.watch.look_again()
    await house.turn(1)
    (asked,) = house.notices(Audience.OPS, About.PROPOSAL)
    assert "for each account of this customer" in asked.facts["text"]


async def test_no_address_for_ops_means_the_log() -> None:
    house = House(rule("attempts", 3), ops=())
    over(house)
    await house.turn()
    (notice,) = house.notices(Audience.OPS)
    assert notice.stage is Stage.DELIVERED
    assert [what for what, _ in house.ears.notes] == ["notice to ops"]


async def test_a_customers_level_is_one_notice_for_all_accounts() -> None:
    house = House(limit(3, measure=Measure(Scope.CUSTOMER)))
    house.register("acme", "big", MAIL, timezone="Europe/Berlin", anchor_day=15)
    house.register("apex", "big", MAIL)
    for account in ("acme", "apex") * 3:
        house.call(account)
    await house.turn()
    notice = house.notice()
    assert (notice.account, notice.customer, notice.cycle) == ("", "big", "2026-11")
    assert "2026-11-15 00:00 CET" in notice.facts["text"]


async def test_a_disk_that_cannot_be_read_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    over(house)
    with monkeypatch.context() as broken:
        broken.setattr(house.ledger, "customers", _refuse)
        with pytest.raises(LedgerError):
            house.watch.tick(house.clock.now)
    assert house.ledger.registers.notices.all() == []
    await house.turn(1)
    assert house.notice().stage is Stage.DELIVERED


async def test_nothing_is_sent_before_that_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    over(house)
    house.watch.tick(house.clock.now)
    with monkeypatch.context() as broken:
        broken.setattr(house.ledger, "written", _refuse)
        with pytest.raises(LedgerError):
            await house.delivery.round(house.clock)
    assert house.post.sent == []
    await house.turn(60)
    assert len(house.post.to(MAIL)) == 1


def _refuse() -> None:
    raise LedgerError("disk full")


async def test_a_standing_finding_is_nobodys_level() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    account = house.ledger.account("acme")
    house.ledger.put_accounts([replace(account, standing=Standing.SUSPENDED)])
    assert house.call().verdict is Verdict.BLOCK
    await house.turn()
    assert house.ledger.registers.notices.all() == []


async def test_an_account_that_people_terminated_is_not_made_suspended_by_an_older_notice() -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    account = house.ledger.account("acme")
    notice = house.stationery.standing(account, Standing.SUSPENDED, house.clock.now, DAY, "spam", "anna")
    house.ledger.put([created(notice)])
    await house.turn()
    house.ledger.put_accounts([replace(account, standing=Standing.TERMINATED, standing_reason="fraud")])
    await house.turn(DAY)
    assert house.ledger.account("acme").standing_reason == "fraud"
    assert house.ledger.registers.notices.announcing() == []
    assert house.notices(Audience.OPS, About.STANDING) == []


def test_what_finds_no_room_is_counted_and_costs_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_FOUND", 2)
    house = House(rule("attempts", 0))
    for account in ("a", "b", "c", "c", "a"):
        house.call(account)
    assert (house.watch.missed, house.watch.behind) == (2, True)


async def test_a_defect_that_one_account_shows_keeps_no_other_from_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(limit(3))
    house.register("acme", "big", MAIL)
    house.register("bad", "bad")
    over(house)
    for _ in range(4):
        house.call("bad")
    account = house.ledger.account

    def broken(account_id: str) -> object:
        if account_id == "bad":
            raise ZeroDivisionError
        return account(account_id)

    with monkeypatch.context() as defect:
        defect.setattr(house.ledger, "account", broken)
        await house.turn()
    assert house.watch.trouble == "ZeroDivisionError()"
    assert [n.account for n in house.notices()] == ["acme"]
