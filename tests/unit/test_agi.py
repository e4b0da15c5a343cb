"""One AGI dialogue, as bytes. The request is what Asterisk 22.10 sent for a call of the lab."""

from __future__ import annotations

import pytest

from enforcer.domain.call import Direction
from enforcer.errors import WireError
from enforcer.wire.agi import (
    LARGEST_REQUEST,
    LONGEST_REPLY,
    AgiReader,
    AgiReply,
    AgiRequest,
    attempt_of,
    set_variable,
)

REQUEST = b"""\
agi_network: yes
agi_network_script: ask
agi_request: agi://127.0.0.1:4573/ask
agi_channel: PJSIP/acme-00000007
agi_language: en
agi_type: PJSIP
agi_uniqueid: lab-1795384058.7
agi_version: 22.10.1
agi_callerid: 12025550101
agi_calleridname: J\xc3\xbcrgen
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: 12025550142
agi_rdnis: unknown
agi_context: enforcer
agi_extension: agi
agi_priority: 2
agi_enhanced: 0.0
agi_accountcode: acme
agi_threadid: 140086
agi_arg_1: acme
agi_arg_2: outbound
agi_arg_3: 12025550142
agi_arg_4: lab-1795384058.5

"""


def asked(data: bytes = REQUEST) -> AgiRequest:
    heard = AgiReader().feed(data)
    assert isinstance(heard, AgiRequest)
    return heard


def with_line(key: bytes, value: bytes | None) -> bytes:
    """The request with another value in one line, or without the line."""
    lines = [line for line in REQUEST.splitlines() if not line.startswith(key + b":")]
    if value is not None:
        lines.insert(-1, key + b": " + value)
    return b"\n".join(lines) + b"\n"


def test_request_becomes_the_attempt_it_asks_about() -> None:
    attempt = attempt_of(asked(), "pbx1", 1795384058.5)
    assert attempt.call_id == "pbx1/lab-1795384058.5"
    assert (attempt.switch, attempt.account, attempt.number) == ("pbx1", "acme", "12025550142")
    assert attempt.direction is Direction.OUTBOUND
    assert (attempt.caller, attempt.channel) == ("12025550101", "PJSIP/acme-00000007")
    assert attempt.at == 1795384058.5


def test_request_names_the_carrier_that_the_call_will_take() -> None:
    last = b"agi_arg_4: lab-1795384058.5\n"
    request = asked(REQUEST.replace(last, last + b"agi_arg_5: carrier-a\n"))
    assert attempt_of(request, "pbx1", 0.0).route == "carrier-a"
    assert attempt_of(asked(), "pbx1", 0.0).route == ""


def test_values_are_decoded_after_the_lines_are_split() -> None:
    request = asked(with_line(b"agi_calleridname", b"a\xe2\x80\xa8agi_arg_1: other\xff\r"))
    assert request["calleridname"] == "a\u2028agi_arg_1: other\ufffd\r"
    assert request["arg_1"] == "acme"


def test_missing_value_is_not_an_empty_one() -> None:
    request = asked(with_line(b"agi_rdnis", b""))
    assert request.get("rdnis") == ""
    assert request.get("arg_5") is None
    with pytest.raises(WireError, match="without agi_arg_5"):
        request["arg_5"]


@pytest.mark.parametrize("argument", [b"agi_arg_1", b"agi_arg_2", b"agi_arg_3", b"agi_arg_4", b"agi_channel"])
def test_request_that_lacks_an_argument_is_no_question(argument: bytes) -> None:
    with pytest.raises(WireError, match=f"without {argument.decode()}"):
        attempt_of(asked(with_line(argument, None)), "pbx1", 0.0)


def test_direction_has_to_be_one() -> None:
    with pytest.raises(WireError, match="agi_arg_2: no direction: 'sideways'"):
        attempt_of(asked(with_line(b"agi_arg_2", b"sideways")), "pbx1", 0.0)


@pytest.mark.parametrize("account", [b"", b"a/b", b'a"b', b"a b", b"x" * 81, b"J\xc3\xbcrgen"])
def test_account_that_no_account_can_be_called_is_none(account: bytes) -> None:
    assert attempt_of(asked(with_line(b"agi_arg_1", account)), "pbx1", 0.0).account == ""


