"""The breaker at work: it hears of every call, and where so many would be refused that the fault is more
likely ours, the site's ceiling drops to `monitor`, ops are told, and a person re-arms.

In: calls and decisions, after their answers; the hours of the last days from the journal. Out: a ceiling in
the ledger, a notice to ops, a line in the log, metrics, and one entry an hour in the journal.
Refuses to know: which share is too much (`domain.breaker`), and how anything is sent.

The ceiling is in force at once, whether or not the ledger can be written just then; it is written as soon as
it can be. It is lifted by nobody but people: any ceiling that they set later re-arms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from enforcer.admission import Admission
from enforcer.domain.band import HOUR, WHO, Trip, entry_of, known, tripped
from enforcer.domain.breaker import PEOPLE, Breaker, refusing
from enforcer.domain.decision import Decision
from enforcer.domain.journal import Kind
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.notice import created
from enforcer.domain.policy import Policy
from enforcer.errors import EnforcerError, LedgerError
from enforcer.ledger.port import Ledger
from enforcer.notices.text import stationery_of
from enforcer.settings import Settings
from enforcer.telemetry import Telemetry

BEAT_SECONDS = 1.0
REFUSED_AT_ONCE = 16        # so many refusals are not waited on until the next beat; then twice as many
LOOKED_AT = 2_000           # accounts that a new policy is tried on; some 100 ms
SHOWN_WINDOW = 300


class Guard:
    """See the module. `admission` gives what judges calls, which is made after this."""

    def __init__(
        self, settings: Settings, ledger: Ledger, telemetry: Telemetry, admission: Callable[[], Admission],
        clock: Callable[[], float],
    ) -> None:
        terms = settings.breaker
        self._enabled = terms.enabled
        self._ledger = ledger
        self._telemetry = telemetry
        self._admission = admission
        self._clock = clock
        self._stationery = stationery_of(settings)
        past = known(ledger.journal({Kind.BREAKER}), clock()) if terms.enabled else ()
        self._breaker = Breaker(terms.band, past)
        self._fresh = 0                             # refusals since the last look
        self._enough = REFUSED_AT_ONCE              # for the next look between two beats
        self._held: ModeSetting | None = None       # the ceiling that we know to hold
        self._unwritten: ModeSetting | None = None  # and that the ledger has not taken yet
        self._next_hour = _next_hour(clock())
        self._heard = ""                            # the trouble that was told last,
        self._refused = ""                          # and why the ledger does not take the ceiling

    def began(self) -> None:
        """Everything is put together: the policy in force is the one to watch."""
        self._breaker.use(*_rules(self._admission().policy))
        self._held = tripped(self._admission().modes, self._clock())

    def decision(self, decision: Decision) -> None:
        """Hear of a decision, after its answer."""
        if self._enabled and self._breaker.decided(decision, self._clock()):
            self._fresh += 1
            if self._fresh >= self._enough:
                self._enough *= 2       # a look costs some ms: where much is rightly refused, a few a second
                self.look()

    def leased(self, account: str) -> None:
        """Hear of a call that nobody asked about."""
        if self._enabled:
            self._breaker.called(account, self._clock())

    def reloaded(self) -> None:
        """A new policy is in force: what would it do to those who call? It is tried on them, before they
        do."""
        if not self._enabled:
            return
        callers = self._breaker.callers(LOOKED_AT)
        self._breaker.use(*_rules(self._admission().policy))
        self._tried(lambda: self._look_ahead(callers))

    def look(self) -> None:
        """Look at the shares now, and at what people did about the ceiling."""
        at = self._clock()
        self._fresh = 0
        if not self._armed(at):
            self._breaker.tidy(at)      # what nobody looks at must not grow
            return
        trip = self._breaker.look(at)
        if trip is not None:
            self._trip(trip, at)

    async def run(self) -> None:
        """Look once a second, and put every hour on record, until cancelled."""
        while self._enabled:
            self._tried(self.beat)
            await asyncio.sleep(BEAT_SECONDS)

    def _tried(self, look: Callable[[], None]) -> None:
        """A defect of ours must not take the enforcer with it, nor fill the log."""
        trouble = ""
        try:
            look()
        except EnforcerError as problem:
            trouble = str(problem)
        except Exception as problem:
            trouble = repr(problem)
        if trouble and trouble != self._heard:
            self._telemetry.fault("breaker", problem=trouble)
        self._heard = trouble

    def _look_ahead(self, callers: list[str]) -> None:
        """What the policy would do to these by their next call."""
        at, admission = self._clock(), self._admission()
        off = _off(admission, at)
        refused = {}
        for account in callers:
            rules = [rule for rule in refusing(self._ledger.seats(account, at), at) if rule not in off]
            if rules:
                refused[account] = rules
        trip = self._breaker.ahead(refused, len(callers), at)
        if trip is not None and self._armed(at):
            self._trip(trip, at)

    def beat(self) -> None:
        """What is due once a second."""
        self.look()
        self._enough = REFUSED_AT_ONCE
        at = self._clock()
        shown = self._breaker.figures(at, SHOWN_WINDOW)
        for of in ("calls", "accounts"):
            self._telemetry.breaker_share.labels(of).set(float(shown.share(of)))
        if self._unwritten is not None:
            self._write(self._unwritten)
        if at < self._next_hour - HOUR:         # the clock was set back
            self._next_hour = _next_hour(at)
        if at >= self._next_hour:
            self._next_hour = _next_hour(at)
            found = self._breaker.hour(at, self._held is not None)
            if found.figures.calls:
                self._ledger.note(entry_of(found))

    def _armed(self, at: float) -> bool:
        """Whether there is a ceiling to lower. A person who lifted ours is heard, and all counts anew."""
        modes = self._admission().modes
        if self._unwritten is not None and tripped(modes, at) is None:
            modes = modes.plus(self._unwritten)     # others read the ledger, which does not know of it yet
            self._admission().steer(modes, at)
        held = tripped(modes, at)
        if self._held is not None and held is None:
            ceiling = modes.ceiling(at)
            self._breaker.clear()
            self._telemetry.note(
                "breaker re-armed", by=ceiling.who if ceiling else "", why=ceiling.why if ceiling else "",
                ceiling=ceiling.mode.word if ceiling else "none",
            )
        self._held = held
        self._telemetry.breaker_tripped.set(held is not None)
        ceiling = modes.ceiling(at)
        return ceiling is None or ceiling.mode > Mode.MONITOR

    def _trip(self, trip: Trip, at: float) -> None:
        admission = self._admission()
        setting = ModeSetting(Mode.MONITOR, ceiling=True, who=WHO, at=at, why=trip.words)
        admission.steer(admission.modes.plus(setting), at)
        self._held = self._unwritten = setting
        self._telemetry.breaker_tripped.set(1)
        self._telemetry.alarm("breaker tripped", why=trip.words, rule=trip.rule, policy=trip.pack,
                              ceiling=setting.mode.word)
        self._ledger.note(created(self._stationery.breaker(trip.words, trip.rule, at)))
        self._write(setting)

    def _write(self, setting: ModeSetting) -> None:
        try:
            self._ledger.put_mode(setting)
        except LedgerError as problem:
            if str(problem) != self._refused:       # tried every second, and told once
                self._telemetry.fault("breaker: its ceiling is not on record yet", problem=str(problem))
            self._refused = str(problem)
        else:
            self._unwritten, self._refused = None, ""


def _rules(policy: Policy) -> tuple[dict[str, str], list[str]]:
    """Of which pack each rule is, and those by which people act."""
    return (
        {rule.spec.id: rule.spec.policy for rule in policy.rules},
        [rule.spec.id for rule in policy.rules if rule.spec.kind in PEOPLE],
    )


def _off(admission: Admission, at: float) -> set[str]:
    """Rules that people switched off for everybody."""
    ids = [rule.spec.id for rule in admission.policy.rules]
    return {one for one in ids if admission.modes.resolve("", one, "", at).mode is Mode.OFF}


def _next_hour(at: float) -> float:
    return (at // HOUR + 1) * HOUR
