"""Bytes from Asterisk's manager to call facts: our decoding against stock panoramisk 1.4, CPU time.

In: the dialogues of `tests/recorded/asterisk`, fed to both in the same pieces, in turns. Panoramisk stops
at its messages; ours is measured as far as that, and on to call facts, which is what the enforcer needs.
Out: events a second on one core, and their ratio.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import TypeVar

from panoramisk.ami_protocol import AMIProtocol

from enforcer.wire.ami import Decoder
from enforcer.wire.asterisk import WANTED_EVENTS, CallBook
from enforcer.wire.channel import Identity
from tests.bench.report import Figure, at_least, median

RECORDED = Path(__file__).parents[1] / "recorded" / "asterisk"
IDENTITY = Identity("pbx1", outbound_contexts=("from-customer",), inbound_contexts=("from-carrier",))
PIECE = 4096            # bytes that a read gives
ROUNDS = 9
EVENTS_A_TURN = 20_000  # so that a turn takes tenths of a second, whoever's it is

Pieces = Sequence[bytes]
T = TypeVar("T")


class _Counting:
    """What panoramisk's protocol needs of its manager, and no more: callbacks would cost it extra."""

    save_stream = None

    def __init__(self) -> None:
        self.events = 0

    def dispatch(self, _message: object) -> None:
        self.events += 1


def recorded(firehose: bool) -> Pieces:
    """Everything that Asterisk says, or what its own filters let through; all dialogues on one
    connection, in the pieces that reads give."""
    paths = [p for p in sorted(RECORDED.glob("*.ami")) if p.name.endswith(".enf.ami") is not firehose]
    banner = paths[0].read_bytes().partition(b"\r\n")[0] + b"\r\n"
    data = banner + b"".join(path.read_bytes().removeprefix(banner) for path in paths)
    return [data[i : i + PIECE] for i in range(0, len(data), PIECE)]


def facts(pieces: Pieces) -> int:
    """The events in the stream, each read as far as the enforcer reads it."""
    decoder, book = Decoder(WANTED_EVENTS), CallBook(IDENTITY)
    for piece in pieces:
        for message in decoder.feed(piece):
            book.read(message, 0.0)
    return decoder.events_seen


def messages(pieces: Pieces) -> int:
    """The same, as far as messages only: what panoramisk does."""
    decoder = Decoder(WANTED_EVENTS)
    for piece in pieces:
        decoder.feed(piece)
    return decoder.events_seen


def headers(pieces: Pieces) -> int:
    """The same with nothing left out: every header of every event, as text in a dict."""
    decoder = Decoder()
    for piece in pieces:
        for message in decoder.feed(piece):
            dict(message)
    return decoder.events_seen


def panoramisk(pieces: Pieces) -> int:
    """The same, as panoramisk's messages."""
    protocol, manager = AMIProtocol(), _Counting()
    protocol.connection_made(None)
    protocol.factory, protocol.encoding = manager, "utf8"      # as its Manager sets it
    protocol.log.setLevel(logging.WARNING)
    for piece in pieces:
        protocol.data_received(piece)
    return manager.events


def rate(read: Callable[[T], int], recording: T, enough: int = EVENTS_A_TURN) -> float:
    """Events a second of CPU time in one turn, which ends with `enough` of them."""
    events = 0
    gc.collect()
    begin = process_time()
    while events < enough:
        events += read(recording)
    return events / (process_time() - begin)


def run() -> list[Figure]:
    """All figures of this page."""
    figures = []
    for name, firehose in (("all events", True), ("filtered events", False)):
        pieces = recorded(firehose)
        assert facts(pieces) == panoramisk(pieces), "both see the same events"
        ways = (facts, messages, headers, panoramisk)
        turns = [[rate(read, pieces) for read in ways] for _ in range(ROUNDS)]
        to_facts, to_messages, to_headers, stock = zip(*turns, strict=True)
        figures += [
            Figure(f"{name} to messages", median(to_messages), "/s"),
            Figure(f"{name} to call facts", median(to_facts), "/s"),
            Figure(f"{name}, every header of each", median(to_headers), "/s"),
            Figure(f"{name} to messages, panoramisk 1.4", median(stock), "/s"),
            _against(f"{name} to messages, against the same", to_messages, stock),
            _against(f"{name} to call facts, against messages only", to_facts, stock),
        ]
    return figures


def _against(what: str, mine: Sequence[float], stock: Sequence[float]) -> Figure:
    ratios = [one / other for one, other in zip(mine, stock, strict=True)]
    return at_least(what, median(ratios), "", 5, f"runs {min(ratios):.1f} to {max(ratios):.1f}")
