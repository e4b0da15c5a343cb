"""FreeSWITCH's XML dialplan, as far as ours uses it: files in, the applications to run out.

In: XML files, a channel's variables, functions for `${name(arguments)}`. Out: what a hunt in a context finds.
Written after mod_dialplan_xml.c, switch_channel.c (expansion) and mod_commands.c (`cond`) of 1.11: conditions
and their breaks, inline actions, `${name}`, `${name:offset:length}`, `${api(arguments)}`. Not: times of day,
nested conditions, <regex>, arrays. Refuses to know what an application does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

Application = tuple[str, str]
Lookup = Callable[[str], str]
Api = Callable[[str, str], str]
Inline = Callable[[str, str], None]

INLINE = frozenset({"set", "multiset", "unset", "export", "log", "event"})
"""What FreeSWITCH lets run while it hunts (SAF_ROUTING_EXEC)."""
_GROUP = re.compile(r"\$(?:\{(\d+)\}|(\d+))")


class Dialplan:
    """The contexts of some files, in the order in which FreeSWITCH would read them."""

    def __init__(self, texts: Iterable[str | Path]) -> None:
        self.contexts: dict[str, list[ElementTree.Element]] = {}
        for text in texts:
            source = text.read_text() if isinstance(text, Path) else text
            assert "<X-PRE-PROCESS" not in re.sub(r"<X-PRE-PROCESS [^>]*include[^>]*>", "", source)
            for context in ElementTree.fromstring(source).iter("context"):
                self.contexts.setdefault(context.attrib["name"], []).extend(context.iter("extension"))

    def hunt(
        self, context: str, fields: Mapping[str, str], expand: Callable[[str], str], inline: Inline
    ) -> list[Application] | None:
        """What the extensions of a context have to run; None where none was found."""
        found: list[Application] | None = None
        for extension in self.contexts.get(context, []):
            matched, queued = _extension(extension, fields, expand, inline)
            if queued is not None:
                found = (found or []) + queued
            if matched and extension.get("continue") != "true":
                break
        return found


def _extension(
    extension: ElementTree.Element, fields: Mapping[str, str], expand: Callable[[str], str], inline: Inline
) -> tuple[bool, list[Application] | None]:
    matched, queued = False, None
    for condition in extension.findall("condition"):
        field, pattern = condition.get("field"), expand(condition.get("expression", ""))
        match: re.Match[str] | None = None
        if field is None:
            matched = True
        else:
            text = expand(field) if "$" in field else fields.get(field, "")
            match = re.search(_python(pattern), text)
            matched = match is not None
        holds = matched
        for action in condition.findall("action" if holds else "anti-action"):
            matched = True
            queued = [] if queued is None else queued
            application, data = action.attrib["application"], action.get("data", "")
            if match is not None and "(" in pattern:
                data = _filled(data, match)
            if action.get("inline") == "true":
                assert application in INLINE, application
                inline(application, data)
            else:
                queued.append((application, data))
        breaks = condition.get("break", "on-false")
        if (breaks == "on-false" and not holds) or (breaks == "on-true" and holds) or breaks == "always":
            break
    return matched, queued


def _filled(data: str, match: re.Match[str]) -> str:
    """`$1` and `${1}` replaced by what the expression's groups hold."""
    return _GROUP.sub(lambda group: match[int(group[1] or group[2])] or "", data)


def _python(pattern: str) -> str:
    """PCRE to Python, for what we use: \\z there is \\Z here."""
    return pattern.replace(r"\z", r"\Z")


def expand(text: str, lookup: Lookup, api: Api, depth: int = 0) -> str:
    """`${...}` in the text replaced, and in what it is replaced with: FreeSWITCH expands values too."""
    assert depth < 100
    out, at = [], 0
    while (start := text.find("${", at)) >= 0:
        out.append(text[at:start])
        end, open_braces = start + 2, 1
        while open_braces:
            open_braces += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        inner = text[start + 2 : end - 1]
        name, bracket, rest = inner.partition("(")
        if bracket:
            assert rest.endswith(")"), inner
            out.append(api(name, expand(rest[:-1], lookup, api, depth + 1)))
        else:
            name, *cut = expand(inner, lookup, api, depth + 1).split(":")
            value = expand(lookup(name), lookup, api, depth + 1)
            offset, length = (int(cut[i]) if len(cut) > i else 0 for i in (0, 1))
            value = value[offset:]
            out.append(value[:length] if length > 0 else value)
        at = end
    return "".join(out) + text[at:]


_COND = re.compile(r"('[^']*'|[^ ]+) +(==|!=|<=|>=|<|>) *('[^']*'|[^ ]+) +\?(.*)", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]*\.?[0-9]+")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def cond(arguments: str) -> str:
    """`cond`: numbers are compared as such, anything else by its length (except == and != of two texts)."""
    match = _COND.fullmatch(arguments)
    if match is None:
        return "-ERR"
    left, operator, right, choices = match.groups()
    parts = [part.strip(" ") for part in choices.split(":")]
    if not 1 <= len(parts) <= 2:
        return "-ERR"
    numbers = [_NUMBER.fullmatch(side) is not None for side in (left, right)]
    if operator in ("==", "!=") and not any(numbers):
        true = (left == right) == (operator == "==")
    else:
        a, b = (float(side) if is_number else float(len(side.strip("'")))
                for side, is_number in zip((left, right), numbers, strict=True))
        true = _COMPARE[operator](a, b)
    return parts[0] if true else (parts[1] if len(parts) > 1 else "")
