"""Asterisk's own call records: the lines of cdr_csv's `Master.csv` to call facts.

In: the lines of a file, in order. Out: per good row the end of a call (`CallEvent`, told by a CDR),
per bad row a `BadInput` that names file and line; the caller decides what to do with those.
Refuses to know: where the file is, the ledger, and what events have already told.

One call may leave several rows (transfers, forks, busy and hang-up). They all carry the call's
Linkedid where the switch writes it, and so become one attempt: the ledger joins them and keeps the
longest; each names the leg that it is about. Columns, as cdr_csv writes them (the last ones depend on
cdr.conf: `loguniqueid`, `loguserfield`, `newcdrcolumns`, in this order):

    accountcode src dst dcontext clid channel dstchannel lastapp lastdata start answer end
    duration billsec disposition amaflags [uniqueid] [userfield] [peeraccount linkedid sequence]
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import tzinfo

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Refusal, Source
from enforcer.errors import BadInput
from enforcer.wire.answer import let_through, parse_userfield
from enforcer.wire.cdr_csv_clock import WallClock
from enforcer.wire.cdr_csv_rows import read
from enforcer.wire.channel import Identity, account_name, endpoint_of

FEWEST_COLUMNS = 16

# A CDR tells how a call went in words; these are the Q.850 causes of the same meaning. ANSWERED is a
# normal clearing; "NO ANSWER" covers everything from ringing out to being blocked.
CAUSE_OF_DISPOSITION = {"ANSWERED": 16, "BUSY": 17, "NO ANSWER": 19, "CONGESTION": 34}


def read_rows(
    lines: Iterable[str], identity: Identity, zone: tzinfo, name: str = "Master.csv"
) -> Iterator[CallEvent | BadInput]:
    """The calls in the lines of one file; rows of `Local/` channels and foreign contexts are no calls.

    `zone` is the time zone in which the switch writes its times (UTC with `usegmtime = yes`).
    Streams: holds one row at a time, apart from the seconds it converted last.
    """
    directions = identity.directions()
    clock = WallClock(zone)
    return read(lines, lambda text: _event(text, identity, directions, clock), _unfinished, name)


def _unfinished(text: str) -> bool:
    """Quotes are doubled within quotes: an odd number of them has one open."""
    return text.count('"') % 2 == 1


def _event(
    text: str, identity: Identity, directions: dict[str, Direction], clock: WallClock
) -> CallEvent | None:
    lines = [f"{line}\n" for line in text.split("\n")] if "\n" in text else [text]
    try:
        rows = csv.reader(lines, strict=True)
        row = next(rows)
        if next(rows, None) is not None:
            raise ValueError("more than one row")
    except csv.Error as problem:
        raise ValueError(f"not CSV: {problem}") from None
    if len(row) < FEWEST_COLUMNS + 1:
        raise ValueError(f"{len(row)} columns, a row with uniqueid has at least {FEWEST_COLUMNS + 1}")
    channel = row[5]
    if channel.startswith(("Local/", "Message/")):
        return None
    direction = directions.get(row[3])
    if direction is None:
        return None
    uniqueid, userfield, peer, linkedid = _ids(row)
    # What a transferred leg dials, under its own name, is not what was dialled when the call began.
    leads = linkedid in ("", uniqueid)
    disposition = row[14]
    cause = CAUSE_OF_DISPOSITION.get(disposition)
    if cause is None and disposition != "FAILED":
        raise ValueError(f"unknown disposition {disposition[:20]!r}")
    duration, billsec = _seconds(row[12]), _seconds(row[13])
    answered_text = row[10] if disposition == "ANSWERED" else ""
    started, answered, ended = clock.times(row[9], answered_text, row[11], duration, billsec)
    if ended < started:
        raise ValueError(f"ends ({row[11]}) before it starts ({row[9]})")
    answer = parse_userfield(userfield) if userfield else None
    refusal = Refusal.NONE
    if answer is not None and answered is None:
        refusal = answer.refusal or Refusal.WENT
    inbound = direction is Direction.INBOUND
    attempt = CallAttempt(
        call_id=f"{identity.switch}/{linkedid or uniqueid}",
        switch=identity.switch,
        account=_account(row, identity, inbound, peer),
        direction=direction,
        number=row[2] if leads else "",
        caller=row[1] if leads else "",
        at=started,
        channel=channel if leads else "",
        route=endpoint_of(channel if inbound else row[6]),
    )
    return CallEvent(
        Phase.ENDED,
        attempt,
        ended,
        answered_at=answered,
        billsec=billsec if answered is not None else 0.0,
        hangup_cause=cause,
        refusal=refusal,
        source=Source.CDR,
        legs=_leg(row[6]),
        callback=let_through(userfield),
    )


def _leg(channel: str) -> str:
    """The leg that was dialled, where it is one: Local channels are a way to dial, and dialled nobody."""
    return "" if channel.startswith("Local/") or " " in channel else channel


def _account(row: list[str], identity: Identity, inbound: bool, peer: str) -> str:
    """The same account that the events of the call would have told."""
    if identity.account_from == "caller":
        return account_name(row[2] if inbound else row[1])
    if identity.account_from == "endpoint":
        return account_name(endpoint_of(row[6] if inbound else row[5]))
    # Of an inbound call the first account is the trunk's unless the dialplan set another; the called
    # party's is the peer's where the dialplan said so (Dial copies the first one there otherwise).
    return account_name(peer or row[0] if inbound else row[0])


def _ids(row: list[str]) -> tuple[str, str, str, str]:
    """uniqueid, userfield, peeraccount and linkedid, "" where the switch does not write them."""
    tail = row[FEWEST_COLUMNS:]
    peer = linkedid = ""
    if len(tail) >= 4:                      # uniqueid [userfield] peeraccount linkedid sequence
        peer, linkedid = tail[-3], tail[-2]
        tail = tail[:-3]
    uniqueid = tail[0]
    userfield = tail[1] if len(tail) > 1 else ""
    if not uniqueid or len(tail) > 2:
        raise ValueError(f"{len(row)} columns, not those of cdr_csv with uniqueid")
    return uniqueid, userfield, peer, linkedid


def _seconds(text: str) -> float:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"not a number of seconds: {text[:20]!r}")
    return float(text)
