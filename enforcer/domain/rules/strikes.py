"""Strikes: violations on record, and what follows for those who repeat them.

Source: 247VoIP, 7 Copyrighted Material: "to terminate in appropriate circumstances the services of customers
who are repeat infringers"; CallTrackingMetrics: two months in any six, then thirty days' notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import ceil

from enforcer.domain.call import CallAttempt
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.registers import Strike
from enforcer.domain.rules.base import UNLIMITED, Judgement, RuleSpec, plain
from enforcer.domain.rules.seat import Seat
from enforcer.domain.rules.unsummed import Unsummed


class RepeatInfringer(Unsummed):
    """Levels are numbers of strikes: a level is reached with as many as `at`, in so many billing cycles (this
    one included), or in a rolling window. `spec.strikes` names the kinds that count; none named, all do.

    Of the strikes that settlements found, those of one cycle are one: what is repeated is a cycle in breach,
    whatever was wrong with it, and with however many accounts. Each that people entered is one.

    An account has its own strikes and those of its customer as a whole; with the scope of a customer, those
    of all its accounts are added up.
    """

    counting = False
    noun = "strikes"
    unit = "strikes"
    __slots__ = ("_fewest",)

    def __init__(self, spec: RuleSpec) -> None:
        super().__init__(spec)
        self._fewest = ceil(self._first)        # a whole number: to compare with it costs a tenth

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Nothing is counted of calls; those that it refuses are looked at."""
        return replace(measure, window=Window.LIVE, per_leg=False)

    def weigh(self, seat: Seat, attempt: CallAttempt) -> Judgement | None:
        """The same for every call."""
        return self.look(seat, attempt.at)

    def look(self, seat: Seat, at: float) -> Judgement | None:
        """The level that the strikes on record have reached."""
        found = self.found(seat, at)
        number = number_of(found) if found else 0
        if number < self._fewest:
            return None
        step, level = self.spec.critical, Level.CRITICAL
        if self.spec.warning is not None and number < step.at:
            step, level = self.spec.warning, Level.WARNING
        return Judgement(level, step, f"{number} in {self.window}", plain(step.at))

    def room(self, seat: Seat, at: float, switch: str) -> int:
        """All the calls there are while there is no level; none after that."""
        return UNLIMITED if self.look(seat, at) is None else 0

    def found(self, seat: Seat, at: float) -> list[Strike]:
        """The strikes that count at `at`, oldest first."""
        file, spec = seat.on_file(), self.spec
        account = file.account
        if not file.registers.strikes.any_of(account.customer):
            return []
        whose = "" if spec.measure.scope is Scope.CUSTOMER else account.id
        calendar = BillingCycle(account.anchor_day, account.timezone)
        return file.registers.strikes.of(account.customer, whose, spec.strikes, self.since(calendar, at))

    def since(self, calendar: BillingCycle, at: float) -> float:
        """The first moment that counts at `at`."""
        if not self.spec.cycles:
            return at - self.spec.measure.seconds
        start = calendar.at(at).start
        for _ in range(self.spec.cycles - 1):
            start = calendar.at(start - 1).start
        return start

    def until(self, calendar: BillingCycle, strike: Strike) -> float:
        """The last moment at which a strike counts; with cycles, the first at which it does not."""
        if not self.spec.cycles:
            return strike.at + self.spec.measure.seconds
        end = calendar.at(strike.at).end
        for _ in range(self.spec.cycles - 1):
            end = calendar.at(end).end
        return end

    @property
    def window(self) -> str:
        """The window in words."""
        if self.spec.cycles:
            return f"{self.spec.cycles} cycles" if self.spec.cycles > 1 else "this cycle"
        return f"{plain_days(self.spec.measure.seconds)} days"


def number_of(strikes: Iterable[Strike]) -> int:
    """As how many they count.

    >>> number_of(Strike(id, "asr", 0.0, "acme", "", "2026-10") for id in ("s-1", "s-2"))
    1
    """
    return len({strike.cycle or f"#{strike.id}" for strike in strikes})


def plain_days(seconds: int) -> str:
    """Seconds as days, for people."""
    return f"{seconds / 86_400:g}"
