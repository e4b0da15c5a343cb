"""`enforcer settle`, as a process of its own and here: rows, JSON keys, refusals, charges that outlast it."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import chdir, closing
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from enforcer.closing import in_a_process
from enforcer.control.cli import app
from enforcer.domain.cycle import BillingCycle
from enforcer.errors import LedgerError
from tests.support.rules import NOON

ROOT = Path(__file__).parents[2]
CONFIG = f"""
site = "lab"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["{ROOT}/policies/ip2call.toml"]
[[switch]]
name = "pbx1"
secret_env = "ENFORCER_TEST_SECRET"
"""
ACCOUNTS = (
    "account,customer,type,channels,plan,anchor_day,timezone\n"
    "acme,acme-inc,pbx,,flat,1,UTC\nglobex,globex-llc,trunk,1,flat,1,UTC\n"
)
ROW = (
    '"{account}","100","12025550123","from-accounts","""A"" <100>","PJSIP/a-{n:08}","PJSIP/c-{n:08}","Dial",'
    '"PJSIP/x","2026-10-05 10:00:00",{answer},"{end}",{billsec},{billsec},"{word}","DOCUMENTATION",'
    '"1791194400.{n}",""\n'
)
KEYS = [
    "customer", "account", "account_type", "rule", "clause", "metric", "value", "limit", "breached",
    "attempts", "completed", "short", "minutes", "charge", "currency",
]


def cdrs(account: str, *billsecs: int, first: int = 1) -> str:
    """Rows of `Master.csv`."""
    return "".join(
        ROW.format(
            account=account, n=n, billsec=seconds, end=f"2026-10-05 10:{seconds // 60:02}:{seconds % 60:02}",
            answer='"2026-10-05 10:00:00"' if seconds else "", word="ANSWERED" if seconds else "NO ANSWER",
        )
        for n, seconds in enumerate(billsecs, first)
    )


class Done(NamedTuple):
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


class House:
    """A directory with a configuration, and the command line in it: `apart` as a process of its own each
    time, which takes the machine thirty times as long."""

    def __init__(self, directory: Path, *, apart: bool = False) -> None:
        self.directory = directory
        self.apart = apart
        (directory / "enforcer.toml").write_text(CONFIG)
        (directory / "accounts.csv").write_text(ACCOUNTS)
        self.run("account", "import", "accounts.csv")

    def run(self, *args: str, code: int = 0) -> Done:
        done = self._process(args) if self.apart else self._here(args)
        assert done.returncode == code, (args, done.stdout, done.stderr)
        return done

    def _process(self, args: Sequence[str]) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "enforcer", *args], cwd=self.directory, capture_output=True, text=True,
            timeout=60, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def _here(self, args: Sequence[str]) -> Done:
        with chdir(self.directory):
            done = CliRunner().invoke(app, args)
        return Done(done.exit_code, done.stdout, done.stderr)

    def told(self, rows: str) -> None:
        (self.directory / "Master.csv").write_text(rows)
        self.run("cdr", "import", "Master.csv", "--switch", "pbx1")

    def settled(self, *args: str) -> dict[tuple[str, str], dict[str, Any]]:
        rows = json.loads(self.run("settle", "--cycle", "2026-10", "--json", *args).stdout)
        assert all(list(row) == KEYS for row in rows)
        return {(row["customer"], row["rule"]): row for row in rows}

    def entries(self) -> list[tuple[str, str, int]]:
        with closing(sqlite3.connect(self.directory / "var" / "enforcer.db")) as database:
            found: list[tuple[str, str, int]] = database.execute(
                "SELECT customer, amount, reverses FROM charge ORDER BY change"
            ).fetchall()
            return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("apart", [True, False], ids=["processes", "here"])
