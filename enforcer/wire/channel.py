"""How Asterisk names things: channels, endpoints, accounts, times, causes.

In: single headers of a message. Out: values in the field's words.
Refuses to know: the order of events; what is in progress.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from enforcer.domain.call import CallAttempt, Direction, Refusal
from enforcer.errors import WireError
from enforcer.wire.ami import Message
from enforcer.wire.channel_block import taken_apart

SHED_CAUSE = 42             # what the dialplan hangs up with where a call was shed: 503

AccountFrom = Literal["accountcode", "endpoint", "caller"]

_ACCOUNT = re.compile(r"[A-Za-z0-9_.@+-]{1,80}", re.ASCII)
_ENDPOINT = re.compile(r"[^/]+/(.+)-[0-9a-f]{8,}(?:;[12])?", re.ASCII)
LONGEST_SIP_CALL_ID = 200
_NOT_OF_CALL_IDS = re.compile(r"[^A-Za-z0-9@._+!%*~/:=\[\]-]")
_SERIAL = re.compile(r"(?:.*-)?(\d{9,11})\.\d+", re.ASCII)


# Asterisk writes the dialled and the calling number into an event as they came, with CR LF where the caller's
# SIP has %0D%0A (seen on 22.10): a caller can add lines to the events of its own call, or cut them and begin
# others. But each number is cut at 79 bytes, too few for all the headers that every event of a channel has.
CHANNEL_ONCE = ("Channel", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid")
ENDING_ONCE = (*CHANNEL_ONCE, "Cause", "Cause-txt")
QUESTION_ONCE = (*CHANNEL_ONCE, "UserEvent", "Account", "Direction", "Number")
def plain(message: Message) -> bool:
    """Whether the event is about one channel, and nothing but what Asterisk writes. Its headers are at hand
    then, each of them once."""
    if message.block is None:
        message.block = taken_apart(message.raw)
    return message.block is not None


_LINES: dict[tuple[str, ...], tuple[bytes, ...]] = {}       # the tuples are those of our code: a few


def whole(message: Message, once: tuple[str, ...] = CHANNEL_ONCE) -> None:
    """Raises WireError where the event has not exactly one of each header: a caller wrote into it."""
    if once is CHANNEL_ONCE and plain(message):
        return
    if once is ENDING_ONCE and plain(message) and message.get("Cause") is not None:
        return
    count = message.raw.count
    lines = _LINES.get(once)
    if lines is None:
        lines = _LINES[once] = tuple(f"\r\n{name}: ".encode() for name in once)
    for line in lines:
        if (times := count(line)) != 1:
            raise WireError(f"{message.name} with {line[2:-2].decode()} {times} times")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which switch this is, and how its calls name their account and direction.

    Contexts are those of the endpoint (where a call enters the dialplan). A call that starts in a
    context listed nowhere is not counted; `CallBook.unlisted` says which contexts those were.
    """

    switch: str
    outbound_contexts: tuple[str, ...] = ("from-accounts",)
    inbound_contexts: tuple[str, ...] = ("from-trunk",)
    internal_contexts: tuple[str, ...] = ()
    account_from: AccountFrom = "accountcode"

    def directions(self) -> dict[str, Direction]:
        """The direction of each listed context."""
        return {
            **dict.fromkeys(self.internal_contexts, Direction.INTERNAL),
            **dict.fromkeys(self.inbound_contexts, Direction.INBOUND),
            **dict.fromkeys(self.outbound_contexts, Direction.OUTBOUND),
        }

    def party(self, message: Message, channel: str) -> str:
        """The account of the phone or trunk at the far end of this channel, "" where not told."""
        if self.account_from == "accountcode":
            return account_name(message.get("AccountCode"))
        if self.account_from == "endpoint":
            return account_name(endpoint_of(channel))
        return account_name(message.get("CallerIDNum"))

    def attempt(
        self, message: Message, uniqueid: str, channel: str, direction: Direction, number: str, at: float
    ) -> CallAttempt:
        """The attempt that this channel leads, as far as one message tells it.

        The account of an inbound call is the called party, whom only its number may name here.
        """
        inbound = direction is Direction.INBOUND
        if not inbound:
            account = self.party(message, channel)
        else:
            account = account_name(number) if self.account_from == "caller" else ""
        return CallAttempt(
            call_id=f"{self.switch}/{uniqueid}",
            switch=self.switch,
            account=account,
            direction=direction,
            number=number,
            caller=known(message.get("CallerIDNum")),
            at=at,
            channel=channel,
            route=endpoint_of(channel) if inbound else "",
        )


