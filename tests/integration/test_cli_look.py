"""What the live page shows, on the command line: nearest, whatif, dossier, foresee."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.mode import Mode, ModeSetting
from tests.support.house import House

PACK = """
[pack]
name = "small"
revision = "1"
[[rule]]
id = "calls"
kind = "attempts"
clause = "1"
warning = { at = 3, verdict = "tag" }
critical = { at = 9, verdict = "block" }
[[rule]]
id = "ratio"
kind = "asr"
clause = "2"
min_attempts = 40
critical = { at = 4, verdict = "block" }
[[rule]]
id = "repeat"
kind = "strikes"
clause = "3"
window = "180d"
strikes = ["spam"]
critical = { at = 2, verdict = "block" }
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """acme has called six times, the last two past its warning; apex once, on a lease."""
    found = House(tmp_path, PACK)
    now = time.time()
    with found.ledger() as ledger:
        for number in range(7):
            account = "apex" if number == 6 else "acme"
            attempt = CallAttempt(
                f"pbx1/{number}", "pbx1", account, Direction.OUTBOUND, "2125550123", "", now - 600 + number,
            )
            ledger.apply(CallEvent(Phase.STARTED, attempt, attempt.at))
            ledger.apply(CallEvent(Phase.ENDED, attempt, attempt.at + 5, hangup_cause=16))
            if account == "acme":
                past = number > 3
                told = (Finding("calls", "1", Level.CRITICAL if number == 5 else Level.WARNING,
                                Verdict.BLOCK if number == 5 else Verdict.TAG, Verdict.ALLOW, "monitor",
                                "attempts this cycle", str(number), "3"),) if past else ()
                ledger.keep(Decision(
                    f"d-{number}", attempt.at, attempt.call_id, "pbx1", account, "2125550123", "outbound",
                    Verdict.ALLOW, told[0].verdict if told else Verdict.ALLOW, findings=told,
                ))
        ledger.put_mode(ModeSetting(Mode.MONITOR, "acme", who="ann", at=now, why="4711"))
        ledger.flush()
    return found


def test_nearest_has_the_fullest_first_and_no_ratio_of_a_sample_too_small(house: House) -> None:
    found = house.json("nearest")["nearest"]
    assert [(one["account"], one["rule"], one["value"], one["percent"]) for one in found] == [
        ("acme", "calls", "6", 66), ("apex", "calls", "1", 11),
    ]
    assert (found[0]["level"], found[0]["warning_percent"], found[0]["acts"]) == ("warning", 33, "block")
    assert found[0]["dated"]
    assert "66 %" in house.ok("nearest", "--limit", "1")


def test_whatif_says_what_each_mode_would_have_done_and_sets_none(house: House) -> None:
    found = house.json("whatif", "--account", "acme")
    assert (found["asked"], found["unasked"]) == (6, 0)
    modes = {one["mode"]: (one["refused"], one["throttled"], one["tagged"]) for one in found["modes"]}
    assert modes == {"monitor": (0, 0, 0), "tag": (0, 0, 2), "throttle": (0, 1, 1), "block": (1, 0, 1)}
    assert house.json("whatif", "--account", "apex")["unasked"] == 1
    assert house.json("whatif", "--last", "1m")["asked"] == 0
    assert "6 calls and messages of the site were asked about" in house.ok("whatif", "--ceiling")
    assert len(house.json("mode")) == 2         # the default, and ann's
    assert house.refused("whatif", "--rule", "none").startswith("--rule: no such rule")
    assert "no such account" in house.refused("whatif", "--account", "nobody")
    assert "no span of time" in house.refused("whatif", "--last", "soon")


def test_dossier_has_all_that_is_known(house: House) -> None:
    house.ok("strike", "add", "--account", "acme", "--kind", "spam", "--reason", "12 reports")
    house.ok("optout", "add", "2125550199", "--account", "acme")
    told = house.json("dossier", "acme")
    assert told["account"]["customer"] == "big"
    assert {one["rule"] for one in told["usage"]["rules"]} == {"calls", "ratio", "repeat"}
    assert [one["call"] for one in told["calls"][:2]] == ["pbx1/5", "pbx1/4"]
    assert len(told["decisions"]) == 6
    assert [one["reason"] for one in told["strikes"]] == ["12 reports"]
    assert [one["number"] for one in told["opt_outs"]] == ["+12125550199"]
    assert told["history"][0]["words"] == "+12125550199 opted out"
    assert "mode monitor for account acme (4711)" in [one["words"] for one in told["history"]]
    text = house.ok("dossier", "acme")
    assert "history, the latest first" in text
    assert "no such account" in house.refused("dossier", "nobody")


@pytest.mark.parametrize(("order", "said"), [
    ({"do": "mode.set", "account": "acme", "mode": "block"},
     "Mode block for account acme would have refused 1, throttled 0 and tagged 1 of them, on 1 account; "
     "as it stands now, 0 are refused, 0 throttled and 0 tagged."),
    ({"do": "mode.set", "account": "acme", "mode": "off", "for": "2h"},
     "Every verdict of account acme is let go, and nothing is reported."),
    ({"do": "account.suspend", "account": "acme"},
     "In the last 24 hours it made 6 calls and messages: such calls will be refused. It can still be called "
     "(0 lately)."),
    ({"do": "account.terminate", "account": "acme", "after": "7d"},
     "It happens 7 days after the customer's notice is delivered, not before."),
    ({"do": "strike.add", "account": "acme", "kind": "spam"},
     "Rule repeat will count 1 of 2 strikes in 180 days; 1 more reach the limit."),
    ({"do": "optout.add", "account": "acme", "number": "2125550123"},
     "account acme called or wrote to +12125550123 6 times in the last 30 days; no rule of the packs is about"
     " opt-outs, so it is only put on record."),
])
def test_order_is_foreseen_in_numbers_and_not_given(house: House, order: dict[str, str], said: str) -> None:
    before = house.json("head")
    assert said in house.ok("foresee", json.dumps(order)).splitlines()
    assert house.json("head") == before


def test_pack_that_is_wrong_keeps_nobody_from_the_ceiling_but_from_reloading_it(house: House) -> None:
    reload = '{"do": "reload"}'
    assert "Now, these packs would refuse 0 of 2 accounts" in house.ok("foresee", reload)
    house.file("pack.toml", PACK.replace("attempts", "attemps"))
    assert "Mode monitor for site ceiling" in house.ok("foresee", '{"do": "mode.ceiling", "mode": "monitor"}')
    assert "pack.toml" in house.refused("foresee", reload)


def test_what_cannot_be_ordered_cannot_be_foreseen(house: House) -> None:
    assert "no such account" in house.refused("foresee", '{"do": "account.suspend", "account": "nobody"}')
    assert "active already" in house.refused("foresee", '{"do": "account.resume", "account": "acme"}')
    assert "no such notice" in house.refused("foresee", '{"do": "notice.ack", "notice": "n-1"}')
    assert "no JSON" in house.refused("foresee", "block acme")
