"""Which calls no rule may touch: emergency calls, and for a while whoever calls back.

In: attempts and the endings of calls, as admission meets them; records that the ledger has from other hands
(CDRs, another process, before a restart); what a switch says of its own windows. Out: the class by which an
attempt is judged; entries of the journal, so that a window survives a restart and can be proven; records
taken out of every counter.
Refuses to know: rules, modes, and how a switch keeps the same window by itself (`dialplan/`).

Windows are kept by a steady clock as well, so that a wall clock that jumps ends none (`domain.held`). After a
restart there is but the wall clock: what it says is open has its full length once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from enforcer.domain.call import CallAttempt, CallEvent, CallRecord, Direction, NumberClass, Phase
from enforcer.domain.cycle import Span
from enforcer.domain.emergency import CLOCKS_APART, entry_of
from enforcer.domain.held import Held
from enforcer.domain.numbers import NumberPlan, bare
from enforcer.ledger.port import Ledger


@dataclass(frozen=True, slots=True)
class EmergencyTerms:
    """`window` seconds after an emergency call, 0 none; calls to `tests` open none."""

    window: int = 3600
    tests: frozenset[str] = frozenset({"933"})


class Exempting:
    """See the module. `steady` is a clock that nobody sets, in seconds; None where there is none."""

    def __init__(
        self, ledger: Ledger, plan: NumberPlan, terms: EmergencyTerms,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._ledger = ledger
        self._plan = plan
        self._terms = terms
        self._windows = ledger.registers.emergencies
        self._steady = steady
        self._held = Held()
        ledger.registers.on_untouched.append(self._seen)

    def sort(self, attempt: CallAttempt, account: str) -> NumberClass:
        """The class of an attempt that was counted already; what is exempt is taken out of every counter, and
        an emergency call opens its account's window."""
        found = self._plan.classify(attempt.number)
        if found is NumberClass.EMERGENCY:
            self._open(attempt, account, attempt.at, self._terms.window)
            self._ledger.exempt(attempt.call_id)        # where an ordinary call was transferred to it
        elif account and self._windows.until(account, at := self._moment(account, attempt.at)):
            number = self._plan.canonical(attempt.number)
            if self._windows.holds(attempt, account, number, at):
                if attempt.direction is Direction.INBOUND:
                    self._windows.called_by(account, self._plan.canonical(attempt.caller))
                self._ledger.exempt(attempt.call_id)
                return NumberClass.CALLBACK
        return found

    def told(self, event: CallEvent, record: CallRecord) -> None:
        """An emergency call ended: the window is as long after it. Of any other its account may be told only
        now: a trunk of Asterisk does not know it as a call begins, and who calls back is not asked about. Or
        the switch says that it let the call through as a call back, and by which emergency call."""
        if event.callback:
            self._said(event, record)
        if record.number_class is NumberClass.EMERGENCY:
            if event.phase is Phase.ENDED and record.account:
                self._open(record.attempt(), record.account, event.at, self._terms.window)
        elif (
            not record.number_class.untouched and not record.refused
            and self._is_open(record)       # else no number is looked at
        ):
            self.sort(record.attempt(), record.account)

    def _said(self, event: CallEvent, record: CallRecord) -> None:
        """The switch has a window of its own, of an emergency call that we may not have heard of: it is ours
        as well, as long as ours are."""
        since, until = event.since, (event.since or 0.0) + self._terms.window
        if since is not None and since <= event.at < until:
            self._lengthen(record.call_id, record.account, since, until, until - event.at)
        self._called(record)

    def restore(self, at: float) -> None:
        """After a start: who called within the windows that are open. The windows are in the journal, the
        calls among the records."""
        for account, window in self._windows.open(at):
            self._hold(account, self._terms.window)
            span = Span(window.at - CLOCKS_APART, window.until, "window")
            for record in self._ledger.calls(account, span):
                self._called(record)

    def _seen(self, record: CallRecord, now: float) -> None:
        """A record that no rule touches, by whichever hand: events, or a CDR of a call that we were not there
        for. Of the long past nothing follows."""
        at = record.started_at if record.ended_at is None else max(record.started_at, record.ended_at)
        if at + self._terms.window <= now - CLOCKS_APART or not record.account:
            return
        if record.number_class is NumberClass.EMERGENCY:
            self._open(record.attempt(), record.account, at, at + self._terms.window - now)
        else:
            self._called(record)

    def _called(self, record: CallRecord) -> None:
        """Somebody called back, who may be called again."""
        inbound = record.direction is Direction.INBOUND and record.number_class is NumberClass.CALLBACK
        if inbound and self._is_open(record):
            self._windows.called_by(record.account, self._plan.canonical(record.caller))

    def _open(self, attempt: CallAttempt, account: str, at: float, left: float) -> None:
        terms = self._terms
        if attempt.direction is not Direction.INBOUND and bare(attempt.number) not in terms.tests:
            self._lengthen(attempt.call_id, account, at, at + terms.window, left)

    def _lengthen(self, call_id: str, account: str, at: float, until: float, left: float) -> None:
        """`at` and `until` are times of the wall clock; `left` are the seconds from now on."""
        if not account or until <= at:
            return
        window, goes_on = self._windows.of(account), self._goes_on(account)
        self._hold(account, left)
        if self._windows.until(account, at) < until:
            customer = self._ledger.account(account).customer
            self._ledger.note(entry_of(call_id, customer, account, at, until))
            if window is not None and goes_on and at >= window.until:
                for caller in window.callers:       # a new one by the wall clock only
                    self._windows.called_by(account, caller)

    # --- by the clock that nobody sets

    def _hold(self, account: str, seconds: float) -> None:
        if self._steady is not None and seconds > 0:
            self._held.hold(account, self._steady() + min(seconds, self._terms.window))

    def _goes_on(self, account: str) -> bool:
        return self._steady is not None and self._held.open(account, self._steady())

    def _moment(self, account: str, at: float) -> float:
        window = self._windows.of(account)
        if window is None or self._steady is None:      # as nearly always: no clock is asked
            return at
        return self._held.moment(account, window, at, self._steady(), self._terms.window)

    def _is_open(self, record: CallRecord) -> bool:
        return self._windows.until(record.account, self._moment(record.account, record.started_at)) > 0
