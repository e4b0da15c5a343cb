"""An emergency call in a whole enforcer, whatever else happens to it: it goes, it counts against nobody, and
who calls back afterwards goes as well.

Between such calls hypothesis does to a house what a day can do: limits passed, modes and standings changed,
registers filled, packs reloaded midway, the breaker tripped, a gap opened, the ledger locked, the clock set
back and forth, the process killed between a question and its answer (the house is built anew from a copy of
the ledger's files, taken at that moment). `EXAMPLES` is how many days; EMERGENCY_EXAMPLES in the environment
has more.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from enforcer import app
from enforcer.domain.account import Account, Standing
from enforcer.domain.actions import Action, HangUp, LimitDuration
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Medium, NumberClass, Phase, Source
from enforcer.domain.decision import Decision, OnFailure, Verdict
from enforcer.domain.gap import Gap
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.policy import Pack, Policy
from enforcer.domain.rules import KINDS, Pace, Rule
from enforcer.errors import LedgerError
from enforcer.settings import load
from enforcer.telemetry import Telemetry, set_up_logging
from tests.support.rules import NOON, rule

EXAMPLES = int(os.environ.get("EMERGENCY_EXAMPLES", "12"))
CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///l.db"
[policy]
mode = "block"
[numbers]
country = "GB"
emergency = ["9-999", "911", "000", "_116XXX", "+1 212 555 0911"]
[numbers.classes]
premium = ["9XX", "00."]
[[switch]]
name = "pbx1"
host = "127.0.0.1"
port = 1
secret_file = "secret"
listener_only = {listener}
"""
# As dialled in Great Britain, by the codes of the site, and as other countries know them.
NUMBERS = ("999", "112", "+44999", "+999", "9999", "9-999", "911", "000", "116123", "+12125550911",
           "00 1 212 555 0911", "999#")
EVERY = Measure(directions=frozenset(Direction), mediums=frozenset(Medium))
PSAP = "+441632960911"


def every_kind(limit: int) -> list[Rule]:
    """All kinds, each with the least limit that it can have, and everything that it can do."""
    least = {"cps": 1, "strikes": 1, "fair_share": 1}
    return [
        rule(
            kind, least.get(kind, limit), measure=EVERY, on_failure=OnFailure.CLOSED, cycles=6,
            pace=Pace(calls=1, max_hold=1.0), hang_up=kind == "minutes",
            verdict=Verdict.THROTTLE if kind in ("cps", "concurrent_calls") and limit else Verdict.BLOCK,
        )
        for kind in KINDS
    ]


