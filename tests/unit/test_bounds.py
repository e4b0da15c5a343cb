"""Everything in a running enforcer that grows, what bounds it, and that it stays within its bound.

`INVENTORY` names each container that an object of a running enforcer begins empty with; a test reads the
sources and fails for one that is missing here. What commands of one question or one file build is not in it:
it goes with the command. `CAPS` fills what has a number of its own to that number and beyond; other caps have
their test beside what they belong to, which `INVENTORY` names in brackets. Tables of the ledger: `TABLES`.
"""

from __future__ import annotations

import ast
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import enforcer
from enforcer.control import feed, series
from enforcer.control.feed import Feed, Subscriber
from enforcer.control.series import Series
from enforcer.domain import breaker, numbers, registers, trail
from enforcer.domain.band import Band
from enforcer.domain.breaker import Breaker
from enforcer.domain.call import CallAttempt, CallEvent, CallRecord, Direction, NumberClass, Phase, Source
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.load import Loads
from enforcer.domain.measure import Detail, Scope
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.ordered import Commands
from enforcer.domain.trail import Trail
from enforcer.ledger import at_hand, desks, memory, strangers, writer
from enforcer.ledger.at_hand import AtHand
from enforcer.ledger.memory import MemoryLedger
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.ledger.tables import metadata
from enforcer.notices import rounds
from enforcer.notices.rounds import Rounds
from enforcer.switch import unheard
from enforcer.switch.unheard import Unheard
from tests.support.ledgers import PATIENCE, POLICY, Clock, classify
from tests.support.rules import NOON

SOURCES = Path(enforcer.__file__).parent
TESTS = Path(__file__).parents[1]

ACCOUNTS = "registered accounts, and MOST_STRANGERS that are not [test_ledger_strangers]"
CALLERS = "registered accounts that called lately, and posts.MOST_STRANGERS that are not [test_orders]"
CALLS = "calls in progress: what the switches can hold"
SWITCHES = "the switches of the configuration"
RECORD = "what people and rules put on record, kept for good: it grows by notices and strikes, not by calls"

