"""A loop that does not turn gives the processor away, and takes it again when it turns."""

from __future__ import annotations

import asyncio
import os
import threading
import time

from enforcer.stuck import Yielding, may_return


async def test_loop_that_is_stuck_runs_only_when_nobody_else_wants_to() -> None:
    me = threading.get_native_id()
    watching, turns, loop = Yielding(turn=0.02, after=0.1), asyncio.Event(), asyncio.get_running_loop()
    if not may_return():
        turns.set()
    watching.on_change = lambda stuck: loop.call_soon_threadsafe(turns.clear if stuck else turns.set)
    task = asyncio.create_task(watching.run())
    try:
        await asyncio.sleep(0)
        assert os.sched_getscheduler(me) == os.SCHED_OTHER
        until = time.monotonic() + (20 if may_return() else 0.5)
        while os.sched_getscheduler(me) != os.SCHED_IDLE and time.monotonic() < until:
            pass                                # a bug of ours: nothing else gets a turn
        assert os.sched_getscheduler(me) == (os.SCHED_IDLE if may_return() else os.SCHED_OTHER)
        async with asyncio.timeout(20):
            await turns.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
