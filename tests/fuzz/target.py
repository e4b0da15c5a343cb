"""One thing that reads what others wrote, and what must hold of it whatever they write.

In: bytes. Out: nothing, where all that was promised held; else an exception, which is a finding.
Refuses to know: where the bytes come from.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

BYTEWISE = 400     # up to this length also one byte at a time,
SELDOM = [1]       # and of many inputs one in so many


class Target(NamedTuple):
    """`run` raises nothing that was not declared. `seeds` are sound inputs to begin with, `words` are pieces
    that mean something in this language."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def seldom(data: bytes) -> bool:
    """Whether this input is one of those that are also looked at in a way that takes long."""
    return zlib.crc32(data) % SELDOM[0] == 0


def chunkings(data: bytes) -> Iterator[list[bytes]]:
    """The ways in which the data may arrive: whole, in pieces (the same ones each time), and bytewise."""
    yield [data]
    number = zlib.crc32(data)
    length = len(data) + 1
    # Random enough, and 20 times as fast as a generator that is seeded anew.
    places = sorted((number * (2 * one + 3) >> 7) % length for one in range(number % 8 + 1))
    yield [data[start:end] for start, end in pairwise([0, *places, len(data)])]
    if len(data) <= BYTEWISE and seldom(data):
        yield [data[place : place + 1] for place in range(len(data))]
