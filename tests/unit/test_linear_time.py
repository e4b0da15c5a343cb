"""Twice as many hostile bytes cost twice as much and no more: bytes searched and lines run are counted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from enforcer.errors import WireError
from enforcer.wire.agi import AgiReader
from enforcer.wire.ami import Decoder as AmiDecoder
from enforcer.wire.esl import Decoder as EslDecoder
from enforcer.wire.message_line import LineReader

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


class Counted(bytearray):
    """Knows over how many bytes it was searched, at the most."""

    searched = 0

    def _seen(self, args: tuple[Any, ...], found: int) -> int:
        start = args[1] if len(args) > 1 else 0
        end = min(args[2] if len(args) > 2 else len(self), len(self))
        Counted.searched += max(0, (found if found >= 0 else end) - start)
        return found

    def find(self, *args: Any) -> int:      # type: ignore[override]
        return self._seen(args, super().find(*args))

    def rfind(self, *args: Any) -> int:     # type: ignore[override]
        start = args[1] if len(args) > 1 else 0
        found = super().rfind(*args)
        Counted.searched += len(self) - max(found, start)
        return found


def ami() -> Any:
    decoder = AmiDecoder({"X"}, largest=1 << 30)
    decoder.feed(BANNER)
    decoder._rest = Counted()
    return decoder


def esl() -> Any:
    decoder = EslDecoder({"X"})
    decoder._rest = Counted()
    return decoder


def agi() -> Any:
    reader = AgiReader()
    reader._buffer = Counted()
    return reader


def cost(make: Callable[[], Any], data: bytes, piece: int) -> int:
    """Lines run in the product, and bytes searched."""
    Counted.searched = lines = 0

    def tracing(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if "/enforcer/wire/" not in frame.f_code.co_filename:
            return None
        lines += event == "line"
        return tracing

    reader = make()
    sys.settrace(tracing)
    try:
        for start in range(0, len(data), piece):
            for _ in reader.feed(data[start : start + piece]) or ():
                pass
    except (WireError, TypeError):      # the AGI reader's one answer is no list
        pass
    finally:
        sys.settrace(None)
    return lines + Counted.searched


CASES: dict[str, tuple[Callable[[], Any], Callable[[int], bytes]]] = {
    "ami, a message without an end": (ami, lambda many: b"Event: X\r\n" + b"A: b\r\n" * many),
    "ami, line ends": (ami, lambda many: b"\r\n" * many),
    "ami, half of line ends": (ami, lambda many: b"\r" * many + b"\n" * many),
    "ami, many messages": (ami, lambda many: b"Event: X\r\nA: b\r\n\r\n" * many),
    "ami, strays": (ami, lambda many: b"x\r\n\r\n" * many),
    "esl, a head without an end": (esl, lambda many: b"A: b\n" * many),
    "esl, line ends": (esl, lambda many: b"\n" * many),
    "esl, a body byte by byte": (
        esl, lambda many: b"Content-Type: log/data\nContent-Length: %d\n\n" % many + b"x" * many),
    "esl, empty frames": (esl, lambda many: b"Content-Type: auth/request\n\n" * many),
    "esl, passed over": (
        esl, lambda many: b"Content-Type: log/data\nContent-Length: 900000\n\n" + b"x" * many),
    "agi, a request without an end": (agi, lambda many: b"agi_a: " + b"b" * many),
    "messages, a line without an end": (LineReader, lambda many: b"x" * many),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("piece", [1, 64, 1 << 20])
def test_twice_as_much_costs_twice_as_much(case: str, piece: int) -> None:
    make, data = CASES[case]
    few, many = (cost(make, data(size), piece) for size in (1000, 2000))
    assert many <= 2.2 * few + 300
