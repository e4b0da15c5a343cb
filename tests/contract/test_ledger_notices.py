"""The register of notices, whichever adapter keeps the journal that it follows from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from enforcer.domain.decision import Level
from enforcer.domain.journal import Kind
from enforcer.domain.notice import About, Audience, Notice, Stage, created, notice_id, step
from enforcer.ledger.port import Ledger
from tests.support.rules import NOON

LIMIT = Notice(
    notice_id(Audience.CUSTOMER, About.LEVEL, "big", "acme", "calls", Level.CRITICAL, "2026-11"),
    Audience.CUSTOMER, About.LEVEL, "big", "acme", "calls", Level.CRITICAL, "2026-11", NOON, 60.0, 600.0,
    facts={"subject": "Grüße", "text": "one\ntwo\n"},
)
OPS = replace(
    LIMIT, id=notice_id(Audience.OPS, About.LEVEL, "big", "acme", "calls", Level.CRITICAL, "2026-11"),
    audience=Audience.OPS, grace=0.0, holds=0.0, at=NOON + 1,
)
END = replace(
    LIMIT, id="n-end", about=About.STANDING, customer="small", account="zed", rule="", cycle="", at=NOON - 1,
    then="terminated",
)


@pytest.mark.parametrize("way", ["put", "note"])
def test_a_notice_is_known_at_once_and_whole(ledger: Ledger, way: str) -> None:
    if way == "put":
        ledger.put([created(LIMIT)])
    else:
        ledger.note(created(LIMIT))
    assert ledger.registers.notices.get(LIMIT.id) == LIMIT
    ledger.written()
    (entry,) = ledger.journal([Kind.NOTICE], ref=LIMIT.id)
    assert (entry.customer, entry.account, entry.at) == ("big", "acme", NOON)
    assert entry.body["facts"] == LIMIT.facts


def test_a_notice_that_is_created_again_stays_what_it_was(ledger: Ledger) -> None:
    ledger.put([created(LIMIT), step(LIMIT, Stage.SENT, NOON + 1), step(LIMIT, Stage.DELIVERED, NOON + 2)])
    ledger.put([created(replace(LIMIT, at=NOON + 9, facts={}))])
    known = ledger.registers.notices.get(LIMIT.id)
    assert known is not None
    assert (known.stage, known.delivered_at, known.facts) == (Stage.DELIVERED, NOON + 2, LIMIT.facts)


def test_notices_are_listed_oldest_first_by_customer_and_by_what_is_left_to_do(ledger: Ledger) -> None:
    ledger.put([created(OPS), created(LIMIT), created(END)])
    notices = ledger.registers.notices
    assert [n.id for n in notices.all()] == [END.id, LIMIT.id, OPS.id]
    assert [n.id for n in notices.all("big")] == [LIMIT.id, OPS.id]
    assert [n.id for n in notices.announcing()] == [END.id]
    assert notices.announcing("acme") == []
    ledger.put([
        step(LIMIT, Stage.FAILED, NOON + 5, problem="busy"), step(OPS, Stage.DELIVERED, NOON + 5),
        step(END, Stage.CLOSED, NOON + 5, how="withdrawn"),
    ])
    assert [n.id for n in notices.pending()] == [LIMIT.id]
    assert notices.announcing() == []


def test_only_what_the_customer_was_told_of_a_level_opens_the_gate_of_its_rule(ledger: Ledger) -> None:
    gate = ledger.registers.notices.gate("calls", "big", "acme")
    ledger.put([created(OPS), step(OPS, Stage.DELIVERED, NOON)])
    ledger.put([created(END), step(END, Stage.DELIVERED, NOON)])
    assert not gate.open(NOON + 60)
    ledger.put([created(LIMIT), step(LIMIT, Stage.SENT, NOON)])
    ledger.put([step(LIMIT, Stage.FAILED, NOON, problem="busy")])
    assert not gate.open(NOON + 60)
    ledger.put([step(LIMIT, Stage.ACKNOWLEDGED, NOON, by="anna", how="letter")])
    assert [gate.open(NOON + at) for at in (59, 60, 659, 660)] == [False, True, True, False]
    assert not ledger.registers.notices.gate("calls", "big", "apex").open(NOON + 60)


def test_every_step_is_sealed_onto_the_chain(ledger: Ledger) -> None:
    before = ledger.prove().links
    ledger.put([created(LIMIT), step(LIMIT, Stage.SENT, NOON), step(LIMIT, Stage.DELIVERED, NOON)])
    proof = ledger.prove()
    assert (proof.links - before, proof.broken) == (3, "")
