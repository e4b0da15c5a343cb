"""A CDR file that is followed: whatever becomes of it, each row is read once, and what was missed is told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from enforcer.control.cdr_follow import BITE, Follower, Swept
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.settings_switch import SwitchSettings
from tests.support import freeswitch_cdr
from tests.support.cdr_rows import row
from tests.support.ledgers import PATIENCE, Clock, classify
from tests.support.rules import NOON

ASTERISK = SwitchSettings.model_validate({"name": "pbx1", "secret_env": "X"})


class Site:
    """A ledger, a file, and whoever follows it; made anew for each look, as a command makes it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "cdr" / "Master.csv"
        self.file.parent.mkdir()
        self.ledger_path = folder / "ledger.db"
        self.clock = Clock()
        self.complaints: list[BadInput] = []
        self.written = 0

    @contextmanager
    def opened(self) -> Iterator[Ledger]:
        ledger = SqliteLedger(self.ledger_path, classify, self.clock, PATIENCE)
        try:
            yield ledger
        finally:
            ledger.close()

    def look(self, **more: object) -> Swept:
        self.clock.now += 60
        follower = Follower(ASTERISK, self.file, self.opened, self.complaints.append, self.clock, **more)  # type: ignore[arg-type]
        return follower.sweep()

    def write(self, count: int = 1, to: Path | None = None) -> None:
        with (to or self.file).open("a") as file:
            for _ in range(count):
                file.write(row("acme", NOON + self.written, 5))
                self.written += 1
        os.utime(to or self.file, (self.clock.now, self.clock.now + self.written))

    def calls(self) -> int:
        with self.opened() as ledger:
            return sum(1 for _ in ledger.calls())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_each_row_is_read_once(site: Site) -> None:
    site.write(3)
    assert (site.look().new, site.look().rows) == (3, 0)
    site.write(2)
    assert site.look().rows == 2
    assert site.calls() == 5


def test_file_that_is_not_there_yet_is_followed_from_its_first_row(site: Site) -> None:
    nothing = site.look()
    assert (nothing.trouble, nothing.rows) == ("", 0)
    assert nothing.place is not None
    site.write(2)
    assert site.look().new == 2
    assert site.look().place.since == nothing.place.since       # type: ignore[union-attr]


def test_file_in_a_directory_that_is_not_there_is_trouble_and_fills_no_gap(site: Site) -> None:
    site.file = site.file.parent / "typo" / "Master.csv"
    looked = site.look()
    assert looked.trouble == f"{site.file}: No such file or directory"
    assert looked.place is None
    site.file.parent.mkdir()
    assert site.look().trouble == ""


def test_line_is_read_when_its_end_is_written(site: Site) -> None:
    site.write()
    text = row("acme", NOON + 100, 5)
    with site.file.open("a") as file:
        file.write(text[:40])
        file.flush()
        assert site.look().rows == 1
        file.write(text[40:])
    assert site.look().new == 1
    assert site.complaints == []


def test_row_over_two_lines_is_read_when_both_are_written(site: Site) -> None:
    site.write()
    first, second = row("acme", NOON + 100, 5).replace("Dial", 'Di\nal').splitlines(keepends=True)
    with site.file.open("a") as file:
        file.write(first)
    os.utime(site.file, (site.clock.now + 60, site.clock.now + 60))
    assert site.look().rows == 1
    with site.file.open("a") as file:
        file.write(second)
    assert site.look().new == 1
    assert site.complaints == []


def test_renamed_file_is_read_to_its_end_before_the_new_one(site: Site) -> None:
    site.write(3)
    site.look()
    site.write(2)
    site.file.rename(site.file.with_name("Master.csv.1"))
    site.write(4)
    swept = site.look()
    assert (swept.new, swept.unchanged, swept.trouble) == (6, 0, "")
    assert site.calls() == 9


def test_file_that_is_renamed_and_not_begun_anew_is_read_to_its_end(site: Site) -> None:
    site.write(3)
    site.look()
    site.write(2)
    site.file.rename(site.file.with_name("Master.csv-20261126"))
    assert site.look().new == 2
    assert site.look().rows == 0
    site.write(1)
    assert site.look().new == 1


def test_copy_of_a_file_that_was_cut_off_is_read_on(site: Site) -> None:
    site.write(3)
    site.look()
    site.write(2)
    shutil.copy(site.file, site.file.with_name("Master.csv.1"))
    site.file.write_text("")
    site.write(1)
    swept = site.look()
    assert (swept.new, swept.unchanged, swept.trouble) == (3, 0, "")


