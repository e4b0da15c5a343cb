"""A loop that does not turn gives the processor away, and takes it again when it turns."""

from __future__ import annotations

import asyncio
import os
import threading
import time

from enforcer.stuck import Yielding, may_return


async def test_loop_that_is_stuck_runs_only_when_nobody_else_wants_to() -> None:
    me = threading.get_native_id()
    watching = Yielding(turn=0.02, after=0.1)
    task = asyncio.create_task(watching.run())
    try:
        await asyncio.sleep(0)
        assert os.sched_getscheduler(me) == os.SCHED_OTHER
        until = time.monotonic() + (20 if may_return() else 0.5)
        while os.sched_getscheduler(me) != os.SCHED_IDLE and time.monotonic() < until:
            pass                                # a bug of ours: nothing else gets a turn
        assert os.sched_getscheduler(me) == (os.SCHED_IDLE if may_return() else os.SCHED_OTHER)
        async with asyncio.timeout(20):
            while watching.stuck:       # noqa: ASYNC110 - told by another thread
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
