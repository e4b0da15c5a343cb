"""A switch that was not heard: on record with its bounds, counted by its own numbers, closed by CDRs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from enforcer import watching as module
from enforcer.domain.call import CallEvent, Source
from enforcer.domain.gap import Ended, Gap, Room, Sight
from enforcer.domain.open_gaps import MOST_OPEN, Gaps
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.settings_switch import SwitchSettings
from enforcer.switch.link import Lapse
from enforcer.telemetry import Telemetry
from enforcer.watching import Watching
from tests.support.cdr_rows import row
from tests.support.ledgers import PATIENCE, POLICY, Call, Clock, classify, talked, tell, usage
from tests.support.rules import NOON


class FakeLink:
    """A link as `Watching` sees it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.on_lapse: Callable[[Lapse], None]
        self.on_counted: Callable[[float, int], None]
        self.remembered: Sight | None = None
        self.heard: Sight | None = None

    def remember(self, sight: Sight) -> None:
        self.remembered = sight

    def sight(self) -> Sight | None:
        return self.heard


class House:
    """A ledger on a disk, one switch, and what watches it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.file = folder / "Master.csv"
        self.path = folder / "ledger.db"
        self.registry = CollectorRegistry()
        self.begin()

    def opened(self) -> SqliteLedger:
        return SqliteLedger(self.path, classify, self.clock, PATIENCE)

    def begin(self) -> None:
        self.ledger = self.opened()
        self.ledger.use(POLICY)
        self.link = FakeLink(self.clock)
        settings = SwitchSettings.model_validate(
            {"name": "pbx1", "secret_env": "X", "cdr_file": str(self.file), "channels": 10}
        )
        self.watching = Watching(
            {"pbx1": self.link}, [settings], self.ledger, self.opened,      # type: ignore[dict-item]
            Telemetry(CollectorRegistry()), self.clock,
        )

    def lapse(self, *endings: CallEvent, unseen: int | None = None, seconds: float = 30.0) -> None:
        self.link.on_lapse(Lapse(NOON, NOON + seconds, "connection lost", endings, unseen))

    def gaps(self) -> list[Any]:
        return self.ledger.registers.gaps.open()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.ledger.close()


def test_gap_is_on_record_and_survives_a_restart(house: House) -> None:
    house.lapse()
    house.ledger.close()
    house.begin()
    (gap,) = house.gaps()
    assert (gap.switch, gap.since, gap.until, gap.cause) == ("pbx1", NOON, NOON + 30, "connection lost")
    assert house.ledger.prove().fault is None


def test_gap_without_a_count_is_bounded_by_what_the_switch_can_hold(house: House) -> None:
    house.lapse()
    (gap,) = house.gaps()
    assert gap.room("acme") == Room(None, None, 10 * 30_000)


def test_switchs_own_count_bounds_a_gap(house: House) -> None:
    house.lapse()
    house.link.on_counted(NOON, 4)
    (gap,) = house.gaps()
    assert gap.room("acme") == Room(4, 4, 4 * 30_000)


def test_gap_in_which_no_channel_began_is_none(house: House) -> None:
    house.lapse(unseen=0)
    assert house.gaps() == []
    house.lapse()
    house.link.on_counted(NOON, 0)
    assert house.gaps() == []


def test_calls_that_ended_unseen_are_bounds_of_their_account_alone(house: House) -> None:
    talking, ringing = Call("1"), Call("2", account="apex", start=NOON - 3)
    talking.start = NOON - 12
    told = talked(talking, 0.0)[:2]
    tell(house.ledger, *told)
    house.lapse(
        talking.ended(source=Source.INFERRED), ringing.ended(source=Source.INFERRED), unseen=0,
    )
    (gap,) = house.gaps()
    assert gap.ended == {"acme": Ended(1, 0, 40_000), "apex": Ended(1, 1, 30_000)}
    assert gap.room("acme") == Room(0, 0, 40_000)
    assert gap.room("apex") == Room(0, 1, 30_000)
    assert not gap.concerns("solo")


def test_rules_read_what_is_proven_and_decisions_say_what_may_be_missing(house: House) -> None:
    call = Call("1")
    tell(house.ledger, *talked(call, 5.0))
    before = usage(house.ledger)
    house.lapse(unseen=7)
    assert usage(house.ledger) == before
    assert house.ledger.registers.gaps.words("acme") == (
        "30 s of pbx1 unheard: up to 7 attempts, up to 7 answered calls, up to 3.5 min more"
    )


def test_gap_since_the_same_moment_grows_and_forgets_nothing(house: House) -> None:
    house.lapse(Call("1").ended(source=Source.INFERRED), unseen=1)
    house.lapse(Call("2").ended(source=Source.INFERRED), unseen=3, seconds=60.0)
    (gap,) = house.gaps()
    assert (gap.until, gap.unseen, gap.ended["acme"].calls) == (NOON + 60, 3, 2)


def test_what_decisions_say_of_gaps_is_worked_out_once_and_follows_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.lapse(unseen=2)
    gaps, looked, look = house.ledger.registers.gaps, [0], Gaps.of

    def of(self: Gaps, account: str) -> list[Gap]:
        looked[0] += 1
        return look(self, account)

    monkeypatch.setattr(Gaps, "of", of)
    assert {gaps.words("acme") for _ in range(100)} == {
        "30 s of pbx1 unheard: up to 2 attempts, up to 2 answered calls, up to 1.0 min more"
    }
    assert looked == [1]
    (gap,) = gaps.open()
    house.ledger.note(gap.counted(3, NOON))
    assert gaps.words("acme").startswith("30 s of pbx1 unheard: up to 3 attempts")
    house.ledger.note(gap.closed("CDRs", NOON))
    assert gaps.words("acme") == ""


def test_count_of_a_gap_that_became_part_of_another_counts_nothing_of_that(house: House) -> None:
    for number in range(MOST_OPEN + 1):
        since = NOON + 60 * number
        house.link.on_lapse(Lapse(since, since + 30, "connection lost", (), None))
    whole = house.gaps()[0]
    house.link.on_counted(NOON, 0)
    assert (whole.parts, house.gaps()[0], len(house.gaps())) == (2, whole, MOST_OPEN)


async def test_gap_is_closed_when_the_file_has_been_read_past_it(house: House) -> None:
    await _run(house, lambda: house.ledger.places())        # it follows the file from before the gap on
    house.clock.now = NOON + 1
    house.link.on_lapse(Lapse(NOON + 1, NOON + 30, "connection lost", (), 2))
    house.file.write_text(row("acme", NOON + 10, 5) + row("acme", NOON + 12, 5))
    house.clock.now = NOON + 30
    await _run(house, lambda: house.ledger.places()["pbx1"].position)
    assert len(house.gaps()) == 1       # a row of it may not be written yet
    house.clock.now = NOON + 30 + 331
    await _run(house, lambda: not house.gaps())
    assert usage(house.ledger).attempts == 2
    closed = list(house.ledger.journal())[-1]
    assert closed.body == {"what": "closed", "by": "the switch's CDR file"}


async def test_gap_is_closed_at_once_where_a_row_of_a_call_that_ended_later_is_there(house: House) -> None:
    """Also of a switch that holds rows back for minutes: they come in the order in which calls end."""
    await _run(house, lambda: house.ledger.places())
    house.clock.now = NOON + 1
    house.link.on_lapse(Lapse(NOON + 1, NOON + 30, "connection lost", (), 2))
    house.clock.now = NOON + 50
    house.file.write_text(row("acme", NOON + 25, 5))
    await _run(house, lambda: house.ledger.places()["pbx1"].position)
    assert len(house.gaps()) == 1       # it ended with the gap: others may be behind it
    with house.file.open("a") as file:
        file.write(row("acme", NOON + 10, 5) + row("acme", NOON + 36, 5))
    await _run(house, lambda: not house.gaps())
    assert usage(house.ledger).attempts == 3


async def test_gap_is_not_closed_before_the_counters_have_what_was_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _run(house, lambda: house.ledger.places())
    house.clock.now = NOON + 1
    house.link.on_lapse(Lapse(NOON + 1, NOON + 30, "connection lost", (), 2))
    house.clock.now = NOON + 50
    house.file.write_text(row("acme", NOON + 10, 5) + row("acme", NOON + 40, 5))
    house.watching._stop.clear()
    monkeypatch.setattr(module, "TAKEN_OVER_SECONDS", 0.0)
    swept = await asyncio.to_thread(house.watching._followers["pbx1"].sweep)
    closing = asyncio.create_task(house.watching._swept("pbx1", swept))
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(house.gaps()) == 1
    while not closing.done():
        house.ledger.changed_elsewhere()
        await asyncio.sleep(0)
    assert house.gaps() == []
    assert usage(house.ledger).attempts == 2


async def test_gap_stays_open_while_the_ledger_is_in_trouble(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TAKEN_OVER_SECONDS", 0.0)
    house.clock.now = NOON + 1
    house.link.on_lapse(Lapse(NOON + 1, NOON + 30, "connection lost", (), 2))
    house.clock.now = NOON + 50
    house.file.write_text(row("acme", NOON - 60, 5) + row("acme", NOON + 10, 5) + row("acme", NOON + 40, 5))
    await house.watching._swept("pbx1", await asyncio.to_thread(house.watching._followers["pbx1"].sweep))
    assert len(house.gaps()) == 1


async def test_file_that_misses_something_closes_no_gap(house: House) -> None:
    house.clock.now = NOON + 100
    house.lapse(unseen=2)
    house.file.write_text(row("acme", NOON + 90, 5))        # begins after the gap
    await _run(house, lambda: house.ledger.places())
    assert len(house.gaps()) == 1


async def test_how_far_a_switch_was_heard_is_told_to_who_runs_next(house: House) -> None:
    house.link.heard = Sight("pbx1", NOON, 425, "boot")
    await _run(house, lambda: house.ledger.sights())
    house.ledger.close()
    house.begin()
    assert house.link.remembered == Sight("pbx1", NOON, 425, "boot")


async def test_how_far_it_is_heard_is_remembered_also_once_its_clock_was_set_back(house: House) -> None:
    def remembered() -> float:
        known = house.ledger.sights()
        if known:
            house.link.heard = Sight("pbx1", NOON - 3600, 425, "boot")
        return known["pbx1"].heard_at if known else 0.0

    house.link.heard = Sight("pbx1", NOON, 425, "boot")
    await _run(house, lambda: remembered() == NOON - 3600)


async def test_bad_rows_are_told_where_people_are_told_and_do_not_fill_the_log(house: House) -> None:
    told: list[tuple[int, str, object]] = []
    house.watching._telemetry.on_fault.append(
        lambda kind, about: told.append((threading.get_ident(), kind, about["times"]))
    )
    house.file.write_text("no row\n" * 500)
    size = house.file.stat().st_size
    await _run(house, lambda: house.ledger.places() and house.ledger.places()["pbx1"].position == size)
    assert {(thread, kind) for thread, kind, _ in told} == {(threading.get_ident(), "bad CDR row")}
    assert [times for *_, times in told] == [*range(1, 11), 16, 32, 64, 128, 256]


async def _run(house: House, until: Callable[[], object]) -> None:
    """Let it run until something is so."""
    running = asyncio.create_task(house.watching.run())
    try:
        async with asyncio.timeout(10):
            while not until():
                await asyncio.wait([running], timeout=0.01)     # as often as an enforcer looks at its ledger
                if running.done():
                    running.result()
                house.ledger.changed_elsewhere()
    finally:
        running.cancel()
        await asyncio.wait([running])
