"""A verdict and everything one must know to explain it. Four renderings read this one object:
the log line, the metric, the message to operators, and `enforcer why`.

In: what `decide` found. Out: values. Refuses to know: how a switch is told.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from enforcer.domain.usage import Usage


class Verdict(IntEnum):
    """What happens to a call, in rising order of severity."""

    ALLOW = 0
    TAG = 1
    THROTTLE = 2
    BLOCK = 3

    @property
    def word(self) -> str:
        """The verdict as it is written in logs, on the switch and in policies."""
        return self.name.lower()


class Level(IntEnum):
    """How far a rule's metric has come: short of its warning, past it, or past its limit."""

    FINE = 0
    WARNING = 1
    CRITICAL = 2


class OnFailure(StrEnum):
    """What the switch does by itself while nobody can be asked."""

    OPEN = "open"
    CLOSED = "closed"
    LAST_KNOWN = "last_known"


class Finding(NamedTuple):
    """One rule that has something to say about one attempt: its numbers and its proposal.

    `value` and `limit` are in the metric's own unit and already rendered (exact, for people).
    `hold` is seconds to wait before the call may go on; `shed` means the wait would be too long.
    `also` are the signals that had to be there as well; `held` says why less is asked for than the level
    would: no notice was given, or its time of grace has not ended.
    """

    rule: str
    clause: str
    level: Level
    verdict: Verdict            # what the rule asks for
    capped: Verdict             # what its mode lets it have
    mode: str
    metric: str
    value: str
    limit: str
    sip_code: int = 403
    hold: float = 0.0
    shed: bool = False
    max_duration: int | None = None     # seconds this call may last, None unlimited
    also: str = ""
    held: str = ""

    @property
    def words(self) -> str:
        """The finding as a sentence for people.

        >>> Finding("asr", "ASR", Level.CRITICAL, Verdict.BLOCK, Verdict.BLOCK, "block",
        ...         "attempts per completed call", "4.2", "4").words
        'asr: attempts per completed call 4.2, limit 4 (ASR)'
        """
        also = f", with {self.also}" if self.also else ""
        held = f"; {self.held}" if self.held else ""
        return f"{self.rule}: {self.metric} {self.value}, limit {self.limit}{also} ({self.clause}{held})"


class Decision(NamedTuple):
    """The answer to one attempt. `verdict` is in force; `would_be` is what `block` mode had given.

    A tuple rather than a dataclass because one is made for every call: it costs a quarter.
    `sip_code` is 0 where the call goes on; `hold` seconds; `max_duration` seconds or None.
    `exempt` says why no rule was read ("emergency", "account exempt"), else "".
    """

    decision_id: str
    at: float
    call_id: str
    switch: str
    account: str
    number: str
    direction: str
    verdict: Verdict
    would_be: Verdict
    rule: str = ""
    clause: str = ""
    policy: str = ""                    # "<pack>@<revision>", several joined by "+"
    sip_code: int = 0
    hold: float = 0.0
    shed: bool = False
    max_duration: int | None = None
    tags: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    usage: tuple[tuple[str, Usage], ...] = ()   # (rule, its numbers at that moment)
    exempt: str = ""
    degraded: str = ""                  # what was wrong with us at the time, "" nothing
    medium: str = "call"
    gap: str = ""                       # what may be missing in its numbers, "" nothing
    sip_call_id: str = ""               # Call-ID of the caller's INVITE, which its answer carries; "" unknown

    @property
    def refused(self) -> bool:
        """True where this decision keeps the call from being set up."""
        return self.verdict is Verdict.BLOCK or (self.verdict is Verdict.THROTTLE and self.shed)

    @property
    def reason(self) -> str:
        """Why, in words: the findings, or the exemption, or that nothing was near a limit."""
        if self.exempt:
            return f"exempt: {self.exempt}"
        if not self.findings:
            return "within every limit"
        return "; ".join(finding.words for finding in self.findings)
