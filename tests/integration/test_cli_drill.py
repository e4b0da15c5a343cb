"""`enforcer drill`: what callers would get under a fault, by what is really written on a switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from enforcer.control.drill import FAULTS
from tests.support.house import SWITCH, House

PACK = """
[pack]
name = "drilled"
revision = "1"
[[rule]]
id = "open"
kind = "attempts"
clause = "1"
critical = { at = 0, verdict = "block" }
accounts = ["acme"]
[[rule]]
id = "closed"
kind = "attempts"
clause = "2"
critical = { at = 1000000, verdict = "block" }
accounts = ["apex"]
on_failure = "closed"
[[rule]]
id = "lines"
kind = "concurrent_calls"
clause = "3"
critical = { at = 2, verdict = "block" }
accounts = ["solo"]
"""
MORE = 'mode = "block"' + SWITCH      # of [policy]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, PACK, MORE)


def by(rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


def test_nobody_answers_and_each_rule_does_what_its_failure_policy_says(house: House) -> None:
    (switch,) = house.json("drill", "dead")["switches"]
    rules, accounts = by(switch["rules"], "rule"), by(switch["accounts"], "account")
    assert rules["open"]["so_that"] == "calls go"
    assert rules["closed"]["so_that"] == "calls are refused with 503"
    assert rules["closed"]["accounts"] == {"block": 1}
    assert accounts["apex"]["sip_code"] == 503
    assert accounts["apex"]["leased"]           # far from its limit: it goes until its lease ends
    assert accounts["solo"]["max_calls"] == 2
    assert "acme" not in accounts               # nothing is left for it: as ENF_FAIL says


def test_a_rule_that_no_mode_lets_block_refuses_nobody_when_it_fails(house: House) -> None:
    house.ok("mode", "ceiling", "monitor", "--reason", "a drill of a drill")
    (switch,) = house.json("drill", "frozen")["switches"]
    rules = by(switch["rules"], "rule")
    assert rules["closed"]["so_that"] == "calls go: no mode lets it block"
    assert all(row["sip_code"] is None for row in switch["accounts"])


def test_an_account_that_people_stopped_is_refused_whatever_its_rules_say(house: House) -> None:
    house.ok("account", "suspend", "acme", "--reason", "unpaid")
    (switch,) = house.json("drill", "link", "--account", "acme")["switches"]
    (acme,) = switch["accounts"]
    assert acme["by_people"]
    assert acme["sip_code"] == 403
    assert by(switch["rules"], "rule")["open"]["accounts"] == {"allow": 1}
    assert "people stopped it" in house.ok("drill", "link")


def test_where_questions_are_answered_nothing_changes_for_callers(house: House) -> None:
    for fault, about in FAULTS.items():
        told = house.ok("drill", fault)
        assert about.words in told
        if about.answered and about.capped is None:
            assert "refused with" not in told.split("switch pbx1")[1]
    assert "every call goes" in house.ok("drill", "breaker")


def test_a_drill_changes_nothing_and_a_fault_that_there_is_not_is_refused(house: House) -> None:
    before = house.ok("verify")
    house.ok("drill", "dead")
    assert house.ok("verify") == before
    assert house.refused("drill", "fire").startswith("no such fault: 'fire' (one of ")
    assert "no such account" in house.refused("drill", "dead", "--account", "nobody")
