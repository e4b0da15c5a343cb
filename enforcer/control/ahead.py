"""Whom the packs would refuse now: a look ahead before they are loaded.

In: a site whose ledger has counted calls. Out: how many of the accounts that called in the last 30 days would
be refused by their next call, and by which rules, whatever the modes let through.
Refuses to know: how it is shown, and calls in progress on a switch.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import NamedTuple

from enforcer.control.site import Site
from enforcer.domain.band import Trip
from enforcer.domain.breaker import PEOPLE, Breaker, refusing
from enforcer.domain.cycle import Span

DAYS = 30


class Ahead(NamedTuple):
    """Of so many accounts, so many would be refused by their next call; `rules` has how many each."""

    accounts: int
    refused: int
    rules: dict[str, int]
    trip: Trip | None

    @property
    def trips(self) -> bool:
        """Whether that is more than the breaker lets pass."""
        return self.trip is not None

    @property
    def words(self) -> str:
        """One sentence."""
        by = ", ".join(f"{rule} {number}" for rule, number in sorted(self.rules.items()))
        said = f"Now, these packs would refuse {self.refused} of {self.accounts} accounts"
        return f"{said} by their next call{f' ({by})' if by else ''}, where the modes let them."

    @property
    def facts(self) -> dict[str, object]:
        """The same for programs."""
        return {"accounts": self.accounts, "refused": self.refused, "rules": self.rules, "trips": self.trips}


def ahead_of(site: Site) -> Ahead:
    """The look. Raises BadInput, LedgerError."""
    policy, now = site.policy, time.time()
    if not site.settings.ledger_path.exists():
        return Ahead(0, 0, {}, None)
    with site.ledger(policy) as ledger:
        callers = {account for account, _ in ledger.callers(Span(now - DAYS * 86_400, now, "now"))}
        refused = {
            account: rules for account in callers if (rules := refusing(ledger.seats(account, now), now))
        }
    breaker = Breaker(site.settings.breaker.band)
    breaker.use(
        {rule.spec.id: rule.spec.policy for rule in policy.rules},
        [rule.spec.id for rule in policy.rules if rule.spec.kind in PEOPLE],
    )
    trip = breaker.ahead(refused, len(callers), now)
    by_rule = Counter(rule for some in refused.values() for rule in some)
    return Ahead(len(callers), len(refused), dict(by_rule), trip)
