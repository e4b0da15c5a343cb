"""`why`, `usage` and `check` on a real ledger with imported CDRs, as users meet them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from enforcer.packs import schema
from tests.support.house import Commands, process

CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["house.toml"]
[[switch]]
name = "pbx1"
secret_env = "ENFORCER_TEST_SECRET"
"""
PACK = """
[pack]
name = "house"
revision = "7"

[[rule]]
id = "asr"
kind = "asr"
clause = "Answer to Seizure Ratio"
scope = "customer"
min_attempts = 20
warning = { at = 2, verdict = "tag" }
critical = { at = 4, verdict = "block" }

[[rule]]
id = "harvest"
kind = "sequential_numbers"
clause = "Harvesting"
window = "24h"
critical = { at = 4 }

[[rule]]
id = "mean"
kind = "average_minutes"
clause = "Excessive Use"
types = ["pbx"]
critical = { at = 5 }
"""
ROW = (
    '"acme","100","{number}","from-accounts","""A"" <100>","PJSIP/acme-{n:08}","PJSIP/carrier-{n:08}","Dial",'
    '"PJSIP/x","{start}",{answer},"{end}",{talk},{talk},"{word}","DOCUMENTATION","17911944.{n}",""\n'
)


class House(Commands):
    """A directory with a configuration, a pack and a ledger, and the command line in front of them."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, CONFIG, **{"house.toml": PACK})


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """acme has made thirty calls in the last hour, ten of them completed; its cycle began days ago."""
    monkeypatch.delenv("ENFORCER_CONFIG", raising=False)
    found = House(tmp_path)
    began = datetime.fromtimestamp(time.time() - 5 * 86_400, UTC)
    anchor = str(min(began.day, 28))
    found.ok("account", "add", "acme", "--type", "pbx", "--customer", "acme-inc", "--anchor-day", anchor)
    found.ok("account", "add", "idle", "--type", "pbx", "--customer", "acme-inc", "--anchor-day", anchor)
    first = datetime.fromtimestamp(time.time() - 3600, UTC)
    rows = []
    for n in range(30):
        talk = 90 if n < 10 else 0
        start = first + timedelta(seconds=60 * n)
        rows.append(ROW.format(
            number=f"1212555{100 + n:04}", n=n, talk=talk, start=f"{start:%Y-%m-%d %H:%M:%S}",
            answer=f'"{start:%Y-%m-%d %H:%M:%S}"' if talk else "",
            end=f"{start + timedelta(seconds=talk):%Y-%m-%d %H:%M:%S}", word="ANSWERED" if talk else "BUSY",
        ))
    (tmp_path / "Master.csv").write_text("".join(rows))
    found.ok("cdr", "import", str(tmp_path / "Master.csv"), "--switch", "pbx1")
    return found


def test_an_account_is_explained_with_its_calls_and_what_lies_ahead(house: House) -> None:
    said = house.ok("why", "acme")
    assert "attempts per completed call: 30/10 = 3, limit 4: warning" in said
    assert "10 completed: pbx1/17911944.0, pbx1/17911944.1, pbx1/17911944.2 … pbx1/17911944.7" in said
    assert "20 not answered" in said
    assert "11 completed calls in a row would bring it below its warning (2)" in said
    assert "12125550100 to 12125550129: 30 numbers in a row" in said
    assert "1 of 2 accounts pulls the average up" in said
    assert "mode monitor: default of the configuration" in said
    assert "`enforcer why acme --all` lists every call." in said


def test_all_calls_are_listed_by_request(house: House) -> None:
    said = house.ok("why", "acme", "--all")
    for n in range(30):
        assert f"pbx1/17911944.{n}" in said
    assert "…" not in said


def test_programs_are_told_the_same(house: House) -> None:
    facts = house.json("why", "acme")
    asr, harvest, mean = facts["rules"]
    assert (asr["value"], asr["level"], asr["remedies"][0]["number"]) == ("30/10 = 3", "warning", 11)
    assert [part["number"] for part in asr["counted"]] == [10, 20]
    assert (harvest["value"], harvest["over_by_itself"] is not None) == ("29", True)
    assert (mean["value"], mean["level"], mean["evidence"]["groups"][0]["words"]) == (
        "7.5", "critical", "acme: 15 minutes"
    )
    assert facts["forecast_method"].startswith("Forecasts carry on")
    assert asr["mode_in_force"]["mode"] == "monitor"


def test_usage_gives_the_evidence_of_what_has_reached_a_level(house: House) -> None:
    said = house.ok("usage", "acme")
    assert re.search(r"harvest +acme +numbers in a row in 1 d +29 +4 +critical", said)
    assert "12125550100 to 12125550129: 30 numbers in a row" in said
    assert "pbx1/17911944.0" not in said
    assert {line["rule"] for line in house.json("usage", "acme")["rules"]} == {"asr", "harvest", "mean"}


def test_a_call_is_explained_by_what_it_counts_as(house: House) -> None:
    said = house.ok("why", "17911944.3")
    assert "rules asr, mean: counts as completed in 20" in said
    assert "rule harvest: counts as completed" in said
    assert "Nobody asked about it" in said
    assert house.json("why", "pbx1/17911944.12")["counted"]["harvest"] == "counts as not answered"


@pytest.mark.parametrize("subject", ["acne", "acm"])
def test_a_misspelt_account_gets_a_suggestion(house: House, subject: str) -> None:
    problem = f"no such decision, call or account: '{subject}'; did you mean 'acme'?"
    assert house.refused("why", subject) == problem


def test_what_nothing_is_called_says_so(house: House) -> None:
    assert house.refused("why", "pbx1/404") == (
        "no such decision, call or account: 'pbx1/404' (neither registered nor seen in any call)"
    )


def test_check_points_out_what_is_odd_and_is_content(house: House) -> None:
    said = house.ok("check")
    assert "Worth a look; nothing of this keeps the enforcer from running:" in said
    assert "rule asr blocks without notice" in said
    assert "default mode monitor lets through no more than allow" in said
    (house.directory / "house.toml").write_text(PACK.replace('types = ["pbx"]', 'types = ["residential"]'))
    findings = house.json("check")["findings"]
    assert {"subject": "rule mean", "grade": "warning", "words": "covers none of the 2 registered accounts",
            "advice": "look at its types, plans, customers and accounts"} in findings


def test_check_makes_no_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENFORCER_CONFIG", raising=False)
    House(tmp_path).ok("check")
    assert not (tmp_path / "var").exists()


def test_a_ledger_that_cannot_be_read_keeps_nobody_from_checking_a_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENFORCER_CONFIG", raising=False)
    house = House(tmp_path)
    (tmp_path / "var").mkdir()
    (tmp_path / "var/enforcer.db").write_bytes(b"this is no database, and long enough to be looked at" * 40)
    said = house.ok("check")
    assert "ledger could not be read, so no account was looked at" in said
    assert "rule asr blocks without notice" in said


def test_the_schema_is_printed_without_a_configuration(tmp_path: Path) -> None:
    done = process(tmp_path, "check", "--schema")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == schema()
