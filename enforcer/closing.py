"""Billing cycles that close while the enforcer runs: settled some time later, once, beside the calls.

In: the accounts' calendars, the clock, somebody who settles. Out: lines in the log.
Refuses to know: how a cycle is settled. That is a process of its own: it may read every call of a month, and
no question of a switch may wait for it.

Without a person, strikes are entered, and no money is touched: with `[settle] auto = false` the log says that
a cycle is ready for `enforcer settle`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from enforcer import errand
from enforcer.domain.account import Account
from enforcer.domain.cycle import BillingCycle
from enforcer.errors import LedgerError

LOOK_SECONDS = 900.0        # cycles close at midnights, and `after` is hours
LONGEST_SECONDS = 3600.0    # for a process that settles; then it is ended, and tried again at the next look

Facts = list[dict[str, Any]]


class Log(Protocol):
    """As telemetry has it."""

    def note(self, what: str, **about: object) -> None:
        """Something happened."""

    def fault(self, kind: str, **about: object) -> None:
        """Something went wrong."""


class Closing:
    """See the module. `after` (seconds) is how long after its close a cycle is settled; `accounts` tells
    which there are now, `settle` settles what is due and tells what that came to, or raises LedgerError."""

    def __init__(
        self, after: float, accounts: Callable[[], Iterable[Account]], settle: Callable[[], Awaitable[Facts]],
        log: Log, clock: Callable[[], float],
    ) -> None:
        self._after = after
        self._accounts = accounts
        self._settle = settle
        self._log = log
        self._clock = clock
        self._done = float("-inf")      # what closed until then is settled

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Settle what is due, where any cycle closed since the last look that went well."""
        at = self._clock() - self._after
        if not any(calendar.at(at).start > self._done for calendar in self._calendars()):
            return
        try:
            found = await self._settle()
        except LedgerError as problem:
            self._log.fault("cycles not settled", problem=str(problem))
            return
        self._done = at
        for facts in found:
            self._log.note("cycle settled" if facts["charges"] else "cycle ready to settle", **facts)

    def _calendars(self) -> set[BillingCycle]:
        registered = {BillingCycle(a.anchor_day, a.timezone) for a in self._accounts()}
        return registered | {BillingCycle()}        # of callers whom nobody registered


async def in_a_process(config: Path) -> Facts:
    """Settle what is due in a process of its own. Raises LedgerError with what it complained of."""
    found: Facts = await errand.run(config, "settle-due", within=LONGEST_SECONDS, what="settling")
    return found
