"""Opt-outs: nobody is called or written to who has said that they do not want it.

Source: 247VoIP, 3 Unsolicited Communications: not "to a person who has indicated that they do not wish to
receive it".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from enforcer.domain.call import CallAttempt, Direction
from enforcer.domain.decision import Level
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.registers import OptOut
from enforcer.domain.rules.base import UNLIMITED, Judgement
from enforcer.domain.rules.seat import Seat
from enforcer.domain.rules.unsummed import Unsummed
from enforcer.domain.usage import Tally

_HOW = {"message": "by message", "import": "by a list that was imported", "": "as entered"}


class OptedOut(Unsummed):
    """The limit is none: each call and message to a number that opted out is past it.

    With the scope of an account, people opt out of one sender; with that of a customer, a word to one of its
    senders counts for all. An account whose customer nobody opted out of may hold a lease.
    """

    counting = False
    noun = "opted out"
    unit = "calls and messages"
    __slots__ = ()

    @staticmethod
    def measured(measure: Measure) -> Measure:
        """Nothing is counted; the calls and messages that leave are looked at."""
        return replace(
            measure, window=Window.LIVE, per_leg=False,
            directions=measure.directions - {Direction.INBOUND} or frozenset({Direction.OUTBOUND}),
        )

    def standing(self, tally: Tally, at: float) -> tuple[str, str]:
        """A matter of each number; only the limit stands."""
        return "-", "none"

    def weigh(self, seat: Seat, attempt: CallAttempt) -> Judgement | None:
        """Critical where the number opted out."""
        found = self.found(seat, attempt.number)
        if found is None:
            return None
        since = datetime.fromtimestamp(found.at, UTC).date().isoformat()
        how = _HOW.get(found.source, "as entered")
        return Judgement(Level.CRITICAL, self.spec.critical, f"{since} {how}", "none")

    def room(self, seat: Seat, at: float, switch: str) -> int:
        """None to give away as soon as one person opted out: then every call has to be seen."""
        file = seat.on_file()
        return 0 if file.registers.opt_outs.any_of(file.account.customer) else UNLIMITED

    def found(self, seat: Seat, number: str) -> OptOut | None:
        """The opt-out that stands against the account, for a number as it was dialled."""
        file = seat.on_file()
        opt_outs, account = file.registers.opt_outs, file.account
        if not opt_outs.any_of(account.customer):
            return None
        canonical = file.canonical(number)
        if self.spec.measure.scope is Scope.CUSTOMER:
            return opt_outs.found_any(canonical, account.customer)
        return opt_outs.found(canonical, account.customer, account.id)

