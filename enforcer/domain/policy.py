"""A policy in force: the rules of all its packs, and which of them are about an account.

In: rules as packs state them. Out: the seats that one account's rules take.
Refuses to know: TOML, and where packs lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from enforcer.domain.account import Account
from enforcer.domain.rules import Rule
from enforcer.domain.rules.base import Pacer
from enforcer.domain.rules.cps import CallsPerSecond
from enforcer.domain.usage import Measure, Scope, Tally


@dataclass(frozen=True, slots=True)
class Pack:
    """Where rules come from: one AUP as one file, with the revision that decisions record."""

    name: str
    revision: str
    currency: str = "USD"
    effective: str = ""         # ISO date from which this revision holds
    source: str = ""            # the text of the AUP, for people
    contact: str = ""           # whom a customer calls about it

    @property
    def label(self) -> str:
        """As decisions record it: "<pack>@<revision>"."""
        return f"{self.name}@{self.revision}"


class Policy:
    """All rules in force, in the order of the packs. Immutable: a changed pack is a new Policy.
    Raises ValueError for two rules of one id.

    `measures[scope]` are the distinct measures of a scope, each once; a rule's tally is found by
    its place in that list, so that rules which count the same calls share one tally. Rules that only
    settlement asks are among `rules`, and have neither measure nor seat.
    """

    def __init__(self, rules: Iterable[Rule] = (), packs: Iterable[Pack] = ()) -> None:
        self.rules = tuple(rules)
        self.packs = tuple(packs)
        self.label = "+".join(pack.label for pack in self.packs)
        found: dict[Scope, list[Measure]] = {scope: [] for scope in Scope}
        self._place: dict[str, int] = {}
        if len({rule.spec.id for rule in self.rules}) < len(self.rules):
            ids = [rule.spec.id for rule in self.rules]
            raise ValueError(f"two rules of the id {next(one for one in ids if ids.count(one) > 1)!r}")
        self._live = tuple(rule for rule in self.rules if not rule.settled_only)
        for rule in self._live:
            measure = rule.spec.measure
            same_scope = found[measure.scope]
            if measure not in same_scope:
                same_scope.append(measure)
            self._place[rule.spec.id] = same_scope.index(measure)
        self.measures: dict[Scope, tuple[Measure, ...]] = {s: tuple(m) for s, m in found.items()}

    def place(self, rule: Rule) -> int:
        """Where in `measures[scope]` the rule's measure stands."""
        return self._place[rule.spec.id]

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, None where the policy has none."""
        return next((rule for rule in self.rules if rule.spec.id == rule_id), None)

    def about(self, account: Account) -> tuple[Rule, ...]:
        """The rules that cover this account and judge its calls."""
        return tuple(rule for rule in self._live if rule.spec.covers(account))

    def pack_of(self, rule: Rule) -> Pack | None:
        """The pack that states a rule of this policy, None for a rule made without one."""
        return next((pack for pack in self.packs if pack.label == rule.spec.policy), None)


class Seat:
    """One rule at one account: the tally it reads, and the pacer that THROTTLE uses."""

    __slots__ = ("pacer", "rule", "tally")

    def __init__(self, rule: Rule, tally: Tally, pacer: Pacer | None = None) -> None:
        self.rule = rule
        self.tally = tally
        self.pacer = Pacer(rule.spec.pace) if pacer is None and isinstance(rule, CallsPerSecond) else pacer

    def pacing(self) -> Pacer:
        """The pacer, made when first needed."""
        if self.pacer is None:
            self.pacer = Pacer(self.rule.spec.pace)
        return self.pacer
