"""Which parts of a page are out of date, as they become so: server-sent events for htmx.

In: the overview and the pulse of a running enforcer. Out: to each open page, one line whenever something that
it shows has changed: the names of the parts to fetch anew. Refuses to know: what the parts look like.

A page is told of one part at most every `GAP_SECONDS`, however much happens: calls are decided in the same
loop. What an account's page shows comes from the disk, where it arrives a moment later; so that page is told
a moment later as well, and once more after a second, for disks that are slow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import nullcontext
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from enforcer.control.feed import Subscriber
from enforcer.control.http.front import Front
from enforcer.control.http.problems import Problem
from enforcer.control.page.entrance import Here, session_of
from enforcer.control.page.render import HEADERS

LOOK_SECONDS = 0.2
GAP_SECONDS = {"live": 0.5, "state": 0.5, "near": 2.0, "account": 0.5}
WRITTEN_SECONDS = 0.1       # until what was just counted is on the disk
AGAIN_SECONDS = 1.0
BEAT_SECONDS = 5.0          # between two signs of life, and looks whether the session still counts

routes = APIRouter(include_in_schema=False)


class Glance:
    """What the parts of the overview depend on, looked at once for all who look."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._at = float("-inf")
        self._prints: dict[str, Hashable] = {}

    def prints(self) -> dict[str, Hashable]:
        """A value for each part, to be compared with the one before."""
        if time.monotonic() - self._at > LOOK_SECONDS / 2:
            now = self._front.overview()
            common = repr((
                now["ceiling"], now["modes"], now["breaker"], now["policy"], self._front.unready(),
                now["degraded"],
            ))
            calls = [(one["switch"], one["live_calls"]) for one in now["switches"]]
            shown = ("switch", "connected", "level", "problem", "restarts")
            links = [[one[key] for key in shown] for one in now["switches"]]
            rate = f"{now['decisions_per_second']:.1f}"
            counted = repr(now["decisions"][-2:])
            self._prints = {
                "live": repr((common, calls, rate, counted, now["number"])),
                "state": repr((common, calls, links, now["gaps"], now["faults"][-1:])),
                "near": repr((calls, counted, now["number"])),
            }
            self._at = time.monotonic()
        return self._prints


class Told:
    """What one page was told, and when: decides what it is told next. `spare` is how many seconds an
    account's page has to leave the disk in peace."""

    def __init__(self, spare: Callable[[], float] = lambda: 0.0) -> None:
        self._spare = spare
        self._seen: dict[str, Hashable] = {}
        self._due: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def next(self, prints: Mapping[str, Hashable], now: float) -> list[str]:
        """The parts to fetch anew at `now` (seconds of any clock)."""
        for part, one in prints.items():
            if part not in self._seen:
                self._seen[part] = one          # the page has just been made
            elif self._seen[part] != one:
                self._seen[part] = one
                wait = WRITTEN_SECONDS if part == "account" else 0.0
                gap = max(GAP_SECONDS[part], self._spare() if part == "account" else 0.0)
                due = max(now + wait, self._last.get(part, float("-inf")) + gap)
                self._due[part] = min(due, self._due.get(part, due))
        ready = [part for part, due in self._due.items() if due <= now]
        for part in ready:
            del self._due[part]
            if part == "account" and now - self._last.get(part, float("-inf")) > 2 * AGAIN_SECONDS:
                self._due[part] = now + AGAIN_SECONDS
            self._last[part] = now
        return ready


@routes.get("/page/events")
async def events(
    me: Here, request: Request, account: Annotated[str, Query(max_length=200)] = ""
) -> StreamingResponse:
    """The names of parts that are out of date: of the overview, or with `account` of that account's page."""
    front = me.front
    if len(front.streams) >= front.settings.http.max_streams:
        raise Problem(503, "as many readers as may stay are here already: [http] max_streams", retry=5)
    subscriber = Subscriber()       # hears only that the enforcer ends
    front.streams.add(subscriber)
    glance: Glance = request.app.state.glance
    return StreamingResponse(
        _lines(front, subscriber, glance, account, Told(request.app.state.dossiers.spare),
               lambda: session_of(request) is not None),
        media_type="text/event-stream", headers=HEADERS | {"X-Accel-Buffering": "no"},
    )


async def _lines(
    front: Front, subscriber: Subscriber, glance: Glance, account: str, told: Told,
    welcome: Callable[[], bool],
) -> AsyncIterator[str]:
    pulse, beat = front.pulse, time.monotonic() + BEAT_SECONDS
    watched: Any = pulse.watched(account) if account else nullcontext()
    try:
        with watched:
            yield "retry: 1000\n\n"
            while True:
                found = {"account": pulse.beat(account, front.clock())} if account else glance.prints()
                now = time.monotonic()
                if parts := told.next(found, now):
                    yield f"data: {' '.join(parts)}\n\n"
                elif now >= beat:
                    if not welcome():
                        return
                    beat = now + BEAT_SECONDS
                    yield ": beat\n\n"
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await subscriber.get()
                except TimeoutError:
                    continue
                return
    finally:
        front.streams.discard(subscriber)
