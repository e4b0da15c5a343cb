"""The doors themselves, fed what two strangers say in turn: connections that end, deadlines that pass.

An input is what the first says, what the second says and so on, parted by `NEXT`; `GONE` in a part closes
that connection, `LATE` lets its deadline pass. No socket is opened: a door is given transports of ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision, Verdict
from enforcer.switch.agi import AgiDoor
from enforcer.switch.door import Door, Outcome
from enforcer.switch.esl_door import EslDoor
from enforcer.switch.http_door import HttpDoor
from enforcer.switch.message_door import PIECE, MessageDoor
from tests.fuzz.asterisk import REQUEST, sound
from tests.fuzz.freeswitch import CHANNEL, GOODBYE, TOOK
from tests.fuzz.target import BYTEWISE, Target, seldom

NEXT, GONE, LATE = b"\x01|", b"\x02|", b"\x03|"
MOST = 2                # connections at once; a third one comes
LINE = json.dumps({"id": "sms-1", "account": "acme", "to": "12025550142"}).encode() + b"\n"
ASKED = b"outbound;acme;12025550142;c-1;c-1;carrier;101"


def posted(body: bytes) -> bytes:
    """A question as mod_curl puts it."""
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Deciding:
    """Allows everything; everything has to be sound."""

    def admit(self, attempt: CallAttempt) -> Decision:
        sound(replace(attempt, call_id=attempt.call_id.replace(attempt.switch, "pbx1", 1)))
        return Decision(
            "d1-1", attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, Verdict.ALLOW, Verdict.ALLOW,
        )

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        """Somebody wrote to somebody."""


class Timer:
    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class Loop:
    """As much of an event loop as a visit needs: its timers."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, _seconds: float, call: Callable[[], object]) -> Timer:
        self.timers = [one for one in self.timers if one.call is not None]
        self.timers.append(Timer(call))
        return self.timers[-1]


