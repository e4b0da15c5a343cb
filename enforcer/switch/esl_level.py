"""What a link asks its FreeSWITCH to get level with it: its live channels, and what was left there.

In: a session. Out: answers, or LinkError where the connection is lost.
Refuses to know: orders, and when any of this is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from enforcer.errors import LinkError, WireError
from enforcer.switch.esl_session import Session
from enforcer.wire import esl_commands as say
from enforcer.wire import freeswitch_actions as orders
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch import CallBook
from enforcer.wire.freeswitch_status import DUMP, LISTING, Channel, channels, dump, to_dump

# Channels asked for at once, some 8 KB each. While they are written to us no event is.
AT_ONCE = 50


async def listing(session: Session, within: float) -> list[Channel]:
    """All channels of the switch. Raises LinkError, and WireError where it is no list."""
    return channels((await session.ask(say.api(*LISTING), within=within)).text)


async def dumps(
    session: Session, book: CallBook, rows: Iterable[Channel], within: float
) -> dict[str, Message]:
    """The channels that are news to the book, as far as they are still there, by their id."""
    found: dict[str, Message] = {}
    wanted = to_dump(book, rows)
    for start in range(0, len(wanted), AT_ONCE):
        batch = [uuid for uuid in wanted[start : start + AT_ONCE] if _sayable(uuid)]
        answers = await asyncio.gather(*(session.said(say.api(DUMP, uuid), within=within) for uuid in batch))
        for uuid, answer in zip(batch, answers, strict=True):
            channel = dump(answer)
            if channel is not None:
                found[uuid] = channel
    return found


async def forget_brakes(session: Session, within: float) -> None:
    """An enforcer before us may have left brakes that no mode allows any more; those that we want follow at
    once. Its words end by themselves soon, and may be all that is known."""
    try:
        left = await session.ask(orders.list_left(), within=within)
    except LinkError:
        if session.lost.done():
            raise
        return              # without mod_hash there are none
    for key in orders.brakes_left(left.text):
        session.post(orders.forget(key))
    await session.settled(within=within)


def _sayable(uuid: str) -> bool:
    """Whether the id may stand in a command; one that a caller chose need not."""
    try:
        say.channel_id(uuid)
    except WireError:
        return False
    return True
