"""`enforcer cdr import` of a FreeSWITCH, from its files to usage, settlement, proof and explanation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.freeswitch_cdr import A, B, C, D, channel, leg, row
from tests.support.house import Commands, process

CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///enforcer.db"
[policy]
packs = ["pack.toml"]
[[switch]]
name = "fs1"
kind = "freeswitch"
timezone = "America/New_York"
"""
PACK = """
[pack]
name = "p"
revision = "1"
[[rule]]
id = "calls"
kind = "attempts"
clause = "c"
critical = { at = 1000 }
[[rule]]
id = "legs"
kind = "attempts"
attempt = "leg"
clause = "c"
critical = { at = 1000 }
"""
ACCOUNTS = "account,customer,type,channels,plan,anchor_day,timezone\nacme,acme-inc,pbx,,flat,1,UTC\n"
OCTOBER = datetime(2026, 10, 5, 10, tzinfo=UTC).timestamp()


class House(Commands):
    """A directory with a configuration and one account."""

    inside = True

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, CONFIG, **{"pack.toml": PACK, "accounts.csv": ACCOUNTS})
        self.ok("account", "import", "accounts.csv")

    def rows(self, *rows: str, name: str = "Master.csv") -> str:
        self.file(name, "".join(f"{one}\n" for one in rows))
        return name

    def imported(self, *files: str, code: int = 0) -> dict[str, int]:
        told: dict[str, int] = self.json("cdr", "import", *files, "--switch", "fs1", code=code)
        return told

    def values(self) -> dict[str, str]:
        """What each rule reads of acme in October."""
        lines = self.json("usage", "acme", "--cycle", "2026-10")["rules"]
        return {line["rule"]: line["value"] for line in lines}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def call(uuid: str = A, talk: float = 60.0, **others: Any) -> str:
    """The row of the channel that a call began with, answered after two seconds."""
    return row(**channel(uuid, OCTOBER, OCTOBER + 2, OCTOBER + 2 + talk, **others))


def failed(uuid: str, of: str = A, **others: Any) -> str:
    """The row of a leg that nobody answered."""
    return row(**leg(uuid, of, start=OCTOBER + 1, answer=None, end=OCTOBER + 2, **others))


def test_a_call_with_three_legs_is_one_attempt_or_three_as_the_rule_asks(house: House) -> None:
    answered = row(**leg(D, start=OCTOBER + 1, answer=OCTOBER + 2, end=OCTOBER + 62))
    path = house.rows(failed(B), answered, call(), failed(C))
    assert house.imported(path) == {
        "rows": 4, "new": 1, "completed": 3, "unchanged": 0, "bad": 0, "gaps_closed": 0,
    }
    assert house.values() == {"calls": "1", "legs": "3"}
    (outbound,) = house.json("usage", "acme", "--cycle", "2026-10")["totals"]
    assert (outbound["attempts"], outbound["completed"], outbound["minutes"]) == (1, 1, "1")
    told = house.json("why", A)["call"]
    assert (told["account"], told["billsec"]) == ("acme", "60.000")
    assert house.ok("verify").startswith("1 calls: all counters agree")
    rows = house.json("settle", "--cycle", "2026-10")
    told = [(one["rule"], one["value"], one["attempts"]) for one in rows]
    assert told == [("calls", "1", 1), ("legs", "3", 3)]


def test_importing_again_changes_nothing(house: House) -> None:
    path = house.rows(failed(B), call())
    house.imported(path)
    before = house.values()
    assert house.imported(path, path) == {
        "rows": 4, "new": 0, "completed": 0, "unchanged": 4, "bad": 0, "gaps_closed": 0,
    }
    assert house.values() == before


def test_rows_that_come_late_correct_the_record(house: House) -> None:
    house.imported(house.rows(failed(B)))
    assert house.ok("usage", "acme", "--cycle", "2026-10").count("60") == 0
    house.imported(house.rows(call(talk=5.0)))
    assert house.values() == {"calls": "1", "legs": "1"}
    house.imported(house.rows(call(talk=120.0), failed(C)))
    assert house.values() == {"calls": "1", "legs": "2"}
    assert house.json("why", A)["call"]["billsec"] == "120.000"


def test_a_leg_in_one_file_and_its_call_in_another_are_one(house: House) -> None:
    """A file was rotated while a transferred call went on."""
    carried_on = row(**leg(C, B, start=OCTOBER + 3, answer=OCTOBER + 4, end=OCTOBER + 5))
    transferred = row(**leg(B, A, start=OCTOBER, originated_legs=f"{C};Outbound Call;3"))
    files = [house.rows(carried_on, name="1.csv"), house.rows(transferred, call(), name="2.csv")]
    assert house.imported(*files)["new"] == 1


def test_stock_rows_are_read_in_the_zone_of_the_settings(house: House) -> None:
    new_york = ZoneInfo("America/New_York")
    house.imported(house.rows(
        row("example", **channel(A, OCTOBER, OCTOBER + 2, OCTOBER + 62, new_york)),
        row("asterisk", **channel(B, OCTOBER, None, OCTOBER + 9, new_york)),
    ))
    assert house.values()["calls"] == "2"
    assert house.json("why", A)["call"]["started"] == "2026-10-05T10:00:00.000+00:00"


def test_bad_rows_are_named_with_file_and_line_and_the_rest_imported(house: House) -> None:
    path = house.rows(call(), "nonsense", call(B)[:200], call(C), call(D)[:100])
    done = house.coded(1, "cdr", "import", path, "--switch", "fs1")
    assert done.stdout == "2 rows imported: 2 new calls, 0 completed, 0 known already; 3 bad rows skipped\n"
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [f"{path}:{n}" for n in (2, 3, 5)]
    assert all(line.endswith("(skipped)") for line in done.stderr.splitlines())


def test_bytes_of_any_kind_neither_stop_nor_fill_the_import(house: House) -> None:
    junk = b"\xff\xfe\x00\n" + b'"' * 100_000 + b"\n" + bytes(range(256)) + b"\n"
    path = house.directory / "Master.csv"
    path.write_bytes(b"\xef\xbb\xbf" + call().encode() + b"\r\n" + junk + call(B).encode())
    told = house.imported(path.name, code=1)
    assert (told["new"], told["rows"]) == (2, 2)
    assert told["bad"] >= 3


def test_the_file_of_another_switch_says_what_was_expected(house: House) -> None:
    path = house.rows('"acme","acme","1000","from-accounts","x","PJSIP/a-1","","Dial","y"')
    done = house.coded(1, "cdr", "import", path, "--switch", "fs1")
    assert "9 columns, of none of the templates enforcer, example and asterisk" in done.stderr


def test_without_a_secret_its_cdrs_are_read_but_nothing_runs(house: House) -> None:
    assert "switches fs1" in house.ok("check")
    refused = process(house.directory, "run")
    assert (refused.exit_code, refused.stdout) == (2, "")
    problem = 'no secret: name an environment variable, secret_env = "ENFORCER_ESL_SECRET"'
    assert refused.stderr == f"enforcer: switch fs1: {problem}\n"
    (finding,) = [one for one in house.json("doctor", code=1) if one["subject"] == "switch fs1"]
    assert (finding["grade"], finding["words"]) == ("failed", problem)
