"""The event socket, byte for byte: what is read, what is refused, what is said."""

from __future__ import annotations

import pytest

from enforcer.errors import WireError
from enforcer.wire import esl_commands as say
from enforcer.wire.esl import (
    API,
    AUTH,
    DISCONNECT,
    EVENT,
    LARGEST_EVENT,
    LARGEST_HEAD,
    LOG,
    REJECTED,
    REPLY,
    Decoder,
)
from tests.support.esl import event, event_bytes, frame

# What FreeSWITCH says, with the kind, event name, headers to find and body that it should be read as.
HEARD = [
    (b"Content-Type: auth/request\n\n", AUTH, "", {}, b""),
    (b"Content-Type: command/reply\nReply-Text: +OK in\n\n", REPLY, "", {"Reply-Text": "+OK in"}, b""),
    (b"Content-Type: command/reply\nReply-Text: -ERR no\n\n", REPLY, "", {"Reply-Text": "-ERR no"}, b""),
    (b"Content-Type: api/response\nContent-Length: 5\n\n+OK\n\n", API, "", {}, b"+OK\n\n"),
    (b"Content-Type: api/response\nContent-Length: 0\n\n", API, "", {}, b""),
    (
        frame(b"Event-Name: HEARTBEAT\nUp-Time: 1%20day%2C%0A\n"),
        EVENT, "HEARTBEAT", {"Up-Time": "1 day,\n"}, b"",
    ),
    (
        frame(b"Event-Subclass: a%3A%3Ab\nEvent-Name: CUSTOM\nContent-Length: 2\n\nhi"),
        EVENT, "CUSTOM", {"Event-Subclass": "a::b", "Content-Length": "2"}, b"hi",
    ),
    (
        b"Content-Type: text/disconnect-notice\nContent-Disposition: disconnect\nContent-Length: 23\n\n"
        b"Disconnected, goodbye.\n",
        DISCONNECT, "", {"Content-Disposition": "disconnect"}, b"Disconnected, goodbye.\n",
    ),
    (b"Content-Type: text/rude-rejection\nContent-Length: 4\n\nNo!\n", REJECTED, "", {}, b"No!\n"),
    (b"Content-Type: log/data\nContent-Length: 3\nLog-Level: 7\n\nabc", LOG, "", {"Log-Level": "7"}, b"abc"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "kind", "name", "headers", "body"), HEARD)
@pytest.mark.parametrize("way", ["whole", "byte by byte", "with trailing bytes"])
def test_what_freeswitch_says_is_read(
    data: bytes, kind: str, name: str, headers: dict[str, str], body: bytes, way: str
) -> None:
    decoder = Decoder()
    pieces = [data[i : i + 1] for i in range(len(data))] if way == "byte by byte" else [data]
    if way == "with trailing bytes":
        pieces = [data + b"Content-Type: auth/requ"]
    messages = [message for piece in pieces for message in decoder.feed(piece)]
    if way == "with trailing bytes":
        (last,) = decoder.feed(b"est\n\n")
        assert last.kind == AUTH
    (message,) = messages
    assert (message.kind, message.name, message.body) == (kind, name, body)
    assert {header: message.get(header) for header in headers} == headers


def test_a_header_that_is_missing_is_not_one_that_is_empty() -> None:
    message = event("X", Empty="")
    assert message.get("Empty") == ""
    assert message.get("Missing") is None
    assert message.get("mpty") is None
    with pytest.raises(WireError, match="X without Missing"):
        message["Missing"]


def test_of_a_repeated_header_the_first_counts() -> None:
    (message,) = Decoder().feed(
        frame(event_bytes([("Event-Name", "X"), ("A", "switch"), ("A", "caller"), ("Event-Name", "Y")]))
    )
    assert (message.name, message["A"], message["Event-Name"]) == ("X", "switch", "X")
    assert [value for name, value in message if name == "A"] == ["switch", "caller"]


def test_the_text_behind_an_event_is_never_read_for_headers() -> None:
    headers = event_bytes({"Event-Name": "MESSAGE", "from": "a", "Content-Length": "32"})
    body = headers + b"x\nvariable_accountcode: victim\n"
    (message,) = Decoder().feed(frame(body))
    assert message.variable("accountcode") is None
    assert message.text == "x\nvariable_accountcode: victim\n"


def test_an_encoded_line_break_stays_in_its_value() -> None:
    message = event("X", Name="x\nvariable_accountcode: victim", Next="1")
    assert message["Name"] == "x\nvariable_accountcode: victim"
    assert message.variable("accountcode") is None


def test_values_are_decoded_once() -> None:
    assert event("X", A="%0A%250A")["A"] == "%0A%250A"


def test_a_connect_is_a_reply_that_holds_a_channel() -> None:
    (message,) = Decoder().feed(
        b"Event-Name: CHANNEL_DATA\nUnique-ID: u1\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n"
    )
    assert (message.kind, message.name, message.accepted) == (REPLY, "CHANNEL_DATA", True)
    assert message["Unique-ID"] == "u1"


