"""What a ledger keeps and finds again, whichever adapter keeps it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from enforcer.domain.account import Account, AccountType, Standing
from enforcer.domain.call import Refusal, Source
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.usage import Usage
from enforcer.ledger.port import Absorbed, Ledger
from tests.support.ledgers import CYCLE, DAY, LIVE, Call, derived, talked, tell, usage
from tests.support.rules import NOON

FINDING = Finding(
    "asr", "Answer to Seizure Ratio", Level.CRITICAL, Verdict.BLOCK, Verdict.TAG, "tag",
    "attempts per completed call", "9/2 = 4.5", "4", 603, 0.25, False, 3600,
)
DECISION = Decision(
    "d1-1", NOON, "pbx1/1", "pbx1", "acme", "12125550100", "outbound", Verdict.TAG, Verdict.BLOCK,
    "asr", "Answer to Seizure Ratio", "ip2call@1", 0, 0.25, False, 3600, ("asr.critical",), (FINDING,),
    (("asr", Usage(9, 2, 3, 1, 123_456, 1, 1)), ("cps", Usage())), "", "the disk is full",
)
PLAIN = Decision(
    "d1-2", NOON + 1, "pbx1/2", "pbx1", "apex", "12125550101", "inbound", Verdict.ALLOW, Verdict.ALLOW,
)


def test_a_decision_comes_back_whole(ledger: Ledger) -> None:
    for decision in (DECISION, PLAIN):
        ledger.keep(decision)
    assert ledger.decision("d1-1") == DECISION
    assert ledger.decision("d1-2") == PLAIN
    assert ledger.decision("d1-3") is None
    again = ledger.decision("d1-1")
    assert again is not None
    assert again.reason == DECISION.reason
    assert again.findings[0].capped is Verdict.TAG


def test_decisions_are_found_by_account_and_call_the_newest_first(ledger: Ledger) -> None:
    later = DECISION._replace(decision_id="d1-3", at=NOON + 2, call_id="pbx1/3")
    for decision in (DECISION, later, PLAIN):
        ledger.keep(decision)
    assert ledger.decisions() == [later, PLAIN, DECISION]
    assert ledger.decisions(limit=1) == [later]
    assert ledger.decisions("acme") == [later, DECISION]
    assert ledger.decisions("acme", "pbx1/1") == [DECISION]
    assert ledger.decisions(call_id="pbx1/2") == [PLAIN]


def test_decisions_are_found_by_the_sip_call_id_the_newest_first(ledger: Ledger) -> None:
    first = DECISION._replace(sip_call_id="a84b@[2001:db8::7]")
    again = first._replace(decision_id="d1-3", at=NOON + 2, call_id="pbx1/3")
    for decision in (first, again, PLAIN):
        ledger.keep(decision)
    assert ledger.decisions(sip_call_id="a84b@[2001:db8::7]") == [again, first]
    assert ledger.decisions(sip_call_id="a84b") == []
    assert ledger.decision("d1-1") == first


def test_accounts_come_back_by_name(ledger: Ledger) -> None:
    pbx = Account("b", "big", AccountType.PBX, 0, "flat", 31, "Europe/Paris")
    trunk = Account("a", "big", AccountType.TRUNK, 24, standing=Standing.SUSPENDED, standing_reason="unpaid")
    ledger.put_accounts([pbx, trunk, Account("c", "small")])
    assert ledger.accounts() == [trunk, pbx, Account("c", "small")]
    assert ledger.accounts("small") == [Account("c", "small")]
    resumed = replace(trunk, standing=Standing.ACTIVE, standing_reason="")
    ledger.put_accounts([resumed])
    assert ledger.account("a") == ledger.accounts()[0] == resumed
    assert ledger.account("nobody") == Account("nobody", "nobody")


def test_putting_no_account_changes_nothing(ledger: Ledger) -> None:
    ledger.put_accounts([])
    assert ledger.accounts() == []


def test_every_mode_setting_ever_made_comes_back_the_oldest_first(ledger: Ledger) -> None:
    settings = [
        ModeSetting(Mode.BLOCK, account="acme", rule="asr", who="eve", at=NOON, why="test", until=NOON + 9),
        ModeSetting(Mode.MONITOR, ceiling=True, who="bob", at=NOON - 1),
        ModeSetting(Mode.BLOCK, account="acme", rule="asr", who="eve", at=NOON),
    ]
    for setting in settings:
        ledger.put_mode(setting)
    assert ledger.modes() == settings


def test_calls_come_back_by_start_of_one_account_and_cycle(ledger: Ledger) -> None:
    november = BillingCycle().at(NOON)
    for n, start in enumerate((NOON + 5, NOON, NOON - 40 * DAY, november.end, november.start)):
        tell(ledger, *talked(Call(str(n), start=start), 10))
    tell(ledger, *talked(Call("x", "apex", start=NOON + 1), 10))
    assert [r.call_id for r in ledger.calls()] == [f"pbx1/{n}" for n in (2, 4, 1, "x", 0, 3)]
    assert [r.call_id for r in ledger.calls("acme", november)] == ["pbx1/4", "pbx1/1", "pbx1/0"]


def test_a_call_is_found_without_its_switch_unless_two_have_it(ledger: Ledger) -> None:
    tell(ledger, Call("17.1").started(), Call("7.1").started(), Call("7.2").started())
    tell(ledger, Call("7.2", switch="pbx2").started())
    found = ledger.call("7.1")
    assert found is not None
    assert found.call_id == "pbx1/7.1"
    assert ledger.call("pbx2/7.2") is not None
    assert ledger.call("7.2") is None
    assert ledger.call("%") is None


def test_usage_of_any_cycle_is_derived_from_records(ledger: Ledger) -> None:
    refused = Call("4", start=NOON - 40 * DAY)
    tell(ledger, *talked(Call("1", start=NOON - 40 * DAY), 10), *talked(Call("2"), 3), Call("3").started())
    tell(ledger, refused.started())
    ledger.refuse(refused.id, Refusal.SHED)
    assert derived(ledger, "acme", CYCLE, NOON - 40 * DAY) == Usage(1, 1, msec=10_000, shed=1)
    assert derived(ledger, "acme", CYCLE, NOON) == Usage(2, 0, 1, 1, 3_000) == usage(ledger)
    assert derived(ledger, "acme", LIVE, NOON) == Usage(attempts=1, live=1)


def test_taking_in_the_same_cdrs_twice_changes_nothing(ledger: Ledger) -> None:
    rows = [Call(str(n), start=NOON + n).cdr(n) for n in range(20)]
    assert ledger.absorb(rows) == Absorbed(new=20)
    before = list(ledger.calls())
    assert ledger.absorb(rows) == Absorbed(unchanged=20)
    assert ledger.absorb([]) == Absorbed()
    assert list(ledger.calls()) == before
    assert usage(ledger) == Usage(20, 14, 5, msec=190_000)


def test_a_cdr_leaves_what_events_told_precisely(ledger: Ledger) -> None:
    tell(ledger, *talked(Call(start=NOON + 0.25), 10.75))
    before = list(ledger.calls())
    assert ledger.absorb([Call(start=NOON + 0.25).cdr(10)]) == Absorbed(unchanged=1)
    assert list(ledger.calls()) == before


@pytest.mark.parametrize("inferred", [False, True])
def test_a_cdr_ends_a_call_whose_end_nobody_saw(ledger: Ledger, inferred: bool) -> None:
    call = Call()
    tell(ledger, call.started(), call.answered())
    if inferred:
        tell(ledger, call.ended(60, source=Source.INFERRED))
        assert usage(ledger) == Usage(1, 1)
    assert ledger.absorb([call.cdr(5)]) == Absorbed(completed=1)
    assert usage(ledger) == Usage(1, 0, 1, msec=5_000)
    assert ledger.live() == []


def test_several_rows_of_one_call_are_one_attempt(ledger: Ledger) -> None:
    rows = [Call().cdr(3), Call().cdr(30), Call().cdr(3)]
    assert ledger.absorb(rows) == Absorbed(new=1, completed=1, unchanged=1)
    assert usage(ledger) == Usage(1, 1, msec=30_000)


def test_cdrs_first_and_events_later_count_once(ledger: Ledger) -> None:
    call = Call(start=NOON + 0.25)
    ledger.absorb([call.cdr(10)])
    tell(ledger, *talked(call, 10.5))
    assert usage(ledger) == Usage(1, 1, msec=10_500)
