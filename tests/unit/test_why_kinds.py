"""Every kind of rule explains an account in its own words: one ledger, one account, all kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from enforcer.control.case import Case
from enforcer.control.explanation import Explanation
from enforcer.control.report import standing
from enforcer.control.why import explain
from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import Medium, NumberClass
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Mode
from enforcer.domain.rules import KINDS
from enforcer.ledger.memory import MemoryLedger
from enforcer.ledger.port import Ledger
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.packs import loads
from tests.support.ledgers import Call, talked, tell

DAY = 86_400.0
START = 1_793_491_200.0     # 2026-11-01 00:00:00 UTC, when the cycle begins
NOW = START + 20 * DAY
ACME = Account("acme", "acme-inc", AccountType.PBX)
IDLE = Account("idle", "acme-inc", AccountType.PBX)

HEAD = '[pack]\nname = "all"\nrevision = "1"\n'
# kind, the rest of its rule, and sentences that `why acme` says of it
SAYS: dict[str, tuple[str, list[str]]] = {
    "asr": ("scope = 'customer'\nmin_attempts = 10\nwarning = { at = 2 }\ncritical = { at = 4 }", [
        "attempts per completed call: 40/16 = 2.5, limit 4: warning",
        "16 completed: pbx1/0, pbx1/1, pbx1/2 … pbx1/13, pbx1/14, pbx1/15",
        "not answered, cause 17 (busy): 20 times (pbx1/20, pbx1/21, pbx1/22 … pbx1/37, pbx1/38, pbx1/39)",
        "9 completed calls in a row would bring it below its warning (2)",
    ]),
    "attempts": ("warning = { at = 50 }\ncritical = { at = 70 }", [
        "attempts this cycle: 42, limit 70: fine",
        "headroom: 8 attempts, however they end, before its warning",
        "at the pace of this cycle so far (2.1 attempts a day) its warning (50) is passed after 9 more "
        "attempts, on 2026-11-25 06:51:25 UTC",
        "at the pace of this cycle so far (2.1 attempts a day) its limit (70) is not passed before the "
        "window ends",
    ]),
    "average_duration": ("min_answered = 5\ncritical = { at = 300 }", [
        "average call duration this cycle: 48.8 s, limit 300 s: critical",
        "under 10 s: 8 times", "1 to 10 minutes: 12 times",
    ]),
    "average_minutes": ("types = ['pbx']\ncritical = { at = 8 }", [
        "average minutes: 8.133, limit 8: critical",
        "1 of 2 accounts pulls the average up:",
        "acme: 16.267 minutes",
        "the fewest to act on: had 1 account (acme) used no more than 8 minutes for each, the average would "
        "be within its limit",
        "settled when the cycle is over; no call is touched",
    ]),
    "class_share": ("classes = ['premium']\ncritical = { at = 5 }", [
        "calls to premium numbers this cycle: 4/42 = 9.524 %, limit 5 %: critical",
        "19005550100 (premium): 4 times (pbx1/30, pbx1/31, pbx1/32, pbx1/33)",
        "38 calls in a row to other numbers would bring it below its limit (5 %)",
    ]),
    "concurrent_calls": ("critical = { at = 1, verdict = 'throttle' }", [
        "calls in progress: 2, limit 1: critical",
        "2 in progress: pbx1/live0, pbx1/live1",
        "once 1 call in progress ends it is below its limit (1)",
    ]),
    "cps": ("critical = { at = 3 }", [
        "how fast calls are set up just now is known to the running enforcer only",
        "the busiest second so far:",
        "2 within one second (pbx1/live0, pbx1/live1)",
    ]),
    "distinct_callers": ("critical = { at = 5 }", [
        "distinct caller numbers this cycle: 1, limit 5: fine", "100: 42 times",
    ]),
    "distinct_numbers": ("critical = { at = 10 }", [
        "distinct numbers this cycle: 28, limit 10: critical", "28 different numbers, of which",
    ]),
    "diluted_average": ("types = ['pbx']\ncritical = { at = 16 }", [
        "average minutes of accounts in use: 16.267, limit 16: critical",
        "1 account is not in use:", "idle: 0 minutes",
    ]),
    "duration_cliff": ("min_answered = 5\ncritical = { at = 10 }", [
        "calls just above the cut-off this cycle: 4/16 = 25 %, limit 10 %: critical",
        "answered for 7 s: 4 times", "24 longer calls in a row would bring it below its limit (10 %)",
    ]),
    "failed_calls": ("min_attempts = 5\ncritical = { at = 40 }", [
        "failed calls this cycle: 20/40 = 50 %, limit 40 %: critical",
        "10 answered calls in a row would bring it below its limit (40 %)",
    ]),
    "fair_share": ("critical = { at = 1, verdict = 'throttle' }", [
        "calls in progress on a busy switch: 2 in progress, limit 1 x fair share: fine",
        "how busy each switch is just now is known to the running enforcer only",
    ]),
    "messages": ("critical = { at = 100 }", [
        "messages this cycle: 3, limit 100: fine", "3 sent: pbx1/m0, pbx1/m1, pbx1/m2",
        "headroom: 97 messages, however they end, before its limit",
    ]),
    "minutes": ("warning = { at = 20 }\ncritical = { at = 6000, verdict = 'block' }\nnotice = {}", [
        "minutes this cycle: 16.267, limit 6000: fine",
        "at the pace of this cycle so far (0.8 minutes a day) its warning (20) is passed after 3.733 more "
        "minutes, on 2026-11-25 14:",
        "notice: none was given yet, so it only tags; delivered now, it could act from 2026-11-28 00:00:00 "
        "UTC (7 days of grace)",
    ]),
    "opt_out": ("critical = { at = 0, verdict = 'block' }", [
        "opted out: 1 number, limit none: fine",
        "+12125550190, of all of the customer's accounts, 2026-11-11 00:00:00 UTC by message",
    ]),
    "redials": ("redial_seconds = 60\ncritical = { at = 1 }", [
        "redials this cycle: 4, limit 1: critical",
        "19005550100: 4 calls in a chain (pbx1/30, pbx1/31, pbx1/32, pbx1/33)",
    ]),
    "same_number": ("window = '10d'\ncritical = { at = 3 }", [
        "calls to one number in 10 d: 4, limit 3: critical",
        "window: since 2026-11-11 02:00:00 UTC, until 2026-11-21 00:00:00 UTC",
        "if nothing more is added it is over on 2026-11-26 00:00:00 UTC",
    ]),
    "sequential_numbers": ("critical = { at = 5 }", [
        "numbers in a row this cycle: 19, limit 5: critical",
        "12125550100 to 12125550119: 20 numbers in a row",
    ]),
    "short_calls": ("min_answered = 5\ncritical = { at = 10 }", [
        "short calls this cycle: 4/20 = 20 %, limit 10 %: critical",
        "answered for 3 s: 4 times (pbx1/16, pbx1/17, pbx1/18, pbx1/19)",
        "20 completed calls in a row would bring it below its limit (10 %)",
    ]),
    "strikes": ("window = { cycles = 6 }\nwarning = { at = 1 }\ncritical = { at = 2, verdict = 'block' }", [
        "strikes: 1 in 6 cycles, limit 2: warning",
        "s-1: copyright of account acme, 2026-11-05 00:00:00 UTC, by alice (letter of the owner)",
        "window: since 2026-06-01 00:00:00 UTC",
        "if nothing more is added it is over on 2027-05-01 00:00:00 UTC",
    ]),
}


def pack() -> str:
    return HEAD + "".join(
        f'[[rule]]\nid = "{kind}"\nkind = "{kind}"\nclause = "clause of {kind}"\n{rest}\n'
        for kind, (rest, _) in SAYS.items()
    )


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """Twenty days of one account: 40 calls that are over, two in progress, messages, an opt-out, a strike."""
    policy = loads([("all.toml", pack())], range(300, 700))
    classes = {"19005550100": NumberClass.PREMIUM}

    def classify(number: str) -> NumberClass:
        return classes.get(number, NumberClass.ORDINARY)

    ledger: Ledger = MemoryLedger(classify, lambda: NOW)
    if request.param == "sqlite":
        ledger = SqliteLedger(tmp_path_factory.mktemp("ledger") / "ledger.db", classify, lambda: NOW)
    ledger.put_accounts([ACME, IDLE])
    ledger.use(policy)
    for n in range(40):
        number, start = f"1212555{100 + n % 20:04}", START + n * 12 * 3600
        if 30 <= n < 34:        # four in a chain to a premium number, on the 15th day
            number, start = "19005550100", START + 15 * DAY + n * 30
        elif n >= 34:
            number = f"1312555{n * 2:04}"
        call = Call(str(n), number=number, start=start)
        length = 78.0 if n < 12 else 7.0 if n < 16 else 3.0 if n < 20 else None
        tell(ledger, *(talked(call, length) if length else [call.started(), call.ended(0, 17)]))
    for n in range(2):
        tell(ledger, Call(f"live{n}", number="13125550066", start=NOW - 10 + n / 2).started())
    for n in range(3):
        message = Call(f"m{n}", number="12125550100", start=START + n * DAY, medium=Medium.MESSAGE)
        tell(ledger, message.sent())
    ledger.put([
        JournalEntry(Kind.OPT_OUT, START + 10 * DAY, "+12125550190", "acme-inc", "", {"source": "message"}),
        JournalEntry(Kind.STRIKE, NOW, "s-1", "acme-inc", "acme", {
            "kind": "copyright", "at": START + 4 * DAY, "who": "alice", "why": "letter of the owner"}),
    ])
    yield Case(ledger, policy, Mode.MONITOR, NOW)
    ledger.close()


@pytest.fixture(scope="module")
def told(case: Case) -> Explanation:
    return explain(case, "acme")


def about(told: Explanation, kind: str) -> list[str]:
    """What is said of one rule."""
    begins = told.lines.index(f"  rule {kind}, clause: clause of {kind}")
    ends = next(
        (n for n in range(begins + 1, len(told.lines)) if not told.lines[n].startswith("    ")),
        len(told.lines),
    )
    return [line.strip() for line in told.lines[begins:ends]]


def test_there_is_a_row_for_every_kind() -> None:
    assert set(SAYS) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(SAYS))
def test_a_kind_says(told: Explanation, kind: str) -> None:
    said = about(told, kind)
    for sentence in SAYS[kind][1]:
        assert any(line.startswith(sentence) for line in said), (sentence, said)


def test_every_rule_names_the_mode_that_holds_it_back(told: Explanation) -> None:
    for kind in set(KINDS) - {"average_minutes", "diluted_average"}:
        assert "mode monitor: default of the configuration" in about(told, kind)
    assert "its block is held at allow by that mode; mode block lets it through" in about(told, "minutes")


def test_the_calls_of_rules_that_count_the_same_are_listed_once(told: Explanation) -> None:
    same = [line for line in told.lines if "the same calls as under rule average_duration" in line]
    assert len(same) >= 5
    assert sum("completed: pbx1/0, pbx1/1" in line for line in told.lines) <= 3


def test_what_has_reached_a_level_comes_first(told: Explanation) -> None:
    numbers = [line for line in told.lines if line.startswith("    ") and ", limit " in line]
    levels = [line.rsplit(": ", 1)[1] for line in numbers]
    assert levels == sorted(levels, key=["critical", "warning", "fine"].index)


def test_the_output_stays_small_and_says_how_to_see_all(told: Explanation) -> None:
    assert len(told.lines) < 350
    assert "`enforcer why acme --all` lists every call." in told.lines
    assert any(line.startswith("Forecasts carry on in a straight line") for line in told.lines)


def test_all_of_it_is_told_to_who_asks(case: Case) -> None:
    everything = explain(Case(case.ledger, case.policy, Mode.MONITOR, NOW, most=None), "acme")
    assert not any(" … " in line or "--all" in line for line in everything.lines)


def test_the_pace_of_the_cycle_so_far_is_told(told: Explanation) -> None:
    assert "pace so far: 2.1 attempts, 0.8 completed calls, 0.8 minutes and 0.2 messages a day" in told.lines
    assert told.facts["pace_a_day"]["attempts"] == "2.1"


def test_programs_are_told_the_same(told: Explanation) -> None:
    facts = json.loads(json.dumps(told.facts))
    rules = {rule["rule"]: rule for rule in facts["rules"]}
    assert set(rules) == set(KINDS)
    (warning, limit) = rules["attempts"]["forecast"]
    assert (warning["level"], warning["at"], warning["more"], limit["when"]) == ("warning", "50", "9", None)
    assert rules["asr"]["remedies"][0]["number"] == 9
    assert rules["minutes"]["notice"]["open"] is False
    assert rules["redials"]["evidence"]["groups"][0]["calls"] == ["pbx1/30", "pbx1/31", "pbx1/32", "pbx1/33"]
    assert rules["attempts"]["counted"][0] == {
        "words": "completed", "number": 16, "left_out": 10,
        "calls": ["pbx1/0", "pbx1/1", "pbx1/2", "pbx1/13", "pbx1/14", "pbx1/15"],
    }


def test_what_is_told_is_what_calls_are_judged_by(case: Case) -> None:
    """The numbers come from the records; the running enforcer's are those of its counters."""
    lines = {line.rule.spec.id: line for line in standing(case, case.modes(NOW), ACME).lines}
    seats = case.ledger.seats("acme", NOW)
    assert len(seats) == len(KINDS) - 2         # averages judge no call
    for seat in seats:
        line, found = lines[seat.rule.spec.id], seat.rule.look(seat, NOW)
        assert line.level == (found.level if found is not None else 0), seat.rule.spec.id
        assert line.usage == seat.tally.usage(), seat.rule.spec.id
        if seat.rule.spec.kind not in ("opt_out", "strikes", "fair_share"):
            assert (line.value, line.limit) == seat.rule.standing(seat.tally, NOW)


