"""Events are read many at a time, unless somebody waits: nothing is lost by it, and no question is late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.errors import LinkError
from enforcer.switch import ami_session, esl_session
from enforcer.switch.ami_session import ASKING, AT_ONCE
from enforcer.switch.gathering import MANY, PAUSE, WIDE
from enforcer.wire.ami import Decoder, Message
from enforcer.wire.esl import Message as EslMessage
from tests.support.esl import event_bytes, frame

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
ASK = b"Event: UserEvent\r\nUserEvent: EnfAsk\r\nUniqueid: 3.1\r\n\r\n"


def new(number: int) -> bytes:
    return b"Event: Newchannel\r\nUniqueid: 1.%d\r\n\r\n" % number


class Timer:
    def __init__(self, loop: ManualLoop, seconds: float, job: Callable[..., object], given: Any) -> None:
        self.loop, self.seconds, self.job, self.given = loop, seconds, job, given

    def cancel(self) -> None:
        if self in self.loop.timers:
            self.loop.timers.remove(self)


class ManualLoop:
    """Timers that run when a test says so."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, job: Callable[..., object], *given: Any) -> Timer:
        self.timers.append(Timer(self, seconds, job, given))
        return self.timers[-1]

    def pass_(self) -> None:
        for timer in list(self.timers):
            timer.cancel()
            timer.job(*timer.given)


