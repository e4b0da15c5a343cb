"""Opt-outs and strikes: what stands against whom, in which window, and when it does not any more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from enforcer.domain.account import Account
from enforcer.domain.call import CallAttempt, Direction, Medium, NumberClass
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.decide import decide
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.load import Loads
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.registers import Registers, Strike
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import UNLIMITED
from enforcer.domain.rules.seat import File, Seat
from enforcer.domain.rules.strikes import RepeatInfringer, number_of
from enforcer.domain.usage import tally_for
from tests.support.rules import NOON, rule

DAY = 86_400.0
PLAN = NumberPlan("US")
BOTH = frozenset(Medium)
ALL = Measure(mediums=BOTH, directions=frozenset(Direction))
SALES, SUPPORT = Account("sales", "acme"), Account("support", "acme")
RIVAL = Account("rival", "rival")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def seat(one: Rule, registers: Registers, account: Account = SALES) -> Seat:
    file = File(account, registers, Loads(), PLAN.canonical)
    return Seat(one, tally_for(one.spec.measure), file=file)


def asking(
    number: str = "+12125550199", *, medium: Medium = Medium.CALL, account: Account = SALES,
    direction: Direction = Direction.OUTBOUND, route: str = "",
) -> CallAttempt:
    return CallAttempt("pbx1/1", "pbx1", account.id, direction, number, "100", NOON, "", route, medium)


# Opt-outs ------------------------------------------------------------------------------------------


def opted(*entries: tuple[Kind, str, str]) -> Registers:
    """What the journal comes to: opt-outs and opt-ins of (number, account) at acme's."""
    found = Registers()
    found.fold(JournalEntry(kind, NOON - DAY, number, "acme", account) for kind, number, account in entries)
    return found


def verdict(registers: Registers, attempt: CallAttempt, account: Account = SALES, **more: Any) -> Verdict:
    measure = more.pop("measure", ALL)
    seats = [seat(rule("opt_out", 0, measure=measure, **more), registers, account)]
    kind = PLAN.classify(attempt.number)
    return decide(attempt, kind, account, seats, Modes(default=Mode.BLOCK), "d").verdict


NUMBER = "+12125550199"
STOPPED = opted((Kind.OPT_OUT, NUMBER, "sales"))
STOPPED_ALL = opted((Kind.OPT_OUT, NUMBER, ""))
CUSTOMER = Measure(Scope.CUSTOMER, mediums=BOTH, directions=frozenset(Direction))


@pytest.mark.parametrize(("registers", "account", "measure", "blocked"), [
    (STOPPED, SALES, ALL, True), (STOPPED, SUPPORT, ALL, False), (STOPPED, RIVAL, ALL, False),
    (STOPPED_ALL, SALES, ALL, True), (STOPPED_ALL, SUPPORT, ALL, True), (STOPPED_ALL, RIVAL, ALL, False),
    (STOPPED, SALES, CUSTOMER, True), (STOPPED, SUPPORT, CUSTOMER, True), (STOPPED, RIVAL, CUSTOMER, False),
    (opted(), SALES, ALL, False), (opted(), SALES, CUSTOMER, False),
    (opted((Kind.OPT_OUT, NUMBER, "sales"), (Kind.OPT_IN, NUMBER, "sales")), SALES, ALL, False),
    (opted((Kind.OPT_OUT, NUMBER, "sales"), (Kind.OPT_IN, NUMBER, "support")), SALES, ALL, True),
    (opted((Kind.OPT_OUT, NUMBER, "sales"), (Kind.OPT_IN, NUMBER, "")), SALES, ALL, False),
    (opted((Kind.OPT_OUT, NUMBER, ""), (Kind.OPT_IN, NUMBER, "sales")), SALES, ALL, False),
    (opted((Kind.OPT_OUT, NUMBER, "sales"), (Kind.OPT_OUT, NUMBER, "support"),
           (Kind.OPT_IN, NUMBER, "support")), SALES, ALL, True),
    (opted((Kind.OPT_IN, NUMBER, "sales"), (Kind.OPT_OUT, NUMBER, "sales")), SALES, ALL, True),
])
def test_an_opt_out_stands_against_a_sender_or_against_all_of_a_customers(
    registers: Registers, account: Account, measure: Measure, blocked: bool
) -> None:
    found = verdict(registers, asking(account=account), account, measure=measure)
    assert found is (Verdict.BLOCK if blocked else Verdict.ALLOW)


