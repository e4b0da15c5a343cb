"""The control room of a running enforcer: one desk for orders, one feed of what happens, one overview.

In: the parts of a house. Out: a desk, a feed, an overview of this moment, for the doors that people and
programs come by (MQTT, HTTP, the live page). Refuses to know: those doors' protocols.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from enforcer.admission import Admission
from enforcer.control.acts import Office
from enforcer.control.desk import Ack, Desk
from enforcer.control.facts import decision_facts, mode_facts
from enforcer.control.feed import Feed, Happening
from enforcer.control.gap_news import GapNews
from enforcer.control.gaps import gap_facts
from enforcer.control.gateways import Gateways
from enforcer.control.knock import beside
from enforcer.control.mqtt import Mqtt
from enforcer.control.mqtt_topics import Topics
from enforcer.control.nearest import Nearest
from enforcer.control.pulse import Pulse
from enforcer.control.records import Records
from enforcer.control.series import Series
from enforcer.control.window import Window
from enforcer.control.words import iso
from enforcer.domain.band import tripped
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Modes, ModeSetting, Place
from enforcer.domain.notice import About, Audience, Stage
from enforcer.ledger.port import Ledger
from enforcer.lookout import Lookout
from enforcer.notices.text import stationery_of
from enforcer.settings import Settings
from enforcer.switch.link import Link, LinkState
from enforcer.telemetry import Telemetry

if TYPE_CHECKING:
    from enforcer.control.http.server import HttpServer

LOOK_SECONDS = 0.25
DEFAULT: Place = (False, "", "", "")
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
        self.series, self._records = Series(), Records(self.feed)
        self.faults: deque[dict[str, Any]] = deque(maxlen=FAULTS)
        self._ledger = ledger
        self._admission = admission
        self._links = dict(zip((switch.name for switch in settings.linked), links, strict=True))
        self._clock = clock
        self._telemetry = telemetry
        self._up: dict[str, bool] = {}
        self._seen: Modes | None = None         # the modes that were told last,
        self._until = float("inf")              # and when they change by themselves
        self._told: dict[Place, ModeSetting] = {}
        self._trip: ModeSetting | None = None
        self._tell_leased, admission.on_leased = admission.on_leased, self._leased
        office = Office(
            ledger, settings.numbers.plan(), lambda: admission.policy,
            tuple(switch.name for switch in settings.switches), stationery_of(settings), reload,
        )
        self.desk = Desk(office, clock, changed)
        self.desk.on_ack.append(self._acknowledged)
        telemetry.on_fault.append(self._fault)
        self._gap_news = GapNews(ledger.registers.gaps, self.feed.tell)
        ledger.registers.on_entry.append(self._entered)
        self.mqtt = Mqtt(
            settings.mqtt, settings.site, self.desk, self.feed, self._now, self._settled, clock,
            telemetry.registry, telemetry.note, telemetry.fault,
        ) if settings.mqtt.url else None
        names = [switch.name for switch in settings.switches if switch.kind == "gateway"]
        self.gateways = Gateways(
            names, (call for name in names for call in ledger.live(name)), admission, self.feed, clock
        )
        self.nearest = Nearest(ledger)
        self.pulse = Pulse(ledger, lambda: admission.modes)
        admission.on_told.append(self.pulse.told)
        self.http = self._http(telemetry) if settings.http.listen else None
        self.lookout = Lookout()
        self.window = Window(beside(settings.ledger_path), self.view, self.feed, self.lookout.knocked)

    def decision(self, decision: Decision) -> None:
        """Hear of a decision, after its answer. Those that let a call go by every rule are only counted."""
        self.series.decision(decision)
        self.pulse.told(decision.account)
        if decision.verdict > Verdict.ALLOW or decision.would_be > Verdict.ALLOW:
            self.feed.tell("decision", decision.at, decision_facts(decision, "UTC"))

    def _leased(self, account: str) -> None:
        """A call went by on a lease."""
        self.series.leased(self._clock())
        self._tell_leased(account)

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
            "switches": [self.switch(name) for name in self._links], "gateways": self.gateways.facts(),
            "decisions_per_second": self.series.rate(now), "decisions": self.series.last(now),
            "gaps": [gap_facts(gap) for gap in self._ledger.registers.gaps.open()],
            "breaker": self.breaker(), "degraded": self._ledger.degraded, "faults": list(self.faults),
            "number": self.feed.number,
        }

    def view(self) -> dict[str, Any]:
        """The overview, and the accounts that are nearest their limits: some milliseconds, so not for every
        asker."""
        return self.overview() | {"nearest": self.nearest.look(self._clock())}

    def breaker(self) -> dict[str, Any]:
        """Whether our own breaker holds the ceiling down, since when and why, for programs."""
        trip = tripped(self._admission.modes, self._clock())
        return {
            "tripped": trip is not None, "why": trip.why if trip is not None else None,
            "since": iso(trip.at) if trip is not None else None,
        }

    def switch(self, name: str) -> dict[str, Any]:
        """One switch's link, for programs."""
        state = self._links[name].state()
        kind = next(one.kind for one in self.settings.switches if one.name == name)
        return {"switch": name, "kind": kind} | _state_facts(state)

    def unready(self) -> list[str]:
        """What keeps the enforcer from its work, a line each."""
        wrong = [f"ledger: {self._ledger.degraded}"] if self._ledger.degraded else []
        for name, link in self._links.items():
            state = link.state()
            if not state.connected or not state.level:
                wrong.append(f"switch {name}: {state.problem or 'not level yet'}")
        return wrong

    def _http(self, telemetry: Telemetry) -> HttpServer:
        # Imported where it is wanted: it is large, and many run without.
        from enforcer.control.http.api import application
        from enforcer.control.http.backoffice import Backoffice
        from enforcer.control.http.front import Front
        from enforcer.control.http.server import HttpServer
        from enforcer.control.http.tokens import Tokens, tokens_path

        front = Front(
            self.settings, self.desk, self.feed, self._admission, self.gateways,
            self.settings.numbers.plan(), self.overview, self.unready,
            lambda: self.nearest.look(self._clock()), self.pulse,
            Tokens(tokens_path(self.settings.ledger_path), self._clock),
            Backoffice(self.settings.path, telemetry.fault), Backoffice(self.settings.path, telemetry.fault),
            self._clock, telemetry.registry, telemetry.note, telemetry.fault,
        )
        return HttpServer(application(front), self.settings.http, front.close, telemetry.fault)

    async def run(self) -> None:
        """Watch modes and links, and be at the broker, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(), name="control room: watch")
            if self.gateways.names:
                tasks.create_task(self.gateways.run(), name="control room: gateways")
            tasks.create_task(self._open_window(), name="control room: window")
            if self.mqtt is not None:
                tasks.create_task(self.mqtt.run(), name="control room: mqtt")

    async def _open_window(self) -> None:
        """Without it `enforcer top` sees nothing, and everything else goes on."""
        try:
            await self.window.run()
        except OSError as problem:
            words = problem.strerror or str(problem)
            self._telemetry.fault("no window for enforcer top", problem=words)

    async def _watch(self) -> None:
        heard = ""
        while True:
            trouble = ""
            try:
                self.look()
            except Exception as problem:        # a defect of ours must not take the enforcer with it
                trouble = repr(problem)
            if trouble and trouble != heard:
                self._telemetry.fault("control room", problem=trouble)
            heard = trouble
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Tell what changed since the last look: modes, by whichever door and also by themselves; links."""
        now = self._clock()
        self._records.rest()
        if self._admission.modes is not self._seen or now >= self._until:
            self._tell_modes(now)
        for name, link in self._links.items():
            up = link.state().connected
            if self._up.get(name) is not up:
                self._up[name] = up
                self.feed.tell("switch", now, self.switch(name))
        self.nearest.go_on(now)

    def _tell_modes(self, now: float) -> None:
        self._seen = self._admission.modes
        modes = {setting.place: setting for setting in self._in_force(now)}
        self._until = min((s.until for s in modes.values() if s.until is not None), default=float("inf"))
        for place, setting in modes.items():
            if self._told.get(place) != setting:
                self.feed.tell("mode", now, mode_facts(setting) | {"gone": False})
        for place, setting in self._told.items():
            if place not in modes:
                self.feed.tell("mode", now, mode_facts(setting) | {"gone": True})
        self._told = modes
        trip = tripped(self._admission.modes, now)
        if trip != self._trip:
            self._trip = trip
            self.feed.tell("breaker", now, self.breaker())

    def _in_force(self, now: float) -> list[ModeSetting]:
        """The settings in force, and the configuration's default where nobody set another."""
        settings = self._admission.modes.settings(now)
        if all(setting.place != DEFAULT for setting in settings):
            settings.append(ModeSetting(self.settings.policy.default_mode, why="configuration"))
        return settings

    def _now(self) -> list[Happening]:
        """What holds at this moment, for whoever has just come."""
        now, number = self._clock(), self.feed.number
        modes = [mode_facts(setting) | {"gone": False} for setting in self._in_force(now)]
        switches = [self.switch(name) for name in self._links]
        return [
            *(Happening(number, "mode", now, facts) for facts in modes),
            *(Happening(number, "switch", now, facts) for facts in switches),
        ]

    def _settled(self, topics: Topics) -> dict[str, float]:
        """When each mode was last set, by its topic."""
        found: dict[str, float] = {}
        for setting in self._ledger.modes():
            topic = topics.mode(mode_facts(setting))
            found[topic] = max(setting.at, found.get(topic, 0.0))
        return found

    def _entered(self, entry: JournalEntry) -> None:
        """Something was put on record, here or by another process: gaps, notices, levels reached."""
        if entry.kind is Kind.GAP:
            self._gap_news.entered(entry)
        self._records.entered(entry)
        if entry.kind is not Kind.NOTICE:
            return
        notice = self._ledger.registers.notices.get(entry.ref)
        if notice is None:
            return
        facts = {
            "notice": notice.id, "stage": notice.stage.value, "audience": notice.audience.value,
            "about": notice.about.value, "customer": notice.customer, "account": notice.account or None,
            "rule": notice.rule or None, "level": notice.level.name.lower() if notice.rule else None,
            "cycle": notice.cycle or None, "subject": notice.facts.get("subject", ""),
        }
        if notice.stage is Stage.CREATED and notice.audience is Audience.OPS and notice.rule:
            self.feed.tell("level", entry.at, {"cleared": notice.about is About.CLEARED} | facts)
        self.feed.tell("notice", entry.at, facts)

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
