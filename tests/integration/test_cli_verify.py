"""`enforcer verify`: what it says when all is well, and of a ledger that somebody edited."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from enforcer.domain.decision import Decision, Verdict
from tests.support.house import House
from tests.support.ledgers import Call, talked, tell
from tests.support.rules import NOON

PACK = """
[pack]
name = "p"
revision = "1"
[[rule]]
id = "attempts"
kind = "attempts"
clause = "Fair Use"
critical = { at = 100 }
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Three accounts (links 1 to 3), a call, a decision (4), an opt-out (5), a mode (6)."""
    house = House(tmp_path, PACK)
    with house.ledger() as ledger:
        tell(ledger, *talked(Call(), 10))
        ledger.keep(Decision(
            "d1", NOON, "pbx1/1", "pbx1", "acme", "1", "outbound", Verdict.ALLOW, Verdict.ALLOW,
        ))
    house.ok("optout", "add", "2025550123", "-a", "acme")
    house.ok("mode", "set", "block", "-a", "acme")
    return house


def edit(house: House, statement: str) -> None:
    with closing(sqlite3.connect(house.database)) as database:
        assert database.execute(statement).rowcount > 0
        database.commit()


def found(house: House, *args: str) -> Any:
    return json.loads(house.found("verify", *args, "--json"))


def test_all_is_well(house: House) -> None:
    head = house.ok("head").strip()
    assert head.startswith("6:")
    assert house.ok("verify").splitlines() == [
        "1 calls: all counters agree", f"chain: all 6 links are sound; its head is {head}",
    ]
    assert house.json("verify") == []
    assert house.json("head") == {"link": 6, "seal": head[2:], "head": head}


def test_a_head_noted_earlier_is_still_on_the_chain(house: House) -> None:
    head = house.ok("head").strip()
    house.ok("mode", "set", "off", "-a", "acme")
    assert "; link 6 is as it was noted; its head is 7:" in house.ok("verify", "--head", head)


def test_a_head_of_a_chain_that_was_made_anew_is_told(house: House) -> None:
    (fault,) = found(house, "--head", f"5:{'0' * 64}")
    assert (fault["what"], fault["link"], fault["kind"], fault["ref"]) == (
        "head", 5, "opt-out", "+12025550123",
    )


@pytest.mark.parametrize("head", ["", " ", "5", "x:y", "5:abc", f"-1:{'0' * 64}"])
def test_what_is_no_head_is_refused(house: House, head: str) -> None:
    if head:
        assert house.refused("verify", "--head", head).startswith(f"--head: {head!r} is no head")


def test_an_edited_decision_is_named_with_its_time(house: House) -> None:
    edit(house, "UPDATE decision SET body = replace(body, 'acme', 'apex')")
    said = house.found("verify").splitlines()
    assert said == [
        "link 4 (decision d1, 2026-11-22 12:00:00 UTC): content altered: the content of link 4 (decision d1) "
        "was altered, or that of the link before it, which was then sealed anew",
        "1 calls: all counters agree",
        "chain: 3 links are sound before the first that does not fit",
    ]
    (fault,) = found(house)
    assert fault == {
        "check": "chain", "what": "content altered", "problem": fault["problem"], "link": 4,
        "kind": "decision", "at": "2026-11-22T12:00:00.000+00:00", "ref": "d1",
    }


def test_a_deleted_entry_is_named(house: House) -> None:
    edit(house, "DELETE FROM journal WHERE kind = 'opt-out'")
    assert house.found("verify").splitlines()[0] == (
        "link 5: missing: link 5 is missing: the next one is link 6 (mode account acme)"
    )


def test_an_edited_table_is_named_with_the_entry_it_contradicts(house: House) -> None:
    edit(house, "UPDATE mode_setting SET mode = 'monitor'")
    first, *_ = house.found("verify").splitlines()
    assert first.startswith("link 6 (mode account acme, 20")
    assert first.endswith("the table of modes says mode 'monitor' instead of 'block'")


@pytest.mark.parametrize(("body", "why"), [
    ("{", "link 5 of the journal cannot be read"),
    ("[]", "link 5 of the journal (opt-out +12025550123) says nothing that can be"),
    ("7", "link 5 of the journal (opt-out +12025550123) says nothing that can be"),
])
def test_an_entry_that_cannot_be_read_keeps_nobody_from_naming_it(
    house: House, body: str, why: str
) -> None:
    edit(house, f"UPDATE journal SET body = '{body}' WHERE kind = 'opt-out'")
    said = house.found("verify").splitlines()
    assert said[0].startswith("link 5 (opt-out +12025550123, 20")
    assert f"counters were not compared: {why}" in said[1]


def test_a_counter_that_differs_is_told_beside_the_chain(house: House) -> None:
    edit(house, "UPDATE call SET billed_msec = 1")
    assert "contradicts itself" in house.refused("verify")


def test_a_mode_on_record_that_says_nothing_is_named_twice(house: House) -> None:
    edit(house, "UPDATE journal SET body = '[]' WHERE kind = 'mode'")
    chain, said, table = found(house)
    assert (chain["check"], chain["link"], chain["what"]) == ("chain", 6, "content altered")
    assert (said["check"], said["link"]) == ("tables", 6)
    assert table["problem"] == "mode account acme stands in the table of modes and not in the journal"
