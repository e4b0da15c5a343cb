"""Names that do something elsewhere, through the real commands: sheets, files, terminals."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.support.house import House, process

PACK = """
[pack]
name = "aup"
revision = "1"
currency = "USD"
[[rule]]
id = "ratio"
kind = "asr"
clause = "Answer to Seizure Ratio (ASR)"
critical = { at = 4, verdict = "block" }
charge = { amount = "0.005", per = "attempt" }
"""
NAMES = ("=cmd|' /C calc'!A0", "+12025550101", "x;=1+1", "[bold red]x[/]", "a/../../b")
ROW = (
    '"+12025550101","100","12025550{n:03}","from-accounts","""A"" <100>","PJSIP/a-{n:08}","PJSIP/c-{n:08}",'
    '"Dial","x","2026-10-05 10:00:00",,"2026-10-05 10:00:10",10,0,"BUSY","DOCUMENTATION",'
    '"1791194400.{n}",""\n'
)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.chdir(tmp_path)
    house = House(tmp_path, PACK)
    with house.config.open("a") as config:
        config.write('[[switch]]\nname = "pbx1"\nhost = "127.0.0.1"\nport = 5038\nusername = "enforcer"\n'
                     'secret_env = "X"\n')
    rows = "".join(f'"{name}","{name}",pbx,,,1,UTC\n' for name in NAMES)
    header = "account,customer,type,channels,plan,anchor_day,timezone\n"
    house.ok("account", "import", house.file("names.csv", header + rows))
    cdrs = "".join(ROW.format(n=number) for number in range(20))
    house.ok("cdr", "import", house.file("Master.csv", cdrs), "--switch", "pbx1")
    return house


def computes(text: str) -> list[str]:
    """Cells that a spreadsheet would compute, whichever character it parts cells by."""
    return [
        cell for delimiter in ",;\t|" for row in csv.reader(io.StringIO(text), delimiter=delimiter)
        for cell in row if cell.lstrip(' "').startswith(("=", "+", "@"))
    ]


def test_no_sheet_that_is_printed_computes(house: House) -> None:
    text = house.ok("settle", "--cycle", "2026-10", "--csv")
    found = {row["customer"] for row in csv.DictReader(io.StringIO(text))}
    assert {"'+12025550101", "'=cmd|' /C calc'!A0", "x;'=1+1", "[bold red]x[/]"} <= found
    assert computes(text) == []
    assert computes(house.ok("interruptions", "--cycle", "2026-10", "--csv")) == []


def test_bundle_of_an_account_that_is_a_number_bears_its_own_check(house: House) -> None:
    """Its charges are in a sheet, where its name is not what was sealed."""
    house.ok("settle", "--cycle", "2026-10")
    told = house.json("evidence", "+12025550101", "--cycle", "2026-10")
    with zipfile.ZipFile(told["file"]) as bundle:
        sheets = {name: bundle.read(name).decode() for name in bundle.namelist() if name.endswith(".csv")}
    assert "'+12025550101" in sheets["charges.csv"]
    assert [computes(text) for text in sheets.values()] == [[]] * len(sheets)
    assert "as the manifest says" in house.ok("evidence", "--check", told["file"])


def test_bundle_stays_in_its_folder_whatever_its_account_is_called(house: House, tmp_path: Path) -> None:
    before = set(tmp_path.parent.iterdir())
    for name in NAMES:
        path = Path(house.json("evidence", name, "--cycle", "2026-10")["file"])
        assert path.resolve().parent == tmp_path
        with zipfile.ZipFile(path) as bundle:
            assert not [one for one in bundle.namelist() if ".." in one or one.startswith("/")]
    assert set(tmp_path.parent.iterdir()) == before


def test_no_name_is_markup_or_moves_the_cursor_at_a_terminal(house: House) -> None:
    text = house.ok("account", "list")
    assert "[bold red]x[/]" in text
    assert "\x1b" not in text
    assert {row["account"] for row in json.loads(house.ok("account", "list", "--json"))} >= set(NAMES)
    told = house.refused("account", "show", "\x1b[2Jx")
    assert told.isprintable()


def test_no_words_at_all_are_no_fault_of_ours(house: House) -> None:
    done = process(house.directory)
    assert (done.exit_code, "Traceback" in done.stderr) == (2, False)


@pytest.mark.parametrize("option", ["--reason", "--reason="])
def test_a_reason_is_as_long_as_at_every_other_door_and_no_longer(house: House, option: str) -> None:
    def set_for(letters: int) -> list[str]:
        reason = "x" * letters
        return ["mode", "set", "tag", *([option + reason] if option[-1] == "=" else [option, reason])]

    assert house.refused(*set_for(501)) == "--reason: must be at most 500 characters long"
    house.ok(*set_for(500))


@pytest.mark.parametrize("words", [
    ("mode", "set", "block", "--account", ""), ("mode", "set", "block", "--account="),
    ("mode", "set", "block", "-r", ""), ("mode", "set", "block", "--switch", "", "--reason", "x"),
    ("optout", "add", "2125550123", "--customer", "big", "--account", ""), ("calls", "-a", ""),
    ("whatif", "--rule="),
])
def test_a_variable_that_a_script_did_not_set_never_means_everybody(
    house: House, words: tuple[str, ...]
) -> None:
    before = house.ok("mode")
    assert "must not be empty; leave it out where none is meant" in house.refused(*words)
    assert house.ok("mode") == before
