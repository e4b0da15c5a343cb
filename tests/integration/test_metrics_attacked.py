"""The page of metrics under attack: it is served all the same, by few threads, and quotes nobody."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from enforcer.metrics_server import MOST, MetricsServer
from enforcer.telemetry import Telemetry


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    registry = CollectorRegistry()
    Counter("enforcer_faults_total", "Faults.", registry=registry).inc()
    server = MetricsServer("127.0.0.1", 0, registry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def scraped(server: MetricsServer) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def said(server: MetricsServer, data: bytes) -> bytes:
    """What is answered to these bytes, until the connection is closed."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as one:
        try:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: one.recv(65_536), b""))
        except ConnectionError:
            return b""


def alone(before: int) -> bool:
    """Whether the threads of those who left are gone, as soon as they are."""
    for thread in threading.enumerate()[:]:
        if thread is not threading.current_thread() and "process_request" in thread.name:
            thread.join(timeout=10)
    return threading.active_count() <= before


@pytest.mark.parametrize("said_first", [b"", b"GET /metrics HTTP/1.1\r\nX: "])
def test_who_says_nothing_makes_room_for_who_scrapes(server: MetricsServer, said_first: bytes) -> None:
    before = threading.active_count()
    idle = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(60)]
    for one in idle:
        try:
            one.sendall(said_first)
        except ConnectionError:
            continue
    for _ in range(3):
        assert "enforcer_faults_total 1.0" in scraped(server)
        assert threading.active_count() <= before + 2 * MOST
    assert server.crowded >= 60 - MOST
    for one in idle:
        one.close()
    assert alone(before)


def test_visits_for_which_no_thread_could_be_started_take_no_room_from_later_ones(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    refused = []

    def none_left(thread: threading.Thread) -> None:
        if "process_request" not in thread.name:
            return start(thread)
        refused.append(thread)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    for _ in range(3 * MOST):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as one:
            assert one.recv(100) == b""                 # hung up on
    assert len(refused) == 3 * MOST                     # more than there is room for
    monkeypatch.setattr(threading.Thread, "start", start)
    assert "enforcer_faults_total 1.0" in scraped(server)


@pytest.mark.parametrize("garbage", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, b"\0" * 70_000, b"agi_network: yes\n\n",
    b"\r\n\r\n", b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
])
def test_what_is_no_scrape_is_answered_or_closed_and_the_next_one_served(
    server: MetricsServer, garbage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = said(server, garbage)
    assert len(answer) < 100_000
    assert "enforcer_faults_total" in scraped(server)
    assert capfd.readouterr() == ("", "")       # no traceback, and no line for everybody who looks


def test_no_page_quotes_what_a_stranger_wrote_as_html(server: MetricsServer) -> None:
    for line in (b"<script>alert(1)</script>", b"GET /<script> HTTP/<b>", b"<img> /metrics HTTP/1.0\r\n"):
        answer = said(server, line + b"\r\n\r\n").lower()
        assert b"<script" not in answer
        assert b"<img" not in answer
        assert b"http/<b>" not in answer


def test_the_page_is_served_as_the_process_serves_it() -> None:
    telemetry = Telemetry(CollectorRegistry())
    telemetry.faults.labels("x").inc()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            telemetry.serve("127.0.0.1", port)
    stop = telemetry.serve("127.0.0.1", port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b'enforcer_faults_total{kind="x"} 1.0' in answer.read()
    finally:
        began = time.monotonic()
        stop()
    assert time.monotonic() - began < 10
