"""Text messages of other sources than a switch: one line of JSON asks, one line answers.

In: bytes as they arrive, cut anywhere. Out: `MessageQuestion`s, in order; the line of an answer.
Refuses to know: sockets, deadlines, the clock, and what is decided.

    > {"id": "sms-17", "account": "1001", "to": "+12025550142", "direction": "outbound"}
      {"id": "sms-17", "verdict": "block", "sip_code": 403, "reason": "...", "decision": "d1-2f"}
    > {"id": "sms-18", "account": "1001", "direction": "inbound", "to": "+12025550101",
       "from": "+12025550142", "text": "STOP"}                                  (one line, too)

`direction` is "outbound" where it is left out. `from` is who wrote; of an inbound message without it, `to`
is taken for the other party's number. `text` is read for STOP and START, of inbound messages only, and never
kept. A line that is anything else is a mistake on the other side: no message may be counted for the wrong
account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from enforcer.domain.call import CallAttempt, Direction, Medium
from enforcer.domain.decision import Decision
from enforcer.domain.stop_words import LONGEST_TEXT
from enforcer.errors import WireError
from enforcer.wire.channel import account_name, direction_of

LONGEST_LINE = 4096         # bytes, its end not counted: two numbers, and ten times the text of an SMS
LONGEST_REASON = 500

_KEYS = frozenset({"id", "account", "to", "from", "direction", "text"})
_ID = re.compile(r"[A-Za-z0-9_.:@+=-]{1,100}", re.ASCII)
_NUMBER = re.compile(r"[0-9A-Za-z+*#.() -]{1,64}", re.ASCII)


class MessageQuestion(NamedTuple):
    """One message that somebody asks about. `text` is that of an inbound message, capped."""

    id: str
    account: str
    number: str
    sender: str
    direction: Direction
    text: str

    def attempt(self, source: str, at: float) -> CallAttempt:
        """The message as an attempt; its id is unique as long as the asker's is."""
        return CallAttempt(
            f"{source}/{self.id}", source, self.account, self.direction, self.number, self.sender, at,
            medium=Medium.MESSAGE,
        )


class LineReader:
    """The questions of one connection. Keeps no more than one line, whatever is sent."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[MessageQuestion]:
        """The questions that have become whole. Raises WireError at a line that is none, and where no line
        ever ends; what came before it was yielded already."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield _question(line)
        if len(self._rest) > LONGEST_LINE:
            raise WireError(f"a line of more than {LONGEST_LINE} bytes")


def message_answer_line(question: MessageQuestion, decision: Decision) -> bytes:
    """The answer, with its line end. `sip_code` is 0 where the message may go."""
    answer = {
        "id": question.id, "verdict": decision.verdict.word, "sip_code": decision.sip_code,
        "reason": decision.reason[:LONGEST_REASON], "decision": decision.decision_id,
    }
    return json.dumps(answer, ensure_ascii=True).encode() + b"\n"


def _question(line: bytes) -> MessageQuestion:
    if len(line) > LONGEST_LINE:
        raise WireError(f"a line of more than {LONGEST_LINE} bytes")
    try:
        table = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise WireError(f"not a line of JSON: {line[:40]!r}") from None
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise WireError("not an object of texts")
    if unknown := sorted(set(table) - _KEYS):
        raise WireError(f"no such key: {unknown[0][:40]!a}")
    direction = direction_of(table.get("direction", "outbound"))
    if direction is None:
        raise WireError("a direction is outbound, inbound or internal")
    inbound = direction is Direction.INBOUND
    number, sender = table.get("to", ""), table.get("from", "")
    for key, value in (("to", number), ("from", sender)):
        if value and not _NUMBER.fullmatch(value):
            raise WireError(f"{key} is no number")
    if not _ID.fullmatch(table.get("id", "")) or not account_name(table.get("account")) or not number:
        raise WireError("without a sound id, account or number")
    text = table.get("text", "")[:LONGEST_TEXT] if inbound else ""
    return MessageQuestion(
        table["id"], table["account"], number, sender or (number if inbound else ""), direction, text
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object, where no key is in it twice: nobody could tell which one was meant."""
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key twice")
    return table
