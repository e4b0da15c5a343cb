"""The HTTP server on a real socket: events as they happen; who dawdles, floods or is uninvited is let go."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from enforcer import app
from enforcer.control.feed import KEEP_UP, LATELY
from enforcer.control.http import events
from enforcer.control.http.guests import Guests
from enforcer.domain.decision import Verdict
from enforcer.errors import LinkError
from enforcer.settings_http import HttpSettings
from tests.integration.test_doors_attacked import GARBAGE
from tests.support.certificates import certificate
from tests.support.http_house import Door, http_house


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")


Event = dict[str, Any]


class Reader:
    """Reads events as a browser does."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()
        self.beats = 0

    async def event(self, kind: str = "") -> Event:
        """The next event, of that kind where one is named."""
        found: Event = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if line.startswith(":"):
                    self.beats += 1
                elif line and name in ("id", "event"):
                    found[name] = value
                elif name == "data":
                    found["data"] = json.loads(value)
                elif not line and found and (not kind or found.get("event") == kind):
                    return found
                elif not line:
                    found = {}
        raise AssertionError("the stream ended")


@asynccontextmanager
async def reading(door: Door, role: str = "viewer", last: str = "", query: str = "") -> AsyncIterator[Reader]:
    headers = door.headers(role) | ({"Last-Event-ID": last} if last else {})
    async with (
        httpx.AsyncClient(base_url=door.url, headers=headers, timeout=10) as client,
        client.stream("GET", f"/v1/events{query}") as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Reader(response)


async def test_what_happens_is_told_as_it_happens_and_again_to_whoever_comes_back(tmp_path: Path) -> None:
    async with http_house(tmp_path, listening=True) as door:
        async with reading(door, query="?kinds=decision,order") as reader:
            door.call(1)
            assert door.call(2) is Verdict.BLOCK
            told = await reader.event()
            assert told["event"] == "decision"
            assert (told["data"]["call"], told["data"]["verdict"]) == ("pbx1/2", "block")
            assert (await door.ask("PUT", "/v1/mode", json={"mode": "tag"})).status_code == 200
            assert (await reader.event())["data"]["said"] == "default: tag"
        door.call(3)
        async with reading(door, last=told["id"], query="?kinds=decision") as reader:
            assert (await reader.event())["data"]["call"] == "pbx1/3"


async def test_who_was_away_for_too_long_is_told_how_much_is_missing(tmp_path: Path) -> None:
    async with http_house(tmp_path, listening=True) as door:
        feed = door.front.feed
        door.house.room.look()
        seen = feed.number
        for number in range(LATELY + 7):
            feed.tell("fault", 1.0, {"fault": str(number)})
        async with reading(door, last=f"{door.front.run}-{seen}") as reader:
            assert (await reader.event("missed"))["data"] == {"missed": 7}
            assert (await reader.event())["data"]["fault"] == "7"
        async with reading(door, last="a1b2c3-4") as reader:
            assert "started anew" in (await reader.event())["data"]["problem"]


async def test_beats_keep_a_silent_stream_and_end_one_whose_token_is_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.02)
    async with http_house(tmp_path, listening=True) as door:
        async with reading(door, query="?kinds=nothing") as reader:
            while not reader.beats:
                async with asyncio.timeout(10):
                    await anext(reader._lines)
                    reader.beats += 1
            door.front.tokens.revoke("the-viewer")
            with pytest.raises(AssertionError, match="the stream ended"):
                await reader.event()
        assert door.front.streams == set()


async def test_a_gateways_token_hears_only_which_calls_to_end(tmp_path: Path) -> None:
    async with http_house(tmp_path, listening=True) as door, reading(door, "gateway") as reader:
        door.front.feed.tell("decision", 1.0, {"number": "a secret"})
        door.front.feed.tell("hang_up", 1.0, {"switch": "gw", "id": "1"})
        assert (await reader.event())["event"] == "hang_up"


async def test_only_so_many_readers_may_stay(tmp_path: Path) -> None:
    async with http_house(tmp_path, http="max_streams = 1", listening=True) as door:
        async with reading(door):
            response = await door.ask("GET", "/v1/events")
            assert (response.status_code, "max_streams" in response.text) == (503, True)
        async with asyncio.timeout(10):
            while door.front.streams:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with reading(door):
            pass


