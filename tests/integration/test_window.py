"""The window: whoever may read the ledger sees the enforcer at work, and nobody who looks is in its way."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from enforcer import app, settings
from enforcer.control import window
from enforcer.control.knock import beside, reachable
from enforcer.control.look import Look
from enforcer.control.window import MOST, MOST_TOLD, UNREAD
from enforcer.domain.call import CallAttempt, Direction
from enforcer.errors import LinkError
from enforcer.telemetry import Telemetry
from tests.support.house import SWITCH, House, one_rule
from tests.support.running import built

NOW = 1_795_309_510.0
PACK = one_rule('at = 4, verdict = "block"')


class Seen:
    """A connection to the window, and what it showed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def next(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                line = json.loads(await self.reader.readline())
                if kind in line:
                    found: dict[str, Any] = line[kind]
                    return found

    async def over(self) -> bool:
        async with asyncio.timeout(10):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
            return True


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    monkeypatch.setattr(window, "SECONDS", 0.05)
    site = House(tmp_path, PACK, SWITCH)
    with built(site.config, lambda: NOW) as found:
        yield found


@asynccontextmanager
async def opened(house: app.House) -> AsyncIterator[Callable[[], Any]]:
    """The window, open; the function looks through it."""
    task = asyncio.create_task(house.room.window.run())
    path = beside(house.settings.ledger_path)

    all_seen: list[Seen] = []

    async def look() -> Seen:
        with reachable(path) as name:
            all_seen.append(Seen(*await asyncio.open_unix_connection(name, limit=1 << 22)))
        return all_seen[-1]

    await asyncio.sleep(0)          # it listens after its first step
    try:
        yield look
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for seen in all_seen:
            seen.writer.transport.abort()
        await asyncio.gather(*(seen.writer.wait_closed() for seen in all_seen), return_exceptions=True)


def call(house: app.House, number: int, account: str = "acme") -> None:
    house.admission.admit(CallAttempt(
        call_id=f"pbx1/{number}", account=account, number="2125550123", caller="", at=NOW,
        direction=Direction.OUTBOUND, switch="pbx1",
    ))


async def test_whoever_looks_sees_this_moment_and_what_happens(house: app.House) -> None:
    for number in range(3):
        call(house, number)
    async with opened(house) as look:
        assert stat.S_IMODE(beside(house.settings.ledger_path).stat().st_mode) == 0o600
        seen = await look()
        view = await seen.next("overview")
        assert (view["site"], view["decisions"][-1]["allow"]) == ("lab", 3)
        (near,) = view["nearest"]
        assert (near["account"], near["rule"], near["used"], near["level"]) == (
            "acme", "calls", "0.75", "fine",
        )
        house.room.desk.take({"do": "mode.ceiling", "mode": "tag", "reason": "drill"}, "ann", "http")
        happened = await seen.next("happened")
        assert (happened["kind"], happened["facts"]["who"]) == ("order", "ann")
        assert (await seen.next("overview"))["ceiling"]["why"] == "drill"
        later = await look()
        await later.next("overview")
        assert (await later.next("happened"))["number"] == happened["number"]       # told to who comes later
    assert not beside(house.settings.ledger_path).exists()
    assert await seen.over()


async def test_who_does_not_read_misses_what_happens_and_holds_up_nobody(house: app.House) -> None:
    async with opened(house) as look:
        lazy, seen = await look(), await look()
        await seen.next("overview")
        lazy.writer.transport.pause_reading()
        text = "x" * 20_000
        for _ in range(20):
            for _ in range(MOST_TOLD // 2):
                house.telemetry.fault("flood", words=text)
            await seen.next("overview")
        waiting = [one._transport.get_write_buffer_size() for one in house.room.window._looking]
        assert len(waiting) == 2
        assert max(waiting) <= UNREAD + 200_000
        house.telemetry.fault("the end")
        while (await seen.next("happened"))["facts"]["fault"] != "the end":
            pass


async def test_who_writes_is_let_go_and_so_is_who_was_here_first_where_too_many_come(
    house: app.House,
) -> None:
    async with opened(house) as look:
        chatty = await look()
        chatty.writer.write(b'{"do": "mode.ceiling", "mode": "off"}\n')
        assert await chatty.over()
        assert house.admission.modes.ceiling(NOW) is None
        first = await look()
        others = [await look() for _ in range(MOST)]
        assert await first.over()
        for one in others:
            await one.next("overview")


async def test_what_a_dead_enforcer_left_is_replaced_and_what_is_not_ours_stays(house: app.House) -> None:
    path = beside(house.settings.ledger_path)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with opened(house) as look:
        assert await (await look()).next("overview")
    path.write_text("precious")
    async with opened(house):
        await house.room._open_window()
    assert house.room.faults[-1]["fault"] == "no window for enforcer top"
    assert path.read_text() == "precious"


def first(ledger: Path) -> dict[str, Any]:
    with closing(Look(ledger)) as looking:
        return looking.first()


async def test_a_ledger_may_lie_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    site = House(deep, PACK)
    built = app.build(settings.load(site.config), Telemetry(CollectorRegistry()), lambda do: do())
    try:
        async with opened(built):
            assert (await asyncio.to_thread(first, built.settings.ledger_path))["site"] == "lab"
    finally:
        built.ledger.close()


def test_where_nobody_runs_it_is_said_what_to_do(tmp_path: Path) -> None:
    site = House(tmp_path, PACK)
    assert "start one with `enforcer run`" in site.refused("top")
    assert "start one with `enforcer run`" in site.refused("top", "--once", "--json")


@pytest.mark.parametrize("line", [b"HTTP/1.1 400 Bad Request\r\n", b"[1, 2]\n{broken\n"])
def test_who_shows_something_else_is_no_enforcer(tmp_path: Path, line: bytes) -> None:
    ledger = tmp_path / "enforcer.db"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(beside(ledger)))
        server.listen()
        looking = Look(ledger)
        other, _ = server.accept()
        other.sendall(line)
        with pytest.raises(LinkError, match="no enforcer"):
            looking.first()
        other.close()
        looking.close()


def test_an_enforcer_that_stops_is_said_to_have(tmp_path: Path) -> None:
    ledger = tmp_path / "enforcer.db"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(beside(ledger)))
        server.listen()
        looking = Look(ledger)
        server.accept()[0].close()
        with pytest.raises(LinkError, match="has stopped"):
            looking.first()
        looking.close()
