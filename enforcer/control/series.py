"""How many decisions there were lately, minute by minute: what the live page and `enforcer top` plot.

In: decisions, as they are made, and calls that went by on a lease, on which nobody decides. Out: counts by
verdict for each of the last minutes, and the rate just now.
Refuses to know: accounts, rules, and what time it is.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from enforcer.domain.decision import Decision, Verdict

MINUTES = 180
RATE_SECONDS = 10
WORDS = tuple(verdict.word for verdict in Verdict)
EXEMPT = "exempt"
LEASED = "leased"


class Series:
    """See the module. Its memory does not depend on how many decisions there are."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, dict[str, int]]] = deque(maxlen=MINUTES)
        self._seconds: deque[tuple[int, int]] = deque(maxlen=RATE_SECONDS + 1)

    def decision(self, decision: Decision) -> None:
        """One more; decisions come nearly in order of time."""
        self._add(EXEMPT if decision.exempt else decision.verdict.word, decision.at)

    def leased(self, at: float) -> None:
        """A call that nobody had to ask about."""
        self._add(LEASED, at)

    def _add(self, word: str, at: float) -> None:
        minute = int(at // 60)
        if not self._minutes or self._minutes[-1][0] < minute:
            self._minutes.append((minute, {}))
        counts = self._minutes[-1][1]
        counts[word] = counts.get(word, 0) + 1
        second = int(at)
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, 1))
        else:
            self._seconds[-1] = self._seconds[-1][0], self._seconds[-1][1] + 1

    def rate(self, at: float) -> float:
        """Decisions and leased calls a second, over the last ten whole ones."""
        now = int(at)
        return sum(n for second, n in self._seconds if now - RATE_SECONDS <= second < now) / RATE_SECONDS

    def last(self, at: float, minutes: int = 60) -> list[dict[str, Any]]:
        """So many minutes up to now, the oldest first, quiet ones too; `minute` is its beginning (Unix
        seconds)."""
        known = dict(self._minutes)
        now = int(at // 60)
        return [
            {"minute": minute * 60} | {
                word: known.get(minute, {}).get(word, 0) for word in (*WORDS, EXEMPT, LEASED)
            }
            for minute in range(now - min(minutes, MINUTES) + 1, now + 1)
        ]
