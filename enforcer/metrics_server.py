"""The page of metrics, for whoever scrapes it: never more than a few at once, and nobody for long.

In: an address, a registry. Out: /metrics over HTTP. Refuses to know: what is measured.

A thread a connection, as prometheus_client's own server has it, would be a thread for everybody who connects
and says nothing. So there are few, and where one more comes, the one that has been here longest goes.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

MOST = 8            # connections at once: two scrapers, and people who look
PATIENCE = 5.0      # s for each thing that is waited for


class _Visit(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, format: str, *args: Any) -> None:
        """Who scrapes is nobody's news."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What was wrong by its number: the words would quote what was sent, also in the status line."""
        super().send_error(code)


class MetricsServer(ThreadingMixIn, WSGIServer):
    """See the module. `crowded` counts those who had to make room."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family = family
        self.crowded = 0
        self._inside: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(2 * MOST)
        super().__init__((str(address[0]), int(address[1])), _Visit)
        self.set_app(_page(registry))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Somebody is here."""
        with self._lock:
            if len(self._inside) >= MOST:
                self.crowded += 1
                longest = next(iter(self._inside))
                del self._inside[longest]
                _hang_up(longest)           # its thread ends by that
            self._inside[request] = None
        if not self._room.acquire(timeout=PATIENCE):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:       # no thread to be had: nobody would give back the room
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One page, in a thread of its own."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def shutdown_request(self, request: Any) -> None:
        """The connection is over."""
        with self._lock:
            self._inside.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who breaks off, or is made to, is nobody's news either."""


def _page(registry: CollectorRegistry) -> Callable[..., Iterable[bytes]]:
    """Metrics, and to whoever wants to do anything but read a word that quotes nothing of theirs."""
    metrics = make_wsgi_app(registry)

    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD", "OPTIONS"):
            start_response("405 Method Not Allowed", [("Content-Type", "text/plain")])
            return [b"read only\n"]
        answer: Iterable[bytes] = metrics(environ, start_response)
        return answer

    return page


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:             # gone already
        return


def serve_metrics(host: str, port: int, registry: CollectorRegistry) -> Callable[[], None]:
    """Serve /metrics; the returned function stops it. Raises OSError where the port is taken."""
    server = MetricsServer(host, port, registry)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

    return stop