def test_a_closed_cycle_is_settled_charged_and_corrected(tmp_path: Path, apart: bool) -> None:
    house = House(tmp_path, apart=apart)
    house.told(cdrs("acme", 6, 5, 0, 0))
    rows = house.settled()
    assert rows["acme-inc", "asr"] == {
        "customer": "acme-inc", "account": None, "account_type": None, "rule": "asr",
        "clause": "Answer to Seizure Ratio (ASR)", "metric": "attempts per completed call", "value": "4",
        "limit": "4", "breached": True, "attempts": 4, "completed": 1, "short": 1, "charge": "0.02",
        "minutes": rows["acme-inc", "asr"]["minutes"], "currency": "USD",
    }
    assert Decimal(rows["acme-inc", "asr"]["minutes"]) == Decimal("0.183333333")
    fraud = rows["acme-inc", "fraud.costly-numbers"]
    assert (fraud["account"], fraud["account_type"], fraud["breached"]) == ("acme", "pbx", False)
    average = rows["acme-inc", "excessive.pbx"]
    assert (average["account"], average["account_type"], average["limit"]) == (None, "pbx", "1000")
    assert house.settled() == rows
    assert house.entries() == [("acme-inc", "0.02", 0)]
    house.told(cdrs("acme", 0, first=5))
    assert house.settled()["acme-inc", "asr"]["charge"] == "0.025"
    assert house.entries() == [("acme-inc", "0.02", 0), ("acme-inc", "-0.02", 1), ("acme-inc", "0.025", 0)]


def test_without_one_completed_call_a_ratio_is_beyond_all_numbers(house: House) -> None:
    house.told(cdrs("acme", 0))
    row = house.settled("--customer", "acme-inc")["acme-inc", "asr"]
    assert (row["value"], row["breached"], row["charge"]) == ("Infinity", True, "0.005")


def test_people_get_a_table_and_what_was_written(house: House) -> None:
    house.told(cdrs("acme", 0, 0) + cdrs("globex", 3599, first=3))
    done = house.run("settle", "--cycle", "2026-10")
    assert "written: acme-inc, asr: 0.01 USD (2 x 0.005 per attempt)" in done.stdout
    assert "globex-llc" in done.stdout
    assert done.stderr == ""
    again = house.run("settle", "--cycle", "2026-10", "--customer", "acme-inc")
    assert "written" not in again.stdout
    assert "0.01 USD" in again.stdout
    assert "globex-llc" not in again.stdout


