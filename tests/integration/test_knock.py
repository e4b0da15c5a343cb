"""A command tells the enforcer that runs on its ledger to look now; nothing hangs on anybody hearing it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from enforcer import app, lookout, settings
from enforcer.control.knock import beside, knock, reachable
from enforcer.domain.mode import Mode
from enforcer.telemetry import Telemetry
from tests.support.apart import Apart
from tests.support.house import CONFIG, House, one_rule

PACK = one_rule('at = 4, verdict = "block"')
NEVER = 3600.0


@pytest.fixture
def site(tmp_path: Path) -> House:
    return House(tmp_path, PACK)


@asynccontextmanager
async def running(site: House, window: bool = True) -> AsyncIterator[tuple[app.House, asyncio.Event]]:
    """An enforcer that takes over what others write; the event is set each time it did."""
    built = app.build(settings.load(site.config), Telemetry(CollectorRegistry()), lambda do: do())
    took = asyncio.Event()
    built.telemetry.note = lambda words, **about: took.set() if words == "took over changes" else None  # type: ignore[method-assign]
    tasks = [asyncio.create_task(app._take_over(built))]
    if window:
        tasks.append(asyncio.create_task(built.room.window.run()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield built, took
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        built.ledger.close()


async def test_what_a_command_writes_is_taken_over_though_nobody_looks_by_himself(
    site: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "CALM_SECONDS", NEVER)
    async with running(site) as (built, took):
        for mode in (Mode.TAG, Mode.BLOCK):
            took.clear()
            await asyncio.to_thread(site.ok, "mode", "set", mode.word)
            async with asyncio.timeout(30):
                await took.wait()
            assert built.admission.modes.settings(0.0)[-1].mode is mode
        assert not built.room.window._looking


async def test_where_the_window_is_shut_the_next_look_finds_it(
    site: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "CALM_SECONDS", 0.001)
    async with running(site, window=False) as (built, took):
        await asyncio.to_thread(site.ok, "mode", "set", "tag")
        async with asyncio.timeout(30):
            await took.wait()
        assert built.admission.modes.settings(0.0)[-1].mode is Mode.TAG


async def test_a_knock_makes_no_view_and_a_thousand_keep_nobody_out(
    site: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "CALM_SECONDS", NEVER)
    async with running(site) as (built, took):
        window, seen = built.room.window, []
        make, window._overview = window._overview, lambda: seen.append(1) or make()
        ledger = site.database
        heard = await asyncio.to_thread(lambda: [knock(ledger) for _ in range(1000)])
        assert any(heard)               # of more than wait to be let in, some are turned away
        with reachable(beside(ledger)) as name:
            reader, writer = await asyncio.open_unix_connection(name, limit=1 << 22)
        assert "overview" in json.loads(await reader.readline())
        assert len(seen) == 1
        assert len(window._coming) + len(window._looking) == 1
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        assert not took.is_set()        # a knock brings nothing but a look


def test_where_nobody_runs_nobody_is_told_and_the_command_does_its_work(site: House) -> None:
    assert not knock(site.database)
    site.ok("mode", "set", "tag")
    assert site.json("mode")[0]["mode"] == "tag"


@pytest.mark.parametrize("left", ["a socket", "a file", "a directory"])
def test_what_lies_where_the_window_was_is_let_lie(site: House, left: str) -> None:
    path = beside(site.database)
    if left == "a socket":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    elif left == "a file":
        path.write_text("precious")
    else:
        path.mkdir()
    assert not knock(site.database)
    site.ok("mode", "set", "tag")
    assert path.exists()


def test_one_who_never_lets_anybody_in_is_not_waited_for(site: House) -> None:
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(beside(site.database)))
        frozen.listen(0)
        while knock(site.database):     # until no more may wait
            pass
        site.ok("mode", "set", "tag")
        assert site.json("mode")[0]["mode"] == "tag"


def test_a_stranger_there_is_told_nothing(site: House) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(beside(site.database)))
        stranger.listen()
        site.ok("mode", "set", "block", "--reason", "secret")
        other, _ = stranger.accept()
        assert other.recv(100) == b""
        other.close()


def test_a_frozen_enforcer_follows_when_it_goes_on(tmp_path: Path) -> None:
    house = Apart(tmp_path, CONFIG + '[log]\nformat = "json"\n', **{"pack.toml": PACK})
    house.start()
    try:
        for _ in range(20):         # one that is frozen while it writes lets nobody else write
            house.signal(signal.SIGSTOP)
            done = house.run("mode", "set", "tag")
            house.signal(signal.SIGCONT)
            if done.exit_code == 0:
                break
            assert "locked" in done.stderr
        assert house.line("took over changes")["level"] == "info"
    finally:
        house.signal(signal.SIGCONT)
        house.stop()
