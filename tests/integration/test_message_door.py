"""The message door on real sockets: a line a message, an answer a line, and what it takes to be shown out."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision, Verdict
from enforcer.errors import LinkError
from enforcer.switch.door import Outcome
from enforcer.switch.message_door import REMEMBERED, MessageDoor

SOON = 5.0


class Scripted:
    """Decides as it is told, and remembers what it was asked and what it heard."""

    def __init__(self) -> None:
        self.asked: list[CallAttempt] = []
        self.words: list[tuple[str, str, float]] = []
        self.decide: Callable[[CallAttempt], Decision] = allow

    def admit(self, attempt: CallAttempt) -> Decision:
        self.asked.append(attempt)
        return self.decide(attempt)

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        self.words.append((attempt.account, words, at))


def allow(attempt: CallAttempt, verdict: Verdict = Verdict.ALLOW, **more: Any) -> Decision:
    return Decision(
        f"d-{attempt.call_id.partition('/')[2]}", attempt.at, attempt.call_id, attempt.switch,
        attempt.account, attempt.number, attempt.direction, verdict, verdict, **more,
    )  # fmt: skip


def line(name: str = "sms-1", **changes: object) -> bytes:
    return json.dumps({"id": name, "account": "1001", "to": "+12025550142", **changes}).encode() + b"\n"


class Visitor:
    """One connection to the door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes, answers: int = 1) -> list[dict[str, Any]]:
        self.writer.write(data)
        async with asyncio.timeout(SOON):
            return [json.loads(await self.reader.readline()) for _ in range(answers)]

    async def end(self) -> bytes:
        """Whatever came until the door closed."""
        async with asyncio.timeout(SOON):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@asynccontextmanager
async def visitor(door: MessageDoor) -> AsyncIterator[Visitor]:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        yield Visitor(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def open_door(admission: Scripted, **more: Any) -> AsyncIterator[MessageDoor]:
    async with MessageDoor(admission, clock=lambda: 12.5, port=0, **more) as door:
        yield door


async def counted(door: MessageDoor, outcome: Outcome, times: int = 1) -> None:
    """Wait until so many connections have ended so."""
    async with asyncio.timeout(SOON):
        while door.counts[outcome] < times:     # noqa: ASYNC110 - the door tells nobody
            await asyncio.sleep(0.005)


@pytest.fixture
def admission() -> Scripted:
    return Scripted()


async def test_question_gets_one_line_and_the_connection_stays(admission: Scripted) -> None:
    async with open_door(admission) as door, visitor(door) as guest:
        [first] = await guest.ask(line("a"))
        assert first == {
            "id": "a", "verdict": "allow", "sip_code": 0, "reason": "within every limit", "decision": "d-a",
        }  # fmt: skip
        admission.decide = lambda attempt: allow(attempt, Verdict.BLOCK, sip_code=403)
        [second] = await guest.ask(line("b"))
        assert (second["verdict"], second["sip_code"]) == ("block", 403)
    attempt = admission.asked[0]
    assert (attempt.account, attempt.number) == ("1001", "+12025550142")
    assert (attempt.at, attempt.medium) == (12.5, "message")
    await counted(door, Outcome.ANSWERED)


async def test_questions_may_be_piled_up_and_are_answered_in_their_order(admission: Scripted) -> None:
    names = [f"m{number}" for number in range(500)]
    async with open_door(admission) as door, visitor(door) as guest:
        answers = await guest.ask(b"".join(line(name) for name in names), len(names))
    assert [answer["id"] for answer in answers] == names


async def test_question_may_come_byte_by_byte(admission: Scripted) -> None:
    async with open_door(admission) as door, visitor(door) as guest:
        for byte in line("slow"):
            guest.writer.write(bytes([byte]))
            await guest.writer.drain()
        assert (await guest.ask(b""))[0]["id"] == "slow"


async def test_repeated_id_is_counted_once_and_gets_the_answer_that_it_got(admission: Scripted) -> None:
    async with open_door(admission) as door:
        async with visitor(door) as guest:
            admission.decide = lambda attempt: allow(attempt, Verdict.BLOCK, sip_code=403)
            first = await guest.ask(line("again"))
        admission.decide = allow
        async with visitor(door) as guest:
            assert await guest.ask(line("again")) == first
    assert len(admission.asked) == 1


async def test_answers_are_remembered_for_so_many_ids_and_no_more(admission: Scripted) -> None:
    async with open_door(admission) as door, visitor(door) as guest:
        for start in range(0, REMEMBERED + 1, 100):
            await guest.ask(b"".join(line(f"m{n}") for n in range(start, start + 100)), 100)
        assert len(door._answers) == REMEMBERED


async def test_inbound_text_is_heard_after_it_was_answered(admission: Scripted) -> None:
    async with open_door(admission) as door, visitor(door) as guest:
        await guest.ask(line("a", direction="inbound", text="STOP", **{"from": "+12025550177"}))
        await guest.ask(line("b", text="STOP"))
    assert admission.words == [("1001", "STOP", 12.5)]


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 5000, b"{}\n",
    b"[" * 4000 + b"\n", line("a b"), b"\xff" * 10 + b"\n", b"agi_network: yes\n",
])  # fmt: skip
async def test_bytes_that_are_no_question_cost_their_connection_and_a_count(
    admission: Scripted, data: bytes
) -> None:
    async with open_door(admission) as door, visitor(door) as guest, visitor(door) as other:
        guest.writer.write(data + b"\n")
        assert await guest.end() == b""
        await counted(door, Outcome.MALFORMED)
        assert (await other.ask(line("fine")))[0]["id"] == "fine"
    assert len(admission.asked) == 1


