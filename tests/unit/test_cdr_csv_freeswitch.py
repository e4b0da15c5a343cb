"""FreeSWITCH's Master.csv: what its rows tell, in every template that is known, whoever writes into them."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

import pytest

from enforcer.domain.call import CallEvent, Direction, Refusal, Source
from enforcer.errors import BadInput
from enforcer.wire.cdr_csv_freeswitch import read_rows
from enforcer.wire.cdr_csv_kin import Kin
from enforcer.wire.channel import AccountFrom, Identity
from tests.support.freeswitch_cdr import BEGAN, TEMPLATES, A, B, C, D, channel, leg, row


def identity(account_from: AccountFrom = "accountcode") -> Identity:
    return Identity("fs1", ("default",), ("public",), ("features",), account_from)


def read(*lines: str, who: Identity | None = None, zone: tzinfo = UTC) -> list[CallEvent | BadInput]:
    kin = Kin()
    kin.learn(lines)
    kin.done()
    return list(read_rows(lines, who or identity(), zone, "Master.csv", kin))


def only(*lines: str, who: Identity | None = None, zone: tzinfo = UTC) -> CallEvent:
    (event,) = read(*lines, who=who, zone=zone)
    assert isinstance(event, CallEvent), event
    return event


def problem(*lines: str, who: Identity | None = None) -> str:
    (bad,) = read(*lines, who=who)
    assert isinstance(bad, BadInput), bad
    return str(bad)


def stock(template: str, **others: Any) -> str:
    return row(template, **channel(zone=UTC, **others))


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_row_of_any_template_is_the_end_of_a_call(template: str) -> None:
    event = only(stock(template))
    attempt = event.attempt
    assert attempt.call_id == f"fs1/{A}"
    assert (attempt.account, attempt.number, attempt.caller) == ("acme", "12025550123", "100")
    assert (attempt.direction, attempt.channel) == (Direction.OUTBOUND, A)
    assert (attempt.at, event.answered_at, event.at) == (BEGAN, BEGAN + 2, BEGAN + 14)
    assert (event.billsec, event.hangup_cause, event.source) == (12.0, 16, Source.CDR)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_call_that_nobody_answered_has_no_answer(template: str) -> None:
    event = only(stock(template, answer=None, hangup_cause="USER_BUSY", hangup_cause_q850=17))
    assert (event.answered_at, event.billsec, event.hangup_cause) == (None, 0.0, 17)


def test_the_enforcer_template_tells_milliseconds_the_sip_code_and_the_carrier() -> None:
    event = only(row(**channel(answer=BEGAN + 2.25, end=BEGAN + 8.2499, sip_gateway_name="carrier")))
    assert (event.billsec, event.sip_code, event.attempt.route) == (6.0, 200, "carrier")
    assert event.answered_at == BEGAN + 2.25


def test_the_causes_of_freeswitch_itself_are_normal_clearings_to_others() -> None:
    assert only(stock("example", hangup_cause="ORIGINATOR_CANCEL")).hangup_cause == 16
    assert only(stock("example", hangup_cause="NONE")).hangup_cause is None


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_row_of_a_foreign_context_is_no_call(template: str) -> None:
    assert read(stock(template, context="lab")) == []


def test_what_the_dialplan_told_stands_over_context_and_last_number() -> None:
    """A call to a DID that is transferred from [public] to an extension of [default] still is inbound."""
    event = only(row(**channel(
        context="default", destination_number="1000", enforcer_call=A, enforcer_direction="inbound",
        enforcer_number="12025550199", sip_gateway="carrier-in",
    )))
    assert (event.attempt.direction, event.attempt.number) == (Direction.INBOUND, "12025550199")
    assert event.attempt.route == "carrier-in"


@pytest.mark.parametrize(
    ("account_from", "template", "outbound", "inbound"),
    [
        ("caller", "enforcer", "100", "12025550123"),
        ("caller", "example", "100", "12025550123"),
        ("caller", "asterisk", "100", "12025550123"),
        ("endpoint", "enforcer", "u100", "u200"),
        ("endpoint", "asterisk", "100", "12025550123"),
    ],
)
def test_the_account_comes_from_where_the_settings_say(
    account_from: AccountFrom, template: str, outbound: str, inbound: str
) -> None:
    who = identity(account_from)
    users = {"user_name": "u100", "dialed_user": "u200"}
    assert only(stock(template, **users), who=who).attempt.account == outbound
    assert only(stock(template, context="public", **users), who=who).attempt.account == inbound


def test_template_example_names_no_endpoint_and_says_so() -> None:
    assert "names no endpoint" in problem(stock("example"), who=identity("endpoint"))


def test_an_account_that_is_no_name_is_no_account() -> None:
    assert only(row(**channel(accountcode="acme; drop"))).attempt.account == ""


@pytest.mark.parametrize(
    ("userfield", "refusal"),
    [
        ("live;block:21:0:0:minutes:d1-1", Refusal.BLOCKED),
        ("brake;throttle:42:0:0:cps:", Refusal.SHED),
        ("live;throttle:0:0.350:0:cps:d1-1", Refusal.WENT),
        ("a note of the operator's", Refusal.NONE),
    ],
)
@pytest.mark.parametrize("template", ["enforcer", "asterisk"])
def test_the_userfield_tells_whether_we_refused_the_call(
    template: str, userfield: str, refusal: Refusal
) -> None:
    assert only(stock(template, answer=None, userfield=userfield)).refusal is refusal
    assert only(stock(template, userfield=userfield)).refusal is Refusal.NONE


# Legs ------------------------------------------------------------------------------------------


def test_a_leg_names_itself_and_its_call_and_leaves_the_words_to_the_one_that_leads() -> None:
    event = only(row(**leg(sip_gateway_name="carrier", accountcode="other")))
    attempt = event.attempt
    assert (attempt.call_id, event.legs) == (f"fs1/{A}", B)
    assert (attempt.account, attempt.number, attempt.caller, attempt.channel) == ("", "", "", "")
    assert attempt.route == "carrier"


def test_a_transferred_leg_that_dialled_on_is_still_of_the_first_call() -> None:
    """Blind transfer: B, dialled for A, dials C, and C dials D. Nothing but B's row knows of A."""
    lines = [
        row(**leg(D, C)), row(**leg(C, B, originated_legs=f"{D};Outbound Call;3")),
        row(**leg(B, A, originated_legs=f"ARRAY::{C};Outbound Call;2|:x;y;z")), row(**channel(A)),
    ]
    for rows in (lines, lines[::-1]):
        events = read(*rows)
        assert [e.attempt.call_id for e in events if isinstance(e, CallEvent)] == [f"fs1/{A}"] * 4


