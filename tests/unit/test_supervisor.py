"""What a service manager hears of us, at a real socket."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from enforcer.supervisor import NOBODY, Supervisor


@pytest.fixture(params=["file", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that a manager listens at, and its name as systemd gives it."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@enforcer-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name[1:] if name.startswith("@") else name)
        listening.settimeout(10)
        yield listening, name


def test_ready_and_stopping_are_said(ear: tuple[socket.socket, str]) -> None:
    listening, name = ear
    supervisor = Supervisor.of({"NOTIFY_SOCKET": name})
    supervisor.ready()
    supervisor.stopping()
    assert [listening.recv(100), listening.recv(100)] == [b"READY=1", b"STOPPING=1"]


async def test_the_watchdog_is_fed_again_and_again(ear: tuple[socket.socket, str]) -> None:
    listening, name = ear
    told = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())}
    feeding = asyncio.create_task(Supervisor.of(told).watched())
    heard = [await asyncio.to_thread(listening.recv, 100) for _ in range(3)]
    feeding.cancel()
    assert heard == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
async def test_a_watchdog_that_is_not_ours_is_not_fed(told: dict[str, str], seconds: float) -> None:
    supervisor = Supervisor.of(told)
    assert supervisor.watchdog == seconds
    if not seconds:
        await supervisor.watched()      # over at once


@pytest.mark.parametrize("name", ["", "/nowhere/at/all", "vsock:2:1"])
def test_a_manager_that_does_not_listen_costs_nothing(name: str) -> None:
    Supervisor(name).ready()
    NOBODY.stopping()


def test_a_manager_that_does_not_read_holds_nobody_up(ear: tuple[socket.socket, str]) -> None:
    supervisor = Supervisor(ear[1])
    for _ in range(2000):
        supervisor.ready()