def test_events_nobody_wants_are_dropped_unread() -> None:
    decoder = Decoder(["WANTED"])
    stream = frame(event_bytes({"Event-Name": "OTHER"})) + frame(event_bytes({"Event-Name": "WANTED"}))
    custom = frame(event_bytes([("Event-Subclass", "a::b"), ("Event-Name", "CUSTOM")]))
    assert [m.name for m in decoder.feed(stream + custom)] == ["WANTED"]
    assert (decoder.events_seen, decoder.events_dropped) == (3, 2)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"GET / HTTP/1.1\nHost: x\n\n", "not a message of the event socket"),
        (b"Content-Length: 5\n\nhello", "not a message of the event socket"),
        (b"Content-Type: text/html\nContent-Length: 1\n\nx", "not a message of the event socket"),
        (b"Content-Type: api/response\nContent-Length: -1\n\n", "-1"),
        (b"Content-Type: api/response\nContent-Length: 1e9\n\n", "1e9"),
        (b"Content-Length: 5\nContent-Type: text/event-plain\n\nhello", "not an event"),
        (b"x" * (LARGEST_HEAD + 1), "more than"),
    ],
)
def test_what_is_no_event_socket_is_refused_as_the_peers_fault(data: bytes, problem: str) -> None:
    with pytest.raises(WireError, match=problem) as caught:
        Decoder().feed(data)
    assert caught.value.remote


def test_a_large_listing_is_kept_whole() -> None:
    body = b"x" * 5_000_000
    decoder = Decoder()
    assert decoder.feed(b"Content-Type: api/response\nContent-Length: 5000000\n\n") == []
    found = [m for i in range(0, len(body), 65_536) for m in decoder.feed(body[i : i + 65_536])]
    assert [m.body for m in found] == [body]


@pytest.mark.parametrize("piece", [1000, 65_536, 10_000_000])
def test_what_is_too_large_is_passed_over_and_what_follows_is_read(piece: int) -> None:
    decoder = Decoder(largest_reply=5000)
    stream = (
        frame(event_bytes({"Event-Name": "X", "Name": "x" * LARGEST_EVENT}))
        + frame(b"y" * 5001, API)
        + frame(b"z" * 5000, API)
        + frame(event_bytes({"Event-Name": "NEXT"}))
    )
    found = [m for i in range(0, len(stream), piece) for m in decoder.feed(stream[i : i + piece])]
    assert [(m.kind, m.name) for m in found] == [(API, ""), (API, ""), (EVENT, "NEXT")]
    assert [len(m.body) for m in found] == [0, 5000, 0]
    assert decoder.oversized == 2


def test_what_is_passed_over_is_not_kept() -> None:
    decoder = Decoder()
    decoder.feed(b"Content-Length: 999999999\nContent-Type: text/event-plain\n\n")
    for _ in range(100):
        decoder.feed(b"x" * 65_536)
    assert len(decoder._rest) == 0


SAID = [
    (say.auth("ClueCon"), b"auth ClueCon\n\n"),
    (say.connect(), b"connect\n\n"),
    (say.leave(), b"exit\n\n"),
    (say.linger(5), b"linger 5\n\n"),
    (say.events(["CHANNEL_CREATE", "HEARTBEAT"]), b"event plain CHANNEL_CREATE HEARTBEAT\n\n"),
    (say.events(["SHUTDOWN"], ["enforcer::ask"]), b"event plain SHUTDOWN CUSTOM enforcer::ask\n\n"),
    (say.api("show", "channels", "as", "json"), b"api show channels as json\n\n"),
    (say.api("uuid_kill", say.channel_id("a-1"), "CALL_REJECTED"), b"api uuid_kill a-1 CALL_REJECTED\n\n"),
    (say.bgapi("status", job="j-1"), b"bgapi status\nJob-UUID: j-1\n\n"),
    (
        say.execute("multiset", say.multiset({"ENF_ANSWER": "allow:0:0:0::d1"})),
        b"sendmsg\ncall-command: execute\nexecute-app-name: multiset\n"
        b"execute-app-arg: ^^;ENF_ANSWER=allow:0:0:0::d1\n\n",
    ),
    (
        say.execute("hangup", "CALL_REJECTED", channel="a-1"),
        b"sendmsg a-1\ncall-command: execute\nexecute-app-name: hangup\nexecute-app-arg: CALL_REJECTED\n\n",
    ),
]


@pytest.mark.parametrize(("command", "wanted"), SAID)
def test_commands_are_said_as_freeswitch_reads_them(command: bytes, wanted: bytes) -> None:
    assert command == wanted


def test_values_are_parted_by_a_character_that_is_in_none_of_them() -> None:
    assert say.multiset({"A": "1;2", "B": "3"}) == "^^|A=1;2|B=3"
    with pytest.raises(WireError):
        say.multiset({"A": ";|~!#"})


BREAKS = [
    "", "a b", "a\nb", "a\rb", "a\0b", "a\n\nexit", "ü", "a'b", 'a"b', "a\\b", "$a", "${a}", "`a`", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("text", BREAKS)
def test_nothing_breaks_out_of_a_word(text: str) -> None:
    for attempt in (
        lambda: say.api("uuid_kill", text),
        lambda: say.channel_id(text),
        lambda: say.events([text]),
        lambda: say.events([], [text]),
        lambda: say.execute(text),
        lambda: say.multiset({text: "x"}),
    ):
        with pytest.raises(WireError) as caught:
            attempt()
        assert not caught.value.remote


def test_a_refused_password_is_not_repeated() -> None:
    with pytest.raises(WireError) as caught:
        say.auth("secret one")
    assert "secret" not in str(caught.value)
