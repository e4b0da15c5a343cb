"""A cycle settled from any ledger comes to the same, whatever the kind of rule and however many accounts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from enforcer import history
from enforcer.control.settlement import settlement
from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import CallEvent, Direction, Medium
from enforcer.domain.charge import Charge, On, Per
from enforcer.domain.journal import Kind
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.policy import Policy
from enforcer.domain.rules import KINDS
from enforcer.domain.settle import settles
from enforcer.history import Revisions
from enforcer.ledger.memory import MemoryLedger
from enforcer.ledger.port import Ledger
from enforcer.packs import loads
from tests.support.ledgers import DAY, Call, Clock, classify
from tests.support.rules import NOON, rule

OCTOBER = NOON - 40 * DAY       # 2026-10-13 12:00:00 UTC
CUSTOMER = Measure(Scope.CUSTOMER)
BOTH = Measure(directions=frozenset(Direction))
PBX = frozenset({AccountType.PBX})
SIGNALS = (rule("short_calls", 10), rule("distinct_numbers", 2))
RULES = [
    rule("asr", 2, measure=CUSTOMER, strike=True, charge=Charge(Decimal("0.005"), Per.ATTEMPT)),
    rule("attempts", 3, also=SIGNALS, charge=Charge(Decimal("0.1"), Per.ATTEMPT, On.EXCESS)),
    rule("messages", 1, charge=Charge(Decimal("0.01"), Per.MESSAGE, On.EXCESS)),
    rule("minutes", 1, measure=BOTH, charge=Charge(Decimal("0.07"), Per.MINUTE, On.EXCESS)),
    rule("average_minutes", 1, measure=CUSTOMER, types=PBX),
    rule("diluted_average", 2, measure=CUSTOMER, types=PBX),
    rule("average_duration", 60), rule("short_calls", 10), rule("failed_calls", 10),
    rule("class_share", 10, measure=Measure(marked=frozenset({classify("555")}))),
    rule("duration_cliff", 10, measure=Measure(near_msec=3000)),
    rule("distinct_numbers", 2), rule("same_number", 1), rule("distinct_callers", 0),
    rule("sequential_numbers", 0), rule("redials", 0, measure=Measure(redial_seconds=500)),
    rule("attempts", 2, name="legs", measure=Measure(per_leg=True)),
    rule("attempts", 0, name="by route", measure=Measure(routes=frozenset({"carrier"}))),
]
REVISIONS = Revisions.fixed(Policy(RULES))
ACCOUNTS = [
    *(Account(name, "big", AccountType.PBX) for name in ("a", "b", "idle")),
    Account("c", "small", AccountType.TRUNK, 2), Account("d", "small", anchor_day=15),
]


def calls() -> Iterator[CallEvent]:
    for nth in range(60):
        call = Call(
            str(nth), "abcde"[nth % 5], ["12125550100", "12125550101", "12125550107", "555"][nth % 4],
            OCTOBER + nth * 20, route="carrier" if nth % 3 else "other",
            direction=Direction.INBOUND if nth % 11 == 0 else Direction.OUTBOUND,
        )
        yield call.cdr([0, 3, 7, 90, 6][nth % 7 % 5])
    for nth in range(8):
        yield Call(f"m{nth}", "ab"[nth % 2], start=OCTOBER + nth, medium=Medium.MESSAGE).sent()


@pytest.mark.parametrize("many", [1, 50])
def test_every_kind_that_settles_comes_to_the_same_on_every_ledger(
    ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    oracle = MemoryLedger(classify, clock)
    for one in (ledger, oracle):
        one.put_accounts(ACCOUNTS)
        one.absorb(list(calls()))
    wanted = settlement(oracle, REVISIONS, "2026-10", NOON)
    monkeypatch.setattr("enforcer.control.settlement.MANY", many)
    found = settlement(ledger, REVISIONS, "2026-10", NOON)
    assert found.rows == wanted.rows
    assert found.written == wanted.written
    assert [entry.parts for entry in found.struck] == [entry.parts for entry in wanted.struck]
    breached = {row.rule.spec.id for row in found.rows if row.settled.breached}
    assert breached == {one.spec.id for one in RULES}       # or this would compare nothing
    again = settlement(ledger, REVISIONS, "2026-10", NOON)
    assert again == found._replace(written=[], struck=[])


def test_all_kinds_that_settle_are_tried() -> None:
    tried = {one.spec.kind for one in RULES}
    assert {kind for kind in KINDS if settles(rule(kind, 1))} == tried


def test_what_is_on_record_of_packs_and_accounts_outlasts_them(
    ledger: Ledger, clock: Clock, tmp_path: Path
) -> None:
    text = '[pack]\nname = "p"\nrevision = "{}"\n\n[[rule]]\nid = "r"\nkind = "attempts"\nclause = "1"\n'
    text += "types = [\"pbx\"]\ncritical = {{ at = {} }}\n"
    for revision, limit in ((1, 1), (2, 100)):
        policy = loads([("p.toml", text.format(revision, limit))], ())
        clock.now = OCTOBER + (revision - 1) * DAY
        ledger.put(history.news(ledger, policy, clock.now))
        ledger.put_accounts([Account("a", "big", list(AccountType)[revision - 1], revision)])
    clock.now = NOON
    ledger.absorb([Call(str(n), "a", start=OCTOBER + n).cdr(0) for n in range(2)])
    past = history.past(ledger)
    assert [past.account("a", at) for at in (OCTOBER, NOON)] == [
        Account("a", "big", AccountType.PBX, 1), Account("a", "big", AccountType.RESIDENTIAL, 2),
    ]
    assert [entry.ref for entry in ledger.journal({Kind.POLICY})] == ["p@1", "p@2"]
    done = settlement(ledger, history.revisions(ledger), "2026-10", NOON)
    assert done.rows == []      # no PBX any more when the cycle was over
    assert done.notes == [
        "p@2 came into force on 2026-10-14 12:00:00 UTC: cycles that began before are settled by p@1"
    ]
