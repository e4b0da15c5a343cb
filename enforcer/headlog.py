"""The end of the chain told to the log, so that it is kept where nobody can change it with the ledger.

In: a ledger. Out: a line as the enforcer starts, one a day, and one as it stops.
Refuses to know: where logs are kept, and whether the chain is sound (`enforcer verify --head` does).
"""

from __future__ import annotations

import asyncio

from enforcer.errors import LedgerError
from enforcer.ledger.port import Ledger
from enforcer.telemetry import Telemetry

EVERY = 86_400.0        # seconds: whoever rewrites the past can hide no more than a day of it


async def log_heads(ledger: Ledger, telemetry: Telemetry) -> None:
    """Log the head now and once a day, until cancelled."""
    while True:
        log_head(ledger, telemetry)
        await asyncio.sleep(EVERY)


def log_head(ledger: Ledger, telemetry: Telemetry, *, last: bool = False) -> None:
    """Log the head; the `last` time after everything kept so far was written. Nothing is raised: where the
    ledger cannot be read there is nothing to tell, and whoever closes it says so."""
    try:
        if last:
            ledger.flush()
        head = ledger.tell()
    except LedgerError as problem:
        telemetry.fault("ledger", problem=str(problem))
    else:
        telemetry.note("head of the chain", head=head.words)