# By module and name: what bounds it, and where that is tested.
INVENTORY = {
    "control/effects.calls": "the 50,000 decisions that one look goes through, in the clerk's process",
    "control/page/looking._drawn": "the fragments of the page",
    "control/page/sessions._sessions": "MOST; the oldest go",
    "buckets._all": "labels: switches and doors of the configuration",
    "control/cli_top._happened": "LATELY; the oldest go",
    "control/look._kept": "what came with the first overview, until it is read",
    "control/nearest._left": ACCOUNTS,
    "control/nearest._near": "SHOWN; the nearest are kept",
    "control/page/stream._due": "the parts of a page",
    "control/page/stream._last": "the parts of a page",
    "control/page/stream._prints": "the parts of a page",
    "control/page/stream._seen": "the parts of a page",
    "control/pulse._lookers": "accounts whose pages are open: at most [http] max_streams",
    "control/pulse._told": "the same",
    "admission.on_told": "who has to hear, of the composition root",
    "control/window._coming": "MOST; whoever came first goes",
    "control/window._looking": "MOST; whoever looks longest goes",
    "domain/open_gaps._words": "REMEMBERED; forgotten together",
    "orders._gone": "accounts that people stopped",
    "readings._counting": SWITCHES,
    "readings._left": CALLERS,
    "admission._ending": CALLS,
    "admission.on_asked": SWITCHES,
    "control/desk.on_ack": "the doors of the configuration",
    "control/feed._queue": "KEEP_UP; the oldest go and are counted [CAPS]",
    "control/feed._lately": "LATELY; the oldest go [CAPS]",
    "control/feed._subscribers": "doors, and pages that are open",
    "control/series._minutes": "MINUTES; the oldest go [CAPS]",
    "control/series._seconds": "RATE_SECONDS; the oldest go [CAPS]",
    "domain/breaker._past": "a week of hours; the oldest go [test_breaker_band]",
    "domain/breaker._slices": "an hour of slices of 5 s [test_breaker_band]",
    "domain/breaker._seen": "MOST_ACCOUNTS; whoever was silent longest goes [CAPS]",
    "domain/breaker._hit": "MOST_ACCOUNTS, as above",
    "domain/breaker._by_rule": "MOST_ACCOUNTS for each rule, as above",
    "domain/breaker._people": "the rules of the policy",
    "domain/breaker._packs": "the rules of the policy",
    "domain/emergency._windows": "MOST_WINDOWS; callers by MOST_CALLERS (of one) and MOST_CALLERS_IN_ALL, "
                                 "the newest are kept [test_emergency_window]",
    "domain/held._ends": "MOST_WINDOWS; the one opened longest ago goes [test_emergency_clocks]",
    "domain/open_gaps._open": "MOST_OPEN of each switch; accounts in one by MOST_ACCOUNTS [test_open_gaps]",
    "domain/load.by_account": CALLS,
    "domain/load._loads": SWITCHES,
    "domain/load._channels": SWITCHES,
    "domain/mode._settings": "places at which a mode was set, ended ones left out",
    "domain/mode._remembered": "emptied whenever a mode changes; accounts times rules [test_mode_remembered]",
    "domain/notice.facts": "what one notice says",
    "domain/notice._notices": "the notices of one rule and subject: " + RECORD,
    "domain/numbers._remembered": "REMEMBERED; all go at once and are worked out again [CAPS]",
    "domain/numbers._canonical": "REMEMBERED, as above [CAPS]",
    "domain/policy._place": "the rules of the policy",
    "domain/registers._by_customer": RECORD,
    "domain/registers._by_id": RECORD,
    "domain/registers._gates": "accounts with books times rules with a notice [test_ledger_strangers]",
    "domain/registers._gates_of": "as above",
    "domain/registers._pending": "notices that are not delivered yet",
    "domain/registers._announcing": "notices with something still to follow",
    "domain/ordered._open": "requests without an answer; a running enforcer answers within a moment",
    "domain/ordered._by_name": "MOST; the oldest go [CAPS]",
    "domain/registers.on_entry": "the parts of a house",
    "domain/registers.on_untouched": "one part of a house",
    "domain/rules/pace._releases": "the calls of a pace [test_pacer_window]",
    "domain/trail.times": "MOST_CALLS of a trail [CAPS]",
    "domain/trail._sizes": "MOST_CALLS of a trail",
    "domain/trail._times": "MOST_CALLS of a trail",
    "domain/trail._starts": "MOST_CALLS of a trail",
    "domain/trail._calls": "MOST_CALLS; further calls are not counted, and the tally says so [CAPS]",
    "ledger/at_hand._live": CALLS,
    "ledger/at_hand._over": "REMEMBER_CALLS; the oldest are looked up in the store [CAPS]",
    "ledger/at_hand._oldest_over": "REMEMBER_CALLS, as above",
    "ledger/shelf._rolling": ACCOUNTS,
    "ledger/shelf.returned": ACCOUNTS,
    "ledger/shelf.stale": ACCOUNTS,
    "ledger/strangers._by_silence": "MOST_STRANGERS; whoever was silent longest goes [test_ledger_strangers]",
    "ledger/strangers._named": "accounts that people set a mode for",
    "ledger/turns._row": "threads of this process that write",
    "ledger/desks._desks": "MOST_DESKS, twice that where all let calls through just now [CAPS]",
    "ledger/roll.accounts": "accounts that are registered",
    "ledger/roll._first_account": "accounts that are registered",
    "ledger/sight_rows._sights": SWITCHES,
    "ledger/sight_rows._places": SWITCHES,
    "ledger/store.on_written": "whoever opened the ledger",
    "ledger/writer._waiting": "MOST_CALLS; further calls are lost and counted [test_ledger_sqlite]",
    "ledger/writer._writing": "MOST_CALLS, as above",
    "ledger/writer._decisions": "MOST_DECISIONS; the oldest are lost and counted [test_ledger_sqlite]",
    "ledger/writer._entries": "MOST_ENTRIES, and as many in flight; further ones are lost and counted [CAPS]",
    "ledger/writer.changed": "rows that others wrote too; taken at each look, 20 times a second",
    "notices/bureau._heard": "two parts",
    "notices/delivery._by_hand": "notices that are not delivered yet",
    "notices/rounds._seen": "MOST_SEEN, and who holds orders on a switch [CAPS]",
    "notices/rounds._before": "as above",
    "notices/rounds._left": "as above",
    "notices/told._open": "levels that were told and not left: accounts times rules",
    "notices/watch._found": "MOST_FOUND; further ones are counted and found again [test_notice_ladder]",
    "orders._posts": CALLERS,
    "orders._due": "as above",
    "orders._switches": SWITCHES,
    "message_orders._stopped": "accounts whose messages are stopped",
    "room._links": SWITCHES,
    "room.faults": "FAULTS; the oldest go",
    "room._up": SWITCHES,
    "room._told": "modes in force",
    "switch/ami_messages._closed": "MOST_CLOSED, and accounts that people stopped [test_message_orders]",
    "switch/ami_messages._orders": "accounts with an order that is not done yet",
    "switch/ami_messages._leaving": "those of _closed, for 5 seconds",
    "switch/ami_messages._lasting": "accounts that people stopped",
    "switch/ami_messages._marked": "accounts that people stopped, and what was closed before a connect",
    "switch/ami_session.entries": "MOST_ENTRIES of one list; then the session ends [test_ami_link]",
    "switch/ami_session._held": "AT_ONCE bytes and one read; then they are read [test_gathering]",
    "switch/ami_session._waiting": "actions in flight, each with a deadline [test_ami_link]",
    "switch/ami._uncounted": "MOST_UNCOUNTED losses of a link; the oldest go",
    "switch/census._listed": CALLS,
    "switch/census._seen": "LATELY; the oldest go [test_census]",
    "switch/door.counts": "kinds of outcome",
    "switch/door.open": "the most of a door [test_doors_attacked]",
    "switch/door.inside": "the most of a door [test_door]",
    "switch/door._unasked": "the most of a door [test_door]",
    "switch/esl._known_before": CALLS,
    "switch/esl._nameless": CALLS,
    "switch/esl_messages._closed": "MOST_CLOSED, and accounts that people stopped [test_message_orders]",
    "switch/esl_messages._late": "MOST_LATE; any more are left to their nets [test_esl_messages]",
    "switch/esl_session._row": "MOST_UNANSWERED; then the connection is left [test_esl_link]",
    "switch/esl_session._waiting": "MOST_UNANSWERED, as above",
    "switch/kept._uncounted": "MOST_UNCOUNTED losses of a link; the oldest go",
    "switch/message_door._answers": "REMEMBERED; the oldest go [test_message_door]",
    "switch/unheard._new": "MOST; the oldest go, the switch's own CDRs end them [CAPS]",
    "switch/unheard._old": "MOST, as above",
    "telemetry.on_fault": "the parts of a house",
    "control/gateways._answers": "answers kept for one caller each, by the door's own cap",
    "control/http/front.counters": "two",
    "control/http/front.sessions": "the doors that log people in",
    "control/http/front.streams": "[http] max_streams; any more are refused [test_http_server]",
    "control/http/guests._inside": "[http] max_connections; who asks nothing goes [test_http_server]",
    "control/http/guests._greeted": "handshakes: as many as are inside",
    "control/http/front.wrong": "ADDRESSES; the oldest go",
    "control/page/sessions.said": "5; the oldest go",
    "control/http/problems.headers": "the headers of one answer",
    "control/mqtt._retained": "modes in force, and what the broker holds below our own topic as we connect",
    "telemetry._risen": "the two kinds of faults that others count",
    "watching._bad_rows": SWITCHES,
    "watching._kept": SWITCHES,
    "watching._troubles": SWITCHES,
    "wire/legs.legs": "MOST_LEGS_OF_A_CALL [test_asterisk_book]",
    "wire/legs.unlisted": "MOST_UNLISTED [test_asterisk_book]",
    "wire/legs._calls": "MOST_LEGS; the oldest are forgotten [test_asterisk_book]",
    "wire/legs._originated": "MOST_LEGS, as above",
    "wire/legs._leg_of": "MOST_LEGS, as above",
    "metrics_server._inside": "MOST; who says nothing makes room [test_metrics_attacked]",
}

