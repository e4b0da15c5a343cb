"""Calls of which everything is known: who placed which when, in which phase of a call the fault was to find
it, what came of it, and what the switch wrote down about it.

In: batches to place. Out: `Seen`, one a call. Refuses to know: which fault it was, and what should have come.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from lab.asterisk import Asterisk
from lab.provision import Provisioned
from lab.sipp import Call, SipMessage, place

EMERGENCY = "911"
RINGING = "182"         # the far end rings for two seconds before it answers (lab/scenarios/callee.xml)


@dataclass(slots=True)
class Seen:
    """One call, as the caller saw it."""

    number: str
    account: str
    phase: str
    sent_at: float = 0.0            # the first INVITE; epoch seconds
    ringing_at: float | None = None
    final_at: float | None = None   # its final answer
    code: int = 0
    bye_at: float | None = None     # the caller hung up
    ended: bool = False             # and that was confirmed
    cut_off: bool = False           # the other side hung up first
    source: str | None = None       # who decided, as the CDR says; None no CDR
    verb: str = ""

    @property
    def waited(self) -> float | None:
        """Seconds from the INVITE to its final answer."""
        return None if self.final_at is None else self.final_at - self.sent_at


@dataclass(slots=True)
class Calls:
    """Places calls on one switch, each to a number of its own, and remembers them all."""

    parts: Provisioned
    switch: Asterisk
    seen: list[Seen] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    async def place(
        self, phase: str, accounts: Sequence[str], *, rate: float, talk: float = 0.2, ringing: bool = False,
    ) -> None:
        """One call of each account named, in order, and wait until all are over."""
        batch = [Call(account, self._number(ringing), talk) for account in accounts]
        await self._place(phase, batch, rate)

    async def emergencies(self, account: str, times: int, rate: float) -> None:
        """So many calls for help."""
        await self._place("emergency", [Call(account, EMERGENCY, 0.1)] * times, rate)

    async def _place(self, phase: str, batch: Sequence[Call], rate: float) -> None:
        outcome = await place(
            self.parts, self.switch.sip_address, batch, rate=rate, messages=True, within=90
        )
        found = list(_read(outcome.messages, phase))
        assert len(found) == len(batch), f"{phase}: {len(batch)} calls placed, {len(found)} seen"
        self.seen += found

    def _number(self, ringing: bool) -> str:
        """Valid in the United States, and no ending that the far end has another meaning for."""
        number = next(self._numbers)
        return f"13035{number:03d}{RINGING}" if ringing else f"1303{2000 + number:04d}210"

    def look_up(self, rows: Iterable[Sequence[str]]) -> None:
        """Take from the switch's CDRs who decided on each call."""
        said = {row[2]: userfield(row) for row in rows}
        for call in self.seen:
            if call.number in said:
                source, _, answer = said[call.number].partition(";")
                call.source, call.verb = source, answer.partition(":")[0]


def cdrs(path: Path) -> list[list[str]]:
    """The rows of Master.csv, as lists of columns."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.reader(file) if len(row) >= 21]


def userfield(row: Sequence[str]) -> str:
    """`<source>;<answer line>`, "" of a call that nobody was asked about."""
    return row[17]


def _read(messages: Iterable[SipMessage], phase: str) -> Iterable[Seen]:
    calls: dict[str, Seen] = {}
    for message in messages:
        key = message.header("Call-ID") or ""
        if message.sent and message.method == "INVITE" and message.code is None and key not in calls:
            account = (message.header("From") or "").partition("sip:")[2].partition("@")[0]
            calls[key] = Seen(message.number, account, phase, message.at)
        call = calls.get(key)
        if call is None:
            continue
        if message.code is None:
            if message.method == "BYE" and call.bye_at is None and not call.cut_off:
                call.cut_off = not message.sent
                call.bye_at = message.at
                call.ended = not message.sent
        elif not message.sent:
            if message.code == 180 and call.ringing_at is None:
                call.ringing_at = message.at
            if message.method == "INVITE" and message.code >= 200 and call.final_at is None:
                call.final_at, call.code = message.at, message.code
            elif message.method == "BYE" and message.code == 200:
                call.ended = True
    return calls.values()
