"""What every rule has: a clause, a measure, two levels, and what each level asks for.

In: a tally, or a seat where a kind has to see more than sums. Out: a judgement, or None where there is
nothing to say. Refuses to know: modes, and every other rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, NamedTuple

from enforcer.domain.account import Account, AccountType, Standing
from enforcer.domain.call import CallAttempt
from enforcer.domain.charge import Charge, Per
from enforcer.domain.cycle import Period
from enforcer.domain.decision import Level, OnFailure, Verdict
from enforcer.domain.joining import MOST_LEGS
from enforcer.domain.measure import Measure, Window
from enforcer.domain.notice import NoticeTerms
from enforcer.domain.rules.glance import Glance
from enforcer.domain.rules.pace import Pace, Pacer
from enforcer.domain.usage import Tally

if TYPE_CHECKING:
    from enforcer.domain.rules.seat import Seat

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
class RuleSpec:
    """A rule as a policy pack states it.

    `clause` names the clause of the AUP, `text` says it in plain words. The selectors
    (`types`, `plans`, `customers`, `accounts`) narrow it where they are not empty.
    `critical` acts at the limit; `warning`, where given, before it. `charge` is what a breach costs when
    the cycle is settled. `also` are signals that have to be there as well. `notice` None acts without one.
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
    min_attempts: int = 0               # judge no smaller sample of attempts
    min_answered: int = 0               # nor of answered calls
    exceeds: bool | None = None         # passed by more than `at`; False: by `at` itself; None: as the kind
    hang_up: bool = False               # end calls in progress when the limit is crossed
    types: frozenset[AccountType] = frozenset()
    plans: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    charge: Charge | None = None
    notice: NoticeTerms | None = None
    also: tuple[Rule, ...] = ()
    strike: bool = False                # a cycle that closes in breach is a strike
    propose: Standing | None = None     # at the limit, people are asked to decide on this
    of_attempts: bool = False           # short_calls: of all attempts, not of answered ones
    strikes: frozenset[str] = frozenset()       # strikes: of these kinds only
    cycles: int = 0                     # strikes: in so many billing cycles, this one included
    contended: Fraction = Fraction(4, 5)        # fair_share: the part of a switch that has to be in use

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
    `also` are the signals that were there as well, in words.
    """

    level: Level
    step: Step | None
    value: str
    limit: str
    max_duration: int | None = None
    also: str = ""


class Closed(NamedTuple):
    """What a closed cycle comes to, to the letter. `value` is in the rule's own unit, None where there is no
    such number; `beyond` is by how many of what its limit is a limit of it went over."""

    value: Fraction | None
    breached: bool
    beyond: Fraction
    attempts: int
    completed: int


class Rule:
    """Base of all kinds. `per_call` rules must see every call: they never allow a lease. Those that are
    `settled_only` see none, and no counter is kept for them: they speak when a cycle is over. Nor is one for
    those that are not `counting`: they look at what is on file. Where THROTTLE has nothing to wait for,
    the kind `sheds`.

    `spec.measure` is the measure the kind really needs, whatever the caller's said of the window.
    `about` has the calls that the rule counts, and `routes` (where not empty) the carriers that they go or
    come by; what it does not count it does not judge, nor a call whose route is not known yet.
    `acts`: one of its levels holds or refuses calls; else it is an indicator, which tags or reports.
    `glance` has what every question needs of it (see `Glance`).
    `summed`: its tally is all it has to see; else it looks at its seat (`weigh`, `look`, `room`).
    `charged_by` is what its limit is a limit of: only that can be charged for as its excess.
    """

    per_call = False
    settled_only = False
    counting = True
    sheds = False
    noun = ""
    unit = ""
    charged_by: Per | None = None

    __slots__ = ("_first", "about", "acts", "glance", "metric", "routes", "spec", "summed")

    def __init__(self, spec: RuleSpec) -> None:
        self.spec = replace(spec, measure=self.measured(spec.measure))
        warning = spec.warning
        self._first = spec.critical.at if warning is None else min(warning.at, spec.critical.at)
        self.about = self.spec.measure.calls
        self.routes = self.spec.measure.routes
        self.metric = self.named(self.spec.measure)
        self.acts = max(step.verdict for step in (warning, spec.critical) if step is not None) > Verdict.TAG
        self.summed = not spec.also and type(self).weigh is Rule.weigh
        self.glance = Glance(self)

    @classmethod
    def named(cls, measure: Measure) -> str:
        """The metric in words; most kinds say over which stretch of time it is."""
        return f"{cls.noun} {window_words(measure)}"

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

    def close(self, tally: Tally, divisor: int) -> Closed | None:
        """What a closed cycle comes to; None for kinds about a moment, which a cycle does not settle."""
        return None

    def exhausted(self, seat: Seat, at: float) -> bool:
        """Whether the rule blocks whatever is tried until its cycle is over: its limit is used up."""
        return False

    def weigh(self, seat: Seat, attempt: CallAttempt) -> Judgement | None:
        """The judgement on an attempt that the rule counts, by all that the kind has to see."""
        return self.look(seat, attempt.at)

    def look(self, seat: Seat, at: float) -> Judgement | None:
        """How things stand at `at`, no attempt being made."""
        judgement = self.judge(seat.tally, at, seat.pacer)
        if judgement is None or not seat.also:
            return judgement
        signals = []
        for signal in seat.also:
            found = signal.rule.look(signal, at)
            if found is None or not found.level:
                return None
            signals.append(f"{signal.rule.metric} {found.value}, limit {found.limit}")
        return judgement._replace(also="; ".join(signals))

    def room(self, seat: Seat, at: float, switch: str) -> int:
        """How many more calls surely stay below the first level: until the last signal is there.

        Where legs are counted, each of them may have as many as there can be, and so may those in progress.
        """
        room = self.headroom(seat.tally, at)
        if self.spec.measure.per_leg:
            room = max(0, room - MOST_LEGS * seat.tally.live) // MOST_LEGS
        return max([room, *(signal.rule.room(signal, at, switch) for signal in seat.also)])


class Count(Rule):
    """Base of the kinds whose levels are numbers that are still fine: one more is past the level."""

    most_at_once = 1            # by how much one call can raise the number

    __slots__ = ("_fine",)

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(spec)
        self._fine = floor(self._first)
        self.glance.quiet = self._fine + 1      # no call is counted here that is no attempt

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
        return max(0, self._fine - self.counted(tally)) // self.most_at_once

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """The number so far, and the limit."""
        return str(self.counted(tally)), plain(self.spec.critical.at)

    def close(self, tally: Tally, divisor: int) -> Closed | None:
        """The number of the whole cycle."""
        if self.spec.measure.window is Window.LIVE:
            return None
        number, limit = self.counted(tally), self.spec.critical.at
        return Closed(
            Fraction(number), number > limit, Fraction(number - floor(limit)), tally.attempts, tally.completed
        )


def plain(number: Fraction) -> str:
    """A number for people: exact where it is short, else to three decimals.

    >>> plain(Fraction(4)), plain(Fraction(7, 2)), plain(Fraction(1, 3))
    ('4', '3.5', '0.333')
    """
    if number.denominator == 1:
        return str(number.numerator)
    return f"{float(number):.3f}".rstrip("0").rstrip(".")


_PERIODS = {Period.MONTH: "this cycle", Period.WEEK: "this week", Period.DAY: "today"}
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def window_words(measure: Measure) -> str:
    """The stretch of time that a measure is about, as part of a sentence.

    >>> window_words(Measure(window=Window.ROLLING, seconds=7200))
    'in 2 h'
    """
    if measure.window is Window.ROLLING:
        size, unit = next((size, unit) for size, unit in _UNITS if measure.seconds % size == 0)
        return f"in {measure.seconds // size} {unit}"
    return _PERIODS[measure.calendar.period]
