"""Fair share of a busy switch: when it is busy, where the level lies, and who is over it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from enforcer.domain.account import Account
from enforcer.domain.call import NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.load import Load, Loads
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import UNLIMITED
from enforcer.domain.rules.seat import Seat
from tests.support.rules import NOON, attempt, rule
from tests.support.tables import sat

ACME = Account("acme", "acme")


def load(channels: int, *calls: int, others: int = 0) -> Load:
    """A switch on which accounts a, b, c ... hold so many calls."""
    found = Load(channels)
    for name, number in zip("abcdefghijklmnopqrstuvwxyz", calls, strict=False):
        for _ in range(number):
            found.change(name, 1)
    for _ in range(others):
        found.change("", 1)
    return found


# Eight of ten channels may be in use before there is anything to share.
@pytest.mark.parametrize(("calls", "others", "level"), [
    ((), 0, None), ((8,), 0, None), ((4, 4), 0, None), ((2, 6), 0, None),       # not more than eight
    ((9,), 0, 8), ((5, 4), 0, 4), ((1, 8), 0, 7),                               # what one leaves, others have
    ((1, 2, 6), 0, 5), ((3, 3, 3), 0, Fraction(8, 3)), ((2, 3, 4), 0, 3), ((1, 1, 1, 6), 0, 5),
    ((4, 4), 1, Fraction(7, 2)), ((3, 3), 4, 2),                                # emergency calls go first
    ((3,), 8, 1), ((2, 2), 8, 1), ((1, 1), 20, 1),                              # nobody below one call
    ((1, 1, 1, 1, 1, 1, 1, 1, 1), 0, 1), ((1, 1, 1, 1, 1, 1, 1, 1, 3), 0, 1),
    ((), 9, 1),
])
def test_the_level_is_the_highest_at_which_all_stay_below_the_contended_part(
    calls: tuple[int, ...], others: int, level: Fraction | None
) -> None:
    assert load(10, *calls, others=others).share(Fraction(4, 5)) == level


@pytest.mark.parametrize(("contended", "level"), [
    (Fraction(1), None), (Fraction(9, 10), None), (Fraction(89, 100), Fraction("8.9") - 4),
    (Fraction(1, 2), Fraction(5, 2)), (Fraction(1, 10), 1),
])
def test_the_part_from_which_on_a_switch_is_busy_is_the_policys(
    contended: Fraction, level: Fraction | None
) -> None:
    assert load(10, 4, 5).share(contended) == level


def test_a_switch_whose_channels_nobody_told_is_never_busy() -> None:
    assert load(0, 1000, 1000).share(Fraction(4, 5)) is None


def test_calls_that_ended_leave_no_trace() -> None:
    found = load(10, 3, 2, others=2)
    for account in "aaabb":
        found.change(account, -1)
    for _ in range(2):
        found.change("", -1)
    assert (found.total, found.by_account, found.others) == (0, {}, 0)


def seat(one: Rule, load: Load) -> Seat:
    loads = Loads({"pbx1": load.channels})
    for account, calls in load.by_account.items():
        for _ in range(calls):
            loads.of("pbx1").change(account, 1)
    return sat(one, [], loads=loads)


def share(at: Fraction | str | int = 1, warning: str | None = None, **more: Any) -> Rule:
    return rule("fair_share", at, warning, verdict=Verdict.THROTTLE, **more)


def level(one: Rule, load: Load, account: str) -> Level:
    found = seat(one, load)
    judgement = one.weigh(found, attempt(account=account))
    return Level.FINE if judgement is None else judgement.level


@pytest.mark.parametrize(("calls", "levels"), [
    ((4, 4), "fine fine"), ((1, 8), "fine critical"), ((5, 4), "critical fine"), ((4, 5), "fine critical"),
    ((1, 2, 6), "fine fine critical"), ((3, 3, 3), "critical critical critical"),
    ((1, 1, 1, 1, 1, 1, 1, 1, 1), "fine " * 9), ((9,), "critical"), ((2, 3, 4), "fine fine critical"),
])
def test_who_holds_more_than_the_level_is_over_it_the_attempt_included(
    calls: tuple[int, ...], levels: str
) -> None:
    busy = load(10, *calls)
    assert [level(share(), busy, account).name.lower() for account in busy.by_account] == levels.split()


@pytest.mark.parametrize(("at", "warning", "calls", "reached"), [
    ("1", None, (1, 8), Level.CRITICAL), ("2", "1", (1, 8), Level.WARNING), ("2", "1.5", (1, 8), Level.FINE),
    ("2", "1", (5, 4), Level.FINE),         # exactly the share
    ("2", None, (4, 4, 15), Level.CRITICAL), ("1", "0.5", (4, 5), Level.CRITICAL),
])
def test_a_level_may_be_a_multiple_of_the_share(
    at: str, warning: str | None, calls: tuple[int, ...], reached: Level
) -> None:
    assert level(share(at, warning), load(10, *calls), "abc"[len(calls) - 1]) is reached


@pytest.mark.parametrize("at", ["1", "0.5", "0.01"])
def test_nobody_is_held_to_less_than_one_call(at: str) -> None:
    """Not even by a policy that gives out parts of a share."""
    crowded = load(10, *[1] * 20)
    assert {level(share(at), crowded, account) for account in crowded.by_account} == {Level.FINE}
    crowded.change("a", 1)
    assert level(share(at), crowded, "a") is Level.CRITICAL


@pytest.mark.parametrize(("account", "said"), [("b", "shed"), ("a", "go"), ("newcomer", "go")])
def test_a_call_over_the_share_is_shed_as_by_a_full_trunk(account: str, said: str) -> None:
    busy = load(10, 1, 8)
    one = share()
    decision = decide(
        attempt(account=account), NumberClass.ORDINARY, Account(account, account), [seat(one, busy)],
        Modes(default=Mode.BLOCK), "d",
    )
    assert ("shed" if decision.shed else "go") == said
    assert decision.hold == 0.0
    if decision.shed:
        assert decision.sip_code == 503
        assert decision.reason == (
            "fair_share: calls in progress on a busy switch 8, limit 7 (9 of 10 channels in use) "
            "(clause of fair_share)"
        )


@pytest.mark.parametrize(("channels", "calls", "room"), [
    (0, (5,), UNLIMITED), (10, (), 8), (10, (3,), 5), (10, (4, 4), 0), (10, (9,), 0), (11, (), 8),
])
def test_there_is_room_until_the_switch_is_busy(channels: int, calls: tuple[int, ...], room: int) -> None:
    one = share()
    found = seat(one, load(channels, *calls))
    assert one.room(found, NOON, "pbx1") == room


def test_each_switch_has_its_own_load_and_its_own_channels() -> None:
    loads = Loads({"pbx1": 10, "pbx2": 20})
    for _ in range(9):
        loads.of("pbx1").change("acme", 1)
    assert (loads.of("pbx1").share(Fraction(4, 5)), loads.of("pbx2").share(Fraction(4, 5))) == (8, None)
    assert loads.of("unknown").channels == 0
    loads.clear()
    assert loads.of("pbx1").total == 0
    assert loads.of("pbx1").channels == 10


def test_a_share_is_one_of_calls_and_of_no_sum() -> None:
    one = share(measure=Measure(per_leg=True))
    assert not one.counting
    assert not one.spec.measure.per_leg
    assert one.judge(sat(one, []).tally, NOON, None) is None
    assert one.standing(sat(one, []).tally, NOON) == ("-", "1 x fair share")