def test_a_past_cycle_of_a_customer_is_told_to_its_own_end() -> None:
    """a, by whom the customer's cycle goes, is settled on the 10th; b on the 1st."""
    policy = loads([("all.toml", f"{HEAD}[[rule]]\nid = 'r'\nkind = 'distinct_numbers'\nclause = 'c'\n"
                     "scope = 'customer'\ncritical = { at = 1 }\n")], range(300, 700))
    ledger = MemoryLedger(lambda number: NumberClass.ORDINARY, lambda: NOW + 60 * DAY)
    own = Account("b", "both")
    ledger.put_accounts([Account("a", "both", anchor_day=10), own])
    ledger.use(policy)
    for n, day in enumerate((12, 35)):          # the 13th of November, and the 6th of December
        tell(ledger, Call(f"{n}", account="b", number=f"1212555010{n}", start=START + day * DAY).started())
    case = Case(ledger, policy, Mode.MONITOR, NOW + 60 * DAY)
    (line,) = standing(case, case.modes(NOW), own, "2026-11", calls=True).lines
    assert (line.value, line.level.name) == ("2", "CRITICAL")
    assert line.evidence is not None
    assert line.evidence.words == "2 different numbers"


def test_a_past_cycle_is_told_as_it_ended(case: Case) -> None:
    later = Case(case.ledger, case.policy, Mode.MONITOR, NOW + 40 * DAY)
    found = standing(later, later.modes(NOW), ACME, "2026-11")
    lines = {line.rule.spec.id: line for line in found.lines}
    assert found.moments == ("concurrent_calls", "cps", "fair_share", "opt_out")
    assert set(lines) | set(found.moments) == set(KINDS)
    assert lines["attempts"].value == "42"
    assert lines["distinct_numbers"].value == "28"
    assert lines["same_number"].value == "0"            # its ten days before the end of the cycle
    assert all(line.headroom is None and not line.outlook.crossings for line in lines.values())
    assert lines["average_minutes"].level.name == "CRITICAL"
