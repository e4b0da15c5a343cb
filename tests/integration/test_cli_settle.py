"""`enforcer settle`, as a process of its own and here: rows, JSON keys, refusals, charges that outlast it."""

from __future__ import annotations

import csv
import json
import sqlite3
import time
from contextlib import closing
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from enforcer.closing import in_a_process
from enforcer.domain.cycle import BillingCycle
from enforcer.errors import LedgerError
from tests.support.house import HEADER, ROOT, Commands, Said, process
from tests.support.rules import NOON

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
    f"{HEADER}acme,acme-inc,pbx,,flat,1,UTC\nglobex,globex-llc,trunk,1,flat,1,UTC\n"
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


class House(Commands):
    """A directory with a configuration and two accounts: `apart` with commands as processes of their own."""

    inside = True

    def __init__(self, directory: Path, *, apart: bool = False) -> None:
        super().__init__(directory, CONFIG, **{"accounts.csv": ACCOUNTS})
        self.apart = apart
        self.ok("account", "import", "accounts.csv")

    def run(self, *args: str) -> Said:
        return process(self.directory, *args) if self.apart else super().run(*args)

    def told(self, rows: str) -> None:
        self.file("Master.csv", rows)
        self.ok("cdr", "import", "Master.csv", "--switch", "pbx1")

    def settled(self, *args: str) -> dict[tuple[str, str], dict[str, Any]]:
        rows = self.json("settle", "--cycle", "2026-10", *args)
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
    done = house.coded(0, "settle", "--cycle", "2026-10")
    assert "written: acme-inc, asr: 0.01 USD (2 x 0.005 per attempt)" in done.stdout
    assert "globex-llc" in done.stdout
    assert done.stderr == ""
    again = house.coded(0, "settle", "--cycle", "2026-10", "--customer", "acme-inc")
    assert "written" not in again.stdout
    assert "0.01 USD" in again.stdout
    assert "globex-llc" not in again.stdout


def test_a_customer_whose_cycle_is_open_is_named_and_the_others_are_settled(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.told(cdrs("acme", 0))
    house.ok("account", "add", "late", "--customer", "late-inc", "--type", "pbx", "--anchor-day", "31")
    monkeypatch.setattr("enforcer.control.cli_settle.time", SimpleNamespace(time=lambda: NOON))
    done = house.coded(1, "settle", "--cycle", "2026-10", "--json")
    late = "2026-10 of customer late-inc is not over before 2026-11-30 00:00:00 UTC"
    assert done.stderr == f"enforcer: {late}\n"
    assert {row["customer"] for row in json.loads(done.stdout)} == {"acme-inc", "globex-llc"}
    assert house.entries() == [("acme-inc", "0.005", 0)]


def test_spreadsheets_get_the_same_facts(house: House) -> None:
    house.told(cdrs("acme", 0))
    text = house.ok("settle", "--cycle", "2026-10", "--customer", "acme-inc", "--csv")
    sheet = list(csv.DictReader(StringIO(text)))
    told = house.ok("settle", "--cycle", "2026-10", "--customer", "acme-inc", "--json")
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
    ([], "--cycle is missing; see `enforcer settle --help`"),
]


def test_what_cannot_be_settled_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, apart=True)     # what is missing is said by the process as a whole
    house.told(cdrs("acme", 0))
    for args, line in REFUSED:
        done = house.coded(2, "settle", *args)
        assert (done.stdout, done.stderr) == ("", f"enforcer: {line}\n")
        assert house.entries() == []


def last_month() -> str:
    """The last cycle that is over for whoever has the calendar of UTC, and was so for a day."""
    return BillingCycle().at(BillingCycle().at(time.time() - 86_400).start - 1).label


def test_what_closed_is_settled_once_without_a_person_and_money_waits_for_one(house: House) -> None:
    cycle = last_month()
    house.told(cdrs("acme", 0, 0).replace("2026-10", cycle))
    done = house.coded(0, "settle-due")
    assert done.stdout == (
        f"{cycle}: customers acme-inc: 1 breach, 1 strike written or withdrawn, "
        f"1 charge waits for `enforcer settle --cycle {cycle}`\n"
    )
    assert house.ok("settle-due") == "nothing is due\n"
    assert house.entries() == []
    config = house.directory / "enforcer.toml"
    config.write_text(config.read_text() + "[settle]\nauto = true\n")
    assert house.ok("settle-due").endswith("1 charge written\n")
    assert house.entries() == [("acme-inc", "0.01", 0)]
    assert house.json("settle-due") == []


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
    done = house.coded(0, "settle", "--cycle", "2026-10", "--json")
    assert "ip2call@2099.1 came into force on" in done.stderr
    assert "cycles that began before are settled by ip2call@20" in done.stderr
    pack.write_text(dearer)
    done = house.coded(2, "settle", "--cycle", "2026-10")
    assert "is on record with another text" in done.stderr
    assert house.entries() == entries


def test_an_account_that_is_changed_leaves_what_was_settled(house: House) -> None:
    house.told(cdrs("acme", 0, 0))
    before = house.settled()
    house.ok("account", "set", "acme", "--plan", "metered", "--type", "residential", "--anchor-day", "15")
    house.ok("account", "add", "other", "--customer", "acme-inc", "--type", "pbx", "--plan", "flat")
    assert house.settled() == before
