"""The pages to look at: overview, accounts, one account, what would happen, why.

In: requests of visitors. Out: pages. Refuses to know: how anything is found: the overview comes from memory,
all else is what the command line shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcer.control.nearest import METHOD
from enforcer.control.page.entrance import Here, Shown, Visitor
from enforcer.control.page.moment import LOOKED_AT, moment
from enforcer.control.page.render import HEADERS, STATIC
from enforcer.domain.mode import Mode

SAME_SECONDS = 0.2
SHOWN = 8               # accounts nearest their limits
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

    def part(
        self, me: Visitor, template: str, facts: Callable[[Visitor], dict[str, Any]]
    ) -> HTMLResponse:
        """The part, at most `SAME_SECONDS` old."""
        at, found = self._drawn.get(template, (float("-inf"), None))
        if found is None or time.monotonic() - at > SAME_SECONDS:
            found = me.part(template, **facts(me))
            self._drawn[template] = time.monotonic(), found
        return HTMLResponse(found.body, headers=HEADERS)


class Dossiers:
    """What is known of accounts, asked of the clerk; how long that takes says how often a page may ask."""

    def __init__(self) -> None:
        self._took = 0.0

    def spare(self) -> float:
        """Seconds from one question to the next, so that the clerk has time for others."""
        return 4 * self._took

    async def of(self, me: Visitor, account: str) -> Any:
        """All that is known of one. Raises Shown."""
        began = time.monotonic()
        told = await me.ask("dossier", about=[account])
        self._took = time.monotonic() - began
        return told


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
    return me.page("overview.html", here="overview", **_moment(me), **_nearest(me), **choices(me))


@routes.get("/page/live")
async def live(me: Here, request: Request) -> HTMLResponse:
    """The part of the overview that changes."""
    return _shared(request).part(me, "live.html", _moment)


@routes.get("/page/state")
async def state(me: Here, request: Request) -> HTMLResponse:
    """The part of the overview that changes more rarely."""
    return _shared(request).part(me, "state.html", _moment)


@routes.get("/page/nearest")
async def near(me: Here, request: Request) -> HTMLResponse:
    """The accounts nearest their limits."""
    return _shared(request).part(me, "nearest.html", _nearest)


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
async def account(me: Here, request: Request, name: Named) -> HTMLResponse:
    """One account."""
    return me.page("account.html", here="accounts", **await _account(me, request, name))


@routes.get("/page/account")
async def account_now(me: Here, request: Request, name: Named) -> HTMLResponse:
    """The part of it that changes: all but its name."""
    return me.part("account_now.html", **await _account(me, request, name))


async def _account(me: Visitor, request: Request, name: str) -> dict[str, Any]:
    dossiers: Dossiers = request.app.state.dossiers
    told = await dossiers.of(me, name)
    return {"name": name, "told": told, "default_mode": me.front.settings.policy.mode} | choices(me)


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


def _nearest(me: Visitor) -> dict[str, Any]:
    return {"near": me.front.nearest()[:SHOWN], "method": METHOD}


def _moment(me: Visitor) -> dict[str, Any]:
    front = me.front
    now = front.overview()
    lately = front.feed.since(now["number"] - LOOKED_AT)
    return moment(now, lately, front.settings.breaker.enabled) | {
        "unready": front.unready(), "policy": now["policy"],
    }
