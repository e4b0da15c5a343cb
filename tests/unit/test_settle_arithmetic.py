"""A closed cycle to the letter of its clause: at every limit, one short of it, and one past it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from enforcer.domain.call import Medium, Source
from enforcer.domain.charge import Charge, On, Per, exact
from enforcer.domain.cycle import Period, Span
from enforcer.domain.decision import Level
from enforcer.domain.measure import Calendar, Measure, Window
from enforcer.domain.notice import DAY, About, Audience, Notice
from enforcer.domain.rules.average_minutes import Share, pulling_up
from enforcer.domain.settle import Settled, settle, settle_average, settles, why_not_owed
from enforcer.domain.usage import Detailed, Tally, recount
from tests.support.rules import NOON, record, rule, talked

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


@pytest.mark.parametrize(("seconds", "inclusive", "completed"), [
    (5.999, False, 0), (6.0, False, 1), (6.001, False, 1), (5.999, True, 0), (6.0, True, 0), (6.001, True, 1),
])
def test_a_call_of_six_seconds_is_completed_unless_the_policy_calls_it_short(
    seconds: float, inclusive: bool, completed: int
) -> None:
    measure = Measure(short_includes_equal=inclusive)
    found = settle(rule("asr", 4, measure=measure, charge=EACH), recount([talked(seconds)], measure))
    assert found is not None
    assert (found.completed, found.short) == (completed, 1 - completed)
    assert found.breached is not bool(completed)
    assert found.owed == (0 if completed else Decimal("0.005"))


@pytest.mark.parametrize(("milliseconds", "accounts", "breached"), [
    (60_000_000, 1, False),                 # 1000 minutes
    (60_000_060, 1, True),                  # 1000.001
    (60_000_001, 1, True),
    (120_000_000, 2, False),
    (120_000_001, 2, True),
])
def test_an_average_of_exactly_a_thousand_is_fine(milliseconds: int, accounts: int, breached: bool) -> None:
    assert settled("average_minutes", 1000, Tally(msec=milliseconds), accounts).breached is breached


@pytest.mark.parametrize(("milliseconds", "breached"), [
    (2 * 120_000_000, False), (2 * 120_000_000 + 1, True),
])
def test_a_trunk_shares_by_its_channels(milliseconds: int, breached: bool) -> None:
    parts = [(Share("wide", milliseconds, 2), Tally(msec=milliseconds))]
    found = settle_average(rule("average_minutes", 2000), parts)
    assert found is not None
    assert found.breached is breached
    assert (found.value == 2000) is not breached


@pytest.mark.parametrize(("messages", "owed"), [(0, "0"), (100, "0"), (101, "0.01"), (150, "0.5")])
def test_messages_beyond_their_limit_are_charged_for_one_by_one(messages: int, owed: str) -> None:
    charge = Charge(Decimal("0.01"), Per.MESSAGE, On.EXCESS)
    sent = [record(medium=Medium.MESSAGE, ended_at=NOON, ended_by=Source.EVENT)] * messages
    one = rule("messages", 100, charge=charge)
    found = settle(one, recount([*sent, talked(60)], one.spec.measure))
    assert found is not None
    assert (found.value, found.breached, found.owed) == (messages, messages > 100, Decimal(owed))


@pytest.mark.parametrize(("on", "owed"), [(On.ALL, "1.01"), (On.EXCESS, "0.01")])
def test_one_message_too_many_costs_all_of_them_or_that_one(on: On, owed: str) -> None:
    charge = Charge(Decimal("0.01"), Per.MESSAGE, on)
    assert settled("messages", 100, Tally(attempts=101), charge=charge).owed == Decimal(owed)


ANSWERED = Tally(attempts=100, completed=80, short=20, msec=100 * 30_000)


@pytest.mark.parametrize(("kind", "limit", "tally", "value", "breached", "beyond"), [
    ("short_calls", 20, ANSWERED, Fraction(20), False, 0),          # exactly the share is fine
    ("short_calls", 19, ANSWERED, Fraction(20), True, 1),
    ("short_calls", "19.5", ANSWERED, Fraction(20), True, 1),       # 19 of 100 would have been fine
    ("failed_calls", 25, Tally(attempts=8, completed=6), Fraction(25), False, 0),
    ("failed_calls", 25, Tally(attempts=8, completed=5, short=0), Fraction(75, 2), True, 1),
    ("short_calls", 20, Tally(), Fraction(0), False, 0),            # a share of nothing
    ("class_share", 20, Detailed(attempts=5, completed=5, marked=1), Fraction(20), False, 0),
    ("class_share", 20, Detailed(attempts=5, completed=5, marked=2), Fraction(40), True, 1),
    ("duration_cliff", 50, Detailed(attempts=4, completed=4, near=2), Fraction(50), False, 0),
    ("duration_cliff", 50, Detailed(attempts=4, completed=4, near=3), Fraction(75), True, 1),
    ("average_duration", 30, ANSWERED, Fraction(30), False, 0),     # too short is less than the limit
    ("average_duration", "30.001", ANSWERED, Fraction(30), True, 0),
    ("average_duration", 30, Tally(), Fraction(0), False, 0),
])  # fmt: skip
def test_shares_and_durations_at_their_edge(
    kind: str, limit: int | str, tally: Tally, value: Fraction, breached: bool, beyond: int
) -> None:
    one = rule(kind, Fraction(limit))
    priced = rule(kind, Fraction(limit), charge=Charge(Decimal(1), one.charged_by or Per.CALL, On.EXCESS))
    found = settle(priced, tally)
    assert found is not None
    assert (found.value, found.breached, found.owed) == (value, breached, beyond)


def test_a_share_reached_by_its_limit_is_breached_where_the_policy_says_or_more() -> None:
    charge = Charge(Decimal(1), Per.CALL, On.EXCESS)
    found = settle(rule("short_calls", 20, exceeds=False, charge=charge), ANSWERED)
    assert found is not None
    assert (found.breached, found.owed) == (True, 1)


def test_a_share_of_a_sample_that_is_too_small_is_no_breach() -> None:
    for least, breached in ((100, True), (101, False)):
        found = settle(rule("short_calls", 10, min_attempts=least), ANSWERED)
        assert found is not None
        assert found.breached is breached


@pytest.mark.parametrize(("kind", "limit", "numbers", "breached"), [
    ("distinct_numbers", 2, "121", False), ("distinct_numbers", 2, "123", True),
    ("same_number", 2, "1212", False), ("same_number", 2, "1121", True),
    ("sequential_numbers", 1, "12", False), ("sequential_numbers", 1, "123", True),
    ("redials", 1, "11", False), ("redials", 1, "111", True),
])
def test_what_only_single_calls_show_is_settled_over_a_whole_cycle(
    kind: str, limit: int, numbers: str, breached: bool
) -> None:
    one = rule(kind, limit, measure=Measure(redial_seconds=60 if kind == "redials" else 0))
    tally = recount([
        talked(5, NOON + 10 * nth)._replace(call_id=f"pbx1/{nth}", number=f"1212555010{digit}")
        for nth, digit in enumerate(numbers)
    ], one.spec.measure)
    found = settle(one, tally)
    assert found is not None
    assert found.breached is breached


SHORT, FAST = rule("short_calls", 20), rule("average_duration", 30)


@pytest.mark.parametrize("attempts", [10, 11])
@pytest.mark.parametrize("short", [20, 21])
@pytest.mark.parametrize("msec", [100 * 30_000, 100 * 30_000 - 1])
def test_signals_that_go_together_are_a_breach_only_when_all_are_there(
    attempts: int, short: int, msec: int
) -> None:
    one = rule("attempts", 10, also=(SHORT, FAST), charge=Charge(Decimal(1), Per.ATTEMPT, On.EXCESS))
    signal = Tally(attempts=100, completed=100 - short, short=short, msec=msec)
    found = settle(one, Tally(attempts=attempts), 1, (signal, signal))
    assert found is not None
    every = attempts > 10 and short > 20 and msec < 100 * 30_000
    assert (found.breached, found.owed) == (every, 1 if every else 0)
    assert found.value == attempts


@pytest.mark.parametrize("measure", [
    Measure(window=Window.ROLLING, seconds=3600), Measure(calendar=Calendar(Period.DAY)),
    Measure(calendar=Calendar(anchor=15)), Measure(window=Window.LIVE),
])
def test_a_window_of_its_own_is_no_business_of_a_cycle(measure: Measure) -> None:
    alone, signal = rule("attempts", 1, measure=measure), rule("attempts", 1)
    assert not settles(alone)
    assert settles(signal)
    assert not settles(rule("attempts", 1, also=(alone,)))
    assert settle(alone, Tally(attempts=5)) is None


@pytest.mark.parametrize("kind", ["cps", "concurrent_calls", "fair_share", "opt_out", "strikes"])
def test_what_is_about_a_moment_settles_nothing(kind: str) -> None:
    assert not settles(rule(kind, 1))


def _parts(*minutes: int) -> list[tuple[Share, Tally]]:
    return [
        (Share(str(nth), each * MINUTE, 1), Tally(attempts=1, completed=1, msec=each * MINUTE))
        for nth, each in enumerate(minutes)
    ]


@pytest.mark.parametrize(("minutes", "value", "breached"), [
    ((1000, 1000), 1000, False),            # nobody is over, nobody idle
    ((1001,), 1001, False),                 # over, and the average itself says so
    ((1001, 1001), 1001, False),
    ((1001, 0), 1001, True),                # the second account hides it
    ((1000, 0), 1000, False),               # there is nothing to hide
    ((1001, 49), 1001, True),               # a twentieth is in use, less is not
    ((1001, 50), Fraction(1051, 2), False),
    ((2002, 0), 2002, False),               # 1001 on average: the average itself says so
    ((2000, 0), 2000, True),
    ((0, 0), 0, False),
])
def test_an_average_is_diluted_where_accounts_that_are_not_in_use_hide_a_breach(
    minutes: tuple[int, ...], value: Fraction | int, breached: bool
) -> None:
    found = settle_average(rule("diluted_average", 1000), _parts(*minutes))
    assert found is not None
    assert (found.value, found.breached, found.owed) == (value, breached, 0)


def test_without_accounts_there_is_no_average() -> None:
    assert settle_average(rule("average_minutes", 1000), []) is None


CYCLE = Span(NOON, NOON + 30 * DAY, "2026-11")


def told(
    created: float = 0, delivered: float | None = None, acknowledged: float | None = None, grace: float = 7,
    holds: float = 90,
) -> Notice:
    """A notice; days from the beginning of the cycle on."""
    return Notice(
        "n-1", Audience.CUSTOMER, About.LEVEL, "big", "", "asr", Level.WARNING, "2026-11",
        NOON + created * DAY, grace * DAY, holds * DAY,
        delivered_at=None if delivered is None else NOON + delivered * DAY,
        acknowledged_at=None if acknowledged is None else NOON + acknowledged * DAY,
    )


@pytest.mark.parametrize(("notices", "why"), [
    ([], "no notice was given"),
    ([told()], "its notice was not delivered before the cycle was over"),
    ([told(delivered=30)], "its notice was not delivered before the cycle was over"),
    ([told(delivered=23)], "the time of grace had not ended"),          # it ends with the cycle
    ([told(delivered=22.9)], ""),
    ([told(acknowledged=1)], ""),                                        # told by telephone
    ([told(delivered=25, acknowledged=1)], ""),
    ([told(created=-40, delivered=-40)], ""),                            # given before, and still holds
    ([told(created=-97, delivered=-97)], "its notice no longer held"),
    ([told(created=-96, delivered=-96)], ""),
    ([told(created=-97, delivered=-97), told(delivered=25)], "the time of grace had not ended"),
    ([told(created=-97, delivered=-97), told(delivered=2)], ""),
])
def test_a_charge_on_notice_is_owed_once_the_customer_knew_and_had_time(
    notices: list[Notice], why: str
) -> None:
    assert why_not_owed(notices, CYCLE) == why
