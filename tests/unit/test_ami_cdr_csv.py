"""Asterisk's Master.csv: what its rows tell, in every layout that cdr.conf can ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from enforcer.domain.call import CallEvent, Direction, Refusal, Source
from enforcer.errors import BadInput
from enforcer.wire.cdr_csv import read_rows
from enforcer.wire.channel import Identity

IDENTITY = Identity("pbx1", ("from-accounts",), ("from-trunk",))
BASE = (
    '"acme","acme","1000","from-accounts","""Acme, Inc."" <acme>","PJSIP/acme-000000ea",'
    '"PJSIP/carrier-000000eb","Dial","PJSIP/1000@carrier,30","2026-11-22 01:05:04",'
    '"2026-11-22 01:05:05","2026-11-22 01:05:17",13,12,"ANSWERED","DOCUMENTATION"'
)
UNIQUEID = ',"lab1-1795309504.425"'
USERFIELD = ',"live;allow:0:0:0::d1-1"'
NEW = ',"acme","lab1-1795309504.425",264'
ROW = BASE + UNIQUEID + USERFIELD + NEW


def read(*lines: str, identity: Identity = IDENTITY, zone: object = UTC) -> list[CallEvent | BadInput]:
    return list(read_rows(lines, identity, zone))  # type: ignore[arg-type]


def only(*lines: str, identity: Identity = IDENTITY, zone: object = UTC) -> CallEvent:
    (event,) = read(*lines, identity=identity, zone=zone)
    assert isinstance(event, CallEvent), event
    return event


def test_a_row_is_the_end_of_a_call() -> None:
    event = only(ROW)
    attempt = event.attempt
    assert attempt.call_id == "pbx1/lab1-1795309504.425"
    assert (attempt.account, attempt.number, attempt.caller) == ("acme", "1000", "acme")
    assert (attempt.direction, attempt.route) == (Direction.OUTBOUND, "carrier")
    assert (attempt.at, event.answered_at, event.at) == (1795309504.0, 1795309505.0, 1795309517.0)
    assert (event.billsec, event.hangup_cause, event.source) == (12.0, 16, Source.CDR)


@pytest.mark.parametrize("tail", [UNIQUEID, UNIQUEID + USERFIELD, UNIQUEID + NEW, UNIQUEID + USERFIELD + NEW])
def test_every_layout_that_cdr_conf_can_ask_for_names_the_same_call(tail: str) -> None:
    assert only(BASE + tail).attempt.call_id == "pbx1/lab1-1795309504.425"


def test_rows_of_one_call_carry_one_id() -> None:
    leg = ROW.replace(UNIQUEID, ',"lab1-1795309505.426"', 1).replace("acme-000000ea", "carrier-000000eb")
    assert only(leg).attempt.call_id == only(ROW).attempt.call_id


def test_local_channels_and_foreign_contexts_are_no_calls() -> None:
    assert read(ROW.replace("PJSIP/acme-000000ea", "Local/1000@x-00000001;2")) == []
    assert read(ROW.replace("from-accounts", "lab-local")) == []
    assert read("", "\n") == []


@pytest.mark.parametrize(
    ("userfield", "refusal"),
    [
        ("live;block:21:0:0:minutes:d1-1", Refusal.BLOCKED),
        ("word;block:16:0:0::d1-1", Refusal.BLOCKED),
        ("brake;throttle:42:0:0:cps:", Refusal.SHED),
        ("live;throttle:0:0.350:0:cps:d1-1", Refusal.WENT),
        ("a note of the operator's", Refusal.NONE),
    ],
)
def test_the_userfield_tells_whether_we_refused_the_call(userfield: str, refusal: Refusal) -> None:
    unanswered = ROW.replace('"ANSWERED"', '"NO ANSWER"').replace("13,12", "0,0").replace(
        '"2026-11-22 01:05:05",', '"",'
    )
    event = only(unanswered.replace("live;allow:0:0:0::d1-1", userfield))
    assert (event.refusal, event.answered_at, event.billsec) == (refusal, None, 0.0)
    # what was answered went through, whatever its userfield says
    assert only(ROW.replace("live;allow:0:0:0::d1-1", userfield)).refusal is Refusal.NONE


def test_an_inbound_call_belongs_to_the_called_party() -> None:
    row = ROW.replace("from-accounts", "from-trunk").replace('"acme","acme","1000"', '"trunk","49","1000"')
    event = only(row.replace(NEW, ',"globex","lab1-1795309504.425",264'))
    assert (event.attempt.account, event.attempt.direction) == ("globex", Direction.INBOUND)
    assert event.attempt.route == "acme"        # the channel that the call came by


def test_times_are_read_in_the_zone_of_the_switch() -> None:
    assert only(ROW, zone=ZoneInfo("Europe/Berlin")).at == only(ROW).at - 3600


