"""The templates of mod_cdr_csv, column by column.

In: one row as text. Out: the leg that it is about, or ValueError. Refuses to know: lines, files, calls
that have several rows, and what a context means.

mod_cdr_csv puts values between quotes as they are, so a caller whose name holds `","` adds columns to
his row. Those from which a caller cannot write are counted from the end where he could do so: his call
is counted all the same, and only its number stays unknown.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from enforcer.domain.call import Direction
from enforcer.wire import cdr_csv_columns as columns
from enforcer.wire.cdr_csv_clock import WallClock
from enforcer.wire.cdr_csv_kin import Kin
from enforcer.wire.channel import AccountFrom
from enforcer.wire.freeswitch_causes import q850

DIRECTIONS = {member.value: member for member in Direction}

_UUID = re.compile(r"[^\s\",]{1,128}")
_UUIDS = re.compile(r"[^\s\",]{1,128}(?: [^\s\",]{0,128}){3}")
_USER = re.compile(r"sofia/[^/]+/(?:sip:)?([^@]+)@.+")


class Leg(NamedTuple):
    """One row, whichever template it is of. Times are Unix seconds."""

    uuid: str
    call: str                       # the id of the call that it is of
    leads: bool                     # the call began with it
    context: str
    direction: str                  # of the call, as the dialplan told it; "" where the context has to tell
    accounts: tuple[str, str]       # of an outbound call, of an inbound one
    number: str
    caller: str
    started: float
    answered: float | None
    ended: float
    billsec: float
    cause: int | None
    sip_code: int | None
    userfield: str
    routes: tuple[str, str]         # of an outbound call, of an inbound one
    dialled: str                    # the leg that was dialled for the call, as far as this row tells


class Templates:
    """Reads rows of any of the templates."""

    def __init__(self, account_from: AccountFrom, clock: WallClock, kin: Kin) -> None:
        self._from = account_from
        self._clock = clock
        self._kin = kin

    def leg(self, text: str) -> Leg | None:
        """The leg of a row, None where another row tells all of it. Raises ValueError."""
        text = text.rstrip()
        if text.endswith('";'):         # as mod_cdr_csv has it where the default template is missing
            text = text[:-1]
        if len(text) < 2 or text[0] != '"' or text[-1] != '"':
            raise ValueError("not a row of mod_cdr_csv: that begins and ends with a quote")
        parts = text[1:-1].split('","')
        if columns.ours(parts):
            return self._ours(parts)
        if columns.asterisk(parts):
            return self._asterisk(parts)
        parts = columns.with_codecs(parts)
        if columns.example(parts):
            return self._example(parts)
        raise ValueError(f"{len(parts)} columns, of none of the templates enforcer, example and asterisk")

    def _ours(self, parts: list[str]) -> Leg:
        (
            _, uuid, call, parent, loopback_of, loopback, made, direction, start, answer, end, billmsec,
            cause, sip_code, context, account, user, gateway, gateway_in, userfield, _, dialled_user, caller,
            number, dialled,
        ) = parts[: columns.OUR_COLUMNS - 1]
        if made not in ("inbound", "outbound"):
            raise ValueError(f"not a direction of a channel: {made[:20]!r}")
        if direction and direction not in DIRECTIONS:
            raise ValueError(f"enforcer_direction {direction[:20]!r} is not one of {', '.join(DIRECTIONS)}")
        if not _UUIDS.fullmatch(f"{uuid} {call} {parent} {loopback_of}"):
            raise ValueError(f"not the ids of channels: {uuid[:40]!r} {call[:40]!r} {parent[:40]!r}")
        leads = not (parent or loopback_of) and call in ("", uuid)
        origin = call if call not in ("", uuid) else parent or loopback_of or uuid
        number = dialled or number
        if len(parts) > columns.OUR_COLUMNS:        # a caller wrote quotes into the last columns
            caller = number = dialled_user = ""
        accounts = ("", "")
        if not leads:
            caller = number = ""
        elif self._from == "accountcode":
            accounts = (account, account)
        else:
            accounts = (user, dialled_user) if self._from == "endpoint" else (caller, number)
        answered = _digits(answer) / 1e6 if answer else 0.0
        return Leg(
            uuid, self._kin.root(origin), leads, context, direction, accounts, number, caller,
            _digits(start) / 1e6, answered or None, _digits(end) / 1e6, _digits(billmsec) / 1e3,
            _digits(cause) if cause else None, _digits(sip_code) if sip_code else None,
            userfield if leads else "", (gateway, gateway_in if leads else ""),
            "" if leads or loopback else uuid,
        )

    def _example(self, parts: list[str]) -> Leg | None:
        context, start, answer, end, duration, billsec, cause, uuid, other, account = parts[-12:-2]
        if self._kin.is_named(uuid):
            return None
        if self._from == "endpoint":
            raise ValueError("template example names no endpoint: use template enforcer or account_from")
        caller, number = parts[1:3] if len(parts) == columns.EXAMPLE_COLUMNS else ("", "")
        accounts = (account, account) if self._from == "accountcode" else (caller, number)
        return self._stock(
            uuid, context, accounts, number, caller, (start, answer, end), (duration, billsec), cause,
            "", other,
        )

    def _asterisk(self, parts: list[str]) -> Leg:
        if len(parts) > columns.ASTERISK_COLUMNS:
            raise ValueError("a value holds quotes: columns of template asterisk can't be told apart then")
        (
            account, caller, number, context, _, channel, other, _, _, start, answer, end, duration, billsec,
            cause, _, uuid, userfield,
        ) = parts
        accounts = (account, account)
        if self._from == "endpoint":
            accounts = (_user(channel), _user(other))
        elif self._from == "caller":
            accounts = (caller, number)
        return self._stock(
            uuid, context, accounts, number, caller, (start, answer, end), (duration, billsec), cause,
            userfield, "",
        )

    def _stock(
        self, uuid: str, context: str, accounts: tuple[str, str], number: str, caller: str,
        stamps: tuple[str, str, str], seconds: tuple[str, str], cause: str, userfield: str, dialled: str,
    ) -> Leg:
        duration, billsec = seconds
        told = float(_digits(billsec))
        started, answered, ended = self._clock.times(*stamps, float(_digits(duration)), told)
        return Leg(
            _uuid(uuid), uuid, True, context, "", accounts, number, caller, started, answered, ended, told,
            q850(cause), None, userfield, ("", ""), _uuid(dialled) if dialled else "",
        )


def _user(channel: str) -> str:
    """The user in a channel's name.

    >>> _user("sofia/internal/1000@10.0.0.1:5060")
    '1000'
    """
    match = _USER.fullmatch(channel)
    return match[1] if match else ""


def _uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise ValueError(f"not the id of a channel: {text[:40]!r}")
    return text


def _digits(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 17:
        raise ValueError(f"not a number: {text[:20]!r}")
    return int(text)
