"""Whatever is changed, registered or imported, in whatever order: each call is settled once, in one cycle,
and a cycle that is over stays what it was."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from enforcer.control.rows import Row
from enforcer.control.settlement import settlement
from enforcer.domain.account import Account, AccountType
from enforcer.domain.calendars import Calendars
from enforcer.domain.charge import Charge, On, Per
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.history import Revisions
from enforcer.ledger.memory import MemoryLedger
from tests.support.ledgers import Call, Clock
from tests.support.rules import rule

# Changes to and from summer time on both halves of the globe, the date line, and a leap day.
ZONES = st.sampled_from([
    "UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns",
    "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Casablanca",
])
ANCHORS = st.sampled_from([1, 2, 15, 28, 29, 30, 31])
CALENDARS = st.builds(BillingCycle, ANCHORS, ZONES)
BEGAN, ENDED = (datetime(2027, 12, 20, tzinfo=UTC).timestamp(), datetime(2028, 4, 10, tzinfo=UTC).timestamp())
LABELS = ["2027-11", "2027-12", *(f"2028-0{month}" for month in range(1, 7))]
NOW = datetime(2028, 9, 1, tzinfo=UTC).timestamp()
HOURS = st.integers(int(BEGAN) // 3600, int(ENDED) // 3600).map(lambda n: n * 3600.0)

ACCOUNTS = st.builds(
    Account, st.sampled_from(["a", "b", "c"]), st.sampled_from(["big", "small"]),
    st.sampled_from(AccountType), st.integers(1, 3), st.sampled_from(["flat", "metered"]), ANCHORS, ZONES,
)
CALLS = st.tuples(st.sampled_from("abcd"), HOURS, st.sampled_from([0, 5, 6, 600]))
POLICY = Revisions.fixed(Policy([
    rule("attempts", 1, name="each", charge=Charge(Decimal("0.1"), Per.ATTEMPT, On.EXCESS)),
    rule("attempts", 0, name="all", measure=Measure(Scope.CUSTOMER)),
    rule("asr", 4, measure=Measure(Scope.CUSTOMER), strike=True,
         charge=Charge(Decimal("0.005"), Per.ATTEMPT)),
    rule("minutes", 5, plans=frozenset({"flat"}), charge=Charge(Decimal("0.07"), Per.MINUTE)),
    rule("distinct_numbers", 1, name="numbers"),
    rule("average_minutes", 5, measure=Measure(Scope.CUSTOMER), types=frozenset({AccountType.PBX})),
]))


class House:
    """A ledger to which things happen in the order of time."""

    def __init__(self) -> None:
        self.clock = Clock(BEGAN)
        self.ledger = MemoryLedger(NumberPlan("US").classify, self.clock)

    def registers(self, at: float, account: Account) -> None:
        self.clock.now = at
        self.ledger.put_accounts([account])

    def called(self, calls: Sequence[tuple[int, tuple[str, float, int]]]) -> None:
        self.ledger.absorb([
            Call(str(n), account, f"1212555010{n % 3}", start=at).cdr(seconds)
            for n, (account, at, seconds) in calls
        ])

    def settled(self) -> list[Row]:
        self.clock.now = NOW
        return [row for label in LABELS for row in settlement(self.ledger, POLICY, label, NOW).rows]


def told(rows: Sequence[Row]) -> set[tuple[object, ...]]:
    return {(row.about, row.account_type, row.settled, row.charge, row.span) for row in rows}


@settings(deadline=None)
@given(st.lists(st.tuples(HOURS, CALENDARS), min_size=1, max_size=5), HOURS)
@example([(BEGAN, BillingCycle(31)), (BEGAN + 3600, BillingCycle(1, "Pacific/Kiritimati"))], BEGAN)
def test_every_instant_lies_in_one_cycle_however_often_the_calendar_changes(
    changes: list[tuple[float, BillingCycle]], at: float
) -> None:
    calendars = Calendars(sorted(changes, key=lambda change: change[0]))
    span = calendars.at(at)
    assert span.holds(at)
    assert calendars.at(span.start) == span
    assert calendars.named(span.label) == span
    following = calendars.at(span.end)
    assert (following.start, following.label > span.label) == (span.end, True)
    assert calendars.at(span.start - 1).end == span.start


@settings(deadline=None)
@given(st.lists(st.tuples(HOURS, CALENDARS), min_size=1, max_size=4), st.tuples(HOURS, CALENDARS))
def test_a_change_of_calendar_touches_no_cycle_that_was_over(
    changes: list[tuple[float, BillingCycle]], last: tuple[float, BillingCycle]
) -> None:
    before = sorted((change for change in changes if change[0] <= last[0]), key=lambda change: change[0])
    if not before:
        before = [(BEGAN, changes[0][1])]
    old, new = Calendars(before), Calendars([*before, last])
    for label in LABELS:
        span = old.named(label)
        if span is not None and span.end <= last[0]:
            assert new.named(label) == span


@settings(deadline=None)
@given(
    st.lists(st.tuples(HOURS, ACCOUNTS), max_size=6), st.lists(CALLS, max_size=12),
)
def test_each_call_is_settled_once_whatever_is_changed_meanwhile(
    changes: list[tuple[float, Account]], calls: list[tuple[str, float, int]]
) -> None:
    house = House()
    events = [(at, account) for at, account in changes] + [
        (call[1], (n, call)) for n, call in enumerate(calls)
    ]
    for at, event in sorted(events, key=lambda one: one[0]):
        if isinstance(event, Account):
            house.registers(at, event)
        else:
            house.called([event])
    rows = house.settled()
    for rule_id in ("each", "all"):
        assert sum(row.settled.attempts for row in rows if row.rule.spec.id == rule_id) == len(calls)
    minutes = sum(Fraction(row.settled.msec, 60_000) for row in rows if row.rule.spec.id == "all")
    assert minutes == sum(Fraction(seconds, 60) for _, _, seconds in calls)
    head = house.ledger.prove().head
    assert told(house.settled()) == told(rows)
    assert house.ledger.prove().head == head        # nothing was written the second time


@settings(deadline=None)
@given(
    st.lists(ACCOUNTS, max_size=3, unique_by=lambda account: account.id), st.lists(CALLS, max_size=12),
    st.randoms(use_true_random=False), st.integers(0, 12),
)
def test_any_order_of_imports_gives_the_same_rows(
    accounts: list[Account], calls: list[tuple[str, float, int]], chance: random.Random, first: int
) -> None:
    straight, shuffled = House(), House()
    for house in (straight, shuffled):
        for account in accounts:
            house.registers(BEGAN, account)
    numbered = list(enumerate(calls))
    straight.called(numbered)
    mixed = list(numbered)
    chance.shuffle(mixed)
    shuffled.called(mixed[:first])
    shuffled.settled()
    shuffled.called(mixed[first:])
    assert told(shuffled.settled()) == told(straight.settled())


@settings(deadline=None)
@given(
    st.lists(ACCOUNTS, min_size=1, max_size=3, unique_by=lambda account: account.id),
    st.lists(CALLS, max_size=8),
    st.lists(ACCOUNTS, max_size=4),
)
def test_what_is_registered_afterwards_changes_no_row(
    accounts: list[Account], calls: list[tuple[str, float, int]], later: list[Account]
) -> None:
    house = House()
    for account in accounts:
        house.registers(BEGAN, account)
    house.called(list(enumerate(calls)))
    before = told(house.settled())
    for account in later:
        house.registers(NOW + 1, account)
    rows = [row for label in LABELS for row in settlement(house.ledger, POLICY, label, NOW + 2).rows]
    assert told(rows) == before
