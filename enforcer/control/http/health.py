"""Whether the enforcer is alive and at work, for machines that look after machines; its metrics.

In: the front. Out: 200 or 503. Refuses to know: who asks, except for metrics.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from enforcer.control.http.front import Door, caller_of
from enforcer.control.http.problems import DESCRIBED, Problem, problem

routes = APIRouter(tags=["health"])


@routes.get("/healthz")
async def healthz() -> dict[str, bool]:
    """Alive: the event loop that decides calls answered this."""
    return {"alive": True}


@routes.get("/readyz", responses={503: DESCRIBED[503]})
async def readyz(door: Door) -> Any:
    """At work: the ledger takes what is written, every switch is linked and level. 503 says what is not."""
    wrong = door.unready()
    return problem(503, "; ".join(wrong)) if wrong else {"ready": True}


@routes.get("/metrics", response_class=Response, responses={
    200: {"description": "Prometheus's text format.", "content": {"text/plain": {}}},
    401: DESCRIBED[401], 429: DESCRIBED[429],
})
async def metrics(door: Door, request: Request) -> Response:
    """For Prometheus: any token will do, or none where [http] metrics = "public"."""
    if door.settings.http.metrics == "token" and caller_of(door, request) is None:
        if "authorization" in request.headers:
            raise door.wrong_token(request.client.host if request.client else "")
        raise Problem(401, 'show a token, or set [http] metrics = "public"', bearer=True)
    return Response(generate_latest(door.registry), media_type=CONTENT_TYPE_LATEST)
