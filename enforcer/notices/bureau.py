"""Everything about notices in a running enforcer: one task beside the links and doors, never on a call's way.

In: settings, ledger, admission. Out: a watch that hears of every decision, and a delivery that sends.
Refuses to know: rules, texts, and how an address is reached. Whatever goes wrong here is told and tried
again: it ends neither the enforcer nor this task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from enforcer.admission import Admission
from enforcer.domain.decision import Decision
from enforcer.domain.mode import Modes
from enforcer.errors import BadInput, EnforcerError
from enforcer.ledger.port import Ledger
from enforcer.notices.announced import carry_out
from enforcer.notices.carrier import carrier_of, usable
from enforcer.notices.delivery import Carrier, Delivery, Schedule
from enforcer.notices.text import stationery_of
from enforcer.notices.watch import Watch
from enforcer.settings import Settings
from enforcer.telemetry import Telemetry

BEAT_SECONDS = 1.0
HURRY_SECONDS = 0.1         # where much was found at once: a little at a time, so that no question waits long


class Bureau:
    """See the module. `admission` gives what judges calls, which is made after this; `carrier` is for tests.
    Raises BadInput for a template or an address that cannot be used, or a secret that is missing."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        telemetry: Telemetry,
        admission: Callable[[], Admission],
        clock: Callable[[], float],
        carrier: Carrier | None = None,
    ) -> None:
        stationery, terms = stationery_of(settings), settings.notices
        ops = terms.ops_addresses()
        for address in ops:
            problem = usable(address)
            if problem:
                raise BadInput("notices.ops", f"an address cannot be used: {problem}")
        self._settings = settings
        self._stationery = stationery
        self._ledger = ledger
        self._telemetry = telemetry
        self._admission = admission
        self._clock = clock
        self._heard: dict[str, str] = {}        # the last trouble of each part, told when it changes
        self._missed = 0
        self._watch = Watch(
            ledger, stationery, lambda: admission().policy, lambda: admission().modes,
            lambda: admission().orders.callers(), terms.sweep,
        )
        self._delivery = Delivery(
            ledger, stationery, carrier or carrier_of(settings), telemetry, ops, Schedule(terms.retry)
        )

    def decision(self, decision: Decision) -> None:
        """Hear of a decision, after its answer."""
        self._watch.decision(decision)

    def look_again(self) -> None:
        """Modes, accounts, customers or the policy changed."""
        self._watch.look_again()
        self._delivery.look_again()

    async def run(self) -> None:
        """Watch and deliver, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._over_and_over("watch", self._look), name="notices: watch")
            tasks.create_task(self._over_and_over("delivery", self._deliver), name="notices: delivery")

    async def _look(self) -> float:
        at = self._clock()
        self._watch.tick(at)
        if carry_out(self._ledger, self._stationery, at):
            modes = Modes(self._ledger.modes(), self._settings.policy.default_mode)
            self._admission().steer(modes, at)
            self._telemetry.note("accounts stopped as announced")
        if self._watch.missed > self._missed:
            self._telemetry.fault("notices missed", findings=self._watch.missed - self._missed)
            self._missed = self._watch.missed
        if self._watch.trouble:
            self._telemetry.fault("notices: one account", problem=self._watch.trouble)
            self._watch.trouble = ""
        return HURRY_SECONDS if self._watch.behind else BEAT_SECONDS

    async def _deliver(self) -> float:
        await self._delivery.round(self._clock)
        return BEAT_SECONDS

    async def _over_and_over(self, part: str, work: Callable[[], Awaitable[float]]) -> None:
        """Work, pause for as long as it says, and so on. The same trouble again and again is told once, until
        it is over."""
        while True:
            trouble, pause = "", BEAT_SECONDS
            try:
                pause = await work()
            except EnforcerError as problem:
                trouble = str(problem)
            except Exception as problem:        # a defect of ours must not take the enforcer with it
                trouble = repr(problem)
            if trouble and trouble != self._heard.get(part):
                self._telemetry.fault(f"notices: {part}", problem=trouble)
            self._heard[part] = trouble
            await asyncio.sleep(pause)
