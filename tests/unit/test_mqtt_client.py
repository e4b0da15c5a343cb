"""The client at the broker: what ends it, also where a cancellation is let go of on the way."""

from __future__ import annotations

import asyncio

import aiomqtt
import pytest

from enforcer.control.mqtt_client import end, words
from enforcer.errors import LedgerError


async def test_a_task_that_lets_go_of_a_cancellation_is_over_all_the_same() -> None:
    let_go = 0

    async def deaf() -> None:
        nonlocal let_go
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                let_go += 1
                if let_go == 2:
                    raise

    task = asyncio.ensure_future(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(task)
    assert task.cancelled()
    assert let_go == 2


@pytest.mark.parametrize(("problem", "said"), [
    (aiomqtt.MqttError("Not authorized"), "Not authorized"), (TimeoutError(), "it did not answer in time"),
    (LedgerError("l.db: disk I/O error"), "l.db: disk I/O error"),
    (KeyError("x"), "our own fault: KeyError('x')"),
])
def test_what_is_wrong_is_said_in_words(problem: Exception, said: str) -> None:
    assert words(problem) == said
