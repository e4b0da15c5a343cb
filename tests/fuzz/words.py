"""Single lines and words: answers, message lines, spans, cycles, numbers; and everything that we write."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re

from enforcer.control.sheets import cell, sheet
from enforcer.control.words import shown
from enforcer.domain.actions import GrantLease, HangUp, LimitDuration, RememberWord, SetBrake, WithdrawLease
from enforcer.domain.cycle import BillingCycle, Period
from enforcer.domain.numbers import NumberPlan, pattern
from enforcer.domain.stop_words import StopWords
from enforcer.errors import WireError
from enforcer.notices.words import clean
from enforcer.spans import LONGEST_SPAN, seconds_of
from enforcer.wire import agi, ami_actions, esl_commands, freeswitch_actions
from enforcer.wire.answer import parse_answer, parse_userfield
from enforcer.wire.channel import Identity, account_name, endpoint_of, number_in, started_by_serial
from enforcer.wire.message_line import LONGEST_LINE, LineReader, MessageQuestion
from tests.fuzz.asterisk import one_action, sound
from tests.fuzz.target import Target, chunkings

QUESTION = {"id": "sms-17", "account": "1001", "to": "+12025550142", "direction": "outbound"}
REPLY = QUESTION | {"id": "sms-18", "direction": "inbound", "from": "+12025550143", "text": "STOP \u2028"}


def _message_line(data: bytes) -> None:
    def asked(pieces: list[bytes]) -> tuple[list[MessageQuestion], bool]:
        reader, found = LineReader(), []
        try:
            for piece in pieces:
                for question in reader.feed(piece):
                    found.append(question)      # noqa: PERF402 - what was told before an error counts
                assert len(reader._rest) <= LONGEST_LINE
        except WireError as problem:
            assert problem.remote
            return found, True
        return found, False

    whole, *others = (asked(pieces) for pieces in chunkings(data))
    assert all(other == whole for other in others)
    for question in whole[0]:
        sound(question.attempt("pbx1", 7.5))


def _answer(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for read in (parse_answer, parse_userfield):
        try:
            answer = read(text)
        except WireError:
            continue
        if answer is not None:
            assert 0 <= answer.hold < 1e6
            assert answer.tag.isascii()
            assert re.fullmatch(r"[A-Za-z0-9-]*", answer.decision_id)


def _small(data: bytes) -> None:
    """Names, numbers, spans and cycles: a value, None, or ValueError."""
    text = data.decode("utf-8", "replace")
    assert account_name(text) in ("", text)
    endpoint_of(text)
    number_in(text)
    started_by_serial(text)
    StopWords.of().wish(text)
    Identity("pbx1").directions()
    with contextlib.suppress(ValueError):
        assert 0 < seconds_of(text) <= LONGEST_SPAN
    for period in Period:
        try:
            span = BillingCycle(1, "Europe/Berlin", period).named(text)
        except ValueError:
            continue
        assert span.start < span.end
        assert span.label == text
    with contextlib.suppress(ValueError):
        pattern(text)


PLAN = NumberPlan("US")


def _numbers(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    kind = PLAN.classify(text)
    assert PLAN.is_emergency(text) == (kind.value == "emergency")
    canonical = PLAN.canonical(text)
    found = PLAN.telephone(text)
    assert found is None or (found == canonical and PLAN.telephone(found) == found), (found, canonical)


def one_command(data: bytes) -> None:
    """It is one command of the event socket: one empty line, and that at its end."""
    assert data.endswith(b"\n\n")
    assert data.count(b"\n\n") == 1
    assert b"\r" not in data
    assert b"\0" not in data


def _written(data: bytes) -> None:
    """Whatever a value holds: one action, one command, one line, one cell; or it is refused."""
    text = data.decode("utf-8", "surrogateescape") if len(data) % 2 else data.decode("utf-8", "replace")
    orders = (
        GrantLease(text, 7), WithdrawLease(text), RememberWord(text, "allow:0:0:0::", 7),
        RememberWord("acme", text, 7), SetBrake(text, 1, 1, 7), HangUp("c", text, 21),
        LimitDuration("c", text, 7),
    )  # fmt: skip
    for order in orders:
        one_action(*ami_actions.command_for(order))
        for answered in (False, True):
            try:
                one_command(freeswitch_actions.command_for(order, answered))
            except WireError as problem:
                assert not problem.remote
    one_action(text, ())
    one_action("X", ((text, "y"), ("z", text)))
    for make in (
        lambda: agi.set_variable("ENF_ANSWER", text), lambda: agi.set_variable(text, "x"),
    ):
        try:
            line = make()
        except WireError:
            continue
        assert line.count(b"\n") == 1
        assert line.endswith(b'"\n')
        assert line.count(b'"') == 2
    for command in (
        lambda: esl_commands.auth(text), lambda: esl_commands.api("uuid_kill", text),
        lambda: esl_commands.execute("multiset", text),
        lambda: esl_commands.execute("set", "x", channel=text),
        lambda: esl_commands.fire(text, {"A": "b"}), lambda: esl_commands.fire("x", {"A": text}),
        lambda: esl_commands.bgapi("x", "y", job=text), lambda: esl_commands.events([text]),
    ):
        try:
            one_command(command())
        except WireError as problem:
            assert not problem.remote
    plain = data.decode("utf-8", "replace")
    assert shown(plain).isprintable()
    assert clean(plain).isprintable()
    assert len(clean(plain)) <= 1000
    [_, row] = list(csv.reader(io.StringIO(sheet(["a", "b"], [{"a": plain, "b": [plain]}]), newline="")))
    assert row == [cell(plain), cell([plain])]
    assert not row[0].startswith(("=", "+", "@", "\t", "\r"))


TARGETS = (
    Target(
        "message_line", _message_line,
        lambda: [json.dumps(one).encode() + b"\n" for one in (QUESTION, REPLY)],
        (b"\n", b'"', b"{", b"}", b"[" * 20, b":", b",", b"\\u0000", b"\\ud800", b"null", b"1e999", b'"id"',
         b'"from"', b'"text"', b'"inbound"', b'"internal"', b"\xff"),
    ),
    Target("answer", _answer, lambda: [b"throttle:0:0.350:0:cps:d1-31", b"default;block:21:0:0:asr+x:d1-2"],
           (b":", b";", b"allow", b"block", b"tag", b"0.", b"999999", b"\n")),
    Target("small", _small, lambda: [b"1d12h", b"2026-10", b"2026-W47", b"2026-11-22", b"PJSIP/a-00000001",
                                     b"lab1-1795309504.425", b"911", b"1900NXX.", b"STOP", b"9000-12",
                                     b"0001-01"],
           (b"-", b"W", b"9", b"0", b"N", b"X", b"Z", b".", b"!", b"[", b"]", b"\xd9\xa1")),
    Target("numbers", _numbers, lambda: [b"12025550142", b"+442079460000", b"911", b"011442079460000", b"*72",
                                         b"(202) 555-0142", b"sip:112@x"],
           (b"+", b"00", b"011", b"911", b"112", b"tel:", b";ext=", b"\xef\xbc\x91", b"\xd9\xa1")),
    Target("written", _written, lambda: [b"acme", b"a\r\nAction: Logoff", b"=1+1", b"PJSIP/a-1", b"-1.5",
                                         b"allow:0:0:0::d1", b"x;=cmd|' /C calc'!A0", b"\x1b[2J"],
           (b"\r\n", b"\n\n", b"\n", b"\0", b":", b"=", b"+", b"@", b"\t", b"\\", b'"', b"$", b"${", b"`",
            b" ", b"/", b"\xe2\x80\xa8", b"\xc2\x9b", b"\xff", b"'", b",", b";")),
)  # fmt: skip