# Of one question, one file, one settlement or one look at a switch: they go with it.
OF_ONE_COMMAND = {
    "toml_lines", "history", "switch/probe", "ledger/memory", "ledger/memory_record", "notices/carrier",
    "domain/samples", "domain/behind", "domain/patterns", "domain/past", "domain/chain", "wire/cdr_csv_kin",
} | {
    f"control/{name}"
    for name in (
        "case", "dialplan_asterisk", "dialplan_freeswitch", "drill", "explanation", "whatif",
        "interruptions", "subjects", "settlement", "parties",
    )
}

TABLES = {
    "account": "accounts that are registered",
    "call": "[retention] calls, and what a window, an unsettled cycle or a hold needs [test_pruning]",
    "call_before": "a day of late facts",
    "calls_pruned": "one row a customer",
    "cdr_place": SWITCHES,
    "chain": "one row",
    "charge": RECORD,
    "customer": "customers of whom something is known",
    "decision": "[retention] decisions, and what is on hold [test_pruning]",
    "journal": RECORD,
    "lived": "four rows a day for as long as [retention] says [test_pruning]",
    "mark": "a dozen rows",
    "mode_setting": RECORD,
    "pruned": "one row between two entries of the journal that are kept, or two ends that were told",
    "sight": SWITCHES,
    "told": "ends of the chain that were told and are not pruned yet",
}

