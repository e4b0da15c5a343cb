"""What only a ledger with a disk can promise: to outlast restarts, crashes, full disks and company."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from enforcer.domain.account import Account
from enforcer.domain.call import Medium, Refusal
from enforcer.domain.charge import Claim
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.usage import Usage
from enforcer.errors import LedgerError
from enforcer.ledger import at_hand, foreign, store, tables, writer
from enforcer.ledger.port import Absorbed
from enforcer.ledger.sqlite import SqliteLedger
from tests.support.ledger_process import call as numbered
from tests.support.ledgers import DAY, PATIENCE, POLICY, Call, Clock, classify, talked, tell, usage
from tests.support.rules import NOON

RECORDED = Path(__file__).parents[1] / "recorded" / "ledger"


class Site:
    """One file, and as many processes on it as a test likes."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self.clock = Clock()
        self._stack = stack

    def open(self, counting: bool = True) -> SqliteLedger:
        ledger = SqliteLedger(self.path, classify, self.clock, PATIENCE)
        self._stack.callback(ledger.close)
        if counting:
            ledger.use(POLICY)
        return ledger

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            return database.execute(statement).fetchall()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path / "var" / "ledger.db", stack)


def catch_up(ledger: SqliteLedger) -> None:
    """Look until nothing is new, as the daemon does twenty times a second."""
    while ledger.changed_elsewhere():
        pass


# The file --------------------------------------------------------------------------------------


def test_the_file_is_made_with_its_folder_for_nobody_else_to_read(site: Site) -> None:
    ledger = site.open()
    tell(ledger, *talked(Call(), 10))
    ledger.flush()
    for file in site.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_one_enforcer_at_a_time_runs_on_a_ledger(site: Site) -> None:
    with store.alone(site.path):
        site.open()                     # commands come and go meanwhile
        other = rf"another enforcer .*process {os.getpid()}"
        with pytest.raises(LedgerError, match=other), store.alone(site.path):
            pass
    with store.alone(site.path):
        pass


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.write_text("these are not the bytes of a database, not at all" * 10)
    with pytest.raises(LedgerError, match=r"ledger\.db: file is not a database"):
        SqliteLedger(file, classify, Clock())


def test_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=f"{tmp_path}: Is a directory"):
        SqliteLedger(tmp_path, classify, Clock())


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE cdr (id)")
    with pytest.raises(LedgerError, match=r"other\.db: this is a database of something else"):
        SqliteLedger(file, classify, Clock())


def test_a_ledger_of_a_later_version_is_left_alone(site: Site) -> None:
    site.open().close()
    site.sql("UPDATE mark SET value = 99 WHERE name = 'schema'")
    with pytest.raises(LedgerError, match=r"written by a later version of enforcer \(schema 99"):
        site.open()


def test_tables_and_migrations_say_the_same(site: Site) -> None:
    site.open().close()
    made = sa.MetaData()
    engine = sa.create_engine(f"sqlite:///{site.path}")
    made.reflect(engine)
    engine.dispose()
    known = tables.metadata.tables
    assert {name: sorted(c.name for c in t.columns) for name, t in made.tables.items()} == {
        name: sorted(c.name for c in t.columns) for name, t in known.items()
    }


def test_a_ledger_of_the_first_release_goes_on_where_it_was(site: Site) -> None:
    """Its calls count, its decisions, modes, charges and accounts are there, and it can be written to."""
    site.path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(site.path)) as database:
        database.executescript((RECORDED / "schema2.sql").read_text())
    ledger = site.open()
    records = {record.call_id: record for record in ledger.calls()}
    assert {(r.legs, r.medium) for r in records.values()} == {("", Medium.CALL)}
    assert (records["pbx1/4"].billmsec, records["pbx1/3"].refusal) == (61_000, Refusal.BLOCKED)
    assert usage(ledger)[:3] == (2, 2, 0)
    assert [decision.verdict for decision in ledger.decisions()] == [Verdict.BLOCK, Verdict.BLOCK]
    assert [mode.who for mode in ledger.modes()] == ["alice"]
    assert [account.id for account in ledger.accounts("big")] == ["acme"]
    (entry,) = ledger.charges()
    claim = Claim("big", "", "asr", "2026-10", "p@1", Decimal("0.005"), "USD")
    assert ledger.charge([claim], NOON + 1) == []
    assert entry.amount == Decimal("0.005")
    tell(ledger, *talked(Call("5", start=NOON + 9), 10))
    assert usage(ledger).attempts == 3
    assert ledger.verify() == []


