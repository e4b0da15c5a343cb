"""Upkeep and foresight over HTTP: what may come, what an order or a fault would do, whose records are kept.

In: names and dates in a request. Out: what the command says with --json; lists come in pages.
Refuses to know: what the commands do.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from enforcer.control.http.backoffice import Page
from enforcer.control.http.front import Door, Operator, viewer
from enforcer.control.http.ordering import AN_ORDER, DOOR, body_of
from enforcer.control.http.problems import DESCRIBED, Problem
from enforcer.control.http.reading import LONG, Limit, Named, Skip, Word, named
from enforcer.control.requests import decoded
from enforcer.errors import BadInput

routes = APIRouter(prefix="/v1", tags=["upkeep"], dependencies=[Depends(viewer)], responses=DESCRIBED)

Rows = Annotated[int, Query(ge=1, le=200)]


@routes.get("/nearest", include_in_schema=False)     # overview.py has it
async def nearest(door: Door, limit: Rows = 20) -> Any:
    """The accounts nearest their limits, and when they reach them at this pace."""
    return (await door.back.ask("nearest", f"--limit={limit}")).told


@routes.get("/whatif")
async def what_if(
    door: Door, account: Named = "", rule: Named = "", switch: Named = "", ceiling: bool = False,
    last: Named = "",
) -> Any:
    """What each mode would have done to the calls of the last hours. Nothing is set."""
    words = named(account=account, rule=rule, switch=switch, last=last)
    return (await door.back.ask("whatif", *words, *(["--ceiling"] if ceiling else []), seconds=LONG)).told


@routes.post("/foresee", openapi_extra=AN_ORDER)
async def foresee(door: Door, request: Request) -> Any:
    """What an order would do, in numbers: the same JSON as at /v1/orders. Nothing is changed."""
    try:
        order = decoded(await body_of(request))
    except BadInput as error:
        raise Problem(422, str(error)) from None
    return (await door.back.ask("foresee", about=[json.dumps(order)])).told


@routes.get("/drill/{fault}")
async def drill(door: Door, fault: Word, account: Named = "", switch: Named = "") -> Any:
    """What each rule would do under a fault: who would be refused, and for how long. Breaks nothing."""
    words = named(account=account, switch=switch)
    return (await door.back.ask("drill", *words, about=[fault], seconds=LONG)).told


@routes.get("/accounts/{account}/dossier")
async def dossier(door: Door, account: Word) -> Any:
    """All that is known of an account, the latest first."""
    return (await door.back.ask("dossier", about=[account])).told


@routes.get("/charges")
async def charges(
    door: Door, cycle: Named = "", customer: Named = "", skip: Skip = 0, limit: Limit = 100
) -> Any:
    """What settlements charged, in the order of writing."""
    words = named(cycle=cycle, customer=customer)
    return (await door.back.ask("charges", *words, page=Page(skip, limit))).told


@routes.post("/settle-due")
async def settle_due(door: Door, caller: Operator) -> Any:
    """Settle every billing cycle that closed a while ago and was not settled yet."""
    told = await door.back.ask("settle-due", page=Page(0, 1000), seconds=LONG)
    return told.told | {"warnings": told.warnings}


class Held(BaseModel):
    """Whose calls and decisions are kept, and what for: an account's, or all of a customer's."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Annotated[str, Field(max_length=200)] = ""
    customer: Annotated[str, Field(max_length=200)] = ""
    why: Annotated[str, Field(max_length=500)] = ""


@routes.get("/holds")
async def holds(door: Door, skip: Skip = 0, limit: Limit = 100) -> Any:
    """Whose calls and decisions are kept, however old."""
    return (await door.back.ask("hold", "list", page=Page(skip, limit))).told


@routes.post("/holds")
async def hold(door: Door, caller: Operator, held: Held) -> dict[str, Any]:
    """Keep all calls and decisions of an account or a customer until the hold is lifted."""
    told = await door.back.ask(
        "hold", "set", *named(customer=held.customer, why=held.why, by=caller.name), about=[held.account],
        text=True,
    )
    door.desk.heard("hold.set", caller.name, DOOR, told.told["said"])
    return dict(told.told)


@routes.post("/holds/lift")
async def lift(door: Door, caller: Operator, held: Held) -> dict[str, Any]:
    """Let what is old enough go again, with the next pruning."""
    told = await door.back.ask(
        "hold", "lift", *named(customer=held.customer, by=caller.name), about=[held.account], text=True
    )
    door.desk.heard("hold.lift", caller.name, DOOR, told.told["said"])
    return dict(told.told)


@routes.get("/prune")
async def pruning(door: Door) -> Any:
    """What [retention] lets go now. Nothing is removed."""
    return (await door.back.ask("prune", "--dry-run", seconds=LONG)).told


@routes.post("/prune")
async def prune(door: Door, caller: Operator) -> Any:
    """Remove what is older than [retention] says."""
    told = await door.back.ask("prune", seconds=LONG)
    door.desk.heard("prune", caller.name, DOOR, "what is older than [retention] says was removed")
    return told.told
