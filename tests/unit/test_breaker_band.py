"""What the breaker calls too much: shares, samples, what is usual, and the words for it."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import pytest

from enforcer.domain import breaker as domain_breaker
from enforcer.domain.band import Band, Figures, Hour, before, entry_of, hour_of, tripped
from enforcer.domain.breaker import Breaker
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.mode import Mode, Modes, ModeSetting
from tests.support.rules import NOON

BLOCK, THROTTLE = Verdict.BLOCK, Verdict.THROTTLE


def found(rule: str = "calls", verdict: Verdict = BLOCK, **more: object) -> Finding:
    one = Finding(rule, "c", Level.CRITICAL, verdict, verdict, "block", "m", "2", "1")
    return one._replace(**more)


def decided(account: str, *findings: Finding, **more: object) -> Decision:
    would = max((one.verdict for one in findings), default=Verdict.ALLOW)
    return Decision("d", NOON, "c", "pbx1", account, "1", "outbound", would, would, findings=findings,
                    )._replace(**more)


def breaker(**band: object) -> Breaker:
    made = Breaker(Band()._replace(**band))
    made.use({"calls": "247voip@2026-11", "few": "247voip@2026-11"}, ["optout"])
    return made


def traffic(one: Breaker, refused: int, others: int, at: float = NOON, calls: int = 4) -> None:
    """So many accounts with so many calls each, all refused or all let through."""
    for nth in range(calls):
        for name in range(refused):
            one.decided(decided(f"bad{name}", found()), at + nth)
        for name in range(others):
            one.called(f"good{name}", at + nth)


@pytest.mark.parametrize(
    ("refused", "others", "calls", "trips"),
    [
        (1, 0, 500, False),         # one caller who redials what is refused
        (4, 0, 500, False),         # a small office: too few accounts to tell
        (5, 0, 9, False),           # 45 calls: too few
        (5, 0, 10, True),           # 50 calls of five accounts, all refused
        (20, 80, 4, False),         # a fifth of the accounts is allowed
        (21, 79, 4, True),          # more is not
        (5, 500, 1, False),
    ],
)
def test_it_trips_above_its_share_and_never_below_its_sample(
    refused: int, others: int, calls: int, trips: bool
) -> None:
    one = breaker()
    traffic(one, refused, others, calls=calls)
    assert (one.look(NOON + calls) is not None) is trips


def test_a_few_who_redial_like_mad_do_not_free_themselves() -> None:
    one = breaker()
    traffic(one, 0, 200, calls=2)
    for _ in range(1000):
        for name in range(9):           # 9 of 209 accounts, 96 % of the calls
            one.decided(decided(f"bad{name}", found()), NOON)
    assert one.figures(NOON, 60).share("calls") > Fraction(9, 10)
    assert one.look(NOON) is None


def test_the_share_of_calls_trips_where_enough_accounts_are_hit() -> None:
    one = breaker()
    traffic(one, 0, 88, calls=1)
    for _ in range(10):
        for name in range(12):          # 12 % of the accounts, 57 % of the calls
            one.decided(decided(f"bad{name}", found()), NOON)
    trip = one.look(NOON)
    assert trip is not None
    assert trip.of == "calls"


@pytest.mark.parametrize(
    "finding",
    [
        found("standing"), found("optout"), found(mode="off"), found(verdict=Verdict.TAG),
        found(verdict=THROTTLE, hold=0.5),
    ],
    ids=["suspended by people", "opted out", "switched off", "tagged", "held and let go"],
)
def test_what_is_not_our_rules_refusing_never_counts(finding: Finding) -> None:
    one = breaker()
    for nth in range(100):
        one.decided(decided(f"a{nth}", finding), NOON)
    assert one.figures(NOON, 60).refused_accounts == 0
    assert one.look(NOON) is None


def test_shed_calls_and_verdicts_of_monitor_mode_count() -> None:
    for finding in (found(verdict=THROTTLE, shed=True), found(capped=Verdict.ALLOW, mode="monitor")):
        one = breaker()
        for nth in range(60):
            one.decided(decided(f"a{nth}", finding), NOON)
        assert one.look(NOON) is not None


def test_emergency_calls_and_calls_of_nobody_are_not_even_counted() -> None:
    one = breaker()
    one.decided(decided("acme", exempt="emergency call"), NOON)
    one.decided(decided(""), NOON)
    assert one.figures(NOON, 60) == Figures(0, 0, 0, 0, {})


def test_windows_roll_on_and_what_is_an_hour_old_is_forgotten() -> None:
    one = breaker()
    traffic(one, 10, 0)
    traffic(one, 0, 100, NOON + 400)
    assert one.figures(NOON + 410, 300).refused_accounts == 0
    assert one.figures(NOON + 410, 3600).refused_accounts == 10
    one.look(NOON + 3700)
    assert one.callers(1000) == [f"good{name}" for name in reversed(range(100))]


@pytest.mark.parametrize(("bad", "trips"), [(100, False), (300, True)])
def test_beyond_its_cap_the_share_is_that_of_the_accounts_it_remembers(
    bad: int, trips: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is forgotten among those who called is forgotten among those who were refused."""
    monkeypatch.setattr(domain_breaker, "MOST_ACCOUNTS", 100)
    one = breaker()
    for nth in range(1000):
        at = NOON + nth / 10
        if nth % 1000 * bad // 1000 != (nth + 1) * bad // 1000:
            one.decided(decided(f"a{nth}", found()), at)
        else:
            one.called(f"a{nth}", at)
        if nth % 50 == 49:
            assert (one.look(at) is not None) is trips, nth
    figures = one.figures(at, 3600)
    assert (figures.accounts, figures.refused_accounts) == (100, bad // 10)
    assert figures.rules == {"calls": bad // 10}
    assert figures.calls == 1000


def test_breaker_that_is_full_takes_twenty_megabytes_at_the_most() -> None:
    """Twenty rules, all of which would refuse every account."""
    one, refused = breaker(), decided("", *(found(f"r{nth}") for nth in range(20)))
    tracemalloc.start()
    try:
        for nth in range(domain_breaker.MOST_ACCOUNTS + 1000):
            one.decided(refused._replace(account=f"customer-{nth:012}"), NOON + nth / 100)
        one.tidy(NOON + nth / 100)
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert one.figures(NOON + nth / 100, 3600).refused_accounts == domain_breaker.MOST_ACCOUNTS
    assert held < 20e6


def hours(share: Fraction, days: int, at: float = NOON, tripped: bool = False) -> list[Hour]:
    """The same hour of the last days."""
    hit = int(share * 1000)
    figures = Figures(5000, 5 * hit, 1000, hit, {"calls": hit})
    return [Hour(at - day * 86_400 + 3600, figures, tripped) for day in range(days, 0, -1)]


def test_a_jump_against_the_same_hour_of_the_last_days_trips_far_below_the_absolute_share() -> None:
    one = Breaker(Band(), hours(Fraction(1, 250), 3))
    one.use({"calls": "247voip@2026-11"}, [])
    traffic(one, 6, 94)
    trip = one.look(NOON)
    assert trip is not None
    assert (trip.usual, trip.limit) == (Fraction(1, 250), Fraction(1, 20))
    assert trip.words == (
        "rule calls of pack 247voip@2026-11 would block 6 % of accounts (6 of 100 in the last 1 min, usually "
        "0.4 %); all rules together 6 % of accounts, at most 5 % may be, and 6 % of calls"
    )


def test_what_is_usual_is_no_jump_and_days_of_a_fault_are_not_usual() -> None:
    one = Breaker(Band(), hours(Fraction(3, 100), 7))
    traffic(one, 14, 86)
    assert one.usual("accounts", NOON) == Fraction(3, 100)
    assert one.look(NOON) is None
    assert Breaker(Band(), hours(Fraction(9, 10), 7, tripped=True)).usual("accounts", NOON) is None
    assert Breaker(Band(), hours(Fraction(1, 100), 2)).usual("accounts", NOON) is None


def test_another_time_of_day_is_compared_with_all_hours_once_a_day_is_known() -> None:
    figures = hours(Fraction(1, 50), 1)[0].figures
    one = Breaker(Band(), [Hour(NOON - nth * 3600, figures) for nth in range(24)])
    assert one.usual("accounts", NOON + 60) == Fraction(1, 50)


def test_after_a_clear_the_same_history_does_not_trip_and_a_fault_that_goes_on_does() -> None:
    one = breaker()
    traffic(one, 20, 10)
    assert one.look(NOON) is not None
    one.clear()
    assert one.look(NOON + 1) is None
    traffic(one, 20, 10, NOON + 2)
    assert one.look(NOON + 6) is not None


def test_a_clock_that_jumped_ahead_and_back_is_survived() -> None:
    one = breaker()
    traffic(one, 50, 0, NOON + 10 * 86_400)
    assert one.look(NOON) is None
    traffic(one, 20, 0, NOON)
    assert one.look(NOON) is not None


def test_hours_are_read_as_they_were_written() -> None:
    (hour,) = hours(Fraction(1, 4), 1, tripped=True)
    assert hour_of(entry_of(hour)) == hour


def test_the_ceiling_before_the_breaker_is_what_people_had_set() -> None:
    ours = ModeSetting(Mode.MONITOR, ceiling=True, who="breaker", at=20.0)
    theirs = ModeSetting(Mode.THROTTLE, ceiling=True, who="jo", at=10.0)
    assert tripped(Modes([theirs, ours]), 30.0) == ours
    assert before([theirs, ours], 30.0) is Mode.THROTTLE
    assert before([ours], 30.0) is Mode.BLOCK
    lifted = ModeSetting(Mode.BLOCK, ceiling=True, who="jo", at=30.0)
    assert tripped(Modes([theirs, ours, lifted]), 40.0) is None
