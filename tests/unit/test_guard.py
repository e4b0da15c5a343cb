"""The breaker at work: a ceiling in the ledger, ops told, and a person who arms it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from enforcer import app
from enforcer.domain.band import tripped
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.domain.decision import Verdict
from enforcer.domain.journal import Kind
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.notice import About
from enforcer.domain.rules.seat import Seat
from enforcer.errors import LedgerError
from enforcer.settings import load
from enforcer.telemetry import Telemetry, set_up_logging
from tests.support.rules import NOON

PACK = """
[pack]
name = "247voip"
revision = "{revision}"
effective = 2026-01-01

[[rule]]
id = "calls"
kind = "attempts"
clause = "1 Fair Use"
critical = {{ at = {at}, verdict = "block" }}
"""


class Site:
    """A whole enforcer without a switch, and a clock."""

    steady: Callable[[], float] | None = None       # a clock that nobody sets, where a test has one

    def __init__(self, folder: Path, at: str = "300", more: str = "", mode: str = "block") -> None:
        self.folder, self.now, self.serial = folder, NOON, 0
        self.log = StringIO()
        set_up_logging("json", self.log)
        (folder / "enforcer.toml").write_text(
            'site = "lab"\n[ledger]\nurl = "sqlite:///l.db"\n'
            f'[policy]\npacks = ["pack.toml"]\nmode = "{mode}"\n{more}'
        )
        self.pack(at, "2026-11")
        self.start()

    def start(self) -> None:
        self.telemetry = Telemetry(CollectorRegistry())
        after: list[Callable[[], None]] = []
        self.after = after
        self.house = app.build(load(self.folder / "enforcer.toml"), self.telemetry, after.append,
                               lambda: self.now, self.steady)

    def pack(self, at: str, revision: str) -> None:
        (self.folder / "pack.toml").write_text(PACK.format(at=at, revision=revision))

    def call(self, account: str, number: str = "12025550142") -> Verdict:
        self.serial += 1
        decision = self.house.admission.admit(CallAttempt(
            f"pbx1/{self.serial}", "pbx1", account, Direction.OUTBOUND, number, "100", self.now,
        ))
        for later in self.after:
            later()
        self.after.clear()
        return decision.verdict

    def round(self, accounts: int = 20) -> list[Verdict]:
        return [self.call(f"a{nth}") for nth in range(accounts)]

    @property
    def tripped(self) -> ModeSetting | None:
        return tripped(Modes(self.house.ledger.modes()), self.now)

    def ceiling(self, mode: Mode) -> None:
        """A person, on the command line; taken over as `_take_over` does."""
        self.now += 1
        self.house.ledger.put_mode(ModeSetting(mode, ceiling=True, who="jo", at=self.now, why="was meant"))
        self.house.admission.steer(Modes(self.house.ledger.modes(), Mode.BLOCK), self.now)

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_limit_with_a_digit_missing_trips_and_from_then_on_every_call_goes(tmp_path: Path) -> None:
    site = Site(tmp_path, at="1")           # 1000, it was to be
    refused = 0
    while site.tripped is None:
        refused += sum(verdict is Verdict.BLOCK for verdict in site.round())
        assert refused < 100
    assert refused > 0
    assert set(site.round()) == {Verdict.ALLOW}
    assert "rule calls of pack 247voip@2026-11 would block" in site.tripped.why
    (line,) = [one for one in site.events() if one["event"] == "breaker tripped"]
    assert line["level"] == "error"
    assert site.telemetry.registry.get_sample_value("enforcer_breaker_tripped") == 1
    (notice,) = site.house.ledger.registers.notices.pending()
    assert notice.about is About.BREAKER
    assert "would block" in notice.facts["text"]
    assert "enforcer breaker rearm" in notice.facts["text"]


def test_it_survives_a_restart(tmp_path: Path) -> None:
    site = Site(tmp_path, at="1")
    while site.tripped is None:
        site.round()
    site.house.ledger.close()
    site.start()
    assert set(site.round()) == {Verdict.ALLOW}
    site.house.guard.beat()
    assert len(site.house.ledger.registers.notices.pending()) == 1     # nothing is told again


def test_once_re_armed_old_history_does_not_trip_it_and_a_fault_that_goes_on_does(tmp_path: Path) -> None:
    site = Site(tmp_path, at="1")
    while site.tripped is None:
        site.round()
    site.ceiling(Mode.BLOCK)
    site.house.guard.beat()
    assert site.tripped is None
    assert [one["by"] for one in site.events() if one["event"] == "breaker re-armed"] == ["jo"]
    assert set(site.round(10)) == {Verdict.BLOCK}
    for _ in range(5):
        site.round()
        site.house.guard.beat()         # once a second
    assert site.tripped is not None


def test_a_reload_that_would_block_most_trips_before_one_call_is_refused(site: Site) -> None:
    for _ in range(5):
        assert set(site.round()) == {Verdict.ALLOW}
    site.pack("3", "2026-12")               # 300, it was to be
    assert app.reload(site.house) == ""
    assert site.tripped is not None
    assert "20 of 20 by their next call" in site.tripped.why
    assert set(site.round()) == {Verdict.ALLOW}


def test_a_reload_that_changes_little_leaves_it_armed(site: Site) -> None:
    site.round()
    site.pack("200", "2026-12")
    assert app.reload(site.house) == ""
    assert site.tripped is None


def test_emergency_calls_neither_count_nor_are_touched(tmp_path: Path) -> None:
    site = Site(tmp_path, at="1")
    assert {site.call("a1", "911") for _ in range(200)} == {Verdict.ALLOW}
    assert site.tripped is None


def test_off_it_never_trips(tmp_path: Path) -> None:
    site = Site(tmp_path, at="1", more="[breaker]\nenabled = false\n")
    for _ in range(20):
        site.round()
    site.house.guard.beat()
    assert site.tripped is None


def test_where_people_hold_the_ceiling_at_monitor_there_is_nothing_to_lower(tmp_path: Path) -> None:
    site = Site(tmp_path, at="1")
    site.ceiling(Mode.MONITOR)
    for _ in range(20):
        site.round()
    assert site.tripped is None
    assert not site.house.ledger.registers.notices.pending()


def test_a_ledger_that_cannot_write_does_not_keep_the_ceiling_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, at="1")

    def full(_setting: ModeSetting) -> None:
        raise LedgerError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(site.house.ledger, "put_mode", full)
        for _ in range(6):
            site.round()
        assert site.tripped is None         # not on record
        assert set(site.round()) == {Verdict.ALLOW}
        site.house.admission.steer(Modes(site.house.ledger.modes(), Mode.BLOCK), site.now)
        site.house.guard.beat()             # somebody read the modes anew
        assert set(site.round()) == {Verdict.ALLOW}
    site.house.guard.beat()
    assert site.tripped is not None


def test_every_hour_is_put_on_record_and_known_again_after_a_restart(site: Site) -> None:
    site.now += 60
    for _ in range(5):
        site.round()
    site.now += 3600 - site.now % 3600
    site.house.guard.beat()
    (entry,) = site.house.ledger.journal({Kind.BREAKER})
    assert (entry.body["calls"], entry.body["refused_calls"], entry.body["accounts"]) == (100, 0, 20)
    site.house.ledger.close()
    site.start()
    (again,) = site.house.ledger.journal({Kind.BREAKER})
    assert again.body == entry.body


def test_calls_of_leased_accounts_count_though_nobody_asks(site: Site) -> None:
    orders = site.house.admission.orders
    for nth in range(20):
        site.call(f"a{nth}")
    orders.round("pbx1", site.now, site.house.admission.modes)
    assert orders.leased("pbx1", "a1", site.now)
    one = CallAttempt("pbx1/x", "pbx1", "a1", Direction.OUTBOUND, "12025550142", "100", site.now)
    site.house.admission.observe(CallEvent(Phase.STARTED, one, site.now))
    assert site.house.guard._breaker.figures(site.now, 60).calls == 21


def test_the_control_room_tells_at_its_next_look_that_it_tripped(tmp_path: Path) -> None:
    site = Site(tmp_path, at="1")
    room = site.house.room
    room.look()
    before = room.feed.number
    while site.tripped is None:
        site.round()
    room.look()
    told = {one.kind: one.facts for one in room.feed.since(before)}
    assert (told["mode"]["ceiling"], told["mode"]["mode"]) == (True, "monitor")
    assert told["breaker"]["tripped"] is True


def test_where_nothing_can_be_lowered_what_was_seen_is_forgotten_all_the_same(tmp_path: Path) -> None:
    site = Site(tmp_path, at="1")
    site.ceiling(Mode.MONITOR)
    for hour in range(3):
        for nth in range(50):
            site.call(f"h{hour}-{nth}")
            site.call(f"h{hour}-{nth}")
            site.now += 10
        site.now += 3600
        site.house.guard.beat()
    breaker = site.house.guard._breaker
    kept = (breaker._slices, breaker._seen, breaker._hit, *breaker._by_rule.values())
    assert [len(one) for one in kept] == [0, 0, 0, 0]


def test_a_reload_stands_though_the_look_ahead_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.round()
    site.pack("200", "2026-12")

    def broken(_account: str, _at: float) -> list[Seat]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(site.house.guard._ledger, "seats", broken)
        assert app.reload(site.house) == ""
    assert site.house.admission.policy.label == "247voip@2026-12"
    (line,) = [one for one in site.events() if one["event"] == "breaker"]
    assert line["problem"] == "ZeroDivisionError()"


def test_that_the_ceiling_is_not_on_record_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, at="1")

    def full(_setting: ModeSetting) -> None:
        raise LedgerError("disk full")

    monkeypatch.setattr(site.house.ledger, "put_mode", full)
    for _ in range(6):
        site.round()
        site.house.guard.beat()
    said = [one for one in site.events() if one["event"] == "breaker: its ceiling is not on record yet"]
    assert len(said) == 1


def test_hours_are_put_on_record_also_after_the_clock_was_set_back(site: Site) -> None:
    site.house.guard.beat()
    site.now -= 86_400
    site.house.guard.beat()
    site.round()
    site.now += 3600
    site.house.guard.beat()
    assert len(list(site.house.ledger.journal({Kind.BREAKER}))) == 1
