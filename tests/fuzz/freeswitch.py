"""What a FreeSWITCH, or somebody in its place, may say: on its event socket, and at ours."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from enforcer.domain.call import CallAttempt, CallEvent
from enforcer.errors import WireError
from enforcer.wire.channel import Identity
from enforcer.wire.esl import API, Decoder, Message
from enforcer.wire.esl_door import Dialogue, State
from enforcer.wire.freeswitch import WANTED_EVENTS, CallBook
from enforcer.wire.freeswitch_status import channels, dump, resync, to_dump
from tests.fuzz.asterisk import LINE, sound
from tests.fuzz.target import Target, chunkings

RECORDED = Path(__file__).parents[1] / "recorded" / "freeswitch"
MOST_LEGS = 5
SMALL = 3000                # instead of megabytes, so that it is reached
IDENTITY = Identity("pbx1", ("default", "from-accounts"), ("public",))


def _decoder() -> Decoder:
    decoder = Decoder(WANTED_EVENTS | {"CUSTOM"})
    decoder._largest = dict.fromkeys(decoder._largest, SMALL)
    return decoder


def _esl(data: bytes) -> None:
    """However it is cut: the same messages and counts, or no event socket; and nothing is kept too long."""
    def said(pieces: list[bytes]) -> tuple[object, ...]:
        decoder, messages = _decoder(), []
        try:
            for piece in pieces:
                messages += [(one.kind, one.name, one.raw, one.body) for one in decoder.feed(piece)]
                if decoder._open is not None:
                    assert len(decoder._rest) <= SMALL
        except WireError as problem:
            assert problem.remote
            return ("broken",)
        return messages, decoder.oversized, decoder.events_seen, decoder.events_dropped, bytes(decoder._rest)

    whole, *others = (said(pieces) for pieces in chunkings(data))
    assert all(other == whole for other in others)


def _book(data: bytes) -> None:
    """Whatever the events and listings say: facts or a WireError, and a book that stays small."""
    book = CallBook(IDENTITY, most_legs=MOST_LEGS)
    try:
        messages = Decoder(WANTED_EVENTS).feed(data)
    except WireError:
        return
    dumps: dict[str, Message] = {}
    for message in messages:
        list(message)
        repr(message)
        with contextlib.suppress(WireError):
            for told in book.read(message, 7.0):
                if isinstance(told, CallEvent):
                    sound(told.attempt)
        if message.kind == API:
            with contextlib.suppress(WireError):
                _listing(book, message, dumps)
        assert book.legs <= MOST_LEGS


def _listing(book: CallBook, message: Message, dumps: dict[str, Message]) -> None:
    if message.body.startswith(b"Event-Name"):
        channel = dump(message)
        if channel is not None:
            dumps[channel.get("Unique-ID") or ""] = channel
        return
    listing = channels(message.text)
    to_dump(book, listing)
    for event in resync(book, listing, dumps, book.known_legs(), 5.0, 7.0):
        sound(event.attempt)


def _door(data: bytes) -> None:
    """The same question, or none, however the bytes come; answered at most once."""
    def asked(pieces: list[bytes]) -> CallAttempt | str | None:
        dialogue, attempt = Dialogue("pbx1"), None
        try:
            for piece in pieces:
                found = dialogue.feed(piece, 7.5)
                if found is not None:
                    assert attempt is None
                    attempt = found
                    sound(attempt)
                    answered = dialogue.answer(LINE)
                    assert answered.count(b"\n\n") == (2 if answered else 0)
                    assert dialogue.answer(LINE) == b""
        except WireError as problem:
            assert problem.remote
            return "refused" if attempt is None else attempt
        dialogue.close()
        assert dialogue.state is State.OVER
        return attempt

    whole, *others = (asked(pieces) for pieces in chunkings(data))
    if whole != "refused":          # what comes behind the question may be refused with it, or after it
        assert all(other == whole for other in others)


def _recorded(most: int) -> list[bytes]:
    return [path.read_bytes()[:most] for path in sorted(RECORDED.glob("*.plain.esl"))]


def framed(kind: str, body: bytes) -> bytes:
    """A frame with a body."""
    return f"Content-Type: {kind}\nContent-Length: {len(body)}\n\n".encode() + body


def _listings() -> list[bytes]:
    rows = [
        {"uuid": "a-1", "direction": "inbound", "created_epoch": "1795312195", "name": "sofia/internal/100@x",
         "callstate": "ACTIVE", "initial_dest": "12025550142", "initial_context": "default",
         "initial_cid_num": "100", "accountcode": "acme", "call_uuid": "a-1"},
        {"uuid": "b-2", "direction": "outbound", "name": "sofia/external/1", "call_uuid": "a-1"},
    ]  # fmt: skip
    told = (
        b"Event-Name: CHANNEL_DATA\nUnique-ID: a-1\nCall-Direction: inbound\n"
        b"Caller-Channel-Answered-Time: 1795312195000000\nvariable_enforcer_direction: outbound\n\n"
    )
    return [
        framed(API, told) + framed(API, json.dumps({"row_count": 2, "rows": rows}).encode()),
        framed(API, b'{"row_count":0}'),
    ]


CHANNEL = (
    b"Event-Name: CHANNEL_DATA\nUnique-ID: 7c2b2f8e-99bb-4fb8-a498-aaab407ebb3b\n"
    b"variable_enforcer_account: acme\nvariable_enforcer_direction: outbound\n"
    b"variable_enforcer_number: 12025550142\nvariable_enforcer_route: carrier\n"
    b"Caller-Caller-ID-Number: 100\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n"
)
GOODBYE = framed("text/disconnect-notice", b"Disconnected, goodbye.\n")
TOOK = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
WORDS = (
    b"\n", b"\n\n", b"Content-Length: ", b"Content-Type: ", b"text/event-plain", b"command/reply",
    b"api/response", b"auth/request", b"text/disconnect-notice", b"text/rude-rejection", b"log/data",
    b"Event-Name: ", b"CHANNEL_CREATE", b"CHANNEL_ANSWER", b"CHANNEL_HANGUP_COMPLETE", b"CHANNEL_UUID",
    b"CHANNEL_DATA", b"Unique-ID: ", b"Old-Unique-ID: ", b"Reply-Text: ", b"%2BOK", b"-ERR", b"%0A", b"%",
    b"%00", b"%ff", b"variable_", b"enforcer_direction: ", b"enforcer_number: ", b"0", b"999999999", b"-1",
    b"Caller-Channel-Answered-Time: ", b"Hangup-Cause: ", b"Other-Leg-Unique-ID: ", b"loopback/", b"\xff",
)  # fmt: skip
TARGETS = (
    Target("esl", _esl, lambda: [*_recorded(1400), CHANNEL + GOODBYE, *_listings()], WORDS),
    Target("freeswitch", _book, lambda: [*_recorded(40_000), *_listings()], WORDS),
    Target("esl_door", _door, lambda: [CHANNEL, CHANNEL + TOOK + GOODBYE, GOODBYE, TOOK], WORDS),
)
