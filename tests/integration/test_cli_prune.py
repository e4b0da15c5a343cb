"""`enforcer prune` and `enforcer hold`, and what other commands say of what was pruned."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from enforcer.control import cli_prune, keeping
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.ledger.prunable import Needed
from enforcer.ledger.store import alone
from tests.support.house import CONFIG, House
from tests.support.ledgers import DAY, Call, talked, tell
from tests.support.pruning import decision
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
charge = { amount = "0.01", per = "attempt", on = "excess" }
"""
# Commands go by the real clock. Ages are 525, 495, ... 15 days: fifteen of them over 90, and five over 400.
OLD = time.time() - 525 * DAY


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Two calls of acme and one of solo a month, with a decision each, for a year and a half."""
    house = House(tmp_path, PACK)
    with house.ledger() as ledger:
        for nth in range(18):
            for account in ("acme", "solo"):
                at = OLD + nth * 30 * DAY
                tell(ledger, *talked(Call(f"{account}-{nth}", account, start=at), 60))
                ledger.keep(decision(f"abc123-{2 * nth + (account == 'solo'):x}", at + 1, account))
        ledger.flush()
    return house


def old(house: House, *args: str) -> dict[str, object]:
    told = house.json("prune", "--trust-clock", *args)
    assert isinstance(told, dict)
    return told


def test_nothing_goes_that_the_enforcer_has_not_watched_getting_old(house: House) -> None:
    assert house.ok("prune").splitlines() == [
        "0 decisions pruned: none is old enough", "0 calls pruned: none is old enough",
        *(line for line in house.ok("prune").splitlines() if "settled" in line),
        "the clock was watched for 0.0 days so far: by its word alone nothing goes (see --trust-clock)",
    ]


def test_what_would_go_is_said_before_it_goes(house: House) -> None:
    would, did = old(house, "--dry-run"), old(house)
    assert (would.pop("dry_run"), did.pop("dry_run")) == (True, False)
    assert would["decisions"] == did["decisions"]
    assert did["decisions"] == 30
    again = old(house)
    assert (again["decisions"], again["calls"]) == (0, 0)


def test_calls_of_cycles_that_are_not_settled_stay_until_they_are(house: House) -> None:
    with house.ledger() as ledger:
        cycles = {
            account: [
                BillingCycle(1, zone).at(record.started_at).label
                for record in ledger.calls(account) if record.started_at < time.time() - 380 * DAY
            ]
            for account, zone in (("acme", "America/New_York"), ("solo", "UTC"))
        }
    first = {"big": cycles["acme"][0], "small": cycles["solo"][0]}
    told = old(house)
    assert (told["calls"], told["unsettled"]) == (0, first)
    assert f"`enforcer settle --cycle {first['big']}` settles it" in house.ok("prune", "--trust-clock")
    for cycle in sorted({*cycles["acme"], *cycles["solo"]}):
        house.run("settle", "--cycle", cycle)
    told = old(house)
    assert (told["calls"], told["unsettled"]) == (10, {})
    assert "were pruned: what was settled then stands" in house.refused("settle", "--cycle", first["big"])
    assert house.json("verify") == []


def test_whoever_is_on_hold_keeps_everything(house: House) -> None:
    said = house.ok("hold", "set", "acme", "--why", "dispute 17")
    assert said == "account acme: nothing is pruned until `enforcer hold lift`\n"
    (hold,) = house.json("hold", "list")
    assert (hold["customer"], hold["account"], hold["why"]) == ("big", "acme", "dispute 17")
    told = old(house)
    assert (told["decisions"], told["held"]) == (15, {"accounts": ["acme"], "customers": []})
    house.ok("why", "abc123-0")
    house.ok("hold", "lift", "acme")
    assert house.json("hold", "list") == []
    assert old(house)["decisions"] == 15


def test_a_customer_on_hold_is_every_account_of_it(house: House) -> None:
    house.ok("hold", "set", "--customer", "small", "--why", "court order")
    told = old(house)
    assert told["held"] == {"accounts": ["small", "solo"], "customers": ["small"]}
    assert told["decisions"] == 15


def test_holds_that_cannot_be(house: House) -> None:
    assert "say what it is kept for" in house.refused("hold", "set", "acme")
    assert "not on hold" in house.refused("hold", "lift", "acme")
    assert "no such account" in house.refused("hold", "set", "acne", "--why", "x")


def test_a_pruned_decision_is_explained_by_when_it_went(house: House) -> None:
    house.ok("why", "abc123-0")
    old(house)
    told = house.ok("why", "abc123-0").splitlines()
    assert told[0] == "decision abc123-0"
    assert told[1].startswith("It was pruned on ")
    assert "with 29 other decisions that were older than [retention]" in told[1]
    assert "Decisions of that time were pruned" in house.ok("why", "pbx1/acme-0")
    assert "no such decision, call or account" in house.refused("why", "abc123-fff")


def test_verify_proves_what_is_left_and_says_since_when(house: House) -> None:
    head = house.ok("head").strip()
    old(house)
    lines = house.ok("verify", "--head", head).splitlines()
    assert "links are sound (30 of them were pruned, and their seals stand)" in lines[1]
    assert lines[2].startswith("decisions: all since ")
    assert "of those before, 30 were pruned" in lines[2]


def test_evidence_from_before_and_after_pruning_can_be_checked(house: House) -> None:
    before, after = (str(house.directory / name) for name in ("before.zip", "after.zip"))
    cycle = BillingCycle(1, "America/New_York").at(OLD + 2 * 30 * DAY).label
    house.ok("evidence", "acme", "--cycle", cycle, "-o", before)
    head = house.ok("head").strip()
    house.ok("optout", "add", "2025550123", "-a", "acme")
    old(house)
    house.ok("evidence", "acme", "--cycle", cycle, "-o", after)
    told = house.json("evidence", "--check", before), house.json("evidence", "--check", after)
    assert [one["problems"] for one in told] == [[], []]
    assert told[1]["files"] == told[0]["files"] + 1         # what was pruned of that time
    house.ok("verify", "--head", head)


def test_two_do_not_prune_at_once(house: House) -> None:
    with alone(house.database.with_name(house.database.name + ".prune")):
        assert "another" in house.refused("prune")


@pytest.mark.parametrize(("table", "words"), [
    ('decisions = "1h"', '"1d" at least'),
    ('calls = "34d"', '"35d" at least'),
    ('decisions = "500d"', "as long as decisions"),
    ('decisions = 0', "as long as decisions"),
])
def test_retention_that_cannot_be(house: House, table: str, words: str) -> None:
    house.config.write_text(f"{CONFIG}[retention]\n{table}\n")
    assert words in house.refused("prune")


def test_for_ever_is_for_ever(house: House) -> None:
    house.config.write_text(f'{CONFIG}[retention]\ndecisions = 0\ncalls = 0\n')
    assert house.json("prune", "--trust-clock") == {
        "dry_run": False, "decisions": 0, "decisions_before": None, "calls": 0, "calls_before": None,
        "held": {"accounts": [], "customers": []}, "unsettled": {},
    }


def test_cycles_far_back_are_looked_at_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keeping._labels(NOON, NOON + DAY) == (["2026-10", "2026-11", "2026-12"], float("inf"))
    monkeypatch.setattr(keeping, "MOST_CYCLES", 3)
    labels, until = keeping._labels(NOON - 500 * DAY, NOON)     # 2025-07-10
    assert labels == ["2025-06", "2025-07", "2025-08"]
    assert until == BillingCycle().named("2025-07").start   # what is looked at whatever the anchor and zone


def test_what_the_running_enforcer_reads_is_what_is_printed(house: House) -> None:
    told = json.loads(house.ok("prune", "--json"))
    assert {"decisions", "decisions_before", "calls", "calls_before"} <= set(told)
    assert cli_prune.NICE == 19
    assert Needed().calls_since == float("inf")
    with house.ledger() as ledger:
        ledger.put([JournalEntry(Kind.HOLD, NOON, "acme", "big", "acme", {"held": True})])
        assert keeping.holding(ledger).accounts == {"acme"}
