"""Orders over HTTP: the desk's own JSON at /v1/orders, and a route each for those who like routes.

In: JSON objects, the same as over MQTT; the order and what it is about may stand in the path. Out: the desk's
answer. Refuses to know: what orders do. Who gives one is the name of their token, whatever the order says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from enforcer.control.desk import Ack
from enforcer.control.http.front import Door, Operator
from enforcer.control.http.problems import DESCRIBED, Problem, problem
from enforcer.control.requests import MODELS, decoded
from enforcer.errors import BadInput

DOOR = "http"

routes = APIRouter(prefix="/v1", tags=["orders"], responses=DESCRIBED)

_ACK = {
    "type": "object", "required": ["accepted", "said"],
    "properties": {
        "accepted": {"type": "boolean"}, "said": {"type": "string"}, "repeated": {"type": "boolean"},
        "at": {"type": "string"},
        **{key: {"type": ["string", "null"]} for key in ("do", "id", "who", "door")},
    },
}

# Method, path, order, and what the last part of the path that is a name stands for.
SHORT: tuple[tuple[str, str, str, str], ...] = (
    ("PUT", "/mode", "mode.set", ""),
    ("PUT", "/ceiling", "mode.ceiling", ""),
    ("POST", "/accounts", "account.add", ""),
    ("PUT", "/accounts/{name}", "account.set", "account"),
    ("POST", "/accounts/{name}/suspend", "account.suspend", "account"),
    ("POST", "/accounts/{name}/resume", "account.resume", "account"),
    ("POST", "/accounts/{name}/terminate", "account.terminate", "account"),
    ("POST", "/optouts", "optout.add", ""),
    ("POST", "/optouts/remove", "optout.remove", ""),
    ("POST", "/strikes", "strike.add", ""),
    ("POST", "/strikes/{name}/withdraw", "strike.withdraw", "strike"),
    ("POST", "/notices/{name}/ack", "notice.ack", "notice"),
    ("POST", "/breaker/rearm", "breaker.rearm", ""),
    ("POST", "/reload", "reload", ""),
)


def _schema(do: str, without: tuple[str, ...]) -> dict[str, Any]:
    """What an order may say, except for what is said elsewhere."""
    found: dict[str, Any] = MODELS[do].model_json_schema()
    found["properties"] = {key: what for key, what in found["properties"].items() if key not in without}
    found["required"] = [key for key in found.get("required", []) if key not in without]
    found.pop("description", None)
    return found


def _described(schema: dict[str, Any], required: bool) -> dict[str, Any]:
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"content": {"application/json": {"schema": _ACK}}}},
    }


_ANY = {"oneOf": [
    {**_schema(do, ("who",)), "title": do, "properties": {
        **_schema(do, ("who",))["properties"], "do": {"const": do},
    }} for do in MODELS
]}
AN_ORDER = {"requestBody": _described(_ANY, True)["requestBody"]}


@routes.post("/orders", openapi_extra=_described(_ANY, True))
async def orders(door: Door, caller: Operator, request: Request) -> JSONResponse:
    """Give an order, as over MQTT: {"do": "mode.set", "mode": "block", "account": "acme"}. With an `id`, it
    may be given again: it is carried out once."""
    return _answer(await door.desk.take_patiently(await body_of(request), caller.name, DOOR, sure=True))


def _short(do: str, key: str) -> Callable[..., Awaitable[JSONResponse]]:
    async def give(door: Door, caller: Operator, request: Request, name: str = "") -> JSONResponse:
        try:
            facts = decoded(await body_of(request) or b"{}")
            for said in ("do", *((key,) if key else ())):
                if said in facts:
                    raise BadInput("", f"key {said!r} is said by the path here")
        except BadInput as error:
            raise Problem(422, str(error)) from None
        return _answer(await door.desk.take_patiently(
            facts | {"do": do} | ({key: name} if key else {}), caller.name, DOOR, sure=True
        ))

    async def given(door: Door, caller: Operator, request: Request) -> JSONResponse:
        return await give(door, caller, request)

    return give if key else given


for _method, _path, _do, _key in SHORT:
    _said = _schema(_do, ("do", "who", *((_key,) if _key else ())))
    routes.add_api_route(
        _path, _short(_do, _key), methods=[_method], name=_do, summary=f"The order {_do}",
        operation_id=_do.replace(".", "_"), openapi_extra=_described(_said, bool(_said["required"])),
    )


async def body_of(request: Request) -> bytes:
    """The body, which says that it is JSON: a page of another site cannot make a browser say so unasked."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise Problem(415, "say that the order is JSON: Content-Type: application/json")
    return body


def _answer(ack: Ack) -> JSONResponse:
    if ack.accepted:
        return JSONResponse(ack.facts())
    status = 503 if ack.ours else 404 if "no such" in ack.said and not ack.said.startswith("do:") else 422
    return problem(status, ack.said, **ack.facts())
