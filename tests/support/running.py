"""A whole enforcer in this process: built by its configuration, or running beside its switches.

In: the configuration's file. Out: the house, until the test is done with it.
Refuses to know: its switches, and what is asked of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from enforcer.app import House, build, serve
from enforcer.settings import Settings, load
from enforcer.telemetry import Telemetry


@contextmanager
def built(
    config: Path, clock: Callable[[], float] = time.time, telemetry: Telemetry | None = None
) -> Iterator[House]:
    """A house that does not run; what it would do later it does at once."""
    house = build(load(config), telemetry or Telemetry(CollectorRegistry()), lambda do: do(), clock)
    try:
        yield house
    finally:
        house.ledger.close()


def level(house: House) -> bool:
    """Whether it is level with all its switches."""
    return all(link.state().level for link in house.links)


@asynccontextmanager
async def running(
    config: Path | Settings, there: Callable[[House], object] = level
) -> AsyncIterator[House]:
    """A house that runs, from when it is `there`. Raises what ended it, where that was something else."""
    configured = config if isinstance(config, Settings) else load(config)
    house = build(configured, Telemetry(CollectorRegistry()), asyncio.get_running_loop().call_soon)
    stop = asyncio.Event()
    task = asyncio.create_task(serve(house, stop), name="enforcer")
    try:
        await until(lambda: task.done() or there(house))
        if task.done():
            await task          # says why
        yield house
    finally:
        stop.set()
        await task


async def until(true: Callable[[], object], within: float = 10.0) -> None:
    """Wait for what no event tells. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
