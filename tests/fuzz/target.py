"""One thing that reads what others wrote, and what must hold of it whatever they write.

In: bytes. Out: nothing, where all that was promised held; else an exception, which is a finding.
Refuses to know: where the bytes come from.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

BYTEWISE = 400     # up to this length also one byte at a time


class Target(NamedTuple):
    """`run` raises nothing that was not declared. `seeds` are sound inputs to begin with, `words` are pieces
    that mean something in this language."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def chunkings(data: bytes) -> Iterator[list[bytes]]:
    """The ways in which the data may arrive: whole, in pieces (the same ones each time), and bytewise."""
    yield [data]
    choice = random.Random(zlib.crc32(data))
    places = sorted(choice.randrange(len(data) + 1) for _ in range(choice.randrange(1, 9)))
    yield [data[start:end] for start, end in pairwise([0, *places, len(data)])]
    if len(data) <= BYTEWISE:
        yield [data[place : place + 1] for place in range(len(data))]
