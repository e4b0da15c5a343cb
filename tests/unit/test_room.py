"""The control room: what is decided, ordered and goes wrong is told once, in order, and shown at a glance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from enforcer import app
from enforcer import room as room_module
from enforcer.control.page.moment import _words
from enforcer.control.series import MINUTES, Series
from enforcer.domain.call import CallAttempt, Direction
from enforcer.domain.decision import Verdict
from enforcer.domain.gap import Gap
from enforcer.domain.journal import JournalEntry
from enforcer.domain.open_gaps import MOST_OPEN
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.telemetry import decision_line
from tests.support.house import ACCOUNTS, SWITCH, House, one_rule
from tests.support.ledgers import PATIENCE, classify
from tests.support.running import built

NOW = 1_795_309_510.0
PACK = one_rule()


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[app.House]:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    site = House(tmp_path, PACK, SWITCH)
    with built(site.config, lambda: NOW) as found:
        yield found


def attempt(number: int, account: str = "acme") -> CallAttempt:
    return CallAttempt(
        call_id=f"pbx1/{number}", account=account, number="2125550123", caller="", at=NOW,
        direction=Direction.OUTBOUND, switch="pbx1",
    )


async def test_a_mode_ordered_at_the_desk_holds_for_the_next_call(house: app.House) -> None:
    assert ACCOUNTS.count("acme") == 1
    house.admission.admit(attempt(1))
    assert house.admission.admit(attempt(2)).verdict is Verdict.ALLOW
    ack = house.room.desk.take({"do": "mode.set", "mode": "block", "account": "acme"}, "ann", "mqtt")
    assert ack.accepted
    decision = house.admission.admit(attempt(3))
    assert (decision.verdict, decision.sip_code) == (Verdict.BLOCK, 403)


async def test_the_feed_tells_what_was_ordered_what_was_refused_and_what_went_wrong(house: app.House) -> None:
    for number in range(2):
        house.admission.admit(attempt(number))
    house.room.desk.take({"do": "mode.ceiling", "mode": "tag", "reason": "drill"}, "ann", "http")
    house.room.desk.take(b"nonsense", "ann", "mqtt")
    house.telemetry.fault("disk", problem="full")
    told = [(one.kind, one.facts) for one in house.room.feed.since(0)]
    assert [kind for kind, _ in told] == ["decision", "order", "order", "fault"]
    assert (told[0][1]["verdict"], told[0][1]["would_be"]) == ("allow", "block")
    assert [told[n][1]["accepted"] for n in (1, 2)] == [True, False]
    assert told[3][1] | {"at": ""} == {"fault": "disk", "problem": "full", "at": ""}


async def test_a_gap_is_told_as_it_opens_and_as_it_is_filled(house: app.House) -> None:
    gap = Gap("pbx1", NOW - 60, NOW - 30, "the link was lost", unseen=4)
    house.ledger.note(gap.opened(NOW))
    house.ledger.note(gap.closed("CDRs", NOW + 9))
    told = [one.facts for one in house.room.feed.since(0) if one.kind == "gap"]
    assert [(one["open"], one["gap"]) for one in told] == [(True, gap.id), (False, gap.id)]
    assert (told[0]["switch"], told[0]["seconds"], told[0]["calls"]) == ("pbx1", 30.0, 4)
    assert tuple(_words(one) for one in house.room.feed.since(0) if one.kind == "gap") == (
        "switch pbx1 was not heard for 30.0 s (the link was lost): up to 4 calls may be missing",
        f"gap {gap.id} is closed: CDRs",
    )


async def test_gap_that_was_counted_or_became_part_of_another_is_told_of_again(house: app.House) -> None:
    gaps = [Gap("pbx1", NOW + 60 * n, NOW + 60 * n + 30, "lost", unseen=2) for n in range(MOST_OPEN + 1)]
    for gap in gaps[:-1]:
        house.ledger.note(gap.opened(NOW))
    house.ledger.note(gaps[5].counted(1, NOW))
    number = house.room.feed.number
    house.ledger.note(gaps[-1].opened(NOW))
    told = [one.facts for one in house.room.feed.since(0) if one.kind == "gap"]
    assert [(one["gap"], one["calls"]) for one in told if one.get("calls") == 1] == [(gaps[5].id, 1)]
    news = [one.facts for one in house.room.feed.since(number) if one.kind == "gap"]
    (whole,) = (one for one in house.ledger.registers.gaps.open() if one.parts == 2)
    assert {(one["gap"], one["open"]) for one in news} == {
        (gaps[-1].id, True), (whole.id, True), (gaps[0].id, False), (gaps[1].id, False)}
    assert {one["by"] for one in news if not one["open"]} == {"it is part of a longer one now"}
    assert len(house.room.overview()["gaps"]) == MOST_OPEN


async def test_listener_that_fails_costs_a_line_and_a_count_and_not_the_ledger(house: app.House) -> None:
    def bad(entry: JournalEntry) -> None:
        raise RuntimeError("full")

    registers = house.ledger.registers
    registers.on_entry.insert(0, bad)
    gap = Gap("pbx1", NOW - 60, NOW - 30, "lost", unseen=4)
    with closing(SqliteLedger(house.settings.ledger_path, classify, lambda: NOW, PATIENCE)) as another:
        another.put([gap.opened(NOW)])
    assert house.ledger.changed_elsewhere()
    assert not house.ledger.changed_elsewhere()
    assert house.ledger.degraded == ""
    assert [one.id for one in registers.gaps.open()] == [gap.id]
    assert [one.kind for one in house.room.feed.since(0)].count("gap") == 1      # others heard of it, once
    assert (registers.untold, registers.problem) == (1, f"gap {gap.id}: RuntimeError('full')")
    house.ledger.note(gap.closed("CDRs", NOW))
    for _ in range(2):
        house.telemetry.risen("listener failed", registers.untold, problem=registers.problem)
    assert house.telemetry.registry.get_sample_value(
        "enforcer_faults_total", {"kind": "listener failed"}) == 1
    assert [one["times"] for one in house.room.faults if one["fault"] == "listener failed"] == ["2"]


async def test_the_overview_is_this_moment(house: app.House) -> None:
    for number in range(3):
        house.admission.admit(attempt(number))
    house.room.desk.take({"do": "mode.ceiling", "mode": "monitor", "reason": "drill"}, "ann", "http")
    seen = house.room.overview()
    assert (seen["site"], seen["policy"], seen["mode"]) == ("lab", "small@1", "monitor")
    ceiling = seen["ceiling"]
    assert (ceiling["mode"], ceiling["who"], ceiling["why"]) == ("monitor", "ann", "drill")
    (switch,) = seen["switches"]
    assert (switch["switch"], switch["connected"], switch["problem"]) == ("pbx1", False, "not connected yet")
    assert seen["decisions"][-1]["allow"] == 3
    assert len(seen["decisions"]) == 60


async def test_minutes_without_a_call_are_in_the_series_and_old_ones_leave_it(house: app.House) -> None:
    decision = house.admission.admit(attempt(1))
    series = Series()
    series.decision(decision._replace(at=NOW - 120))
    series.decision(decision)
    counts = [minute["allow"] for minute in series.last(NOW, 3)]
    assert counts == [1, 0, 1]
    for number in range(2 * MINUTES):
        series.decision(decision._replace(at=NOW + 60 * number))
    assert len(series._minutes) == MINUTES


async def test_the_rate_is_that_of_the_last_ten_seconds(house: app.House) -> None:
    decision = house.admission.admit(attempt(1))
    series = Series()
    for number in range(40):
        series.decision(decision._replace(at=NOW + number / 4))
    assert series.rate(NOW + 10) == 4.0
    assert series.rate(NOW + 60) == 0.0


async def test_calls_on_a_lease_are_in_the_rate_and_told_apart(house: app.House) -> None:
    assert house.admission.on_leased("acme") is None
    (minute,) = house.room.series.last(NOW, 1)
    assert (minute["leased"], minute["allow"]) == (1, 0)


async def test_gap_is_told_at_a_glance_and_by_every_decision_until_it_is_filled(house: app.House) -> None:
    gap = Gap("pbx1", NOW - 60, NOW - 30, "connection lost", 2)
    house.ledger.put([gap.opened(NOW)])
    (told,) = house.room.overview()["gaps"]
    assert (told["switch"], told["seconds"], told["calls"]) == ("pbx1", 30.0, 2)
    decision = house.admission.admit(attempt(1))
    assert decision.gap == (
        "30 s of pbx1 unheard: up to 2 attempts, up to 2 answered calls, up to 1.0 min more"
    )
    assert decision_line(decision)["gap"] == decision.gap
    assert house.admission.admit(attempt(2)).reason.startswith("calls: ")       # it acts on what is proven
    house.watching.measure()
    sample = house.telemetry.registry.get_sample_value
    assert sample("enforcer_gap_seconds", {"switch": "pbx1"}) == 30
    assert sample("enforcer_gap_calls", {"switch": "pbx1"}) == 2
    house.ledger.put([gap.closed("an import", NOW)])
    assert house.room.overview()["gaps"] == []
    assert house.admission.admit(attempt(3)).gap == ""
    stored = house.ledger.decision(decision.decision_id)
    assert stored is not None
    assert stored.gap == decision.gap


async def test_a_look_that_fails_is_told_once_and_does_not_end_the_room(
    house: app.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, seen = 0, asyncio.Event()

    def broken() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            seen.set()
        raise ZeroDivisionError

    monkeypatch.setattr(room_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(house.room, "look", broken)
    running = asyncio.ensure_future(house.room.run())
    await seen.wait()
    faults = [one.facts for one in house.room.feed.since(0) if one.kind == "fault"]
    assert [(one["fault"], one["problem"]) for one in faults] == [("control room", "ZeroDivisionError()")]
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
