"""What rolling windows have passed is let go of, a few accounts at a time, whoever calls no more."""

from __future__ import annotations

import pytest

from enforcer.domain.measure import Detail, Measure, Scope, Window
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Rolling, Tally
from enforcer.ledger.books import Books
from tests.support.ledgers import Call, Clock, classify
from tests.support.rules import NOON, rule

HOUR = Measure(window=Window.ROLLING, seconds=3600)


def opened(clock: Clock) -> Books:
    found = Books(classify, lambda call_id: None, clock, lambda *_: Tally())
    found.begin(Policy([rule("distinct_numbers", 5, measure=HOUR), rule("attempts", 5)]), (), float("-inf"))
    return found


def window(books: Books, account: str) -> Rolling:
    """The hour of an account, as it lies there: nobody looks at it."""
    (tally,) = [t for t in books.book(Scope.ACCOUNT, account).tallies if isinstance(t, Rolling)]
    return tally


def called(books: Books, *accounts: str) -> None:
    for account in accounts:
        books.apply(Call(name=account, account=account).started())


def test_the_window_of_an_account_that_calls_no_more_is_emptied() -> None:
    clock = Clock()
    books = opened(clock)
    called(books, "quiet")
    for later, attempts in ((0, 1), (3599, 1), (3600, 0)):
        clock.now = NOON + later
        books.tidy()
        tally = window(books, "quiet")
        assert tally.attempts == attempts
    assert (tally.steps, tally.calls) == ({}, {})
    assert tally.trail is not None
    assert len(tally.trail) == 0
    (cycle,) = [t for t in books.book(Scope.ACCOUNT, "quiet").tallies if not isinstance(t, Rolling)]
    assert cycle.attempts == 1          # the cycle goes on


@pytest.mark.parametrize(("at_once", "rounds"), [(1, 5), (2, 3), (5, 1), (100, 1)])
def test_all_accounts_have_their_turn(at_once: int, rounds: int) -> None:
    clock = Clock()
    books = opened(clock)
    names = ["a", "b", "c", "d", "e"]
    called(books, *names)
    clock.now += 3600
    for nth in range(rounds):
        assert sum(window(books, name).attempts for name in names) == max(0, 5 - nth * at_once)
        books.tidy(at_once)
    assert sum(window(books, name).attempts for name in names) == 0


def test_who_asks_finds_the_window_of_this_moment() -> None:
    clock = Clock()
    books = opened(clock)
    called(books, "acme")
    for later, attempts in ((3599.0, 1), (3600.0, 0)):
        seats = books.seats("acme", NOON + later)
        (seat,) = [seat for seat in seats if seat.rule.spec.kind == "distinct_numbers"]
        assert seat.tally.attempts == attempts
        assert Detail.NUMBERS in seat.rule.spec.measure.details
