"""What an Asterisk, or somebody in its place, may say: on the manager interface, at the FastAGI door."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from enforcer.domain.call import CallAttempt, CallEvent
from enforcer.errors import WireError
from enforcer.switch.ami_session import LISTED
from enforcer.wire.agi import LONGEST_REPLY, AgiReader, AgiReply, AgiRequest, attempt_of
from enforcer.wire.ami import Decoder, Message, encode_action
from enforcer.wire.ami_actions import answer
from enforcer.wire.asterisk import WANTED_EVENTS, CallBook
from enforcer.wire.asterisk_messages import is_message, message_answer, read_message
from enforcer.wire.asterisk_questions import Question
from enforcer.wire.asterisk_status import resync
from enforcer.wire.channel import Identity
from tests.fuzz.target import Target, chunkings

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
RECORDED = Path(__file__).parents[1] / "recorded" / "asterisk"
LARGEST = 2048              # instead of 64 KB, so that it is reached
MOST_LEGS = 5
LINE = "block:21:0:0:minutes:d1-2f"
IDENTITY = Identity("pbx1", ("from-accounts", "default"), ("from-trunk",), ("internal",))
_ACCOUNT = re.compile(r"[A-Za-z0-9_.@+-]{0,80}", re.ASCII)


class _Said(NamedTuple):
    messages: list[bytes]
    broken: bool
    banner: str | None
    counts: tuple[int, int, int]


def sound(attempt: CallAttempt) -> None:
    """What holds of every attempt, whoever asked."""
    assert attempt.call_id.startswith("pbx1/")
    assert _ACCOUNT.fullmatch(attempt.account)
    assert attempt.at == attempt.at
    attempt.number.encode()
    attempt.caller.encode()


def one_action(name: str, headers: Iterable[tuple[str, str]]) -> None:
    """It is one action with as many lines as it was meant to have, or it is refused."""
    headers = list(headers)
    try:
        sent = encode_action(name, headers, "7")
    except WireError as problem:
        assert not problem.remote
        return
    assert sent.endswith(b"\r\n\r\n")
    assert sent.count(b"\r") == sent.count(b"\n") == len(headers) + 3
    assert b"\0" not in sent


def _said(pieces: list[bytes]) -> _Said:
    decoder = Decoder(WANTED_EVENTS | LISTED, largest=LARGEST)
    messages: list[bytes] = []
    broken = False
    try:
        for piece in pieces:
            for message in decoder.feed(piece):
                assert len(message.raw) <= LARGEST
                messages.append(message.raw)
            assert len(decoder._rest) <= LARGEST + 3
    except WireError as problem:
        assert problem.remote
        broken = True
    return _Said(
        messages, broken, decoder.banner, (decoder.events_seen, decoder.events_dropped, decoder.strays)
    )


def _ami(data: bytes) -> None:
    """However it is cut: the same messages, or no manager interface. (An event that a line of no event
    follows is taken back, as far as it was not handed over: see `Decoder._messages`.)"""
    whole, *others = (_said(pieces) for pieces in chunkings(data))
    for other in others:
        assert (other.broken, other.banner) == (whole.broken, whole.banner)
        if whole.broken:
            continue
        assert other.counts == whole.counts
        if not whole.counts[2]:
            assert other.messages == whole.messages
        else:
            rest = iter(other.messages)
            assert all(message in rest for message in whole.messages)


def _book(data: bytes) -> None:
    """Whatever the events say: facts or a WireError, a book that stays small, answers that are one action."""
    decoder, book = Decoder(WANTED_EVENTS | LISTED), CallBook(IDENTITY, most_legs=MOST_LEGS)
    try:
        messages = decoder.feed(BANNER + data)
    except WireError:
        return
    listing: list[Message] = []
    for message in messages:
        for header in ("Channel", "Timestamp", "Cause"):
            message.get(header)
        list(message)
        repr(message)
        with contextlib.suppress(WireError):
            if is_message(message):
                fact = read_message(message, "pbx1", 7.0)
                sound(fact.attempt)
                if fact.serial:
                    one_action(*message_answer(fact.serial, LINE))
                continue
            if message.name == "Status":
                listing.append(message)
            for told in book.read(message, 7.0):
                if isinstance(told, Question):
                    one_action(*answer(told.channel, LINE))
                if isinstance(told, Question | CallEvent):
                    sound(told.attempt)
                if isinstance(told, CallEvent):
                    assert told.at == told.at
        assert book.legs <= MOST_LEGS
        assert len(book.unlisted) <= 100
    with contextlib.suppress(WireError):
        for event in resync(book, listing, book.known_legs(), 5.0, 7.0):
            sound(event.attempt)
    assert book.legs <= MOST_LEGS


def _recorded(most: int) -> list[bytes]:
    found = []
    for path in sorted(RECORDED.glob("*.ami")):
        blocks = path.read_bytes().partition(b"\r\n")[2].split(b"\r\n\r\n")
        wanted = [block for block in blocks if re.match(rb"Event: (Newch|Newst|Hang|User|Status)", block)]
        if wanted:
            found.append((b"\r\n\r\n".join(wanted[:12]) + b"\r\n\r\n")[:most])
    return found


MESSAGE = (
    b"Event: UserEvent\r\nChannel: Message/q\r\nUniqueid: x-1.0\r\nUserEvent: EnfMessage\r\n"
    b"Serial: 1795646428.020984\r\nAccount: acme\r\nDirection: inbound\r\nNumber: 12025550142\r\n"
    b"Sender: acme\r\nAsk: yes\r\nVerdict: none\r\nRoute: carrier\r\nText: STOP\r\n\r\n"
)
STATUS = (
    b"Event: Status\r\nChannel: PJSIP/acme-00000001\r\nChannelState: 6\r\nCallerIDNum: 100\r\n"
    b"AccountCode: acme\r\nContext: from-accounts\r\nExten: 1000\r\nUniqueid: pbx-5.1\r\n"
    b"Linkedid: pbx-5.1\r\nDNID: 1000\r\nVariable: CDR(start,u)=5.5\r\nVariable: CDR(answer,u)=6.5\r\n"
    b"Variable: CDR(dcontext)=from-accounts\r\n\r\n"
)
WORDS = (
    b"\r\n", b"\r\n\r\n", b"Event: ", b"Response: ", b"Newchannel", b"Newstate", b"Hangup", b"UserEvent",
    b"EnfAsk", b"EnfMessage", b"Channel: ", b"Uniqueid: ", b"Linkedid: ", b"Context: ", b"from-trunk",
    b"from-accounts", b"AccountCode: ", b"Timestamp: ", b"nan", b"1e999", b"-1", b"inbound", b"outbound",
    b"Local/", b"ChannelStateDesc: Up", b"Ring", b"Cause: ", b"ChanVariable: ENF_VERDICT=block", b"\0",
    b"\xff", b"\xe2\x80\xa8", b"Status", b"ActionID: 1", b"EventList: Complete", BANNER,
)  # fmt: skip


def _agi(data: bytes) -> None:
    """The first thing that is heard, and the word after it, are the same however the bytes come."""
    def heard(pieces: list[bytes]) -> list[AgiRequest | AgiReply | str]:
        reader, told = AgiReader(), list[AgiRequest | AgiReply | str]()
        try:
            for piece in pieces:
                for part in (piece, b""):
                    one = reader.feed(part)
                    if one is not None and len(told) < 2:
                        told.append(one)
                assert len(reader._buffer) <= 8192
                if len(told) == 2:
                    break
        except WireError as problem:
            assert problem.remote
            if len(told) < 2:
                told.append("refused")
        return told

    whole, *others = (heard(pieces) for pieces in chunkings(data))
    assert all(other == whole for other in others)
    if whole and isinstance(whole[0], AgiRequest):
        with contextlib.suppress(WireError):
            sound(attempt_of(whole[0], "pbx1", 7.5))
    assert LONGEST_REPLY < 8192


REQUEST = (
    b"agi_network: yes\nagi_network_script: ask\nagi_channel: PJSIP/acme-00000007\nagi_uniqueid: lab-7.7\n"
    b"agi_callerid: 12025550101\nagi_arg_1: acme\nagi_arg_2: outbound\nagi_arg_3: 12025550142\n"
    b"agi_arg_4: lab-7.5\nagi_arg_5: carrier\n\n"
)

TARGETS = (
    Target("ami", _ami, lambda: [BANNER + one for one in (*_recorded(1400), MESSAGE, STATUS)], WORDS),
    Target("asterisk", _book, lambda: [*_recorded(9000), MESSAGE, STATUS], WORDS),
    Target(
        "agi", _agi,
        lambda: [REQUEST + end for end in (b"", b"200 result=1\n", b"HANGUP\n", b"520-Bad\nUse\n")],
        (b"\n", b"\n\n", b"agi_", b"agi_arg_2: ", b"inbound", b"internal", b"HANGUP\n", b"200 result=",
         b"520-", b": ", b"unknown", b"\0", b"\xff"),
    ),
)  # fmt: skip
