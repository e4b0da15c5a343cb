"""What is older than it has to be goes by itself: some times a day, in a process of its own.

In: the configuration's path, somebody who prunes. Out: fewer rows, and lines in the log.
Refuses to know: what goes and how. It may read millions of rows, and no question of a switch may wait for it:
so it is another process, the last in line for the machine, and writes in bites of some tens of ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from enforcer import errand
from enforcer.errors import LedgerError

EVERY = 6 * 3600.0              # seconds
FIRST = 600.0                   # seconds after the start, when switches have told their calls
LONGEST = 5 * 3600.0            # for one round; then it is ended, and the next one goes on


class Log(Protocol):
    """As telemetry has it."""

    def note(self, what: str, **about: object) -> None:
        """Something happened."""

    def fault(self, kind: str, **about: object) -> None:
        """Something went wrong."""


async def retire(
    prune: Callable[[], Awaitable[dict[str, Any]]], log: Log,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Prune again and again, until cancelled."""
    await sleep(FIRST)
    while True:
        try:
            found = await prune()
        except LedgerError as problem:
            log.fault("not pruned", problem=str(problem))
        else:
            if found["decisions"] or found["calls"]:
                names = ("decisions", "decisions_before", "calls", "calls_before")
                log.note("pruned", **{name: found[name] for name in names})
        await sleep(EVERY)


async def in_a_process(config: Path) -> dict[str, Any]:
    """Prune in a process of its own. Raises LedgerError with what it complained of."""
    found: dict[str, Any] = await errand.run(config, "prune", "--gently", within=LONGEST, what="pruning")
    return found
