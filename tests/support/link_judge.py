"""What a link under test tells, and how long it wants to wait.

In: facts and pauses of a link. Out: what it was told, and when it goes on, as the test wants it.
Refuses to know: which switch it is.
"""

from __future__ import annotations

import asyncio

from enforcer.domain.actions import Action
from enforcer.domain.call import CallEvent


class Judge:
    """Stands where Admission will: keeps what it was told, wants what the test wants."""

    def __init__(self) -> None:
        self.events: list[CallEvent] = []
        self.standing: list[Action] = []
        self.reaction: list[Action] = []
        self.fails: Exception | None = None

    def observe(self, event: CallEvent) -> list[Action]:
        if self.fails is not None:
            raise self.fails
        self.events.append(event)
        return self.reaction

    def round(self, switch: str, at: float) -> list[Action]:
        if self.fails is not None:
            raise self.fails
        return []

    def everything(self, switch: str, at: float) -> list[Action]:
        return self.standing


class Ticks:
    """Sleeping, as the test lets it: `pauses` are the waits asked for, `wake()` ends the next one."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._asleep = asyncio.Queue[float]()
        self._wake = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._asleep.put_nowait(seconds)
        await self._wake.acquire()

    async def asleep(self) -> float:
        """Waits until something sleeps; how long it wants to."""
        async with asyncio.timeout(10):
            return await self._asleep.get()

    def wake(self) -> None:
        self._wake.release()