class House:
    """A whole enforcer without a switch; it can be killed."""

    def __init__(self, listener: bool) -> None:
        self.now, self.serial, self.limit = NOON, 0, 0
        self.folder = Path(tempfile.mkdtemp())
        set_up_logging("json", StringIO())
        (self.folder / "secret").write_text("x")
        (self.folder / "enforcer.toml").write_text(CONFIG.format(listener=str(listener).lower()))
        self.listener = listener
        self.old: list[Path] = []
        self.waiting: list[Callable[[], None]] = []
        self.start()
        self.house.ledger.put_accounts([Account("acme", "big"), Account("apex", "big")])

    def start(self) -> None:
        self.house = app.build(
            load(self.folder / "enforcer.toml"), Telemetry(CollectorRegistry()), self.waiting.append,
            lambda: self.now,
        )
        self.house.admission.hurry = lambda: None       # its link is not connected, and no loop runs
        self.use()

    def use(self) -> None:
        """Other packs, all at once. A ledger that cannot be written to leaves the old ones in force."""
        with suppress(LedgerError):
            self.house.admission.use(Policy(every_kind(self.limit), [Pack("p", str(self.limit))]), self.now)

    def killed(self) -> None:
        """What is on the disk at this moment is all that the next one knows."""
        self.waiting.clear()
        old, self.folder = self.folder, Path(tempfile.mkdtemp())
        self.old.append(old)
        for name in ("enforcer.toml", "secret", "l.db", "l.db-wal"):
            if (old / name).exists():
                shutil.copy(old / name, self.folder / name)
        self.house.ledger.close()
        self.start()

    def attempt(
        self, account: str, direction: Direction, number: str, medium: Medium = Medium.CALL
    ) -> CallAttempt:
        self.serial += 1
        return CallAttempt(
            f"pbx1/{self.serial}", "pbx1", account, direction, number, PSAP, self.now,
            f"PJSIP/{self.serial}", "", medium,
        )

    def figures(self) -> list[tuple[int, ...]]:
        """Everything that a rule reads, of both accounts."""
        return [
            seat.tally.figures for account in ("acme", "apex")
            for seat in self.house.ledger.seats(account, self.now)
        ]

    def later(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()

    def close(self) -> None:
        with suppress(LedgerError):
            self.house.ledger.close()
        for folder in (self.folder, *self.old):
            shutil.rmtree(folder)


@contextmanager
def locked(house: House, really: bool) -> Iterator[None]:
    """Somebody else writes into the ledger, and does not end."""
    if not really:
        yield
        return
    other = sqlite3.connect(house.folder / "l.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.rollback()
        other.close()


def goes(decision: Decision, why: str) -> None:
    assert decision.verdict is decision.would_be is Verdict.ALLOW
    assert (decision.hold, decision.shed, decision.sip_code, decision.max_duration) == (0.0, False, 0, None)
    assert (decision.findings, decision.tags, decision.exempt) == ((), (), why)


def harmless(actions: list[Action], one: CallAttempt) -> None:
    """None of these ends the call, or will."""
    assert not [a for a in actions if isinstance(a, HangUp | LimitDuration) and a.call_id == one.call_id]


Happening = tuple[str, str, object]
accounts = st.sampled_from(["acme", "apex"])
happenings = st.one_of(
    st.tuples(st.just("calls"), accounts, st.integers(1, 6)),
    st.tuples(st.just("mode"), accounts, st.sampled_from(Mode)),
    st.tuples(st.just("ceiling"), accounts, st.sampled_from(Mode)),
    st.tuples(st.just("standing"), accounts, st.sampled_from(Standing)),
    st.tuples(st.just("record"), accounts, st.sampled_from(NUMBERS)),
    st.tuples(st.just("reload"), accounts, st.integers(0, 3)),
    st.tuples(st.just("gap"), accounts, st.integers(0, 50)),
    st.tuples(st.just("clock"), accounts, st.sampled_from([-40_000, -3, 5, 900, 2_000])),
    st.tuples(st.just("kill"), accounts, st.just(0)),
)
calls = st.tuples(
    accounts, st.sampled_from(NUMBERS), st.sampled_from(Medium), st.sampled_from(["asked", "seen", "moved"]),
    st.booleans(), st.booleans(), st.booleans(),
)


def happen(house: House, what: str, account: str, value: object) -> None:
    ledger, admission = house.house.ledger, house.house.admission
    if what == "calls":
        for _ in range(int(value)):                                     # type: ignore[call-overload]
            admission.admit(house.attempt(account, Direction.OUTBOUND, "01632960142"))
    elif what in ("mode", "ceiling"):
        some = ModeSetting(value, "" if what == "ceiling" else account, ceiling=what == "ceiling",  # type: ignore[arg-type]
                           at=house.now)
        admission.steer(Modes([*admission.modes.settings(house.now), some], Mode.BLOCK), house.now)
    elif what == "standing":
        ledger.put_accounts([Account(account, "big", standing=value)])  # type: ignore[arg-type]
        admission.steer(admission.modes, house.now)
    elif what == "record":
        number = house.house.settings.numbers.plan().canonical(str(value))
        ledger.note(JournalEntry(Kind.OPT_OUT, house.now, number, "big", account))
        ledger.note(JournalEntry(Kind.STRIKE, house.now, f"s{house.serial}", "big", account, {
            "kind": "spam", "at": house.now,
        }))
    elif what == "reload":
        house.limit = int(value)                                        # type: ignore[call-overload]
        house.use()
    elif what == "gap":
        gap = Gap("pbx1", house.now - 60, house.now, "lost", unseen=int(value))   # type: ignore[call-overload]
        ledger.note(gap.opened(house.now))
    elif what == "clock":
        house.now += float(value)                                       # type: ignore[arg-type]
    else:
        house.killed()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.booleans(), st.lists(st.tuples(st.lists(happenings, max_size=6), calls), min_size=1, max_size=4))
def test_a_day_of_faults_touches_no_emergency_call(
    listener: bool, day: list[tuple[list[Happening], tuple[str, str, Medium, str, bool, bool, bool]]]
) -> None:
    house = House(listener)
    try:
        for before, call in day:
            for what, account, value in before:
                happen(house, what, account, value)
            emergency(house, *call)
        house.later()
        assert house.house.ledger.verify() == []
    finally:
        house.close()


def emergency(
    house: House, account: str, number: str, medium: Medium, how: str, dies: bool, lock: bool, answered: bool
) -> None:
    """The call, and a call back."""
    admission = house.house.admission
    figures = house.figures()
    one = house.attempt(account, Direction.OUTBOUND, number, medium)
    with locked(house, lock):
        if medium is Medium.MESSAGE or how == "asked":
            goes(admission.admit(one), "emergency call")
        elif how == "moved":        # an ordinary call, let go or not, that was transferred to the number
            first = replace(one, number="01632960142")
            admission.observe(CallEvent(Phase.STARTED, first, house.now))
            goes(admission.admit(one), "emergency call")
        if medium is Medium.CALL:
            harmless(admission.observe(CallEvent(Phase.STARTED, one, house.now)), one)
            if answered:
                harmless(admission.observe(CallEvent(Phase.ANSWERED, one, house.now)), one)
            house.now += 10
            harmless(admission.round("pbx1", house.now), one)
            harmless(admission.urgent("pbx1", house.now), one)
        assert house.figures() == figures
    if dies:
        house.killed()
        admission = house.house.admission
        harmless(admission.everything("pbx1", house.now), one)
        # What was lost with it comes from the CDR, some of it long known.
        if how != "moved" and medium is Medium.CALL:
            house.house.ledger.absorb([CallEvent(
                Phase.ENDED, one, house.now, one.at if answered else None, billsec=10.0 * answered,
                source=Source.CDR,
            )])
    elif medium is Medium.CALL:
        harmless(admission.observe(CallEvent(Phase.ENDED, one, house.now)), one)
    if dies and (how == "moved" or medium is Medium.MESSAGE):
        return                      # no CDR tells of these: what was not on the disk yet, nobody knows
    if how != "moved":
        record = house.house.ledger.call(one.call_id)
        assert record is not None
        assert record.number_class is NumberClass.EMERGENCY
    figures = house.figures()
    back = house.attempt(account, Direction.INBOUND, "01632960101", medium)
    if house.listener and medium is Medium.CALL:
        harmless(admission.observe(CallEvent(Phase.STARTED, back, house.now)), back)
    else:
        goes(admission.admit(back), "call back after an emergency call")
    if dies:                        # once more: who called back was written, and is known again
        house.house.ledger.flush()
        house.killed()
        admission, figures = house.house.admission, house.figures()
    redial = house.attempt(account, Direction.OUTBOUND, "01632 960911", medium)
    goes(admission.admit(redial), "call back after an emergency call")
    harmless(admission.round("pbx1", house.now), back)
    assert house.figures() == figures
