"""FreeSWITCH's XML dialplan on paper: which actions a number meets.

In: files, with what they include. Out: the actions of every extension that would, or could, take a number,
from the top of the context to the first that surely takes it.
Refuses to know: what an action does, but that one of them has to send the call somewhere; and when an
extension takes a number (`wire.freeswitch_dialplan`, by which `enforcer doctor` goes as well).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from enforcer.control.dialplan_files import Files, included
from enforcer.errors import BadInput
from enforcer.wire.freeswitch_dialplan import run_of

GOES = ("bridge", "transfer", "execute_extension", "socket", "lua")


class Contexts:
    """All contexts of some files. Raises BadInput where one cannot be read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._contexts: dict[str, list[Element]] = {}
        files = Files()
        for path in paths:
            root = Element("include")
            root.extend(list(_read(path, files, 0)))
            for context in root.iter("context"):
                self._contexts.setdefault(context.get("name", ""), []).extend(context.iter("extension"))

    def fares(self, context: str, number: str) -> list[str] | None:
        """The actions that a number meets; None where there is no such context, [] where nothing serves
        it."""
        if context not in self._contexts:
            return None
        steps: list[str] = []
        for extension in self._contexts[context]:
            surely, run = run_of(extension, number)
            if run is None:
                continue
            actions = [f"{one.get('application', '')}({one.get('data', '')})" for one in run]
            steps += [step for step in actions if "enforcer" in step]
            if not surely or extension.get("continue") == "true":
                continue
            if any(step.startswith(GOES) for step in actions):
                return [*steps, *actions]
            if actions:
                return steps
        return steps


def _read(path: Path, files: Files, depth: int) -> Iterator[Element]:
    """The elements of a file, in the place of each inclusion what it includes. Raises BadInput."""
    files.enter(path, depth)
    try:
        root = ElementTree.fromstring(path.read_bytes())     # noqa: S314 - the operator's own file
    except OSError as error:
        raise BadInput(str(path), error.strerror or "cannot be read") from None
    except ElementTree.ParseError as error:
        raise BadInput(f"{path}:{error.position[0]}", "is not XML") from None
    except (ValueError, LookupError) as error:
        raise BadInput(str(path), f"is in an encoding that cannot be read: {error}") from None
    try:
        _include(root, path, files, depth)
    except RecursionError:
        raise BadInput(str(path), "has elements within elements without end") from None
    yield from list(root) if root.tag == "include" else [root]


def _include(element: Element, path: Path, files: Files, depth: int) -> None:
    for child in list(element):
        if child.tag == "X-PRE-PROCESS" and child.get("cmd") == "include":
            at = list(element).index(child)
            element.remove(child)
            there = [
                one for other in included(path, child.get("data", "").removeprefix("/"))
                for one in _read(other, files, depth + 1)
            ]
            for offset, one in enumerate(there):
                element.insert(at + offset, one)
        else:
            _include(child, path, files, depth)
