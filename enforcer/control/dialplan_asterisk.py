"""Asterisk's extensions.conf on paper: which steps a number meets.

In: files, with what they include. Out: the steps of the extension that would serve a number, as Asterisk
searches: a context's own exact numbers, its own patterns, another dialplan (`switch`), then what it includes,
in order; and those of each that might serve it before, by the hour (an include with a time) or the caller.
Refuses to know: what a step does, but where it leads (`wire.asterisk_dialplan`), and the hook's own contexts.

Source: Asterisk 22, main/pbx.c (ext_cmp_pattern: the pattern with the smaller set at the first place where
two differ comes first; pbx_find_extension: own extensions, then switches, then includes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from enforcer.control.dialplan_files import Files, included
from enforcer.errors import BadInput
from enforcer.wire.asterisk_dialplan import HOOK, Place, dials, leads, strips, wrong_in

MOST_INCLUDED = 128     # contexts that are searched for one number (AST_PBX_MAX_STACK)
MOST_PLACES = 1_000     # extensions that Gotos, Gosubs and the like lead on to

_SECTION = re.compile(r"\[([^\]]+)\](?:\(([^)]*)\))?")
_FILE = re.compile(r"#(?:try)?include\s+[\"<]?([^\">]+)[\">]?")
_SETS = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_ORDINARY = 256         # of "." and "!": after every set


@dataclass(slots=True)
class _Context:
    extensions: dict[str, list[str]] = field(default_factory=dict)      # as written, and its steps
    of_callers: dict[str, list[str]] = field(default_factory=dict)      # the same, for one caller only
    switches: list[str] = field(default_factory=list)
    includes: list[tuple[str, bool]] = field(default_factory=list)      # and whether at some times only


class Extensions:
    """All contexts of some files. Raises BadInput where one cannot be read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._contexts: dict[str, _Context] = {}
        self._at = _Context()
        self._exten = ""
        self._one_caller = False
        self.wrong_in, self.dials = wrong_in, dials
        files = Files()
        for path in paths:
            for line in _lines(path, files):
                self._read(line)

    def fares(self, context: str, number: str) -> list[str] | None:
        """The steps that a number meets, or may; None where there is no such context, [] where nothing serves
        it for certain."""
        if context not in self._contexts:
            return None
        met, to_do, seen = list[str](), [Place(context, number)], set[Place]()
        while to_do:
            at = to_do.pop()
            if at in seen or len(seen) > MOST_PLACES:
                continue
            seen.add(at)
            steps, certain = self._serving(at.context, at.exten, set())
            if at == (context, number) and not certain and not any(wrong_in(step) for step in steps):
                return []
            met += steps
            for step in steps:
                if HOOK not in step:
                    for there in leads(step, at):
                        to_do.append(there)
                        if there.context not in self._contexts:
                            met.append(f"Dial({there.context}, which is in none of these files)")
        return met

    def strips(self, context: str, number: str, digits: int) -> bool:
        """Whether a number is dialled without its first digits."""
        return any(strips(step, digits) for step in self.fares(context, number) or [])

    def _serving(self, context: str, number: str, searched: set[str]) -> tuple[list[str], bool]:
        """The steps of what serves a number, and before them of what might; whether something surely does.
        Asterisk searches no context twice for one number either (`incstack`)."""
        found = self._contexts.get(context)
        if found is None or context in searched or len(searched) >= MOST_INCLUDED:
            return [], False
        searched.add(context)
        steps = [step for name, some in found.of_callers.items() if name == number or (
            _match(name, number) is not None) for step in some]
        if number in found.extensions:
            return steps + found.extensions[number], True
        matching = [(sizes, name) for name in found.extensions if (sizes := _match(name, number)) is not None]
        if matching:
            return steps + found.extensions[min(matching)[1]], True
        steps += [f"switch => {name}" for name in found.switches]
        for name, at_times in found.includes:
            more, certain = self._serving(name, number, searched)
            steps += more
            if certain and not at_times:
                return steps, True
        return steps, False

    def _read(self, line: str) -> None:
        section = _SECTION.match(line)
        if section is not None:
            self._at = self._contexts.setdefault(section[1], _Context())
            for name in (section[2] or "").split(","):
                template = self._contexts.get(name.strip())
                if template is not None and template is not self._at:
                    for exten, steps in template.extensions.items():
                        self._at.extensions.setdefault(exten, []).extend(steps)
                    for exten, steps in template.of_callers.items():
                        self._at.of_callers.setdefault(exten, []).extend(steps)
                    self._at.includes += template.includes
                    self._at.switches += template.switches
            return
        key, equals, value = line.partition("=")
        key, value = key.strip().lower(), value.removeprefix(">").strip()
        if not equals:
            return
        if key == "include":
            name, *times = re.split(r"[,|]", value)
            self._at.includes.append((name.strip(), any(one.strip() not in ("", "*") for one in times)))
        elif key in ("switch", "lswitch", "eswitch"):
            self._at.switches.append(value)
        elif key == "exten":
            exten, _, rest = value.partition(",")
            exten, one_caller, _ = exten.partition("/")
            self._exten, self._one_caller = exten.strip(), bool(one_caller)
            self._step(rest)
        elif key == "same":
            self._step(value)

    def _step(self, text: str) -> None:
        priority, _, step = text.partition(",")
        if priority.strip().lower() == "hint":      # a lamp on a phone, and no step
            return
        some = self._at.of_callers if self._one_caller else self._at.extensions
        some.setdefault(self._exten, []).append(step.strip())


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
