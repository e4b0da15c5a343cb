"""A running control room with its HTTP door, for tests that ask there."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from enforcer import app, settings
from enforcer.control.http.front import Front
from enforcer.control.http.tokens import Role
from enforcer.domain.call import CallAttempt, Direction
from enforcer.domain.decision import Verdict
from enforcer.telemetry import Telemetry
from lab.process import free_port
from tests.support.house import House, one_rule

PACK = one_rule()
SITE = """
site = "lab"
[policy]
packs = ["pack.toml"]
mode = "{mode}"
[http]
listen = "127.0.0.1:{port}"
{http}
[[switch]]
name = "pbx1"
secret_env = "TEST_AMI_SECRET"
[[switch]]
name = "gw"
kind = "gateway"
"""


class Door:
    """An enforcer's HTTP door, a caller at it, and what is behind."""

    def __init__(self, site: House, built: app.House, port: int, tokens: dict[str, str]) -> None:
        self.site = site
        self.house = built
        self.port = port
        self.tokens = tokens
        assert built.room.http is not None
        self.app: Any = built.room.http.app
        self.front: Front = self.app.state.front
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False), base_url=self.url,
            timeout=60,
        )

    def headers(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}

    async def ask(self, method: str, path: str, role: str = "operator", **more: Any) -> httpx.Response:
        return await self.client.request(method, path, headers=self.headers(role), **more)

    async def get(self, path: str, role: str = "viewer", **params: Any) -> Any:
        response = await self.ask("GET", path, role, **({"params": params} if params else {}))
        assert response.status_code == 200, (path, response.status_code, response.text)
        return response.json()

    async def admit(
        self, name: str, number: str = "2125550123", account: str = "acme", **more: Any
    ) -> Any:
        facts = {"switch": "gw", "id": name, "account": account, "number": number} | more
        return await self.gateway("/v1/admit", facts)

    async def gateway(self, path: str, facts: dict[str, Any], status: int = 200) -> Any:
        response = await self.ask("POST", path, "gateway", json=facts)
        assert response.status_code == status, response.text
        return response.json()

    def call(self, number: int, account: str = "acme", sip_call_id: str = "") -> Verdict:
        return self.house.admission.admit(CallAttempt(
            call_id=f"pbx1/{number}", account=account, number="2125550123", caller="", at=time.time(),
            direction=Direction.OUTBOUND, switch="pbx1", sip_call_id=sip_call_id,
        )).verdict

    def metric(self, name: str, **labels: str) -> float | None:
        return self.house.telemetry.registry.get_sample_value(name, labels)


@asynccontextmanager
async def http_house(
    directory: Path, *, mode: str = "block", http: str = "", pack: str = PACK, listening: bool = False
) -> AsyncIterator[Door]:
    """A house with a token of each role; `listening` on its port too. TEST_AMI_SECRET has to be set."""
    site = House(directory, pack)
    port = free_port(socket.SOCK_STREAM)
    site.config.write_text(SITE.format(mode=mode, port=port, http=http))
    built = app.build(
        settings.load(site.config), Telemetry(CollectorRegistry()), asyncio.get_running_loop().call_soon
    )
    server = built.room.http
    assert server is not None
    door = Door(site, built, port, {})
    for role in Role:
        name = f"the-{role.value}"
        if any(token.name == name for token in door.front.tokens.all()):
            door.front.tokens.revoke(name)
        door.tokens[role.value] = door.front.tokens.make(name, role, None, "a test")
    task = asyncio.ensure_future(built.room.run())
    try:
        if listening:
            await server.start()
        yield door
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await door.front.close()
        await server.stop()
        await door.client.aclose()
        built.ledger.close()
