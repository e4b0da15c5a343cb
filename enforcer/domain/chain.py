"""The chain that makes a record of what happened tamper-evident: each link seals itself and all before it.

In: what is to be recorded, and the seal before it. Out: its seal; and of a whole chain the first link that
does not fit, and in what way. Whoever changes, removes or inserts a link later has to make every seal after
it anew, and the last one was told to others by then (it stands in evidence bundles and in the log).
Links that were pruned leave a `Cut`, which a checkpoint on the chain itself vouches for.
Refuses to know: where links are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

BEGINNING = "0" * 64        # the seal before the first link


class Head(NamedTuple):
    """The end of the chain: the number of its last link (0 none), and that link's seal."""

    link: int = 0
    seal: str = BEGINNING

    @property
    def words(self) -> str:
        """As it is logged, and given to `enforcer verify --head`: "LINK:SEAL"."""
        return f"{self.link}:{self.seal}"


class Link(NamedTuple):
    """One link as it is kept: its number, its seal, what that seal stands for, and what it is about."""

    number: int
    seal: str
    parts: tuple[object, ...]
    kind: str                   # "decision", or the kind of a journal entry
    at: float                   # Unix seconds
    ref: str

    @property
    def words(self) -> str:
        """What people call it."""
        return f"link {self.number} ({self.kind} {self.ref})"


class Cut(NamedTuple):
    """Links that were pruned: the first and the last of them, the seal of the link before them, the seal of
    the last one, and the link of the checkpoint that vouches for all this."""

    first: int
    last: int
    before: str
    seal: str
    checkpoint: int

    @property
    def number(self) -> int:
        """Its place in the chain."""
        return self.first

    @property
    def text(self) -> bytes:
        """What a checkpoint's digest is made of."""
        return f"{self.first} {self.last} {self.before} {self.seal}\n".encode()


CHECKPOINT = "prune"            # the kind of link that vouches for cuts


def digest(cuts: Iterable[Cut]) -> str:
    """The digest (SHA-256, hex) of cuts in their order, as their checkpoint seals it."""
    found = hashlib.sha256()
    for cut in cuts:
        found.update(cut.text)
    return found.hexdigest()


class What(StrEnum):
    """In what way something does not fit."""

    ALTERED = "content altered"
    SEAL = "seal altered"
    MISSING = "missing"
    ORDER = "order"
    HEAD = "head"
    TABLE = "table"             # a table says otherwise than the chain


class Fault(NamedTuple):
    """Something that does not fit: a link, or with `link` 0 a row that no link stands for. Of a link that is
    missing nothing more is known than its number."""

    what: What
    words: str
    link: int = 0
    kind: str = ""
    at: float | None = None
    ref: str = ""


def seal(before: str, *parts: object) -> str:
    """The seal (SHA-256, hex) of a link with these parts, which stands after the seal `before`.

    Numbers are sealed as Python writes them: exact, and the same on every machine.
    """
    return hashlib.sha256(sealed_text(before, *parts).encode("utf-8", "surrogatepass")).hexdigest()


def sealed_text(before: str, *parts: object) -> str:
    """The text whose SHA-256 is the seal: a JSON list without blanks, the seal before it first."""
    return json.dumps([before, *parts], ensure_ascii=False, separators=(",", ":"))


def follow(
    links: Callable[[], Iterable[Link | Cut]], end: Head, noted: Head | None = None
) -> tuple[int, Fault | None]:
    """Follow a chain from its beginning to its `end`: up to which link it is sound, and what is wrong after.

    `links` gives all links and cuts by number, a cut before links of it that are still there, as often as it
    is asked. `noted` is an end that was noted earlier, and has to lie on the chain. Memory stays flat.
    """
    last, expected, over = BEGINNING, 1, 0
    vouched = _Vouched()
    if noted is not None and noted.link == 0 and noted.seal != BEGINNING:
        return 0, Fault(What.HEAD, "no chain begins with the seal that was noted")
    for link, after in _pairs(links()):
        if isinstance(link, Cut):
            problem = _bridged(link, expected, last, noted)
            if problem is not None:
                return expected - 1, problem
            vouched.owe(link)
            last, expected, over = link.seal, link.last + 1, link.last
            continue
        if link.number <= over:
            continue                # pruned, and not removed yet
        if link.number != expected:
            return expected - 1, _hole(link, expected)
        if seal(last, *link.parts) != link.seal:
            return expected - 1, _unfit(links, link, last, after)
        last = link.seal
        if noted is not None and link.number == noted.link and link.seal != noted.seal:
            words = f"link {link.number} had another seal when it was noted: the chain was made anew"
            return expected - 1, _fault(What.HEAD, words, link)
        if link.kind == CHECKPOINT and not vouched.by(link):
            words = f"{link.words} vouches for other cuts than there are: more was taken away than pruned"
            return expected - 1, _fault(What.MISSING, words, link)
        expected += 1
    there = expected - 1
    if vouched.first:
        words = f"links from {vouched.first} on are missing, and no checkpoint says that they were pruned"
        return vouched.first - 1, Fault(What.MISSING, words, vouched.first)
    if end.link > there:
        return there, Fault(
            What.MISSING, f"{_numbers(expected, end.link)} missing: the chain went to link {end.link}",
            expected,
        )
    if end != (there, last):
        words = f"the head says that the chain ends at link {end.link}, and it goes to link {there}"
        if end.link == there:
            words = f"the head has another seal than link {there}"
        return there, Fault(What.HEAD, words, end.link)
    if noted is not None and noted.link > there:
        words = f"{_numbers(expected, noted.link)} missing: link {noted.link} was noted as the head"
        return there, Fault(What.MISSING, words, expected)
    return there, None


