"""Every adapter of the ledger port, and what tests of ledgers say again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Medium, NumberClass, Phase, Source
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Usage
from enforcer.ledger.memory import MemoryLedger
from enforcer.ledger.port import Ledger
from enforcer.ledger.sqlite import SqliteLedger
from tests.support.rules import NOON, rule

DAY = 86_400.0
PATIENCE = 0.05         # seconds that a test waits for a lock; nobody else is at work

# A new adapter is one line here; everything in tests/contract then holds for it, or fails.
ADAPTERS: dict[str, Callable[[Path, Clock], Ledger]] = {
    "memory": lambda folder, clock: MemoryLedger(classify, clock),
    "sqlite": lambda folder, clock: SqliteLedger(folder / "ledger.db", classify, clock, PATIENCE),
}


@dataclass
class Clock:
    """The time, told by hand."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


def classify(number: str) -> NumberClass:
    """A number plan of one emergency number."""
    if number == "112":
        return NumberClass.EMERGENCY
    return NumberClass.ORDINARY if len(number) > 6 else NumberClass.INTERNAL


BOTH = frozenset({Direction.OUTBOUND, Direction.INBOUND})
POLICY = Policy([
    rule("attempts", 1000),
    rule("concurrent_calls", 100),
    rule("cps", 100),
    rule("minutes", 1000, measure=Measure(Scope.CUSTOMER, directions=BOTH)),
    rule("asr", 4, measure=Measure(Scope.CUSTOMER)),
])


@dataclass
class Call:
    """One call as a test tells it to a ledger, by events or by its CDR."""

    name: str = "1"
    account: str = "acme"
    number: str = "12125550100"
    start: float = NOON
    switch: str = "pbx1"
    direction: Direction = Direction.OUTBOUND
    answer: float | None = None
    end: float = field(default=0.0)
    medium: Medium = Medium.CALL
    route: str = ""
    legs: str = ""

    @property
    def id(self) -> str:
        return f"{self.switch}/{self.name}"

    def attempt(self, at: float | None = None) -> CallAttempt:
        return CallAttempt(
            self.id, self.switch, self.account, self.direction, self.number, "100",
            self.start if at is None else at, f"PJSIP/phone-{self.name}", self.route, self.medium,
        )

    def sent(self) -> CallEvent:
        """A message is over as it begins."""
        return CallEvent(Phase.ENDED, self.attempt(), self.start)

    def started(self) -> CallEvent:
        return CallEvent(Phase.STARTED, self.attempt(), self.start)

    def answered(self, after: float = 2.0) -> CallEvent:
        self.answer = self.start + after
        return CallEvent(Phase.ANSWERED, self.attempt(), self.answer, answered_at=self.answer)

    def ended(self, talk: float = 0.0, cause: int = 16, source: Source = Source.EVENT) -> CallEvent:
        end = (self.answer if self.answer is not None else self.start) + talk
        return CallEvent(
            Phase.ENDED, self.attempt(), end, answered_at=self.answer, hangup_cause=cause, source=source,
            legs=self.legs,
        )

    def cdr(self, billsec: int = 0, cause: int = 16) -> CallEvent:
        """Its CDR, in whole seconds."""
        start = float(int(self.start))
        answer = start + 2 if billsec else None
        return CallEvent(
            Phase.ENDED, self.attempt(start), (answer or start) + billsec, answered_at=answer,
            billsec=float(billsec), hangup_cause=cause, source=Source.CDR,
        )


def tell(ledger: Ledger, *events: CallEvent) -> None:
    """Apply events in this order."""
    for event in events:
        ledger.apply(event)


def talked(call: Call, seconds: float) -> Sequence[CallEvent]:
    """All events of a call that was answered and lasted so long."""
    return [call.started(), call.answered(), call.ended(seconds)]


def usage(ledger: Ledger, kind: str = "attempts", account: str = "acme", at: float = NOON) -> Usage:
    """What a rule reads about an account."""
    ledger.changed_elsewhere()
    (seat,) = [seat for seat in ledger.seats(account, at) if seat.rule.spec.id == kind]
    return seat.tally.usage()


def derived(ledger: Ledger, account: str, measure: Measure, at: float) -> Usage:
    """The same from nothing but records, in the cycle of `at` of an account that nobody registered."""
    return ledger.derive(measure.scope, account, measure, BillingCycle().at(at)).usage()


CYCLE = Measure()
LIVE = Measure(window=Window.LIVE)
