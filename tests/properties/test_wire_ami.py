"""Whatever the wire holds: messages do not depend on how it was cut, and nobody is anybody else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.domain.call import CallEvent, Refusal
from enforcer.errors import WireError
from enforcer.wire.ami import Decoder, Message, encode_action
from enforcer.wire.asterisk import WANTED_EVENTS, CallBook
from enforcer.wire.asterisk_questions import Question
from enforcer.wire.channel import Identity

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
RECORDED = Path(__file__).parents[1] / "recorded" / "asterisk"
REAL = (RECORDED / "inject.ami").read_bytes()[:12_000]
IDENTITY = Identity("pbx1")


def fed(pieces: list[bytes]) -> list[bytes] | str:
    """The messages, or what was wrong."""
    decoder, messages = Decoder(), []
    try:
        for piece in pieces:
            messages += decoder.feed(piece)
    except WireError as problem:
        return str(problem)
    return [message.raw for message in messages]


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(edge, len(data)) for edge in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(0, len(REAL)), max_size=40))
def test_messages_do_not_depend_on_how_the_bytes_were_cut(at: list[int]) -> None:
    assert fed(cut(REAL, at)) == fed([REAL])


TORN = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b"Event: ", b"Response: ", b": ", b"\xc3", b"\xbc", b"\0"])
    | st.binary(max_size=6),
    max_size=40,
).map(b"".join)


@given(TORN, st.lists(st.integers(0, 200), max_size=10), st.booleans())
@example(b"\r\n\r\n\r\nEvent: A\r\n\r\n", [1, 3], True)
@example(b"Event: \r\n\r\n", [11], True)     # the first message came with the end of a torn banner
def test_garbage_is_messages_or_a_wire_error_however_it_is_cut(
    data: bytes, at: list[int], greeted: bool
) -> None:
    data = BANNER + data if greeted else data
    assert fed(cut(data, at)) == fed([data])


NAMES = st.sampled_from(sorted(WANTED_EVENTS))
HEADERS = st.sampled_from(
    ["Channel", "Uniqueid", "Linkedid", "ChannelState", "ChannelStateDesc", "Context", "Exten", "Timestamp",
     "AccountCode", "CallerIDNum", "UserEvent", "Account", "Direction", "Number", "Cause", "ChanVariable"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["", "Ring", "Down", "Up", "6", "from-accounts", "from-trunk", "pbx-1.1", "pbx-1.2", "PJSIP/a-00000001",
     "Local/1@x-00000001;2", "EnfAsk", "inbound", "1e999", "-1", "ENF_VERDICT=block"]
) | st.text(max_size=12).map(lambda text: text.replace("\r", "").replace("\n", ""))  # fmt: skip


@given(st.lists(st.tuples(NAMES, st.dictionaries(HEADERS, VALUES)), max_size=30))
def test_any_events_yield_facts_or_a_wire_error_and_bounded_memory(
    told: list[tuple[str, dict[str, str]]],
) -> None:
    book = CallBook(IDENTITY, most_legs=5)
    for name, headers in told:
        text = "\r\n".join([f"Event: {name}", *(f"{key}: {value}" for key, value in headers.items())])
        try:
            facts = book.read(Message(name, text.encode("utf-8", "surrogatepass")), 7.0)
        except WireError:
            continue
        assert book.legs <= 5
        for fact in facts:
            if isinstance(fact, CallEvent):
                assert fact.at == fact.at
                assert fact.attempt.call_id.startswith("pbx1/")


# What a caller writes into its SIP request: display name, number, and the number it dials. Asterisk keeps
# line breaks out of its events (tried: %0a, %0d, raw), so none of these holds any.
SAID = st.text(max_size=60).map(lambda text: text.replace("\r", "").replace("\n", "")) | st.sampled_from(
    ["AccountCode: globex", "x%0aAccountCode: globex", "Uniqueid: other", "ChanVariable: ENF_VERDICT=block"]
)


@given(SAID, SAID, SAID)
def test_no_caller_chooses_its_identity_or_anybody_elses(name: str, number: str, dialled: str) -> None:
    book = CallBook(IDENTITY)
    facts = []
    for event, more in (
        ("Newchannel", ""),
        ("UserEvent", f"\r\nUserEvent: EnfAsk\r\nAccount: acme\r\nDirection: outbound\r\nNumber: {dialled}"),
        ("Hangup", "\r\nChanVariable: ENF_VERDICT=allow\r\nCause: 17\r\nCause-txt: User busy"),
    ):
        text = (
            f"Event: {event}\r\nTimestamp: 5.5\r\nChannel: PJSIP/acme-00000001\r\nChannelState: 4\r\n"
            f"ChannelStateDesc: Ring\r\nCallerIDNum: {number}\r\nCallerIDName: {name}\r\n"
            f"AccountCode: acme\r\nContext: from-accounts\r\nExten: {dialled}\r\n"
            f"Priority: 1\r\nUniqueid: pbx-5.1\r\nLinkedid: pbx-5.1{more}\r\n\r\n"
        )
        for message in Decoder(WANTED_EVENTS).feed(BANNER + text.encode("utf-8", "replace")):
            facts += book.read(message, 7.0)
    assert [type(fact) for fact in facts] == [CallEvent, Question, CallEvent]
    for fact in facts:
        assert isinstance(fact, CallEvent | Question)
        assert (fact.attempt.call_id, fact.attempt.account) == ("pbx1/pbx-5.1", "acme")
        assert fact.attempt.channel == "PJSIP/acme-00000001"
    assert facts[-1].refusal is Refusal.WENT
    assert book.legs == 0


@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=10), st.text(max_size=30), max_size=5),
    st.text(max_size=5),
)
def test_an_action_is_one_action_or_refused_as_our_own_fault(
    name: str, headers: dict[str, str], action_id: str
) -> None:
    try:
        data = encode_action(name, headers.items(), action_id)
    except WireError as problem:
        assert problem.remote is False  # noqa: PT017
        return
    assert data.endswith(b"\r\n\r\n")
    assert data.count(b"\r\n\r\n") == 1
    assert data.count(b"\n") == data.count(b"\r") == 1 + 1 + len(headers) + bool(action_id)
    assert b"\0" not in data


@given(st.binary(max_size=300))
def test_a_value_is_read_back_as_it_was_sent(value: bytes) -> None:
    if b"\r" in value or b"\n" in value:
        return
    (message,) = Decoder().feed(BANNER + b"Event: X\r\nA: " + value + b"\r\nB: \r\n\r\n")
    assert message["A"] == value.decode("utf-8", "replace")
    assert message["B"] == ""
    with pytest.raises(WireError):
        message["C"]
