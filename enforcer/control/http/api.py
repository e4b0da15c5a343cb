"""The application: every route of the HTTP door, with its description (OpenAPI).

In: what the door needs of an enforcer. Out: an ASGI application. Refuses to know: sockets.
"""

from __future__ import annotations

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from enforcer.control.http import (
    asking,
    events,
    health,
    importing,
    issuing,
    ordering,
    overview,
    problems,
    reading,
    upkeep,
)
from enforcer.control.http.bounds import Bounds
from enforcer.control.http.front import Front, understood
from enforcer.control.page import site as live_page

ABOUT = "Everything that the command line does, as JSON. Errors are application/problem+json (RFC 9457)."
ASKED = ("/v1/admit", "/v1/message")


def application(front: Front) -> FastAPI:
    """The application in front of one enforcer."""
    app = FastAPI(
        title="enforcer", version="1", description=ABOUT, openapi_url="/v1/openapi.json",
        docs_url=None, redoc_url=None,
    )
    app.state.front = front

    def rescue(request: Request, body: object) -> Response | None:
        found = asking.emergency_in(front, body) if request.url.path in ASKED else None
        return None if found is None else JSONResponse(found.model_dump())

    def page(request: Request, status: int, said: str) -> Response | None:
        wanted = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
        shown = getattr(app.state, "for_people", None) if wanted else None
        return shown(request, status, said) if shown else None

    problems.install(app, rescue, page)
    app.include_router(health.routes)
    for part in (overview, importing, issuing, ordering, asking, events, upkeep, reading):
        app.include_router(part.routes, dependencies=[Depends(understood)])
    live_page.install(app, front)
    app.add_middleware(
        Bounds, deadline=front.settings.http.read_deadline, counted=front.counted, fault=front.fault,
        streamed=frozenset(f"/v1/{what}/import" for what in ("accounts", "optouts", "cdr")),
    )
    return app
