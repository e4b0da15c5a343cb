"""Whatever one door does, the others show: each door by each other, for what ops people do at night.

Nothing here waits for a length of time: each look waits for the news itself. That it comes within a second is
what `python -m tests.bench toggle` measures.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from enforcer import app
from tests.integration.test_mqtt import BASE, Ear
from tests.integration.test_page import Visit
from tests.support.broker import Broker
from tests.support.http_house import Door, http_house
from tests.support.parts import provided

Act = dict[str, str]
ACCOUNT = "acme"
DOORS = ("command line", "MQTT", "HTTP", "page")


class Doors:
    """One enforcer, and somebody at each of its doors."""

    def __init__(self, door: Door, ear: Ear, visit: Visit, stream: asyncio.Queue[dict[str, Any]]) -> None:
        self.door, self.ear, self.visit, self.stream = door, ear, visit, stream
        self.orders: dict[str, Callable[[Act], Awaitable[Any]]] = {
            "command line": self._command, "MQTT": self._mqtt, "HTTP": self._http, "page": self._page,
        }

    async def _command(self, act: Act) -> None:
        order = dict(act)
        group, word = order.pop("do").split(".")
        about = {"mode": "mode", "optout": "number", "account": "account", "strike": "customer"}[group]
        words = [group, word, order.pop(about, "big")]
        for name, value in order.items():
            words += [f"--{name}", value]
        await asyncio.to_thread(self.door.site.ok, *words)

    async def _mqtt(self, act: Act) -> None:
        answer = await self.ear.order("order", act)
        assert answer["accepted"], answer

    async def _http(self, act: Act) -> None:
        response = await self.door.ask("POST", "/v1/orders", json=act)
        assert response.status_code == 200, response.text

    async def _page(self, act: Act) -> None:
        assert "refused" not in await self.visit.press_twice(**act)

    async def told(self, fits: Callable[[str, dict[str, Any]], bool]) -> None:
        """Both streams tell of it: MQTT, and the events that the page and programs follow."""
        def on_topic(topic: str, payload: str) -> bool:
            if not payload.startswith("{") or "/event/" not in topic:
                return topic == f"{BASE}/account/{ACCOUNT}/mode" and fits("mode", json.loads(payload))
            return fits(topic.rpartition("/")[2], json.loads(payload))

        await self.ear.until(on_topic)
        async with asyncio.timeout(10):
            while True:
                happened = await self.stream.get()
                if fits(happened["kind"], happened["facts"]):
                    return

    async def seen(self, path: str, fits: Callable[[Any], bool], words: list[str]) -> None:
        """HTTP and the command line list it."""
        told = await self.door.get(path)
        assert fits(told.get("items", told)), path
        assert fits(await asyncio.to_thread(self.door.site.json, *words)), words


@pytest.fixture
async def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Doors]:
    parts = provided("mosquitto")
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    monkeypatch.setenv("TEST_MQTT_SECRET", "s3cret-of-the-broker")
    broker = Broker(parts)
    mqtt = f'[mqtt]\nurl = "mqtt://enforcer@127.0.0.1:{broker.port}"\nsecret_env = "TEST_MQTT_SECRET"\n'
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(broker)
        client = await stack.enter_async_context(broker.client("ann"))
        await client.subscribe("#", 1)
        door = await stack.enter_async_context(
            http_house(tmp_path, mode="monitor", http=mqtt, listening=True)
        )
        taking = asyncio.create_task(app._take_over(door.house))
        stream: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        following = asyncio.create_task(follow(door, stream))
        stack.callback(taking.cancel)
        stack.callback(following.cancel)
        visit = Visit(door)
        stack.push_async_callback(visit.client.aclose)
        await visit.log_in()
        ear = Ear(client)
        await ear.online()
        yield Doors(door, ear, visit, stream)


async def follow(door: Door, stream: asyncio.Queue[dict[str, Any]]) -> None:
    """The server-sent events, as a browser reads them."""
    kind, headers = "", door.headers("viewer")
    async with (
        httpx.AsyncClient(base_url=door.url, headers=headers, timeout=60) as client,
        client.stream("GET", "/v1/events") as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                stream.put_nowait({"kind": kind, "facts": json.loads(line[6:])})


async def test_whatever_one_door_does_the_others_show(doors: Doors) -> None:
    for name, mode, number in zip(
        DOORS, ("tag", "throttle", "block", "off"), (f"+1212555018{nth}" for nth in range(4)), strict=True
    ):
        await all_acts(doors, name, mode, number)


async def all_acts(doors: Doors, name: str, mode: str, number: str) -> None:
    """A mode, an opt-out, a strike, a suspension by one door; after each, a look at every other."""
    give, reason, ledger = doors.orders[name], f"asked by {name}", doors.door.house.ledger
    about = {"account": ACCOUNT, "reason": reason}
    await give({"do": "mode.set", "mode": mode} | about)
    await doors.told(lambda kind, f: kind == "mode" and (f["mode"], f["why"]) == (mode, reason))
    await doors.seen("/v1/modes", lambda told: (ACCOUNT, mode, reason) in [
        (one["account"], one["mode"], one["why"]) for one in told
    ], ["mode"])
    modes = {one.account: one.mode.word for one in doors.door.house.admission.modes.settings(0.0)}
    assert modes[ACCOUNT] == mode       # the next call is judged by it

    await give({"do": "optout.add", "number": number} | about)
    await doors.told(lambda kind, f: kind == "record" and (f["record"], f["ref"]) == ("opt-out", number))
    await doors.seen("/v1/optouts", lambda told: number in json.dumps(told), ["optout", "list"])
    assert [one.number for one in ledger.registers.opt_outs.of(number, "big")] == [number]

    customer = {"customer": "big"} if name == "command line" else {}
    await give({"do": "strike.add", "kind": "spam"} | about | customer)
    await doors.told(lambda kind, f: kind == "record" and (f["record"], f["account"]) == ("strike", ACCOUNT))
    await doors.seen("/v1/strikes", lambda told: reason in json.dumps(told), ["strike", "list"])

    await give({"do": "account.suspend"} | about)
    await doors.told(lambda kind, f: standing(kind, f) == "suspended")
    await doors.seen(f"/v1/accounts/{ACCOUNT}", lambda told: told["standing"] == "suspended",
                     ["account", "show", ACCOUNT])
    assert ledger.account(ACCOUNT).standing.value == "suspended"

    page = await doors.visit.page(f"/account?name={ACCOUNT}")
    for shown in (number, f"suspended: {reason}", "spam", mode):
        assert re.search(rf"{re.escape(shown)}\b", page), (name, shown)
    await give({"do": "account.resume"} | about)
    await doors.told(lambda kind, f: standing(kind, f) == "active")


def standing(kind: str, facts: dict[str, Any]) -> str:
    """What an event says of the account's standing."""
    if kind == "record":
        return facts["standing"] or ""
    return facts["said"].rpartition(" ")[2] if kind == "order" and ACCOUNT in facts["said"] else ""
