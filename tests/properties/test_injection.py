"""Whatever a caller, a customer or a file writes: nothing that we write holds more than we meant.

Actions, commands and SIP headers, log lines, cells, pages, topics, terminals, names of files, events and
metrics: a test each. (The pages' is in `test_page`.)
(That no hostile byte breaks what *reads* is in `test_fuzz_corpus`; text messages have `test_messages_safe`.)
"""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console

from enforcer.control.cli_terminal import complain, emit, say, table
from enforcer.control.feed import Happening
from enforcer.control.http.events import _of
from enforcer.control.sheets import sheet
from enforcer.control.top_frame import Look, frame
from enforcer.domain.actions import (
    GrantLease,
    HangUp,
    LimitDuration,
    Order,
    RememberWord,
    SetBrake,
    WithdrawLease,
)
from enforcer.domain.decision import Decision, Verdict
from enforcer.errors import WireError
from enforcer.notices.templates import FIELDS, NAMES, Templates
from enforcer.notices.words import clean
from enforcer.telemetry import Telemetry, set_up_logging
from enforcer.wire import agi, ami_actions, esl_commands, freeswitch_actions, http_door
from enforcer.wire.ami import encode_action
from enforcer.wire.answer import answer_line, parse_answer
from enforcer.wire.esl_door import ANSWER
from enforcer.wire.mqtt_topic import EMPTY, LONGEST_TOPIC, level, name_of, topic
from tests.fuzz.people import VIEW

NASTY = st.sampled_from([
    "acme\r\nAction: Originate\r\nApplication: System", "a\n\napi system id\n\n", 'x" EXEC System "id',
    "${SHELL(id)}", "a%0d%0aX-Evil: 1", "a\r\nX-Evil: 1", "\x1b[2J\x1b]0;pwned\x07", "\x9b31m",
    "=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "-1+1", "\t=1", "\r=1", "x;=1+1", 'x","=1+1', "[bold red]x[/]",
    "[link=http://x]y[/link]", "<script>alert(1)</script>", "#", "+", "a/#", "$SYS/x", "../../etc/passwd",
    "\0", "\u202eevil", "\u2028", "\ud800", "^^;A=b;c=d", "a,b)", "`id`", "$[1]", "/.*/", "", " ", "acme",
])  # fmt: skip
TEXTS = NASTY | st.text(max_size=40) | st.tuples(NASTY, NASTY).map("".join)


def decided(reason: str, tag: str, ident: str) -> Decision:
    return Decision(
        ident, 1.0, "pbx1/1", "pbx1", "acme", "100", "outbound", Verdict.BLOCK, Verdict.BLOCK, sip_code=403,
        tags=(tag,), rule=reason, clause=reason,
    )


def orders(text: str) -> tuple[Order, ...]:
    return (
        GrantLease(text, 7), WithdrawLease(text), RememberWord(text, "allow:0:0:0::", 7),
        RememberWord("acme", text, 7), SetBrake(text, 1, 1, 7), HangUp("c", text, 21),
        LimitDuration("c", text, 7),
    )


@given(TEXTS)
def test_no_value_begins_an_action_of_the_manager(text: str) -> None:
    for order in orders(text):
        name, headers = ami_actions.command_for(order)
        with suppress(WireError):
            sent = encode_action(name, headers, "7")
            assert sent.count(b"\r") == sent.count(b"\n") == len(headers) + 3
            assert [line.partition(b": ")[0].decode() for line in sent[:-4].split(b"\r\n")] == [
                "Action", "ActionID", *(key for key, _ in headers)
            ]


@given(TEXTS)
def test_no_channel_is_a_pattern_that_hangs_up_others(text: str) -> None:
    _, headers = ami_actions.command_for(HangUp("c", text, 21))
    assert not dict(headers)["Channel"].startswith("/")


@given(TEXTS)
def test_no_value_begins_a_command_of_the_event_socket(text: str) -> None:
    made = [partial(freeswitch_actions.command_for, order, answered=True) for order in orders(text)]
    made += [
        lambda: esl_commands.api("uuid_kill", text), lambda: esl_commands.fire("enforcer::beat", {"X": text}),
        lambda: esl_commands.execute("multiset", esl_commands.multiset({ANSWER: text})),
        lambda: esl_commands.auth(text),
    ]
    for make in made:
        with suppress(WireError):
            sent = make()
            assert sent.count(b"\n\n") == 1
            assert sent.endswith(b"\n\n")
            assert not re.search(rb"[\r\0\x1b$\\`\"']", sent) or sent.startswith(b"auth ")


