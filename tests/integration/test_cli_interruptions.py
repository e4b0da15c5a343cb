"""`enforcer interruptions`: what credits for lost service leave out."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcer.domain.call import Refusal
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.ledger.port import Ledger
from tests.support.house import House
from tests.support.ledgers import Call, tell

PACK = """
[pack]
name = "p"
revision = "1"
[[rule]]
id = "attempts"
kind = "attempts"
clause = "1. Fair Use"
critical = { at = 1000 }
"""
AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC).timestamp()


def decide(
    ledger: Ledger, name: str, after: float, verdict: Verdict = Verdict.BLOCK, account: str = "acme",
    rule: str = "attempts", hold: float = 0.0, shed: bool = False,
) -> None:
    clause = "1. Fair Use"
    finding = Finding(rule, clause, Level.CRITICAL, Verdict.BLOCK, verdict, "block", "m", "5", "4")
    ledger.keep(Decision(
        name, AT + after, f"pbx1/{name}", "pbx1", account, "1", "outbound", verdict, Verdict.BLOCK, rule,
        clause, hold=hold, shed=shed, findings=(finding,),
    ))


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path, PACK)
    with house.ledger() as ledger:
        for n in range(4):
            decide(ledger, f"d{n}", n * 600)
        decide(ledger, "s1", 7200, Verdict.THROTTLE, shed=True)
        decide(ledger, "h1", 8000, Verdict.THROTTLE, "apex", hold=1.5)
        decide(ledger, "g1", 9000, account="ghost")                     # a caller that nobody registered
        decide(ledger, "old", -40 * 86_400)
        decide(ledger, "x1", 0, account="solo")
        went = Call("x1", "solo", start=AT)
        tell(ledger, went.started())
        ledger.refuse(went.id, Refusal.BLOCKED)
        tell(ledger, went.ended()._replace(refusal=Refusal.WENT))       # our answer came too late
        alone = Call("y1", "solo", start=AT + 60)
        tell(ledger, alone.started(), alone.ended()._replace(refusal=Refusal.SHED))
    return house


def test_refused_calls_are_intervals_with_clause_and_decisions_in_local_time(house: House) -> None:
    told = house.json("interruptions", "--cycle", "2026-10", "-a", "acme")
    first, second = told["interruptions"]
    assert first == {
        "kind": "refused", "customer": "big", "account": "acme", "rule": "attempts", "clause": "1. Fair Use",
        "mode": "block", "standing": None, "from": "2026-10-05T10:00:00.000-04:00",
        "until": "2026-10-05T10:30:00.000-04:00", "from_epoch": AT, "until_epoch": AT + 1800,
        "seconds": "1800.000", "open": False, "blocked": 4, "shed": 0, "held": 0, "messages": 0,
        "longest_hold": "0.000", "decisions": ["d0", "d1", "d2", "d3"],
    }
    assert (second["shed"], second["decisions"], second["seconds"]) == (1, ["s1"], "0.000")
    assert told["total_seconds"] == {"acme": "1800.000"}
    assert told["slowed"] == []


def test_a_wider_gap_joins_what_lies_further_apart(house: House) -> None:
    told = house.json("interruptions", "--cycle", "2026-10", "-a", "acme", "--gap", "2h")
    assert [one["decisions"] for one in told["interruptions"]] == [["d0", "d1", "d2", "d3", "s1"]]
    told = house.json("interruptions", "--cycle", "2026-10", "-a", "acme", "--gap", "9m")
    assert len(told["interruptions"]) == 5


def test_held_calls_are_told_apart(house: House) -> None:
    told = house.json("interruptions", "--cycle", "2026-10", "-a", "apex")
    assert told["interruptions"] == []
    (slow,) = told["slowed"]
    assert (slow["kind"], slow["held"], slow["longest_hold"]) == ("slowed", 1, "1.500")
    assert ("account apex was slowed, not interrupted: 1 held by attempts"
            in house.ok("interruptions", "--cycle", "2026-10", "-a", "apex"))


def test_what_the_switch_let_go_is_no_interruption_and_what_it_refused_by_itself_is(house: House) -> None:
    (one,) = house.json("interruptions", "--cycle", "2026-10", "-a", "solo")["interruptions"]
    assert (one["rule"], one["clause"], one["shed"], one["decisions"]) == ("switch", None, 1, [])


def test_all_accounts_or_one_customers(house: House) -> None:
    def accounts(*args: str) -> list[str]:
        told = house.json("interruptions", "--cycle", "2026-10", *args)
        return sorted({one["account"] for one in told["interruptions"]})

    assert accounts() == ["acme", "ghost", "solo"]
    assert accounts("--customer", "big") == ["acme"]
    assert accounts("--customer", "small") == ["solo"]


def test_a_suspended_account_is_interrupted_until_it_is_resumed(house: House) -> None:
    month = datetime.now(UTC).strftime("%Y-%m")
    house.ok("account", "suspend", "solo", "--reason", "fraud")
    (one,) = house.json("interruptions", "--cycle", month, "-a", "solo")["interruptions"]
    assert (one["kind"], one["standing"], one["mode"], one["open"]) == ("stopped", "suspended", "block", True)
    assert one["clause"].startswith("fraud (by ")
    assert "goes on" in house.ok("interruptions", "--cycle", month, "-a", "solo")
    house.ok("account", "resume", "solo")
    (one,) = house.json("interruptions", "--cycle", month, "-a", "solo")["interruptions"]
    assert one["open"] is False
    assert one["from_epoch"] < one["until_epoch"]


def test_a_table_for_people_and_csv_for_spreadsheets(house: House) -> None:
    said = house.ok("interruptions", "--cycle", "2026-10", "--customer", "big")
    assert "2026-10-05 10:00:00 EDT" in said
    assert "d0 d1 d2 and 1 more" in said
    assert "account acme: 2 interruptions, 0:30:00 in all" in said
    rows = list(csv.DictReader(io.StringIO(house.ok("interruptions", "--cycle", "2026-10", "--csv"))))
    assert [row["kind"] for row in rows] == ["refused", "refused", "refused", "slowed", "refused"]
    assert rows[0]["decisions"] == "d0 d1 d2 d3" or rows[1]["decisions"] == "d0 d1 d2 d3"


@pytest.mark.parametrize(("args", "line"), [
    (["--cycle", "2026-13"], "--cycle: '2026-13' is no billing cycle"),
    (["--cycle", "2999-01"], "--cycle: 2999-01 has not begun yet"),
    (["--cycle", "2026-10", "-a", "acne"], "interruptions: no such account: 'acne'; did you mean 'acme'?"),
    (["--cycle", "2026-10", "--customer", "bug"], "interruptions: no such customer: 'bug'; did you mean"),
    (["--cycle", "2026-10", "--gap", "soon"], "--gap: "),
])
def test_what_cannot_be_listed_is_refused(house: House, args: list[str], line: str) -> None:
    assert house.refused("interruptions", *args).startswith(line)
