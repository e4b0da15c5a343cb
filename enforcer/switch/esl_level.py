"""What a link asks its FreeSWITCH to get level with it: its live channels, and what is left there.

In: a session. Out: answers, or LinkError where the connection is lost.
Refuses to know: orders, and when any of this is due.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

import structlog

from enforcer.errors import LinkError, WireError
from enforcer.switch.esl_session import Session
from enforcer.wire import esl_commands as say
from enforcer.wire import freeswitch_actions as orders
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch import CallBook
from enforcer.wire.freeswitch_status import DUMP, LISTING, Channel, channels, dump, to_dump

log = structlog.get_logger("esl")

_BEGUN = re.compile(r"^(\d{1,15}) session\(s\) since startup$", re.ASCII | re.MULTILINE)
# Channels asked for at once, some 8 KB each. While they are written to us no event is.
AT_ONCE = 50


class Store:
    """mod_hash, as far as it keeps what we leave. `problem` says why it does not, "" where it does."""

    def __init__(self, switch: str) -> None:
        self.problem = ""
        self._switch = switch
        self._written = False

    async def beat(self, session: Session, at: float, within: float) -> bool:
        """Writes the heartbeat; `at` is the switch's time. True where the last one is not there any more, nor
        is then anything of ours: mod_hash was loaded (again). Raises LinkError where we lost the switch."""
        last = orders.held((await session.said(orders.read(orders.HEARTBEAT), within=within)).text)
        before, self._written = bool(last) and self._written, False
        try:
            await session.ask(orders.heartbeat(at), within=within)
        except LinkError as problem:
            if session.lost.done():
                raise
            if self.problem != str(problem):        # said once
                log.error("the switch refuses us", switch=self._switch, problem=str(problem))
            self.problem = str(problem)
            return False
        self.problem, self._written = "", True
        return not before


async def listing(session: Session, within: float) -> list[Channel]:
    """All channels of the switch. Raises LinkError, and WireError where it is no list."""
    return channels((await session.ask(say.api(*LISTING), within=within)).text)


async def channels_begun(session: Session, within: float) -> int | None:
    """How many channels the switch has had since it started, None where it does not say."""
    match = _BEGUN.search((await session.said(say.api("status"), within=within)).text)
    return int(match[1]) if match else None


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


async def forget_limits(session: Session, within: float) -> None:
    """An enforcer before us may have left brakes and closed accounts that no mode allows any more; those that
    we want follow at once. Its words end by themselves soon, and may be all that is known."""
    try:
        left = await session.ask(orders.list_left(), within=within)
    except LinkError:
        if session.lost.done():
            raise
        return              # without mod_hash there are none
    for key in orders.limits_left(left.text):
        session.post(orders.forget(key))
    await session.settled(within=within)


def _sayable(uuid: str) -> bool:
    """Whether the id may stand in a command; one that a caller chose need not."""
    try:
        say.channel_id(uuid)
    except WireError:
        return False
    return True