@given(TEXTS)
def test_no_value_ends_its_quotes_at_the_agi_door(text: str) -> None:
    with suppress(WireError):
        sent = agi.set_variable("ENF_ANSWER", text)
        assert re.fullmatch(rb'SET VARIABLE ENF_ANSWER "[^"\\$\r\n]*"\n', sent)


@given(TEXTS, TEXTS, TEXTS)
def test_no_reason_tag_or_name_adds_a_sip_header(reason: str, tag: str, ident: str) -> None:
    """The tag goes into X-Enforcer-Tag, the cause into the reply; both come out of this line only."""
    line = answer_line(decided(reason, tag, ident))
    assert re.fullmatch(r"block:21:0:0:[A-Za-z0-9_.+-]*:[A-Za-z0-9-]*", line)
    assert parse_answer(line).verdict is Verdict.BLOCK


@given(TEXTS, TEXTS, TEXTS)
def test_no_reason_tag_or_name_adds_a_header_to_the_answer_over_http(
    reason: str, tag: str, ident: str
) -> None:
    head, empty, body = http_door.response(answer_line(decided(reason, tag, ident))).partition(b"\r\n\r\n")
    assert [line.partition(b":")[0] for line in head.split(b"\r\n")] == [
        b"HTTP/1.1 200 OK", b"Content-Type", b"Content-Length", b"Connection",
    ]
    assert empty
    assert len(body.splitlines()) == 1


@given(TEXTS, TEXTS)
def test_no_value_begins_another_event_of_a_stream(value: str, key: str) -> None:
    told = _of(Happening(7, "decision", 1.0, {"account": value, key or "x": [value]}), "run")
    assert re.fullmatch(r"id: run-7\nevent: decision\ndata: [^\r\n]*\n\n", told)
    assert json.loads(told.splitlines()[2].removeprefix("data: "))["account"] == value or key == "account"


def page_of(account: str, number: str) -> str:
    """The page of metrics after a call, a STOP and a fault of somebody's."""
    telemetry = Telemetry(CollectorRegistry())
    call = decided("x", "tag", "d1-1")
    telemetry.decision(call._replace(account=account, number=number, call_id=f"pbx1/{number}"))
    telemetry.wish("stop", 0.1, account, account)
    telemetry.fault("door could not decide", problem=account, number=number)
    return re.sub(r"\S+\n", "\n", generate_latest(telemetry.registry).decode())     # without the values


@settings(max_examples=40)
@given(TEXTS, TEXTS)
def test_no_value_of_a_caller_is_a_label_or_a_line_of_the_page_of_metrics(account: str, number: str) -> None:
    assert page_of(account, number) == page_of("acme", "100")


@given(TEXTS, TEXTS)
def test_nothing_that_top_shows_moves_its_cursor_or_is_markup(value: str, other: str) -> None:
    view = VIEW | {
        "site": value, "policy": value, "degraded": other, "gaps": [{"switch": value}],
        "ceiling": {"mode": "tag", "until": None, "who": value, "why": other},
        "switches": [VIEW["switches"][0] | {"switch": value, "problem": other}],        # type: ignore[index]
        "nearest": [VIEW["nearest"][0] | {"account": value, "rule": other}],            # type: ignore[index]
    }
    decision = {"verdict": "block", "would_be": "block", "account": value, "number": other, "rule": value,
                "decision": "d1"}
    happened = [{"number": 1, "kind": "decision", "at": 7.0, "facts": decision},
                {"number": 2, "kind": "fault", "at": 7.0, "facts": {"fault": value, "problem": other}}]
    out = io.StringIO()
    console = Console(file=out, width=200, color_system=None)
    for line in frame(view, happened, Look(200, 60)):
        assert line.plain.isprintable()
        console.print(line, no_wrap=True)
    assert "\x1b" not in out.getvalue()
    if "[bold red]" in value:
        assert "[bold red]" in out.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
