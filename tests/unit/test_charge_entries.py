"""The book of charges: entries are added, never edited, and add up to what is owed."""

from __future__ import annotations

from decimal import Decimal

from enforcer.domain.charge import Claim, Entry, due, net

OCTOBER = Claim("acme", "", "asr", "2026-10", "p@1", Decimal("20.005"), "USD", "ASR", "4001 x 0.005")


def test_a_first_claim_is_entered_as_it_is() -> None:
    assert due([], OCTOBER, 1.0) == [Entry(
        "acme", "", "asr", "2026-10", "p@1", 1, Decimal("20.005"), "USD", 1.0, "ASR", "4001 x 0.005",
    )]


def test_a_claim_that_stands_already_adds_nothing() -> None:
    assert due(due([], OCTOBER, 1.0), OCTOBER, 2.0) == []
    assert due([], OCTOBER._replace(amount=Decimal(0)), 1.0) == []


def test_a_changed_amount_is_reversed_and_charged_anew() -> None:
    book = due([], OCTOBER, 1.0)
    book += due(book, OCTOBER._replace(amount=Decimal("21.01")), 2.0)
    assert [(e.number, e.amount, e.reverses) for e in book] == [
        (1, Decimal("20.005"), 0), (2, Decimal("-20.005"), 1), (3, Decimal("21.01"), 0),
    ]
    assert book[1].words == "reverses entry 1: 4001 x 0.005"
    assert net(book, "USD") == Decimal("21.01")


def test_a_breach_that_turns_out_to_be_none_is_only_reversed() -> None:
    book = due([], OCTOBER, 1.0)
    book += due(book, OCTOBER._replace(amount=Decimal(0)), 2.0)
    assert [(e.amount, e.reverses) for e in book] == [(Decimal("20.005"), 0), (Decimal("-20.005"), 1)]
    assert due(book, OCTOBER._replace(amount=Decimal(0)), 3.0) == []
    again = due(book, OCTOBER, 3.0)
    assert [(e.number, e.amount) for e in again] == [(3, Decimal("20.005"))]


def test_another_revision_reverses_under_the_old_one_and_charges_under_its_own() -> None:
    book = due([], OCTOBER, 1.0)
    book += due(book, OCTOBER._replace(policy="p@2", amount=Decimal(9)), 2.0)
    assert [(e.policy, e.number, e.amount, e.reverses) for e in book] == [
        ("p@1", 1, Decimal("20.005"), 0), ("p@1", 2, Decimal("-20.005"), 1), ("p@2", 1, Decimal(9), 0),
    ]
    # Nobody owes anything else than before.
    assert due(book, OCTOBER._replace(policy="p@3", amount=Decimal(9)), 3.0) == []


def test_another_currency_is_another_amount() -> None:
    book = due([], OCTOBER, 1.0)
    book += due(book, OCTOBER._replace(currency="EUR"), 2.0)
    assert (net(book, "USD"), net(book, "EUR")) == (Decimal(0), Decimal("20.005"))


def test_entries_about_something_else_are_left_alone() -> None:
    book = due([], OCTOBER, 1.0)
    for other in (OCTOBER._replace(cycle="2026-09"), OCTOBER._replace(account="a"),
                  OCTOBER._replace(rule="x"), OCTOBER._replace(customer="b")):
        assert [e.reverses for e in due(book, other, 2.0)] == [0]
