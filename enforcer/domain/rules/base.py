"""What every rule has: a clause, a measure, two levels, and what each level asks for.

In: a tally. Out: a judgement, or None where there is nothing to say.
Refuses to know: modes, accounts, and every other rule.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from typing import NamedTuple

from enforcer.domain.account import Account, AccountType
from enforcer.domain.charge import Charge
from enforcer.domain.decision import Level, OnFailure, Verdict
from enforcer.domain.usage import Measure, Tally

UNLIMITED = 1 << 30     # attempts of headroom where a rule can never be reached


@dataclass(frozen=True, slots=True)
class Step:
    """One level of a rule: where it begins, and what it asks for then.

    `at` is in the metric's own unit (see each kind); `sip_code` is what a blocked caller gets.
    """

    at: Fraction
    verdict: Verdict
    sip_code: int = 403


@dataclass(frozen=True, slots=True)
class Pace:
    """How THROTTLE lets calls through: `calls` in any `seconds`, each held for `max_hold` seconds
    at the most; a call that would have to wait longer is shed. Raises ValueError for a pace that
    would let nothing through."""

    calls: int = 1
    seconds: float = 1.0
    max_hold: float = 2.0

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0:
            raise ValueError(f"no pace: {self.calls} calls in {self.seconds} seconds")

    @classmethod
    def of_rate(cls, cps: Fraction, max_hold: float) -> Pace:
        """The pace that never lets more than `cps` calls through in any second.

        So a fraction above one counts as the whole number below it; under one, it is one call in
        so many seconds. Raises ValueError for a rate of 0 or less.

        >>> Pace.of_rate(Fraction(5), 2), Pace.of_rate(Fraction(1, 4), 2)
        (Pace(calls=5, seconds=1.0, max_hold=2), Pace(calls=1, seconds=4.0, max_hold=2))
        """
        if cps >= 1:
            return cls(int(cps), 1.0, max_hold)
        if cps <= 0:
            raise ValueError(f"no pace: {cps} calls a second")
        return cls(1, float(1 / cps), max_hold)


class Pacer:
    """The releases a pace has given. Exact: no window of `seconds` ever holds more than `calls`.

    The n-th call is released no earlier than `seconds` after the one `calls` before it: first
    in, first out. Costs one look at a short queue.
    """

    __slots__ = ("_releases", "pace")

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._releases: deque[float] = deque(maxlen=pace.calls)

    def hold(self, at: float) -> float:
        """Seconds that a call arriving at `at` has to wait; 0.0 at once."""
        releases = self._releases
        if len(releases) < self.pace.calls:
            return 0.0
        earliest = releases[0] + self.pace.seconds
        return earliest - at if earliest > at else 0.0

    def take(self, release: float) -> None:
        """A call goes on at `release` (Unix seconds). Where another rule held its predecessor for
        longer, it is noted as of then: the queue stays in order and can be counted by halving."""
        releases = self._releases
        releases.append(release if not releases or release > releases[-1] else releases[-1])

    def busy(self, calls: int, at: float) -> bool:
        """Whether at least so many calls (1 or more) were released in the `seconds` before `at`."""
        releases = self._releases
        return len(releases) >= calls and releases[-calls] > at - self.pace.seconds

    def used(self, at: float) -> int:
        """Calls released in the `seconds` before `at`, or due later."""
        return len(self._releases) - bisect_right(self._releases, at - self.pace.seconds)


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule as a policy pack states it.

    `clause` names the clause of the AUP, `text` says it in plain words. The selectors
    (`types`, `plans`, `customers`, `accounts`) narrow it where they are not empty.
    `critical` acts at the limit; `warning`, where given, before it. `charge` is what a breach costs when
    the cycle is settled.
    """

    id: str
    kind: str
    clause: str
    measure: Measure
    critical: Step
    warning: Step | None = None
    text: str = ""
    policy: str = ""                    # "<pack>@<revision>"
    on_failure: OnFailure = OnFailure.OPEN
    pace: Pace = field(default_factory=Pace)
    min_attempts: int = 0               # asr: judge no smaller sample
    hang_up: bool = False               # end calls in progress when the limit is crossed
    types: frozenset[AccountType] = frozenset()
    plans: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    charge: Charge | None = None

    def covers(self, account: Account) -> bool:
        """Whether this rule is about this account."""
        return (
            (not self.types or account.type in self.types)
            and (not self.plans or account.plan in self.plans)
            and (not self.customers or account.customer in self.customers)
            and (not self.accounts or account.id in self.accounts)
        )


class Judgement(NamedTuple):
    """What one rule says of one attempt: its level and the step it stands on, and the numbers.

    `value` and `limit` are rendered, exact and for people, from the warning on. `max_duration`
    (seconds) is the allowance left to this call; where nothing else is said the level is FINE.
    """

    level: Level
    step: Step | None
    value: str
    limit: str
    max_duration: int | None = None


class Rule:
    """Base of all kinds. `per_call` rules must see every call: they never allow a lease. Those that are
    `settled_only` see none, and no counter is kept for them: they speak when a cycle is over.

    `spec.measure` is the measure the kind really needs, whatever the caller's said of the window.
    `about` has the calls that the rule counts; what it does not count it does not judge.
    """

    per_call = False
    settled_only = False
    metric = ""
    unit = ""

    __slots__ = ("_first", "about", "spec")

    def __init__(self, spec: RuleSpec) -> None:
        self.spec = replace(spec, measure=self.measured(spec.measure))
        warning = spec.warning
        self._first = spec.critical.at if warning is None else min(warning.at, spec.critical.at)
        self.about = self.spec.measure.calls

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """The measure this kind really needs, given what the pack says of calls and numbers."""
        return measure

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """The judgement at `at`, the attempt in question counted already; None where all is fine.

        Kinds that pace calls get their account's `pacer`; they look at it, and never take from it.
        """
        raise NotImplementedError

    def headroom(self, tally: Tally, at: float) -> int:
        """How many more attempts, however they end, surely stay below the first level."""
        raise NotImplementedError

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """The metric's value now and its limit, rendered: for reports, whatever the level."""
        raise NotImplementedError


class Count(Rule):
    """Base of the kinds whose levels are numbers that are still fine: one more is past the level."""

    __slots__ = ("_fine",)

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(spec)
        self._fine = floor(self._first)

    def counted(self, tally: Tally) -> int:
        """The number that the levels are about."""
        raise NotImplementedError

    def judge(self, tally: Tally, at: float, pacer: Pacer | None) -> Judgement | None:
        """Past a level when the number, the attempt in question included, exceeds it."""
        number = self.counted(tally)
        if number <= self._fine:
            return None
        step, level = self.spec.critical, Level.CRITICAL
        if number <= step.at and self.spec.warning is not None:
            step, level = self.spec.warning, Level.WARNING
        return Judgement(level, step, str(number), plain(step.at))

    def headroom(self, tally: Tally, at: float) -> int:
        """What may still be added before the first level is passed."""
        return max(0, self._fine - self.counted(tally))

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """The number so far, and the limit."""
        return str(self.counted(tally)), plain(self.spec.critical.at)


def plain(number: Fraction) -> str:
    """A number for people: exact where it is short, else to three decimals.

    >>> plain(Fraction(4)), plain(Fraction(7, 2)), plain(Fraction(1, 3))
    ('4', '3.5', '0.333')
    """
    if number.denominator == 1:
        return str(number.numerator)
    return f"{float(number):.3f}".rstrip("0").rstrip(".")
