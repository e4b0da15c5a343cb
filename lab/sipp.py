"""SIPp as callers and callee: the calls of the lab, and what came of them.

In: who calls which number and talks how long. Out: what SIPp counted, and every SIP message if asked for.
Refuses to know what the switch decided; it reports only what was on the wire. Scenarios are in `scenarios/`.
"""

from __future__ import annotations

import asyncio
import csv
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.process import Child, LabFailed, free_port
from lab.provision import Provisioned

SCENARIOS = Path(__file__).parent / "scenarios"
TALK = 0.1
"""Seconds a call lasts where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to place."""

    account: str
    number: str
    talk: float = TALK
    """Seconds after the answer until the caller hangs up; in `caller_gives_up`, seconds it rings."""


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


async def place(
    parts: Provisioned,
    switch: str,
    calls: Sequence[Call],
    *,
    rate: float = 10.0,
    at_once: int = 0,
    messages: bool = False,
    scenario: str = "caller",
    within: float = 60.0,
) -> Outcome:
    """Place these calls at `rate` a second on the switch ("host:port") and wait until all are over.

    at_once  at most so many at the same time, 0: no bound
    within   seconds after which it is given up. Raises LabFailed then, or if SIPp could not run.
    """
    directory = Path(tempfile.mkdtemp(prefix="lab-sipp-"))
    try:
        return await _place(parts, switch, calls, directory, rate, at_once, messages, scenario, within)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _place(
    parts: Provisioned,
    switch: str,
    calls: Sequence[Call],
    directory: Path,
    rate: float,
    at_once: int,
    messages: bool,
    scenario: str,
    within: float,
) -> Outcome:
    rows = "".join(f"{call.account};{call.number};{round(call.talk * 1000)};\n" for call in calls)
    (directory / "calls.csv").write_text("SEQUENTIAL\n" + rows)
    period = 1000 if rate >= 1 else round(1000 / rate)
    command = [
        *_sipp(parts, scenario, directory, messages),
        *("-inf", "calls.csv", "-m", str(len(calls)), "-r", f"{max(1, round(rate))}", "-rp", str(period)),
        *("-l", str(at_once or len(calls)), "-trace_stat", "-stf", "stat.csv", "-fd", "1"),
        *("-trace_rtt", "-rtt_freq", "1", "-trace_counts", switch),
    ]
    child = Child(command, log=directory / "screen.log", cwd=directory)
    try:
        status = await child.wait(within)
    except TimeoutError:
        raise LabFailed(f"the calls were not over within {within:g} s:\n{_errors(directory)}") from None
    finally:
        await child.stop(patience=0.5)
    if status not in (0, 1):  # 1: at least one call failed, which the figures say better
        raise LabFailed(f"SIPp ended with {status}:\n{_errors(directory) or child.last_words()}")
    return _read_outcome(directory)


class Callee:
    """The far end: a SIPp that rings, answers or refuses as the dialled number says (see `callee.xml`)."""

    def __init__(self, parts: Provisioned, port: int, *, messages: bool = False) -> None:
        self.port = port
        self._parts = parts
        self._messages = messages
        self._directory = Path(tempfile.mkdtemp(prefix="lab-callee-"))
        self._child: Child | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        if self._child is None:
            raise LabFailed("the callee is not running")
        return self._child.pid

    async def start(self, within: float = 10.0) -> None:
        """Start and wait until its port is bound. Raises LabFailed."""
        command = [*_sipp(self._parts, "callee", self._directory, self._messages, self.port)]
        self._child = Child(command, log=self._directory / "screen.log", cwd=self._directory)
        try:
            async with asyncio.timeout(within):
                while not _udp_bound(self.port):
                    if not self._child.running:
                        raise LabFailed(f"the callee ended at once:\n{self._child.last_words()}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise LabFailed(f"the callee did not listen on {self.port} within {within:g} s") from None

    def close(self) -> None:
        """End it; calls that hang on it are left to the switch."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        shutil.rmtree(self._directory, ignore_errors=True)

    def messages(self) -> tuple[SipMessage, ...]:
        """All it saw and said so far (only with `messages=True`)."""
        return tuple(_read_messages(self._directory / "messages.log"))

    def invites(self, number: str | None = None) -> list[SipMessage]:
        """The INVITEs that reached it, retransmissions too; of one number if named."""
        return [
            message
            for message in self.messages()
            if not message.sent and message.method == "INVITE" and number in (None, message.number)
        ]


def _sipp(
    parts: Provisioned, scenario: str, directory: Path, messages: bool, port: int | None = None
) -> list[str]:
    path = SCENARIOS / f"{scenario}.xml"
    if not path.exists():
        known = ", ".join(sorted(known.stem for known in SCENARIOS.glob("*.xml")))
        raise LabFailed(f"no scenario {scenario!r}; there are {known}")
    shutil.copy(path, directory)  # SIPp writes its files beside the scenario
    return [
        *parts.command("sipp"),
        *("-sf", path.name, "-i", "127.0.0.1", "-bind_local", "-ci", "127.0.0.1", "-mi", "127.0.0.1"),
        *("-p", str(port or free_port()), "-cp", str(free_port()), "-mp", str(free_port())),
        *("-nostdin", "-trace_err", "-error_file", "errors.log"),
        *(("-trace_msg", "-message_file", "messages.log") if messages else ()),
    ]


def _udp_bound(port: int) -> bool:
    """Whether somebody holds this UDP port: asked of the kernel, so that no packet disturbs the program."""
    table = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") for line in table)


def _errors(directory: Path) -> str:
    path = directory / "errors.log"
    return path.read_text(errors="replace")[:1000] if path.exists() else ""


def _read_outcome(directory: Path) -> Outcome:
    last = _last_row(directory / "stat.csv")
    counts = _last_row(next(directory.glob("*_counts.csv"), directory / "counts.csv"))
    return Outcome(
        placed=int(last["OutgoingCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        codes=_invite_answers(counts),
        retransmissions=int(last["Retransmissions(C)"]),
        setup_ms=tuple(_read_rtt(next(directory.glob("*_rtt.csv"), None))),
        messages=tuple(_read_messages(directory / "messages.log")),
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


def _read_messages(path: Path) -> Iterable[SipMessage]:
    """SIPp's message log: a rule of dashes with the date, how it was carried, an empty line, the message."""
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


