"""The AMI codec: framing, headers, caps, and what it refuses to send."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from enforcer.errors import WireError
from enforcer.wire.ami import LARGEST_MESSAGE, LONGEST_BANNER, Decoder, Message, encode_action

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
RECORDED = Path(__file__).parents[1] / "recorded" / "asterisk"
EVENT = (
    "Event: Newchannel\r\nChannel: PJSIP/acme-00000001\r\nCallerIDName: Jürgen 電話\r\nAccountCode: \r\n"
    "ChanVariable: ENF_VERDICT=\r\nChanVariable: ENF_DECISION=d1=x\r\n\r\n"
).encode()


def decoded(data: bytes, *, size: int | None = None, wanted: Any = None) -> list[Message]:
    decoder = Decoder(wanted)
    size = size or max(1, len(data))
    return [
        message for at in range(0, len(data), size) for message in decoder.feed(data[at : at + size])
    ]


def seen(messages: list[Message]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(message.name, list(message)) for message in messages]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (BANNER, []),
        (BANNER + EVENT, ["Newchannel"]),
        (BANNER + EVENT * 3, ["Newchannel"] * 3),
        (BANNER + b"Response: Success\r\nMessage: ok\r\n\r\n" + EVENT, ["", "Newchannel"]),
        (BANNER + EVENT + EVENT[:-2], ["Newchannel"]),
        (BANNER + EVENT + b"\r\n" + EVENT, ["Newchannel"] * 2),
        (BANNER + b"Event: A\r\nEvent: B\r\n\r\n", ["A"]),
        (BANNER + b"Event: \r\n\r\n", [""]),
        (BANNER + b"stray\r\n\r\n" + EVENT, ["Newchannel"]),
    ],
)
def test_messages_are_the_same_whole_byte_by_byte_and_with_bytes_to_follow(
    data: bytes, names: list[str]
) -> None:
    assert [message.name for message in decoded(data)] == names
    assert seen(decoded(data, size=1)) == seen(decoded(data))
    assert seen(decoded(data + b"Event: unfin"))[: len(names)] == seen(decoded(data))


def test_a_character_on_the_edge_of_two_reads_is_whole() -> None:
    for size in range(1, 40):
        (message,) = decoded(BANNER + EVENT, size=size)
        assert message["CallerIDName"] == "Jürgen 電話"


def test_missing_and_empty_are_told_apart() -> None:
    (message,) = decoded(BANNER + EVENT)
    assert message.get("AccountCode") == ""
    assert message.get("Accountcode") is None
    assert message.get("Code") is None, "a name is matched whole"
    with pytest.raises(WireError, match="Newchannel without Uniqueid"):
        message["Uniqueid"]


def test_of_a_repeated_header_the_first_counts_and_all_can_be_had() -> None:
    (message,) = decoded(BANNER + EVENT)
    assert message["ChanVariable"] == "ENF_VERDICT="
    values = [value for name, value in message if name == "ChanVariable"]
    assert values == ["ENF_VERDICT=", "ENF_DECISION=d1=x"]
    assert message.variable("ENF_DECISION") == "d1=x"
    assert message.variable("ENF_VERDICT") == ""
    assert message.variable("ENF") is None


def test_the_first_line_is_a_header_too() -> None:
    (message,) = decoded(BANNER + b"Response: Error\r\nMessage: No such channel\r\n\r\n")
    assert (message.name, message["Response"], message["Message"]) == ("", "Error", "No such channel")


def test_events_that_nobody_reads_are_dropped_and_counted_and_responses_kept() -> None:
    decoder = Decoder({"Hangup"})
    messages = decoder.feed(BANNER + EVENT + b"Event: Hangup\r\n\r\n" + b"Response: Success\r\n\r\n")
    assert [message.name for message in messages] == ["Hangup", ""]
    assert (decoder.events_seen, decoder.events_dropped) == (2, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"x" * LONGEST_BANNER,
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n\r\n",
        BANNER + b"Event: X\r\nA: " + b"x" * LARGEST_MESSAGE,
        BANNER + b"Event: X\r\nA: " + b"x" * LARGEST_MESSAGE + b"\r\n\r\n",
        BANNER + EVENT + b"x" * (LARGEST_MESSAGE + 4),
    ],
)
@pytest.mark.parametrize("size", [None, 4096])
def test_what_is_no_manager_or_never_ends_is_refused(data: bytes, size: int | None) -> None:
    with pytest.raises(WireError) as caught:
        decoded(data, size=size)
    assert caught.value.remote is True


def test_an_action_is_written_as_asterisk_reads_it() -> None:
    assert encode_action("Setvar", (("Channel", "PJSIP/ü-1"), ("Value", "")), "7") == (
        "Action: Setvar\r\nActionID: 7\r\nChannel: PJSIP/ü-1\r\nValue: \r\n\r\n".encode()
    )


@pytest.mark.parametrize("bad", ["1\r\n\r\nAction: Originate", "a\rb", "a\nb", "a\0b", "\ud800", "x" * 1024])
def test_no_value_breaks_out_of_its_header(bad: str) -> None:
    for headers, action_id in (((("Value", bad),), ""), ((), bad)):
        with pytest.raises(WireError) as caught:
            encode_action("Setvar", headers, action_id)
        assert caught.value.remote is False
    with pytest.raises(WireError):
        encode_action(bad)


@pytest.mark.parametrize("key", ["", "a:b", " a", "a\r\nb", "a\0"])
def test_no_name_is_anything_but_a_name(key: str) -> None:
    with pytest.raises(WireError):
        encode_action("Setvar", ((key, "x"),))


# --- the second opinion


class _Factory:
    """As much of panoramisk's Manager as its protocol wants."""

    save_stream = None

    def __init__(self) -> None:
        self.events: list[Any] = []

    def dispatch(self, message: Any) -> None:
        self.events.append(message)

    def connection_lost(self, exc: object) -> None:
        """Nothing to reconnect."""


@pytest.mark.parametrize("name", ["01_answered_caller_bye", "09_attended_xfer_by_caller", "14_inbound"])
def test_panoramisk_sees_the_same_events_with_the_same_headers(name: str) -> None:
    data = (RECORDED / f"{name}.ami").read_bytes()
    protocol, factory = AMIProtocol(), _Factory()
    protocol.connection_made(None)
    protocol.factory, protocol.encoding = factory, "utf8"
    protocol.data_received(data)
    ours = [message for message in decoded(data) if message.name]
    assert [message.name for message in ours] == [event["event"] for event in factory.events]
    for message, event in zip(ours, factory.events, strict=True):
        if message.name in {"Cdr", "CEL"}:
            continue        # these spell UniqueID; panoramisk does not mind the case, we do not read them
        for header in ("Channel", "Uniqueid", "Linkedid", "AccountCode", "Exten", "Timestamp"):
            assert (message.get(header) or "") == (event.get(header) or "")


async def test_panoramisk_tears_the_character_that_we_keep() -> None:
    """Why its protocol is not ours: each read is decoded by itself, and what does not fit is left out."""
    manager = Manager(loop=asyncio.get_running_loop())
    protocol, factory = AMIProtocol(), _Factory()
    protocol.connection_made(None)
    protocol.factory, protocol.encoding = factory, "utf8"
    at = EVENT.index("ü".encode()) + 1
    protocol.data_received(EVENT[:at])
    protocol.data_received(EVENT[at:])
    assert factory.events[0]["CallerIDName"] == "Jrgen 電話"
    assert manager.config["encoding"] == "utf8"