def test_an_old_schema_moves_forward_and_keeps_its_rows(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.open()
    tell(first, *talked(Call(), 10))
    first.flush()
    steps = [*store.migrations(), ["ALTER TABLE account ADD COLUMN note TEXT"]]
    monkeypatch.setattr(store, "migrations", lambda: steps)
    assert usage(site.open()) == Usage(1, 1, msec=10_000)
    assert site.sql("SELECT value FROM mark WHERE name = 'schema'") == [(len(steps),)]
    site.open()     # a second time there is nothing to do


def test_a_damaged_file_is_told(site: Site) -> None:
    ledger = site.open()
    for n in range(300):
        tell(ledger, *talked(Call(str(n)), 10))
    ledger.close()
    data = bytearray(site.path.read_bytes())
    page = site.sql("SELECT rootpage FROM sqlite_master WHERE name = 'call_usage'")[0][0]
    assert isinstance(page, int)
    data[(page - 1) * 4096:page * 4096] = bytes(4096)
    site.path.write_bytes(data)
    with pytest.raises(LedgerError, match=r"ledger\.db: .*(damaged|malformed)"):
        site.open().verify()


# Restarts --------------------------------------------------------------------------------------


def test_a_restart_restores_the_cycle_and_the_calls_in_progress(site: Site) -> None:
    first = site.open()
    first.put_accounts([Account("acme", "big", anchor_day=20, timezone="Pacific/Auckland")])
    live, refused = Call("live"), Call("refused")
    tell(first, *talked(Call("old", start=NOON - 9 * DAY), 10), *talked(Call("1"), 10), live.started())
    tell(first, live.answered(), refused.started(), *talked(Call("x", "other", start=NOON - 9 * DAY), 10))
    first.refuse(refused.id, Refusal.BLOCKED)
    before = [usage(first, kind) for kind in ("attempts", "concurrent_calls", "minutes", "asr")]
    first.close()
    second = site.open()
    assert [usage(second, kind) for kind in ("attempts", "concurrent_calls", "minutes", "asr")] == before
    assert before[0] == Usage(2, 1, 0, 1, 10_000, blocked=1)
    assert usage(second, account="other") == Usage(1, 1, msec=10_000)
    tell(second, live.ended(20), *talked(Call("1"), 10))
    assert usage(second) == Usage(2, 2, msec=30_000, blocked=1)
    assert second.verify() == []


def test_a_restart_in_the_next_cycle_begins_at_nothing(site: Site) -> None:
    first = site.open()
    tell(first, *talked(Call("1"), 10), Call("2", start=NOON + 20 * DAY).cdr(10))
    first.close()
    site.clock.now = NOON + 15 * DAY
    second = site.open()
    assert usage(second, at=site.clock.now) == Usage(1, 1, msec=10_000)
    assert second.verify() == []


def test_calls_ahead_of_their_cycle_outlast_a_restart(site: Site) -> None:
    first = site.open()
    tell(first, Call("1", start=NOON + 20 * DAY).cdr(10), *talked(Call("2"), 5))
    first.close()
    second = site.open()
    assert usage(second) == Usage(1, 0, 1, msec=5_000)
    site.clock.now = NOON + 20 * DAY
    tell(second, *talked(Call("3", start=site.clock.now), 30))
    assert usage(second, at=site.clock.now) == Usage(2, 2, msec=40_000)
    assert second.verify() == []


def test_what_a_killed_process_flushed_is_there_and_cdrs_complete_the_rest(site: Site) -> None:
    site.path.parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.ledger_process", str(site.path), "calls"],
        stdout=subprocess.PIPE, text=True,
    ) as process:
        assert process.stdout is not None
        lines = random.Random(site.path.name).randrange(2, 30)
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        told = process.stdout.read().split()
    kept = int(told[-1]) if told else 10 * lines
    ledger = site.open()
    assert ledger.verify() == []
    for number in range(kept):
        record = ledger.call(f"pbx1/{number}")
        assert record is not None
        assert (record.answered_at is not None) == bool(number % 5)
        assert (record.ended_at is not None) == bool(number % 3)

    # The switch went on without us, and wrote of every call.
    calls = [numbered(number) for number in range(kept + 50)]
    ledger.absorb([call.cdr(n % 12 if n % 5 else 0) for n, call in enumerate(calls)])
    assert ledger.live() == []
    assert ledger.verify() == []
    for account in range(7):
        billsecs = [n % 12 if n % 5 else 0 for n in range(account, kept + 50, 7)]
        found = usage(ledger, account=f"a{account}")
        # Answered for no whole second is answered to whoever saw it, and not to a CDR.
        assert found._replace(short=0) == Usage(
            len(billsecs), sum(b >= 6 for b in billsecs), msec=1000 * sum(billsecs),
        )


