"""One row of a settlement: one rule and one customer, or one of its accounts, in a closed cycle.

In: what a rule came to. Out: what is claimed for it, and what people have to be told about it.
Refuses to know: ledgers, and how a row is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from enforcer.domain.account import AccountType
from enforcer.domain.charge import Claim, On, Subject, exact
from enforcer.domain.cycle import Span
from enforcer.domain.notice import About, Audience, Notice
from enforcer.domain.policy import Pack
from enforcer.domain.registers import Notices
from enforcer.domain.rules import Rule
from enforcer.domain.rules.average_minutes import Share, pulling_up
from enforcer.domain.rules.diluted_average import DilutedAverage, spread
from enforcer.domain.settle import Settled, why_not_owed


@dataclass(frozen=True, slots=True)
class Row:
    """See the module. `shares` has every account of an average. `held` says why nothing is owed for a breach
    that has a price, "" where it is. `charge` is the net of all entries in the book."""

    customer: str
    account: str                # "" for the customer as a whole
    account_type: AccountType | None
    rule: Rule
    cycle: str
    span: Span
    settled: Settled
    shares: tuple[Share, ...] = ()
    pack: Pack | None = None    # the revision that states the rule
    held: str = ""
    charge: Decimal = Decimal(0)

    @property
    def currency(self) -> str:
        """What its charge is in."""
        return self.pack.currency if self.pack is not None else "USD"

    @property
    def about(self) -> Subject:
        """What an entry in the book of charges calls it."""
        return self.customer, self.account, self.rule.spec.id, self.cycle

    @property
    def pulling_up(self) -> list[Share]:
        """The accounts above the average, where that is a breach."""
        if not self.settled.breached or isinstance(self.rule, DilutedAverage):
            return []
        return pulling_up(self.shares)

    @property
    def idle(self) -> list[Share]:
        """The accounts not in use that diluted an average, where that is what was found."""
        if not self.settled.breached or not isinstance(self.rule, DilutedAverage):
            return []
        return spread(self.shares, self.rule.spec.critical.at).idle

    @property
    def whom(self) -> str:
        """The customer, or its account, in words."""
        return f"customer {self.customer}" + (f", account {self.account}" if self.account else "")

    @property
    def troubles(self) -> list[str]:
        """Why there is no figure to judge, and why a breach is not charged for."""
        found = []
        if self.settled.value is None and not self.settled.breached:
            minutes = exact(self.rule.spec.critical.at)
            found.append(
                f"{self.whom}, {self.rule.spec.id}: its trunks are registered without channels, so {minutes} "
                "minutes for each cannot be judged: see `enforcer account set --channels`"
            )
        if self.held:
            found.append(
                f"{self.whom}, {self.rule.spec.id}: {money(self.settled.owed)} {self.currency} for the "
                f"breach are not charged: {self.held}"
            )
        return found

    def claim(self) -> Claim:
        """What it says is owed."""
        spec, settled = self.rule.spec, self.settled
        owed = Decimal(0) if self.held else settled.owed
        words = ""
        if owed and spec.charge is not None:
            beyond = " beyond the limit" if spec.charge.on is On.EXCESS else ""
            words = f"{exact(settled.units)} x {spec.charge.amount} per {spec.charge.per}{beyond}"
        return Claim(*self.about, spec.policy, owed, self.currency, spec.clause, words)


def money(amount: Decimal) -> str:
    """An amount, exact, with two places at least.

    >>> money(Decimal("0.5")), money(Decimal("20.005")), money(Decimal(0))
    ('0.50', '20.005', '0.00')
    """
    text = f"{amount:f}"
    whole, _, places = text.partition(".")
    return f"{whole}.{places:0<2}"


Told = Mapping[tuple[str, str, str], Sequence[Notice]]      # by rule, customer and account


def told(notices: Notices) -> Told:
    """What customers were told about rules, by rule and subject."""
    found: dict[tuple[str, str, str], list[Notice]] = {}
    for one in notices.all():
        if one.audience is Audience.CUSTOMER and one.about is About.LEVEL:
            found.setdefault((one.rule, one.customer, one.account), []).append(one)
    return found


def why_held(row: Row, notices: Told) -> str:
    """Why a breach that has a price is not charged for: its rule acts only on notice, and none counts."""
    if row.rule.spec.notice is None or not row.settled.owed:
        return ""
    return why_not_owed(notices.get((row.rule.spec.id, row.customer, row.account), ()), row.span)
