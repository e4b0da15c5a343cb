"""Strikes: entered and withdrawn by people, and how far each rule about them has come.

In: a ledger, a policy, who breached what. Out: entries in the journal; standings: which strikes count within
which rule's window, until when, and how many are missing.
Refuses to know: terminals, and what a rule does when its limit is reached.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

from enforcer.control.report import calendar_of
from enforcer.control.subjects import Subject
from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.decision import Level
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.measure import Scope
from enforcer.domain.policy import Policy
from enforcer.domain.registers import Strike
from enforcer.domain.rules.base import plain
from enforcer.domain.rules.strikes import RepeatInfringer
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.toml_models import meant, one_of


class Counted(NamedTuple):
    """A strike that counts, and when it stops counting (Unix seconds)."""

    strike: Strike
    until: float


class StrikeStanding(NamedTuple):
    """One rule and one customer (`account` ""), or one of its accounts: the strikes that count now."""

    rule: RepeatInfringer
    customer: str
    account: str
    timezone: str
    counted: tuple[Counted, ...]        # the oldest first

    @property
    def level(self) -> Level:
        """The level that is reached with as many."""
        spec, number = self.rule.spec, len(self.counted)
        if number >= spec.critical.at:
            return Level.CRITICAL
        return Level.WARNING if spec.warning is not None and number >= spec.warning.at else Level.FINE

    @property
    def to_go(self) -> int:
        """How many more reach the limit."""
        return max(0, -int(-self.rule.spec.critical.at // 1) - len(self.counted))

    def facts(self) -> dict[str, Any]:
        """For programs."""
        spec = self.rule.spec
        return {
            "rule": spec.id, "clause": spec.clause, "customer": self.customer,
            "account": self.account or None,
            "window": self.rule.window, "count": len(self.counted), "limit": plain(spec.critical.at),
            "to_go": self.to_go, "level": self.level.name.lower(),
            "counted": [
                {"strike": one.strike.id, "until": iso(one.until, self.timezone)} for one in self.counted
            ],
        }


def add(
    ledger: Ledger, whose: Subject, kind: str, at: float, now: float, who: str, why: str = "", name: str = ""
) -> Strike:
    """Put a strike on record; `name` is its id where one is given: the same one twice is one strike. Raises
    BadInput for a kind that is no word."""
    if not kind.strip() or not kind.isprintable():
        raise BadInput("--kind", "must be a word or a few, such as copyright")
    known = ledger.registers.strikes.get(name) if name else None
    if known is not None:
        return known
    strike = Strike(
        name or f"s{secrets.token_hex(4)}", kind.strip(), at, whose.customer, whose.account, "", who, why, now
    )
    body = {"kind": strike.kind, "at": at, "who": who, "why": why}
    ledger.put([JournalEntry(
        Kind.STRIKE, now, strike.id, whose.customer, whose.account,
        {name: value for name, value in body.items() if value != ""},
    )])
    return strike


def known_strike(ledger: Ledger, strike_id: str) -> Strike:
    """The strike of that id. Raises BadInput."""
    strikes = ledger.registers.strikes
    found = strikes.get(strike_id)
    if found is None:
        hint = meant(strike_id, [one.id for one in strikes.all()])
        raise BadInput("ID", f"no such strike: {strike_id!r}{hint or '; see `enforcer strike list`'}")
    return found


def withdraw(ledger: Ledger, strike_id: str, now: float, who: str, why: str) -> Strike:
    """It counts no more; it stays on record. Raises BadInput."""
    strike = known_strike(ledger, strike_id)
    if strike.pardoned:
        raise BadInput("ID", f"strike {strike_id} is withdrawn already: {strike.pardoned}")
    ledger.put([JournalEntry(
        Kind.PARDON, now, strike.id, strike.customer, strike.account, {"who": who, "why": why}
    )])
    return strike


def unheard(policy: Policy, kind: str) -> str:
    """A warning where no rule of the packs counts strikes of this kind; "" where one does."""
    named: dict[str, None] = {}
    for rule in strike_rules(policy):
        if not rule.spec.strikes or kind in rule.spec.strikes:
            return ""
        named.update(dict.fromkeys(sorted(rule.spec.strikes)))
    there = f"they count {one_of(named)}" if named else "none counts any"
    return f"warning: no rule of the packs counts strikes of the kind {kind!r} ({there}){meant(kind, named)}"


def strike_rules(policy: Policy) -> Iterator[RepeatInfringer]:
    """The rules about strikes, those that are signals of others as well."""
    for rule in policy.rules:
        for one in (rule, *rule.spec.also):
            if isinstance(one, RepeatInfringer):
                yield one


def standings(
    ledger: Ledger, policy: Policy, now: float, customer: str = "", account: str = ""
) -> list[StrikeStanding]:
    """Each rule about strikes and each that has any which counts now: of all, one customer or one account."""
    registers = ledger.registers
    rules = [rule for rule in policy.rules if isinstance(rule, RepeatInfringer)]
    found = []
    for name in dict.fromkeys(strike.customer for strike in registers.strikes.all(customer)):
        accounts = {one.id: one for one in ledger.accounts(name)}
        for strike in registers.strikes.all(name):
            if strike.account and strike.account not in accounts:
                accounts[strike.account] = ledger.account(strike.account)
        if not accounts:
            accounts[name] = ledger.account(name)
        for rule in rules:
            covered = [one for one in accounts.values() if rule.spec.covers(one)]
            if account:
                covered = [one for one in covered if one.id == account]
            if rule.spec.measure.scope is Scope.CUSTOMER:
                covered = covered[:1]
            for one in covered:
                standing = _standing(ledger, rule, one, now)
                if standing.counted:
                    found.append(standing)
    return found


def _standing(ledger: Ledger, rule: RepeatInfringer, account: Account, now: float) -> StrikeStanding:
    """The same strikes that the rule finds for a call of this account at `now`."""
    calendar = calendar_of(ledger, Scope.ACCOUNT, account)
    whose = "" if rule.spec.measure.scope is Scope.CUSTOMER else account.id
    counted = ledger.registers.strikes.of(
        account.customer, whose, rule.spec.strikes, rule.since(calendar, now)
    )
    return StrikeStanding(
        rule, account.customer, whose, account.timezone,
        tuple(Counted(strike, rule.until(calendar, strike)) for strike in counted if strike.at <= now),
    )


def facts(strike: Strike, of: list[StrikeStanding], timezone: str) -> dict[str, Any]:
    """A strike for programs: `counts` are the rules that count it now, each until when."""
    return {
        "id": strike.id, "kind": strike.kind, "at": iso(strike.at, timezone), "customer": strike.customer,
        "account": strike.account or None, "cycle": strike.cycle or None, "by": strike.who or None,
        "reason": strike.why or None, "entered": iso(strike.entered, timezone),
        "withdrawn": strike.pardoned or None,
        "counts": [
            {"rule": one.rule.spec.id, "account": one.account or None, "until": iso(counted.until, timezone)}
            for one in of for counted in one.counted if counted.strike.id == strike.id
        ],
    }
