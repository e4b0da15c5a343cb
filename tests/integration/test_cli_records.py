"""Opt-outs and strikes as people put them on record."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from enforcer.domain.journal import JournalEntry, Kind
from tests.support.house import House

PACK = """
[pack]
name = "p"
revision = "1"
[[rule]]
id = "stop"
kind = "opt_out"
clause = "3. Unsolicited Communications"
critical = { at = 0, verdict = "block" }
[[rule]]
id = "repeat"
kind = "strikes"
clause = "7. Copyrighted Material"
scope = "customer"
strikes = ["copyright", "content"]
window = "30d"
warning = { at = 1, verdict = "tag" }
critical = { at = 3, verdict = "block" }
[[rule]]
id = "spam"
kind = "strikes"
clause = "3. Unsolicited Communications"
strikes = ["spam"]
window = { cycles = 2 }
critical = { at = 2, verdict = "block" }
"""
HEADER = "number,customer,account,date,reason\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, PACK)


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days)).isoformat()


# Opt-outs ------------------------------------------------------------------------------------------


def test_an_opt_out_is_kept_as_e164_with_who_entered_it_and_why(house: House) -> None:
    said = house.ok("optout", "add", "(202) 555-0123", "-a", "acme", "--by", "bob", "--reason", "by letter")
    assert said == "+12025550123 opted out of account acme\n"
    (one,) = house.json("optout", "list")
    assert (one["number"], one["customer"], one["account"]) == ("+12025550123", "big", "acme")
    assert (one["source"], one["by"], one["reason"]) == ("cli", "bob", "by letter")
    assert one["at"] == one["entered"]
    assert one["honoured_in"] is None


def test_a_second_time_changes_nothing(house: House) -> None:
    house.ok("optout", "add", "2025550123", "--customer", "big")
    assert "already, on 20" in house.ok("optout", "add", "+1 202 555 0123", "--customer", "big")
    with house.ledger() as ledger:
        assert len(list(ledger.journal([Kind.OPT_OUT]))) == 1


def test_opt_outs_are_listed_by_customer_account_and_number(house: House) -> None:
    house.ok("optout", "add", "2025550123", "-a", "acme")
    house.ok("optout", "add", "2025550124", "--customer", "big")
    house.ok("optout", "add", "2025550125", "-a", "solo")

    def numbers(*args: str) -> list[str]:
        return [one["number"][-1] for one in house.json("optout", "list", *args)]

    assert numbers() == ["3", "4", "5"]
    assert numbers("--customer", "big") == ["3", "4"]
    assert numbers("--account", "acme") == ["3", "4"]
    assert numbers("--account", "apex") == ["4"]
    assert numbers("--number", "202-555-0125") == ["5"]
    table = house.ok("optout", "list", "--customer", "big")
    assert re.search(r"\+12025550124 +big +all +20.* cli ", table)


def test_a_changed_mind_is_put_on_record_as_well(house: House) -> None:
    house.ok("optout", "add", "2025550123", "-a", "acme")
    house.ok("optout", "add", "2025550123", "--customer", "big")
    said = house.ok("optout", "remove", "2025550123", "-a", "acme", "--reason", "wrote again")
    assert said == ("the opt-out of +12025550123 from account acme is withdrawn; "
                    "so is its opt-out of customer big\n")
    assert house.json("optout", "list") == []
    with house.ledger() as ledger:
        kinds = [entry.kind for entry in ledger.journal(ref="+12025550123")]
    assert kinds == [Kind.OPT_OUT, Kind.OPT_OUT, Kind.OPT_IN]


@pytest.mark.parametrize(("args", "line"), [
    (["add", "5", "-a", "acme"], "NUMBER: '5' is no telephone number of US; write it as it is dialled"),
    (["add", "nobody", "-a", "acme"], "NUMBER: 'nobody' is no telephone number"),
    (["add", "911", "-a", "acme"], "NUMBER: '911' is no telephone number"),
    (["add", "2025550123"], "optout add: name an account or a customer"),
    (["add", "2025550123", "-a", "acne"], "optout add: no such account: 'acne'; did you mean 'acme'?"),
    (["add", "2025550123", "--customer", "bug"], "optout add: no such customer: 'bug'; did you mean 'big'?"),
    (["add", "2025550123", "-a", "acme", "--customer", "small"],
     "optout add: account 'acme' belongs to customer 'big', not to 'small'"),
    (["remove", "2025550199", "-a", "acme"], "NUMBER: +12025550199 has not opted out of account acme"),
    (["remove", "2025550123", "-a", "acme"],
     "NUMBER: +12025550123 has not opted out of account acme; it did of account solo"),
    (["list", "--number", "12"], "--number: '12' is no telephone number"),
    (["import", "none.csv"], "none.csv: cannot be read: No such file or directory"),
])
def test_what_cannot_be_an_opt_out_is_refused(house: House, args: list[str], line: str) -> None:
    house.ok("optout", "add", "2025550123", "-a", "solo")
    assert house.refused("optout", *args).startswith(line)
    assert len(house.json("optout", "list")) == 1


def test_a_list_is_imported_once_however_often_it_comes(house: House) -> None:
    house.ok("optout", "add", "2025550100", "-a", "acme", "--by", "bob")
    file = house.file("list.csv", HEADER + (
        "2025550100,,acme,,\n"
        "+12025550101,big,,2026-10-05,asked by phone\n"
        "+44 20 7946 0018,small,solo,2026-10-05 14:30,\n\n"
        "12025550101,big,,,said it again\n"
    ))
    assert house.ok("optout", "import", file) == "4 opt-outs imported: 2 new, 2 known before\n"
    assert house.ok("optout", "import", file) == "4 opt-outs imported: 0 new, 4 known before\n"
    found = {one["number"]: one for one in house.json("optout", "list")}
    assert found["+12025550100"]["by"] == "bob"
    phoned = found["+12025550101"]
    assert (phoned["source"], phoned["reason"]) == ("import", "asked by phone")
    assert phoned["at"] == "2026-10-05T04:00:00.000+00:00"      # midnight where the customer's cycle is
    assert phoned["entered"] > phoned["at"]
    assert found["+442079460018"]["at"] == "2026-10-05T14:30:00.000+00:00"


@pytest.mark.parametrize(("row", "problem"), [
    ("12,big,,,", "'12' is no telephone number of US"),
    ("2025550101,,,,", "name an account or a customer"),
    ("2025550101,,acne,,", "no such account: 'acne'; did you mean 'acme'?"),
    ("2025550101,big,,05.10.2026,", "'05.10.2026' is no date such as 2026-10-05"),
    ("2025550101,big,,2999-01-01,", "'2999-01-01' has not come yet"),
    ("2025550101,big", "2 fields, the header has 5"),
    ("2025550101,big,,,a\x07", "reason: holds characters that cannot be printed"),
])
def test_one_bad_row_is_named_with_its_line_and_nothing_is_imported(
    house: House, row: str, problem: str
) -> None:
    file = house.file("list.csv", f"{HEADER}2025550100,big,,,\n{row}\n2025550102,big,,,\n")
    assert house.refused("optout", "import", file).startswith(f"{file}:3: {problem}")
    assert house.json("optout", "list") == []


def test_a_message_that_opted_out_tells_how_soon_it_was_honoured(house: House) -> None:
    with house.ledger() as ledger:
        ledger.put([JournalEntry(
            Kind.OPT_OUT, 1000.25, "+12025550123", "big", "acme", {"source": "message", "honoured_in": 0.25}
        )])
    (one,) = house.json("optout", "list")
    assert (one["source"], one["honoured_in"]) == ("message", "0.250")
    assert " 0.2 s" in house.ok("optout", "list")


# Strikes ------------------------------------------------------------------------------------------


def test_a_strike_tells_how_many_are_to_go_and_until_when_it_counts(house: House) -> None:
    said = house.ok("strike", "add", "big", "--kind", "copyright", "--at", days_ago(10), "--by", "eve",
                    "--reason", "complaint 17")
    first, second = said.splitlines()
    assert re.fullmatch(r"strike s[0-9a-f]{8}: customer big, copyright, 20.*E[SD]T", first)
    assert second.startswith("customer big, repeat: 1 of 3 strikes in 30 days, 2 to go; "
                             "the next stops counting on 20")
    house.ok("strike", "add", "-a", "apex", "--kind", "content")
    told = house.json("strike", "list")
    old, new = told["strikes"]
    assert (old["kind"], old["account"], old["by"], old["reason"]) == (
        "copyright", None, "eve", "complaint 17",
    )
    assert (new["kind"], new["account"], new["customer"]) == ("content", "apex", "big")
    until = datetime.fromisoformat(old["counts"][0]["until"]) - datetime.fromisoformat(old["at"])
    assert until == timedelta(30)
    (rule,) = told["rules"]
    assert (rule["rule"], rule["count"], rule["limit"], rule["to_go"], rule["level"]) == (
        "repeat", 2, "3", 1, "warning",
    )


def test_a_strike_older_than_the_window_is_listed_and_counts_no_more(house: House) -> None:
    house.ok("strike", "add", "big", "--kind", "copyright", "--at", days_ago(31))
    told = house.json("strike", "list")
    assert [one["counts"] for one in told["strikes"]] == [[]]
    assert told["rules"] == []


def test_the_limit_is_reached_with_as_many_strikes_as_it_says(house: House) -> None:
    for _ in range(3):
        said = house.ok("strike", "add", "big", "--kind", "copyright")
    assert "3 of 3 strikes in 30 days, the limit is reached" in said


def test_strikes_in_cycles_stop_counting_when_a_cycle_begins(house: House) -> None:
    house.ok("strike", "add", "-a", "solo", "--kind", "spam")
    (strike,) = house.json("strike", "list")["strikes"]
    at = datetime.fromisoformat(strike["at"])
    month = at.year * 12 + at.month - 1 + 2
    assert strike["counts"] == [
        {"rule": "spam", "account": "solo",
         "until": f"{month // 12}-{month % 12 + 1:02}-01T00:00:00.000+00:00"}
    ]


def test_a_withdrawn_strike_stays_on_record_and_counts_no_more(house: House) -> None:
    house.ok("strike", "add", "big", "--kind", "copyright")
    (strike,) = house.json("strike", "list")["strikes"]
    assert house.refused("strike", "withdraw", strike["id"], "--reason", " ").startswith("--reason: say why")
    house.ok("strike", "withdraw", strike["id"], "--reason", "licence shown")
    told = house.json("strike", "list")
    assert [one["withdrawn"] for one in told["strikes"]] == ["licence shown"]
    assert told["rules"] == []
    assert "withdrawn: licence shown" in house.ok("strike", "list")
    again = house.refused("strike", "withdraw", strike["id"], "--reason", "x")
    assert again == f"ID: strike {strike['id']} is withdrawn already: licence shown"


def test_a_kind_that_no_rule_counts_is_kept_with_a_warning(house: House) -> None:
    done = house.run("strike", "add", "big", "--kind", "copyrihgt")
    assert done.exit_code == 0
    assert done.stderr == (
        "enforcer: warning: no rule of the packs counts strikes of the kind 'copyrihgt' (they count content, "
        "copyright or spam); did you mean 'copyright'?\n"
    )
    assert [one["kind"] for one in house.json("strike", "list")["strikes"]] == ["copyrihgt"]


@pytest.mark.parametrize(("args", "line"), [
    (["add", "bug", "--kind", "x"], "strike add: no such customer: 'bug'; did you mean 'big'?"),
    (["add", "-a", "acne", "--kind", "x"], "strike add: no such account: 'acne'; did you mean 'acme'?"),
    (["add", "--kind", "x"], "strike add: name an account or a customer"),
    (["add", "big"], "--kind: say what was breached"),
    (["add", "big", "--kind", "x", "--at", "yesterday"], "--at: 'yesterday' is no date"),
    (["add", "big", "--kind", "x", "--at", "2999-01-01"], "--at: '2999-01-01' has not come yet"),
    (["withdraw", "s1", "--reason", "x"], "ID: no such strike: 's1'; see `enforcer strike list`"),
    (["list", "--customer", "nobody"], "strike list: no such customer: 'nobody'"),
])
def test_what_cannot_be_a_strike_is_refused(house: House, args: list[str], line: str) -> None:
    assert house.refused("strike", *args).startswith(line)
    assert house.json("strike", "list") == {"strikes": [], "rules": []}
