"""A ledger that another process keeps to itself, or that is none: what people are told, and what to do."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from enforcer.domain.mode import Mode, ModeSetting
from enforcer.errors import LedgerError
from enforcer.ledger import remedy
from enforcer.ledger.sqlite import SqliteLedger
from lab.process import freeze
from tests.support.house import House, one_rule
from tests.support.ledgers import classify

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
ADVICE = "let it go on, or end it"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, one_rule())


@pytest.fixture
def holder(house: House) -> Iterator[subprocess.Popen[str]]:
    """A process that writes into the ledger and does not end."""
    command = [sys.executable, "-c", HOLDER, str(house.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_command_that_waited_in_vain_names_who_is_stopped_and_changes_nothing(
    house: House, holder: subprocess.Popen[str]
) -> None:
    freeze(holder.pid)
    line = house.refused("mode", "set", "tag")
    name = Path(f"/proc/{holder.pid}/comm").read_text().strip()
    assert line == (
        f"{house.database}: database is locked; process {holder.pid} ({name}, stopped) "
        f"writes and does not end: {ADVICE}"
    )
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert house.json("mode")[0]["mode"] == "monitor"
    house.ok("mode", "set", "tag")


def test_one_that_only_takes_its_time_is_named_without_that(
    house: House, holder: subprocess.Popen[str]
) -> None:
    with closing(SqliteLedger(house.database, classify, time.time, patience=0.05)) as ledger:
        with pytest.raises(LedgerError, match=rf"process {holder.pid} \([^,]*\) writes and does not end"):
            ledger.put_mode(ModeSetting(Mode.TAG))
        holder.kill()
        holder.wait()
        ledger.put_mode(ModeSetting(Mode.TAG))
        assert remedy.who_writes(house.database) == ""


def test_where_nobody_can_be_named_it_is_said_what_to_look_for(tmp_path: Path) -> None:
    path = tmp_path / "no.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as one:
        one.execute("BEGIN EXCLUSIVE")
        with closing(sqlite3.connect(path, timeout=0)) as other, pytest.raises(sqlite3.Error) as problem:
            other.execute("SELECT * FROM sqlite_schema")
    told = remedy.remedy(path, problem.value)
    assert told == f"; another process writes and does not end: look for one that is stopped, {ADVICE}"


def test_a_file_that_is_no_ledger_and_one_without_room_say_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "enforcer.db"
    path.write_bytes(b"this is no database, and long enough to be looked at" * 40)
    with pytest.raises(LedgerError, match=r"not a database; name another file in \[ledger\] url, or"):
        SqliteLedger(path, classify, time.time)
    with closing(sqlite3.connect(tmp_path / "small.db")) as small:
        small.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as problem:
            small.execute("CREATE TABLE large AS SELECT randomblob(100000)")
    assert remedy.remedy(tmp_path / "small.db", problem.value) == "; make room on its disk"
    assert remedy.remedy(path, OSError(errno.EIO, os.strerror(errno.EIO))) == ""
    with pytest.raises(LedgerError, match="Is a directory; name a file, not a directory"):
        SqliteLedger(tmp_path, classify, time.time)