@pytest.mark.parametrize("number", [
    "+12125550199", "12125550199", "2125550199", "212-555-0199", "(212) 555-0199", "+1 212 555 0199",
    "01112125550199", "2125550199#",
])
@pytest.mark.parametrize("medium", Medium)
def test_an_opt_out_is_known_however_the_number_is_dialled(number: str, medium: Medium) -> None:
    assert verdict(STOPPED, asking(number, medium=medium)) is Verdict.BLOCK


@pytest.mark.parametrize("number", ["+12125550198", "5550199", "199", "+442125550199", ""])
def test_another_number_is_not_meant(number: str) -> None:
    assert verdict(STOPPED, asking(number)) is Verdict.ALLOW


@pytest.mark.parametrize(("direction", "medium", "blocked"), [
    (Direction.OUTBOUND, Medium.CALL, True), (Direction.OUTBOUND, Medium.MESSAGE, True),
    (Direction.INBOUND, Medium.CALL, False), (Direction.INBOUND, Medium.MESSAGE, False),
])
def test_who_opted_out_may_still_call_and_write(direction: Direction, medium: Medium, blocked: bool) -> None:
    found = verdict(STOPPED, asking(direction=direction, medium=medium))
    assert found is (Verdict.BLOCK if blocked else Verdict.ALLOW)
    only_inbound = Measure(mediums=BOTH, directions=frozenset({Direction.INBOUND}))
    assert verdict(STOPPED, asking(direction=Direction.INBOUND), measure=only_inbound) is Verdict.ALLOW


@pytest.mark.parametrize(("mediums", "medium", "blocked"), [
    (frozenset({Medium.CALL}), Medium.MESSAGE, False), (frozenset({Medium.MESSAGE}), Medium.CALL, False),
    (frozenset({Medium.CALL}), Medium.CALL, True), (frozenset({Medium.MESSAGE}), Medium.MESSAGE, True),
])
def test_a_policy_may_mean_calls_alone_or_messages_alone(
    mediums: frozenset[Medium], medium: Medium, blocked: bool
) -> None:
    found = verdict(STOPPED, asking(medium=medium), measure=Measure(mediums=mediums))
    assert found is (Verdict.BLOCK if blocked else Verdict.ALLOW)


def test_an_opt_out_is_told_with_its_day_and_how_it_was_given() -> None:
    told = Registers()
    told.fold([JournalEntry(Kind.OPT_OUT, NOON - DAY, NUMBER, "acme", "sales", {"source": "message"})])
    for registers, value in ((told, "2026-11-21 by message"), (STOPPED, "2026-11-21 as entered")):
        found = seat(rule("opt_out", 0, measure=ALL), registers)
        judgement = found.rule.weigh(found, asking())
        assert judgement is not None
        assert (judgement.level, judgement.value, judgement.limit) == (Level.CRITICAL, value, "none")


@pytest.mark.parametrize(("registers", "account", "room"), [
    (opted(), SALES, UNLIMITED), (STOPPED, SALES, 0), (STOPPED, SUPPORT, 0), (STOPPED, RIVAL, UNLIMITED),
    (opted((Kind.OPT_OUT, NUMBER, "sales"), (Kind.OPT_IN, NUMBER, "sales")), SALES, UNLIMITED),
])
def test_whose_customer_nobody_opted_out_of_may_call_unasked(
    registers: Registers, account: Account, room: int
) -> None:
    found = seat(rule("opt_out", 0, measure=ALL), registers, account)
    assert found.rule.room(found, NOON, "pbx1") == room


# Strikes -------------------------------------------------------------------------------------------


def struck(*strikes: Strike, pardoned: tuple[str, ...] = ()) -> Registers:
    found = Registers()
    for strike in strikes:
        found.strikes.put(strike)
    for one in pardoned:
        found.strikes.pardon(one, "a mistake")
    return found


def breach(name: str, cycle: str, kind: str = "asr", account: str = "sales") -> Strike:
    """One that a settlement found: it happened as the breached cycle began."""
    return Strike(name, kind, at(f"{cycle}-01"), "acme", account, cycle)


def entered(name: str, when: float, kind: str = "copyright", account: str = "sales") -> Strike:
    return Strike(name, kind, when, "acme", account, who="ops", why="a letter")


def strikes(
    registers: Registers, account: Account = SALES, now: float = NOON, *, at: int = 1,
    warning: int | None = None, **more: Any,
) -> tuple[Level, str]:
    found = seat(rule("strikes", at, warning, **{"cycles": 6, **more}), registers, account)
    judgement = found.rule.look(found, now)
    return (Level.FINE, "") if judgement is None else (judgement.level, judgement.value)


