"""`enforcer evidence`: a bundle for a dispute, and what its check finds."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from enforcer.domain.call import Medium
from enforcer.domain.charge import Claim
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.notice import About, Audience, Notice, Stage, created, step
from enforcer.ledger.port import Ledger
from tests.support.house import House
from tests.support.ledgers import Call, talked, tell

PACK = """
[pack]
name = "p"
revision = "1"
[[rule]]
id = "attempts"
kind = "attempts"
clause = "1. Fair Use"
critical = { at = 1000 }
[[rule]]
id = "repeat"
kind = "strikes"
clause = "7. Copyrighted Material"
window = "60d"
critical = { at = 3, verdict = "block" }
"""
AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC).timestamp()
DAY = 86_400.0


def fill(ledger: Ledger) -> None:
    """October of acme and apex (customer big) and of solo (small), and what lies around it."""
    tell(ledger, *talked(Call("1", start=AT), 61.5), *talked(Call("2", "apex", start=AT), 5))
    tell(ledger, Call("3", number="=cmd()", start=AT + 60).started())
    tell(ledger, Call("4", start=AT + 90, medium=Medium.MESSAGE).sent())
    tell(ledger, *talked(Call("5", "solo", start=AT), 5), *talked(Call("6", start=AT - 40 * DAY), 5))
    finding = Finding("attempts", "1. Fair Use", Level.CRITICAL, Verdict.BLOCK, Verdict.BLOCK, "block", "m",
                      "5", "4")
    for name, account, at in (
        ("d1", "acme", AT), ("d2", "apex", AT + 1), ("d3", "solo", AT + 2), ("d4", "acme", AT - 40 * DAY),
    ):
        ledger.keep(Decision(
            name, at, "pbx1/1", "pbx1", account, "1", "outbound", Verdict.BLOCK, Verdict.BLOCK, "attempts",
            "1. Fair Use", "p@1", findings=(finding,),
        ))
    ledger.flush()
    ledger.put_mode(ModeSetting(Mode.BLOCK, account="acme", who="bob", at=AT - DAY))
    ledger.put_mode(ModeSetting(Mode.TAG, account="apex", who="bob", at=AT - DAY))
    ledger.put_mode(ModeSetting(Mode.OFF, who="bob", at=AT - 90 * DAY, until=AT - 80 * DAY))
    ledger.charge([
        Claim("big", "acme", "minutes", "2026-10", "p@1", Decimal("2.50"), "USD", "Fair Use", "5 x 0.5"),
        Claim("small", "solo", "minutes", "2026-10", "p@1", Decimal("9"), "USD"),
        Claim("big", "acme", "minutes", "2026-09", "p@1", Decimal("7"), "USD"),
    ], AT + 40 * DAY)
    ledger.charge([
        Claim("big", "acme", "minutes", "2026-10", "p@1", Decimal("2"), "USD", "Fair Use", "4 x 0.5"),
    ], AT + 41 * DAY)
    notice = Notice(
        "n-1", Audience.CUSTOMER, About.LEVEL, "big", "acme", "attempts", Level.CRITICAL, "2026-10", AT,
        7 * DAY, 90 * DAY, facts={"text": "Dear Big Ltd, ..."},
    )
    ledger.put([
        created(notice), step(notice, Stage.DELIVERED, AT + 60),
        created(Notice("n-2", Audience.CUSTOMER, About.LEVEL, "small", "solo", "attempts", Level.CRITICAL,
                       "2026-10", AT)),
        JournalEntry(Kind.STRIKE, AT, "s1", "big", "acme", {"kind": "copyright", "at": AT}),
        JournalEntry(Kind.STRIKE, AT, "s2", "big", "apex", {"kind": "copyright", "at": AT}),
        JournalEntry(Kind.STRIKE, AT, "s3", "big", "", {"kind": "copyright", "at": AT + 60 * DAY}),
        JournalEntry(Kind.OPT_OUT, AT, "+12025550123", "big", "acme"),
        JournalEntry(Kind.OPT_OUT, AT, "+12025550124", "small", "solo"),
    ])


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path, PACK)
    with house.ledger() as ledger:
        fill(ledger)
    return house


class Bundle:
    """A bundle, opened."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as bundle:
            self.files = {name: bundle.read(name) for name in bundle.namelist()}

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    def rows(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.files[name].decode())))


