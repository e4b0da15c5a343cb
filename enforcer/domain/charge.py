"""What a policy adds to a bill: the price a clause names, and the entries that record it.

In: a price and what a closed cycle came to. Out: exact amounts; entries that nobody ever edits: what
turns out to be wrong is taken back by a reversing entry, and charged anew.
Refuses to know: calls, and where entries are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

# An amount that no decimal can hold, such as a third of a minute's price, is rounded here, half to even.
PLACES = 9


class Per(StrEnum):
    """What is charged for. A call here is a completed one; a minute is exact, not begun."""

    ATTEMPT = "attempt"
    MINUTE = "minute"
    CALL = "call"
    MESSAGE = "message"


class On(StrEnum):
    """Whether all of a cycle is charged for once a limit is broken, or only what went beyond it."""

    ALL = "all"
    EXCESS = "excess"


@dataclass(frozen=True, slots=True)
class Charge:
    """The price that a rule puts on its breach, in `currency` (ISO 4217)."""

    amount: Decimal
    per: Per
    on: On = On.ALL
    currency: str = "USD"

    def of(self, units: Fraction) -> Decimal:
        """The amount for so many units.

        >>> Charge(Decimal("0.005"), Per.ATTEMPT).of(Fraction(4001))
        Decimal('20.005')
        """
        return exact(Fraction(self.amount) * units)


class Claim(NamedTuple):
    """What one settlement says that a customer owes for one rule and cycle; amount 0 where nothing.

    `account` is "" where the customer as a whole owes it. `policy` is "<pack>@<revision>".
    """

    customer: str
    account: str
    rule: str
    cycle: str
    policy: str
    amount: Decimal
    currency: str
    clause: str = ""
    words: str = ""         # how the amount came about


class Entry(NamedTuple):
    """One line in the book of charges. `number` counts the entries of one customer, account, rule,
    cycle and policy from 1; `reverses` is the number of the entry that this one takes back, 0 none.
    """

    customer: str
    account: str
    rule: str
    cycle: str
    policy: str
    number: int
    amount: Decimal
    currency: str
    at: float               # when it was written, Unix seconds
    clause: str = ""
    words: str = ""
    reverses: int = 0


Subject = tuple[str, str, str, str]


def subject(about: Claim | Entry) -> Subject:
    """What a claim or an entry is about: customer, account, rule and cycle, whichever the revision."""
    return about[:4]


def due(entries: Iterable[Entry], claim: Claim, at: float) -> list[Entry]:
    """The entries to write so that those about this claim's subject add up to it: none where they do.

    What stands, under whichever revision of the policy, is reversed under that revision.
    """
    known = [entry for entry in entries if subject(entry) == subject(claim)]
    reversed_ones = {(entry.policy, entry.reverses) for entry in known if entry.reverses}
    standing = [e for e in known if not e.reverses and (e.policy, e.number) not in reversed_ones]
    owed = [(claim.amount, claim.currency)] if claim.amount else []
    if [(entry.amount, entry.currency) for entry in standing] == owed:
        return []
    last: dict[str, int] = {}
    for entry in known:
        last[entry.policy] = max(entry.number, last.get(entry.policy, 0))
    written = []
    for entry in standing:
        last[entry.policy] += 1
        written.append(entry._replace(
            number=last[entry.policy], amount=-entry.amount, at=at, reverses=entry.number,
            words=f"reverses entry {entry.number}: {entry.words}",
        ))
    if claim.amount:
        written.append(Entry(
            *subject(claim), claim.policy, last.get(claim.policy, 0) + 1, claim.amount, claim.currency,
            at, claim.clause, claim.words,
        ))
    return written


def missing(there: Iterable[Entry], claims: Iterable[Claim], at: float) -> list[Entry]:
    """The entries that these claims still need, given those that are there. One claim a subject."""
    about: dict[Subject, list[Entry]] = {}
    for entry in there:
        about.setdefault(subject(entry), []).append(entry)
    return [entry for claim in claims for entry in due(about.get(subject(claim), ()), claim, at)]


def net(entries: Iterable[Entry], currency: str) -> Decimal:
    """What entries in one currency add up to."""
    return exact(sum((Fraction(e.amount) for e in entries if e.currency == currency), Fraction()))


def exact(number: Fraction) -> Decimal:
    """A number as a decimal without needless zeros: exact where a decimal of any length can hold it,
    else rounded to `PLACES`.

    >>> exact(Fraction(5, 1000)), exact(Fraction(20)), exact(Fraction(1, 3))
    (Decimal('0.005'), Decimal('20'), Decimal('0.333333333'))
    """
    rest, places = number.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    while rest % 5 == 0:
        rest, places = rest // 5, places + 1
    while rest % 2 == 0:
        rest, places = rest // 2, places + 1
    if rest != 1:
        places = PLACES
    digits = round(number * 10**places)
    while places and digits % 10 == 0:
        digits, places = digits // 10, places - 1
    sign = 1 if digits < 0 else 0
    return Decimal((sign, tuple(int(digit) for digit in str(abs(digits))), -places))