def test_file_cut_off_and_grown_past_the_place_is_noticed(site: Site) -> None:
    site.write(3)
    site.look()
    site.file.write_text("")
    site.write(8)
    swept = site.look()
    assert swept.new == 8
    assert "import it" in swept.trouble


def test_rotated_twice_between_two_looks_nothing_is_missed(site: Site) -> None:
    site.write(3)
    site.look()
    site.write(1)
    site.file.rename(site.file.with_name("Master.csv.2"))
    site.write(2)
    site.file.rename(site.file.with_name("Master.csv.1"))
    site.write(4)
    swept = site.look()
    assert (swept.new, swept.trouble) == (7, "")


def test_path_with_brackets_and_stars_finds_its_rotated_files_and_no_others(site: Site) -> None:
    site.file = site.file.with_name("Master[1]*?.csv")
    site.write(3)
    site.look()
    site.write(2)
    site.file.rename(site.file.with_name("Master[1]*?.csv.1"))
    site.write(1, to=site.file.with_name("Master1xy.csv.2"))
    site.write(1)
    swept = site.look()
    assert (swept.new, swept.trouble) == (3, "")


def test_old_file_is_followed_until_the_new_one_has_a_row(site: Site) -> None:
    """logrotate makes the new file, and only then tells a FreeSWITCH to open it."""
    site.write(3)
    site.look()
    old = site.file.rename(site.file.with_name("Master.csv.1"))
    site.file.touch()
    assert site.look().rows == 0
    site.write(2, to=old)
    assert site.look().new == 2
    site.write(1, to=old)
    site.write(1)
    swept = site.look()
    assert (swept.new, swept.trouble) == (2, "")
    site.write(1)
    assert site.look().new == 1


def test_file_that_had_no_row_yet_and_was_rotated_before_the_next_look_is_read(site: Site) -> None:
    site.file.touch()
    site.look()
    site.write(2)
    site.file.rename(site.file.with_name("Master.csv.1"))
    site.write(1)
    assert (site.look().new, site.calls()) == (3, 3)


def test_files_that_came_and_were_rotated_while_nobody_looked_are_read(site: Site) -> None:
    site.look()
    site.clock.now += 10
    site.write(2, to=site.file.with_name("Master.csv.2"))
    site.write(3, to=site.file.with_name("Master.csv.1"))
    site.write(1)
    swept = site.look()
    assert (swept.new, swept.trouble) == (6, "")


def test_files_that_came_and_were_packed_while_nobody_looked_are_missed_and_told(site: Site) -> None:
    before = site.look().place
    site.clock.now += 10
    site.write(2, to=site.file.with_name("Master.csv.1.gz"))
    site.write(1)
    swept = site.look()
    assert (swept.new, before.since) == (1, 0.0)        # type: ignore[union-attr]
    assert swept.trouble.endswith("import it with `enforcer cdr import FILE --switch pbx1`")
    assert swept.place.since >= NOON        # type: ignore[union-attr]


def test_row_that_is_not_whole_yet_keeps_the_file_from_being_read_to_its_end(site: Site) -> None:
    site.write()
    first = site.look().place
    text = row("acme", NOON + 1, 5)
    with site.file.open("a") as file:
        file.write(text[:40])
    os.utime(site.file, (site.clock.now + 60, site.clock.now + 60))
    second = site.look().place
    assert second.read_at == first.read_at      # type: ignore[union-attr]
    with site.file.open("a") as file:
        file.write(text[40:])
    assert site.look().place.read_at == site.clock.now      # type: ignore[union-attr]


def test_row_that_is_no_good_breaks_what_was_followed_without_a_break(site: Site) -> None:
    site.write(2)
    before = site.look().place
    with site.file.open("a") as file:
        file.write('"not","a","row"\n')
    bad = site.look().place
    assert bad.since == site.clock.now > before.since       # type: ignore[union-attr]


def test_latest_end_is_kept_and_a_row_from_the_future_proves_nothing(site: Site) -> None:
    with site.file.open("a") as file:
        file.writelines((row("acme", NOON + 30, 5), row("acme", NOON + 10, 5), row("acme", NOON + 3600, 5)))
    place = site.look().place
    assert NOON + 35 <= place.ended_at < NOON + 60      # type: ignore[union-attr]
    assert site.look().place == place._replace(read_at=site.clock.now)      # type: ignore[union-attr]