async def test_a_reader_who_reads_nothing_is_let_go_and_nobody_waits(tmp_path: Path) -> None:
    async with http_house(tmp_path, http="read_deadline = 0.3", listening=True) as door:
        idle = socket.create_connection(("127.0.0.1", door.port))
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        token = door.tokens["viewer"]
        idle.sendall(f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        async with asyncio.timeout(20):
            while not door.front.streams:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            while door.front.streams:
                for _ in range(KEEP_UP):
                    door.front.feed.tell("fault", 1.0, {"fault": "x" * 1000})
                await asyncio.sleep(0.02)
        idle.close()


GONE = (ConnectionResetError, asyncio.IncompleteReadError)
SLOW = [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"]


@pytest.mark.parametrize("part", SLOW, ids=["nothing", "a line", "headers"])
async def test_a_request_that_does_not_arrive_ends_at_the_deadline(tmp_path: Path, part: bytes) -> None:
    async with http_house(tmp_path, http="read_deadline = 0.2", listening=True) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(part)
        async with asyncio.timeout(10):
            with pytest.raises(GONE):
                await reader.readexactly(1)
        writer.close()


async def test_a_body_that_does_not_arrive_is_answered_408(tmp_path: Path) -> None:
    async with http_house(tmp_path, http="read_deadline = 0.2", listening=True) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_headers_without_end_are_not_read(tmp_path: Path) -> None:
    async with http_house(tmp_path, listening=True) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 40_000)
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()


HALF_A_BODY = b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("said", [*SLOW, HALF_A_BODY, WHOLE],
                         ids=["nothing", "a line", "headers", "half a body", "a request, and then nothing"])
async def test_whoever_is_only_in_the_way_makes_room_for_who_asks(tmp_path: Path, said: bytes) -> None:
    async with http_house(tmp_path, http="max_connections = 10", listening=True) as door:
        some = []
        for _ in range(14):
            some.append(await asyncio.open_connection("127.0.0.1", door.port))
            some[-1][1].write(said)
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(WHOLE)
            async with asyncio.timeout(10):
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):     # the first was let go of
                await some[0][0].read()
        for _, writer in some:
            writer.close()


async def test_where_all_are_being_answered_one_connection_too_many_is_closed(tmp_path: Path) -> None:
    async with (
        http_house(tmp_path, http="max_connections = 10", listening=True) as door,
        AsyncExitStack() as readers,
    ):
        for _ in range(10):
            await readers.enter_async_context(reading(door))
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        async with asyncio.timeout(10):
            with pytest.raises(GONE):
                await reader.readexactly(1)
        writer.close()


async def test_other_protocols_are_let_go_of_and_the_next_one_is_served(tmp_path: Path) -> None:
    async with http_house(tmp_path, listening=True) as door:
        for said in (*GARBAGE.values(), b""):
            if said.startswith(b"GET"):
                continue                # is none here
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(said)
            reader, asking = await asyncio.open_connection("127.0.0.1", door.port)
            asking.write(WHOLE)
            async with asyncio.timeout(10):
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            for one in (writer, asking):
                one.transport.abort()
        assert door.house.room.http is not None
        async with asyncio.timeout(10):
            while door.house.room.http._server.server_state.connections:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert not door.house.room.faults


async def test_plain_words_at_a_port_for_tls_are_let_go_of(tmp_path: Path) -> None:
    made = certificate("127.0.0.1")
    (tmp_path / "c.pem").write_text(made.public)
    (tmp_path / "k.pem").write_text(made.private)
    table = 'tls_cert = "c.pem"\ntls_key = "k.pem"'
    async with http_house(tmp_path, http=table, listening=True) as door:
        for said in (WHOLE, bytes(1000), GARBAGE["tls"][:50] + b"x" * 500):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(said)
            async with asyncio.timeout(10):
                with contextlib.suppress(ConnectionResetError):
                    assert b"HTTP" not in await reader.read()
            writer.close()
        context = ssl.create_default_context(cadata=made.public)
        async with httpx.AsyncClient(verify=context) as client:
            assert (await client.get(f"https://127.0.0.1:{door.port}/healthz")).status_code == 200
        assert not door.house.room.faults


