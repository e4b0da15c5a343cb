"""Whatever the wire holds: messages do not depend on the cuts, nobody is anybody else, nothing breaks out."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from itertools import pairwise
from urllib.parse import quote_from_bytes

from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Refusal
from enforcer.errors import WireError
from enforcer.wire import esl_commands as say
from enforcer.wire.channel import Identity
from enforcer.wire.esl import Decoder
from enforcer.wire.esl_door import Dialogue, State
from enforcer.wire.freeswitch import WANTED_EVENTS, CallBook
from enforcer.wire.freeswitch_status import channels, resync
from tests.support.esl import event_bytes, frame, recorded

REAL = recorded("injection")[:60_000]
IDENTITY = Identity("fs1", ("accounts",), ("trunk",))


def fed(pieces: list[bytes]) -> list[tuple[str, str, bytes, bytes]] | str:
    """The messages, or what was wrong."""
    decoder, messages = Decoder(), []
    try:
        for piece in pieces:
            messages += decoder.feed(piece)
    except WireError as problem:
        return str(problem)
    return [(message.kind, message.name, message.raw, message.body) for message in messages]


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(edge, len(data)) for edge in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(0, len(REAL)), max_size=40))
def test_messages_do_not_depend_on_how_the_bytes_were_cut(at: list[int]) -> None:
    assert fed(cut(REAL, at)) == fed([REAL])


PIECES = [
    b"\n", b"\n\n", b"\r\n", b"Content-Type: ", b"Content-Length: ", b"text/event-plain", b"command/reply",
    b"api/response", b"Event-Name: ",
    b"X: %0A", b"1", b"9", b"%", b"\xff", b"\0", frame(b"Event-Name: X\n\n"),
    b"Content-Type: auth/request\n\n", frame(b"x", "api/response"),
]  # fmt: skip
TORN = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=40).map(b"".join)


@given(TORN, st.lists(st.integers(0, 300), max_size=10))
@example(b"\n\n\nContent-Type: auth/request\n\n\n\n", [1, 2, 3, 31])
@example(frame(b"") + b"x", [3])
def test_garbage_is_messages_or_a_wire_error_however_it_is_cut(data: bytes, at: list[int]) -> None:
    assert fed(cut(data, at)) == fed([data])


@given(st.binary(max_size=300))
def test_a_value_is_read_back_as_it_was_sent_once_it_is_encoded(value: bytes) -> None:
    body = b"Event-Name: X\nA: " + quote_from_bytes(value).encode() + b"\nB: \n\n"
    (message,) = Decoder().feed(frame(body))
    assert message["A"] == value.decode("utf-8", "replace")
    assert message["B"] == ""


NAMES = st.sampled_from(sorted(WANTED_EVENTS))
HEADERS = st.sampled_from(
    ["Unique-ID", "Old-Unique-ID", "Core-UUID", "Channel-Name", "Call-Direction", "Caller-Context",
     "Other-Leg-Context", "Caller-Destination-Number", "Caller-Channel-Created-Time",
     "Caller-Channel-Answered-Time", "Caller-Channel-Hangup-Time", "Hangup-Cause", "variable_originator",
     "variable_accountcode", "variable_ENF_VERDICT", "variable_enforcer_direction", "variable_last_app"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["", "a", "b", "c", "d", "e", "inbound", "outbound", "accounts", "trunk", "sofia/x", "loopback/x", "0",
     "1795000000000000", "99999999999999999999", "-1", "USER_BUSY", "nan", "block", "respond"]
) | st.text(max_size=12)  # fmt: skip
QUESTION = CallAttempt("fs1/a", "fs1", "acme", Direction.OUTBOUND, "1", "", 7.0)
EVENTS = st.lists(st.tuples(NAMES, st.dictionaries(HEADERS, VALUES)), max_size=40)


@given(EVENTS)
@example([("CHANNEL_CREATE", {"Unique-ID": one, "Channel-Name": "x"}) for one in "abcdef"])
@example(
    [("CHANNEL_CREATE", {"Unique-ID": one, "Channel-Name": "x", "Call-Direction": "inbound",
                         "Caller-Context": "accounts"}) for one in "abcde"]
    + [("CHANNEL_UUID", {"Old-Unique-ID": one, "Unique-ID": one * 2}) for one in "abcde"]
)  # fmt: skip
def test_any_events_yield_facts_or_a_wire_error_and_bounded_memory(
    events: list[tuple[str, dict[str, str]]],
) -> None:
    book = CallBook(IDENTITY, most_legs=5)
    for name, headers in events:
        (message,) = Decoder().feed(frame(event_bytes({"Event-Name": name, **headers})))
        facts = []
        with contextlib.suppress(WireError):
            facts = book.read(message, 7.0)
        book.asked(replace(QUESTION, channel=headers.get("Unique-ID", "a")))
        assert book.legs <= 5
        for fact in facts:
            if isinstance(fact, CallEvent):
                assert 0.0 <= fact.at < 1e11
                assert fact.attempt.call_id.startswith("fs1/")


@given(st.recursive(VALUES | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["rows", "uuid", "call_uuid", "direction", "callstate", "initial_context"]), inner
), max_leaves=20))  # fmt: skip
def test_any_listing_is_read_or_a_wire_error(listing: object) -> None:
    book = CallBook(IDENTITY, most_legs=5)
    with contextlib.suppress(WireError):
        resync(book, channels(json.dumps(listing)), {}, [], 5.0, 7.0)
    assert book.legs <= 5


# What a caller writes into its SIP request: names, numbers, headers of its own.
SAID = st.text(max_size=60) | st.sampled_from(
    ["x\nvariable_accountcode: globex", "x%0Avariable_accountcode: globex", "x\r\n\r\nEvent-Name: SHUTDOWN",
     "x\n\nContent-Length: 0\nContent-Type: text/event-plain\n\n", "x\nUnique-ID: other",
     "x\nvariable_ENF_VERDICT: block", "ARRAY::globex|:globex"]
)  # fmt: skip
OWN = st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True)


@given(SAID, SAID, SAID, OWN, SAID)
def test_no_caller_chooses_its_identity_or_anybody_elses(
    name: str, number: str, dialled: str, header: str, value: str
) -> None:
    stream = b""
    for event, verdict in (("CHANNEL_CREATE", ""), ("CHANNEL_HANGUP_COMPLETE", "allow")):
        body = event_bytes(
            [
                ("Event-Name", event), ("Core-UUID", "run-1"), ("Channel-Name", f"sofia/x/{number}"),
                ("Unique-ID", "a"), ("Call-Direction", "inbound"), ("Hangup-Cause", "USER_BUSY"),
                ("Caller-Caller-ID-Name", name), ("Caller-Caller-ID-Number", number),
                ("Caller-Destination-Number", dialled), ("Caller-Context", "accounts"),
                ("Caller-Channel-Created-Time", "1795000000000000"), (f"variable_sip_h_X-{header}", value),
                ("variable_sip_subject", value), ("variable_accountcode", "acme"),
                ("variable_ENF_VERDICT", verdict),
            ]
        )  # fmt: skip
        # A caller's own percent signs arrive as they came, whatever they encode (measured on 1.11).
        stream += frame(body.replace(b"%25", b"%"))
    book = CallBook(IDENTITY)
    facts = [fact for message in Decoder(WANTED_EVENTS).feed(stream) for fact in book.read(message, 7.0)]
    assert [type(fact) for fact in facts] == [CallEvent, CallEvent]
    for fact in facts:
        assert isinstance(fact, CallEvent)
        assert (fact.attempt.call_id, fact.attempt.account, fact.attempt.channel) == ("fs1/a", "acme", "a")
        assert fact.attempt.number.isprintable()
        assert fact.attempt.caller.isprintable()
    assert facts[-1].refusal is Refusal.WENT
    assert book.legs == 0


ANY = st.text(max_size=30) | st.sampled_from(["a\n\nexit", "a b", "${x}", "a;b", "a'", "\ud800", "^^|"])


@given(ANY, ANY, st.dictionaries(ANY, ANY, max_size=4))
def test_nothing_breaks_out_of_a_command(one: str, two: str, values: dict[str, str]) -> None:
    for encode, lines in (
        (lambda: say.api("uuid_kill", one, two), 1),
        (lambda: say.api(one), 1),
        (lambda: say.bgapi("status", one, job=two or "j"), 2),
        (lambda: say.events([one], [two]), 1),
        (lambda: say.execute(one, two, channel=one), 4),
        (lambda: say.execute("multiset", two), 4),
        (lambda: say.execute("multiset", say.multiset(values)), 4),
    ):
        try:
            data = encode()
        except WireError as problem:
            assert not problem.remote  # noqa: PT017
            continue
        assert data.endswith(b"\n\n")
        assert data.count(b"\n\n") == 1
        assert data.count(b"\n") <= lines + 1
        assert not set(data) & set(b"\r\0$'\"\\`"), "nothing to be expanded or unquoted"
    with contextlib.suppress(WireError):
        assert say.auth(one) == f"auth {one}\n\n".encode()
        assert not set(one) & set(" \r\n\0")


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), ANY, min_size=1, max_size=4))
def test_the_values_set_are_those_given_and_no_others(values: dict[str, str]) -> None:
    try:
        argument = say.multiset(values)
    except WireError:
        return
    assert argument[:2] == "^^"
    assert [pair.partition("=")[::2] for pair in argument[3:].split(argument[2])] == [*values.items()]


REPLIES = [
    b"Content-Type: command/reply\nReply-Text: +OK\n\n", b"Content-Type: command/reply\nReply-Text: -ERR\n\n",
    b"Content-Type: command/reply\nReply-Text: +OK bye\n\n",
    b"Content-Type: text/disconnect-notice\nContent-Length: 3\n\nbye", frame(b"Event-Name: X\n\n"),
    b"Event-Name: CHANNEL_DATA\nUnique-ID: a\nvariable_enforcer_direction: outbound\n"
    b"variable_enforcer_number: 1\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n",
]  # fmt: skip


@given(
    st.lists(st.sampled_from([*REPLIES, "answer", "close"]) | st.binary(max_size=20), max_size=12),
    st.integers(1, 60),
)
def test_a_dialogue_asks_and_answers_at_most_once_and_ends_with_its_close(
    steps: list[bytes | str], chunk: int
) -> None:
    dialogue, attempts, sent = Dialogue("fs1"), 0, 0
    with contextlib.suppress(WireError):
        for step in steps:
            if step == "answer":
                sent += bool(dialogue.answer("allow:0:0:0::d1"))
            elif step == "close":
                dialogue.close()
            elif isinstance(step, bytes):
                for start in range(0, len(step), chunk):
                    attempts += dialogue.feed(step[start : start + chunk], 7.0) is not None
    assert attempts <= 1
    assert sent <= attempts
    dialogue.close()
    assert dialogue.state is State.OVER
    assert dialogue.answer("allow:0:0:0::d1") == b""
