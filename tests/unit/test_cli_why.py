"""`why` and `usage`: a decision explains itself, with clause, numbers, mode, and what would help."""

from __future__ import annotations

import pytest

from enforcer.control.commands import Known, SetMode, SetStanding, act
from enforcer.control.report import report
from enforcer.domain.account import Standing
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.domain.mode import Mode
from enforcer.errors import BadInput
from tests.support.desk import ACME, NOW, Desk

PACK = """
[pack]
name = "house"
revision = "7"

[[rule]]
id = "asr"
kind = "asr"
clause = "Answer to Seizure Ratio (ASR)"
scope = "customer"
min_attempts = 10
critical = { at = 4, verdict = "block", sip_code = 603 }
"""


def breached(mode: Mode) -> tuple[Desk, str]:
    """Two completed calls, eighteen that failed, and the decision on the next."""
    desk = Desk(PACK, mode)
    for serial in range(20):
        desk.call(serial, 60.0 if serial < 2 else None)
    return desk, desk.call(99, None)


def test_a_blocked_call_names_clause_numbers_mode_and_what_would_help() -> None:
    desk, decision_id = breached(Mode.BLOCK)
    told = desk.why(decision_id)
    text = "\n".join([told.title, *told.lines])
    assert "2026-11-21 20:05" in told.title
    assert "blocked with 603" in text
    assert "Answer to Seizure Ratio (ASR)" in text
    assert "limit 4" in text
    assert "policy house@7" in text
    assert "cycle 2026-11, 2026-11-01 00:00:00 EDT to 2026-12-01 00:00:00 EST" in text
    assert "mode block: account acme, set by alice 2026-11-21 20:04:10 EST (complaint)" in text
    assert "1 completed call would bring it below its limit (4)" in text
    assert "`enforcer mode set monitor --account acme --rule asr` lets its calls go untouched." in text


def test_the_remedy_it_names_is_just_enough() -> None:
    desk = Desk(PACK)
    for serial in range(20):
        desk.call(serial, 60.0 if serial < 2 else None)
    told = desk.why(desk.call(50, None))
    (sentence,) = [line for line in told.lines if "in a row" in line]
    enough = int(sentence.split()[0])
    for serial in range(enough - 1):
        desk.call(100 + serial, 60.0)
    last = desk.ledger.decision(desk.call(200, 60.0))
    after = desk.ledger.decision(desk.call(201, 60.0))
    assert last is not None
    assert last.findings
    assert after is not None
    assert not after.findings


def test_in_monitor_it_says_what_block_would_have_said() -> None:
    desk, decision_id = breached(Mode.MONITOR)
    text = "\n".join(desk.why(decision_id).lines)
    assert "allowed (mode block would have said: block)" in text
    assert "default of the configuration" in text
    assert "`enforcer mode set block --account acme --rule asr` puts that verdict in force." in text


def test_the_mode_is_the_one_of_that_time() -> None:
    desk, decision_id = breached(Mode.BLOCK)
    act(SetMode(Mode.OFF, "acme", who="bob"), desk.ledger, Known(), desk.now)
    assert "set by alice" in "\n".join(desk.why(decision_id).lines)


def test_a_call_is_explained_by_its_id_with_or_without_the_switch() -> None:
    desk, decision_id = breached(Mode.BLOCK)
    told = desk.why("99")
    assert told.title == "call pbx1/99"
    assert any("blocked by enforcement, so it counts in no ratio" in line for line in told.lines)
    assert any(line.startswith(f"decision {decision_id}") for line in told.lines)
    assert told.facts["call"]["refusal"] == "blocked"


def test_a_call_nobody_asked_about_says_so() -> None:
    desk = Desk(PACK)
    attempt = CallAttempt("pbx1/7", "pbx1", "acme", Direction.OUTBOUND, "911", "100", NOW)
    desk.ledger.apply(CallEvent(Phase.ENDED, attempt, NOW + 5, NOW))
    told = desk.why("pbx1/7")
    assert "outbound, 100 to 911 (emergency), account acme" in told.lines
    assert any("Nobody asked about it" in line for line in told.lines)


def test_an_account_shows_headroom_and_its_last_decision() -> None:
    desk = Desk(PACK)
    for serial in range(4):
        desk.call(serial, 60.0)
    told = desk.why("acme")
    assert told.title == "account acme (pbx), customer acme-inc"
    assert any("headroom: 11 attempts, however they end" in line for line in told.lines)
    assert any(line.startswith("last decision") for line in told.lines)
    assert told.facts["rules"][0]["headroom"] == 11


def test_headroom_is_what_can_really_still_be_tried() -> None:
    """Eleven more calls that fail are fine; the twelfth meets the rule."""
    desk = Desk(PACK)
    for serial in range(4):
        desk.call(serial, 60.0)
    decisions = [desk.ledger.decision(desk.call(100 + serial, None)) for serial in range(13)]
    assert all(decision is not None and not decision.findings for decision in decisions[:12])
    assert decisions[12] is not None
    assert decisions[12].findings


def test_a_suspension_is_explained_with_its_way_back() -> None:
    desk = Desk(PACK)
    act(SetStanding("acme", Standing.SUSPENDED, "alice", "unpaid"), desk.ledger, Known(), NOW)
    text = "\n".join(desk.why(desk.call(1, None)).lines)
    assert "unpaid (by alice)" in text
    assert "`enforcer account resume acme` lets it call again." in text


def test_hostile_text_moves_no_cursor() -> None:
    desk = Desk(PACK)
    attempt = CallAttempt("pbx1/7", "pbx1", "acme", Direction.OUTBOUND, "1\x1b[2J", "\x07", NOW)
    desk.ledger.apply(CallEvent(Phase.STARTED, attempt, NOW))
    assert all(line.isprintable() for line in desk.why("pbx1/7").lines)


def test_what_is_unknown_gets_a_suggestion() -> None:
    with pytest.raises(BadInput, match=r"no such decision, call or account: 'acne'; did you mean 'acme'\?"):
        Desk(PACK).why("acne")


def test_usage_tells_calls_and_rules_of_a_cycle() -> None:
    desk, _ = breached(Mode.BLOCK)
    standing = report(desk.ledger, desk.policy, desk.modes, ACME, desk.now)
    facts = standing.facts()
    (outbound,) = facts["totals"]
    assert (outbound["attempts"], outbound["completed"], outbound["minutes"]) == (10, 2, "2")
    assert outbound["blocked"] == 11
    (rule,) = facts["rules"]
    assert (rule["value"], rule["limit"], rule["level"], rule["mode"]) == (
        "10/2 = 5",
        "4",
        "critical",
        "block",
    )


def test_usage_of_a_past_cycle_has_no_headroom() -> None:
    desk = Desk(PACK)
    for serial in range(12):
        desk.call(serial, None)
    (line,) = report(desk.ledger, desk.policy, desk.modes, ACME, NOW + 40 * 86_400, "2026-11").lines
    assert (line.value, line.level.name, line.headroom) == ("12/0", "CRITICAL", None)


@pytest.mark.parametrize(
    ("cycle", "problem"),
    [
        ("2026-13", "'2026-13' is no billing cycle"),
        ("x", "is no billing cycle"),
        ("2027-01", "has not begun yet"),
    ],
)
def test_a_cycle_that_is_none_is_refused(cycle: str, problem: str) -> None:
    desk = Desk(PACK)
    with pytest.raises(BadInput, match=f"--cycle: .*{problem}"):
        report(desk.ledger, desk.policy, desk.modes, ACME, NOW, cycle)