def test_packed_predecessor_is_told_and_the_new_file_read(site: Site) -> None:
    site.write(3)
    before = site.look().place
    site.write(2)
    site.file.rename(site.file.with_name("Master.csv.1.gz"))
    site.write(4)
    swept = site.look()
    assert swept.new == 4
    assert swept.trouble.endswith("import it with `enforcer cdr import FILE --switch pbx1`")
    assert swept.place is not None
    assert before is not None
    assert swept.place.since > before.since         # what it covers begins anew


def test_file_that_cannot_be_read_is_told_and_its_place_kept(site: Site) -> None:
    site.write(3)
    place = site.look().place
    site.file.unlink()
    site.file.mkdir()
    swept = site.look()
    assert swept.trouble.startswith(f"{site.file}: ")
    assert swept.place == place
    site.file.rmdir()
    site.write(1)
    assert site.look().new == 1


def test_bad_rows_are_told_and_the_rest_is_read(site: Site) -> None:
    site.write(2)
    with site.file.open("a") as file:
        file.write('"not","a","row"\n')
    site.write(2)
    swept = site.look()
    assert (swept.new, swept.bad) == (4, 1)
    assert [str(problem).split(":")[0] for problem in site.complaints] == ["Master.csv after byte 0"]


def test_long_file_is_read_in_bites_and_goes_on_where_it_was_stopped(site: Site) -> None:
    site.write(3 * BITE + 7)
    asked = iter((False, True))
    assert site.look(stopped=lambda: next(asked)).rows == BITE
    swept = site.look()
    assert (swept.new, swept.unchanged) == (2 * BITE + 7, 0)
    assert site.calls() == 3 * BITE + 7


class Freeswitch(Site):
    """The same for a FreeSWITCH, whose calls have a row for each leg."""

    def look(self, **more: object) -> Swept:
        self.clock.now += 60
        settings = SwitchSettings.model_validate({"name": "fs1", "kind": "freeswitch"})
        follower = self.follower = getattr(self, "follower", None) or Follower(
            settings, self.file, self.opened, self.complaints.append, self.clock, **more,   # type: ignore[arg-type]
        )
        return follower.sweep()

    def rows(self, *rows: str) -> None:
        with self.file.open("a") as file:
            file.writelines(f"{row}\n" for row in rows)


def test_rows_of_the_legs_of_a_freeswitch_are_one_call(tmp_path: Path) -> None:
    site = Freeswitch(tmp_path)
    site.rows(freeswitch_cdr.row(**freeswitch_cdr.leg()), freeswitch_cdr.row(**freeswitch_cdr.channel()))
    assert site.look().rows == 2
    assert site.calls() == 1
    site.rows(freeswitch_cdr.row(**freeswitch_cdr.channel(freeswitch_cdr.D)))
    assert site.look().new == 1


def test_running_enforcer_reads_a_freeswitch_one_look_late_so_that_legs_come_together(tmp_path: Path) -> None:
    site = Freeswitch(tmp_path)
    assert site.look(pause=0.0001).trouble == ""
    site.rows(freeswitch_cdr.row(**freeswitch_cdr.leg()))
    first = site.look()
    assert first.rows == 0
    site.rows(freeswitch_cdr.row(**freeswitch_cdr.channel()))
    second = site.look()
    assert (second.rows, second.place.read_at) == (1, site.clock.now - 60)      # type: ignore[union-attr]
    assert site.look().rows == 1
    assert site.calls() == 1


def test_freeswitchs_file_that_was_there_covers_nothing_before_its_first_row(tmp_path: Path) -> None:
    site = Freeswitch(tmp_path)
    site.rows(freeswitch_cdr.row(**freeswitch_cdr.leg()), freeswitch_cdr.row(**freeswitch_cdr.channel()))
    assert site.look(pause=0.0001).rows == 0
    looked = site.look()
    assert looked.rows == 2
    assert looked.place.since > NOON - 86_400 * 30      # type: ignore[union-attr]


def test_missing_file_with_an_older_one_beside_it_is_followed_from_now(site: Site) -> None:
    site.write(1, to=site.file.with_name("Master.csv.1"))
    nothing = site.look()
    assert nothing.place is not None
    assert nothing.place.since == site.clock.now
