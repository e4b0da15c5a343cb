"""SIPp as callers and callee: the calls of the lab, and what came of them.

In: who calls which number and talks how long. Out: what SIPp counted, and every SIP message if asked for.
Refuses to know what the switch decided; it reports only what was on the wire. Scenarios are in `scenarios/`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.own_program import OwnProgram
from lab.process import Child, LabFailed, free_port
from lab.provision import Provisioned
from lab.sipp_files import Outcome, SipMessage, errors_in, messages_in, outcome_in

__all__ = ("SCENARIOS", "Call", "Callee", "Outcome", "SipMessage", "place")

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
        raise LabFailed(f"the calls were not over within {within:g} s:\n{errors_in(directory)}") from None
    finally:
        await child.stop(patience=0.5)
    if status not in (0, 1):  # 1: at least one call failed, which the figures say better
        raise LabFailed(f"SIPp ended with {status}:\n{errors_in(directory) or child.last_words()}")
    return outcome_in(directory)


class Callee(OwnProgram):
    """The far end: a SIPp that rings, answers or refuses as the dialled number says (see `callee.xml`)."""

    name = "callee"
    patience = 0.0      # calls that hang on it are left to the switch

    def __init__(self, parts: Provisioned, port: int, *, messages: bool = False) -> None:
        super().__init__()
        self.port = port
        self._parts = parts
        self._messages = messages

    def command(self) -> list[str]:
        """See `OwnProgram`."""
        return _sipp(self._parts, "callee", self.directory, self._messages, self.port)

    async def ready(self) -> bool:
        """Whether its port is bound."""
        return _udp_bound(self.port)

    def messages(self) -> tuple[SipMessage, ...]:
        """All it saw and said so far (only with `messages=True`)."""
        return tuple(messages_in(self.directory))

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