@given(value=TEXTS, inner=TEXTS)
def test_no_value_begins_a_log_line_or_moves_a_cursor(form: str, value: str, inner: str) -> None:
    import structlog

    out = io.StringIO()
    before = structlog.get_config()
    try:
        set_up_logging(form, out)
        log = structlog.get_logger("x")
        log.info("decision", account=value, to=[inner, {"k": inner}], raw=value.encode("utf-8", "replace"))
        try:
            raise ValueError(value)
        except ValueError:
            log.exception("failed", problem=WireError(value))
    finally:
        structlog.configure(**before)
    lines = out.getvalue().splitlines()
    # On a console a traceback, on one line, stands under its event.
    assert len(lines) == out.getvalue().count("\n") == (3 if form == "console" else 2)
    assert all(line.isprintable() for line in lines)
    if form == "json":
        assert [json.loads(line)["event"] for line in lines] == ["decision", "failed"]


@given(TEXTS, TEXTS)
def test_no_cell_computes_and_no_cell_is_two_or_a_row(value: str, other: str) -> None:
    text = sheet(("a", "b"), [{"a": value, "b": [value, other]}])
    assert text.count("\n") == 2
    for delimiter in ",;|\t":       # as spreadsheets of various countries part cells
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            for found in row:
                bare = found.lstrip(' "')
                assert not bare.startswith(tuple("=+@\t\r\uff1d\uff0b\uff0d\uff20")), (delimiter, row)
                assert not bare.startswith("-") or re.fullmatch(r"-[0-9]+(\.[0-9]+)?[\",]*.*", bare)


@given(TEXTS)
def test_no_value_is_a_line_of_a_notice_or_a_header_of_its_mail(value: str) -> None:
    templates = Templates()
    for name in NAMES:
        subject, text = templates.fill(name, dict.fromkeys(FIELDS, clean(value)))
        plain_subject, plain_text = templates.fill(name, dict.fromkeys(FIELDS, "x"))
        assert subject.isprintable()
        assert len(text.splitlines()) <= len(plain_text.splitlines())
        assert not re.search(r"[\r\x1b\0\x9b]", text)
        assert bool(subject) == bool(plain_subject)


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", '<img src="x" onerror="y">', "a & b <b>"])
def test_no_value_is_markup_in_a_mail_that_is_sent_as_a_page(value: str) -> None:
    """Where a channel wants HTML, the text is escaped on its way."""
    from tests.support.receivers import apprise

    turned = apprise.conversion.convert_between(apprise.NotifyFormat.TEXT, apprise.NotifyFormat.HTML, value)
    assert not re.search(r"<(script|img|b)\b", turned)
    assert "&lt;" in turned


@given(TEXTS, TEXTS)
@example("", EMPTY)
@example("a/b", "a")
def test_no_name_is_anothers_topic_a_wildcard_or_the_brokers(name: str, other: str) -> None:
    text = topic("enforcer", name, "usage")
    assert re.fullmatch(r"enforcer/[A-Za-z0-9_.@%-]+/usage", text)
    assert name_of(level(name)) == name
    assert (level(name) == level(other)) == (name == other)
    assert not topic(name).startswith("$")


@given(TEXTS)
def test_level_that_is_nobodys_is_refused(text: str) -> None:
    try:
        assert level(name_of(text)) == text
    except WireError as problem:
        assert problem.remote  # noqa: PT017


def test_topic_is_never_longer_than_a_broker_takes() -> None:
    assert len(topic("x" * LONGEST_TOPIC)) == LONGEST_TOPIC
    for names in (("x" * (LONGEST_TOPIC + 1),), ("\u20ac" * 8000, "y"), ()):
        with pytest.raises(WireError) as caught:
            topic(*names)
        assert not caught.value.remote


@given(TEXTS)
def test_nothing_said_at_a_terminal_moves_its_cursor_or_is_markup(value: str) -> None:
    from contextlib import redirect_stderr, redirect_stdout

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        say(value)
        complain(value)
        table(("name",), [(value,)])
        emit({"name": value})
    text = out.getvalue()
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\x1b" not in text
    if "[bold red]" in value:
        assert text.count("[bold red]") == 4 * value.count("[bold red]")
    assert json.loads(text[text.rindex("\n{") :]) == {"name": value}
