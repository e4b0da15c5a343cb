"""The control room of a running enforcer: one desk for orders, one feed of what happens, one overview.

In: the parts of a house. Out: a desk, a feed, an overview of this moment, for the doors that people and
programs come by (MQTT, HTTP, the live page). Refuses to know: those doors' protocols.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from enforcer.admission import Admission
from enforcer.control.acts import Office
from enforcer.control.desk import Ack, Desk
from enforcer.control.facts import decision_facts, mode_facts
from enforcer.control.feed import Feed
from enforcer.control.gaps import gap_facts
from enforcer.control.series import Series
from enforcer.control.words import iso
from enforcer.domain.decision import Decision, Verdict
from enforcer.ledger.port import Ledger
from enforcer.notices.text import stationery_of
from enforcer.settings import Settings
from enforcer.switch.link import Link, LinkState
from enforcer.telemetry import Telemetry

LOOK_SECONDS = 0.5
FAULTS = 50             # kept for whoever looks


class Room:
    """See the module. `reload` reads the packs again (see `app`), `changed` brings into force what an order
    changed."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        admission: Admission,
        links: Sequence[Link],
        telemetry: Telemetry,
        clock: Callable[[], float],
        reload: Callable[[], str],
        changed: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.feed = Feed()
        self.series = Series()
        self.faults: deque[dict[str, Any]] = deque(maxlen=FAULTS)
        self._ledger = ledger
        self._admission = admission
        self._links = dict(zip((switch.name for switch in settings.switches), links, strict=True))
        self._clock = clock
        self._up: dict[str, bool] = {}
        office = Office(
            ledger, settings.numbers.plan(), lambda: admission.policy, tuple(self._links),
            stationery_of(settings), reload,
        )
        self.desk = Desk(office, clock, changed)
        self.desk.on_ack.append(self._acknowledged)
        telemetry.on_fault.append(self._fault)

    def decision(self, decision: Decision) -> None:
        """Hear of a decision, after its answer. Those that let a call go by every rule are only counted."""
        self.series.decision(decision)
        if decision.verdict > Verdict.ALLOW or decision.would_be > Verdict.ALLOW:
            self.feed.tell("decision", decision.at, decision_facts(decision, "UTC"))

    def overview(self) -> dict[str, Any]:
        """This moment, for programs and pages: from memory only."""
        now = self._clock()
        modes = self._admission.modes
        ceiling = modes.ceiling(now)
        return {
            "site": self.settings.site, "at": iso(now), "policy": self._admission.policy.label,
            "mode": self.settings.policy.mode,
            "ceiling": None if ceiling is None else mode_facts(ceiling),
            "modes": [mode_facts(one) for one in modes.settings(now)],
            "switches": [self.switch(name) for name in self._links],
            "decisions_per_second": self.series.rate(now), "decisions": self.series.last(now),
            "gaps": [gap_facts(gap) for gap in self._ledger.registers.gaps.open()],
            "degraded": self._ledger.degraded, "faults": list(self.faults),
            "number": self.feed.number,
        }

    def switch(self, name: str) -> dict[str, Any]:
        """One switch's link, for programs."""
        state = self._links[name].state()
        kind = next(one.kind for one in self.settings.switches if one.name == name)
        return {"switch": name, "kind": kind} | _state_facts(state)

    async def run(self) -> None:
        """Watch the links, until cancelled."""
        while True:
            for name, link in self._links.items():
                up = link.state().connected
                if self._up.get(name, False) is not up:
                    self._up[name] = up
                    self.feed.tell("switch", self._clock(), self.switch(name))
            await asyncio.sleep(LOOK_SECONDS)

    def _acknowledged(self, ack: Ack) -> None:
        self.feed.tell("order", ack.at, ack.facts())

    def _fault(self, kind: str, about: dict[str, object]) -> None:
        facts = {"fault": kind, "at": iso(self._clock())} | {key: str(value) for key, value in about.items()}
        self.faults.append(facts)
        self.feed.tell("fault", self._clock(), facts)


def _state_facts(state: LinkState) -> dict[str, Any]:
    return {
        "connected": state.connected, "level": state.level, "problem": state.problem,
        "lag": round(max(0.0, state.lag), 3), "clock_offset": round(state.clock_offset, 3),
        "live_calls": state.live_calls, "answers": state.answers, "connects": state.connects,
        "restarts": state.restarts,
    }
