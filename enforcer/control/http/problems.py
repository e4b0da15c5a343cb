"""What went wrong, as RFC 9457 has it: application/problem+json, one clear line each.

In: errors. Out: answers. Refuses to know: whose errors they are. Nothing that came with a request is told
again, except words that were read as values, and never a token.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from enforcer.errors import BadInput, EnforcerError

_SCHEMA = {
    "type": "object", "required": ["status", "title", "problem"],
    "properties": {
        "status": {"type": "integer"}, "title": {"type": "string"}, "problem": {"type": "string"},
    },
}
_ANSWER = {"content": {"application/problem+json": {"schema": _SCHEMA}}}
DESCRIBED: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request cannot be read."} | _ANSWER,
    401: {"description": "No token, or nobody's."} | _ANSWER,
    403: {"description": "A token of another role."} | _ANSWER,
    404: {"description": "Nothing of that name."} | _ANSWER,
    413: {"description": "The request is too long."} | _ANSWER,
    422: {"description": "A value that cannot be used; nothing was done."} | _ANSWER,
    429: {"description": "Too many requests with wrong tokens."} | _ANSWER,
    503: {"description": "Not now; nothing was done."} | _ANSWER,
}
"""What every route may answer besides its good news, for OpenAPI."""


class Problem(Exception):
    """An answer that is no good news. `bearer`: a token would help."""

    def __init__(self, status: int, said: str, *, bearer: bool = False, retry: int = 0) -> None:
        self.status = status
        self.said = said
        self.headers: dict[str, str] = {}
        if bearer:
            self.headers["WWW-Authenticate"] = 'Bearer realm="enforcer"'
        if retry:
            self.headers["Retry-After"] = str(retry)
        super().__init__(said)


def problem(status: int, said: str, headers: dict[str, str] | None = None, /, **more: Any) -> JSONResponse:
    """The answer. `said` is for people."""
    facts = {"status": status, "title": HTTPStatus(status).phrase, "problem": said} | more
    return JSONResponse(facts, status, headers, "application/problem+json")


def install(
    app: FastAPI, rescue: Callable[[Request, object], Response | None],
    page: Callable[[Request, int, str], Response | None],
) -> None:
    """Answer every error of the application so. `rescue` may have an answer to a body that cannot be used,
    `page` one for people whose browser asks."""
    async def told(request: Request, error: Exception) -> Response:
        match error:
            case Problem():
                return problem(error.status, error.said, error.headers)
            case RequestValidationError():
                said = _lines(error)
                return rescue(request, error.body) or page(request, 422, said) or problem(422, said)
            case HTTPException():
                headers = dict(error.headers or {})
                said = _guided(error, headers.get("Allow", ""))
                return page(request, error.status_code, said.partition(":")[0]) or problem(
                    error.status_code, said, headers
                )
            case BadInput():
                return problem(422, str(error))
            case _:
                return problem(503, str(error))

    for kind in (Problem, RequestValidationError, HTTPException, EnforcerError):
        app.add_exception_handler(kind, told)


def _guided(error: HTTPException, takes: str) -> str:
    """What the framework found, and where to look: its own words say the status once more."""
    match error.status_code:
        case 404:
            return "there is nothing at this address: /v1/openapi.json lists what there is"
        case 405:
            return f"this address takes {takes or 'another method'}: see /v1/openapi.json"
        case _:
            return str(error.detail)


def _lines(error: RequestValidationError) -> str:
    found = []
    for one in error.errors()[:5]:
        if one["type"] == "json_invalid":
            return f"the request is no JSON: {one['ctx']['error']}"
        where = ".".join(str(part) for part in one["loc"] if part not in ("body", "query", "path"))
        found.append(f"{where}: {one['msg']}" if where else str(one["msg"]))
    return "; ".join(found)
