"""However TCP cuts it and whatever a stranger sends, the AGI reader tells the same, ends, and stays small."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.errors import WireError
from enforcer.wire.agi import LARGEST_REQUEST, AgiReader, AgiReply, AgiRequest

Heard = AgiRequest | AgiReply | str

values = st.binary(max_size=60).map(lambda value: value.replace(b"\n", b""))
keys = st.from_regex(rb"agi_[a-z0-9_]{1,20}", fullmatch=True)
requests = st.dictionaries(keys, values, min_size=1, max_size=40)


def fed(pieces: list[bytes]) -> list[Heard]:
    """What the reader tells; an error is the last thing."""
    reader, heard = AgiReader(), list[Heard]()
    try:
        for piece in pieces:
            told = reader.feed(piece)
            if told is not None:
                heard.append(told)
    except WireError:
        heard.append("refused")
    return heard


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(requests, st.lists(st.integers(0, 4000), max_size=12))
def test_any_chunking_yields_the_same_request(lines: dict[bytes, bytes], places: list[int]) -> None:
    data = b"".join(key + b": " + value + b"\n" for key, value in lines.items()) + b"\n"
    whole = fed([data])
    assert fed(cut(data, places)) == whole
    assert fed([data[index : index + 1] for index in range(len(data))]) == whole
    assert isinstance(whole[0], AgiRequest)
    assert whole[0].fields == {
        key[4:].decode(): value.decode("utf-8", "replace") for key, value in lines.items()
    }


@given(st.lists(st.binary(max_size=300), max_size=30))
@example([b"agi_", b"a: b\n", b"\n", b"200 result=1\n"])
@example([b"agi_a:\n\n" + b"x" * 5000, b"y" * 5000])
def test_no_bytes_make_the_reader_crash_or_grow(pieces: list[bytes]) -> None:
    reader = AgiReader()
    for piece in pieces:
        try:
            reader.feed(piece)
        except WireError:
            break
        assert len(reader._buffer) < LARGEST_REQUEST


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=6))
def test_garbage_is_refused_however_it_is_cut(garbage: bytes, places: list[int]) -> None:
    """A question is a question in one piece or in many; the same holds for what is none."""
    data = b"agi_arg_1: x\n" + garbage + b"\n\n"
    assert fed(cut(data, places))[:1] == fed([data])[:1]