def make(house: House, *args: str, name: str = "e.zip") -> Bundle:
    out = house.directory / name
    house.ok("evidence", *args, "--cycle", "2026-10", "--out", str(out))
    return Bundle(out)


def test_a_bundle_holds_all_of_one_account_and_nothing_of_others(house: House) -> None:
    bundle = make(house, "acme")
    assert list(bundle.files) == [
        "README.txt", "accounts.json", "calls.csv", "chain.json", "charges.csv", "decisions.json",
        "interruptions.json", "modes.json", "notices.json", "opt_outs.json", "policies/p@1.toml",
        "strikes.json", "usage.json", "manifest.json",
    ]
    assert [row["call"] for row in bundle.rows("calls.csv")] == ["pbx1/1", "pbx1/3", "pbx1/4"]
    assert [one["decision"] for one in bundle.json("decisions.json")] == ["d1"]
    assert [one["notice"] for one in bundle.json("notices.json")] == ["n-1"]
    assert [one["id"] for one in bundle.json("strikes.json")["strikes"]] == ["s1"]
    assert [one["ref"] for one in bundle.json("opt_outs.json")] == ["+12025550123"]
    assert [one["subject"] for one in bundle.json("modes.json")] == ["account acme"]
    assert [one["account"] for one in bundle.json("usage.json")] == ["acme"]
    assert [one["decisions"] for one in bundle.json("interruptions.json")["interruptions"]] == [["d1"]]
    everything = b"".join(bundle.files.values())
    for other in (b"solo", b"small", b"apex"):
        assert other not in everything


def test_what_it_says_of_each(house: House) -> None:
    bundle = make(house, "acme")
    first, second, message = bundle.rows("calls.csv")
    assert (first["billsec"], first["started"], first["started_epoch"]) == (
        "61.500", "2026-10-05T10:00:00.000-04:00", repr(AT),
    )
    assert second["number"] == "'=cmd()"                # no formula in anybody's spreadsheet
    assert message["medium"] == "message"
    amounts = [(row["number"], row["amount"], row["reverses"]) for row in bundle.rows("charges.csv")]
    assert amounts == [("1", "2.50", ""), ("2", "-2.50", "1"), ("3", "2", "")]
    (decision,) = bundle.json("decisions.json")
    assert (decision["verdict"], decision["policy"], decision["findings"][0]["capped"]) == (
        "block", "p@1", "block",
    )
    (notice,) = bundle.json("notices.json")
    assert (notice["text"], notice["stage"]) == ("Dear Big Ltd, ...", "delivered")
    assert [one["stage"] for one in notice["steps"]] == ["created", "delivered"]
    assert notice["acts_from"] == "2026-10-12T10:01:00.000-04:00"
    strikes = bundle.json("strikes.json")
    assert [(rule["rule"], rule["count"]) for rule in strikes["rules"]] == [("repeat", 1)]
    (usage,) = bundle.json("usage.json")
    assert (usage["cycle"], usage["rules"][0]["rule"], usage["rules"][0]["attempts"]) == (
        "2026-10", "attempts", 2,
    )
    assert bundle.files["policies/p@1.toml"].decode() == PACK
    page = bundle.files["README.txt"].decode()
    assert page.startswith("Evidence about account acme of customer big\ncycle 2026-10, 2026-10-01 00:00:00 ")
    assert all(name in page for name in bundle.files)


def test_a_customers_bundle_holds_all_its_accounts(house: House) -> None:
    bundle = make(house, "--customer", "big")
    assert [row["call"] for row in bundle.rows("calls.csv")] == ["pbx1/1", "pbx1/2", "pbx1/3", "pbx1/4"]
    assert [one["decision"] for one in bundle.json("decisions.json")] == ["d1", "d2"]
    assert [one["id"] for one in bundle.json("strikes.json")["strikes"]] == ["s1", "s2"]
    assert [one["account"] for one in bundle.json("usage.json")] == ["acme", "apex"]
    assert b"solo" not in b"".join(bundle.files.values())