class Wire(asyncio.Transport):
    """A transport that notes whether it is read from."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: object) -> None:
        pass

    def abort(self) -> None:
        pass


class Ami:
    """A logged-in session on such a transport that is busy, what it handed over, and the time."""

    def __init__(self, busy: bool = True) -> None:
        self.now = 1000.0
        self.seen: list[str] = []
        self.loop, self.wire = ManualLoop(), Wire()
        peer = ami_session.Peer("pbx", 5038, "enforcer", "secret")
        self.session = ami_session.Session(peer, self._event, lambda: self.now)
        self.session._gathering._loop = self.loop     # type: ignore[assignment]
        self.session.connection_made(self.wire)
        self.session.data_received(BANNER)
        if busy:
            self.much()
        self.seen.clear()

    def much(self, reads: int = MANY) -> None:
        """A second with so many reads passes."""
        for number in range(reads):
            self.come(new(number))
        self.loop.now += 1.0

    def _event(self, _session: object, message: Message) -> None:
        self.seen.append(message["Uniqueid"])

    def come(self, data: bytes) -> list[str]:
        """What was handed over of this, at once."""
        before = len(self.seen)
        self.session.data_received(data)
        return self.seen[before:]


async def test_what_comes_after_a_quiet_moment_is_read_at_once_and_the_rest_together() -> None:
    ami = Ami()
    assert ami.come(new(1)) == ["1.1"]
    assert not ami.wire.reading
    assert [timer.seconds for timer in ami.loop.timers] == [PAUSE]
    ami.loop.pass_()
    assert ami.wire.reading


async def test_where_little_comes_everything_is_read_at_once() -> None:
    ami = Ami(busy=False)
    for _ in range(3):
        ami.much(MANY - 2)          # and one that the connection began with
        assert ami.wire.reading
    ami.much()
    assert ami.come(new(1)) == ["1.1"]
    assert not ami.wire.reading


async def test_who_gathers_goes_on_while_much_comes_and_stops_after_a_quiet_second() -> None:
    ami = Ami()
    for _ in range(3):
        for _ in range(MANY):
            ami.come(new(1))
            assert not ami.wire.reading
            ami.loop.pass_()
        ami.loop.now += 1.0
    ami.loop.now += 1.0
    ami.come(new(1))
    assert ami.wire.reading


async def test_a_read_that_was_full_is_followed_by_the_next_at_once() -> None:
    ami = Ami()
    ami.come(new(1) * (AT_ONCE // len(new(1)) + 1))
    assert ami.wire.reading


async def test_nothing_pauses_while_an_answer_is_waited_for() -> None:
    ami = Ami()
    ami.come(new(1))
    asking = asyncio.create_task(ami.session.ask("Ping", within=60))
    await asyncio.sleep(0)
    assert ami.wire.reading
    assert ami.come(new(2)) == ["1.2"]
    assert ami.wire.reading
    ami.come(b"Response: Success\r\nActionID: 1\r\n\r\n")
    assert (await asking).get("Response") == "Success"


async def test_while_questions_come_nobody_pauses_and_a_question_brings_along_what_was_held() -> None:
    ami = Ami()
    assert ami.come(ASK) == ["3.1"]
    assert ami.wire.reading
    assert ami.come(new(1)) == []
    assert ami.come(ASK[:10]) == []
    assert ami.come(ASK[10:]) == ["1.1", "3.1"]


async def test_of_a_question_that_was_cut_the_rest_is_read_at_once() -> None:
    ami = Ami()
    ami.come(ASK)
    assert ami.come(ASK[:-9]) == []
    assert ami.come(ASK[-9:]) == ["3.1"]


async def test_what_is_held_is_read_when_its_moment_is_over() -> None:
    ami = Ami()
    ami.come(ASK)
    ami.come(new(1))
    ami.come(new(2))
    assert len(ami.loop.timers) == 1
    ami.loop.pass_()
    assert ami.seen == ["3.1", "1.1", "1.2"]


async def test_a_while_after_the_last_question_reads_are_gathered_again() -> None:
    ami = Ami()
    ami.come(ASK)
    ami.now += ASKING
    assert ami.come(new(1)) == ["1.1"]
    assert not ami.wire.reading


async def test_what_is_held_is_read_before_the_connection_is_over() -> None:
    ami = Ami()
    ami.come(ASK)
    ami.come(new(1))
    ami.session.connection_lost(None)
    assert ami.seen == ["3.1", "1.1"]
    assert isinstance(ami.session.lost.result(), LinkError)


async def test_where_we_are_to_act_on_events_none_waits() -> None:
    ami = Ami()
    ami.session.gather(0.0)
    ami.come(new(1))
    assert ami.wire.reading


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([new(1), new(2), ASK]), max_size=12), st.data())
def test_however_the_bytes_are_cut_and_held_the_same_events_come_in_the_same_order(
    blocks: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(blocks)
    told = [message["Uniqueid"] for message in Decoder().feed(BANNER + stream)]

    async def fed() -> list[str]:
        ami, rest = Ami(), stream
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            ami.come(rest[:size])
            rest = rest[size:]
            if data.draw(st.booleans()):
                ami.loop.pass_()
        ami.session.connection_lost(None)
        return ami.seen

    assert asyncio.run(fed()) == told


@pytest.mark.parametrize(("more", "pauses"), [(frozenset[str](), True), (frozenset({"MESSAGE"}), False)])
async def test_events_of_a_freeswitch_are_gathered_unless_senders_of_messages_wait(
    more: frozenset[str], pauses: bool
) -> None:
    loop, wire, seen = ManualLoop(), Wire(), list[str]()
    peer = esl_session.Peer("fs", 8021, "secret")

    def heard(_session: object, message: EslMessage) -> None:
        seen.append(message.name)

    session = esl_session.Session(peer, heard, lambda: 0.0, more)
    session._gathering._loop = loop     # type: ignore[assignment]
    session.connection_made(wire)
    create = frame(event_bytes({"Event-Name": "CHANNEL_CREATE", "Unique-ID": "a"}))
    session._gathering._since, session._gathering._busy = loop.now, True
    for data in (b"Content-Type: auth/request\n\n", create):
        session.get_buffer(-1)[: len(data)] = data
        session.buffer_updated(len(data))
    assert seen == ["CHANNEL_CREATE"]
    assert wire.reading is not pauses
    assert [timer.seconds for timer in loop.timers] == ([WIDE] if pauses else [])
