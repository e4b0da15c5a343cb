"""What a FreeSWITCH says is in progress right now: `show channels as json`, and `uuid_dump` of some channels.

In: the answers to those two, and the `CallBook` of what we believed. Out: the facts that bring the book (and
whoever reads its facts) level with the switch.
Refuses to know: the connection, and why we lost touch.

The listing names every channel with where it came in and what it dialled, in whole seconds and without saying
when it was answered. So the channels that are news to us are asked for one by one (`to_dump`); of one that is
gone before it could be asked, the listing's word is used, and its end will be told by its event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.errors import WireError
from enforcer.wire.channel import account_name, direction_of
from enforcer.wire.esl import Message, event
from enforcer.wire.freeswitch import CallBook
from enforcer.wire.freeswitch_channel import DIRECTION, NUMBER, PLUMBING, attempt, micros, said

LISTING = ("show", "channels", "as", "json")
DUMP = "uuid_dump"

_UP = frozenset({"ACTIVE", "HELD", "UNHELD"})
_LONGEST_ID = 128


class Channel(NamedTuple):
    """One row of the listing. `created` is Unix seconds, whole; `parent` is the channel that leads its call,
    "" where it leads one itself."""

    uuid: str
    inbound: bool           # it called the switch
    plumbing: bool
    up: bool
    parent: str
    context: str            # in which it came in
    number: str             # that it dialled then
    caller: str
    account: str
    created: float | None


def channels(text: str) -> list[Channel]:
    """The rows of `show channels as json`. Raises WireError where it is none."""
    try:
        listing = json.loads(text)
    except (ValueError, RecursionError):
        raise WireError(f"not a list of channels: {text[:60]!a}") from None
    if not isinstance(listing, dict) or not isinstance(listing.get("rows", []), list):
        raise WireError(f"not a list of channels: {text[:60]!a}")
    return [_channel(row) for row in listing.get("rows", [])]       # no rows: nothing is in progress


def _channel(row: Any) -> Channel:
    if not isinstance(row, dict):
        raise WireError("a list of channels with something else in it")

    def told(*names: str) -> str:
        values = (row.get(name) for name in names)
        return next((value for value in values if isinstance(value, str) and value), "")

    uuid, created = told("uuid"), told("created_epoch")
    if not uuid or len(uuid) > _LONGEST_ID:
        raise WireError(f"a channel with the id {uuid[:40]!a}")
    caller = said(told("initial_cid_num", "cid_num"))
    return Channel(
        uuid=uuid,
        inbound=told("direction") == "inbound",
        plumbing=told("name").startswith(PLUMBING),
        up=told("callstate") in _UP,
        parent=told("call_uuid") if told("call_uuid") != uuid else "",
        context=told("initial_context", "context"),
        number=said(told("initial_dest", "dest")),
        caller="" if "\ufffd" in caller else caller,
        account=account_name(told("accountcode")),
        created=float(created) if created.isascii() and created.isdigit() and len(created) < 12 else None,
    )


def dump(answer: Message) -> Message | None:
    """The channel in an answer to `uuid_dump`; None where it is gone. Raises WireError on anything else."""
    return None if answer.body.startswith(b"-ERR") else event(answer.body)


def to_dump(book: CallBook, listing: Iterable[Channel]) -> list[str]:
    """The channels to ask for: calls that are news to the book, and those whose answer is."""
    answered = book.answered_calls()
    calls = [row for row in listing if row.inbound and not row.plumbing]
    return [row.uuid for row in calls if row.uuid not in answered or (row.up and not answered[row.uuid])]


def resync(
    book: CallBook,
    listing: Sequence[Channel],
    dumps: Mapping[str, Message],
    known_before: Iterable[str],
    lost_at: float,
    received_at: float,
) -> list[CallEvent]:
    """The facts that were missed: new calls, answers, and the end of calls that are gone.

    `dumps` are those of `to_dump`, as far as they came. `known_before` is `book.known_legs()` at the moment
    the listing was asked for: what began while it was on its way is not gone. `lost_at` and `received_at` are
    Unix seconds: when the switch was last heard before we lost it, and now.
    """
    facts: list[CallEvent] = []
    believed = book.answered_calls()
    for row in listing:
        if row.plumbing or not row.inbound:
            continue
        channel = dumps.get(row.uuid)
        if row.uuid not in believed:
            begun = _attempt(book, row, channel, received_at)
            if begun is None:
                continue
            book.restore(begun, None)
            facts.append(CallEvent(Phase.STARTED, begun, begun.at))
        up_since = None if channel is None else micros(channel, "Caller-Channel-Answered-Time")
        if (row.up or up_since) and (answer := book.answered(row.uuid, up_since or received_at)):
            facts.append(answer)
    for row in listing:
        if row.parent and not row.inbound:
            book.adopt(row.uuid, row.parent, dialled=not row.plumbing)
    return facts + book.close_gone(known_before, frozenset(row.uuid for row in listing), lost_at)


def _attempt(book: CallBook, row: Channel, channel: Message | None, received_at: float) -> CallAttempt | None:
    """The attempt behind a channel that is news to us; None where its call is not one of ours."""
    identity = book.identity
    told = None if channel is None else direction_of(channel.variable(DIRECTION))
    direction = told or identity.directions().get(row.context)
    if direction is None:
        return None
    if channel is not None:
        at = micros(channel, "Caller-Channel-Created-Time") or row.created or received_at
        begun = attempt(identity, channel, row.uuid, direction, at)
        return begun if channel.variable(NUMBER) else replace(begun, number=row.number or begun.number)
    by_code = identity.account_from == "accountcode" and direction is not Direction.INBOUND
    return CallAttempt(
        f"{identity.switch}/{row.uuid}", identity.switch, row.account if by_code else "", direction,
        row.number, row.caller, row.created or received_at, channel=row.uuid,
    )