class Wire(asyncio.Transport):
    """A connection that exists on paper: what was written to it, and whether it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.said = bytearray()
        self.closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 5) if name == "peername" else default

    def write(self, data: Any) -> None:
        if not self.closing:
            self.said += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        return 0


class Peer:
    """One connection to a door."""

    def __init__(self, door: Door) -> None:
        self.loop = Loop()
        self.wire = Wire()
        self.protocol: Any = door.visitor(cast(asyncio.AbstractEventLoop, self.loop))
        self.over = False
        self.protocol.connection_made(self.wire)
        self.settle()

    def says(self, data: bytes) -> None:
        """As much as the door still hears."""
        if hasattr(self.protocol, "get_buffer"):
            for at in range(0, len(data), PIECE):
                if not self.wire.closing:
                    piece = data[at : at + PIECE]
                    self.protocol.get_buffer(-1)[: len(piece)] = piece
                    self.protocol.buffer_updated(len(piece))
        elif data and not self.wire.closing:
            self.protocol.data_received(data)
        self.settle()

    def late(self) -> None:
        """The deadline is over."""
        for timer in self.loop.timers:
            call, timer.call = timer.call, None
            if call is not None and not self.over:
                call()
        self.settle()

    def settle(self) -> None:
        """What was closed is gone."""
        if self.wire.closing and not self.over:
            self.over = True
            self.protocol.connection_lost(None)

    def leave(self) -> None:
        """Close from the other side."""
        if not self.over and not self.protocol.eof_received():
            self.wire.close()
        self.settle()


def _through(door: Door, parts: list[bytes], piece: int = 0) -> list[bytes]:
    """What each of two peers was told. Nothing of them is left behind."""
    peers = [Peer(door), Peer(door)]
    for number, part in enumerate(parts):
        peer, said = peers[number % 2], part.replace(GONE, b"").replace(LATE, b"")
        for at in range(0, len(said), piece or len(said) or 1):
            peer.says(said[at : at + piece] if piece else said)
        if LATE in part:
            peer.late()
        if GONE in part:
            peer.leave()
    _everybody_leaves(door, peers)
    assert not door.counts[Outcome.CROWDED]
    return [bytes(peer.wire.said) for peer in peers]


def _everybody_leaves(door: Door, peers: list[Peer]) -> None:
    for peer in peers:
        peer.leave()
        assert not [one for one in peer.loop.timers if one.call is not None]
    assert door.counts.total() == len(peers)
    assert not door.counts[Outcome.FAULT]
    assert not any((door.open, door.inside, door._unasked, door._held))


def _attacked(make: Callable[[], Door]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        """The same answers whoever else is there; the same, or sooner an end, however the bytes are cut."""
        parts = data.split(NEXT)
        told = _through(make(), parts)
        if not seldom(data):
            return
        if len(data) < BYTEWISE:
            for cut, whole in zip(_through(make(), parts, 7), told, strict=True):
                assert cut.startswith(whole) or whole.startswith(cut), (cut, whole)
        if len(parts) > 1:
            alone = _through(make(), [b"" if number % 2 else part for number, part in enumerate(parts)])
            assert alone[0] == told[0]
        crowded = make()
        crowded.most = MOST
        peers = [Peer(crowded) for _ in range(MOST + 2)]
        for peer in peers:
            peer.says(data[:300])
            assert len(crowded.inside) <= MOST
        _everybody_leaves(crowded, peers)

    return run


def _now() -> float:
    return 7.5


def _fault(problem: Exception) -> None:
    raise AssertionError(repr(problem))


def _seeds(*whole: bytes) -> Callable[[], list[bytes]]:
    def make() -> list[bytes]:
        found = []
        for one in whole:
            half = len(one) // 2
            found += [
                one, one + NEXT + one, one[:half] + NEXT + one + NEXT + one[half:], one[:half] + GONE,
                one[:half] + LATE, one + LATE + NEXT + one[:half] + GONE, one + one,
            ]
        return found
    return make


_MARKS = (NEXT, GONE, LATE)
TARGETS = (
    Target(
        "door_agi", _attacked(lambda: AgiDoor(Deciding(), "pbx1", clock=_now, on_fault=_fault)),
        _seeds(REQUEST + b"200 result=1\n", REQUEST + b"HANGUP\n"),
        (*_MARKS, b"\n", b"\n\n", b"agi_", b"agi_arg_2: ", b"inbound", b"HANGUP\n", b"520-", b"\0", b"\xff"),
    ),
    Target(
        "door_esl", _attacked(lambda: EslDoor(Deciding(), "fs1", clock=_now, on_fault=_fault)),
        _seeds(CHANNEL + TOOK + TOOK + GOODBYE, GOODBYE),
        (*_MARKS, b"\n", b"\n\n", b"Content-Length: ", b"Content-Type: ", b"variable_", b"Reply-Text: +OK",
         b"%0A", b"Event-Name: CHANNEL_DATA", b"-ERR", b"\xff"),
    ),
    Target(
        "door_http", _attacked(lambda: HttpDoor(Deciding(), "fs1", clock=_now, on_fault=_fault)),
        _seeds(posted(ASKED), posted(b"inbound;;911;c-2;;;")),
        (*_MARKS, b"\r\n", b"\r\n\r\n", b"POST /", b"GET /", b"Content-Length: ",
         b"Transfer-Encoding: chunked", b";", b"outbound", b"inbound",
         b" HTTP/1.1", b"\0", b"\xff", b"Expect: 100-continue"),
    ),
    Target(
        "door_messages", _attacked(lambda: MessageDoor(Deciding(), clock=_now, on_fault=_fault)),
        _seeds(LINE, LINE * 3, LINE.replace(b"}", b', "direction": "inbound", "text": "STOP"}')),
        (*_MARKS, b"\n", b'"', b"{", b"}", b"[" * 30, b":", b",", b"\\u0000", b"null", b"1e999", b'"id"',
         b'"from"', b'"text"', b"\xff"),
    ),
)  # fmt: skip
