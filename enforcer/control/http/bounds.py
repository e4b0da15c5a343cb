"""What every request has to keep to, and what every answer carries.

In: an ASGI application. Out: the same, behind limits: a body is read whole, up to a length and within a
deadline, before anybody looks at it. Refuses to know: routes.

What our own code fails on is counted and answered with 500; calls go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enforcer.control.http.problems import problem

LONGEST_BODY = 65_536
HEADERS = [
    (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class Bounds:
    """See the module. `counted` hears of each status, `fault` of what failed. Bodies at the paths of
    `streamed` are read by the route itself, which knows its own bounds."""

    def __init__(
        self, app: ASGIApp, deadline: float, counted: Callable[[int], None], fault: Callable[..., None],
        streamed: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._deadline = deadline
        self._counted = counted
        self._fault = fault
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        began = False

        async def told(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                self._counted(message["status"])
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"], *((name, value) for name, value in HEADERS if name not in there)
                ]
            await send(message)

        if scope["path"] in self._streamed:
            await self._served(scope, receive, told, lambda: began)
            return
        try:
            body = await self._body(scope, receive)
        except TimeoutError:
            await problem(408, f"the request did not arrive in {self._deadline:g} s")(scope, receive, told)
            return
        if body is None:
            said = f"the request has more than {LONGEST_BODY} bytes"
            await problem(413, said, {"Connection": "close"})(scope, receive, told)
            return
        await self._served(scope, _Once(body, receive), told, lambda: began)

    async def _served(self, scope: Scope, receive: Receive, send: Send, began: Callable[[], bool]) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self._fault("http: our own fault", problem=repr(error)[:200], route=_route(scope))
            if began():
                raise
            await problem(500, "our own fault: it is in the enforcer's log")(scope, receive, send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body, None where it is too long."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > LONGEST_BODY:
            return None
        body = bytearray()
        async with asyncio.timeout(self._deadline):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return bytes(body)
                body += message.get("body", b"")
                if len(body) > LONGEST_BODY:
                    return None
                if not message.get("more_body", False):
                    return bytes(body)


class _Once:
    """The body that was read, and then whatever the server says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> MutableMapping[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()


def _route(scope: Scope) -> str:
    """The route as it was written; what was asked may be a secret."""
    return str(getattr(scope.get("route"), "path", ""))
