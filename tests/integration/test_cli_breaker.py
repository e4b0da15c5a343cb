"""`enforcer breaker`, and what `enforcer check` says of dialplans and of what packs would do now."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.domain.mode import Mode, ModeSetting
from tests.support.house import House
from tests.unit.test_dialplan_on_paper import INCLUDED, asterisk

PACK = """
[pack]
name = "247voip"
revision = "2026-11"
effective = 2026-01-01
[[rule]]
id = "calls"
kind = "attempts"
clause = "1 Fair Use"
critical = { at = 3, verdict = "block" }
"""
WHY = "rule calls of pack 247voip@2026-11 would block 61 % of accounts"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, PACK)


def trip(house: House, before: Mode | None = None) -> None:
    now = time.time()
    with house.ledger() as ledger:
        if before is not None:
            ledger.put_mode(ModeSetting(before, ceiling=True, who="jo", at=now - 10))
        ledger.put_mode(ModeSetting(Mode.MONITOR, ceiling=True, who="breaker", at=now - 1, why=WHY))


def test_armed_it_shows_its_band(house: House) -> None:
    told = house.ok("breaker")
    assert told.startswith("Armed.\nIt trips above 25 % of calls refused; what is usual is not known yet")
    assert house.json("breaker")["limit"] == {"calls": "0.25", "accounts": "0.2"}


@pytest.mark.parametrize(("before", "after"), [(None, "block"), (Mode.THROTTLE, "throttle")])
def test_tripped_it_says_why_and_a_person_re_arms_with_a_reason(
    house: House, before: Mode | None, after: str
) -> None:
    trip(house, before)
    assert f"Why: {WHY}." in house.found("breaker")
    assert house.refused("breaker", "rearm") == (
        "--reason: is missing: say what was wrong, or why it was meant"
    )
    assert house.ok("breaker", "rearm", "--reason", "300 was to be 3000") == (
        f"re-armed; site ceiling: {after}\n"
    )
    state = house.json("breaker")
    assert (state["state"], [one["why"] for one in state["history"]]) == ("armed", [WHY])
    assert house.refused("breaker", "rearm", "--reason", "x").startswith("the breaker has not tripped")


def test_a_ceiling_set_by_a_person_re_arms_as_well(house: House) -> None:
    trip(house)
    house.ok("mode", "ceiling", "block", "--reason", "was meant")
    assert house.json("breaker")["state"] == "armed"


def test_check_refuses_a_dialplan_in_which_911_comes_to_the_hook(house: House) -> None:
    good = asterisk(house.directory, INCLUDED)
    assert "112, 911 from [from-accounts] never come to us" in house.ok("check", "--dialplan", str(good))
    missing = "not looked at, for it is in none of these files: [default]"
    assert missing in house.ok("check", "--dialplan", str(good))
    good.write_text(good.read_text().replace("include => emergency", ""))
    assert house.refused("check", "--dialplan", str(good)).startswith(
        "extensions.conf: 112 from [from-accounts] comes to the enforcer's hook"
    )


def test_check_says_whom_the_packs_would_refuse_now(house: House) -> None:
    now = time.time() - 60
    with house.ledger() as ledger:
        ledger.absorb([
            CallEvent(Phase.ENDED, CallAttempt(
                f"pbx1/{account}-{nth}", "pbx1", account, Direction.OUTBOUND, "12025550142", "1", now,
            ), now)
            for account, calls in (("acme", 9), ("apex", 2)) for nth in range(calls)
        ])
    assert house.json("check", "--against-ledger")["ahead"] == {
        "accounts": 2, "refused": 1, "rules": {"calls": 1}, "trips": False,
    }
    told = house.ok("check", "--against-ledger")
    assert "would refuse 1 of 2 accounts by their next call (calls 1)" in told