def test_with_the_exported_id_a_leg_needs_no_other_row_to_know_its_call() -> None:
    assert only(row(**leg(C, B, enforcer_call=A))).attempt.call_id == f"fs1/{A}"


def test_a_loopback_is_a_way_to_dial_and_no_leg() -> None:
    near = row(**leg(B, A, loopback_leg="A"))
    far = row(**channel(
        C, other_loopback_from_uuid=A, loopback_leg="B", originated_legs=f"{D};Outbound Call;1",
        enforcer_call=C,
    ))
    events = [e for e in read(near, far, row(**leg(D, C, enforcer_call=C))) if isinstance(e, CallEvent)]
    assert {e.attempt.call_id for e in events} == {f"fs1/{A}"}
    assert [e.legs for e in events] == ["", "", D]


def test_legs_that_name_each_other_in_a_circle_are_read_and_end() -> None:
    lines = [row(**leg(B, C, originated_legs="x;y;z")), row(**leg(C, B, originated_legs="x;y;z"))]
    assert all(isinstance(event, CallEvent) for event in read(*lines))


def test_a_leg_that_another_row_of_template_example_names_is_no_call_of_its_own() -> None:
    lines = [stock("example", uuid=B), stock("example", uuid=A, bleg_uuid=B)]
    for rows in (lines, lines[::-1]):
        event = only(*rows)
        assert (event.attempt.call_id, event.legs) == (f"fs1/{A}", B)


# What callers write ----------------------------------------------------------------------------

HOSTILE = 'x","911","default","2020-01-01 00:00:00","","2020-01-01 00:00:00","0","0","NONE","u","","victim'


