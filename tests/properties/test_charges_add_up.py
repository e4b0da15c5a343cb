"""However often a cycle is settled, and whatever came late: the entries add up to the last settlement."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from enforcer.control.settlement import settlement
from enforcer.domain.charge import Charge, Claim, Entry, On, Per, missing, net, subject
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.history import Revisions
from enforcer.ledger.memory import MemoryLedger
from tests.support.ledgers import DAY, Call
from tests.support.rules import NOON, rule

OCTOBER = NOON - 40 * DAY
claims = st.builds(
    Claim, st.sampled_from("ab"), st.sampled_from(["", "x"]), st.just("asr"), st.just("2026-10"),
    st.sampled_from(["p@1", "p@2"]), st.sampled_from([Decimal(0), Decimal("0.005"), Decimal("7.1")]),
    st.sampled_from(["USD", "EUR"]),
)
POLICY = Policy([
    rule("asr", 4, measure=Measure(Scope.CUSTOMER), charge=Charge(Decimal("0.005"), Per.ATTEMPT)),
    rule("attempts", 3, charge=Charge(Decimal("0.1"), Per.ATTEMPT, On.EXCESS)),
    rule("minutes", 1, charge=Charge(Decimal("0.07"), Per.MINUTE)),
])
REVISIONS = Revisions.fixed(POLICY)


@given(st.lists(st.lists(claims, max_size=3, unique_by=subject), max_size=8))
def test_the_last_claim_is_what_the_entries_add_up_to(settlements: list[list[Claim]]) -> None:
    book: list[Entry] = []
    last: dict[tuple[str, str, str, str], Claim] = {}
    for at, some in enumerate(settlements):
        before = list(book)
        book += missing(book, some, float(at))
        assert book[:len(before)] == before
        assert missing(book, some, float(at)) == []
        last |= {subject(claim): claim for claim in some}
    for about, claim in last.items():
        entries = [entry for entry in book if subject(entry) == about]
        for currency in ("USD", "EUR"):
            assert net(entries, currency) == (claim.amount if currency == claim.currency else 0)
    assert len({(*subject(e), e.policy, e.number) for e in book}) == len(book)


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 90)), max_size=6), max_size=5))
def test_late_and_corrected_cdrs_lead_to_what_a_fresh_settlement_says(
    batches: list[list[tuple[int, int]]]
) -> None:
    ledger = MemoryLedger(NumberPlan("US").classify, lambda: NOON)
    for batch in batches:
        ledger.absorb([Call(str(n), start=OCTOBER + n).cdr(seconds) for n, seconds in batch])
        settlement(ledger, REVISIONS, "2026-10", NOON)
    assert settlement(ledger, REVISIONS, "2026-10", NOON).written == []
    fresh = MemoryLedger(NumberPlan("US").classify, lambda: NOON)
    fresh.absorb([
        Call(one.call_id.removeprefix("pbx1/"), start=one.started_at).cdr(one.billmsec // 1000)
        for one in ledger.calls()
    ])
    rows = settlement(fresh, REVISIONS, "2026-10", NOON).rows
    owed = sum(row.settled.owed for row in rows)
    assert net(ledger.charges(), "USD") == net(fresh.charges(), "USD") == owed
    assert all(entry.reverses == 0 for entry in fresh.charges())
