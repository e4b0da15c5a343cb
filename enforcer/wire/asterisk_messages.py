"""Text messages on an Asterisk: what its dialplan tells about them, and what it is told.

In: `UserEvent(EnfMessage)`s of `dialplan/asterisk/messages.conf`. Out: `MessageFact`s; AMI actions.
Refuses to know: the connection, what is decided, and how a message is sent on.

All messages of a switch share one channel for its whole life: no Newchannel, Hangup or CDR tells of a single
one. So the dialplan does, and gives each a serial, the microsecond in which it was routed:

    Serial: 1795646428.021028       Account: acme       Direction: outbound     Number: 12025550142
    Sender: acme                    Route: carrier      Ask: yes | no           Verdict: none | allow | block
    Text: STOP                      of inbound messages only

Ask "yes": it waits for the answer, a global variable that begins with the serial (AMI does not find that
channel, so it can set none there). Ask "no": it has gone its way without us; `Verdict` says which.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from enforcer.domain.call import CallAttempt, Direction, Medium, Refusal
from enforcer.domain.stop_words import LONGEST_TEXT
from enforcer.errors import WireError
from enforcer.wire.ami import Message
from enforcer.wire.ami_actions import FAMILY, Command
from enforcer.wire.channel import account_name, direction_of, event_time, route_asked, whole

MESSAGE_EVENT = "EnfMessage"
ANSWER_VARIABLE = "ENF_MESSAGE_ANSWER"
HERE_VARIABLE = "ENF_HERE"
TAKEN_VARIABLE = "ENF_TAKEN_"         # and the account
STOPPED_CONTEXT = "message-stopped"
# The one extension that a per-account context of messages.conf has for everything but emergency numbers.
EXTENSION = "_[0-9+*#]."
# What the dialplan writes exactly once; `Text` comes last and holds nothing that could begin a header.
ONCE = (
    "Channel", "Uniqueid", "UserEvent", "Serial", "Account", "Direction", "Number", "Sender", "Ask",
    "Verdict",
)
LONGEST_NUMBER = 64

_SERIAL = re.compile(r"[0-9]{9,11}\.[0-9]{6}", re.ASCII)
_NUMBER = re.compile(r"[0-9+*#]*", re.ASCII)
_SENDER = re.compile(r"[A-Za-z0-9_.@+*#-]*", re.ASCII)


class MessageFact(NamedTuple):
    """One text message. `serial` is "" where nobody waits for an answer; `refusal` says what became of it
    then. `text` is that of an inbound message, capped."""

    attempt: CallAttempt
    serial: str
    refusal: Refusal
    text: str


def is_message(message: Message) -> bool:
    """Whether the event is about a text message."""
    return message.name == "UserEvent" and message.get("UserEvent") == MESSAGE_EVENT


def read_message(message: Message, switch: str, received_at: float) -> MessageFact:
    """What the event says. Raises WireError where it is not what our dialplan writes."""
    whole(message, ONCE)
    serial, number, sender = message["Serial"], message["Number"], message["Sender"]
    direction = direction_of(message["Direction"])
    if not _SERIAL.fullmatch(serial):
        raise WireError(f"{MESSAGE_EVENT} with the serial {serial[:40]!r}")
    if direction is None:
        raise WireError(f"{MESSAGE_EVENT} in the direction {message['Direction'][:40]!r}")
    if not _NUMBER.fullmatch(number) or not _SENDER.fullmatch(sender):
        raise WireError(f"{MESSAGE_EVENT} with an address that is none")
    asks = message["Ask"] == "yes"
    attempt = CallAttempt(
        f"{switch}/message-{serial}", switch, account_name(message["Account"]), direction,
        number[:LONGEST_NUMBER], sender[:LONGEST_NUMBER], event_time(message, received_at),
        route=route_asked(message), medium=Medium.MESSAGE,
    )
    inbound = direction is Direction.INBOUND
    refusal = Refusal.NONE
    if not asks:
        refusal = Refusal.BLOCKED if message["Verdict"] == "block" else Refusal.WENT
    return MessageFact(
        attempt, serial if asks else "", refusal,
        (message.get("Text") or "")[:LONGEST_TEXT] if inbound else "",
    )


def message_answer(serial: str, line: str) -> Command:
    """The answer to the message with this serial, where the dialplan waits for it."""
    return "Setvar", (("Variable", ANSWER_VARIABLE), ("Value", f"{serial}:{line}"))


def closing(prefix: str, account: str) -> Command | None:
    """Takes the account's message extension away: 404. None for a name that no context can have."""
    if not account_name(account):
        return None
    return "DialplanExtensionRemove", (("Context", f"{prefix}{account}"), ("Extension", EXTENSION))


