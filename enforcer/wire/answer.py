"""The answer line: one short string that tells a switch what to do with one call.

In: a `Decision`, or the text of a line that a switch kept. Out: the line, or an `Answer`.
Refuses to know: how the line reaches the switch (AMI and AGI both carry it as ENF_ANSWER).

    verb:cause:hold:cap:tag:decision            e.g.  throttle:0:0.350:0:cps:d1-31

verb      allow | tag | throttle | block
cause     Q.850 cause to hang up with at once; 0: the call goes on
hold      seconds to wait before going on, at most three decimals; 0: none
cap       longest duration of the call in whole seconds; 0: none
tag       [A-Za-z0-9_.+-]*, several joined by "+"
decision  [A-Za-z0-9-]*, by which `enforcer why` finds the reason
"""

from __future__ import annotations

import re
from typing import NamedTuple

from enforcer.domain.call import Refusal
from enforcer.domain.decision import Decision, Verdict
from enforcer.errors import WireError

# Asterisk chooses the final SIP status of an unanswered call from the Q.850 cause it is hung up
# with. Every pair below was tried on Asterisk 22.10 and read off the wire; a cause that is not in
# Asterisk's own table gives 603, and so does 16 (normal clearing), which is why 603 is 16 here.
CAUSE_OF_SIP_CODE: dict[int, int] = {
    403: 21, 404: 1, 408: 18, 410: 22, 480: 19, 484: 28, 486: 17, 488: 58,
    500: 38, 501: 29, 502: 27, 503: 42, 603: 16,
}  # fmt: skip
SIP_CODE_OF_CAUSE = {cause: code for code, cause in CAUSE_OF_SIP_CODE.items()}
SIP_CODES = frozenset(CAUSE_OF_SIP_CODE)    # what a policy may ask for; its loader refuses the rest

BLOCK_CODE = 403
SHED_CODE = 503

# A line is a channel variable, a CDR userfield (255 characters in Asterisk's CSV) and one value of an
# AMI action; 200 leaves room for the "<source>;" in front of it.
LONGEST_LINE = 200

_VERB = {verdict: verdict.word for verdict in Verdict}
_VERDICT = {verdict.word: verdict for verdict in Verdict}
_NOT_TAG = re.compile(r"[^A-Za-z0-9_.+-]")
_NOT_ID = re.compile(r"[^A-Za-z0-9-]")
_LINE = re.compile(
    r"(allow|tag|throttle|block):(\d{1,3}):(\d{1,6}(?:\.\d{1,3})?):(\d{1,9}):([A-Za-z0-9_.+-]*):([A-Za-z0-9-]*)",
    re.ASCII,
)


class Answer(NamedTuple):
    """A line, read. `hold` and `cap` are seconds; `cause` is Q.850, 0 where the call goes on."""

    verdict: Verdict
    cause: int
    hold: float
    cap: int
    tag: str
    decision_id: str

    @property
    def refusal(self) -> Refusal:
        """What this answer does to the call: refuses it outright, sheds it, or lets it go on."""
        if self.cause == 0:
            return Refusal.NONE
        return Refusal.SHED if self.verdict is Verdict.THROTTLE else Refusal.BLOCKED


def answer_line(decision: Decision) -> str:
    """The decision as the switch is told it.

    A policy with a SIP code that Asterisk cannot send is refused when it is loaded; should one
    come by another road, the call is still refused, with 403 (block) or 503 (shed). Characters
    that the dialplan might read as its own are replaced by "_" ("-" in the decision id).
    """
    verdict = decision.verdict
    cause = 0
    if verdict is Verdict.BLOCK:
        cause = CAUSE_OF_SIP_CODE.get(decision.sip_code, CAUSE_OF_SIP_CODE[BLOCK_CODE])
    elif verdict is Verdict.THROTTLE and decision.shed:
        cause = CAUSE_OF_SIP_CODE.get(decision.sip_code, CAUSE_OF_SIP_CODE[SHED_CODE])
    hold = "0" if cause or decision.hold <= 0 else f"{decision.hold:.3f}"
    cap = 0 if cause or decision.max_duration is None else max(1, decision.max_duration)
    decision_id = _NOT_ID.sub("-", decision.decision_id)[:60]
    tag = _NOT_TAG.sub("_", "+".join(decision.tags))[:100] if decision.tags else ""
    return f"{_VERB[verdict]}:{cause}:{hold}:{cap}:{tag}:{decision_id}"


def parse_answer(line: str) -> Answer:
    """The line, read strictly. Raises WireError where it is not one of ours.

    >>> parse_answer("throttle:0:0.350:0:cps:d1-31").hold
    0.35
    """
    match = _LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
    if match is None:
        raise WireError(f"not an answer line: {line[:60]!r}")
    verb, cause, hold, cap, tag, decision_id = match.groups()
    return Answer(_VERDICT[verb], int(cause), float(hold), int(cap), tag, decision_id)


def let_through(userfield: str) -> bool:
    """Whether CDR(userfield) says that the call came back after an emergency call, and nobody was asked."""
    return userfield.startswith("emergency;")


def parse_userfield(userfield: str) -> Answer | None:
    """The answer kept in CDR(userfield) as "<source>;<answer line>"; None where it holds none."""
    _source, separator, line = userfield.partition(";")
    if not separator:
        return None
    try:
        return parse_answer(line)
    except WireError:
        return None