def test_unknown_caller_is_none() -> None:
    assert attempt_of(asked(with_line(b"agi_callerid", b"unknown")), "pbx1", 0.0).caller == ""


def test_call_without_a_linked_id_is_known_by_its_own() -> None:
    attempt = attempt_of(asked(with_line(b"agi_arg_4", b"")), "pbx1", 0.0)
    assert attempt.call_id == "pbx1/lab-1795384058.7"


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"\n\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",                            # TLS
        b"\x00" * 10,
        b"agi_network: yes\nhello\n\n",
        b"agi_network yes\n\n",
        b"agi_: yes\n\n",
        b"agi_Network: yes\n\n",
        b"agi_network: yes\r\n\r\nagi_arg_1: x\n\n",          # an empty line ended the Windows way is a line
        b"".join(b"agi_arg_%d: x\n" % n for n in range(65)) + b"\n",     # more lines than any request has
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        AgiReader().feed(data)


def test_no_line_can_be_said_twice() -> None:
    """Else a caller's name with a line break in it could speak for another account."""
    with pytest.raises(WireError, match="two lines agi_arg_1"):
        AgiReader().feed(REQUEST.replace(b"J\xc3\xbcrgen", b"x\nagi_arg_1: globex"))


def test_request_without_an_end_is_refused_at_its_cap() -> None:
    reader = AgiReader()
    line = b"agi_calleridname: " + b"x" * 1005 + b"\n"
    for _ in range(LARGEST_REQUEST // len(line) - 1):
        assert reader.feed(line) is None
    with pytest.raises(WireError, match="without an end"):
        reader.feed(line)


@pytest.mark.parametrize(
    ("line", "reply", "taken"),
    [
        (b"200 result=1\n", AgiReply(200, 1), True),
        (b"200 result=0\n", AgiReply(200, 0), False),
        (b"200 result=-1\n", AgiReply(200, -1), False),
        (b"510 Invalid or unknown command\n", AgiReply(510, None), False),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", AgiReply(511, None), False),
        (b"520-Invalid command syntax.  Proper usage follows:\n", AgiReply(520, None), False),
        (b"HANGUP\n", AgiReply(0, None), False),
    ],
)
def test_reply_says_whether_the_answer_was_taken(line: bytes, reply: AgiReply, taken: bool) -> None:
    reader = AgiReader()
    reader.feed(REQUEST)
    heard = reader.feed(line)
    assert heard == reply
    assert isinstance(heard, AgiReply)
    assert heard.taken is taken


def test_reply_that_came_with_the_question_is_not_lost() -> None:
    reader = AgiReader()
    assert isinstance(reader.feed(REQUEST + b"HANGUP\n"), AgiRequest)
    assert reader.feed(b"") == AgiReply(0, None)


def test_reply_without_an_end_is_refused_at_its_cap() -> None:
    reader = AgiReader()
    reader.feed(REQUEST)
    assert reader.feed(b"2" * LONGEST_REPLY) is None
    with pytest.raises(WireError, match="reply without an end"):
        reader.feed(b"2")


def test_garbage_is_no_reply() -> None:
    reader = AgiReader()
    reader.feed(REQUEST)
    with pytest.raises(WireError, match="not an AGI reply"):
        reader.feed(b"what?\n")


def test_answer_is_one_line() -> None:
    line = set_variable("ENF_ANSWER", "block:21:0:0:minutes:d1-33")
    assert line == b'SET VARIABLE ENF_ANSWER "block:21:0:0:minutes:d1-33"\n'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENF_ANSWER", "a\nHANGUP"),
        ("ENF_ANSWER", "a\rb"),
        ("ENF_ANSWER", "a\0b"),
        ("ENF_ANSWER", 'a"b'),
        ("ENF_ANSWER", "a\\"),
        ("ENF_ANSWER", "${SHELL(id)}"),
        ("ENF_ANSWER", "J\xfcrgen"),
        ("ENF_ANSWER", "x" * 1024),
        ("ENF ANSWER", "x"),
        ("", "x"),
    ],
)
def test_nothing_but_plain_text_is_written(name: str, value: str) -> None:
    with pytest.raises(WireError) as refused:
        set_variable(name, value)
    assert not refused.value.remote
