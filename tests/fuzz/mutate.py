"""New inputs out of old ones: bits, bytes, pieces cut, doubled, moved, spliced, and words of the language.

In: inputs, words, a source of chance. Out: inputs without end. Refuses to know: what they are fed to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

LONGEST = 20_000
_ODD = (0, 9, 10, 13, 32, 34, 37, 44, 47, 58, 61, 92, 127, 128, 255)


def inputs(found: Sequence[bytes], words: Sequence[bytes], choice: random.Random) -> Iterator[bytes]:
    """Mutations of what was found, for ever; `found` may grow meanwhile."""
    while True:
        data = choice.choice(found)
        for _ in range(choice.choice((1, 1, 1, 2, 3, 5, 12))):
            data = _mutated(data, found, words, choice)
        yield data[:LONGEST]


def _mutated(data: bytes, found: Sequence[bytes], words: Sequence[bytes], choice: random.Random) -> bytes:
    at = choice.randrange(len(data) + 1)
    to = min(len(data), at + choice.choice((1, 1, 2, 4, 8, 20, 60, 300)))
    piece = data[at:to]
    way = choice.randrange(9)
    if way == 0 and piece:
        return data[:at] + bytes([data[at] ^ (1 << choice.randrange(8))]) + data[at + 1 :]
    if way == 1:
        return data[:at] + bytes([choice.choice(_ODD)]) + data[to:]
    if way == 2:
        return data[:at] + data[to:]
    if way == 3:
        return data[:to] + piece * choice.choice((1, 1, 2, 20)) + data[to:]
    if way == 4 and words:
        return data[:at] + choice.choice(words) + data[choice.choice((at, to)) :]
    if way == 5:
        other = choice.choice(found)
        return data[:at] + other[choice.randrange(len(other) + 1) :]
    if way == 6:
        place = choice.randrange(len(data) + 1)
        return data[:place] + piece + data[place:]
    if way == 7:
        other = choice.choice(found)
        start = choice.randrange(len(other) + 1)
        return data[:at] + other[start : start + choice.choice((4, 20, 100))] + data[at:]
    return data[:at] + choice.randbytes(choice.choice((1, 2, 4))) + data[to:]
