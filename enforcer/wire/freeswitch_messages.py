"""Text messages on a FreeSWITCH: what its chat plan tells about them, and how they are sent on.

In: MESSAGE events of messages that have passed `dialplan/freeswitch/chatplan.xml`. Out: `MessageFact`s; the
bytes of commands.
Refuses to know: the connection, what is decided, and where a message goes: its chat plan has said that.

FreeSWITCH raises one MESSAGE event for each message, with its text and whatever the chat plan has set:

    enforcer_serial     a UUID, new for each            enforcer_direction  outbound | inbound
    enforcer_account    acme                            enforcer_route      optional: the trunk
    enforcer_verdict    asked | leased | alone | block  enforcer_net        +OK..., where a net is below it

"asked": it has ended there, and is in our hands. With a net, FreeSWITCH sends it on by itself one to two
seconds after it came, unless the task is deleted before. Everything else has gone its way, or is stopped.

What a sender wrote goes back into a command only as the value of a header on a list, if it holds no control
character, and as the text, whose bytes are counted. `sendevent` decodes nothing and cuts at line ends only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from enforcer.domain.call import CallAttempt, Direction, Medium, Refusal
from enforcer.domain.stop_words import LONGEST_TEXT
from enforcer.errors import WireError
from enforcer.wire import esl_commands as say
from enforcer.wire.answer import Answer
from enforcer.wire.channel import account_name, direction_of
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch_channel import micros

MESSAGE_EVENT = "MESSAGE"
SEND = b"sendevent CUSTOM\nEvent-Subclass: SMS::SEND_MESSAGE\n"
# s from its event's own time within which a command that takes a net away surely comes in time: the net is
# due after one at the least, and FreeSWITCH reads commands only between events.
NET_HOLDS = 0.5
# What a message is made of for those who send it on (mod_sofia, and other chat protocols).
CARRIED = frozenset({
    b"proto", b"dest_proto", b"from_proto", b"to_proto", b"from", b"from_user", b"from_host", b"from_full",
    b"to", b"to_user", b"to_host", b"to_sip_ip", b"to_sip_port", b"subject", b"type", b"hint", b"sip_profile",
})  # fmt: skip
# FreeSWITCH reads a command's headers byte by byte, so what a sender may add has its bounds. What is beyond
# them is left out.
LONGEST_VALUE, LONGEST_EXTRA = 2_048, 8_192
LONGEST_BODY = 65_536            # its chat plan stops those of more than 32,000

_SERIAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_END = re.compile(r"[0-9A-Za-z_.@+*#-]{1,64}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_PROFILE = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_EXTRA = re.compile(rb"sip_h_[A-Za-z0-9_-]{1,64}")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_TAG = re.compile(r"[A-Za-z0-9_.+-]{1,100}", re.ASCII)
_TEXT = re.compile(r"[\x20-\x7e]{1,300}", re.ASCII)
_DELETED = re.compile(r"\+OK Deleted: (\d{1,9})\s*", re.ASCII)
_STOPPED = frozenset({"block"})
_WENT = frozenset({"leased", "alone", "emergency"})
# Headers of ours, which travel for their own ends only.
_OURS = (b"sip_h_x-enforcer",)


class MessageFact(NamedTuple):
    """One text message. `asked`: it is in our hands, and below it may be a `net`, named by its `serial`;
    else `refusal` says what became of it. `text` is that of an inbound message, capped."""

    attempt: CallAttempt
    serial: str
    asked: bool
    net: bool
    refusal: Refusal
    text: str


def read_message(message: Message, switch: str, received_at: float) -> MessageFact | None:
    """What the event says; None where the message is not one for us: nobody's, a test of an emergency number,
    misaddressed, or a copy that the site itself sends. Raises WireError where it is not what our chat plan
    writes."""
    verdict = message.get("enforcer_verdict")
    known = verdict == "asked" or verdict in _STOPPED or verdict in _WENT
    if verdict == "emergency" and not message.get("enforcer_serial"):
        return None             # a test, or of nobody
    if not known or message.get("replying") == "true" or message.get("skip_global_process") == "true":
        return None
    serial, number, sender = message["enforcer_serial"], message["to_user"], message["from_user"]
    direction = direction_of(message["enforcer_direction"])
    if not _SERIAL.fullmatch(serial):
        raise WireError(f"{MESSAGE_EVENT} with the serial {serial[:40]!a}")
    if direction is None:
        raise WireError(f"{MESSAGE_EVENT} in the direction {message['enforcer_direction'][:40]!a}")
    if not _END.fullmatch(number) or not _END.fullmatch(sender):
        raise WireError(f"{MESSAGE_EVENT} with an address that is none")
    asked = verdict == "asked"
    refusal = Refusal.BLOCKED if verdict in _STOPPED else Refusal.NONE if asked else Refusal.WENT
    attempt = CallAttempt(
        f"{switch}/message-{serial}", switch, account_name(message["enforcer_account"]), direction, number,
        sender, micros(message, "Event-Date-Timestamp") or received_at,
        route=account_name(message.get("enforcer_route")), medium=Medium.MESSAGE,
    )
    text = message.text[:LONGEST_TEXT] if direction is Direction.INBOUND else ""
    net = asked and (message.get("enforcer_net") or "").startswith("+OK")
    return MessageFact(attempt, serial, asked, net, refusal, text)


def send_on(message: Message, tag: str) -> bytes:
    """Has FreeSWITCH send the message on to where its chat plan has said, with our tag, "" for none. Raises
    WireError where it is larger than our chat plan lets it be, and (ours) for a tag that is none."""
    if len(message.body) > LONGEST_BODY:
        raise WireError(f"a message of {len(message.body)} bytes")
    lines = [name + b": " + value for name, value in _carried(message)]
    if tag:
        if not _TAG.fullmatch(tag):
            raise WireError(f"not a tag: {tag[:40]!a}", remote=False)
        lines.append(b"sip_h_X-Enforcer-Tag: " + tag.encode())
    return _sent(lines, message.body)


def tell_sender(message: Message, text: str) -> bytes | None:
    """Has FreeSWITCH write to the sender of this message; None where nobody can be told: its address is odd,
    or it comes in answer to such a message. Raises WireError (ours) where the text is more than a line."""
    if not _TEXT.fullmatch(text):
        raise WireError(f"not a text for a sender: {text[:40]!a}", remote=False)
    if message.get("sip_h_X-Enforcer"):
        return None
    sender, host = message.get("from_user") or "", message.get("from_host") or ""
    number, ours = message.get("to_user") or "", message.get("to_host") or ""
    profile, proto = message.get("sip_profile") or "", message.get("proto") or ""
    ends = all(_END.fullmatch(one) for one in (sender, number))
    if not ends or not _HOST.fullmatch(host) or not _HOST.fullmatch(ours) or not _PROFILE.fullmatch(proto):
        return None
    lines = [
        f"dest_proto: {proto}", "proto: global", "replying: true", f"from: {number}@{ours}",
        f"to: {sender}@{host}", "type: text/plain", "sip_h_X-Enforcer: refused",
    ]  # fmt: skip
    if _PROFILE.fullmatch(profile):
        lines.append(f"sip_profile: {profile}")
    ip, port = message.get("from_sip_ip") or "", message.get("from_sip_port") or ""
    if _HOST.fullmatch(ip) and _PORT.fullmatch(port):
        lines += [f"to_sip_ip: {ip}", f"to_sip_port: {port}"]
    return _sent([line.encode("ascii") for line in lines], text.encode("ascii"))


def why_not_sent(number: str, answer: Answer) -> str:
    """What a sender is told of a refusal, as an Asterisk tells it."""
    rule = answer.tag.partition("+")[0].partition(".")[0][:40]
    why = "this account is stopped" if rule == "standing" else f"refused by the rule {rule}"
    return f"Not sent to {number[:32]}: {why}" + (f" [{answer.decision_id}]" if answer.decision_id else "")


def take_net(serial: str) -> bytes:
    """Takes the net away; `taken` reads the answer."""
    if not _SERIAL.fullmatch(serial):
        raise WireError(f"not a serial: {serial[:40]!a}", remote=False)
    return say.api("sched_del", f"enforcer-{serial}")


def taken(answer: str) -> bool:
    """Whether the net was there still: the message has not been sent on."""
    match = _DELETED.fullmatch(answer)
    return match is not None and int(match[1]) > 0


def _carried(message: Message) -> Iterator[tuple[bytes, bytes]]:
    """The headers that go on, as bytes: what is no UTF-8 goes on as it came. Of a repeated one the first."""
    seen: set[bytes] = set()
    room = LONGEST_EXTRA
    for line in message.raw.split(b"\n"):
        name, colon, value = line.partition(b": ")
        if not colon or name.lower() in seen:
            continue
        extra = _EXTRA.fullmatch(name) is not None and not name.lower().startswith(_OURS)
        if name not in CARRIED and not extra:
            continue
        decoded = unquote_to_bytes(value)
        if len(decoded) > LONGEST_VALUE or _CONTROL.search(decoded):
            continue
        if extra:
            room -= len(name) + len(decoded)
            if room < 0:
                continue
        seen.add(name.lower())
        yield name, decoded


def _sent(lines: list[bytes], body: bytes) -> bytes:
    """One command. Its text is counted: no line of it is read as one of ours."""
    return SEND + b"".join(line + b"\n" for line in lines) + b"Content-Length: %d\n\n" % len(body) + body