@pytest.mark.parametrize(
    "name", ['Acme, "Inc"', "", '"', ",", "\\", "\x00\x1b[31m", "Ünï\ufffd", "\u2028\x0b\x1c", "enforcer-1"]
)
def test_any_name_leaves_the_row_what_it_is(name: str) -> None:
    event = only(stock("example", caller_id_name=name))
    assert (event.attempt.account, event.attempt.number) == ("acme", "12025550123")


@pytest.mark.parametrize("where", ["caller_id_name", "caller_id_number", "destination_number"])
def test_a_caller_who_writes_columns_is_counted_and_his_number_is_unknown(where: str) -> None:
    event = only(stock("example", **{where: HOSTILE}))
    assert (event.attempt.account, event.attempt.number, event.attempt.call_id) == ("acme", "", f"fs1/{A}")
    assert (event.attempt.at, event.billsec) == (BEGAN, 12.0)


@pytest.mark.parametrize(
    "where", ["caller_id_number", "destination_number", "enforcer_number", "dialed_user"]
)
def test_a_caller_cannot_forge_a_column_of_the_enforcer_template(where: str) -> None:
    event = only(row(**channel(**{where: 'x","911","911","end'})))
    assert (event.attempt.account, event.attempt.number, event.billsec) == ("acme", "", 12.0)


def test_where_columns_cannot_be_told_apart_the_row_is_reported() -> None:
    assert "holds quotes" in problem(stock("asterisk", caller_id_number=HOSTILE))


@pytest.mark.parametrize("template", TEMPLATES)
def test_line_ends_and_a_byte_order_mark_are_not_part_of_a_row(template: str) -> None:
    assert len(read("\ufeff" + stock(template) + "\r\n", "\r\n", stock(template) + "\n")) == 2


def test_a_value_may_hold_line_breaks() -> None:
    lines = (stock("example", caller_id_name="a\n\nb\r\nc") + "\n").splitlines(keepends=True)
    good, other = read(*lines, stock("example"))
    assert isinstance(good, CallEvent)
    assert isinstance(other, CallEvent)
    assert good.attempt.number == "12025550123"


def test_a_row_without_a_default_template_ends_with_a_semicolon() -> None:
    assert only(stock("asterisk") + ";\n").attempt.account == "acme"


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_row_cut_anywhere_is_bad_and_the_next_one_good(template: str) -> None:
    whole = stock(template)
    for cut in range(1, len(whole)):
        bad, good = read(whole[:cut] + "\n", whole + "\n")
        assert isinstance(bad, BadInput), whole[:cut]
        assert bad.where == "Master.csv:1"
        assert isinstance(good, CallEvent)
        (last,) = read(whole[:cut])
        assert isinstance(last, BadInput)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("garbage", "not a row of mod_cdr_csv"),
        ('"a","b"', "2 columns, of none of the templates"),
        (stock("example", end_stamp="yesterday"), "15 columns, of none of the templates"),
        (stock("example", end_stamp="2026-13-22 01:05:17"), "not a time"),
        (stock("example", end_stamp="2026-11-22 01:09:54"), "ends before it starts"),
        (stock("example", billsec="-1"), "not a number: '-1'"),
        (stock("example", billsec="1.5"), "not a number"),
        (stock("example", duration=""), "not a number"),
        (stock("example", hangup_cause="maybe"), "not a hangup cause"),
        (stock("example", uuid=""), "not the id of a channel"),
        (row(**channel(direction="sideways")), "not a direction of a channel"),
        (row(**channel(enforcer_direction="out")), "is not one of outbound, inbound, internal"),
        (row(**channel(end_uepoch=0)), "ends before it starts"),
        (row(**channel(start_uepoch="")), "not a number"),
        (row(**channel(start_uepoch="٣")), "not a number"),
        (row(**channel(uuid="a b")), "not the ids of channels: 'a b'"),
        (row(**leg(of='a"b')), "not the ids of channels"),
        (row(**channel(hangup_cause_q850="1" * 18)), "not a number"),
        ('"' + "x" * 9000 + '"', "more than 8192 characters"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line_and_the_others_go_on(bad: str, says: str) -> None:
    good, told, other = read(row(**channel()), bad, row(**channel()))
    assert isinstance(good, CallEvent)
    assert isinstance(other, CallEvent)
    assert isinstance(told, BadInput)
    assert told.where == "Master.csv:2"
    assert says in told.problem
