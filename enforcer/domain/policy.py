"""A policy in force: the rules of all its packs, and which of them are about an account.

In: rules as packs state them. Out: the measures that a ledger has to count, and the rules about one account.
Refuses to know: TOML, and where packs lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from enforcer.domain.account import Account
from enforcer.domain.measure import Calendar, Measure, Scope, Window
from enforcer.domain.rules import Rule
from enforcer.domain.rules.seat import Seat

__all__ = ["Pack", "Policy", "Seat"]


@dataclass(frozen=True, slots=True)
class Pack:
    """Where rules come from: one AUP as one file, with the revision that decisions record."""

    name: str
    revision: str
    currency: str = "USD"
    effective: str = ""         # ISO date from which this revision holds
    source: str = ""            # the text of the AUP, for people
    contact: str = ""           # whom a customer calls about it
    text: str = ""              # the file itself, so that the past can be explained by it

    @property
    def label(self) -> str:
        """As decisions record it: "<pack>@<revision>"."""
        return f"{self.name}@{self.revision}"


class Policy:
    """All rules in force, in the order of the packs. Immutable: a changed pack is a new Policy.
    Raises ValueError for two rules of one id.

    `measures[scope]` are the distinct measures of a scope, each once; a rule's tally is found by
    its place in that list, so that rules which count the same calls share one tally, whatever each of them
    counts apart or remembers of single calls. `calendars[scope]` are the distinct calendars of their cycles.
    Rules that only settlement asks are among `rules`, and have neither measure nor seat.
    """

    def __init__(self, rules: Iterable[Rule] = (), packs: Iterable[Pack] = ()) -> None:
        self.rules = tuple(rules)
        self.packs = tuple(packs)
        self.label = "+".join(pack.label for pack in self.packs)
        ids = [rule.spec.id for rule in self.rules]
        if len(set(ids)) < len(ids):
            raise ValueError(f"two rules of the id {next(one for one in ids if ids.count(one) > 1)!r}")
        self._live = tuple(rule for rule in self.rules if not rule.settled_only)
        counting = [rule for rule in _with_signals(self._live) if rule.counting]
        found: dict[Scope, list[Measure]] = {scope: [] for scope in Scope}
        self._place: dict[Rule, int] = {}
        for rule in counting:
            measure = rule.spec.measure
            there = found[measure.scope]
            for place, known in enumerate(there):
                shared = _both(known, measure)
                if shared is not None:
                    there[place] = shared
                    break
            else:
                place = len(there)
                there.append(measure)
            self._place[rule] = place
        self.measures = {scope: tuple(there) for scope, there in found.items()}
        self.calendars: dict[Scope, tuple[Calendar, ...]] = {
            scope: tuple(dict.fromkeys(
                measure.calendar for measure in measures if measure.window is Window.CYCLE
            ))
            for scope, measures in self.measures.items()
        }

    def place(self, rule: Rule) -> int:
        """Where in `measures[scope]` the rule's measure stands."""
        return self._place[rule]

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, None where the policy has none."""
        return next((rule for rule in self.rules if rule.spec.id == rule_id), None)

    def about(self, account: Account) -> tuple[Rule, ...]:
        """The rules that cover this account and judge its calls."""
        return tuple(rule for rule in self._live if rule.spec.covers(account))

    def pack_of(self, rule: Rule) -> Pack | None:
        """The pack that states a rule of this policy, None for a rule made without one."""
        return next((pack for pack in self.packs if pack.label == rule.spec.policy), None)


def _with_signals(rules: Iterable[Rule]) -> Iterator[Rule]:
    for rule in rules:
        yield rule
        yield from rule.spec.also


def _both(some: Measure, other: Measure) -> Measure | None:
    """The measure that serves both: the same calls, and whatever either counts apart or remembers of them.
    None where they count different calls, or look at the same ones in two ways."""
    if replace(some, **_APART) != replace(other, **_APART):
        return None
    shared: dict[str, Any] = {"details": some.details | other.details}
    for name, nothing in _APART.items():
        ours, theirs = getattr(some, name), getattr(other, name)
        if name == "details":
            continue
        if ours != theirs and nothing not in (ours, theirs):
            return None
        shared[name] = ours or theirs
    return replace(some, **shared)


# What a measure may ask for besides the sums, and what asks for nothing.
_APART: dict[str, Any] = {"details": frozenset(), "marked": frozenset(), "near_msec": 0, "redial_seconds": 0}