class _Vouched:
    """Gaps that were met, for which a checkpoint still has to vouch."""

    def __init__(self) -> None:
        self._owed: dict[int, tuple[int, Any]] = {}     # by checkpoint: its first cut, the digest so far

    def owe(self, cut: Cut) -> None:
        """This cut was met."""
        self._owed.setdefault(cut.checkpoint, (cut.first, hashlib.sha256()))[1].update(cut.text)

    def by(self, checkpoint: Link) -> bool:
        """Whether a checkpoint vouches for the cuts that name it, and no others."""
        found = self._owed.pop(checkpoint.number, (0, hashlib.sha256()))[1].hexdigest()
        try:
            body = json.loads(str(checkpoint.parts[-1]))
            return bool(body["digest"] == found)
        except (ValueError, KeyError, TypeError):
            return False

    @property
    def first(self) -> int:
        """The first link of those that nobody vouched for, 0 where there are none."""
        return min((first for first, _ in self._owed.values()), default=0)


def _bridged(cut: Cut, expected: int, last: str, noted: Head | None) -> Fault | None:
    """What is wrong with a cut where link `expected` would be, after the seal `last`."""
    pruned = f"{_numbers(cut.first, cut.last)} pruned"
    if cut.first != expected:
        what = What.ORDER if cut.first < expected else What.MISSING
        words = "which stand in a place that is taken" if cut.first < expected else (
            f"and {_numbers(expected, cut.first - 1)} missing before"
        )
        return Fault(what, f"{pruned}, {words}", expected)
    if cut.before != last:
        words = f"link {expected - 1} is not what it was when {pruned.replace(' is ', ' was ')}"
        return Fault(What.ALTERED, words.replace(" are ", " were "), expected - 1)
    if noted is not None and cut.first <= noted.link <= cut.last and noted != (cut.last, cut.seal):
        if noted.link == cut.last:
            words = f"link {noted.link} had another seal when it was noted: the chain was made anew"
        else:
            words = f"link {noted.link} was pruned since it was noted: nothing can be said of it; " \
                    "compare a head that was noted later"
        return Fault(What.HEAD, words, noted.link)
    return None


def _pairs(links: Iterable[Link | Cut]) -> Iterator[tuple[Link | Cut, Link | Cut | None]]:
    """Each link with the one that follows it."""
    before = None
    for link in links:
        if before is not None:
            yield before, link
        before = link
    if before is not None:
        yield before, None


def _fault(what: What, words: str, link: Link) -> Fault:
    return Fault(what, words, link.number, link.kind, link.at, link.ref)


def _hole(link: Link, expected: int) -> Fault:
    if link.number < expected:
        return _fault(What.ORDER, f"{link.words} stands in a place that is taken", link)
    return Fault(
        What.MISSING, f"{_numbers(expected, link.number - 1)} missing: the next one is {link.words}", expected
    )


def _numbers(first: int, last: int) -> str:
    return f"link {first} is" if first == last else f"links {first} to {last} are"


def _unfit(
    links: Callable[[], Iterable[Link | Cut]], link: Link, last: str, after: Link | Cut | None
) -> Fault:
    """Why a link does not fit its seal."""
    own = seal(last, *link.parts)
    if after is not None and own == (after.before if isinstance(after, Cut) else ""):
        return _fault(What.SEAL, f"the seal of {link.words} was altered", link)
    if isinstance(after, Link) and seal(own, *after.parts) == after.seal:
        return _fault(What.SEAL, f"the seal of {link.words} was altered", link)
    before, place = BEGINNING, "the beginning"
    for other in links():
        found = seal(before, *link.parts)
        if found == link.seal:
            break
        if isinstance(other, Cut):
            before, place = other.seal, f"link {other.last}"
            continue
        if found == other.seal and other.number != link.number:
            return _fault(What.ORDER, f"{link.words} has the content of link {other.number}", link)
        before, place = other.seal, other.words
    if seal(before, *link.parts) == link.seal:
        return _fault(What.ORDER, f"{link.words} was moved: it belongs after {place}", link)
    return _fault(
        What.ALTERED, f"the content of {link.words} was altered, or that of the link before it, which was "
        "then sealed anew", link,
    )
