"""Asterisk's extensions.conf on paper: which steps a number meets.

In: files, with what they include. Out: the steps of the extension that would serve a number, as Asterisk
searches: a context's own exact numbers, its own patterns, then what it includes, in order.
Refuses to know: what a step does, but for a Goto or Gosub that leads on, and any of the hook's own contexts.

Source: Asterisk 22, main/pbx.c (ext_cmp_pattern: the pattern with the smaller set at the first place where
two differ comes first; pbx_find_extension: own extensions before includes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from enforcer.control.dialplan_files import Files, included
from enforcer.errors import BadInput

MOST_INCLUDED = 128     # contexts that are searched for one number (AST_PBX_MAX_STACK)
MOST_PLACES = 10_000    # to which Gotos and Gosubs lead on from one number,
LONGEST_NUMBER = 200    # some with a number that grows by it

_SECTION = re.compile(r"\[([^\]]+)\](?:\(([^)]*)\))?")
_FILE = re.compile(r"#(?:try)?include\s+[\"<]?([^\">]+)[\">]?")
_LEADS = re.compile(r"(?:Goto|Gosub)\((?:([^,()]+),)?([^,()]+),[^,()]+(?:\(.*\))?\)")
_SETS = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_ORDINARY = 256         # of "." and "!": after every set


@dataclass(slots=True)
class _Context:
    extensions: dict[str, list[str]] = field(default_factory=dict)      # as written, and its steps
    includes: list[str] = field(default_factory=list)


class Extensions:
    """All contexts of some files. Raises BadInput where one cannot be read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._contexts: dict[str, _Context] = {}
        self._at = _Context()
        self._exten = ""
        files = Files()
        for path in paths:
            for line in _lines(path, files):
                self._read(line)

    def fares(self, context: str, number: str) -> list[str] | None:
        """The steps that a number meets; None where there is no such context, [] where nothing serves it."""
        if context not in self._contexts:
            return None
        met: list[str] = []
        passed = {(context, number)}
        ahead = [(context, number)]
        while ahead:                # each place once: places may lead to each other in many ways
            context, number = ahead.pop()
            for step in self._serving(context, number, set()) or []:
                met.append(step)
                led = _LEADS.fullmatch(step)
                if led is None or "enforcer" in step:
                    continue
                there = (led[1] or context).strip(), led[2].replace("${EXTEN}", number).strip()
                if there not in passed and len(passed) < MOST_PLACES and len(there[1]) <= LONGEST_NUMBER:
                    passed.add(there)
                    ahead.append(there)
        return met

    def _serving(self, context: str, number: str, searched: set[str]) -> list[str] | None:
        """As Asterisk, which searches no context twice for one number (`incstack`)."""
        found = self._contexts.get(context)
        if found is None or context in searched or len(searched) >= MOST_INCLUDED:
            return None
        searched.add(context)
        if number in found.extensions:
            return found.extensions[number]
        matching = [(sizes, name) for name in found.extensions if (sizes := _match(name, number)) is not None]
        if matching:
            return found.extensions[min(matching)[1]]
        for name in found.includes:
            steps = self._serving(name, number, searched)
            if steps is not None:
                return steps
        return None

    def _read(self, line: str) -> None:
        section = _SECTION.match(line)
        if section is not None:
            self._at = self._contexts.setdefault(section[1], _Context())
            for name in (section[2] or "").split(","):
                template = self._contexts.get(name.strip())
                if template is not None:
                    for exten, steps in template.extensions.items():
                        self._at.extensions.setdefault(exten, []).extend(steps)
                    self._at.includes += template.includes
            return
        key, equals, value = line.partition("=")
        key, value = key.strip().lower(), value.removeprefix(">").strip()
        if not equals:
            return
        if key == "include":
            self._at.includes.append(re.split(r"[,|]", value)[0].strip())
        elif key == "exten":
            exten, _, rest = value.partition(",")
            self._exten = exten.split("/")[0].strip()
            self._step(rest)
        elif key == "same":
            self._step(value)

    def _step(self, text: str) -> None:
        _priority, _, step = text.partition(",")
        self._at.extensions.setdefault(self._exten, []).append(step.strip())


def _lines(path: Path, files: Files, depth: int = 0) -> Iterator[str]:
    """The lines of a file and of what it includes, without comments. Raises BadInput."""
    files.enter(path, depth)
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise BadInput(str(path), error.strerror or "cannot be read") from None
    text = re.sub(r";--.*?--;", "", text, flags=re.DOTALL)
    for raw in text.splitlines():
        line = re.split(r"(?<!\\);", raw)[0].strip()
        named = _FILE.fullmatch(line)
        if named is None:
            yield line
            continue
        for other in included(path, named[1]):
            yield from _lines(other, files, depth + 1)


def _match(name: str, number: str) -> tuple[int, ...] | None:
    """The sizes of the sets of a pattern that matches the number, None where it does not, or is none."""
    if not name.startswith("_"):
        return None
    sizes: list[int] = []
    at, rest = 0, name[1:].replace("-", "") if "[" not in name else name[1:]
    while rest:
        sign, rest = rest[0], rest[1:]
        if sign in ".!":
            return (*sizes, _ORDINARY + (sign == "!")) if at < len(number) or sign == "!" else None
        if sign == "[":
            inside, _, rest = rest.partition("]")
            some = _expanded(inside)
        elif sign == "-":
            continue
        else:
            some = _SETS.get(sign.upper(), sign)
        if at >= len(number) or number[at] not in some:
            return None
        sizes.append(len(some))
        at += 1
    return tuple(sizes) if at == len(number) else None


def _expanded(inside: str) -> str:
    """The signs of a set such as 2-9*."""
    def run(match: re.Match[str]) -> str:
        return "".join(chr(code) for code in range(ord(match[1]), ord(match[2]) + 1))

    return re.sub(r"(\w)-(\w)", run, inside)