def test_every_entry_in_it_can_be_checked_by_hand(house: House) -> None:
    bundle = make(house, "acme")
    chain = bundle.json("chain.json")
    links = {link["link"]: link for link in chain["links"]}
    for link in links.values():
        assert hashlib.sha256(link["sealed"].encode()).hexdigest() == link["seal"]
        before = links.get(link["link"] - 1)
        assert before is None or json.loads(link["sealed"])[0] == before["seal"]
    told = {(link["kind"], link["ref"]) for link in links.values()}
    assert {("decision", "d1"), ("strike", "s1"), ("mode", "account acme"), ("charge", "minutes 2026-10"),
            ("opt-out", "+12025550123"), ("notice", "n-1")} == told
    head = chain["head"]
    house.ok("verify", "--head", f"{head['link']}:{head['seal']}")
    for step_ in bundle.json("notices.json")[0]["steps"]:
        assert links[step_["link"]]["kind"] == "notice"
    manifest = bundle.json("manifest.json")["files"]
    assert {name: hashlib.sha256(content).hexdigest() for name, content in bundle.files.items()
            if name != "manifest.json"} == {name: told["sha256"] for name, told in manifest.items()}


def test_the_same_ledger_gives_the_same_bytes_for_nobody_else_to_read(house: House) -> None:
    make(house, "acme", name="one.zip")
    make(house, "acme", name="two.zip")
    one, two = house.directory / "one.zip", house.directory / "two.zip"
    assert one.read_bytes() == two.read_bytes()
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    told = house.json("evidence", "acme", "--cycle", "2026-10", "--out", str(one))
    assert told["sha256"] == hashlib.sha256(two.read_bytes()).hexdigest()
    assert [file.name for file in house.directory.glob("*.part")] == []


def test_without_a_name_it_is_called_after_whom_it_is_about(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.directory)
    said = house.ok("evidence", "acme", "--cycle", "2026-10")
    assert said.startswith("evidence-acme-2026-10.zip: account acme, cycle 2026-10, 14 files, ")
    assert house.ok("evidence", "--check", "evidence-acme-2026-10.zip") == (
        "evidence-acme-2026-10.zip: all 14 files are as the manifest says, and every link fits its seal\n"
    )


Edit = Callable[[dict[str, bytes]], None]


def rewritten(path: Path, edit: Edit) -> None:
    """The bundle with other contents, as somebody with a zip program would make it."""
    files = Bundle(path).files
    edit(files)
    with zipfile.ZipFile(path, "w") as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)


def charged_less(files: dict[str, bytes]) -> None:
    files["charges.csv"] = files["charges.csv"].replace(b"2.50", b"0.50")


def without_strikes(files: dict[str, bytes]) -> None:
    del files["strikes.json"]


def with_more(files: dict[str, bytes]) -> None:
    files["more.txt"] = b"more"


def cunning(name: str, old: str, new: str) -> Edit:
    """The manifest is made to fit what was changed; the seals are not."""
    def edit(files: dict[str, bytes]) -> None:
        assert old.encode() in files[name]
        files[name] = files[name].replace(old.encode(), new.encode())
        manifest = json.loads(files["manifest.json"])
        manifest["files"][name]["sha256"] = hashlib.sha256(files[name]).hexdigest()
        files["manifest.json"] = json.dumps(manifest).encode()

    return edit


@pytest.mark.parametrize(("edit", "problem"), [
    (charged_less, "charges.csv: does not match its digest in the manifest"),
    (without_strikes, "strikes.json: is in the manifest and not in the bundle"),
    (with_more, "more.txt: is in the bundle and not in the manifest"),
    (cunning("chain.json", "bob", "eve"), "chain.json: link 8 (mode account acme) does not fit its seal"),
    (cunning("decisions.json", '"limit": "4"', '"limit": "40"'), "decisions.json: decision d1: findings [{"),
    (cunning("decisions.json", '"verdict": "block",\n    "would', '"verdict": "allow",\n    "would'),
     "decisions.json: decision d1: verdict 'allow', sealed is 'block'"),
    (cunning("decisions.json", '"decision": "d1"', '"decision": "d9"'),
     "decisions.json: decision d9 is on no link of chain.json"),
    (cunning("charges.csv", "1,2.50,USD", "1,0.50,USD"),
     "charges.csv: minutes 1: amount '0.50', sealed is '2.50'"),
    (cunning("opt_outs.json", '"ref": "+12025550123"', '"ref": "+12025550199"'),
     "opt_outs.json: link 22: ref '+12025550199', sealed is '+12025550123'"),
    (cunning("notices.json", '"text": "Dear Big Ltd, ...",\n    "facts', '"text": "Hi",\n    "facts'),
     "notices.json: notice n-1: its text is not the one that is sealed"),
    (cunning("strikes.json", '"kind": "copyright"', '"kind": "murder"'),
     "strikes.json: strike s1: its kind is not the one that is sealed"),
    (lambda files: files.update({"manifest.json": b"{"}), "manifest.json: cannot be read"),
])
def test_the_file_that_does_not_match_is_named(house: House, edit: Edit, problem: str) -> None:
    make(house, "acme")
    path = house.directory / "e.zip"
    rewritten(path, edit)
    (line,) = house.found("evidence", "--check", str(path)).splitlines()
    assert line.startswith(problem)
    assert json.loads(house.found("evidence", "--check", str(path), "--json"))["problems"] == [line]


