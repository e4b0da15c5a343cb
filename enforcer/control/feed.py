"""What happens, as it happens, for everybody who watches: MQTT, the live page, `enforcer top`.

In: decisions, answers to orders, faults, notices, links that come and go. Out: to each subscriber a queue
of the same facts, in order. A subscriber who does not keep up loses the oldest and is told how many: nobody
waits for one.
Refuses to know: protocols, and what is done with what happened.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

LATELY = 500            # happenings kept for whoever comes later
KEEP_UP = 1000          # happenings a subscriber may be behind


class Happening(NamedTuple):
    """One thing that happened. `number` rises by one each time, so that whoever was away knows what is
    missing; `kind` is a word such as "decision" or "mode"; `facts` are JSON."""

    number: int
    kind: str
    at: float               # Unix seconds
    facts: Mapping[str, Any]


class Subscriber:
    """Waits for what happens. Belongs to one task."""

    def __init__(self) -> None:
        self._queue: deque[Happening] = deque()
        self._some = asyncio.Event()
        self.missed = 0

    def put(self, happening: Happening) -> None:
        """Something happened; never waits."""
        if len(self._queue) >= KEEP_UP:
            self._queue.popleft()
            self.missed += 1
        self._queue.append(happening)
        self._some.set()

    async def get(self) -> Happening:
        """The next happening, as soon as there is one."""
        while not self._queue:
            self._some.clear()
            await self._some.wait()
        return self._queue.popleft()

    def waiting(self) -> int:
        """How many are in the queue."""
        return len(self._queue)


class Feed:
    """See the module. Owned by one event loop."""

    def __init__(self) -> None:
        self._number = 0
        self._lately: deque[Happening] = deque(maxlen=LATELY)
        self._subscribers: set[Subscriber] = set()

    def tell(self, kind: str, at: float, facts: Mapping[str, Any]) -> None:
        """Something happened."""
        self._number += 1
        happening = Happening(self._number, kind, at, facts)
        self._lately.append(happening)
        for subscriber in self._subscribers:
            subscriber.put(happening)

    def since(self, number: int) -> list[Happening]:
        """What is still known of all that happened after that one."""
        return [one for one in self._lately if one.number > number]

    @property
    def number(self) -> int:
        """The latest happening's number."""
        return self._number

    def lost(self, number: int) -> int:
        """How many that happened after that one are not known any more."""
        first = self._lately[0].number if self._lately else self._number + 1
        return max(0, min(first, self._number + 1) - number - 1)

    @property
    def watchers(self) -> int:
        """How many subscribers there are."""
        return len(self._subscribers)

    @property
    def furthest_behind(self) -> int:
        """Happenings that the slowest subscriber has not taken yet."""
        return max((one.waiting() for one in self._subscribers), default=0)

    @contextmanager
    def subscribed(self, since: int | None = None) -> Iterator[Subscriber]:
        """A subscription, ended with the block; with `since`, what happened after that one comes first."""
        with self.follow(Subscriber(), since) as subscriber:
            yield subscriber

    @contextmanager
    def follow(self, subscriber: Subscriber, since: int | None = None) -> Iterator[Subscriber]:
        """The same, of a subscriber that is there already."""
        if since is not None:
            for happening in self.since(since):
                subscriber.put(happening)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
