"""Average minutes: what is in the sum, what divides it, exactly at the limit, and what dilutes it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import CallRecord, Direction, NumberClass
from enforcer.domain.charge import Charge, On, Per
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.rules import Rule
from enforcer.domain.rules.average_minutes import Share, units
from enforcer.domain.rules.base import UNLIMITED
from enforcer.domain.rules.diluted_average import spread
from enforcer.domain.settle import settle
from enforcer.domain.usage import Tally, recount
from enforcer.packs import load
from enforcer.wire.answer import SIP_CODES
from tests.support.rules import NOON, rule
from tests.support.tables import calls, judged, sat

ROOT = Path(__file__).parents[2]
MINUTE = 60.0
POLICY = load([ROOT / "policies/ip2call.toml"], SIP_CODES)


def shipped(name: str) -> Rule:
    one = POLICY.rule(name)
    assert one is not None
    return one


def average(one: Rule, window: list[CallRecord], divisor: int) -> tuple[Fraction | None, bool]:
    settled = settle(one, recount(window, one.spec.measure), divisor)
    assert settled is not None
    return settled.value, settled.breached


@pytest.mark.parametrize(("name", "lengths", "divisor", "breached"), [
    ("excessive.pbx", [1000 * MINUTE], 1, False),                       # exactly 1000
    ("excessive.pbx", [1000 * MINUTE + 0.06], 1, True),                 # 1000.001
    ("excessive.pbx", [1000 * MINUTE + 0.001], 1, True),                # one millisecond is more
    ("excessive.pbx", [1000 * MINUTE + 0.0009], 1, False),              # and less is none
    ("excessive.pbx", [3000 * MINUTE], 3, False), ("excessive.pbx", [3000 * MINUTE + 0.06], 3, True),
    ("excessive.residential", [999 * MINUTE, 1001 * MINUTE], 2, False),
    ("excessive.residential", [999 * MINUTE, 1001 * MINUTE + 1], 2, True),
    ("excessive.trunk", [2000 * MINUTE * 30], 30, False),               # by the channel
    ("excessive.trunk", [2000 * MINUTE * 30 + 0.001], 30, True),
    ("excessive.trunk", [9999 * MINUTE], 0, False),                     # a trunk without channels has none
    ("excessive.pbx", [], 5, False),
])
def test_an_average_of_exactly_its_limit_is_fine(
    name: str, lengths: list[float], divisor: int, breached: bool
) -> None:
    assert average(shipped(name), calls(*lengths), divisor)[1] is breached


@pytest.mark.parametrize(("window", "minutes"), [
    (calls(60.0), 1), (calls(60.0, direction=Direction.INBOUND), 1),
    (calls(60.0, number_class=NumberClass.DIRECTORY_ASSISTANCE), 0),
    (calls(60.0, number_class=NumberClass.DIRECTORY_ASSISTANCE, direction=Direction.INBOUND), 0),
    (calls(60.0, number_class=NumberClass.TOLL_FREE, direction=Direction.INBOUND), 0),  # one's own number
    (calls(60.0, number_class=NumberClass.TOLL_FREE), 1),               # somebody else's
    (calls(60.0, number_class=NumberClass.EMERGENCY), 0),
    (calls(60.0, number_class=NumberClass.EMERGENCY, direction=Direction.INBOUND), 0),
    (calls(60.0, number_class=NumberClass.INTERNATIONAL), 1),
    (calls(60.0, number_class=NumberClass.PREMIUM), 1),
    (calls(60.0, direction=Direction.INTERNAL), 0),                     # an extension called another
    (calls(3.0, 3.0), Fraction(1, 10)),                                 # short calls are minutes as well
    (calls(failed=9, ringing=9, blocked=9), 0), (calls(talking=9), 0),  # settled again when it has ended
])
@pytest.mark.parametrize("name", ["excessive.pbx", "excessive.residential", "excessive.trunk"])
def test_which_calls_are_in_an_average(name: str, window: list[CallRecord], minutes: Fraction) -> None:
    assert average(shipped(name), window, 1)[0] == minutes


@pytest.mark.parametrize(("account", "number"), [
    (Account("a", "c", AccountType.PBX), 1), (Account("a", "c", AccountType.PBX, channels=8), 1),
    (Account("a", "c", AccountType.RESIDENTIAL), 1), (Account("a", "c", AccountType.TRUNK, channels=30), 30),
    (Account("a", "c", AccountType.TRUNK), 0), (Account("a", "c"), 1),
])
def test_a_trunk_is_as_many_as_its_channels_and_anything_else_is_one(account: Account, number: int) -> None:
    assert units(account) == number


@pytest.mark.parametrize("kind", ["average_minutes", "diluted_average"])
def test_an_average_says_nothing_of_any_call(kind: str) -> None:
    one = rule(kind, 1)
    assert one.settled_only
    assert one.spec.measure.scope is Scope.CUSTOMER
    assert judged(one, calls(*[10**6] * 9)) is None
    assert one.room(sat(one, calls(10**6)), NOON, "pbx1") == UNLIMITED
    assert one.standing(Tally(msec=10**9), NOON) == ("-", "1")


def test_what_is_beyond_an_average_is_beyond_that_of_all_together() -> None:
    one = rule("average_minutes", 1000, charge=Charge(Decimal("0.5"), Per.MINUTE, On.EXCESS))
    settled = settle(one, recount(calls(3010 * MINUTE), one.spec.measure), 3)
    assert settled is not None
    assert (settled.units, settled.owed) == (10, 5)


@pytest.mark.parametrize("kind", ["average_minutes", "diluted_average"])
@pytest.mark.parametrize("measure", [
    Measure(window=Window.ROLLING, seconds=3600), Measure(Scope.ACCOUNT),
])
def test_only_a_whole_billing_cycle_of_a_customer_has_an_average(kind: str, measure: Measure) -> None:
    settled = settle(rule(kind, 1, measure=measure), Tally(msec=10**9))
    assert (settled is None) == (measure.window is Window.ROLLING)


# A twentieth of 1000 minutes are fifty: who uses less is not in use.
@pytest.mark.parametrize(("minutes", "channels", "used"), [
    (0, 1, False), (49.999, 1, False), (50, 1, True), (1000, 1, True),
    (99.999, 2, False), (100, 2, True),                             # by the channel
    (0, 0, True),                                                   # stands for nothing, and dilutes nothing
])
def test_an_account_is_in_use_from_a_twentieth_of_the_limit_on(
    minutes: float, channels: int, used: bool
) -> None:
    one = Share("a", round(minutes * 60_000), channels)
    found = spread([one], Fraction(1000))
    assert (found.used, found.idle) == (([one], []) if used else ([], [one]))


@pytest.mark.parametrize(("used", "idle", "diluted"), [
    (1, 1, True), (1, 0, False), (0, 1, False), (0, 0, False), (50, 50, True),
])
def test_an_average_is_diluted_where_some_are_in_use_and_some_are_not(
    used: int, idle: int, diluted: bool
) -> None:
    shares = [Share(f"u{n}", 10**9, 1) for n in range(used)] + [Share(f"i{n}", 0, 1) for n in range(idle)]
    found = spread(shares, Fraction(1000))
    assert found.diluted is diluted
    assert (len(found.used), len(found.idle)) == (used, idle)
