"""The lines of the message door: what is a question, what is not, and how little it takes to say no."""

from __future__ import annotations

import json

import pytest

from enforcer.domain.call import Direction, Medium
from enforcer.domain.decision import Decision, Verdict
from enforcer.errors import WireError
from enforcer.wire.message_line import LONGEST_LINE, LineReader, MessageQuestion, message_answer_line

GOOD = {"id": "sms-17", "account": "1001", "to": "+12025550142", "direction": "outbound"}


def line(**changes: object) -> bytes:
    table = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return json.dumps(table).encode() + b"\n"


def read(data: bytes) -> list[MessageQuestion]:
    return list(LineReader().feed(data))


def test_line_becomes_a_question_and_an_attempt() -> None:
    [question] = read(line())
    attempt = question.attempt("message-door", 12.5)
    told = attempt.call_id, attempt.switch, attempt.account
    assert told == ("message-door/sms-17", "message-door", "1001")
    assert (attempt.number, attempt.direction, attempt.at) == ("+12025550142", Direction.OUTBOUND, 12.5)
    assert attempt.medium is Medium.MESSAGE


def test_questions_come_in_their_order_however_the_bytes_are_cut() -> None:
    data = b"".join(line(id=f"m{n}") for n in range(5)) + line(id="half")[:-1]
    whole = [question.id for question in read(data)]
    assert whole == ["m0", "m1", "m2", "m3", "m4"]
    reader, cut = LineReader(), []
    for byte in data:
        cut += [question.id for question in reader.feed(bytes([byte]))]
    assert cut == whole


def test_direction_may_be_left_out() -> None:
    assert read(line(direction=None))[0].direction is Direction.OUTBOUND


def test_text_is_that_of_inbound_messages_and_capped() -> None:
    assert read(line(text="STOP"))[0].text == ""
    [heard] = read(line(direction="inbound", text="x" * 500, **{"from": "+12025550177"}))
    assert (heard.sender, len(heard.text)) == ("+12025550177", 160)


def test_of_an_inbound_message_without_a_sender_the_other_number_is_the_persons() -> None:
    assert read(line(direction="inbound", text="STOP"))[0].sender == "+12025550142"


@pytest.mark.parametrize("bad", [
    b"\n", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\n", b"[]\n", b"17\n", b"null\n", b'"x"\n',
    b"{}\n", b"{" + b'"a":' * 10 + b"\n", b"[" * 4000 + b"\n", b'{"id": "a", "id": "b"}\n', b"\xff\xfe{}\n",
    b"9" * 4000 + b"\n",
    line(id=None), line(id=""), line(id="a b"), line(id="a/b"), line(id="x" * 101), line(id=7),
    line(account=None), line(account=""), line(account="a b"), line(account="x" * 81), line(account=["1001"]),
    line(to=None), line(to=""), line(to="1\r\nAction: x"), line(to="1" * 65), line(to="sip:x@y"),
    line(direction="sideways"), line(direction=None, Direction="inbound"), line(txt="STOP"),
    line(**{"from": "<x>"}), line(text=None, direction={"a": "b"}),
])  # fmt: skip
def test_line_that_is_no_question_is_refused(bad: bytes) -> None:
    with pytest.raises(WireError):
        read(bad)


def test_questions_before_a_bad_line_are_given_first() -> None:
    questions = LineReader().feed(line(id="first") + b"nonsense\n" + line(id="never"))
    assert next(questions).id == "first"
    with pytest.raises(WireError):
        next(questions)


@pytest.mark.parametrize(("length", "ends"), [(LONGEST_LINE + 1, False), (LONGEST_LINE + 1, True)])
def test_line_without_an_end_is_cut_off_at_4096_bytes(length: int, ends: bool) -> None:
    reader = LineReader()
    assert list(reader.feed(b" " * (length - 1))) == []
    with pytest.raises(WireError, match="4096"):
        list(reader.feed(b" " + b"\n" * ends))


def test_longest_line_is_read() -> None:
    start = line(direction="inbound", text="")[:-3]
    full = start + b"x" * (LONGEST_LINE - len(start) - 2) + b'"}\n'
    assert len(full) == LONGEST_LINE + 1
    assert read(full)[0].text == "x" * 160


def test_answer_is_one_line_of_ascii_whatever_the_reason_says() -> None:
    [question] = read(line())
    decision = Decision(
        "d1-2f", 0.0, "", "", "1001", "", "outbound", Verdict.BLOCK, Verdict.BLOCK, sip_code=403,
        exempt="é\r\n" + "x" * 1000,
    )
    answer = message_answer_line(question, decision)
    assert answer.endswith(b"\n")
    assert answer.count(b"\n") == 1
    assert answer.isascii()
    told = json.loads(answer)
    assert list(told) == ["id", "verdict", "sip_code", "reason", "decision"]
    assert (told["id"], told["verdict"]) == ("sms-17", "block")
    assert (told["sip_code"], told["decision"]) == (403, "d1-2f")
    assert len(told["reason"]) == 500
