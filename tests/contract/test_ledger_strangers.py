"""Callers nobody registered have books as long as there is room, and lose nothing where there is none."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from enforcer.domain.account import Account
from enforcer.domain.call import Source
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Tally
from enforcer.ledger import sqlite, strangers
from enforcer.ledger.books import Books
from enforcer.ledger.memory import MemoryLedger
from enforcer.ledger.port import Ledger
from enforcer.ledger.sqlite import SqliteLedger
from tests.support.ledgers import PATIENCE, POLICY, Call, Clock, classify, talked, tell, usage
from tests.support.rules import NOON, rule

MOST = 10


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "MOST_STRANGERS", MOST)


def books_of(ledger: Ledger) -> Books:
    assert isinstance(ledger, MemoryLedger | SqliteLedger)
    return ledger._books


def open_books(ledger: Ledger, scope: Scope = Scope.ACCOUNT) -> set[str]:
    return set(books_of(ledger)._shelf.books[scope])


def look(ledger: Ledger) -> None:
    """As a running enforcer does once a second."""
    ledger.tidy()
    ledger.changed_elsewhere()


def calls_of(ledger: Ledger, accounts: range, prefix: str = "a") -> None:
    """Each calls once, and is asked about."""
    for nth in accounts:
        name = f"{prefix}{nth}"
        tell(ledger, *talked(Call(f"{name}-{NOON}", name), 10))
        ledger.seats(name, NOON)


def test_of_many_made_up_accounts_so_many_have_books_and_nothing_else_is_kept(ledger: Ledger) -> None:
    calls_of(ledger, range(5 * MOST))
    books = books_of(ledger)
    for scope in Scope:
        assert open_books(ledger, scope) == {f"a{nth}" for nth in range(4 * MOST, 5 * MOST)}
    assert len(books._desks._desks) <= 2 * MOST         # a pacer that let a call through is not forgotten yet
    assert len(books._shelf._rolling) <= 2 * MOST
    assert len(books.strangers) == MOST


def tallies_held() -> int:
    """Tallies that this process holds, whoever holds them."""
    gc.collect()
    return sum(1 for one in gc.get_objects() if isinstance(one, Tally))


def test_what_one_counted_who_made_room_is_held_by_nobody(ledger: Ledger) -> None:
    """Nor by the desk that remembers for a minute when its pacer let a call through."""
    before = tallies_held()
    calls_of(ledger, range(MOST))
    each = tallies_held() - before
    pacers = books_of(ledger)._desks._desks
    calls_of(ledger, range(MOST, 10 * MOST))
    for nth in range(10 * MOST):
        for seat in ledger.seats(f"a{nth}", NOON):
            if seat.pacer is not None:
                seat.pacer.take(NOON)
    assert len(pacers) > 2 * MOST
    assert tallies_held() - before <= each


def test_a_policy_that_is_replaced_leaves_no_tallies_behind(ledger: Ledger) -> None:
    for nth in range(MOST):
        calls_of(ledger, range(nth, nth + 1))
        for seat in ledger.seats(f"a{nth}", NOON):
            if seat.pacer is not None:
                seat.pacer.take(NOON)
    before = tallies_held()
    for _ in range(3):
        ledger.use(POLICY)
    assert tallies_held() <= before + 1                 # `seat` has its own


def test_what_a_pacer_let_through_is_known_though_its_caller_made_room(ledger: Ledger) -> None:
    (pacer,) = [seat.pacer for seat in ledger.seats("a0", NOON) if seat.pacer is not None]
    pacer.take(NOON)
    calls_of(ledger, range(1, 5 * MOST))
    assert "a0" not in open_books(ledger)
    assert [seat.pacer for seat in ledger.seats("a0", NOON) if seat.pacer is not None] == [pacer]


def test_who_comes_back_is_counted_from_the_ledger_within_a_look(ledger: Ledger) -> None:
    calls_of(ledger, range(5 * MOST))
    assert "a0" not in open_books(ledger)
    tell(ledger, *talked(Call("again", "a0"), 20))
    look(ledger)
    assert usage(ledger, account="a0").attempts == 2
    assert usage(ledger, "minutes", "a0").msec == 30_000


def test_a_late_fact_about_a_call_of_one_who_made_room_counts_it_once(ledger: Ledger) -> None:
    call = Call("unseen", "a0")
    tell(ledger, call.started(), call.ended(source=Source.INFERRED))
    calls_of(ledger, range(1, 5 * MOST))
    look(ledger)
    assert "a0" not in open_books(ledger)
    tell(ledger, call.cdr(40))
    look(ledger)
    assert usage(ledger, account="a0").attempts == 1
    assert usage(ledger, "minutes", "a0").msec == 40_000


def test_who_is_only_asked_about_is_counted_from_the_ledger_as_well(ledger: Ledger) -> None:
    calls_of(ledger, range(5 * MOST))
    ledger.seats("a0", NOON)
    look(ledger)
    assert usage(ledger, account="a0").attempts == 1


def test_nobody_with_a_call_in_progress_a_registration_or_a_mode_makes_room(ledger: Ledger) -> None:
    ledger.put_accounts([Account("registered", "customer")])
    ledger.put_mode(ModeSetting(Mode.OFF, account="named", at=NOON))
    ledger.modes()
    tell(ledger, *talked(Call("r", "registered"), 5), *talked(Call("n", "named"), 5))
    tell(ledger, Call("going on", "talking").started())
    calls_of(ledger, range(5 * MOST))
    assert {"registered", "named", "talking"} <= open_books(ledger)
    assert {"customer", "named", "talking"} <= open_books(ledger, Scope.CUSTOMER)
    assert len(open_books(ledger)) <= MOST + 3


def test_whoever_calls_now_and_then_stays(ledger: Ledger) -> None:
    for nth in range(5 * MOST):
        calls_of(ledger, range(nth, nth + 1))
        ledger.seats("a0", NOON)
    assert "a0" in open_books(ledger)


def test_who_is_registered_after_all_keeps_what_it_counted(ledger: Ledger) -> None:
    calls_of(ledger, range(5 * MOST))
    ledger.put_accounts([Account("a0", "a0"), Account(f"a{5 * MOST - 1}", "late")])
    tell(ledger, *talked(Call("again", "a0"), 20))
    calls_of(ledger, range(2 * MOST), "b")
    look(ledger)
    assert {"a0", f"a{5 * MOST - 1}"} <= open_books(ledger)
    assert usage(ledger, account="a0").attempts == 2


def test_gates_of_those_who_made_room_are_forgotten_where_no_notice_opens_them(ledger: Ledger) -> None:
    gates = ledger.registers.notices
    for nth in range(5 * MOST):
        gates.gate("minutes", f"a{nth}", f"a{nth}")
        calls_of(ledger, range(nth, nth + 1))
    assert len(gates._gates) == len(gates._gates_of) == MOST


ROLLING = Policy([
    rule("attempts", 1000), rule("minutes", 1000, measure=Measure(Scope.CUSTOMER)),
    rule("concurrent_calls", 100),
    rule("failed_calls", 60, measure=Measure(window=Window.ROLLING, seconds=3600)),
])


def test_counters_of_any_company_are_those_of_the_ledger(tmp_path: Path, clock: Clock) -> None:
    """Callers come and go at random, each look counts again whoever came back: who has a book then has the
    right one."""
    chance = random.Random(5)
    ledger = SqliteLedger(tmp_path / "ledger.db", classify, clock, PATIENCE)
    ledger.use(ROLLING)
    going_on: list[Call] = []
    for nth in range(400):
        clock.now += 20
        call = Call(str(nth), f"a{chance.randrange(30)}", start=clock.now)
        tell(ledger, call.started())
        ledger.seats(call.account, clock.now)
        going_on.append(call)
        if chance.random() < 0.9:
            one = going_on.pop(chance.randrange(len(going_on)))
            tell(ledger, one.answered(), one.ended(chance.randrange(60)))
        if nth % 40 == 39:
            look(ledger)
            assert ledger.verify() == []
            assert len(open_books(ledger)) < 30
    ledger.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def again(path: Path, stack: ExitStack, clock: Clock) -> SqliteLedger:
    ledger = SqliteLedger(path, classify, clock, PATIENCE)
    stack.callback(ledger.close)
    ledger.use(POLICY)
    return ledger


def test_after_a_restart_those_who_called_last_have_books(
    tmp_path: Path, opened: ExitStack, clock: Clock
) -> None:
    first = again(tmp_path / "ledger.db", opened, clock)
    first.put_accounts([Account("registered", "customer")])
    tell(first, *talked(Call("r", "registered", start=NOON - 1000), 5))
    for nth in range(5 * MOST):
        tell(first, *talked(Call(f"c{nth}", f"a{nth}", start=NOON + nth), 10))
    tell(first, Call("going on", "a0", start=NOON + 1).started())
    first.flush()
    second = again(tmp_path / "ledger.db", opened, clock)
    last = {f"a{nth}" for nth in range(4 * MOST, 5 * MOST)}
    assert open_books(second) - {"a0"} <= last | {"registered"}
    assert {"registered", "a0"} <= open_books(second)
    assert len(open_books(second)) <= MOST + 2
    tell(second, *talked(Call("again", "a3", start=NOON + 500), 10))
    look(second)
    assert usage(second, account="a3").attempts == usage(second, account="a0").attempts == 2
    assert usage(second, account="registered").attempts == 1
    assert second.verify() == []


def test_of_many_who_come_back_at_once_some_are_counted_at_each_look(
    tmp_path: Path, opened: ExitStack, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "RETURNED_AT_ONCE", 4)
    ledger = again(tmp_path / "ledger.db", opened, clock)
    calls_of(ledger, range(2 * MOST))
    for nth in range(MOST):
        tell(ledger, *talked(Call(f"again{nth}", f"a{nth}"), 20))
    books = books_of(ledger)
    waiting = []
    while books.returned:
        waiting.append(len(books.returned))
        look(ledger)
    assert waiting == [20, 16, 12, 8, 4]                # an account and its customer each
    assert {usage(ledger, account=f"a{nth}").attempts for nth in range(MOST)} == {2}


def test_while_the_disk_is_behind_whoever_is_new_may_have_called(
    tmp_path: Path, opened: ExitStack, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for the disk is counted as well, once it is there."""
    ledger = again(tmp_path / "ledger.db", opened, clock)
    with ledger._store._turns.mine():                   # nothing can be written
        calls_of(ledger, range(3 * MOST))
        tell(ledger, *talked(Call("again", "a0"), 20))
    look(ledger)
    assert usage(ledger, account="a0").attempts == 2
