"""New inputs out of old ones: bits, bytes, pieces cut, doubled, moved, spliced, words of the language; and by
the shape of a language: lines and fields dropped, doubled, changed round, numbers and lengths wrong.

In: inputs, words, a source of chance. Out: inputs without end. Refuses to know: what they are fed to.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence

LONGEST = 20_000
_ODD = (0, 9, 10, 13, 32, 34, 37, 44, 47, 58, 61, 92, 127, 128, 255)
_LENGTHS = (1, 1, 2, 4, 8, 20, 60, 300)
_SEPARATORS = (b"\n\n", b"\r\n", b"\n", b"\n", b",", b";", b":", b" ", b"=", b"&", b'"')
_MOST_PARTS = 400
_NUMBER = re.compile(rb"\d+")
_NUMBERS = (
    b"0", b"-1", b"1", b"00", b"9" * 10, b"9" * 25, b"1e999", b"2147483648", b"18446744073709551616", b"0.5",
    b"nan", b"inf", b"-0", b"1_0", b"\xd9\xa1", b"",
)
_VALUE = re.compile(rb"[:=] ?([^\r\n,;&]*)")


def inputs(found: Sequence[bytes], words: Sequence[bytes], choice: random.Random) -> Iterator[bytes]:
    """Mutations of what was found, for ever; `found` may grow meanwhile."""
    chance = choice.random
    while True:
        data = found[int(chance() * len(found))]
        for _ in range((1, 1, 1, 2, 3, 5, 12)[int(chance() * 7)]):
            data = (_shaped if chance() < 0.4 else _mutated)(data, found, words, chance)
        yield data[:LONGEST]


def _mutated(
    data: bytes, found: Sequence[bytes], words: Sequence[bytes], chance: Callable[[], float]
) -> bytes:
    at = int(chance() * (len(data) + 1))
    to = min(len(data), at + _LENGTHS[int(chance() * len(_LENGTHS))])
    piece = data[at:to]
    way = int(chance() * 9)
    if way == 0 and piece:
        return data[:at] + bytes([data[at] ^ (1 << int(chance() * 8))]) + data[at + 1 :]
    if way == 1:
        return data[:at] + bytes([_ODD[int(chance() * len(_ODD))]]) + data[to:]
    if way == 2:
        return data[:at] + data[to:]
    if way == 3:
        return data[:to] + piece * (1, 1, 2, 20)[int(chance() * 4)] + data[to:]
    if way == 4 and words:
        return data[:at] + words[int(chance() * len(words))] + data[at if chance() < 0.5 else to :]
    other = found[int(chance() * len(found))]
    start = int(chance() * (len(other) + 1))
    if way == 5:
        return data[:at] + other[start:]
    if way == 6:
        place = int(chance() * (len(data) + 1))
        return data[:place] + piece + data[place:]
    if way == 7:
        return data[:at] + other[start : start + (4, 20, 100)[int(chance() * 3)]] + data[at:]
    some = bytes(int(chance() * 256) for _ in range((1, 2, 4)[int(chance() * 3)]))
    return data[:at] + some + data[to:]


def _shaped(
    data: bytes, found: Sequence[bytes], words: Sequence[bytes], chance: Callable[[], float]
) -> bytes:
    """A mutation of lines, fields, values or numbers; some other one where it has none of these."""
    at = int(chance() * (len(data) + 1))
    way = int(chance() * 8)
    if way < 2:
        number = _NUMBER.search(data, at)
        if number is None:
            return _mutated(data, found, words, chance)
        wrong = _NUMBERS[int(chance() * len(_NUMBERS))]
        if way and len(number[0]) < 12:
            wrong = b"%d" % max(0, int(number[0]) + (-2, -1, 1, 2)[int(chance() * 4)])
        return data[: number.start()] + wrong + data[number.end() :]
    if way == 2:
        value = _VALUE.search(data, at)
        if value is None:
            return _mutated(data, found, words, chance)
        same = value[1]
        new = (b"", same + same, same * 60, words[int(chance() * len(words))] if words else b"")[
            int(chance() * 4)
        ]
        return data[: value.start(1)] + new + data[value.end(1) :]
    separator = _SEPARATORS[int(chance() * len(_SEPARATORS))]
    parts = data.split(separator, _MOST_PARTS)
    if len(parts) < 2:
        return _mutated(data, found, words, chance)
    one, two = int(chance() * len(parts)), int(chance() * len(parts))
    if way == 3:
        del parts[one]
    elif way == 4:
        parts.insert(two, parts[one])
    elif way == 5:
        parts[one], parts[two] = parts[two], parts[one]
    elif way == 6:
        others = found[int(chance() * len(found))].split(separator, _MOST_PARTS)
        parts[one] = others[int(chance() * len(others))]
    else:
        parts[one : one + 1] = [parts[one]] * (2, 5, 30)[int(chance() * 3)]
    return separator.join(parts)
