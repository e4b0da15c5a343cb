"""The clock of a switch: local times of its rows, in the hours that are shown twice and those never shown."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import pytest

from enforcer.domain.call import CallEvent
from enforcer.errors import BadInput
from enforcer.wire.cdr_csv_freeswitch import read_rows
from enforcer.wire.channel import Identity
from tests.support.freeswitch_cdr import BEGAN, A, channel, row


def read(line: str, zone: tzinfo) -> CallEvent | BadInput:
    (told,) = read_rows([line], Identity("fs1", ("default",), ("public",)), zone)
    return told


def only(line: str, zone: tzinfo) -> CallEvent:
    event = read(line, zone)
    assert isinstance(event, CallEvent), event
    return event


NEW_YORK = ZoneInfo("America/New_York")
SUMMER_ENDS = 1_793_512_800.0       # 1 November 2026, 02:00 summer time, 06:00 UTC: 01:00 again


@pytest.mark.parametrize("template", ["example", "asterisk"])
def test_stamps_are_read_in_the_zone_of_the_switch(template: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert only(row(template, **channel(zone=berlin)), berlin).attempt.at == BEGAN


@pytest.mark.parametrize(
    ("start", "answer", "end"),
    [
        (-7000.0, -6990.0, -30.0),      # before the hour that is shown twice, into its first showing
        (-600.0, -590.0, 3700.0),       # from the first showing to after the second
        (-600.0, -590.0, 600.0),        # from one showing to the other
        (1800.0, 1810.0, 3700.0),       # from the second showing on
        (-7000.0, None, 600.0),         # never answered: the whole duration tells
        (-1800.0, -1790.0, -30.0),      # within the first showing
    ],
)
def test_durations_tell_which_showing_of_an_hour_is_meant(
    start: float, answer: float | None, end: float
) -> None:
    begin, up, over = SUMMER_ENDS + start, answer and SUMMER_ENDS + answer, SUMMER_ENDS + end
    event = only(row("example", **channel(A, begin, up, over, NEW_YORK)), NEW_YORK)
    assert (event.attempt.at, event.answered_at, event.at) == (begin, up, over)


def test_within_an_hour_that_is_shown_twice_the_first_showing_is_taken() -> None:
    begin = SUMMER_ENDS + 600
    event = only(row("example", **channel(A, begin, begin + 2, begin + 9, NEW_YORK)), NEW_YORK)
    assert (event.attempt.at, event.at, event.billsec) == (begin - 3600, begin - 3591, 7.0)


def test_a_time_that_no_clock_showed_is_a_bad_row_that_asks_for_the_zone() -> None:
    bad = row("example", **channel(zone=UTC, start_stamp="2026-03-08 02:30:00", answer_stamp=""))
    told = read(bad, NEW_YORK)
    assert isinstance(told, BadInput)
    assert told.problem == (
        "no clock of America/New_York ever showed 2026-03-08 02:30: is this the switch's timezone?"
    )


def test_epochs_need_no_zone() -> None:
    begin = SUMMER_ENDS + 600
    event = only(row(**channel(A, begin, begin + 2, begin + 9)), NEW_YORK)
    assert (event.attempt.at, event.at) == (begin, begin + 9)