@pytest.mark.parametrize(("found", "number"), [
    ([], 0), ([breach("1", "2026-11")], 1),
    ([breach("1", "2026-11"), breach("2", "2026-11", "minutes")], 1),       # two kinds in one month are one
    ([breach("1", "2026-11"), breach("2", "2026-11", account="support")], 1),   # however many accounts
    ([breach("1", "2026-11"), breach("2", "2026-10")], 2),
    ([entered("1", NOON), entered("2", NOON)], 2),                          # each letter is one
    ([entered("1", NOON), breach("2", "2026-11"), breach("3", "2026-11")], 2),
    ([entered("2026-11", NOON), breach("1", "2026-11")], 2),                # whatever it is called
])
def test_a_cycle_in_breach_is_one_strike_and_each_that_was_entered_is_one(
    found: list[Strike], number: int
) -> None:
    assert number_of(found) == number
    level, value = strikes(struck(*found), measure=Measure(Scope.CUSTOMER))
    assert (level, value) == ((Level.FINE, "") if not number else (Level.CRITICAL, f"{number} in 6 cycles"))


@pytest.mark.parametrize(("number", "level"), [
    (0, Level.FINE), (1, Level.FINE), (2, Level.WARNING), (3, Level.CRITICAL), (4, Level.CRITICAL),
])
def test_strikes_reach_a_level_with_as_many_as_it_says(number: int, level: Level) -> None:
    registers = struck(*(entered(str(n), NOON) for n in range(number)))
    assert strikes(registers, at=3, warning=2)[0] is level


@pytest.mark.parametrize(("cycle", "cycles", "counts"), [
    ("2026-11", 1, True), ("2026-10", 1, False), ("2026-10", 2, True), ("2026-06", 6, True),
    ("2026-05", 6, False), ("2026-05", 7, True), ("2025-12", 12, True), ("2025-11", 12, False),
])
def test_two_months_in_any_six_are_six_cycles_this_one_included(
    cycle: str, cycles: int, counts: bool
) -> None:
    level, _ = strikes(struck(breach("1", cycle)), cycles=cycles)
    assert (level is Level.CRITICAL) is counts


@pytest.mark.parametrize(("when", "counts"), [
    ("2026-10-31T03:59:59", False), ("2026-10-31T04:00:00", True),          # midnight in New York
    ("2026-11-22T12:00:00", True),
])
def test_cycles_are_the_accounts_own(when: str, counts: bool) -> None:
    """Anchor 31 in New York: the cycle of the 22nd of November began on the 31st of October."""
    account = Account("sales", "acme", anchor_day=31, timezone="America/New_York")
    level, _ = strikes(struck(entered("1", at(when))), account, cycles=1)
    assert (level is Level.CRITICAL) is counts


@pytest.mark.parametrize(("ago", "counts"), [
    (0.0, True), (180 * DAY - 1, True), (180 * DAY, True), (180 * DAY + 1, False), (365 * DAY, False),
])
def test_a_span_of_days_counts_to_its_last_second(ago: float, counts: bool) -> None:
    level, value = strikes(
        struck(entered("1", NOON - ago)), cycles=0, measure=Measure(seconds=180 * 86_400)
    )
    assert (level, value) == ((Level.CRITICAL, "1 in 180 days") if counts else (Level.FINE, ""))


@pytest.mark.parametrize(("account", "scope", "number"), [
    (SALES, Scope.ACCOUNT, 2), (SUPPORT, Scope.ACCOUNT, 2), (RIVAL, Scope.ACCOUNT, 0),
    (SALES, Scope.CUSTOMER, 3), (SUPPORT, Scope.CUSTOMER, 3), (RIVAL, Scope.CUSTOMER, 0),
])
def test_an_account_has_its_own_strikes_and_its_customers(
    account: Account, scope: Scope, number: int
) -> None:
    registers = struck(
        entered("1", NOON), entered("2", NOON, account="support"), entered("3", NOON, account=""),
    )
    level, value = strikes(registers, account, measure=Measure(scope))
    assert (level, value) == ((Level.CRITICAL, f"{number} in 6 cycles") if number else (Level.FINE, ""))


