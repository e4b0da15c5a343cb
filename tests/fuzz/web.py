"""The HTTP door and the page of metrics, from the bytes on: what strangers send, and who has a token.

No socket is opened: the server's own protocol is given transports of ours. Questions about the past are not
put to a clerk here (a process of its own), and orders are read, not carried out (`room` does that).
"""

from __future__ import annotations

import asyncio
import io
import os
import re
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter

from enforcer import app, settings
from enforcer.control.desk import Ack
from enforcer.control.http.backoffice import Told
from enforcer.control.http.problems import Problem
from enforcer.control.http.server import HttpServer
from enforcer.control.http.tokens import Role
from enforcer.control.requests import decoded, request_of
from enforcer.errors import BadInput
from enforcer.metrics_server import _page, _Visit
from enforcer.telemetry import Telemetry
from tests.fuzz.doors import Wire
from tests.fuzz.files import _place
from tests.fuzz.room import PACK
from tests.fuzz.target import Target

TURNS = 60              # of the loop, for one request
ROLES = {b"VIEWER": Role.VIEWER, b"OPERATOR": Role.OPERATOR, b"GATEWAY": Role.GATEWAY}
SITE = """
site = "lab"
[ledger]
url = "sqlite:///web.db"
[policy]
packs = ["web-pack.toml"]
mode = "block"
[http]
listen = "127.0.0.1:1"
[[switch]]
name = "pbx1"
secret_env = "FUZZ_SECRET"
[[switch]]
name = "gw"
kind = "gateway"
"""


class _Web:
    """A house with its HTTP door, never opened."""

    def __init__(self) -> None:
        os.environ["FUZZ_SECRET"] = "x"
        place = _place("web.toml")
        place.write_text(SITE)
        place.with_name("web-pack.toml").write_text(PACK)
        self.loop = asyncio.new_event_loop()
        self.faults: list[object] = []
        house = app.build(settings.load(place), Telemetry(CollectorRegistry()), self.loop.call_soon)
        self.house = house
        house.telemetry.on_fault.append(self._fault)
        assert house.room.http is not None
        self.http: HttpServer = house.room.http
        front: Any = cast(Any, self.http.app).state.front
        front.tokens.path.unlink(missing_ok=True)
        self.tokens = {mark: front.tokens.make(mark.decode(), role, None, "fuzz").encode()
                       for mark, role in ROLES.items()}
        front.back.ask = _nobody_looks
        front.desk.take_patiently = _read_only
        self.front = front
        self.config: Any = self.http._server.config


    def _fault(self, kind: str, about: object) -> None:
        if kind != "http: wrong token":
            self.faults.append((kind, about))


async def _nobody_looks(*_: object, **__: object) -> Told:
    raise Problem(503, "nobody looks anything up here")


async def _read_only(told: Any, who: str, door: str, sure: bool = False) -> Ack:
    try:
        facts = decoded(told) if isinstance(told, bytes | str) else told
        request_of(facts, who, sure)
    except BadInput as problem:
        return Ack(False, str(problem), door=door)
    return Ack(True, "read", door=door)


@cache
def _web() -> _Web:
    return _Web()


def _http(data: bytes) -> None:
    """Whatever comes: answers of HTTP, none of them our own fault, no markup of theirs; and nothing stays."""
    web = _web()
    for mark, token in web.tokens.items():
        data = data.replace(mark, token)
    state = web.http._server.server_state
    wire = Wire()
    protocol: Any = web.config.http_protocol_class(
        config=web.config, server_state=state, app_state={}, _loop=web.loop,
    )

    async def visit() -> None:
        protocol.connection_made(wire)
        half = len(data) // 2 if len(data) % 3 == 0 else len(data)
        for piece in (data[:half], data[half:]):
            if piece and not wire.closing:
                protocol.data_received(piece)
            await asyncio.sleep(0)
        for _ in range(TURNS):
            if wire.closing or not state.tasks:
                break
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        for _ in range(TURNS):
            if not state.tasks:
                break
            await asyncio.sleep(0)
        left = list(state.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    web.loop.run_until_complete(visit())
    assert not web.faults, web.faults.pop()
    assert not state.connections
    assert not state.tasks
    assert not web.front.streams
    _sound(bytes(wire.said), data)


MARKUP = re.compile(rb"<script>alert|<img src=x|<b>fuzz", re.IGNORECASE)


def _sound(said: bytes, data: bytes) -> None:
    if not said:
        return
    for answer in re.split(rb"(?=HTTP/1\.1 \d\d\d )", said)[1:]:
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head[9:12])
        assert status < 500 or status == 503, answer[:300]
        if b"text/html" in head:
            assert not MARKUP.search(body), answer[:2000]
        names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
        assert b"x-evil" not in names, head


@cache
def _metrics_app() -> tuple[Any, CollectorRegistry]:
    registry = CollectorRegistry()
    Counter("enforcer_faults_total", "Faults.", registry=registry).inc()
    return _page(registry), registry


