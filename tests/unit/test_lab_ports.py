"""Ports for the lab: no two tests, and no two workers, are given the same."""

from __future__ import annotations

import socket
from itertools import count

import pytest

from lab import process
from lab.process import free_port


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_workers_share_the_ports_out(workers: int) -> None:
    shares = [
        process._ports({"PYTEST_XDIST_WORKER": f"gw{n}", "PYTEST_XDIST_WORKER_COUNT": str(workers)})
        for n in range(workers)
    ]
    for (first, many), (after, _) in zip(shares, [*shares[1:], (20_001, 0)], strict=True):
        assert 10_000 <= first < first + many <= after


def test_a_port_is_not_given_again_before_it_can_be_bound() -> None:
    some = [free_port() for _ in range(200)]
    assert len(set(some)) == 200


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_one_protocol_holds_is_free_for_neither(
    kind: socket.SocketKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_INET, kind) as held:
        held.bind(("127.0.0.1", free_port()))
        port = held.getsockname()[1]
        drawn = count(port)
        monkeypatch.setattr(process.secrets, "randbelow", lambda _many: next(drawn))
        monkeypatch.setattr(process, "_ports", lambda _environment: (0, 1))
        assert free_port() != port
