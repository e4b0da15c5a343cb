"""A house that tells people things: ledger, admission, watch and delivery, by a clock told by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from enforcer.admission import Admission
from enforcer.domain.account import Account, Customer
from enforcer.domain.call import Direction
from enforcer.domain.decision import Decision
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.notice import About, Audience, Notice, NoticeTerms
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.domain.rules import Rule
from enforcer.ledger.memory import MemoryLedger
from enforcer.ledger.port import Ledger
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.notices.announced import carry_out
from enforcer.notices.delivery import Carrier, Delivery, Schedule
from enforcer.notices.templates import Templates
from enforcer.notices.text import Stationery
from enforcer.notices.watch import Watch
from enforcer.telemetry import Telemetry
from tests.support.ledgers import Call, Clock, classify, tell
from tests.support.rules import NOON, rule

DAY = 86_400.0
WEEK = NoticeTerms(7 * DAY, 30 * DAY)
OPS = "json://ops.example/hook"
MAIL = "post@acme.example"


class Post:
    """A carrier that keeps what it is given, and fails where it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.down: dict[str, str] = {}
        self.before: Callable[[], None] = lambda: None

    def shown(self, address: str) -> str:
        return address

    async def carry(self, address: str, subject: str, text: str) -> str:
        self.before()
        if address in self.down:
            return self.down[address]
        self.sent.append((address, subject, text))
        return ""

    def to(self, address: str) -> list[str]:
        """The subjects that this address was sent."""
        return [subject for where, subject, _ in self.sent if where == address]


class Ears(Telemetry):
    """Telemetry that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        self.faults_heard: list[tuple[str, dict[str, object]]] = []
        self.notes: list[tuple[str, dict[str, object]]] = []

    def fault(self, kind: str, **about: object) -> None:
        self.faults_heard.append((kind, about))
        super().fault(kind, **about)

    def note(self, what: str, **about: object) -> None:
        self.notes.append((what, about))


class House:
    """See the module. With a folder its ledger is a file there, else it is in memory."""

    def __init__(
        self, *rules: Rule, folder: Path | None = None, clock: Clock | None = None, mode: Mode = Mode.BLOCK,
        ops: tuple[str, ...] = (OPS,), post: Carrier | None = None, ledger: Ledger | None = None,
    ) -> None:
        self.clock = clock or Clock()
        if ledger is not None:
            self.ledger = ledger
        elif folder is None:
            self.ledger = MemoryLedger(classify, self.clock)
        else:
            self.ledger = SqliteLedger(folder / "ledger.db", classify, self.clock, 0.05)
        policy = Policy(rules)
        self.ledger.use(policy)
        self.ears = Ears()
        self.post = Post()
        self.modes = [ModeSetting(mode)]
        self.later: list[Callable[[], None]] = []
        self.stationery = stationery = Stationery("lab", Templates(), "+1 212 555 0100")
        self.watch = Watch(
            self.ledger, stationery, lambda: self.admission.policy, lambda: self.admission.modes,
            lambda: self.admission.orders.callers(),
        )
        self.admission = Admission(
            self.ledger, NumberPlan("US"), policy, Modes(self.modes), prefix="t", later=self.later.append,
            observers=(self.watch.decision,),
        )
        self.delivery = Delivery(
            self.ledger, stationery, post or self.post, self.ears, ops, Schedule((60.0, 300.0, 3600.0))
        )
        self._calls = 0

    def register(self, account: str = "acme", customer: str = "big", *contacts: str, **more: Any) -> None:
        self.ledger.put_accounts([Account(account, customer, **more)])
        self.ledger.put_customers([Customer(customer, "Big Inc", contacts)])

    def call(self, account: str = "acme", number: str = "12125550100", **more: Any) -> Decision:
        """One attempt, asked about, its answer written."""
        self._calls += 1
        call = Call(f"{self.clock.now:.0f}-{self._calls}", account, number, start=self.clock.now, **more)
        decision = self.admission.admit(call.attempt())
        self.settle()
        return decision

    def leased(self, account: str = "acme", seconds: float = 0.0) -> None:
        """One call that nobody asked about: known from events only."""
        self._calls += 1
        call = Call(f"{self.clock.now:.0f}-{self._calls}", account, start=self.clock.now)
        self.admission.observe(call.started())
        if seconds:
            tell(self.ledger, call.answered(), call.ended(seconds))

    def settle(self) -> None:
        for one in self.later:
            one()
        self.later.clear()

    async def turn(self, seconds: float = 0.0) -> list[Notice]:
        """Time passes; then all that is due is looked at and sent. What was put on record."""
        self.clock.now += seconds
        self.ledger.changed_elsewhere()
        new = self.watch.tick(self.clock.now)
        if carry_out(self.ledger, self.stationery, self.clock.now):
            self.admission.steer(Modes(self.modes), self.clock.now)
        await self.delivery.round(self.clock)
        return new

    def notices(self, audience: Audience = Audience.CUSTOMER, about: About | None = None) -> list[Notice]:
        return [
            n for n in self.ledger.registers.notices.all()
            if n.audience is audience and (about is None or n.about is about)
        ]

    def notice(self, about: About = About.LEVEL) -> Notice:
        """The only notice of its kind to the customer."""
        (one,) = self.notices(about=about)
        return one


def limit(critical: int = 3, warning: int | None = None, **more: Any) -> Rule:
    """So many attempts a cycle, and a week of grace after the notice."""
    return rule("attempts", critical, warning, notice=WEEK, **more)


__all__ = ["DAY", "MAIL", "NOON", "OPS", "WEEK", "Direction", "House", "Post", "limit"]
