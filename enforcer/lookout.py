"""When the ledger is looked at for what other processes wrote: at a knock, and now and then without one.

In: knocks, and whether the last look found something. Out: the moment of the next look. Refuses to know: the
ledger, and who knocks.

A command knocks when it has written, so what people order is in force within milliseconds. The looks in
between are for whoever writes and cannot knock. While there is something to take over, the next look
is soon: each takes over so many calls at most.
"""

from __future__ import annotations

import asyncio

CALM_SECONDS = 0.1      # between two looks that nobody asked for
BUSY_SECONDS = 0.02     # after a look that found something


class Lookout:
    """See the module. Owned by one event loop."""

    def __init__(self) -> None:
        self._knocked = asyncio.Event()

    def knocked(self) -> None:
        """Somebody wrote, and says so."""
        self._knocked.set()

    async def turn(self, busy: bool) -> None:
        """Wait until it is time to look."""
        try:
            async with asyncio.timeout(BUSY_SECONDS if busy else CALM_SECONDS):
                await self._knocked.wait()
        except TimeoutError:
            return
        self._knocked.clear()
