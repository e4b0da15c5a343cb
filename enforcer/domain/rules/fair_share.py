"""Fair share: while a switch is busy, nobody holds more of it than is fair to the others.

Source: 247VoIP, 8 Shared Systems: no use that "consumes a disproportionate share of the resources of the
system".
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules.base import UNLIMITED, Judgement, Step, plain
from enforcer.domain.rules.seat import Seat
from enforcer.domain.rules.unsummed import Unsummed
from enforcer.domain.usage import Tally


class FairShare(Unsummed):
    """Levels are multiples of the fair share (see `load`): with `at = 1`, an account that would hold more
    calls than its share is over the limit, but only while more than the `contended` part of the switch is in
    use. Nobody is held to less than one call, whatever the multiple.

    THROTTLE has nothing to pace here: a call over the share is shed, as a full trunk would. Acts nowhere
    where the switch's `channels` are not told.
    """

    counting = False
    sheds = True
    noun = "calls in progress on a busy switch"
    unit = "times the fair share"
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Calls in progress; the switch's load counts them."""
        return replace(measure, window=Window.LIVE, per_leg=False)

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """A matter of the moment and the switch; only the limit stands."""
        return "-", f"{plain(self.spec.critical.at)} x fair share"

    def weigh(self, seat: Seat, attempt: CallAttempt) -> Judgement | None:
        """Critical where the account holds more than its share of the switch that the call is on."""
        load = seat.on_file().loads.of(attempt.switch)
        share = load.share(self.spec.contended)
        if share is None:
            return None
        calls = load.by_account.get(attempt.account, 0)
        step, level, limit = self.spec.critical, Level.CRITICAL, _held_to(share, self.spec.critical)
        if calls <= limit:
            warning = self.spec.warning
            if warning is None or calls <= _held_to(share, warning):
                return None
            step, level, limit = warning, Level.WARNING, _held_to(share, warning)
        return Judgement(
            level, step, str(calls), f"{plain(limit)} ({load.total} of {load.channels} channels in use)"
        )

    def room(self, seat: Seat, at: float, switch: str) -> int:
        """Calls until the switch is contended, whoever makes them."""
        load = seat.on_file().loads.of(switch)
        if not load.channels:
            return UNLIMITED
        return max(0, int(load.channels * self.spec.contended) - load.total)


def _held_to(share: Fraction, step: Step) -> Fraction:
    return max(Fraction(1), share * step.at)
