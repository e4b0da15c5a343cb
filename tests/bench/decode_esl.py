"""Bytes from FreeSWITCH's event socket to call facts: ours against stock greenswitch 0.0.19, CPU time.

In: the dialogues of `tests/recorded/freeswitch`, fed to both in turns: as they are (every event there is),
and only those events that the enforcer subscribes to. Ours gets them in the pieces that reads give,
greenswitch's parser as one file in memory and with no queue behind it, which is the best that it can have.
Out: events a second on one core, and their ratio.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from greenswitch.esl import ESLProtocol

from enforcer.wire.channel import Identity
from enforcer.wire.esl import EVENT, Decoder
from enforcer.wire.freeswitch import WANTED_EVENTS, CallBook
from tests.bench.decode import rate
from tests.bench.report import Figure, at_least, median
from tests.support.esl import DIALOGUES, frame, recorded

IDENTITY = Identity("fs1", outbound_contexts=("lab", "default"))
PIECE = 4096            # bytes that a read gives
ROUNDS = 9
EVENTS_A_TURN = 6_000   # so that a turn takes tenths of a second, whoever's it is
TARGET = 3


class _Counting:
    """What greenswitch's reader needs of the queue, the socket and a waiting command, and no more."""

    def __init__(self) -> None:
        self.events = 0

    def put(self, _event: object) -> None:
        self.events += 1

    def set(self, _event: object) -> None:
        """A command is answered."""

    def close(self) -> None:
        """The socket is at its end."""


def everything() -> bytes:
    """All dialogues on one connection."""
    return b"".join(map(recorded, DIALOGUES))


def subscribed() -> bytes:
    """Of these the events that we subscribe to."""
    messages = Decoder(WANTED_EVENTS).feed(everything())
    return b"".join(frame(m.raw + b"\n\n" + m.body) for m in messages if m.kind == EVENT)


def _pieces(data: bytes) -> list[bytes]:
    return [data[i : i + PIECE] for i in range(0, len(data), PIECE)]


def facts(data: bytes) -> int:
    """The events in the stream, each read as far as the enforcer reads it."""
    decoder, book = Decoder(WANTED_EVENTS), CallBook(IDENTITY)
    for piece in _pieces(data):
        for message in decoder.feed(piece):
            book.read(message, 0.0)
    return decoder.events_seen


def messages(data: bytes) -> int:
    """The same, as far as messages only."""
    decoder = Decoder(WANTED_EVENTS)
    for piece in _pieces(data):
        decoder.feed(piece)
    return decoder.events_seen


def headers(data: bytes) -> int:
    """The same with nothing left out: every header of every event, as text in a dict, as greenswitch does."""
    decoder = Decoder()
    for piece in _pieces(data):
        for message in decoder.feed(piece):
            dict(message)
    return decoder.events_seen


def greenswitch(data: bytes) -> int:
    """The same, as greenswitch's events."""
    protocol, counting = ESLProtocol(), _Counting()
    protocol.sock, protocol.sock_file = counting, io.BytesIO(data)
    protocol._esl_event_queue = counting
    protocol._commands_sent = [counting] * (2 * len(DIALOGUES))
    protocol.connected = True
    protocol.receive_events()
    return counting.events


def run() -> list[Figure]:
    """All figures of this page."""
    figures = []
    for name, data in (("all events", everything()), ("subscribed events", subscribed())):
        assert facts(data) == greenswitch(data), "both see the same events"
        ways = (facts, messages, headers, greenswitch)
        turns = [[rate(read, data, EVENTS_A_TURN) for read in ways] for _ in range(ROUNDS)]
        to_facts, to_messages, to_headers, stock = zip(*turns, strict=True)
        figures += [
            Figure(f"{name} to messages", median(to_messages), "/s"),
            Figure(f"{name} to call facts", median(to_facts), "/s"),
            Figure(f"{name}, every header of each", median(to_headers), "/s"),
            Figure(f"{name} to messages, greenswitch 0.0.19", median(stock), "/s"),
        ]
        figures += [
            _against(f"{name} to messages, against the same", to_messages, stock),
            _against(f"{name} to call facts, against messages only", to_facts, stock),
        ]
    return figures


def _against(what: str, mine: Sequence[float], stock: Sequence[float]) -> Figure:
    ratios = [one / other for one, other in zip(mine, stock, strict=True)]
    return at_least(what, median(ratios), "", TARGET, f"runs {min(ratios):.1f} to {max(ratios):.1f}")
