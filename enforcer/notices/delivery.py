"""From a notice on record to proof that it was delivered: created, sent, delivered or failed, tried again.

In: the notices that are pending, the addresses of customers and of ops. Out: steps in the journal: "sent" is
durable before anything leaves, so that after a crash we try again what may not have arrived, and never what
is known to have. What fails is tried again for as long as it takes, and shouted about.
Refuses to know: why somebody is told, what the text says, and how an address is reached (`carrier`).

Nothing here is on the way of a call. While a notice is not delivered, what waits for it does not happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from enforcer.domain.notice import About, Audience, Notice, Stage, created, step
from enforcer.ledger.port import Ledger
from enforcer.notices.text import Stationery
from enforcer.telemetry import Telemetry

AT_ONCE = 8                 # notices on their way at the same time
MOST_A_ROUND = 32           # so that what is new, and what ops have to hear, waits behind no more than these
BY_HAND_SECONDS = 60.0      # how often a customer without any address is looked up again
IN_THE_LOG = "the log: no address for ops is configured"


class Carrier(Protocol):
    """How a text reaches one address."""

    def shown(self, address: str) -> str:
        """The address as it may be shown: without anything secret."""

    async def carry(self, address: str, subject: str, text: str) -> str:
        """Send it; "" where it was taken, else why not, without anything secret. Never raises."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a notice is tried again: the n-th time after so many seconds, the last wait repeated."""

    waits: Sequence[float] = (60.0, 300.0, 1800.0, 7200.0)

    def due(self, notice: Notice) -> float:
        """When a pending notice is to be sent, in Unix seconds; at once where it never was."""
        if not notice.tries or notice.tried_at is None:
            return float("-inf")
        return notice.tried_at + self.waits[min(notice.tries, len(self.waits)) - 1]


class Delivery:
    """One per process. `ops` are the addresses of ops; where there are none, what they have to hear is in the
    log, and delivered with that."""

    def __init__(
        self,
        ledger: Ledger,
        stationery: Stationery,
        carrier: Carrier,
        telemetry: Telemetry,
        ops: Sequence[str] = (),
        schedule: Schedule | None = None,
    ) -> None:
        self._ledger = ledger
        self._stationery = stationery
        self._carrier = carrier
        self._telemetry = telemetry
        self._ops = tuple(ops)
        self._schedule = schedule or Schedule()
        self._by_hand: dict[str, float] = {}    # without any address, and when they are looked at again

    def look_again(self) -> None:
        """Somebody changed something: a customer without any address may have one now."""
        self._by_hand.clear()

    async def round(self, clock: Callable[[], float]) -> int:
        """Deliver everything that is due; how many were tried. Raises LedgerError where nothing can be put on
        record just now: then nothing more was sent, and is tried again later."""
        at = clock()
        pending = self._ledger.registers.notices.pending()
        self._telemetry.notices_pending.set(len(pending))
        due = [n for n in pending if self._schedule.due(n) <= at and self._by_hand.get(n.id, at) <= at]
        if not due:
            return 0
        due.sort(key=lambda notice: notice.audience is Audience.CUSTOMER)      # ops first: they are few
        contacts = {customer.id: customer.contacts for customer in self._ledger.customers()}
        going = []
        for notice in due:
            ops = notice.audience is Audience.OPS
            addresses = self._ops if ops else contacts.get(notice.customer, ())
            if ops and not addresses:
                self._in_the_log(notice, at)
            elif not addresses:
                self._told_by_hand(notice, at)
            else:
                going.append((notice, addresses))
        del going[MOST_A_ROUND:]
        for first in range(0, len(going), AT_ONCE):
            some = going[first : first + AT_ONCE]
            for notice, _ in some:
                self._ledger.note(step(notice, Stage.SENT, clock()))
            await asyncio.to_thread(self._ledger.written)
            async with asyncio.TaskGroup() as tasks:
                for notice, addresses in some:
                    tasks.create_task(self._send(notice, addresses, clock), name=f"notice {notice.id}")
        return len(going)

    async def _send(self, notice: Notice, addresses: Sequence[str], clock: Callable[[], float]) -> None:
        """To every address; delivered where one of them took it."""
        taken, problems = [], []
        subject, text = notice.facts.get("subject", notice.id), notice.facts.get("text", "")
        for address in addresses:
            shown = self._carrier.shown(address)
            try:
                problem = await self._carrier.carry(address, subject, text)
            except Exception as defect:     # it never should; and must not keep others from being told
                problem = f"a defect of ours: {type(defect).__name__}"
            if problem:
                problems.append(f"{shown}: {problem}")
            else:
                taken.append(shown)
        problem = "; ".join(problems)
        if problem:
            self._telemetry.fault("notice not delivered", **_about(notice), problem=problem, reached=taken)
        if not taken:
            self._failed(notice, problem, clock())
            return
        self._ledger.note(step(notice, Stage.DELIVERED, clock(), how=", ".join(taken)))
        self._telemetry.notices.labels(notice.audience.value, Stage.DELIVERED.value).inc()
        self._telemetry.note("notice delivered", **_about(notice), to=taken)

    def _failed(self, notice: Notice, problem: str, at: float) -> None:
        self._ledger.note(step(notice, Stage.FAILED, at, problem=problem))
        self._telemetry.notices.labels(notice.audience.value, Stage.FAILED.value).inc()
        if notice.audience is Audience.CUSTOMER:
            self._trouble(notice, "failed", f"it could not be delivered ({problem})", at)

    def _told_by_hand(self, notice: Notice, at: float) -> None:
        """A customer without any address: ops hear of it, once, and tell them some other way."""
        self._by_hand[notice.id] = at + BY_HAND_SECONDS
        if self._trouble(notice, "by hand", "no address is known, so it has to be told by hand.", at):
            self._telemetry.fault("notice has no address", **_about(notice))

    def _in_the_log(self, notice: Notice, at: float) -> None:
        """Ops without an address read the log."""
        loud = notice.about in (About.TROUBLE, About.PROPOSAL, About.BREAKER)
        tell = self._telemetry.fault if loud else self._telemetry.note
        tell("notice to ops", **_about(notice), subject=notice.facts.get("subject", ""))
        self._ledger.note(step(notice, Stage.DELIVERED, at, how=IN_THE_LOG))

    def _trouble(self, notice: Notice, kind: str, words: str, at: float) -> bool:
        """Begin a notice of this trouble to ops, unless there is one; whether there was none."""
        trouble = self._stationery.trouble(notice, kind, words, at)
        if self._ledger.registers.notices.get(trouble.id) is not None:
            return False
        self._ledger.note(created(trouble))
        return True


def _about(notice: Notice) -> dict[str, object]:
    """A notice in a log line; what says nothing is left out."""
    told = {
        "notice": notice.id, "audience": notice.audience.value, "about": notice.about.value,
        "customer": notice.customer, "account": notice.account, "rule": notice.rule,
    }
    return {name: value for name, value in told.items() if value}
