"""The kept corpus: small inputs that between them reach what can be reached, and those that once failed.

In and out: `tests/recorded/fuzz/TARGET.txt`, an input a line, in Python's own escapes so that people can read
it. Refuses to know: how inputs are found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

KEPT = Path(__file__).parents[1] / "recorded" / "fuzz"
PRODUCT = "/enforcer/"
LONGEST_KEPT = 3000

Edge = tuple[str, int, int]


def kept(name: str) -> list[bytes]:
    """The inputs that are kept for a target."""
    path = KEPT / f"{name}.txt"
    return [_bytes(line) for line in path.read_text("ascii").splitlines()] if path.exists() else []


def keep(name: str, found: Iterable[bytes]) -> None:
    """Write these, and no others, for a target."""
    KEPT.mkdir(exist_ok=True)
    text = "".join(f"{_line(data)}\n" for data in sorted(set(found), key=lambda one: (len(one), one)))
    (KEPT / f"{name}.txt").write_text(text, "ascii")


def _line(data: bytes) -> str:
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")


def _bytes(line: str) -> bytes:
    return line.encode("ascii").decode("unicode_escape").encode("latin-1")


def reached(run: Callable[[bytes], None], data: bytes) -> frozenset[Edge]:
    """The steps from line to line within the product that an input leads to."""
    edges: set[Edge] = set()

    def tracing(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if PRODUCT not in file or "/tests/" in file:
            return None
        last = frame.f_lineno

        def line(inner: FrameType, what: str, _: Any) -> Any:
            nonlocal last
            if what == "line":
                edges.add((file, last, inner.f_lineno))
                last = inner.f_lineno
            return line

        return line

    before = sys.gettrace()
    sys.settrace(tracing)
    try:
        run(data)
    finally:
        sys.settrace(before)
    return frozenset(edges)


def smallest(
    run: Callable[[bytes], None], found: Iterable[bytes], always: Iterable[bytes] = ()
) -> list[bytes]:
    """Few and short inputs that reach all that these reach, and `always` besides."""
    chosen = list(dict.fromkeys(always))
    seen: set[Edge] = set()
    for data in chosen:
        seen |= reached(run, data)
    for data in sorted(set(found), key=lambda one: (len(one), one)):
        if len(data) <= LONGEST_KEPT and (new := reached(run, data) - seen):
            seen |= new
            chosen.append(data)
    return chosen
