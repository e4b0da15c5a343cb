"""Tokens over HTTP: made, listed, revoked by an operator.

In: names and roles. Out: a new token, this once; what is known of the others. Refuses to know: hashes.

Nobody can make more of himself than he is: a token that one makes has at most one's own role, and counts no
longer than one's own. A gateway's token is a right of another kind, which an operator has not, and is made on
the machine itself.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from enforcer.control.http.backoffice import Page
from enforcer.control.http.front import Door, Front, Operator
from enforcer.control.http.ordering import DOOR
from enforcer.control.http.problems import DESCRIBED, Problem
from enforcer.control.http.reading import Limit, Skip
from enforcer.control.http.tokens import Caller, Role
from enforcer.spans import seconds_of, span_words

SLACK = 30          # s: the clerk makes a token some seconds after it was asked to

routes = APIRouter(prefix="/v1", tags=["tokens"], responses=DESCRIBED)

Name = Annotated[str, InPath(min_length=1, max_length=100)]


class Wanted(BaseModel):
    """A token to be made. `for` says how long it counts, such as "90d"; where it is left out, as long as the
    token that makes it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=100, description="Whose it is.")]
    role: Annotated[Role, Field(strict=False)]
    span: Annotated[str, Field(alias="for", max_length=20)] = ""


class Made(BaseModel):
    """A new token. It is told this once: of it, only a hash is kept."""

    name: str
    role: Role
    token: str


@routes.get("/tokens")
async def tokens(door: Door, caller: Operator, skip: Skip = 0, limit: Limit = 100) -> Any:
    """All tokens that were ever made; none of them is shown."""
    return (await door.back.ask("token", "list", page=Page(skip, limit))).told


@routes.post("/tokens")
async def create(door: Door, caller: Operator, wanted: Wanted) -> Made:
    """Make a token of at most one's own role, which counts no longer than one's own."""
    if not caller.role.may(wanted.role):
        raise Problem(403, f"the token {caller.name} has the role {caller.role}, and makes none of the role "
                           f"{wanted.role}: `enforcer token create` does, on the machine itself")
    told = await door.back.ask(
        "token", "create", f"--role={wanted.role.value}", f"--by={caller.name}",
        *_lasting(door, caller, wanted.span), about=[wanted.name],
    )
    door.desk.heard("token.create", caller.name, DOOR, f"token {wanted.name}: {wanted.role}")
    return Made(**told.told)


@routes.delete("/tokens/{name}")
async def revoke(door: Door, caller: Operator, name: Name) -> dict[str, Any]:
    """The token counts no more, from the next request on; it may be one's own."""
    told = await door.back.ask("token", "revoke", f"--by={caller.name}", about=[name], text=True)
    said: str = told.told["said"]
    door.desk.heard("token.revoke", caller.name, DOOR, said)
    return {"said": said}


def _lasting(door: Front, caller: Caller, span: str) -> list[str]:
    """The option that says how long a token counts. Raises Problem."""
    left = None if caller.until is None else int(caller.until - door.clock()) - SLACK
    if not span:
        return [] if left is None else [f"--for={max(left, 1)}s"]
    try:
        wanted = seconds_of(span)
    except ValueError as problem:
        raise Problem(422, f"for: {problem}") from None
    if left is not None and wanted > left:
        raise Problem(403, f"the token {caller.name} counts for {span_words(max(left, 1))} more, and makes "
                           "none that counts longer")
    return [f"--for={span}"]
