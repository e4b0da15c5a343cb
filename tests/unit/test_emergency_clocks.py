"""After an emergency call: a wall clock that jumps neither ends the window nor makes it last."""

from __future__ import annotations

from pathlib import Path

import pytest

from enforcer.domain import held
from enforcer.domain.call import CallEvent, Phase
from enforcer.domain.decision import Verdict
from enforcer.domain.held import Held
from tests.unit.test_emergency_window import IN, OUT, PSAP, House, absorbed

DAY = 86_400.0
WINDOW = 3600.0
JUMPS = (-3 * DAY, -DAY, -2 * WINDOW, -60.0, 0.0, 60.0, WINDOW + 1, 2 * WINDOW, DAY, 400 * DAY)


class Clocks(House):
    """A house with two clocks: `pass_by` moves both, `jump` the one that people and NTP set."""

    def __init__(self, folder: Path) -> None:
        self.passed = 5000.0
        super().__init__(folder, more="[breaker]\nenabled = false\n")

    def steady(self) -> float:
        return self.passed

    def pass_by(self, seconds: float) -> None:
        self.passed += seconds
        self.now += seconds

    def jump(self, seconds: float) -> None:
        self.now += seconds

    def called_back(self) -> bool:
        return self.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.ALLOW


@pytest.fixture
def site(tmp_path: Path) -> Clocks:
    return Clocks(tmp_path)


def helped(site: Clocks, seconds: float = 10.0) -> None:
    """An emergency call of acme, by both clocks."""
    one = site.attempt("acme", OUT, "911", "100")
    site.house.admission.observe(CallEvent(Phase.STARTED, one, site.now))
    site.pass_by(seconds)
    site.house.admission.observe(CallEvent(Phase.ENDED, one, site.now))


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("before", [0.0, 3000.0])
def test_a_jump_ends_no_window_before_its_time(site: Clocks, jump: float, before: float) -> None:
    helped(site)
    site.pass_by(before)
    site.jump(jump)
    assert site.called_back()
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.ALLOW
    site.pass_by(WINDOW - before - 1)
    assert site.called_back()


@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_makes_no_window_last_by_more_than_a_window(site: Clocks, jump: float) -> None:
    helped(site)
    site.jump(jump)
    site.pass_by(2 * WINDOW + 1)
    assert not site.called_back()
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.BLOCK


def test_without_a_jump_it_is_as_long_as_it_says(site: Clocks) -> None:
    helped(site)
    site.pass_by(WINDOW - 1)
    assert site.called_back()
    site.pass_by(2)
    assert not site.called_back()


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_jump_within_the_emergency_call_leaves_those_who_called_meanwhile(
    site: Clocks, jump: float
) -> None:
    one = site.attempt("acme", OUT, "911", "100")
    site.house.admission.observe(CallEvent(Phase.STARTED, one, site.now))
    assert site.called_back()
    site.jump(jump)
    site.pass_by(60)
    site.house.admission.observe(CallEvent(Phase.ENDED, one, site.now))
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.ALLOW
    site.pass_by(WINDOW - 1)
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.ALLOW
    assert not site.house.ledger.verify()


def test_a_second_emergency_call_after_a_jump_back_has_its_whole_window(site: Clocks) -> None:
    helped(site)
    site.pass_by(WINDOW - 60)
    site.jump(-2 * WINDOW)
    helped(site)
    site.pass_by(WINDOW - 1)
    assert site.called_back()


def test_a_restart_gives_what_is_open_its_whole_length_once_more(site: Clocks) -> None:
    helped(site)
    site.pass_by(WINDOW - 60)
    site.house.ledger.close()
    super(House, site).start()
    site.pass_by(120)
    assert site.called_back()
    site.pass_by(WINDOW)
    assert not site.called_back()


def test_a_cdr_of_an_emergency_call_opens_the_rest_of_its_window_only(site: Clocks) -> None:
    absorbed(site, "911", OUT, back=3000.0)
    site.jump(DAY)
    assert site.called_back()
    site.pass_by(WINDOW)
    assert not site.called_back()


def test_windows_are_held_up_to_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MOST_WINDOWS", 3)
    windows = Held()
    for nth in range(5):
        windows.hold(f"a{nth}", 10.0)
    assert [windows.open(f"a{nth}", 9.0) for nth in range(5)] == [False, False, True, True, True]
    windows.hold("a2", 5.0)                     # none is made shorter
    assert windows.open("a2", 9.0)