def test_the_hour_that_a_clock_repeats_does_not_run_backwards() -> None:
    autumn = ROW.replace("2026-11-22 01:05", "2026-11-01 01:05")
    event = only(autumn, zone=ZoneInfo("America/New_York"))
    assert event.attempt.at < event.at


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("garbage", "1 columns"),
        (BASE, "16 columns"),
        (ROW + ",1,2", "columns"),
        (ROW.replace("2026-11-22 01:05:17", "yesterday"), "not a time"),
        (ROW.replace("2026-11-22 01:05:17", "2026-13-22 01:05:17"), "not a time"),
        (ROW.replace("2026-11-22 01:05:17", "2026-11-22 01:05:03"), "before it starts"),
        (ROW.replace("13,12", "13,-1"), "not a number of seconds"),
        (ROW.replace("ANSWERED", "MAYBE"), "unknown disposition"),
        ('"' + ROW, "not CSV"),
        ("x" * 9000, "more than"),
        (ROW[:150], "not CSV"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line_and_the_others_go_on(bad: str, says: str) -> None:
    good, problem, other = read(ROW, bad, ROW)
    assert isinstance(good, CallEvent)
    assert isinstance(other, CallEvent)
    assert isinstance(problem, BadInput)
    assert problem.where == "Master.csv:2"
    assert says in problem.problem


def test_each_row_names_the_leg_that_it_is_about() -> None:
    assert only(ROW).legs == "PJSIP/carrier-000000eb"
    assert only(ROW.replace("PJSIP/carrier-000000eb", "")).legs == ""
    assert only(ROW.replace("PJSIP/carrier-000000eb", "Local/1000@x-00000001;1")).legs == ""


def test_what_a_transferred_leg_dials_is_not_the_number_of_the_call() -> None:
    transferred = ROW.replace(UNIQUEID, ',"lab1-1795309505.426"', 1)
    attempt = only(transferred).attempt
    assert (attempt.account, attempt.number, attempt.caller, attempt.channel) == ("acme", "", "", "")


def test_a_value_may_hold_line_breaks() -> None:
    broken = ROW.replace("Acme, Inc.", "Acme\n\nInc.\r\n,")
    good, other = read(*(broken + "\n").splitlines(keepends=True), ROW)
    assert isinstance(good, CallEvent)
    assert isinstance(other, CallEvent)
    assert good.attempt == other.attempt


def test_line_ends_and_a_byte_order_mark_are_not_part_of_a_row() -> None:
    assert len(read("\ufeff" + ROW + "\r\n", "\r\n", ROW + "\n", ROW)) == 3


def test_a_row_cut_within_its_last_columns_is_bad_or_tells_the_same_call() -> None:
    """Columns that cdr.conf does not ask for may be missing: a cut there can't be seen, and does no harm."""
    whole = only(ROW)
    for cut in range(1, len(ROW)):
        told, good = read(ROW[:cut] + "\n", ROW + "\n")
        assert isinstance(good, CallEvent)
        assert isinstance(told, BadInput) or told.attempt.at == whole.attempt.at


@pytest.mark.parametrize("name", ["\x00\x1b[31m", "\u2028\x0b\x1c", "Ü\ufffd", "'", ",", "'; x"])
def test_any_name_leaves_the_row_what_it_is(name: str) -> None:
    assert only(ROW.replace("Acme, Inc.", name)).attempt == only(ROW).attempt


@pytest.mark.parametrize(
    ("start", "end", "duration", "at", "over"),
    [
        ("01:50:00", "01:10:00", 1200, "2026-11-01 01:50:00-04:00", "2026-11-01 01:10:00-05:00"),
        ("01:50:00", "02:10:00", 1200, "2026-11-01 01:50:00-05:00", "2026-11-01 02:10:00-05:00"),
        ("01:50:00", "02:10:00", 4800, "2026-11-01 01:50:00-04:00", "2026-11-01 02:10:00-05:00"),
        ("00:50:00", "01:10:00", 4800, "2026-11-01 00:50:00-04:00", "2026-11-01 01:10:00-05:00"),
        ("01:10:00", "01:20:00", 600, "2026-11-01 01:10:00-04:00", "2026-11-01 01:20:00-04:00"),
    ],
)
def test_durations_tell_which_showing_of_an_hour_is_meant(
    start: str, end: str, duration: int, at: str, over: str
) -> None:
    row = ROW.replace("13,12", f"{duration},{duration}")
    for second, text in (("04", start), ("05", start), ("17", end)):
        row = row.replace(f"2026-11-22 01:05:{second}", f"2026-11-01 {text}")
    event = only(row, zone=ZoneInfo("America/New_York"))
    assert event.attempt.at == event.answered_at == datetime.fromisoformat(at).timestamp()
    assert event.at == datetime.fromisoformat(over).timestamp()


def test_a_time_that_no_clock_showed_is_a_bad_row_that_asks_for_the_zone() -> None:
    (told,) = read(ROW.replace("2026-11-22 01:05", "2026-03-29 02:05"), zone=ZoneInfo("Europe/Berlin"))
    assert isinstance(told, BadInput)
    assert "no clock of Europe/Berlin ever showed 2026-03-29 02:05" in told.problem