async def test_questions_before_a_bad_line_are_answered(admission: Scripted) -> None:
    async with open_door(admission) as door, visitor(door) as guest:
        guest.writer.write(line("good") + b"nonsense\n" + line("never"))
        assert json.loads(await guest.end())["id"] == "good"
        await counted(door, Outcome.MALFORMED)
    assert [attempt.call_id for attempt in admission.asked] == ["message-door/good"]


async def test_half_a_line_is_waited_for_no_longer_than_the_deadline(admission: Scripted) -> None:
    async with open_door(admission, deadline=0.05) as door, visitor(door) as guest:
        guest.writer.write(line()[:-1])
        assert await guest.end() == b""
        await counted(door, Outcome.SILENT)
    assert admission.asked == []


async def test_trickle_of_bytes_moves_no_deadline(admission: Scripted) -> None:
    async with open_door(admission, deadline=0.05) as door, visitor(door) as guest:
        async with asyncio.timeout(SOON):
            while not door.counts[Outcome.SILENT]:
                guest.writer.write(b" ")
                await asyncio.sleep(0.005)
    assert admission.asked == []


async def test_who_has_asked_and_then_says_nothing_is_let_go(admission: Scripted) -> None:
    async with open_door(admission, deadline=0.05) as door, visitor(door) as guest:
        await guest.ask(line())
        assert await guest.end() == b""
        await counted(door, Outcome.ANSWERED)


async def test_peer_that_does_not_read_is_not_read_either_and_let_go(admission: Scripted) -> None:
    long = "x" * 400
    admission.decide = lambda attempt: allow(attempt, exempt=long)
    async with open_door(admission, deadline=0.3) as door:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", door.port))
            serial, gone = 0, False
            async with asyncio.timeout(30):
                while not gone:
                    batch = b"".join(line(f"m{serial + n}") for n in range(50))
                    serial += 50
                    try:
                        async with asyncio.timeout(1.0):
                            await loop.sock_sendall(deaf, batch)
                    except (TimeoutError, ConnectionError):
                        gone = True
            await counted(door, Outcome.ANSWERED)
        assert len(admission.asked) < serial        # what it still had to say was never read
        async with visitor(door) as guest:
            assert (await guest.ask(line("next")))[0]["id"] == "next"


async def test_flood_of_connections_is_turned_away_at_the_most(admission: Scripted) -> None:
    async with open_door(admission, most=3) as door:
        crowd = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(50)]
        await counted(door, Outcome.CROWDED, 47)
        assert len(door.open) == 3
        for _, writer in crowd:
            writer.close()
        await counted(door, Outcome.GONE, 3)
        async with visitor(door) as guest:
            assert (await guest.ask(line()))[0]["verdict"] == "allow"


async def test_reset_in_the_middle_hurts_nobody(admission: Scripted) -> None:
    async with open_door(admission) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(line()[:10])
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        await counted(door, Outcome.GONE)
        async with visitor(door) as guest:
            assert (await guest.ask(line()))[0]["verdict"] == "allow"


async def test_address_that_is_not_allowed_is_shown_out(admission: Scripted) -> None:
    async with open_door(admission, peers=("10.0.0.0/8",)) as door, visitor(door) as guest:
        assert await guest.end() == b""
        await counted(door, Outcome.FOREIGN)
    assert admission.asked == []


async def test_fault_of_ours_closes_the_connection_and_is_told(admission: Scripted) -> None:
    faults: list[Exception] = []

    def fails(_attempt: CallAttempt) -> Decision:
        raise RuntimeError("a bug")

    async with open_door(admission, on_fault=faults.append) as door:
        admission.decide = fails
        async with visitor(door) as guest:
            guest.writer.write(line())
            assert await guest.end() == b""
        await counted(door, Outcome.FAULT)
        admission.decide = allow
        async with visitor(door) as guest:
            assert (await guest.ask(line()))[0]["verdict"] == "allow"       # and was not remembered
    assert [str(fault) for fault in faults] == ["a bug"]


async def test_port_that_is_taken_is_one_clear_error(admission: Scripted) -> None:
    async with open_door(admission) as door:
        with pytest.raises(LinkError, match=rf"messages door 127.0.0.1:{door.port}: "):
            await MessageDoor(admission, clock=lambda: 0.0, port=door.port).start()


async def test_orderly_stop_does_not_wait_for_guests(admission: Scripted) -> None:
    async with open_door(admission) as door, visitor(door) as guest:
        await guest.ask(line())
        async with asyncio.timeout(SOON):
            await door.stop()
        assert await guest.end() == b""
