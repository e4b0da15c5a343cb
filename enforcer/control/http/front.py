"""What the HTTP door needs of a running enforcer, and who comes by it.

In: the parts of a control room. Out: `Front`, which every route finds at its application; the caller of a
request, or 401 and 403. Refuses to know: routes.

Who shows wrong tokens is told so some times a minute, and then only that it was too often. A good token is
good all the same: many callers may share one address, and nobody may lock an operator out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from prometheus_client import CollectorRegistry, Counter

from enforcer.admission import Admission
from enforcer.control.desk import Desk
from enforcer.control.feed import Feed, Happening, Subscriber
from enforcer.control.gateways import Gateways
from enforcer.control.http.backoffice import Backoffice
from enforcer.control.http.problems import Problem
from enforcer.control.http.tokens import Caller, Role, Tokens
from enforcer.control.pulse import Pulse
from enforcer.domain.call import NumberClass
from enforcer.domain.numbers import NumberPlan
from enforcer.settings import Settings
from enforcer.toml_models import meant

WRONG_A_MINUTE = 10
ADDRESSES = 1000        # of which wrong tokens are counted


@dataclass(frozen=True, slots=True)
class Front:
    """See the module. `overview` is this moment, from memory; `unready` is what keeps the enforcer from its
    work, a line each; `nearest` the accounts nearest their limits. `sessions` know a caller by something else
    than a token, such as a cookie."""

    settings: Settings
    desk: Desk
    feed: Feed
    admission: Admission
    gateways: Gateways
    plan: NumberPlan
    overview: Callable[[], dict[str, Any]]
    unready: Callable[[], list[str]]
    nearest: Callable[[], list[dict[str, Any]]]
    pulse: Pulse
    tokens: Tokens
    back: Backoffice
    imports: Backoffice         # a clerk of its own: a file takes long
    clock: Callable[[], float]
    registry: CollectorRegistry
    note: Callable[..., None]
    fault: Callable[..., None]
    sessions: list[Callable[[Request], Caller | None]] = field(default_factory=list)
    streams: set[Subscriber] = field(default_factory=set)
    run: str = field(default_factory=lambda: token_hex(3))
    importing: asyncio.Lock = field(default_factory=asyncio.Lock)
    wrong: OrderedDict[str, tuple[int, int]] = field(default_factory=OrderedDict)
    counters: list[Counter] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The metrics of this door."""
        self.counters.append(Counter(
            "enforcer_http_requests_total", "Requests by the class of their status.", ["status"],
            registry=self.registry,
        ))
        self.counters.append(Counter(
            "enforcer_http_wrong_tokens_total", "Requests with a token that is nobody's.",
            registry=self.registry,
        ))

    def emergency(self, number: str) -> bool:
        """Whether that is an emergency's number."""
        return self.plan.classify(number) is NumberClass.EMERGENCY

    def counted(self, status: int) -> None:
        """A request was answered."""
        self.counters[0].labels(f"{status // 100}xx").inc()

    async def close(self) -> None:
        """Streams end, and so does what is being looked up."""
        for subscriber in list(self.streams):
            subscriber.put(Happening(0, "end", self.clock(), {}))
        await self.back.stop()
        await self.imports.stop()

    def wrong_token(self, address: str) -> Problem:
        """Somebody there showed a token that is nobody's."""
        self.counters[1].inc()
        minute = int(self.clock() // 60)
        since, times = self.wrong.pop(address, (minute, 0))
        times = times + 1 if since == minute else 1
        self.wrong[address] = minute, times
        if len(self.wrong) > ADDRESSES:
            self.wrong.popitem(last=False)
        if times == 1:
            self.fault("http: wrong token", address=address)
        if times > WRONG_A_MINUTE:
            return Problem(429, "too many wrong tokens from there: try again in a minute", retry=60)
        return Problem(401, "the token is nobody's: it may be revoked, or past its time", bearer=True)


def front_of(request: Request) -> Front:
    """The enforcer behind a request."""
    return cast(Front, request.app.state.front)


async def _door(request: Request) -> Front:
    """The same, for routes. What routes depend on is asynchronous: else each would cost a thread."""
    return front_of(request)


def shown(request: Request) -> str | None:
    """The token that a request shows, None where it shows none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def caller_of(front: Front, request: Request) -> Caller | None:
    """Whose request it is, as far as it is anybody's. A session is a browser's: what changes anything must
    come from our own page."""
    token = shown(request)
    if token is not None:
        return front.tokens.whose(token)
    ours = request.method in ("GET", "HEAD") or request.headers.get("sec-fetch-site") == "same-origin"
    found = (session(request) for session in front.sessions) if ours else iter(())
    return next((caller for caller in found if caller is not None), None)


# Describes the token; what it shows is read by `shown`.
_BEARER = HTTPBearer(auto_error=False, description="A token made by `enforcer token create`.")


async def understood(request: Request) -> None:
    """Refuse what a route does not ask for: `?acount=acme` must not answer about the whole site."""
    dependant = request.scope["route"].dependant
    known = [one.alias for one in dependant.query_params]
    for name in request.query_params:
        if name not in known:
            hint = meant(name[:80], known) or (f" (there is {', '.join(known)})" if known else "")
            raise Problem(422, f"unknown parameter {name[:80]!r}{hint}")


async def _caller(request: Request, described: Annotated[object, Depends(_BEARER)]) -> Caller:
    front = front_of(request)
    found = caller_of(front, request)
    if found is not None:
        return found
    if shown(request) is None:
        raise Problem(401, "show a token: `enforcer token create` makes one", bearer=True)
    raise front.wrong_token(request.client.host if request.client else "")


def _with(*roles: Role) -> Callable[..., Awaitable[Caller]]:
    async def allowed(request: Request, caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if not any(caller.role.may(role) for role in roles):
            asked = {one.call for one in request.scope["route"].dependant.dependencies}
            takes = Role.OPERATOR if operator in asked else roles[0]    # in the end, whatever is asked first
            said = f"the token {caller.name} has the role {caller.role}, and this takes {takes}"
            raise Problem(403, said)
        return caller

    return allowed


viewer, operator = _with(Role.VIEWER), _with(Role.OPERATOR)

Door = Annotated[Front, Depends(_door)]
Viewer = Annotated[Caller, Depends(viewer)]
Operator = Annotated[Caller, Depends(operator)]
Gateway = Annotated[Caller, Depends(_with(Role.GATEWAY))]
Reader = Annotated[Caller, Depends(_with(Role.VIEWER, Role.GATEWAY))]
