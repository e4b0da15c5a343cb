"""How FreeSWITCH names things: channels, accounts, times, causes, and what our dialplan leaves on a call.

In: single headers of one event. Out: values in the field's words.
Refuses to know: the order of events; what is in progress.

Who is who comes from the switch's own configuration (the directory's `accountcode` and user, the context,
what the dialplan set), never from a SIP header, except with `account_from = "caller"`: a person chose that.
"""

from __future__ import annotations

import re
from dataclasses import replace

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Refusal
from enforcer.errors import WireError
from enforcer.wire.channel import Identity, account_name, direction_of, epoch_in, number_in
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch_causes import q850
from enforcer.wire.legs import Call

# Set by the dialplan, see `dialplan/README.md`. The first three are also columns of our CDR template.
CALL, DIRECTION, NUMBER = "enforcer_call", "enforcer_direction", "enforcer_number"
ACCOUNT, ROUTE = "enforcer_account", "enforcer_route"
VERDICT = "ENF_VERDICT"
HELPED = "enf_helped"       # "<Unix seconds of the emergency call>:<account>", on a call back and its legs

PLUMBING = "loopback/"
# `respond 503` hangs up with 41 (tried on 1.11), `hangup SWITCH_CONGESTION` with 42.
SHED_CAUSES = (41, 42)
LONGEST_NUMBER = 128

# A UUID, unless the dialplan chose another or the profile takes the SIP Call-ID for it.
_CHANNEL = re.compile(r"[!-~]{1,128}", re.ASCII)
_CODE = re.compile(r"([3-6]\d\d)\b.*", re.ASCII)


def channel_of(message: Message, header: str = "Unique-ID") -> str:
    """The id of a channel. Raises WireError where it is missing or none."""
    uuid = message[header]
    if not _CHANNEL.fullmatch(uuid):
        raise WireError(f"{message.name} with {header} {uuid[:40]!a}")
    return uuid


def dialled_by(message: Message) -> str:
    """The channel that dialled this one, "" where it was not dialled for another.

    The far half of a loopback channel counts as dialled by the channel that the near half was dialled for.
    """
    if message.get("Call-Direction") == "inbound":
        if not message["Channel-Name"].startswith(PLUMBING):
            return ""               # it called the switch
        return message.variable("other_loopback_from_uuid") or ""
    return message.variable("originator") or message.variable("originating_leg_uuid") or ""


def party(identity: Identity, message: Message) -> str:
    """The account of whoever is at the far end of this channel, "" where not told."""
    if identity.account_from == "accountcode":
        return account_name(message.variable("accountcode"))
    if identity.account_from == "endpoint":
        return account_name(message.variable("user_name"))
    return account_name(message.get("Caller-Orig-Caller-ID-Number") or message.get("Caller-Caller-ID-Number"))


def party_dialled(identity: Identity, message: Message) -> str:
    """The account that a leg was dialled for: that of the user called."""
    if identity.account_from == "accountcode":
        return account_name(message.variable("accountcode"))
    return account_name(message.variable("dialed_user"))


def attempt(
    identity: Identity, message: Message, uuid: str, direction: Direction, at: float, profile: str = "Caller"
) -> CallAttempt:
    """The attempt that this channel leads, as far as one event tells it.

    The account of an inbound call is the called party, whom only its number may name here. `profile` is
    "Other-Leg" where the event is about a leg that the channel has dialled.
    """
    number = said(message.variable(NUMBER) or message.get(f"{profile}-Destination-Number"))
    inbound = direction is Direction.INBOUND
    if not inbound:
        account = party(identity, message)
    else:
        account = account_name(number) if identity.account_from == "caller" else ""
    return CallAttempt(
        call_id=f"{identity.switch}/{uuid}",
        switch=identity.switch,
        account=account,
        direction=direction,
        number=number,
        caller=caller_of(message, profile),
        at=at,
        channel=uuid,
        route=account_name(message.variable("sip_gateway")) if inbound else "",
    )


def called_back(call: Call, message: Message) -> list[CallEvent]:
    """What the dialplan says of a call that it let through, asking nobody, as a call back after an emergency
    call: when that was, and whose. Nothing of any other call."""
    since, _, account = (message.variable(HELPED) or "").partition(":")
    at = epoch_in(since)
    if at is None:
        return []
    call.attempt = replace(call.attempt, account=call.attempt.account or account_name(account))
    return [CallEvent(Phase.STARTED, call.attempt, call.attempt.at, callback=True, since=at)]


def caller_of(message: Message, profile: str = "Caller") -> str:
    """The calling number, "" where there is none, or one that is no text to be shown.

    "Orig" is the number as it came in; the other is what the dialplan made of it, and swapped at times.
    """
    text = message.get(f"{profile}-Orig-Caller-ID-Number") or message.get(f"{profile}-Caller-ID-Number") or ""
    return text if text.isprintable() and len(text) <= LONGEST_NUMBER else ""


def said(text: str | None) -> str:
    """What a caller dialled, fit to be kept and shown: no line breaks or other control characters."""
    text = (text or "")[:LONGEST_NUMBER]
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def direction_in(identity: Identity, message: Message) -> Direction | None:
    """The direction of a call whose beginning we missed: as the dialplan told it, else by its context."""
    told = direction_of(message.variable(DIRECTION))
    return told or identity.directions().get(message.get("Caller-Context") or "")


def micros(message: Message, header: str) -> float | None:
    """A time in microseconds as Unix seconds; None where it is missing or zero (not yet)."""
    text = message.get(header)
    if not text or not text.isascii() or not text.isdigit() or len(text) > 16:
        return None
    return int(text) / 1e6 or None


def cause_of(message: Message) -> int | None:
    """The Q.850 cause that the channel ended with. Raises WireError where that is no cause's name."""
    try:
        return q850(message.get("Hangup-Cause") or "")
    except ValueError as problem:
        raise WireError(f"{message.name}: {problem}") from None


def sip_code_of(message: Message) -> int | None:
    """The SIP status that an unanswered caller was sent, where the switch tells it: that of `respond`,
    that of the caller's own transaction (487), or the one that the last leg dialled had failed with."""
    if message.variable("last_app") == "respond":
        match = _CODE.fullmatch(message.variable("last_arg") or "")
        if match:
            return int(match[1])
    return number_in(message.variable("sip_term_status")) or number_in(
        message.variable("sip_invite_failure_status")
    )


def refusal_of(message: Message, cause: int | None, dialled: bool) -> Refusal:
    """What our answer did to a call that was never answered, by the ENF_VERDICT that its end carries.

    FreeSWITCH ends a call that we shed with the same cause as one that the carrier refused with 503, so
    it has been shed only where no leg was dialled.
    """
    verdict = message.variable(VERDICT)
    if verdict == "block":
        return Refusal.BLOCKED
    if verdict == "throttle" and cause in SHED_CAUSES and not dialled:
        return Refusal.SHED
    return Refusal.WENT if verdict else Refusal.NONE
