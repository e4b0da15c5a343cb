"""This moment: what is in force, which switches are linked, how many decisions a second.

In: the front. Out: the same facts as the live page shows. Refuses to know: the past.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from enforcer.control.http.front import Door, Viewer
from enforcer.control.http.problems import DESCRIBED
from enforcer.control.nearest import METHOD

routes = APIRouter(prefix="/v1", tags=["overview"], responses=DESCRIBED)


@routes.get("/overview")
async def overview(door: Door, caller: Viewer) -> dict[str, Any]:
    """This moment, from memory."""
    return door.overview()


@routes.get("/nearest")
async def nearest(door: Door, caller: Viewer) -> dict[str, Any]:
    """The accounts nearest their limits, from memory: what `enforcer nearest` and `enforcer top` show."""
    return {"nearest": door.nearest(), "method": METHOD}
