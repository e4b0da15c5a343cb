"""Whoever stands at a decision door in a test, and whoever decides behind it.

In: a door on a port of the loopback. Out: connections to it, what still comes, what was asked and counted.
Refuses to know: what is said at that door.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision, Verdict
from enforcer.switch.door import Outcome

SOON = 5.0


class Door(Protocol):
    """As far as a test looks."""

    port: int
    counts: Counter[Outcome]


class Scripted:
    """Decides as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[CallAttempt] = []
        self.decide: Callable[[CallAttempt], Decision] = blocked

    def admit(self, attempt: CallAttempt) -> Decision:
        self.asked.append(attempt)
        return self.decide(attempt)


def blocked(attempt: CallAttempt) -> Decision:
    """403, by the rule `minutes`."""
    return Decision(
        "d1-2f", attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
        attempt.direction, Verdict.BLOCK, Verdict.BLOCK, sip_code=403, tags=("minutes",),
    )


async def counted(door: Door, outcome: Outcome, times: int = 1) -> None:
    """Wait until so many connections were counted as this: the peer that left sees no sign of it."""
    async with asyncio.timeout(SOON):
        while door.counts[outcome] < times:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def connect(door: Door) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", door.port)


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that still comes until the door closes."""
    try:
        async with asyncio.timeout(SOON):
            return await reader.read()
    except ConnectionResetError:
        return b""


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