async def test_a_port_for_tls_holds_no_more_than_its_cap_and_forgets_who_is_gone(tmp_path: Path) -> None:
    """Each connection over TLS costs asyncio 256 KiB: of silent ones only the cap's, of gone ones nothing."""
    made = certificate("127.0.0.1")
    (tmp_path / "c.pem").write_text(made.public)
    (tmp_path / "k.pem").write_text(made.private)
    table = 'tls_cert = "c.pem"\ntls_key = "k.pem"\nmax_connections = 10'

    def held() -> int:
        return sum(isinstance(one, SSLProtocol) for one in gc.get_objects())

    async with http_house(tmp_path, http=table, listening=True) as door:
        gc.collect()
        gc.disable()
        try:
            before = held()
            silent = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(30)]
            context = ssl.create_default_context(cadata=made.public)
            async with httpx.AsyncClient(verify=context) as client:
                assert (await client.get(f"https://127.0.0.1:{door.port}/healthz")).status_code == 200
                assert held() <= before + 10
            for number in range(40):
                _, writer = await asyncio.open_connection("127.0.0.1", door.port)
                writer.write(WHOLE * (number % 2))
                writer.transport.abort()
            for _, writer in silent:
                writer.transport.abort()
            async with asyncio.timeout(10):
                while held() > before:  # noqa: ASYNC110
                    await asyncio.sleep(0)
        finally:
            gc.enable()
        assert not door.house.room.faults


async def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    async with http_house(tmp_path) as door:
        with socket.create_server(("127.0.0.1", door.port)), pytest.raises(LinkError) as told:
            await app.serve(door.house, asyncio.Event())
        assert str(told.value).startswith(f"http 127.0.0.1:{door.port}: Address already in use; stop what")


async def test_it_stops_in_order_with_a_reader_connected_and_leaves_signals_alone(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with http_house(tmp_path, listening=True) as door, reading(door) as reader:
        assert door.house.room.http is not None
        assert signal.getsignal(signal.SIGTERM) is before
        stopping = asyncio.ensure_future(door.house.room.http.stop())
        with pytest.raises(AssertionError, match="the stream ended"):
            await reader.event()
        await stopping
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection("127.0.0.1", door.port)


async def test_over_tls_a_token_is_shown_to_nobody_else(tmp_path: Path) -> None:
    pair = certificate("127.0.0.1")
    (tmp_path / "c.pem").write_text(pair.public)
    (tmp_path / "k.pem").write_text(pair.private)
    table = 'tls_cert = "c.pem"\ntls_key = "k.pem"'
    async with http_house(tmp_path, http=table, listening=True) as door:
        trusted = ssl.create_default_context(cadata=pair.public)
        async with httpx.AsyncClient(verify=trusted) as client:
            where = f"https://127.0.0.1:{door.port}/v1/overview"
            answer = await client.get(where, headers=door.headers("viewer"))
            assert answer.json()["site"] == "lab"
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.HTTPError):
                await client.get(f"http://127.0.0.1:{door.port}/healthz")


def test_who_comes_from_a_network_that_is_not_listed_is_not_listened_to() -> None:
    settings = HttpSettings(listen="0.0.0.0:8085", allow=("10.0.0.0/8", "fd00::/8"))
    guests = Guests(settings)
    welcome = {
        "10.1.2.3": True, "127.0.0.1": True, "::ffff:10.1.2.3": True, "fd00::1": True, "::1": True,
        "192.0.2.1": False, "::ffff:192.0.2.1": False, "2001:db8::1": False,
    }
    for address, expected in welcome.items():
        assert guests.welcome(address) is expected, address


async def test_no_answer_waits_for_what_the_last_one_is_acknowledged_by(tmp_path: Path) -> None:
    """Nagle's algorithm is off: with it, the second question of a connection is answered 40 ms late."""
    async with http_house(tmp_path, listening=True) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert door.house.room.http is not None
        (connection,) = door.house.room.http._server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        writer.close()
