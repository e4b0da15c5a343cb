"""Whatever is done to a chain behind its back is found, no later than at the link it was done to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.chain import BEGINNING, Head, Link, What, follow, seal

Parts = tuple[str, float, str]
PARTS = st.lists(
    st.tuples(st.sampled_from(["strike", "mode"]), st.floats(0, 2e9), st.text(max_size=3)),
    min_size=1, max_size=12,
)


def chain(some: list[Parts]) -> tuple[list[Link], Head]:
    """A chain of these: no two links are about the same thing."""
    links, last = [], BEGINNING
    for number, told in enumerate(some, 1):
        parts = (*told, number)
        last = seal(last, *parts)
        links.append(Link(number, last, parts, parts[0], parts[1], f"r{number}"))
    return links, Head(len(links), last)


def followed(links: list[Link], end: Head, noted: Head | None = None) -> tuple[int, What | None, int]:
    sound, fault = follow(lambda: sorted(links, key=lambda link: link.number), end, noted)
    return sound, fault and fault.what, fault.link if fault else 0


@given(PARTS)
def test_a_chain_that_nobody_touched_is_sound_at_each_of_its_heads(some: list[Parts]) -> None:
    links, end = chain(some)
    for link in links:
        assert followed(links, end, Head(link.number, link.seal)) == (len(links), None, 0)


@given(PARTS, st.data())
def test_an_altered_content_is_found_where_it_is(some: list[Parts], data: st.DataObject) -> None:
    links, end = chain(some)
    place = data.draw(st.integers(0, len(links) - 1))
    kind, at, text, number = links[place].parts
    links[place] = links[place]._replace(parts=(kind, at, f"{text}!", number))
    assert followed(links, end) == (place, What.ALTERED, place + 1)


@given(PARTS, st.data())
def test_an_altered_seal_is_found_where_it_is(some: list[Parts], data: st.DataObject) -> None:
    links, end = chain(some)
    place = data.draw(st.integers(0, len(links) - 1))
    links[place] = links[place]._replace(seal="f" * 64)
    what = What.SEAL if place < len(links) - 1 else What.ALTERED
    assert followed(links, end) == (place, what, place + 1)


@given(PARTS, st.data())
def test_what_is_taken_away_is_found_where_it_was(some: list[Parts], data: st.DataObject) -> None:
    links, end = chain(some)
    first = data.draw(st.integers(0, len(links) - 1))
    last = data.draw(st.integers(first, len(links) - 1))
    del links[first:last + 1]
    assert followed(links, end) == (first, What.MISSING, first + 1)


@given(PARTS.filter(lambda some: len(some) > 1), st.data())
def test_links_that_changed_places_are_found_at_the_first(some: list[Parts], data: st.DataObject) -> None:
    links, end = chain(some)
    one = data.draw(st.integers(0, len(links) - 2))
    two = data.draw(st.integers(one + 1, len(links) - 1))
    links[one], links[two] = (
        links[one]._replace(number=two + 1), links[two]._replace(number=one + 1),
    )
    assert followed(links, end) == (one, What.ORDER, one + 1)


@given(PARTS, PARTS, st.data())
def test_a_chain_made_anew_from_some_link_on_shows_at_every_head_noted_since(
    some: list[Parts], other: list[Parts], data: st.DataObject
) -> None:
    links, _ = chain(some)
    kept = data.draw(st.integers(0, len(links) - 1))
    forged, end = chain([*some[:kept], *((kind, at, f"{text}?") for kind, at, text in other)])
    assert followed(forged, end)[1] is None             # it fits together: only an earlier head tells
    for link in links:
        noted = Head(link.number, link.seal)
        told = followed(forged, end, noted)[1]
        if link.number <= kept:
            assert told is None
        elif link.parts != (forged[link.number - 1].parts if link.number <= len(forged) else ()):
            assert told in (What.HEAD, What.MISSING)
