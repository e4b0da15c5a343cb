"""One question over HTTP: what mod_curl writes, however it is cut, and nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.call import Direction
from enforcer.errors import WireError
from enforcer.wire.http_door import LARGEST_BODY, LARGEST_HEAD, QuestionReader, attempt_of, response

UUID = "242155ea-3286-4a2d-9760-01c743ea9b20"
QUESTION = f"outbound;acme;12025550142;{UUID};;carrier;12025550101;a84b@[2001:db8::7]"
# As mod_curl puts it, by the source of FreeSWITCH 1.11.3.
HEAD = (
    "POST / HTTP/1.1\r\nHost: 127.0.0.1:8090\r\nUser-Agent: freeswitch-curl/1.0\r\nAccept: */*\r\n"
    "Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n"
)


def asked(question: str = QUESTION) -> bytes:
    return (HEAD.format(len(question)) + question).encode()


@given(st.lists(st.integers(min_value=0, max_value=len(asked())), max_size=12))
def test_a_question_is_read_once_wherever_it_is_cut(cuts: list[int]) -> None:
    data, reader = asked(), QuestionReader()
    places = [0, *sorted(cuts), len(data)]
    told = [reader.feed(data[a:b]) for a, b in pairwise(places)]
    assert told.count(None) >= len([place for place in cuts if place < len(data)])
    assert QUESTION in told


def test_the_attempt_is_what_the_dialplan_says() -> None:
    attempt = attempt_of(QUESTION, "fs1", 7.5)
    assert (attempt.call_id, attempt.channel) == (f"fs1/{UUID}", UUID)
    assert (attempt.account, attempt.number, attempt.caller) == ("acme", "12025550142", "12025550101")
    assert (attempt.direction, attempt.route, attempt.at) == (Direction.OUTBOUND, "carrier", 7.5)
    assert attempt_of(QUESTION.replace(";;", ";first;"), "fs1", 7.5).call_id == "fs1/first"
    assert attempt.sip_call_id == "a84b@[2001:db8::7]"
    assert attempt_of(QUESTION.rpartition(";")[0], "fs1", 7.5).sip_call_id == ""       # of an older dialplan


@pytest.mark.parametrize(
    "question",
    [
        "", "outbound", QUESTION + ";", QUESTION + "\n", QUESTION.replace("outbound", "sideways"),
        QUESTION.replace("12025550142", "1202;acme"), QUESTION.replace("12025550142", ""),
        QUESTION.replace(UUID, ""), QUESTION.replace(UUID, "a b"), QUESTION.replace("12025550101", "<x>"),
        QUESTION.replace("12025550142", "1" * 65), "\ufffd" + QUESTION,
    ],
)
def test_what_is_no_question_is_about_no_call(question: str) -> None:
    with pytest.raises(WireError):
        attempt_of(question, "fs1", 7.5)


def test_an_account_that_can_be_none_is_none() -> None:
    assert attempt_of(QUESTION.replace("acme", "a/b"), "fs1", 7.5).account == ""


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"connect\n\n", b"POST / HTTP/2\r\n\r\n",
        asked().replace(b"Content-Length: ", b"Content-Size: "), asked() + b"x",
        asked().replace(b"Accept: */*", b"Content-Length: 3"), b"POST /" + b"x" * LARGEST_HEAD,
        (HEAD.format(LARGEST_BODY + 1)).encode(),
    ],
    ids=["get", "tls", "event socket", "version", "no length", "more", "two lengths", "endless", "large"],
)  # fmt: skip
def test_what_is_no_request_is_refused_as_soon_as_it_is_seen(data: bytes) -> None:
    with pytest.raises(WireError):
        QuestionReader().feed(data)


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_question_or_none(data: bytes) -> None:
    reader = QuestionReader()
    try:
        question = reader.feed(data)
        if question is not None:
            attempt_of(question, "fs1", 7.5)
    except WireError:
        pass


def test_an_answer_is_one_line_and_says_how_long_it_is() -> None:
    head, _, body = response("block:21:0:0:minutes:d1-2f").partition(b"\r\n\r\n")
    assert body == b"block:21:0:0:minutes:d1-2f"
    assert b"Content-Length: 26" in head
    with pytest.raises(WireError):
        response("allow:0:0:0::d1\r\nX: y")