# Trouble with the disk ---------------------------------------------------------------------------


def test_a_full_disk_stops_no_counting_and_loses_no_row(site: Site) -> None:
    site.path.parent.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.ledger_process", str(site.path), "full", "700000"],
        capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "ledger.db: " in told["refusal"]
    assert "calls wait in memory" in told["degraded"]
    assert told["during"] == told["kept"] == told["told"]
    assert (told["after"], told["overflow"], told["mismatches"]) == ("", 0, 0)


def test_a_locked_file_stops_no_counting_and_loses_no_row(site: Site) -> None:
    ledger = site.open()
    with closing(sqlite3.connect(site.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        tell(ledger, *talked(Call(), 10))
        with pytest.raises(LedgerError, match=r"ledger\.db: database is locked; .*; 1 calls wait in memory"):
            ledger.flush()
        assert usage(ledger) == Usage(1, 1, msec=10_000)
        assert "database is locked" in ledger.degraded
        assert ledger.call("pbx1/1") is None        # the past is told as far as it is there
        with pytest.raises(LedgerError, match="locked"):
            ledger.put_accounts([Account("acme", "big")])
        with pytest.raises(LedgerError, match="locked"):
            ledger.put_mode(ModeSetting(Mode.BLOCK))
        with pytest.raises(LedgerError, match="locked"):
            ledger.use(POLICY)
        other.execute("ROLLBACK")
    ledger.flush()
    ledger.changed_elsewhere()
    assert ledger.degraded == ""
    assert ledger.verify() == []
    assert ledger.call("pbx1/1") is not None


def test_what_finds_no_room_is_counted_and_told_and_counters_say_what_records_say(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_CALLS", 3)
    monkeypatch.setattr(writer, "MOST_DECISIONS", 2)
    ledger = site.open()
    with closing(sqlite3.connect(site.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for n in range(5):
            tell(ledger, *talked(Call(str(n)), 10))
        for n in range(4):
            ledger.keep(Decision(
                f"d{n}", NOON + n, "pbx1/1", "pbx1", "acme", "1", "outbound", Verdict.ALLOW, Verdict.ALLOW,
            ))
        assert usage(ledger).attempts == 5
        other.execute("ROLLBACK")
    ledger.flush()
    assert ledger.overflow == 2 * 3 + 2     # two calls of three events, and two decisions
    assert "8 rows found no room" in ledger.degraded
    catch_up(ledger)
    assert usage(ledger).attempts == 3
    assert [d.decision_id for d in ledger.decisions()] == ["d3", "d2"]
    assert ledger.verify() == []
    ledger.absorb([Call(str(n)).cdr(10) for n in range(5)])     # the remedy
    assert usage(ledger).attempts == 5


def test_a_row_that_no_database_takes_does_not_hold_up_the_others(site: Site) -> None:
    ledger = site.open()
    tell(ledger, *talked(Call("1"), 10), *talked(Call("2", number="1212555\ud800"), 10))
    tell(ledger, *talked(Call("3"), 10))
    ledger.flush()
    assert [record.call_id for record in ledger.calls()] == ["pbx1/1", "pbx1/3"]
    assert ledger.overflow == 1
    assert "'pbx1/2' can't be written" in ledger.degraded


# Company -----------------------------------------------------------------------------------------


def test_a_mode_that_another_process_sets_is_seen_at_the_next_look(site: Site) -> None:
    daemon, cli = site.open(), site.open(counting=False)
    catch_up(daemon)
    cli.put_mode(ModeSetting(Mode.BLOCK, account="acme", who="bob", at=NOON))
    assert daemon.changed_elsewhere()
    assert [setting.who for setting in daemon.modes()] == ["bob"]
    assert not daemon.changed_elsewhere()
    daemon.put_mode(ModeSetting(Mode.OFF))
    assert not daemon.changed_elsewhere()
    assert cli.changed_elsewhere()


def test_our_own_writing_is_no_news(site: Site) -> None:
    ledger = site.open()
    tell(ledger, *talked(Call(), 10))
    ledger.put_accounts([Account("acme", "big")])
    ledger.flush()
    assert not ledger.changed_elsewhere()


def test_an_account_that_another_process_registers_is_in_force_with_its_calendar(site: Site) -> None:
    daemon, cli = site.open(), site.open(counting=False)
    tell(daemon, *talked(Call("1", start=NOON - 9 * DAY), 10), *talked(Call("2"), 20))
    cli.put_accounts([Account("acme", "big", anchor_day=20)])
    assert daemon.changed_elsewhere()
    assert daemon.account("acme").customer == "big"
    assert usage(daemon) == Usage(1, 1, msec=20_000)
    assert daemon.verify() == []


def test_an_import_beside_the_daemon_reaches_its_counters(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "CALLS_AT_ONCE", 7)
    daemon, cli = site.open(), site.open(counting=False)
    lost = Call("lost")
    tell(daemon, lost.started(), lost.answered(), *talked(Call("seen", start=NOON + 0.5), 10.5))
    daemon.flush()
    rows = [lost.cdr(7), Call("seen", start=NOON + 0.5).cdr(10)]
    rows += [Call(str(n), start=NOON + n).cdr(10) for n in range(40)]
    assert cli.absorb(rows) == Absorbed(new=40, completed=1, unchanged=1)
    looks = 0
    while daemon.changed_elsewhere():
        looks += 1
    assert looks == 6
    assert usage(daemon) == Usage(42, 42, msec=417_500)
    assert daemon.live() == []
    assert daemon.verify() == []


def test_a_late_fact_about_a_forgotten_call_is_taken_over_exactly(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_hand, "REMEMBER_CALLS", 1)
    daemon, cli = site.open(), site.open(counting=False)
    tell(daemon, *(Call(str(n), start=NOON + n).cdr(10) for n in range(5)))
    daemon.flush()
    cli.absorb([Call("0").cdr(30)])
    cli.absorb([Call("0").cdr(40)])
    catch_up(daemon)
    assert usage(daemon) == Usage(5, 5, msec=80_000)
    assert daemon.verify() == []


def test_of_our_own_late_facts_the_last_is_what_another_hand_replaces(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_hand, "REMEMBER_CALLS", 1)
    daemon, cli = site.open(), site.open(counting=False)
    for billsec in (10, 20, 30):
        tell(daemon, Call("0").cdr(billsec), Call("1").cdr(billsec))
        daemon.flush()
    cli.absorb([Call("0").cdr(40)])
    catch_up(daemon)
    assert usage(daemon) == Usage(2, 2, msec=70_000)
    assert daemon.verify() == []


def test_two_hands_on_one_call_undo_nothing_of_each_other(site: Site) -> None:
    daemon, cli = site.open(), site.open(counting=False)
    call = Call()
    tell(daemon, call.started())
    daemon.flush()
    cli.absorb([call.cdr(9)])
    tell(daemon, call.answered())       # before it has looked
    daemon.flush()
    catch_up(daemon)
    record = daemon.call(call.id)
    assert record is not None
    assert record.billmsec == 9_000
    assert usage(daemon) == Usage(1, 1, msec=9_000)
    assert daemon.verify() == []


def test_two_processes_that_both_count_agree(site: Site) -> None:
    one, two = site.open(), site.open()
    calls = [Call(str(n), start=NOON + n) for n in range(30)]
    for n, call in enumerate(calls):
        tell(one if n % 2 else two, call.started())
        tell(two if n % 3 else one, call.answered())
        if n % 5 == 0:
            one.flush()
            catch_up(two)
        tell(one if n % 5 else two, call.ended(n))
    for ledger in (one, two, one, two):
        ledger.flush()
        catch_up(ledger)
    assert usage(one) == usage(two) == Usage(30, 24, 6, msec=435_000)
    assert one.verify() == two.verify() == []


def test_second_ledger_in_one_process_takes_no_lock_from_the_first(tmp_path: Path) -> None:
    """POSIX lets go of all locks on a file when a process closes any handle to it. With those of the first
    gone, another process that leaves last would tidy the log away under it."""
    path = tmp_path / "ledger.db"
    first = SqliteLedger(path, classify, Clock(), PATIENCE)
    first.use(POLICY)
    tell(first, *talked(Call("1"), 5.0))
    first.flush()
    SqliteLedger(path, classify, Clock(), PATIENCE).close()
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM mark').fetchall(); "
        "c.close()"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert path.with_name("ledger.db-wal").exists()
    tell(first, *talked(Call("2"), 5.0))
    first.flush()
    assert [record.call_id for record in first.calls()] == ["pbx1/1", "pbx1/2"]
    first.close()
