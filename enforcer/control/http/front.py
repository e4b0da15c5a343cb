"""What the HTTP door needs of a running enforcer, and who comes by it.

In: the parts of a control room. Out: `Front`, which every route finds at its application; the caller of a
request, or 401 and 403. Refuses to know: routes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CollectorRegistry

from enforcer.admission import Admission
from enforcer.control.desk import Desk
from enforcer.control.feed import Feed
from enforcer.control.http.problems import Problem
from enforcer.control.http.tokens import Caller, Role, Tokens
from enforcer.settings import Settings


@dataclass(frozen=True, slots=True)
class Front:
    """See the module. `overview` is this moment, from memory; `unready` is what keeps the enforcer from its
    work, a line each. `sessions` know a caller by something else than a token, such as a cookie."""

    settings: Settings
    desk: Desk
    feed: Feed
    admission: Admission
    overview: Callable[[], dict[str, Any]]
    unready: Callable[[], list[str]]
    tokens: Tokens
    clock: Callable[[], float]
    registry: CollectorRegistry
    note: Callable[..., None]
    fault: Callable[..., None]
    sessions: list[Callable[[Request], Caller | None]] = field(default_factory=list)


def front_of(request: Request) -> Front:
    """The enforcer behind a request."""
    return cast(Front, request.app.state.front)


_BEARER = HTTPBearer(auto_error=False, description="A token made by `enforcer token create`.")


def _caller(
    request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Caller:
    front = front_of(request)
    if shown is not None:
        found = front.tokens.whose(shown.credentials)
        if found is not None:
            return found
        raise Problem(401, "the token is nobody's: it may be revoked, or past its time", bearer=True)
    for session in front.sessions:
        found = session(request)
        if found is not None:
            return found
    raise Problem(401, "show a token: `enforcer token create` makes one", bearer=True)


def _with(role: Role) -> Callable[..., Caller]:
    def allowed(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if not caller.role.may(role):
            raise Problem(403, f"the token of {caller.name} is a {caller.role}'s, and this takes a {role}'s")
        return caller

    return allowed


Door = Annotated[Front, Depends(front_of)]
Viewer = Annotated[Caller, Depends(_with(Role.VIEWER))]
Operator = Annotated[Caller, Depends(_with(Role.OPERATOR))]
Gateway = Annotated[Caller, Depends(_with(Role.GATEWAY))]