def opening(prefix: str, account: str) -> list[Command]:
    """Puts it back as messages.conf has it, step by step. Empty for a name that no context can have."""
    if not account_name(account):
        return []
    step = f"enforcer-messages,outbound,1({account},${{EXTEN}})"
    return [
        _added(f"{prefix}{account}", EXTENSION, 1, "Gosub", step),
        _added(f"{prefix}{account}", EXTENSION, 2, "Hangup"),
    ]


def here(at: float) -> Command:
    """The heartbeat that what a rule has closed hangs on: too old, and the switch opens it by itself. `at` is
    the switch's own time. Of a hook that is asked while the dialplan is locked AstDB may not be."""
    return "Setvar", (("Variable", HERE_VARIABLE), ("Value", str(int(at))))


def asked_until(account: str, at: float) -> Command:
    """The account is being closed: up to `at`, the switch's own time, and half a second more from each
    message that it takes until then, what it writes is still taken and asked about. 0: no longer."""
    return "Setvar", (("Variable", f"{TAKEN_VARIABLE}{account}"), ("Value", str(int(at * 1000))))


def stretch(at: float) -> int:
    """The 100,000 seconds (28 hours) that a moment is in, as the dialplan reckons them: `${EPOCH:0:5}`."""
    return int(at) // 100_000


def stopping(account: str, at: float) -> list[Command]:
    """People stopped the account: once closed, it stays so without us to the end of the next stretch."""
    return [
        _added(STOPPED_CONTEXT, _stopped(account, number), 1, "NoOp", account)
        for number in (stretch(at), stretch(at) + 1)
    ]


def resuming(account: str, at: float, *, wholly: bool = True) -> list[Command]:
    """Takes that back; or only what is of a stretch that is over."""
    numbers = range(stretch(at) - 1, stretch(at) + (2 if wholly else 0))
    return [
        ("DialplanExtensionRemove",
         (("Context", STOPPED_CONTEXT), ("Extension", _stopped(account, number))))
        for number in numbers
    ]


def _added(context: str, extension: str, priority: int, application: str, data: str = "") -> Command:
    headers = (
        ("Context", context), ("Extension", extension), ("Priority", str(priority)),
        ("Application", application),
    )
    return "DialplanExtensionAdd", (*headers, ("ApplicationData", data)) if data else headers


def _stopped(account: str, number: int) -> str:
    """An extension's name: Asterisk takes some letters of an account's for a pattern, and skips dashes."""
    return hashlib.md5(f"{number}.{account}".encode(), usedforsecurity=False).hexdigest()


def closed_key(account: str) -> str:
    """The key in AstDB by which the next enforcer knows what this one closed."""
    return f"closed/{account}"


def note_closed(account: str) -> Command:
    """Leaves word that the account is closed."""
    return "DBPut", (("Family", FAMILY), ("Key", closed_key(account)), ("Val", "1"))


def note_opened(account: str) -> Command:
    """Takes that back."""
    return "DBDel", (("Family", FAMILY), ("Key", closed_key(account)))


def account_of_key(key: str) -> str:
    """The account in a key as DBGetTree lists it, "" where it is none of these.

    >>> account_of_key("/enforcer/closed/acme")
    'acme'
    """
    return account_name(key.removeprefix(f"/{FAMILY}/closed/"))
