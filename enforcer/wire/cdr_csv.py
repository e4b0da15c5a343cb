"""Asterisk's own call records: the lines of cdr_csv's `Master.csv` to call facts.

In: the lines of a file, in order. Out: per good row the end of a call (`CallEvent`, told by a CDR),
per bad row a `BadInput` that names file and line; the caller decides what to do with those.
Refuses to know: where the file is, the ledger, and what events have already told.

One call may leave several rows (transfers, forks, busy and hang-up). They all carry the call's
Linkedid where the switch writes it, and so become one attempt: the ledger joins them and keeps the
longest. Columns, as cdr_csv writes them (the last ones depend on cdr.conf: `loguniqueid`,
`loguserfield`, `newcdrcolumns`, in this order):

    accountcode src dst dcontext clid channel dstchannel lastapp lastdata start answer end
    duration billsec disposition amaflags [uniqueid] [userfield] [peeraccount linkedid sequence]
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from functools import lru_cache

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Refusal, Source
from enforcer.errors import BadInput
from enforcer.wire.answer import parse_userfield
from enforcer.wire.channel import Identity, account_name, endpoint_of

FEWEST_COLUMNS = 16
# cdr_csv.c builds a row in a buffer of 1024 bytes and writes none that is longer; the rest is slack for
# sites that compiled it with a larger one.
LONGEST_LINE = 8192

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
    epoch = _Epoch(zone)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = _event(line, identity, directions, epoch)
        except ValueError as problem:
            yield BadInput(f"{name}:{number}", str(problem))
            continue
        if event is not None:
            yield event


def _event(
    line: str, identity: Identity, directions: dict[str, Direction], epoch: _Epoch
) -> CallEvent | None:
    if len(line) > LONGEST_LINE:
        raise ValueError(f"a row of more than {LONGEST_LINE} characters")
    try:
        row = next(csv.reader((line,), strict=True))
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
    disposition = row[14]
    cause = CAUSE_OF_DISPOSITION.get(disposition)
    if cause is None and disposition != "FAILED":
        raise ValueError(f"unknown disposition {disposition[:20]!r}")
    started, ended = epoch(row[9]), epoch(row[11])
    answered = epoch(row[10]) if row[10] and disposition == "ANSWERED" else None
    billsec = _seconds(row[13])
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
        number=row[2],
        caller=row[1],
        at=started,
        channel=channel,
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
    )


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


class _Epoch:
    """Wall-clock text to Unix seconds. Of the hour that a clock repeats, the first is taken."""

    def __init__(self, zone: tzinfo) -> None:
        self._minute = lru_cache(maxsize=4096)(self._minute_of)
        self._zone = zone

    def __call__(self, text: str) -> float:
        second = text[17:]
        if len(text) != 19 or not second.isdigit() or not second.isascii() or second > "60":
            raise ValueError(f"not a time: {text[:30]!r}")
        return self._minute(text[:16]) + int(second)

    def _minute_of(self, text: str) -> float:
        try:
            return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=self._zone).timestamp()
        except ValueError:
            raise ValueError(f"not a time: {text!r}") from None