def test_a_single_changed_byte_is_found(house: House) -> None:
    make(house, "acme")
    path = house.directory / "e.zip"
    content = bytearray(path.read_bytes())
    place = content.index(b"1,2.50,USD")
    content[place + 2] = ord("0")
    path.write_bytes(content)
    assert house.found("evidence", "--check", str(path)) == "charges.csv: is damaged\n"


@pytest.mark.parametrize(("args", "line"), [
    (["acme"], "--cycle: name a billing cycle, such as 2026-10"),
    (["--cycle", "2026-10"], "evidence: name an account or a customer"),
    (["acne", "--cycle", "2026-10"], "evidence: no such account: 'acne'; did you mean 'acme'?"),
    (["--customer", "bug", "--cycle", "2026-10"], "evidence: no such customer: 'bug'; did you mean 'big'?"),
    (["acme", "--cycle", "October"], "--cycle: 'October' is no billing cycle"),
    (["acme", "--cycle", "2999-01"], "--cycle: 2999-01 has not begun yet"),
    (["acme", "--cycle", "2026-10", "--out", "/nowhere/e.zip"], "/nowhere/e.zip: cannot be written: No such"),
    (["--check", "none.zip"], "none.zip: cannot be read: No such file or directory"),
    (["--check", "PACK"], "PACK: is no zip file, or a damaged one"),
    (["--check", "OTHER"], "OTHER: is no bundle of evidence: it has no manifest.json"),
    (["acme", "--check", "none.zip"], "--check: checks a bundle, and makes none: leave the rest out"),
])
def test_what_cannot_be_done_is_refused(house: House, args: list[str], line: str) -> None:
    other = house.directory / "other.zip"
    with zipfile.ZipFile(other, "w") as bundle:
        bundle.writestr("a", "b")
    names = {"PACK": str(house.directory / "pack.toml"), "OTHER": str(other)}
    for short, name in names.items():
        args = [name if arg == short else arg for arg in args]
        line = line.replace(short, name)
    assert house.refused("evidence", *args).startswith(line)


def test_decisions_from_before_there_was_a_chain_are_in_it_and_said_to_be(house: House) -> None:
    with closing(sqlite3.connect(house.database)) as database:
        database.execute("UPDATE decision SET link = 0, seal = '' WHERE decision_id = 'd1'")
        database.commit()
    bundle = make(house, "acme")
    assert bundle.json("chain.json")["older_decisions"] == ["d1"]
    house.ok("evidence", "--check", str(house.directory / "e.zip"))


def test_the_packs_in_it_are_those_in_force_then_and_usage_is_by_the_one_of_the_beginning(
    house: House,
) -> None:
    def pack(revision: str, limit: int) -> str:
        return PACK.replace('revision = "1"', f'revision = "{revision}"').replace("= 1000", f"= {limit}")

    def loaded(revision: str, limit: int, at: float) -> JournalEntry:
        return JournalEntry(Kind.POLICY, at, f"p@{revision}", body={
            "pack": "p", "revision": revision, "effective": "", "text": pack(revision, limit),
        })

    with house.ledger() as ledger:
        ledger.put([
            loaded("older", 1, AT - 90 * DAY), loaded("old", 2, AT - 60 * DAY), loaded("mid", 3, AT + DAY),
            loaded("late", 4, AT + 40 * DAY),
        ])
    bundle = make(house, "acme")
    assert [name for name in bundle.files if name.startswith("policies/")] == [
        "policies/p@mid.toml", "policies/p@old.toml",
    ]
    (usage,) = bundle.json("usage.json")
    assert (usage["rules"][0]["policy"], usage["rules"][0]["limit"]) == ("p@old", "2")
