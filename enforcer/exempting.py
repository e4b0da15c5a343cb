"""Which calls no rule may touch: emergency calls, and for a while whoever calls back.

In: attempts and the endings of calls, as admission meets them. Out: the class by which an attempt is judged;
entries of the journal, so that a window survives a restart and can be proven; records taken out of every
counter. Refuses to know: rules, modes, and how a switch keeps the same window by itself (`dialplan/`).
"""

from __future__ import annotations

from dataclasses import dataclass

from enforcer.domain.call import (
    UNTOUCHED,
    CallAttempt,
    CallEvent,
    CallRecord,
    Direction,
    NumberClass,
    Phase,
)
from enforcer.domain.emergency import entry_of
from enforcer.domain.numbers import NumberPlan, bare
from enforcer.ledger.port import Ledger


@dataclass(frozen=True, slots=True)
class EmergencyTerms:
    """`window` seconds after an emergency call, 0 none; calls to `tests` open none."""

    window: int = 3600
    tests: frozenset[str] = frozenset({"933"})


class Exempting:
    """See the module."""

    def __init__(self, ledger: Ledger, plan: NumberPlan, terms: EmergencyTerms) -> None:
        self._ledger = ledger
        self._plan = plan
        self._terms = terms
        self._windows = ledger.registers.emergencies

    def sort(self, attempt: CallAttempt, account: str) -> NumberClass:
        """The class of an attempt that was counted already; what is exempt is taken out of every counter, and
        an emergency call opens its account's window."""
        found = self._plan.classify(attempt.number)
        if found is NumberClass.EMERGENCY:
            self._open(attempt, account, attempt.at)
        elif account and self._windows.until(account, attempt.at):
            number = self._plan.canonical(attempt.number)
            if self._windows.holds(attempt, account, number):
                if attempt.direction is Direction.INBOUND:
                    self._windows.called_by(account, self._plan.canonical(attempt.caller))
                self._ledger.exempt(attempt.call_id)
                return NumberClass.CALLBACK
        return found

    def told(self, event: CallEvent, record: CallRecord) -> None:
        """An emergency call ended: the window is as long after it. Of any other its account may be told only
        now: a trunk of Asterisk does not know it as a call begins, and who calls back is not asked about."""
        if record.number_class is NumberClass.EMERGENCY:
            if event.phase is Phase.ENDED and record.account:
                self._open(record.attempt(), record.account, event.at)
        elif (
            record.number_class not in UNTOUCHED and not record.refused
            and self._windows.until(record.account, record.started_at)      # else no number is looked at
        ):
            self.sort(record.attempt(), record.account)

    def _open(self, attempt: CallAttempt, account: str, at: float) -> None:
        terms = self._terms
        if not account or attempt.direction is Direction.INBOUND or not terms.window:
            return
        if bare(attempt.number) in terms.tests or self._windows.until(account, at) >= at + terms.window:
            return
        customer = self._ledger.account(account).customer
        self._ledger.note(entry_of(attempt.call_id, customer, account, at, at + terms.window))
