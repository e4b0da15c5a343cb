"""Text messages on a FreeSWITCH: events to facts, and what is sent back of what a sender wrote."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.call import Direction, Medium, Refusal
from enforcer.domain.decision import Verdict
from enforcer.errors import WireError
from enforcer.wire.answer import Answer
from enforcer.wire.esl import Decoder, Message
from enforcer.wire.freeswitch_messages import (
    CARRIED,
    MessageFact,
    read_message,
    send_on,
    take_net,
    taken,
    tell_sender,
    why_not_sent,
)
from tests.support.esl import event_bytes, frame, recorded

SERIAL = "3c5533b8-d7d3-4b35-8747-06e66d30beb0"
SENT = b"sendevent CUSTOM\nEvent-Subclass: SMS::SEND_MESSAGE\n"


def messages() -> list[Message]:
    return [one for one in Decoder().feed(recorded("chatplan")) if one.name == "MESSAGE"]


def message(body: bytes = b"hello", **more: str) -> Message:
    headers = {
        "Event-Name": "MESSAGE", "Event-Date-Timestamp": "1000500000", "proto": "sip", "from": "acme@pbx",
        "from_user": "acme", "from_host": "pbx", "from_full": "<sip:acme@pbx>;tag=1",
        "to_user": "12025550142", "to_host": "pbx", "to": "sip:12025550142@carrier", "type": "text/plain",
        "sip_profile": "internal", "dest_proto": "sip", "enforcer_serial": SERIAL,
        "enforcer_verdict": "asked", "enforcer_direction": "outbound", "enforcer_account": "acme",
        "enforcer_net": "+OK Added: 1\n",
        **more, "Content-Length": str(len(body)),
    }  # fmt: skip
    (read,) = Decoder().feed(frame(event_bytes(headers) + body))
    return read


def fact(**more: str) -> MessageFact:
    told = read_message(message(**more), "fs1", 1000.0)
    assert told is not None
    return told


def parsed(command: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """A command as mod_event_socket reads it: headers up to the first empty line, then counted bytes; there
    must be nothing behind them."""
    head, _, rest = command.partition(b"\n\n")
    lines = [line.partition(b": ") for line in head.split(b"\n")[1:]]
    headers = [(name.decode(), value.decode("utf-8", "surrogateescape")) for name, _, value in lines]
    (length,) = [int(value) for name, value in headers if name.lower() == "content-length"]
    assert len(rest) == length
    return headers, rest


def test_recorded_messages_are_the_facts_that_they_should_be() -> None:
    facts = [one for event in messages() if (one := read_message(event, "fs1", 0.0))]
    assert [
        (f.attempt.account, f.attempt.number, f.attempt.direction.value, f.asked, f.net, f.refusal, f.text)
        for f in facts
    ] == [
        ("acme", "12025550140", "outbound", False, False, Refusal.WENT, ""),
        ("globex", "12025550141", "outbound", False, False, Refusal.WENT, ""),
        ("a1", "12025550142", "outbound", False, False, Refusal.BLOCKED, ""),
        ("acme", "12025550144", "outbound", True, True, Refusal.NONE, ""),
        ("acme", "12025550145", "outbound", True, False, Refusal.NONE, ""),
        ("acme", "12025550101", "inbound", True, True, Refusal.NONE, "Stop, please"),
    ]  # fmt: skip
    assert {f.attempt.medium for f in facts} == {Medium.MESSAGE}
    assert facts[-1].attempt.caller == "12025550177"
    assert len({f.attempt.call_id for f in facts}) == 6
    assert facts[0].attempt.call_id == f"fs1/message-{facts[0].serial}"
    assert [f.attempt.at for f in facts] == sorted(f.attempt.at for f in facts)


def test_recorded_message_is_sent_on_as_it_came() -> None:
    event = messages()[7]
    headers, body = parsed(send_on(event, "few.critical"))
    assert body == "don't\r\n\r\nsendevent SHUTDOWN\r\nContent-Length: 3\r\n\r\n${system(id)} ü|'\\".encode()
    told = dict(headers)
    assert told["to"] == event["to"]
    assert told["from_full"] == event["from_full"]
    assert told["sip_profile"] == "accounts"
    assert told["dest_proto"] == "sip"
    assert "sip_h_X-Note" not in told               # a line break that the sender had encoded himself
    assert told["sip_h_X-Enforcer-Tag"] == "few.critical"
    assert not any(name.startswith("enforcer_") for name, _ in headers)


def test_text_for_help_is_told_and_a_test_of_the_number_is_not() -> None:
    found = read_message(message(enforcer_verdict="emergency", to_user="911"), "fs1", 1000.0)
    assert found is not None
    assert (found.asked, found.refusal, found.attempt.number) == (False, Refusal.WENT, "911")
    test = message(enforcer_verdict="emergency", to_user="933", enforcer_serial="")
    assert read_message(test, "fs1", 1000.0) is None


@pytest.mark.parametrize("more", [
    {"enforcer_verdict": "nobody"}, {"enforcer_verdict": "misaddressed"},
    {"enforcer_verdict": ""}, {"replying": "true"}, {"skip_global_process": "true"},
])  # fmt: skip
def test_message_that_is_not_ours_to_count_is_none(more: dict[str, str]) -> None:
    assert read_message(message(**more), "fs1", 1000.0) is None


@pytest.mark.parametrize("more", [
    {"enforcer_serial": "x"}, {"enforcer_serial": SERIAL + "\n"}, {"enforcer_direction": "sideways"},
    {"to_user": "1 2"}, {"to_user": ""}, {"from_user": "a\nb"}, {"to_user": "1" * 65},
])  # fmt: skip
def test_what_our_chat_plan_does_not_write_is_an_error(more: dict[str, str]) -> None:
    with pytest.raises(WireError):
        read_message(message(**more), "fs1", 1000.0)


def test_account_that_can_be_none_is_none_and_the_route_is_what_the_site_says() -> None:
    assert fact(enforcer_account="a b").attempt.account == ""
    assert fact(enforcer_route="carrier").attempt.route == "carrier"
    assert fact().attempt.direction is Direction.OUTBOUND
    assert fact().attempt.at == 1000.5


def test_sender_is_told_by_the_number_that_he_wrote_to() -> None:
    command = tell_sender(message(from_sip_ip="192.0.2.7", from_sip_port="5070"), "Not sent")
    assert command is not None
    headers, body = parsed(command)
    assert body == b"Not sent"
    assert dict(headers) == {
        "Event-Subclass": "SMS::SEND_MESSAGE", "dest_proto": "sip", "proto": "global", "replying": "true",
        "from": "12025550142@pbx", "to": "acme@pbx", "type": "text/plain", "sip_h_X-Enforcer": "refused",
        "sip_profile": "internal", "to_sip_ip": "192.0.2.7", "to_sip_port": "5070", "Content-Length": "8",
    }  # fmt: skip


@pytest.mark.parametrize("more", [
    {"sip_h_X-Enforcer": "refused"}, {"from_host": "a b"}, {"from_host": ""}, {"to_host": "x\ny"},
    {"proto": ""}, {"proto": "a b"},
])  # fmt: skip
def test_nobody_is_told_in_a_loop_or_at_an_odd_address(more: dict[str, str]) -> None:
    assert tell_sender(message(**more), "Not sent") is None


@pytest.mark.parametrize(("tag", "decision", "text"), [
    ("few.critical+other.warning", "d1-2f", "Not sent to 12025550142: refused by the rule few [d1-2f]"),
    ("standing", "", "Not sent to 12025550142: this account is stopped"),
])  # fmt: skip
def test_reason_is_the_one_that_an_asterisk_gives(tag: str, decision: str, text: str) -> None:
    assert why_not_sent("12025550142", Answer(Verdict.BLOCK, 21, 0.0, 0, tag, decision)) == text


def test_net_is_taken_away_by_its_serial_and_only_once() -> None:
    assert take_net(SERIAL) == f"api sched_del enforcer-{SERIAL}\n\n".encode()
    assert taken("+OK Deleted: 1\n")
    assert not taken("+OK Deleted: 0\n")
    assert not taken("-ERR Command not found!\n")
    with pytest.raises(WireError):
        take_net("x")


def test_what_is_too_large_is_left_out_and_a_text_that_is_too_large_is_not_sent() -> None:
    told = parsed(send_on(message(**{"sip_h_X-A": "a" * 2049, "sip_h_X-B": "b" * 2048}), ""))[0]
    assert [name for name, _ in told if name.startswith("sip_h_")] == ["sip_h_X-B"]
    many = {f"sip_h_X-{number}": "x" * 2000 for number in range(100)}
    assert len(send_on(message(**many), "")) < 10_000
    with pytest.raises(WireError):
        send_on(message(b"x" * 65_537), "")


@given(
    st.dictionaries(
        st.sampled_from(
            [*sorted(name.decode() for name in CARRIED),
             "sip_h_X-Note", "sip_h_X-Enforcer-Tag", "sip_h_X Y", "X"]
        ),
        st.binary(max_size=60) | st.sampled_from([b"a\n\nexit\n\n", b"a\r\nContent-Length: 0", b"\xff\xfe"]),
    ),
    st.binary(max_size=200).map(lambda body: body.replace(b"\0", b"")),
)  # fmt: skip
def test_whatever_a_sender_writes_stays_within_one_command(headers: dict[str, bytes], body: bytes) -> None:
    lines = [f"{name}: {quote_from_bytes(value)}" for name, value in headers.items()]
    raw = "\n".join(["Event-Name: MESSAGE", *lines]).encode()
    event = Message("text/event-plain", "MESSAGE", raw, body)
    command = send_on(event, "few.critical")
    assert command.startswith(SENT)
    assert b"\r" not in command.partition(b"\n\n")[0]
    told, text = parsed(command)
    assert text == body
    names = [name for name, _ in told]
    assert len(names) == len(set(names))
    assert set(names) - {"Event-Subclass", "Content-Length", "sip_h_X-Enforcer-Tag", "sip_h_X-Note"} <= {
        name.decode() for name in CARRIED
    }
    assert [value for name, value in told if name == "sip_h_X-Enforcer-Tag"] == ["few.critical"]
    back = tell_sender(event, "Not sent")
    if back is not None:
        assert parsed(back)[1] == b"Not sent"
