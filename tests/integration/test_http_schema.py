"""Every route against its own description: whatever is sent, what comes back is as OpenAPI says.

ENFORCER_HTTP_EXAMPLES says how many requests each route is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any
from unittest import SkipTest

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from enforcer.control.requests import MODELS
from tests.support.http_house import Door, http_house

EXAMPLES = int(os.environ.get("ENFORCER_HTTP_EXAMPLES", "1"))
CHECKS: list[CheckFunction] = [status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = "/v1/events"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A house that runs in a thread of its own, so that requests come from outside."""
    ready, found = threading.Event(), []

    async def live() -> None:
        over = asyncio.Event()
        async with http_house(tmp_path_factory.mktemp("http"), listening=True) as built:
            found.append((built, asyncio.get_running_loop(), over))
            ready.set()
            await over.wait()

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
        thread = threading.Thread(target=lambda: asyncio.run(live()))
        thread.start()
        assert ready.wait(30)
        built, loop, over = found[0]
        yield built
        loop.call_soon_threadsafe(over.set)
        thread.join(30)


def role_for(path: str, method: str) -> str:
    if path in ("/v1/admit", "/v1/message") or path.startswith("/v1/calls/"):
        return "gateway"
    return "viewer" if method == "GET" else "operator"


def hold(door: Door, operation: Any, role: str) -> None:
    """Send the route what its description allows, and what it does not, and see whether the answers are as
    described."""
    def holds(case: Any) -> None:
        response = case.call(base_url=door.url, headers=door.headers(role))
        assert response.status_code != 500, (case.as_curl_command(), response.text)
        case.validate_response(response, checks=CHECKS)

    steady = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    steady(given(case=operation.as_strategy())(holds))()
    if operation.body or operation.query or operation.path_parameters:
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        with contextlib.suppress(Unsatisfiable, SkipTest):      # of some routes nothing can be wrong
            steady(given(case=wrong)(holds))()


def test_every_route_answers_as_it_is_described(door: Door) -> None:
    described = httpx.get(f"{door.url}/v1/openapi.json").json()
    tried = []
    for result in schemathesis.openapi.from_dict(described).get_all_operations():
        operation = result.ok()
        if operation.path != ENDLESS:
            hold(door, operation, role_for(operation.path, operation.method.upper()))
            tried.append(operation.path)
    assert len(tried) > 40
    assert [fault for fault in door.house.room.faults if fault["fault"].startswith("http")] == []


def test_the_description_names_every_order_and_asks_for_a_token(door: Door) -> None:
    described = httpx.get(f"{door.url}/v1/openapi.json").json()
    schema = described["paths"]["/v1/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert [one["properties"]["do"]["const"] for one in schema["oneOf"]] == list(MODELS)
    for path, methods in described["paths"].items():
        for told in methods.values():
            assert ("security" in told) is (path not in ("/healthz", "/readyz", "/metrics"))