_EMPTY = re.compile(r"(dict|set|list|deque|Counter|OrderedDict|defaultdict|Queue|LifoQueue)$")


def _grows(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Dict | ast.List):
        return not (value.keys if isinstance(value, ast.Dict) else value.elts)
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        metric = any(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in value.args)
        return bool(_EMPTY.search(name)) and not metric
    return False


def _grows_anew(value: ast.expr | None) -> bool:
    """The same, of a field of a dataclass."""
    return isinstance(value, ast.Call) and getattr(value.func, "id", "") == "field" and any(
        one.arg == "default_factory" and bool(_EMPTY.search(getattr(one.value, "id", "")))
        for one in value.keywords
    )


def growing() -> Iterator[str]:
    """What the sources say: attributes and fields that begin as an empty container."""
    for path in sorted(SOURCES.rglob("*.py")):
        module = path.relative_to(SOURCES).with_suffix("").as_posix()
        if module in OF_ONE_COMMAND or module.startswith("packs/"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else (
                node.targets if isinstance(node, ast.Assign) else []
            )
            for target in targets:
                if (
                    isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
                    and target.value.id == "self" and _grows(getattr(node, "value", None))
                ):
                    yield f"{module}.{target.attr}"
                if isinstance(target, ast.Name) and _grows_anew(getattr(node, "value", None)):
                    yield f"{module}.{target.id}"


def test_everything_that_grows_is_in_the_inventory() -> None:
    assert sorted(set(growing()) - set(INVENTORY)) == []


def test_the_inventory_names_nothing_that_is_gone() -> None:
    there = {path.relative_to(SOURCES).with_suffix("").as_posix(): path for path in SOURCES.rglob("*.py")}
    for name in INVENTORY:
        module, _, attribute = name.rpartition(".")
        assert re.search(rf"(self\.|^    ){attribute}\b", there[module].read_text(), re.M), name


def test_every_test_that_the_inventory_names_is_there() -> None:
    files = {path.stem for path in TESTS.rglob("test_*.py")}
    named = {
        found for words in (*INVENTORY.values(), *TABLES.values())
        for found in re.findall(r"\[(test_\w+)\]", words)
    }
    assert named <= files


def test_every_table_says_what_bounds_it() -> None:
    assert set(metadata.tables) == set(TABLES)


# What has a number of its own, filled beyond it -------------------------------------------------------


class Cap(NamedTuple):
    """`fill(most)` puts in more than the most, and returns how many there are then."""

    module: ModuleType
    name: str
    fill: Callable[[int], int]


def record(nth: int) -> CallRecord:
    return CallRecord(
        f"pbx1/{nth}", "pbx1", "acme", "acme", Direction.OUTBOUND, f"1212555{nth:04}", "100",
        NumberClass.ORDINARY, "", "", NOON + nth, Source.EVENT, ended_at=NOON + nth + 1,
        ended_by=Source.EVENT,
    )


def attempt(nth: int) -> CallAttempt:
    return CallAttempt(f"pbx1/{nth}", "pbx1", "acme", Direction.OUTBOUND, "12125550100", "100", NOON)


def calls_at_hand(most: int) -> int:
    calls = AtHand(Loads({}))
    calls.clear(float("-inf"))
    for nth in range(most + 5):
        calls.keep(record(nth))
    assert calls.known("pbx1/4") is None
    assert calls.known("pbx1/5") is not None
    assert calls.forgotten(NOON + 4)                    # an event about it is looked up
    assert len(calls._oldest_over) == len(calls._over)
    return len(calls._over)


def desks_of_a_ledger(most: int) -> int:
    ledger = MemoryLedger(classify, Clock())
    ledger.use(POLICY)
    for nth in range(most + 5):
        ledger.seats(f"a{nth}", NOON)
    return len(ledger._books._desks._desks)


def desks_that_let_a_call_through(most: int) -> int:
    ledger = MemoryLedger(classify, Clock())
    ledger.use(POLICY)
    for nth in range(5 * most):
        for seat in ledger.seats(f"a{nth}", NOON):
            if seat.pacer is not None:
                seat.pacer.take(NOON)
    return len(ledger._books._desks._desks) // 2            # twice as many, and no more


def books_of_strangers(most: int) -> int:
    ledger = MemoryLedger(classify, Clock())
    ledger.use(POLICY)
    for nth in range(most + 5):
        ledger.apply(CallEvent(Phase.ENDED, replace(attempt(nth), account=f"a{nth}"), NOON + 5))
    books = ledger._books._shelf.books
    assert "a4" not in books[Scope.ACCOUNT]
    assert "a5" in books[Scope.ACCOUNT]
    assert len(books[Scope.CUSTOMER]) == most
    return len(books[Scope.ACCOUNT])


def decisions_in_memory(most: int) -> int:
    ledger = MemoryLedger(classify, Clock())
    for nth in range(most + 5):
        ledger.keep(Decision(
            f"d{nth}", NOON, "", "pbx1", "acme", "1", "outbound", Verdict.ALLOW, Verdict.ALLOW,
        ))
    assert ledger.decision("d4") is None
    return len(ledger._decisions)


def a_feed(most: int) -> int:
    one = Feed()
    for nth in range(most + 5):
        one.tell("fault", NOON, {"nth": nth})
    return len(one.since(0))


def a_subscriber(most: int) -> int:
    one, source = Subscriber(), Feed()
    for nth in range(most + 5):
        source.tell("fault", NOON, {"nth": nth})
        one.put(source.since(nth)[-1])
    assert one.missed == 5
    return one.waiting()


def a_series(most: int) -> int:
    one = Series()
    for nth in range(most + 5):
        one.decision(Decision(
            "d", NOON + 60 * nth, "", "pbx1", "acme", "1", "outbound", Verdict.ALLOW, Verdict.ALLOW,
        ))
    return len(one._minutes)


def accounts_of_the_breaker(most: int) -> int:
    one = Breaker(Band())
    for nth in range(most + 5):
        one.called(f"a{nth}", NOON + nth / 1000)
    one.look(NOON + 60)
    assert "a4" not in one._seen
    return len(one._seen)


def accounts_of_a_round(most: int) -> int:
    one = Rounds(tuple, 10.0)
    for nth in range(most + 5):
        one.called(("pbx1", f"a{nth}"))
    return len(one._seen)


def numbers_classified(most: int) -> int:
    plan, largest = NumberPlan("US"), 0
    for nth in range(most + 5):
        plan.classify(f"1212555{nth:04}")
        plan.canonical(f"1212555{nth:04}")
        largest = max(largest, len(plan._remembered), len(plan._canonical))
    return largest


def calls_of_a_trail(most: int) -> int:
    one = Trail(list(Detail), 60.0)
    for nth in range(most + 5):
        one.add(record(nth))
    assert one.full                                     # and whoever reads it is told
    return len(one)


def entries_that_wait(most: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        ledger = SqliteLedger(path, classify, Clock(), PATIENCE)
        ledger.written()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for nth in range(3 * most):
                ledger.note(JournalEntry(Kind.BREAKER, NOON, f"e{nth}"))
            waited = len(ledger._writer._entries)
            other.execute("ROLLBACK")
        ledger.flush()
        written = sum(1 for _ in ledger.journal())
        assert written + ledger.overflow == 3 * most        # none is lost that is not counted
        assert written <= 2 * most
        ledger.close()
    return waited


def orders_with_a_name(most: int) -> int:
    one = Commands()
    for nth in range(most + 5):
        one.take(JournalEntry(Kind.COMMAND, NOON, f"c{nth}"))
    assert one.get("c4") is None
    assert one.get("c5") is not None
    return len(one._by_name)


def calls_unheard(most: int) -> int:
    one = Unheard()
    for nth in range(most + 5):
        one.asked(attempt(nth))
    return sum(1 for _ in one.take())


CAPS = [
    Cap(at_hand, "REMEMBER_CALLS", calls_at_hand), Cap(desks, "MOST_DESKS", desks_of_a_ledger),
    Cap(desks, "MOST_DESKS", desks_that_let_a_call_through),
    Cap(strangers, "MOST_STRANGERS", books_of_strangers),
    Cap(memory, "REMEMBER_DECISIONS", decisions_in_memory), Cap(feed, "LATELY", a_feed),
    Cap(feed, "KEEP_UP", a_subscriber), Cap(series, "MINUTES", a_series),
    Cap(breaker, "MOST_ACCOUNTS", accounts_of_the_breaker), Cap(rounds, "MOST_SEEN", accounts_of_a_round),
    Cap(numbers, "REMEMBERED", numbers_classified), Cap(trail, "MOST_CALLS", calls_of_a_trail),
    Cap(writer, "MOST_ENTRIES", entries_that_wait), Cap(registers, "MOST", orders_with_a_name),
    Cap(unheard, "MOST", calls_unheard),
]


@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: cap.fill.__name__)
def test_what_has_a_cap_stays_at_it(cap: Cap, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 50
    where: object = Commands if cap.module is registers else cap.module
    assert getattr(where, cap.name) >= most             # it is a small number only here
    monkeypatch.setattr(where, cap.name, most)
    assert cap.fill(most) == most
