"""Threads of one process take turns at the ledger's file: an order never finds it taken by our own writer."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from enforcer.domain.account import Account
from enforcer.domain.call import CallRecord
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.errors import LedgerError
from enforcer.ledger import turns, writer
from enforcer.ledger.call_rows import Written, write
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.ledger.store import MOST_READING, READING_KIB, WRITING_KIB, Store
from enforcer.ledger.turns import Turns, turns_of
from tests.support.ledgers import POLICY, Call, Clock, classify, talked, tell
from tests.support.rules import NOON

ORDER = ModeSetting(Mode.BLOCK, at=NOON, who="test")


def opened(path: Path) -> SqliteLedger:
    ledger = SqliteLedger(path, classify, Clock(), 0.0)        # no patience: whoever finds it taken fails
    ledger.use(POLICY)
    return ledger


def test_an_order_waits_for_our_own_writer_with_no_patience_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on, failed = threading.Event(), threading.Event(), []

    def slow(connection: sa.Connection, records: Sequence[CallRecord], lot: int, at: float) -> list[Written]:
        inside.set()
        assert go_on.wait(30)
        return write(connection, records, lot, at)

    monkeypatch.setattr(writer, "write", slow)
    path = tmp_path / "ledger.db"
    ledger = opened(path)
    tell(ledger, *talked(Call(), 10))
    assert inside.wait(30)                      # the writer has the file, and keeps it

    def order() -> None:
        try:
            ledger.put_mode(ORDER)
        except Exception as problem:
            failed.append(problem)

    ordering = threading.Thread(target=order)
    ordering.start()
    while ordering.is_alive() and len(turns_of(path)._row) < 2:
        time.sleep(0)                           # until it stands in the row, or has given up
    go_on.set()
    ordering.join()
    assert failed == []
    assert ledger.modes() == [ORDER]
    ledger.close()


def test_orders_and_two_ledgers_of_one_process_never_meet_a_locked_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    daemon, follower = opened(path), opened(path)
    done, failed = threading.Event(), []

    def follow() -> None:
        nth = 0
        while not done.is_set():
            nth += 1
            try:
                follower.absorb(talked(Call(f"f{nth}"), 10))
            except Exception as problem:
                failed.append(problem)
                return

    following = threading.Thread(target=follow)
    following.start()
    for nth in range(40):
        tell(daemon, *talked(Call(f"d{nth}"), 10))
        daemon.put_mode(ORDER)
        daemon.put_accounts([Account(f"a{nth}", "acme")])
    done.set()
    following.join()
    assert failed == []
    daemon.flush()                              # raises where the writer was kept out
    assert len(daemon.modes()) == len(daemon.accounts()) == 40
    follower.close()
    daemon.close()


def test_turns_come_in_their_order() -> None:
    row, came = Turns(), []

    def take(nth: int) -> None:
        with row.mine():
            came.append(nth)

    threads = [threading.Thread(target=take, args=(nth,)) for nth in range(8)]
    with row.mine():
        for nth, thread in enumerate(threads):
            thread.start()
            while len(row._row) < nth + 2:
                time.sleep(0)
    for thread in threads:
        thread.join()
    assert came == list(range(8))
    assert not row._row


def test_where_the_disk_hangs_an_order_is_refused_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST", 0.01)
    path = tmp_path / "ledger.db"
    ledger, hanging, go_on = opened(path), threading.Event(), threading.Event()

    def hang() -> None:
        with turns_of(path).mine():
            hanging.set()
            assert go_on.wait(30)

    other = threading.Thread(target=hang)
    other.start()
    assert hanging.wait(30)
    with pytest.raises(LedgerError, match="the disk hangs"):
        ledger.put_mode(ORDER)
    go_on.set()
    other.join()
    ledger.put_mode(ORDER)
    ledger.close()


def test_a_thread_that_would_wait_for_itself_is_told() -> None:
    row = Turns()
    with row.mine(), pytest.raises(RuntimeError), row.mine():
        pass
    with row.mine():                          # and nobody else suffers from it
        pass


def test_one_file_has_the_same_turns_by_every_name(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    other = tmp_path / "other.db"
    other.touch()
    (tmp_path / "link.db").symlink_to(path)
    assert turns_of(path) is turns_of(tmp_path / "link.db")
    one, two = turns_of(path), turns_of(other)
    assert one is not two


def test_one_connection_writes_and_few_read_and_pages_in_memory_have_a_cap(tmp_path: Path) -> None:
    store = Store(tmp_path / "ledger.db", 0.0)

    def which(connection: sa.Connection) -> tuple[int, int]:
        return id(connection.connection.driver_connection), connection.exec_driver_sql(
            "PRAGMA cache_size"
        ).scalar_one()

    writing, reading = set(), set()
    for _ in range(4):
        with store.writing() as connection:
            writing.add(which(connection))
        with store.reading() as connection:
            reading.add(which(connection))
    assert [kib for _, kib in writing] == [-WRITING_KIB]
    assert [kib for _, kib in reading] == [-READING_KIB]
    with ExitStack() as stack:
        for _ in range(2 * MOST_READING):
            reading.add(which(stack.enter_context(store.reading())))
    assert {kib for _, kib in reading} == {-READING_KIB}
    assert store._reading.pool.checkedin() == MOST_READING          # type: ignore[attr-defined]
    store.close()
