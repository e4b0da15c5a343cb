"""Gaps as people see them: in `usage`, `why` and `verify`, until `reconcile` or an import has filled them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from enforcer.domain.gap import Ended, Gap
from tests.support.cdr_rows import row
from tests.support.house import House, one_rule

PACK = one_rule("at = 1000", name="p", clause="c")
SWITCH = '[[switch]]\nname = "pbx1"\nsecret_env = "X"\ncdr_file = "Master.csv"\n'
GATEWAY = '[[switch]]\nname = "gw"\nkind = "gateway"\n[http]\nlisten = "127.0.0.1:8085"\n'
ELSEWHERE = '[[switch]]\nname = "pbx2"\nsecret_env = "X"\n'


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, PACK, SWITCH + ELSEWHERE)


def opened(house: House, since: float, until: float, unseen: int | None = 3, switch: str = "pbx1") -> Gap:
    gap = Gap(switch, since, until, "connection lost", unseen, {"acme": Ended(1, 0, 60_000)}, 10)
    with house.ledger() as ledger:
        ledger.put([gap.opened(until)])
    return gap


def test_open_gap_is_shown_with_its_bounds(house: House) -> None:
    now = time.time()
    opened(house, now - 600, now - 540)
    for command in ("usage", "why"):
        told = house.ok(command, "acme")
        assert "gap: switch pbx1 was not heard from" in told
        assert "(60.0 s): connection lost; up to 3 attempts, up to 3 answered calls, up to 4.0 min" in told
        assert "attempts [0, 3], answered [0, 3], minutes [0.0, 4.0]: rules act on the lower bound" in told
    (gap,) = house.json("usage", "acme")["gaps"]
    assert gap["possible"] == {"attempts": 3, "answered": 3, "minutes": "4.0"}
    assert "up to 4 calls may be missing" in house.ok("verify")


def test_a_gateway_is_asked_for_no_file_that_it_never_writes(tmp_path: Path) -> None:
    house = House(tmp_path, PACK, SWITCH + GATEWAY)
    assert house.refused("reconcile", "--switch", "gw") == (
        "--switch: 'gw' is a gateway: it reports its calls over HTTP, and writes no CDRs"
    )


def test_a_gateway_has_no_secret_that_doctor_could_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", "of the switch")
    house = House(tmp_path, PACK, SWITCH + GATEWAY)
    told = house.run("doctor").stdout
    assert "switch pbx1: secret present" in told
    assert "switch gw" not in told


def test_gap_that_nobody_could_count_says_so(house: House) -> None:
    now = time.time()
    opened(house, now - 600, now - 540, unseen=None)
    told = house.ok("usage", "apex")
    assert "attempts [0, unknown], answered [0, unknown], minutes [0.0, 10.0]" in told
    assert "an unknown number of calls may be missing" in house.ok("verify")


def test_gap_in_another_cycle_is_not_shown(house: House) -> None:
    now = time.time()
    opened(house, now - 90 * 86_400, now - 90 * 86_400 + 30)
    assert "gap" not in house.ok("usage", "acme")


def test_reconcile_reads_the_file_once_and_closes_the_gap(house: House) -> None:
    now = time.time()
    house.file("Master.csv", row("acme", now - 700, 5) + row("acme", now - 570, 5))
    opened(house, now - 600, now - 540)
    told = house.ok("reconcile", "--switch", "pbx1")
    assert told == (
        "pbx1: 2 rows read: 2 new calls, 0 completed, 0 known already; 0 bad rows skipped; 1 gaps closed\n"
    )
    assert "gap" not in house.ok("usage", "acme")
    again = house.json("reconcile", "--switch", "pbx1")
    assert [one["rows"] for one in again["switches"]] == [0]
    assert again["gaps"] == []
    house.ok("verify")


def test_gap_waits_for_a_row_that_ended_later_or_for_as_long_as_rows_are_held_back(house: House) -> None:
    now = time.time()
    house.file("Master.csv", row("acme", now - 700, 5) + row("acme", now - 100, 5))
    opened(house, now - 120, now - 92)
    assert "gap: switch pbx1" in house.ok("reconcile", "--switch", "pbx1")
    with (house.directory / "Master.csv").open("a") as file:
        file.write(row("acme", now - 80, 5))
    assert house.json("reconcile", "--switch", "pbx1")["gaps"] == []


def test_row_that_is_no_good_keeps_the_gap_open_until_a_mended_copy_is_imported(house: House) -> None:
    now = time.time()
    rows = row("acme", now - 700, 5), '"x"\n', row("acme", now - 500, 5)
    house.file("Master.csv", "".join(rows))
    opened(house, now - 600, now - 540)
    told = house.found("reconcile", "--switch", "pbx1")
    assert "a row that is no good may be a call that is missing" in told
    assert house.found("cdr", "import", str(house.directory / "Master.csv"), "-s", "pbx1").endswith(
        "gaps stay open: a row that is no good may be a call that is missing\n")
    mended = house.file("mended.csv", rows[0] + rows[2])
    assert "1 gaps closed" in house.ok("cdr", "import", mended, "-s", "pbx1")


def test_long_call_in_a_file_says_nothing_of_rows_before_its_end(house: House) -> None:
    """The file was begun when that call ended: what ended while it talked is in the file before."""
    now = time.time()
    house.file("Master.csv", row("acme", now - 700, 400) + row("acme", now - 200, 5))
    opened(house, now - 600, now - 540)
    assert house.json("reconcile", "--switch", "pbx1")["switches"][0]["gaps_closed"] == 0
    file = str(house.directory / "Master.csv")
    assert house.json("cdr", "import", file, "-s", "pbx1")["gaps_closed"] == 0


def test_file_that_begins_after_the_gap_does_not_close_it(house: House) -> None:
    now = time.time()
    house.file("Master.csv", row("acme", now - 570, 5))
    opened(house, now - 600, now - 540)
    told = house.ok("reconcile", "--switch", "pbx1")
    assert "gap: switch pbx1" in told
    assert "A gap closes when CDRs from before it until after it were read" in told


def test_switch_without_a_file_is_told_how_to_import(house: House) -> None:
    told = house.found("reconcile")
    assert "pbx2: no cdr_file in the configuration: copy Master.csv of its cdr_csv here, then " in told
    assert "`enforcer cdr import FILE --switch pbx2`" in told


def test_import_that_reaches_over_the_gap_closes_it(house: House) -> None:
    now = time.time()
    opened(house, now - 600, now - 540, switch="pbx2")
    short = house.file("a.csv", row("acme", now - 590, 5) + row("acme", now - 500, 5))
    assert house.json("cdr", "import", short, "-s", "pbx2")["gaps_closed"] == 0
    whole = house.file("b.csv", row("acme", now - 700, 5) + row("acme", now - 500, 5))
    assert "1 gaps closed" in house.ok("cdr", "import", whole, "-s", "pbx2")
    assert "gap" not in house.ok("why", "acme")


def test_bad_row_exits_1_and_the_rest_is_read(house: House) -> None:
    house.file("Master.csv", row("acme", time.time() - 700, 5) + '"x"\n')
    assert "1 new calls, 0 completed, 0 known already; 1 bad rows" in house.found("reconcile", "-s", "pbx1")


def test_doctor_tells_of_the_file_and_of_gaps(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "secret")
    assert "Master.csv is not there (yet)" in house.ok("doctor")
    house.file("Master.csv", "")
    now = time.time()
    opened(house, now - 600, now - 540, switch="pbx2")
    told = house.ok("doctor")
    assert "Master.csv can be read" in told
    assert "up to 4 calls may be missing -> enforcer cdr import FILE --switch pbx2" in told
