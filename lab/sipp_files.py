"""What SIPp leaves in its directory: its statistics, its errors, every SIP message if it was asked for them.

In: the directory. Out: an `Outcome`, `SipMessage`s. Refuses to know who called whom, and why.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from lab.process import LabFailed


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One message as SIPp traced it."""

    at: float
    """Epoch seconds."""
    sent: bool
    """True: SIPp sent it, False: it received it."""
    start: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """The first header of this name, None if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def code(self) -> int | None:
        """The status of a response, None for a request."""
        found = re.match(r"SIP/2\.0 (\d{3})", self.start)
        return int(found[1]) if found else None

    @property
    def method(self) -> str:
        """The request's method, or that of the request a response answers."""
        return (self.header("CSeq") or " ").split()[-1] if self.code else self.start.split(" ", 1)[0]

    @property
    def number(self) -> str:
        """The user part of the request's URI, or of To."""
        source = (self.header("To") or "") if self.code else self.start
        found = re.search(r"sip:([^@>]*)@", source)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What SIPp saw of one batch of calls."""

    placed: int
    failed: int
    """Calls that did not follow the scenario: no answer at all, or an unexpected message."""
    codes: Counter[int]
    """Final answers to INVITE, by SIP code."""
    retransmissions: int
    setup_ms: tuple[float, ...]
    """INVITE to final answer, milliseconds, one a call."""
    messages: tuple[SipMessage, ...] = field(default=())

    def final(self, number: str) -> list[SipMessage]:
        """Every final answer to the INVITEs for this number, in order (only with `messages=True`)."""
        return [
            message
            for message in self.messages
            if not message.sent
            and message.method == "INVITE"
            and message.number == number
            and (message.code or 0) >= 200
        ]


def errors_in(directory: Path) -> str:
    """The beginning of what SIPp complained of, "" where of nothing."""
    path = directory / "errors.log"
    return path.read_text(errors="replace")[:1000] if path.exists() else ""


def outcome_in(directory: Path) -> Outcome:
    """What came of a batch of calls. Raises LabFailed where SIPp left nothing to read."""
    last = _last_row(directory / "stat.csv")
    counts = _last_row(next(directory.glob("*_counts.csv"), directory / "counts.csv"))
    return Outcome(
        placed=int(last["OutgoingCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        codes=_invite_answers(counts),
        retransmissions=int(last["Retransmissions(C)"]),
        setup_ms=tuple(_read_rtt(next(directory.glob("*_rtt.csv"), None))),
        messages=tuple(messages_in(directory)),
    )


def _invite_answers(counts: dict[str, str]) -> Counter[int]:
    """SIPp counts messages by place in the scenario: past BYE or CANCEL, only 487 answers INVITE."""
    codes: Counter[int] = Counter()
    ending = False
    for column, value in counts.items():
        ending = ending or re.match(r"\d+_(BYE|CANCEL)_Sent$", column) is not None
        if (found := re.match(r"\d+_(\d{3})_Recv$", column)) and value and int(value):
            code = int(found[1])
            if code == 487 or (code >= 200 and not ending):
                codes[code] += int(value)
    return codes


def _last_row(path: Path) -> dict[str, str]:
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter=";"))
    if not rows:
        raise LabFailed(f"SIPp left {path.name} empty")
    return rows[-1]


def _read_rtt(path: Path | None) -> Iterable[float]:
    """SIPp's rows: date in ms; response time in ms; name of the timer."""
    for line in path.read_text().splitlines()[1:] if path else ():
        cells = line.split(";")
        if len(cells) >= 2 and cells[1]:
            yield float(cells[1])


def messages_in(directory: Path) -> Iterable[SipMessage]:
    """SIPp's message log: a rule of dashes with the date, how it was carried, an empty line, the message."""
    path = directory / "messages.log"
    if not path.exists():
        return
    text = path.read_text(errors="replace")
    parts = re.split(r"^-{20,} (.*)$\n", text, flags=re.MULTILINE)[1:]
    for stamp, body in zip(parts[::2], parts[1::2], strict=False):
        how, _, message = body.partition("\n\n")
        lines = message.replace("\r", "").split("\n\n", 1)[0].splitlines()
        if not lines:
            continue
        at = datetime.fromisoformat(stamp.strip()).timestamp()
        pairs = (line.partition(":") for line in lines[1:])
        headers = tuple((key.strip(), value.strip()) for key, colon, value in pairs if colon)
        yield SipMessage(at, " sent " in how, lines[0], headers)


