"""What a link asks its Asterisk to get level with it: its clock, its restarts, what was left there.

In: a session. Out: answers, or LinkError where the connection is lost.
Refuses to know: calls, orders, and when any of this is due.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from enforcer.errors import LinkError
from enforcer.switch.ami_session import Session
from enforcer.wire.ami import Message
from enforcer.wire.ami_actions import FAMILY, server_filters
from enforcer.wire.channel import moment

log = structlog.get_logger("ami")


async def clock_ahead(
    session: Session, clock: Callable[[], float], within: float, *, steady: float
) -> float | None:
    """A Ping: the proof that somebody is there. By how many seconds the switch's clock is ahead of ours, None
    where it does not say, or took more than `steady` seconds: nobody knows when it looked then."""
    asked_at = clock()
    pong = await session.ask("Ping", within=within)
    answered_at = clock()
    theirs = moment(pong.get("Timestamp"))
    if theirs is None or answered_at - asked_at > steady:
        return None
    return theirs - (asked_at + answered_at) / 2


async def forget_brakes(session: Session, within: float) -> None:
    """An enforcer before us may have left brakes that no mode allows any more; those that we want follow at
    once. Its words end by themselves soon, and may be all that is known."""
    brakes = (("Family", FAMILY), ("Key", "brake"))
    try:
        await session.ask("DBDelTree", brakes, within=within)
    except LinkError:
        if session.lost.done():
            raise       # else there were none, which Asterisk calls an error


def select(session: Session, switch: str) -> None:
    """Where the user's manager.conf filters nothing, ask the server to send less."""
    log.info("asking the switch for fewer events", switch=switch)
    for command in server_filters():
        session.post(*command)


class Boots:
    """Tells a switch that was restarted, by its own word on when it started."""

    def __init__(self, switch: str) -> None:
        self.restarts = 0
        self._switch = switch
        self.booted_at = ""

    def look(self, status: Message | None) -> None:
        """The answer to CoreStatus, None where it was refused. One that does not say when is no restart."""
        day, time = (status and status.get(f"CoreStartup{what}") for what in ("Date", "Time"))
        if not day or not time:
            return
        booted_at = f"{day} {time}"
        if self.booted_at and booted_at != self.booted_at:
            self.restarts += 1
            log.warning("the switch was restarted", switch=self._switch, at=booted_at)
        self.booted_at = booted_at