@pytest.mark.parametrize(("kinds", "number"), [
    (frozenset(), 3), (frozenset({"copyright"}), 2), (frozenset({"asr"}), 1), (frozenset({"spam"}), 0),
    (frozenset({"asr", "copyright"}), 3),
])
def test_only_strikes_of_the_kinds_that_the_rule_names_count(kinds: frozenset[str], number: int) -> None:
    registers = struck(entered("1", NOON), entered("2", NOON), breach("3", "2026-11"))
    level, value = strikes(registers, strikes=kinds)
    assert (level, value) == ((Level.CRITICAL, f"{number} in 6 cycles") if number else (Level.FINE, ""))


def test_a_strike_that_was_pardoned_counts_no_more_and_stays_on_record() -> None:
    registers = struck(entered("1", NOON), entered("2", NOON), pardoned=("1", "unknown"))
    assert strikes(registers)[1] == "1 in 6 cycles"
    registers.strikes.put(entered("1", NOON))           # entered again, it stays what it is
    assert strikes(registers)[1] == "1 in 6 cycles"
    assert [(one.id, one.pardoned) for one in registers.strikes.all()] == [("1", "a mistake"), ("2", "")]


@pytest.mark.parametrize(("cycles", "seconds", "until", "still"), [
    (1, 0, "2026-12-01", False), (2, 0, "2027-01-01", False), (6, 0, "2027-05-01", False),
    (0, 86_400, "2026-11-23T12:00", True), (0, 180 * 86_400, "2027-05-21T12:00", True),
])
def test_until_when_a_strike_counts_is_when_it_counts_no_more(
    cycles: int, seconds: int, until: str, still: bool
) -> None:
    """With cycles the first moment at which it does not count; with days the last at which it does."""
    one = rule("strikes", 1, cycles=cycles, measure=Measure(seconds=seconds))
    assert isinstance(one, RepeatInfringer)
    end = one.until(BillingCycle(), entered("1", NOON))
    assert end == at(until)
    measure = Measure(seconds=seconds)
    for now, counts in ((end - 1, True), (end, still), (end + 1, False)):
        level, _ = strikes(struck(entered("1", NOON)), now=now, cycles=cycles, measure=measure)
        assert (level is Level.CRITICAL) is counts


@pytest.mark.parametrize(("number", "room"), [(0, UNLIMITED), (1, UNLIMITED), (2, 0), (3, 0)])
def test_whoever_has_too_many_strikes_asks_before_each_call(number: int, room: int) -> None:
    registers = struck(*(entered(str(n), NOON) for n in range(number)))
    found = seat(rule("strikes", 3, 2, cycles=6), registers)
    assert found.rule.room(found, NOON, "pbx1") == room


@pytest.mark.parametrize(("cycles", "seconds", "words"), [
    (1, 0, "1 in this cycle"), (2, 0, "1 in 2 cycles"), (0, 30 * 86_400, "1 in 30 days"),
    (0, 43_200, "1 in 0.5 days"),
])
def test_strikes_are_told_with_their_window(cycles: int, seconds: int, words: str) -> None:
    registers = struck(entered("1", NOON))
    assert strikes(registers, cycles=cycles, measure=Measure(seconds=seconds))[1] == words


# What both have in common with every other rule ----------------------------------------------------


@pytest.mark.parametrize("kind", ["opt_out", "strikes"])
@pytest.mark.parametrize(("route", "blocked"), [("carrier", True), ("other", False), ("", False)])
def test_a_rule_about_a_route_judges_what_goes_by_it(kind: str, route: str, blocked: bool) -> None:
    registers = opted((Kind.OPT_OUT, NUMBER, "sales"))
    registers.strikes.put(entered("1", NOON))
    measure = Measure(mediums=BOTH, routes=frozenset({"carrier"}))
    one = rule(kind, 1, measure=measure, cycles=6)
    modes = Modes(default=Mode.BLOCK)
    decision = decide(asking(route=route), NumberClass.ORDINARY, SALES, [seat(one, registers)], modes, "d")
    assert decision.verdict is (Verdict.BLOCK if blocked else Verdict.ALLOW)


def test_calls_by_another_route_take_no_turn_of_a_rate() -> None:
    one = rule("cps", 1, measure=Measure(routes=frozenset({"carrier"})))
    found = seat(one, Registers())
    modes = Modes(default=Mode.BLOCK)
    said = [
        decide(asking(route=route), NumberClass.ORDINARY, SALES, [found], modes, "d").verdict
        for route in ("other", "", "other", "carrier", "carrier", "other")
    ]
    assert said == [Verdict.ALLOW] * 4 + [Verdict.BLOCK, Verdict.ALLOW]
