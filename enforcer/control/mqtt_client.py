"""What aiomqtt needs to be cancelled safely: a client that connects whole, tasks that really end.

In: a client, tasks. Out: the client, connected and let go of in order; tasks that are done.
Refuses to know: topics, and what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiomqtt


@contextlib.asynccontextmanager
async def whole(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Client]:
    """The client, connected. One that is cancelled while it connects leaves a reader in the event loop that
    never rests: so it connects, or fails, in any case."""
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        with contextlib.suppress(aiomqtt.MqttError):
            await entering
            await client.__aexit__(None, None, None)
        raise
    try:
        yield client
    finally:
        await client.__aexit__(None, None, None)


async def end(*tasks: asyncio.Future[None]) -> None:
    """Cancel these until they are done: who waits for an acknowledgement that comes at that very moment
    swallows a cancellation (asyncio.wait_for, before Python 3.12)."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.5)
    for task in tasks:
        if not task.cancelled():
            task.exception()
