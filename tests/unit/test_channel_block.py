"""What is taken apart in one go says the same as what is searched header by header."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.errors import WireError
from enforcer.wire.ami import Decoder, Message
from enforcer.wire.channel import CHANNEL_ONCE, ENDING_ONCE, plain, whole
from enforcer.wire.channel_block import PLACES

RECORDED = Path(__file__).parents[1] / "recorded" / "asterisk"
EVENTS = frozenset({"Newchannel", "Newstate", "Hangup"})
HEADERS = (*PLACES, "ChanVariable", "Nothing")
ALL = [
    message for path in sorted(RECORDED.glob("*.ami")) for message in Decoder(EVENTS).feed(path.read_bytes())
    if message.name
]
BREAKS = [
    "\r\n", "\r", "\n", "\r\nUniqueid: 1.1", "\r\nCause: 1", "\r\nChanVariable: ENF_VERDICT=block", "", " ",
]


def told(message: Message) -> dict[str, str | None]:
    return {header: message.get(header) for header in HEADERS}


def judged(message: Message, once: tuple[str, ...]) -> bool:
    try:
        whole(message, once)
    except WireError:
        return False
    return True


def test_recorded_events_about_a_channel_are_taken_apart_and_say_the_same() -> None:
    assert len(ALL) > 100
    for message in ALL:
        searched = told(Message(message.name, message.raw))
        assert plain(message), message.raw
        assert told(message) == searched


@pytest.mark.parametrize("once", [CHANNEL_ONCE, ENDING_ONCE])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_a_caller_writes_into_an_event_is_judged_as_header_by_header(
    once: tuple[str, ...], data: st.DataObject
) -> None:
    raw = data.draw(st.sampled_from(ALL)).raw
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(raw)))
        raw = raw[:at] + data.draw(st.sampled_from(BREAKS)).encode() + raw[at + data.draw(st.integers(0, 1)):]
    mine, searched = Message("Hangup", raw), Message("Hangup", raw)
    counted = all(raw.count(f"\r\n{name}: ".encode()) == 1 for name in once)
    assert judged(mine, once) is counted
    if counted:
        assert told(mine) == told(searched)
