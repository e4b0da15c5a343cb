"""What an Asterisk says is in progress right now: the result of `Action: Status`.

In: the Status messages of one listing, and the `CallBook` of what we believed. Out: the facts that
bring the book (and whoever reads its facts) level with the switch.
Refuses to know: the connection, and why we lost touch.

Asterisk tells neither when a channel was answered nor, inside a subroutine, in which context the
call began; both stand in its CDR, so the listing is asked for with those CDR variables. (`Seconds`
counts from the creation of the channel.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from enforcer.domain.call import CallAttempt, CallEvent, Phase
from enforcer.wire.ami import Message
from enforcer.wire.asterisk import PLUMBING, UP, CallBook
from enforcer.wire.channel import started_by_serial

# Commas inside a function's arguments are escaped, commas between variables are not.
STATUS_VARIABLES = r"CDR(start\,u),CDR(answer\,u),CDR(dcontext),CDR(dst)"
STATUS_HEADERS = (("AllVariables", "false"), ("Variables", STATUS_VARIABLES))


def resync(
    book: CallBook,
    listing: Sequence[Message],
    known_before: Iterable[str],
    lost_at: float,
    received_at: float,
) -> list[CallEvent]:
    """The facts that were missed: new calls, answers, and the end of calls that are gone.

    `known_before` is `book.known_legs()` at the moment the listing was asked for: what began while
    it was on its way is not gone. `lost_at` and `received_at` are Unix seconds: when the switch was
    last heard before we lost it, and now. Raises WireError on a channel without its ids.
    """
    facts: list[CallEvent] = []
    alive: set[str] = set()
    believed = book.live()
    for message in listing:
        channel = message["Channel"]
        uniqueid, linkedid = message["Uniqueid"], message["Linkedid"]
        alive.add(uniqueid)
        up = message.get("ChannelState") == UP
        if uniqueid not in believed:
            if uniqueid != linkedid or channel.startswith(PLUMBING):
                continue
            attempt = _attempt(book, message, channel, uniqueid, received_at)
            if attempt is None:
                continue
            book.restore(attempt, None)
            facts.append(CallEvent(Phase.STARTED, attempt, attempt.at))
        if up and (answer := book.answered(uniqueid, _epoch(message, "CDR(answer,u)") or received_at)):
            facts.append(answer)
    return facts + book.close_gone(known_before, frozenset(alive), lost_at)


def _attempt(
    book: CallBook, message: Message, channel: str, uniqueid: str, received_at: float
) -> CallAttempt | None:
    identity = book.identity
    context = message.variable("CDR(dcontext)", "Variable") or message.get("Context") or ""
    direction = identity.directions().get(context)
    if direction is None:
        return None
    number = message.get("DNID") or message.variable("CDR(dst)", "Variable") or message.get("Exten") or ""
    at = _epoch(message, "CDR(start,u)") or started_by_serial(uniqueid) or received_at
    return identity.attempt(message, uniqueid, channel, direction, number, at)


def _epoch(message: Message, variable: str) -> float | None:
    """A time in a CDR variable; None where it is missing or zero (not answered)."""
    try:
        at = float(message.variable(variable, "Variable") or 0)
    except ValueError:
        return None
    return at if 0.0 < at < 1e11 else None
