"""A closed cycle to the letter of its clause: at every limit, one short of it, and one past it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from enforcer.domain.charge import Charge, On, Per, exact
from enforcer.domain.rules.average_minutes import Share, pulling_up
from enforcer.domain.settle import Settled, settle
from enforcer.domain.usage import Tally
from tests.support.rules import rule

MINUTE = 60_000     # milliseconds
EACH = Charge(Decimal("0.005"), Per.ATTEMPT)
EACH_EXCESS = Charge(Decimal("0.005"), Per.ATTEMPT, On.EXCESS)
MINUTE_EXCESS = Charge(Decimal("0.03"), Per.MINUTE, On.EXCESS)


def settled(
    kind: str, limit: int | str, tally: Tally, divisor: int = 1, charge: Charge | None = None
) -> Settled:
    found = settle(rule(kind, limit, min_attempts=100 if kind == "asr" else 0, charge=charge), tally, divisor)
    assert found is not None
    return found


@pytest.mark.parametrize(("attempts", "completed", "value", "breached", "owed"), [
    (0, 0, Fraction(0), False, "0"),
    (1, 0, None, True, "0.005"),                    # C = 0 and A > 0; there is no minimum sample
    (3, 1, Fraction(3), False, "0"),                # A = 4C - 1
    (4, 1, Fraction(4), True, "0.02"),              # A = 4C
    (3999, 1000, Fraction(3999, 1000), False, "0"),
    (4000, 1000, Fraction(4), True, "20"),
    (4001, 1000, Fraction(4001, 1000), True, "20.005"),
])
def test_ratio_is_breached_at_four_times_the_completed_calls(
    attempts: int, completed: int, value: Fraction | None, breached: bool, owed: str
) -> None:
    found = settled("asr", 4, Tally(attempts=attempts, completed=completed), charge=EACH)
    assert (found.value, found.breached, found.owed) == (value, breached, Decimal(owed))


def test_a_call_still_in_progress_is_held_against_nobody() -> None:
    found = settled("asr", 4, Tally(attempts=6, ringing=2, talking=1, completed=1), charge=EACH)
    assert (found.attempts, found.completed, found.breached) == (4, 2, False)


@pytest.mark.parametrize(("attempts", "breached"), [(0, False), (1000, False), (1001, True)])
def test_attempts_are_breached_past_their_limit(attempts: int, breached: bool) -> None:
    found = settled("attempts", 1000, Tally(attempts=attempts))
    assert (found.value, found.breached, found.owed) == (attempts, breached, 0)


@pytest.mark.parametrize(("msec", "breached"), [
    (3600 * MINUTE - 1, False), (3600 * MINUTE, False), (3600 * MINUTE + 1, True),
])
def test_minutes_are_breached_past_their_limit(msec: int, breached: bool) -> None:
    assert settled("minutes", 3600, Tally(msec=msec)).breached is breached


@pytest.mark.parametrize(("msec", "divisor", "breached"), [
    (0, 1, False),
    (1000 * MINUTE, 1, False),              # exactly 1000 is not more than 1000
    (1000 * MINUTE + 1, 1, True),           # and one millisecond is
    (3000 * MINUTE, 3, False),
    (3000 * MINUTE + 1, 3, True),
    (3000 * MINUTE + 1, 4, False),
])
def test_an_average_is_breached_when_it_exceeds_its_limit(msec: int, divisor: int, breached: bool) -> None:
    found = settled("average_minutes", 1000, Tally(msec=msec), divisor)
    assert found.value == Fraction(msec, MINUTE * divisor)
    assert found.breached is breached


def test_trunks_without_a_channel_have_no_average_and_breach_nothing() -> None:
    found = settled("average_minutes", 2000, Tally(msec=9999 * MINUTE), 0, Charge(Decimal(1), Per.MINUTE))
    assert (found.value, found.breached, found.owed) == (None, False, 0)


@pytest.mark.parametrize("kind", ["cps", "concurrent_calls"])
def test_a_rule_about_a_moment_has_nothing_to_settle(kind: str) -> None:
    assert settle(rule(kind, 1), Tally(attempts=5, ringing=5)) is None


@pytest.mark.parametrize(("kind", "limit", "tally", "divisor", "charge", "owed"), [
    # Of 412 attempts on 100 completed calls, 399 had been fine.
    ("asr", 4, Tally(attempts=412, completed=100), 1, EACH_EXCESS, "0.065"),
    ("asr", 4, Tally(attempts=400, completed=100), 1, EACH_EXCESS, "0.005"),
    ("asr", 4, Tally(attempts=7), 1, EACH_EXCESS, "0.035"),
    ("asr", "7/2", Tally(attempts=11, completed=3), 1, Charge(Decimal(1), Per.ATTEMPT, On.EXCESS), "1"),
    ("asr", 4, Tally(attempts=412, completed=100), 1, Charge(Decimal("0.1"), Per.CALL), "10"),
    ("attempts", 10, Tally(attempts=13), 1, Charge(Decimal("0.02"), Per.ATTEMPT, On.EXCESS), "0.06"),
    ("attempts", 10, Tally(attempts=10), 1, Charge(Decimal("0.02"), Per.ATTEMPT), "0"),
    ("minutes", 10, Tally(msec=10 * MINUTE + 30_000), 1, MINUTE_EXCESS, "0.015"),
    ("minutes", 10, Tally(msec=10 * MINUTE + 30_000), 1, Charge(Decimal("0.03"), Per.MINUTE), "0.315"),
    ("minutes", 10, Tally(msec=10 * MINUTE + 1), 1, MINUTE_EXCESS, "0.0000005"),
    ("average_minutes", 1000, Tally(msec=3010 * MINUTE), 3, replace(MINUTE_EXCESS, amount=Decimal(2)), "20"),
])  # fmt: skip
def test_what_is_owed_is_exact(
    kind: str, limit: int | str, tally: Tally, divisor: int, charge: Charge, owed: str
) -> None:
    assert settled(kind, limit, tally, divisor, charge).owed == Decimal(owed)


@pytest.mark.parametrize(("number", "decimal"), [
    (Fraction(0), "0"), (Fraction(1, 8), "0.125"), (Fraction(1, 3), "0.333333333"),
    (Fraction(-1, 200), "-0.005"), (Fraction(1, 10**12), "0.000000000001"),
    (Fraction(10**30 + 1, 1000), f"{10**27}.001"), (1000 + Fraction(1, 60_000), "1000.000016667"),
    (Fraction(-2, 3), "-0.666666667"),
])
def test_a_decimal_is_exact_where_one_can_be_whatever_its_length(number: Fraction, decimal: str) -> None:
    assert f"{exact(number):f}" == decimal


def test_accounts_above_the_average_pull_it_up_those_that_add_most_first() -> None:
    shares = [Share("calm", 10, 1), Share("b", 100, 1), Share("a", 100, 1), Share("wide", 500, 10),
              Share("hot", 300, 1), Share("unplugged", 5, 0)]
    assert [share.account for share in pulling_up(shares)] == ["hot", "a", "b", "unplugged"]
    assert pulling_up([Share("a", 7, 1), Share("b", 7, 1)]) == []
    assert Share("unplugged", 5, 0).minutes is None
