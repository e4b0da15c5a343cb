"""What the enforcer notices about itself, once a second.

In: its parts' own numbers. Out: metrics, and a log line where ledger or telemetry got worse or well again.
Refuses to know: what the numbers mean for calls.
"""

from __future__ import annotations

import asyncio
import time

from enforcer.admission import Admission
from enforcer.ledger.port import Ledger
from enforcer.readings import Readings
from enforcer.telemetry import Telemetry
from enforcer.watching import Watching

WATCH_SECONDS = 1.0


async def watch(
    readings: Readings, ledger: Ledger, admission: Admission, watching: Watching, telemetry: Telemetry
) -> None:
    """Until cancelled: the links', doors' and ledger's own numbers into the metrics."""
    degraded = ""
    while True:
        readings.take(time.time())
        now_degraded = ledger.degraded
        if now_degraded != degraded:
            degraded = now_degraded
            if degraded:
                telemetry.fault("ledger degraded", problem=degraded)
            else:
                telemetry.note("ledger is well again")
        ledger.tidy()
        watching.measure()
        telemetry.risen("telemetry failed", admission.deaf)
        registers = ledger.registers
        telemetry.risen("listener failed", registers.untold, problem=registers.problem)
        await asyncio.sleep(WATCH_SECONDS)
