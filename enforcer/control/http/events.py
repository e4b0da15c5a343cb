"""What happens, as it happens: server-sent events, for pages and programs that stay connected.

In: the feed, the number of the last event that a reader has. Out: events with numbers, beats in between.
Refuses to know: what happened. Nobody waits for a reader: one who is behind is told how much was missed, one
who reads nothing is let go of by the server.

An event's id is that of this run of the enforcer and a number: after a restart the numbers begin anew, and a
reader who comes back from an earlier run is told so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from enforcer.control.feed import Feed, Happening, Subscriber
from enforcer.control.http.front import Door, Reader, caller_of
from enforcer.control.http.problems import DESCRIBED, Problem
from enforcer.control.http.tokens import Role
from enforcer.control.words import iso

BEAT_SECONDS = 15.0
END = "end"
FOR_GATEWAYS = frozenset({"hang_up"})

routes = APIRouter(prefix="/v1", tags=["events"], responses=DESCRIBED)


@routes.get("/events", response_class=StreamingResponse, responses={
    200: {"description": "Events, for as long as both sides stay.", "content": {"text/event-stream": {}}},
})
async def events(
    door: Door, caller: Reader, request: Request,
    kinds: Annotated[str, Query(
        max_length=200, description="Only these, such as decision,mode; all, unless named.")] = "",
    since: Annotated[str, Query(max_length=40, description="The id of the last event you have.")] = "",
    last_event_id: Annotated[str, Header(max_length=40)] = "",
) -> StreamingResponse:
    """What happens, as server-sent events: decisions above allow, modes, switches, notices, levels, faults,
    what is put on record, answers to orders. A gateway's token hears which of its calls to end."""
    if len(door.streams) >= door.settings.http.max_streams:
        raise Problem(503, "as many readers as may stay are here already: [http] max_streams", retry=5)
    wanted = frozenset(kinds.split(",")) if kinds else frozenset()
    if caller.role is Role.GATEWAY:
        wanted = FOR_GATEWAYS
    subscriber = Subscriber()       # taken now: the next one to come counts us
    door.streams.add(subscriber)
    return StreamingResponse(
        _told(door.feed, subscriber, door.streams, door.run, last_event_id or since, wanted,
              lambda: caller_of(door, request) is not None),
        media_type="text/event-stream", headers={"X-Accel-Buffering": "no"},
    )


async def _told(
    feed: Feed, subscriber: Subscriber, streams: set[Subscriber], run: str, last: str, wanted: frozenset[str],
    welcome: Callable[[], bool],
) -> AsyncIterator[str]:
    try:
        before, _, text = last.partition("-")
        number = int(text) if before == run and text.isascii() and text.isdigit() and len(text) < 16 else None
        with feed.follow(subscriber, number):
            yield "retry: 2000\n\n"
            if last and number is None:
                yield _event("reset", {"problem": "the enforcer was started anew: read /v1/overview"})
            elif number is not None and (lost := feed.lost(number)):
                yield _event("missed", {"missed": lost})
            while True:
                try:
                    async with asyncio.timeout(BEAT_SECONDS):
                        happening = await subscriber.get()
                except TimeoutError:
                    if not welcome():
                        return
                    yield ": beat\n\n"
                    continue
                if happening.kind == END:
                    return
                if subscriber.missed:
                    missed, subscriber.missed = subscriber.missed, 0
                    yield _event("missed", {"missed": missed})
                if not wanted or happening.kind in wanted:
                    yield _of(happening, run)
    finally:
        streams.discard(subscriber)


def _of(happening: Happening, run: str) -> str:
    facts = {"number": happening.number, "at": iso(happening.at)} | dict(happening.facts)
    return f"id: {run}-{happening.number}\n" + _event(happening.kind, facts)


def _event(kind: str, facts: dict[str, Any]) -> str:
    """JSON is one line: nothing that a caller sent can begin another event."""
    return f"event: {kind}\ndata: {json.dumps(facts)}\n\n"