def account_name(text: str | None) -> str:
    """The text, where it is an account name as the wire may carry one; else "" (no account)."""
    return text if text and _ACCOUNT.fullmatch(text) else ""


def endpoint_of(channel: str) -> str:
    """The endpoint in a channel's name.

    >>> endpoint_of("PJSIP/trunk-carrier-000000eb")
    'trunk-carrier'
    """
    match = _ENDPOINT.fullmatch(channel)
    return match[1] if match else ""


def route_asked(message: Message) -> str:
    """The carrier or trunk that a question names; "" where it names none, or more than one: we write one."""
    if message.raw.count(b"\r\nRoute: ") != 1:
        return ""
    return account_name(message.get("Route"))


def sip_call_id(text: str | None) -> str:
    """A SIP Call-ID as it is kept and looked for: without what a dialplan or a log line could trip over,
    though RFC 3261 (25.1, `word`) allows it; at most 200 characters. The caller chose it.

    >>> sip_call_id("3c26-x'(1)@192.0.2.7")
    '3c26-x1@192.0.2.7'
    """
    return _NOT_OF_CALL_IDS.sub("", text or "")[:LONGEST_SIP_CALL_ID]


def sip_call_id_asked(message: Message, channel: str) -> str:
    """The Call-ID that a question names; "" of what is no SIP, and where it is there more than once."""
    if message.raw.count(b"\r\nSipCallID: ") != 1 or not channel.startswith("PJSIP/"):
        return ""
    return sip_call_id(message.get("SipCallID"))


def event_time(message: Message, received_at: float) -> float:
    """When the switch says it happened (`timestampevents = yes`), else when we received it."""
    if message.at is None:              # else it was asked before
        at = moment(message.get("Timestamp"))
        if at is None:
            return received_at
        message.at = at
    return message.at


def moment(text: str | None) -> float | None:
    """The Unix seconds that a text says, None where it says none: neither nan nor a number of milliseconds.

    >>> moment("1795309504.425"), moment("nan"), moment("")
    (1795309504.425, None, None)
    """
    try:
        at = float(text or "")
    except ValueError:
        return None
    return at if 0.0 < at < 1e11 else None


def started_by_serial(uniqueid: str) -> float | None:
    """The second in which a channel was created: Asterisk puts it into its Uniqueid.

    >>> started_by_serial("lab1-1795309504.425")
    1795309504.0
    """
    match = _SERIAL.fullmatch(uniqueid)
    return float(match[1]) if match else None


def refusal_of(verdict: str | None, cause: int | None) -> Refusal:
    """What our answer did to a call that was never answered, by the ENF_VERDICT that its end carries.

    A call that was held and then got 503 from the carrier (cause 34) was not shed by us.
    """
    if verdict == "block":
        return Refusal.BLOCKED
    if verdict == "throttle" and cause == SHED_CAUSE:
        return Refusal.SHED
    return Refusal.WENT if verdict else Refusal.NONE


def number_in(text: str | None) -> int | None:
    """The whole number that a header holds, None where it holds none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def epoch_in(text: str | None) -> float | None:
    """The Unix seconds that a header holds, None where it holds none."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) <= 11 else None


def known(text: str | None) -> str:
    """The text, "" where it is missing or Asterisk's word for a missing one."""
    return "" if text is None or text == "<unknown>" else text


def direction_of(text: str | None) -> Direction | None:
    """The direction by its name, None where it is none."""
    try:
        return Direction(text or "")
    except ValueError:
        return None