def test_a_customer_whose_cycle_is_open_is_named_and_the_others_are_settled(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.told(cdrs("acme", 0))
    house.run("account", "add", "late", "--customer", "late-inc", "--type", "pbx", "--anchor-day", "31")
    monkeypatch.setattr("enforcer.control.cli_settle.time", SimpleNamespace(time=lambda: NOON))
    config = str(house.directory / "enforcer.toml")
    done = CliRunner().invoke(app, ["settle", "--cycle", "2026-10", "--json", "--config", config])
    assert done.exit_code == 1
    late = "2026-10 of customer late-inc is not over before 2026-11-30 00:00:00 UTC"
    assert done.stderr == f"enforcer: {late}\n"
    assert {row["customer"] for row in json.loads(done.stdout)} == {"acme-inc", "globex-llc"}
    assert house.entries() == [("acme-inc", "0.005", 0)]


def test_spreadsheets_get_the_same_facts(house: House) -> None:
    house.told(cdrs("acme", 0))
    text = house.run("settle", "--cycle", "2026-10", "--customer", "acme-inc", "--csv").stdout
    sheet = list(csv.DictReader(StringIO(text)))
    told = house.run("settle", "--cycle", "2026-10", "--customer", "acme-inc", "--json").stdout
    assert [list(row) for row in sheet] == [KEYS] * len(json.loads(told))
    assert [row["rule"] for row in sheet] == [row["rule"] for row in json.loads(told)]
    assert (sheet[0]["account"], sheet[0]["breached"], sheet[0]["charge"]) == ("", "true", "0.005")


REFUSED = [
    (["--cycle", "9998-01"],
     "--cycle: 9998-01 of customer acme-inc is not over before 9998-02-01 00:00:00 UTC"),
    (["--cycle", "x"], "--cycle: 'x' is no billing cycle: year and month, such as 2026-11"),
    (["--cycle", "2026-10", "--customer", "acme"],
     "--customer: no such customer: 'acme'; did you mean 'acme-inc'?"),
    (["--cycle", "2026-10", "--json", "--csv"], "--csv: either CSV or JSON, not both"),
    ([], "--cycle is missing"),
]


def test_what_cannot_be_settled_is_one_line_and_changes_nothing(house: House) -> None:
    house.told(cdrs("acme", 0))
    for args, line in REFUSED:
        done = house.run("settle", *args, code=2)
        assert (done.stdout, done.stderr) == ("", f"enforcer: {line}\n")
        assert house.entries() == []


def last_month() -> str:
    """The last cycle that is over for whoever has the calendar of UTC, and was so for a day."""
    return BillingCycle().at(BillingCycle().at(time.time() - 86_400).start - 1).label


def test_what_closed_is_settled_once_without_a_person_and_money_waits_for_one(house: House) -> None:
    cycle = last_month()
    house.told(cdrs("acme", 0, 0).replace("2026-10", cycle))
    done = house.run("settle-due")
    assert done.stdout == (
        f"{cycle}: customers acme-inc: 1 breach, 1 strike written or withdrawn, "
        f"1 charge waits for `enforcer settle --cycle {cycle}`\n"
    )
    assert house.run("settle-due").stdout == "nothing is due\n"
    assert house.entries() == []
    config = house.directory / "enforcer.toml"
    config.write_text(config.read_text() + "[settle]\nauto = true\n")
    assert house.run("settle-due").stdout.endswith("1 charge written\n")
    assert house.entries() == [("acme-inc", "0.01", 0)]
    assert json.loads(house.run("settle-due", "--json").stdout) == []


async def test_the_enforcer_settles_in_a_process_of_its_own(house: House, monkeypatch: Any) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    house.told(cdrs("acme", 0).replace("2026-10", last_month()))
    (found,) = await in_a_process(house.directory / "enforcer.toml")
    assert (found["cycle"], found["customers"], found["charges"]) == (last_month(), 1, False)
    with pytest.raises(LedgerError, match="no such file"):
        await in_a_process(house.directory / "elsewhere.toml")


def test_a_new_revision_of_a_pack_leaves_what_was_settled_and_says_so(house: House) -> None:
    pack = house.directory / "ip2call.toml"
    text = (ROOT / "policies" / "ip2call.toml").read_text()
    pack.write_text(text)
    config = house.directory / "enforcer.toml"
    config.write_text(CONFIG.replace(f"{ROOT}/policies/ip2call.toml", "ip2call.toml"))
    house.told(cdrs("acme", 0, 0))
    before = house.settled()
    entries = house.entries()
    revision = next(line for line in text.splitlines() if line.startswith("revision = "))
    dearer = text.replace('amount = "0.005"', 'amount = "5"')
    pack.write_text(dearer.replace(revision, 'revision = "2099.1"'))
    assert house.settled() == before
    assert house.entries() == entries
    done = house.run("settle", "--cycle", "2026-10", "--json")
    assert "ip2call@2099.1 came into force on" in done.stderr
    assert "cycles that began before are settled by ip2call@20" in done.stderr
    pack.write_text(dearer)
    done = house.run("settle", "--cycle", "2026-10", code=2)
    assert "is on record with another text" in done.stderr
    assert house.entries() == entries


def test_an_account_that_is_changed_leaves_what_was_settled(house: House) -> None:
    house.told(cdrs("acme", 0, 0))
    before = house.settled()
    house.run("account", "set", "acme", "--plan", "metered", "--type", "residential", "--anchor-day", "15")
    house.run("account", "add", "other", "--customer", "acme-inc", "--type", "pbx", "--plan", "flat")
    assert house.settled() == before