class _Paper:
    """A socket on paper."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.said = bytearray()

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self.data)

    def settimeout(self, _seconds: float) -> None:
        pass

    def setsockopt(self, *_: object) -> None:
        pass

    def sendall(self, data: Any) -> None:
        self.said += bytes(data)


def _metrics(data: bytes) -> None:
    """A page of metrics, or an answer that quotes nobody as HTML."""
    page, _ = _metrics_app()
    paper = _Paper(data)
    server = SimpleNamespace(
        base_environ={"SERVER_NAME": "x", "SERVER_PORT": "1", "GATEWAY_INTERFACE": "CGI/1.1",
                      "SCRIPT_NAME": "",
                      "REMOTE_HOST": "", "CONTENT_LENGTH": ""},
        get_app=lambda: page,
    )
    _Visit(cast(Any, paper), ("127.0.0.1", 5), cast(Any, server))
    head = bytes(paper.said).partition(b"\r\n\r\n")[0]
    if head.startswith(b"HTTP"):
        assert b" 500 " not in head[:20]
        assert not MARKUP.search(bytes(paper.said)), bytes(paper.said)[:500]
        assert b"\r\nx-evil" not in head.lower()


def _asks(method: bytes, path: bytes, who: bytes = b"", body: bytes = b"", more: bytes = b"") -> bytes:
    head = method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n" + more
    if who:
        head += b"Authorization: Bearer " + who + b"\r\n"
    if body:
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body


FORM = (b"POST /login HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 26\r\n\r\ntoken=VIEWER&back=%2F%3Cb%3E")
_REQUESTS = (
    _asks(b"POST", b"/v1/admit", b"GATEWAY",
          b'{"switch": "gw", "id": "c-1", "account": "acme", "number": "12025550142", "route": "x"}'),
    _asks(b"POST", b"/v1/admit", b"GATEWAY", b'{"switch": "gw", "id": "c-2", "number": "911"}'),
    _asks(b"POST", b"/v1/message", b"GATEWAY",
          b'{"switch": "gw", "id": "m-1", "account": "acme", "to": "12025550142", "text": "STOP"}'),
    _asks(b"POST", b"/v1/calls/answered", b"GATEWAY", b'{"switch": "gw", "id": "c-1", "at": 1795309510.5}'),
    _asks(b"POST", b"/v1/calls/ended", b"GATEWAY",
          b'{"switch": "gw", "id": "c-1", "sip_code": 200, "hangup_cause": 16, "number": "1"}'),
    _asks(b"GET", b"/v1/overview", b"VIEWER"), _asks(b"GET", b"/v1/events?kinds=mode&since=1", b"VIEWER"),
    _asks(b"GET", b"/metrics", b"VIEWER"), _asks(b"GET", b"/"), _asks(b"GET",
                                                                      b"/login?back=/%3Cscript%3Ealert"),
    _asks(b"POST", b"/v1/orders", b"OPERATOR", b'{"do": "mode.set", "mode": "block", "account": "acme"}'),
    _asks(b"PUT", b"/v1/mode", b"OPERATOR", b'{"mode": "tag", "reason": "<script>alert(1)</script>"}'),
    _asks(b"POST", b"/v1/accounts/acme/suspend", b"OPERATOR", b'{"reason": "x"}'), FORM,
    _asks(b"GET", b"/account?name=%3Cscript%3Ealert(1)%3C/script%3E", b"VIEWER"),
    _asks(b"GET", b"/v1/calls?account=acme&limit=5", b"VIEWER"), _asks(b"GET", b"/healthz"),
    _asks(b"GET", b"/v1/openapi.json", b"VIEWER"),
)
_WORDS = (
    b"\r\n", b"\r\n\r\n", b"GET ", b"POST ", b"PUT ", b"DELETE ", b"HEAD ", b"OPTIONS * ", b" HTTP/1.1",
    b" HTTP/1.0",
    b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"Expect: 100-continue\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"Host: ", b"Cookie: enforcer=",
    b"Authorization: Bearer ",
    b"Bearer VIEWER", b"VIEWER", b"OPERATOR", b"GATEWAY", b"Content-Type: application/json\r\n",
    b"%0d%0aX-Evil: 1",
    b"<script>alert(1)</script>", b"%3Cscript%3Ealert", b"<img src=x onerror=y>", b"<b>fuzz", b"%00",
    b"%ff", b"../",
    b"/v1/", b"accounts/", b"events", b"?limit=", b"&skip=-1", b"9" * 20, b"null", b"1e999", b"NaN",
    b"\\ud800",
    b"[" * 50, b'"number": "911"', b"\0", b"\xff", b"Last-Event-ID: ", b"HX-Request: true\r\n",
)  # fmt: skip
TARGETS = (
    Target("http_api", _http, lambda: list(_REQUESTS), _WORDS),
    Target("metrics", _metrics, lambda: [
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n",
        b"GET /metrics?name[]=enforcer HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n", b"GET /<script>alert(1)</script> HTTP/1.1\r\n\r\n",
        b"HEAD /favicon.ico HTTP/1.1\r\n\r\n",
    ], (*_WORDS, b"Accept: application/openmetrics-text", b"Accept-Encoding: gzip", b"?name[]=",
        b"HTTP/9.9")),
)  # fmt: skip
