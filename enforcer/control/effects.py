"""The last hours' decisions under each mode that could be set: what `enforcer whatif` and orders' numbers are
of.

In: a ledger, a place that a mode can be set for, a moment. Out: facts. Refuses to know: the arithmetic
(`whatif`), and how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from enforcer.control.whatif import NOTES, candidates, whatif
from enforcer.domain.account import Account
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.ledger.port import Ledger
from enforcer.spans import span_words

MOST = 50_000           # decisions looked at, some seconds


def effects(
    ledger: Ledger, default: Mode, place: ModeSetting, seconds: float, now: float
) -> dict[str, Any]:
    """What `--json` prints: the decisions of so many seconds under each mode that could be set there."""
    span = Span(now - seconds, now + 1.0, "lately")
    account = ledger.account(place.account) if place.account else None
    zone = account.timezone if account else "UTC"
    seen = _Seen()
    decisions = seen.over(islice(ledger.decisions_in(span, place.account), MOST))
    stands, some = whatif(decisions, ledger.modes(), default, candidates(place, now), now)
    cut = seen.number >= MOST
    unasked = _unasked(ledger, account, span, seen.calls) if account is not None and not cut else None
    whom = f"account {account.id}" if account is not None else "the site"
    asked = stands.verdicts.total()
    words = f"In the last {span_words(seconds)}, {asked:,} calls and messages of {whom} were asked about"
    if unasked is not None:
        words += f", and {unasked:,} went by unasked, on a lease or while the enforcer was away"
    if cut:
        words += f" (only the first {MOST:,} decisions of that time were looked at)"
    return {
        "subject": place.subject, "seconds": seconds, "asked": asked, "unasked": unasked, "cut": cut,
        "words": words + ".", "now": stands.facts(zone), "modes": [one.facts(zone) for one in some],
        "notes": list(NOTES),
    }


class _Seen:
    """Remembers which calls went by."""

    def __init__(self) -> None:
        self.calls: set[str] = set()
        self.number = 0

    def over(self, decisions: Iterator[Decision]) -> Iterator[Decision]:
        """The same decisions."""
        for decision in decisions:
            self.number += 1
            self.calls.add(decision.call_id)
            yield decision


def _unasked(ledger: Ledger, account: Account, span: Span, asked: set[str]) -> int:
    """Calls of an account that nobody decided on."""
    return sum(1 for record in islice(ledger.calls(account.id, span), MOST) if record.call_id not in asked)
