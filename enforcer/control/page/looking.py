"""The pages to look at: overview, accounts, one account, what would happen, why.

In: requests of visitors. Out: pages. Refuses to know: how anything is found: the overview comes from memory,
all else is what the command line shows.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcer.control.http.problems import Problem
from enforcer.control.page.entrance import Here, Shown, Visitor
from enforcer.control.page.moment import LOOKED_AT, moment
from enforcer.control.page.render import HEADERS, STATIC
from enforcer.domain.mode import Mode

# The accounts nearest their limits are looked for so often, and for a tenth of the time at most.
NEAR_SECONDS = 20.0
SAME_SECONDS = 0.5
SPANS = ("15m", "1h", "4h", "12h", "1d", "7d")
HOURS = ("1h", "6h", "24h", "72h")
STRIKES = ("content", "copyright", "fraud", "harassment", "spam")

routes = APIRouter(include_in_schema=False)
Named = Annotated[str, Query(max_length=200)]


class Shared:
    """Parts of the overview that are the same for all who look: drawn once, however many there are. Calls
    wait for whatever is drawn, so it is not drawn more often than anybody can see."""

    def __init__(self) -> None:
        self._drawn: dict[str, tuple[float, HTMLResponse]] = {}

    def part(self, me: Visitor, template: str) -> HTMLResponse:
        """The part, at most `SAME_SECONDS` old."""
        at, found = self._drawn.get(template, (float("-inf"), None))
        if found is None or time.monotonic() - at > SAME_SECONDS:
            found = me.part(template, **_moment(me))
            self._drawn[template] = time.monotonic(), found
        return HTMLResponse(found.body, headers=HEADERS)


class Nearest:
    """What `enforcer nearest` said last, for all who look. One question at a time, however many there are."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._next = float("-inf")
        self._told: dict[str, Any] = {"nearest": [], "method": ""}
        self._problem = ""

    async def told(self, me: Visitor) -> tuple[dict[str, Any], str]:
        """The facts, and what keeps us from newer ones."""
        async with self._turn:
            began = time.monotonic()
            if began >= self._next:
                try:
                    answer = await me.front.back.ask("nearest", "--limit=8")
                    self._told, self._problem = answer.told, ""
                except Problem as problem:
                    self._problem = problem.said
                took = time.monotonic() - began
                self._next = began + took + max(NEAR_SECONDS, 9 * took)
        return self._told, self._problem


@routes.get("/static/{name}")
async def static(name: str) -> Response:
    """The sheet and the script."""
    found = STATIC.get(name)
    if found is None:
        raise Shown(404, "there is no such file")
    data, kind = found
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(data, media_type=kind, headers=HEADERS | kept)


@routes.get("/favicon.ico")
async def icon() -> Response:
    """The mark of the page."""
    return await static("mark.svg")


@routes.get("/")
async def overview(me: Here) -> HTMLResponse:
    """This moment."""
    return me.page("overview.html", here="overview", **_moment(me), **choices(me))


@routes.get("/page/live")
async def live(me: Here, request: Request) -> HTMLResponse:
    """The part of the overview that changes."""
    return _shared(request).part(me, "live.html")


@routes.get("/page/state")
async def state(me: Here, request: Request) -> HTMLResponse:
    """The part of the overview that changes more rarely."""
    return _shared(request).part(me, "state.html")


@routes.get("/page/nearest")
async def near(me: Here, request: Request) -> HTMLResponse:
    """The accounts nearest their limits."""
    keeper: Nearest = request.app.state.nearest
    told, problem = await keeper.told(me)
    return me.part("nearest.html", near=told, problem=problem)


@routes.get("/accounts")
async def accounts(
    me: Here, find: Named = "", skip: Annotated[int, Query(ge=0, le=10_000_000)] = 0
) -> HTMLResponse:
    """The accounts there are, to be searched."""
    everybody = await me.ask("account", "list")
    wanted = find.casefold()
    found = [
        one for one in everybody
        if not wanted or wanted in one["account"].casefold() or wanted in one["customer"].casefold()
    ]
    most = 100
    return me.page(
        "accounts.html", here="accounts", find=find, accounts=found[skip : skip + most], total=len(found),
        everybody=len(everybody), skip=skip, most=most,
    )


@routes.get("/account")
async def account(me: Here, name: Named) -> HTMLResponse:
    """One account."""
    told = await me.ask("dossier", about=[name])
    return me.page("account.html", here="accounts", name=name, told=told, **choices(me))


@routes.get("/page/touched")
async def touched(me: Here, name: Named) -> HTMLResponse:
    """What each mode would have done to an account's calls."""
    found = await me.ask("whatif", f"--account={name}", "--last=24h")
    return me.part("touched.html", found=found, span="24h")


@routes.get("/whatif")
async def whatif(
    me: Here, account: Named = "", rule: Named = "", switch: Named = "", ceiling: bool = False,
    last: Annotated[str, Query(max_length=10)] = "24h",
) -> HTMLResponse:
    """What each mode would have done to the calls of the last hours."""
    named = {"account": account, "rule": rule, "switch": switch}
    words = [f"--{key}={value}" for key, value in named.items() if value]
    found = await me.ask("whatif", *words, *(["--ceiling"] if ceiling else []), f"--last={last}")
    return me.page(
        "whatif.html", here="whatif", found=found, span=last, hours=HOURS,
        about={"account": account, "rule": rule, "switch": switch, "ceiling": ceiling}, **choices(me),
    )


@routes.get("/why")
async def why(me: Here, subject: Named) -> HTMLResponse:
    """Explain a call, a decision, or how an account stands."""
    return me.page("why.html", here="", subject=subject, told=await me.ask("why", about=[subject]))


def choices(me: Visitor) -> dict[str, Any]:
    """What forms offer."""
    return {
        "modes": [mode.word for mode in Mode], "spans": SPANS, "strike_kinds": STRIKES,
        "rules": [rule.spec.id for rule in me.front.admission.policy.rules],
        "switch_names": [one.name for one in me.front.settings.switches],
    }


def _shared(request: Request) -> Shared:
    found: Shared = request.app.state.shared
    return found


def _moment(me: Visitor) -> dict[str, Any]:
    front = me.front
    now = front.overview()
    lately = front.feed.since(now["number"] - LOOKED_AT)
    return moment(now, lately, front.settings.breaker.enabled) | {
        "unready": front.unready(), "policy": now["policy"],
    }
