"""The application: every route of the HTTP door, with its description (OpenAPI).

In: what the door needs of an enforcer. Out: an ASGI application. Refuses to know: sockets.
"""

from __future__ import annotations

from fastapi import FastAPI

from enforcer.control.http import health, overview, problems
from enforcer.control.http.front import Front

ABOUT = "Everything that the command line does, as JSON. Errors are application/problem+json (RFC 9457)."


def application(front: Front) -> FastAPI:
    """The application in front of one enforcer."""
    app = FastAPI(
        title="enforcer", version="1", description=ABOUT, openapi_url="/v1/openapi.json",
        docs_url=None, redoc_url=None,
    )
    app.state.front = front
    problems.install(app)
    for part in (health, overview):
        app.include_router(part.routes)
    return app
