"""One step of Asterisk's dialplan on paper: where it leads, and whether it keeps an emergency call waiting.

In: a step as it is written, `Application(data)`, and where it stands. Out: the extensions that it may lead
to; what is wrong with it on the way of an emergency call.
Refuses to know: files, switches, and what serves a number.

What depends on more than the number (a time, a variable, another program) is taken to go either way. Where a
variable other than the number's own says where to, nobody can tell on paper, and nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

HOOK = "enforcer"

_CALLS = re.compile(r"\b(Goto|GotoIf|GotoIfTime|Gosub|GosubIf|Macro|MacroIf|Dial)\(")
_LOCAL = re.compile(r"Local/([^@&,/]+)@([^&,/]+)")
_CUT_NUMBER = re.compile(r"\$\{EXTEN:(\d{1,2})(?::(\d{1,2}))?\}")
# What another program says has to be waited for, and AGI waits for ever.
_PROGRAM = re.compile(
    r"\b(?:[A-Za-z]*AGI|System|TrySystem|WaitForCondition|Read|Authenticate|VMAuthenticate)\("
)
_WAITS = re.compile(r"\b(?:Wait|WaitExten|WaitForRing|WaitForSilence)\(")
_LIMIT = re.compile(r"TIMEOUT\(absolute\)\s*=\s*(?!0?\s*(?:[,)]|$))")
_DIALS = re.compile(r"\b(?:Dial|Queue|FollowMe|Transfer|ConfBridge|switch =>)")


LONGEST_NAME = 79       # of an extension or a context: AST_MAX_EXTENSION and AST_MAX_CONTEXT cut there


class Place(NamedTuple):
    """An extension of a context."""

    context: str
    exten: str


def leads(step: str, at: Place) -> Iterator[Place]:
    """The extensions that a step may lead to. The same extension, by a label, is none.

    >>> list(leads("GotoIf($[${night}]?night,s,1:out,${EXTEN:1},1)", Place("in", "9911")))
    [Place(context='night', exten='s'), Place(context='out', exten='911')]
    """
    for call in _CALLS.finditer(step):
        name, data = call[1], _inside(step, call.end())
        if name == "Dial":
            for local in _LOCAL.finditer(data):
                yield from _place([local[2], local[1], "1"], at)
        elif name.startswith("Macro"):
            yield from _place([f"macro-{_split(data, ',')[0]}", "s", "1"], at)
        else:
            for target in _targets(name, data):
                yield from _place(_split(_before_arguments(target), ","), at)


def wrong_in(step: str) -> str:
    """What a step does that no emergency call should meet, in words that follow the number's; "" nothing."""
    if HOOK in step or "EnfAsk" in step:
        return f"comes to the enforcer's hook: {step[:80]}"
    if step.startswith("switch =>"):
        return f"may be taken by another dialplan before any include: {step[:80]}"
    if _PROGRAM.search(step):
        return f"waits for another program: {step[:80]}"
    if _WAITS.search(step):
        return f"is kept waiting: {step[:80]}"
    if _LIMIT.search(step) or any(_limited(_inside(step, one.end())) for one in _CALLS.finditer(step)
                                  if one[1] == "Dial"):
        return f"is cut short: {step[:80]}"
    return ""


def dials(step: str) -> bool:
    """Whether a step calls anybody."""
    return _DIALS.search(step) is not None


def strips(step: str, digits: int) -> bool:
    """Whether a step takes so many digits off the number: a code for an outside line."""
    return any(int(one[1]) == digits for one in _CUT_NUMBER.finditer(step))


def _limited(data: str) -> bool:
    """Whether the options of a Dial end the call by themselves: L(ms), S(s)."""
    options = _split(data, ",")
    return len(options) > 2 and re.search(r"[LS]\(", options[2]) is not None


def _targets(name: str, data: str) -> list[str]:
    """Where a Goto or Gosub may go; those with "If" have a condition before a "?", and two ways after it."""
    if not name.endswith(("If", "IfTime")):
        return [data]
    _, *ways = _split(data, "?", most=1)
    return [one for way in ways for one in _split(way, ":") if one]


def _place(words: list[str], at: Place) -> Iterator[Place]:
    """From "priority", "exten,priority" or "context,exten,priority"; Asterisk reads no word after these."""
    words = [_known(word.strip(), at) for word in words[:3]]
    context, exten, _ = (at.context, at.exten, "1")[:3 - len(words)] + tuple(words)
    context, exten = context[:LONGEST_NAME], exten[:LONGEST_NAME]
    if "${" not in context + exten and (context, exten) != at:
        yield Place(context, exten)


def _known(word: str, at: Place) -> str:
    """The word with what is known of the call: its number and context."""
    def cut(found: re.Match[str]) -> str:
        rest = at.exten[int(found[1]):]
        return rest[:int(found[2])] if found[2] else rest

    return _CUT_NUMBER.sub(cut, word).replace("${EXTEN}", at.exten).replace("${CONTEXT}", at.context)


def _before_arguments(target: str) -> str:
    """A target without the arguments of a Gosub, and without the bracket that a priority may have."""
    depth = 0
    for place, sign in enumerate(target):
        if sign == "(" and not depth and not target[:place].endswith(("$", "}")):
            return target[:place]
        depth += (sign in "{[") - (sign in "}]")
    return target


def _inside(text: str, start: int) -> str:
    """What stands in brackets, the first of which is before `start`."""
    depth = 1
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if not depth:
            return text[start:place]
    return text[start:]


def _split(text: str, by: str, most: int = -1) -> list[str]:
    """Cut at each `by` that stands in no brackets."""
    parts, depth, start = list[str](), 0, 0
    for place, sign in enumerate(text):
        if sign == by and not depth and (most < 0 or len(parts) < most):
            parts.append(text[start:place])
            start = place + 1
        depth += (sign in "({[") - (sign in ")}]")
    return [*parts, text[start:]]
