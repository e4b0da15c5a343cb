"""What a person wants who answers a sender with one word: to hear no more, or to hear again.

In: the text of a message, and the words that mean either. Out: a `Wish`, or None.
Refuses to know: who wrote to whom, and what follows.

Source of the words: the CTIA's messaging principles name STOP, UNSUBSCRIBE, CANCEL, END and QUIT, and
carriers take STOPALL too; START, UNSTOP and YES are their opposites.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

STOP_WORDS = ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT")
START_WORDS = ("START", "UNSTOP", "YES")
# As much of a text as is looked at. A wish is its first word, or all of it.
LONGEST_TEXT = 160


class Wish(StrEnum):
    """What the person asks for."""

    STOP = "stop"
    START = "start"


def plain_words(text: str) -> list[str]:
    """The words of a text, without regard to case, punctuation and white space.

    >>> plain_words('"Stop!"  calling me.')
    ['stop', 'calling', 'me']
    """
    spaced = "".join(char if char.isalnum() else " " for char in text[:LONGEST_TEXT].casefold())
    return spaced.split()


@dataclass(frozen=True, slots=True)
class StopWords:
    """The words of one site. A word that means both means stop."""

    stop: frozenset[str]
    start: frozenset[str]

    @classmethod
    def of(cls, stop: Iterable[str] = STOP_WORDS, start: Iterable[str] = START_WORDS) -> StopWords:
        """The words as people write them; a phrase counts where it is the whole text."""
        stops, starts = ({" ".join(plain_words(word)) for word in some} - {""} for some in (stop, start))
        return cls(frozenset(stops), frozenset(starts))

    def wish(self, text: str) -> Wish | None:
        """What the text asks for: by all of it, or by its first word.

        >>> StopWords.of().wish("Stop. Who is this?")
        <Wish.STOP: 'stop'>
        """
        words = plain_words(text)
        if not words:
            return None
        told = {" ".join(words), words[0]}
        if told & self.stop:
            return Wish.STOP
        return Wish.START if told & self.start else None
