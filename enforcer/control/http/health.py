"""Whether the enforcer is alive and at work, for machines that look after machines; its metrics.

In: the front. Out: 200 or 503. Refuses to know: who asks, except for metrics.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from enforcer.control.http.front import Door
from enforcer.control.http.problems import problem

routes = APIRouter(tags=["health"])


@routes.get("/healthz")
async def healthz() -> dict[str, Any]:
    """Alive: the event loop that decides calls answered this."""
    return {"alive": True}


@routes.get("/readyz")
async def readyz(door: Door) -> Any:
    """At work: the ledger takes what is written, every switch is linked and level. 503 says what is not."""
    wrong = door.unready()
    return problem(503, "; ".join(wrong)) if wrong else {"ready": True}


@routes.get("/metrics")
async def metrics(door: Door) -> Response:
    """For Prometheus."""
    return Response(generate_latest(door.registry), media_type=CONTENT_TYPE_LATEST)
