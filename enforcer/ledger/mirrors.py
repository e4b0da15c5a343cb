"""Tables that say what the journal says as well, held against it.

In: journal entries, and what the tables of accounts, customers, modes and charges hold. Out: where they
differ, as faults that name the entry.
Refuses to know: how either is kept, and whether the journal itself is sound (see `chain`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from enforcer.domain.account import Account, Customer
from enforcer.domain.chain import Fault, What
from enforcer.domain.charge import Entry
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import ModeSetting
from enforcer.ledger.charge_rows import charge_entry
from enforcer.ledger.register_rows import account_entry, customer_entry, mode_entry

MIRRORED = (Kind.ACCOUNT, Kind.CUSTOMER, Kind.MODE, Kind.CHARGE)
_PLACES = {
    Kind.ACCOUNT: "the register of accounts", Kind.CUSTOMER: "the register of customers",
    Kind.MODE: "the table of modes", Kind.CHARGE: "the book of charges",
}
# What tells a row from all others of its kind, as far as its content is not in question.
_KEYS = {
    Kind.MODE: ("ceiling", "account", "rule", "switch", "at"),
    Kind.CHARGE: ("customer", "account", "rule", "cycle", "policy", "number"),
}


class Tables(NamedTuple):
    """What the tables hold; of what was entered before there was a journal, nothing."""

    accounts: Iterable[Account]
    customers: Iterable[Customer]
    modes: Iterable[ModeSetting]
    charges: Iterable[Entry]


def contradictions(
    entries: Iterable[JournalEntry], tables: Tables, older: frozenset[str] = frozenset()
) -> list[Fault]:
    """Where tables and journal differ, by link; what is in a table only comes last. `older` are the accounts
    that are as they were before there was a journal."""
    latest: dict[tuple[Kind, str], JournalEntry] = {}
    every: dict[tuple[object, ...], list[JournalEntry]] = {}
    found: list[Fault] = []
    for entry in entries:
        if not isinstance(entry.body, dict):
            found.append(_fault(entry, f"{_named(entry)} says nothing that a table could say as well"))
        elif entry.kind in _KEYS:
            every.setdefault(_key(entry), []).append(entry)
        elif entry.kind in MIRRORED:
            latest[entry.kind, entry.ref] = entry
    registered = [account_entry(account, 0.0) for account in tables.accounts]
    registered += [customer_entry(customer, 0.0) for customer in tables.customers]
    for row in registered:
        told = latest.pop((row.kind, row.ref), None)
        if told is not None or row.kind is not Kind.ACCOUNT or row.ref not in older:
            found += _compared(row, told)
    for row in _rows(tables):
        same = every.get(_key(row))
        found += _compared(row, same.pop(0) if same else None)
    for entry in (*latest.values(), *(entry for left in every.values() for entry in left)):
        found.append(_fault(entry, f"{_named(entry)} is not in {_PLACES[entry.kind]}"))
    return sorted(found, key=lambda fault: (not fault.link, fault.link))


def _rows(tables: Tables) -> Iterator[JournalEntry]:
    """Settings and charges, as the entries that they had when they were written."""
    yield from (mode_entry(setting) for setting in tables.modes)
    yield from (charge_entry(entry) for entry in tables.charges)


def _key(entry: JournalEntry) -> tuple[object, ...]:
    return (entry.kind, *(entry.body.get(name) for name in _KEYS[entry.kind]))


def _compared(row: JournalEntry, told: JournalEntry | None) -> Iterator[Fault]:
    place = _PLACES[row.kind]
    if told is None:
        yield Fault(
            What.TABLE, f"{row.kind} {row.ref} stands in {place} and not in the journal",
            kind=row.kind.value, at=row.at or None, ref=row.ref,
        )
    elif row.text != told.text:
        yield _fault(told, f"{_named(told)}: {place} says {_difference(row.body, told.body)}")


def _difference(row: Any, told: Any) -> str:
    """The first thing that differs. The row is read as JSON would give it back."""
    row = json.loads(json.dumps(row))
    name = next(name for name in sorted({*row, *told}) if row.get(name) != told.get(name))
    return f"{name} {row.get(name)!r} instead of {told.get(name)!r}"


def _named(entry: JournalEntry) -> str:
    return f"link {entry.link} ({entry.kind} {entry.ref})"


def _fault(entry: JournalEntry, words: str) -> Fault:
    return Fault(What.TABLE, words, entry.link, entry.kind.value, entry.at, entry.ref)
