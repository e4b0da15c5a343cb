"""FreeSWITCH's XML dialplan on paper: which actions a number meets.

In: files, with what they include. Out: the actions of every extension that would, or could, take a number,
from the top of the context to the first that surely takes it.
Refuses to know: what an action does, where it leads, and when an extension takes a number
(`wire.freeswitch_dialplan`, by which `enforcer doctor` goes as well).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from enforcer.control.dialplan_files import Files, included
from enforcer.errors import BadInput
from enforcer.wire.freeswitch_dialplan import captured, dials, leads, run_of, wrong_in

MOST_PLACES = 1_000     # extensions that transfers lead on to
HOOK = "enforcer"


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

        self.wrong_in, self.dials = wrong_in, dials

    def fares(self, context: str, number: str) -> list[str] | None:
        """The actions that a number meets, or may; None where there is no such context, [] where nothing
        serves it for certain."""
        if context not in self._contexts:
            return None
        met, to_do, seen = list[str](), [(context, number)], set[tuple[str, str]]()
        while to_do:
            at = to_do.pop()
            if at in seen or len(seen) > MOST_PLACES:
                continue
            seen.add(at)
            steps, certain = list[str](), False
            for actions, groups, certain in self._serving(*at):
                steps += [step for step in actions if certain or wrong_in(step) or any(leads(step, groups))]
                for step in actions:
                    for there in leads(step, groups) if HOOK not in step else ():
                        to_do.append(there)
                        if there[0] not in self._contexts or "$" in there[1]:
                            met.append(f"bridge({there[0]}, which is in none of these files)")
            if at == (context, number) and not certain and not any(wrong_in(step) for step in steps):
                return []
            met += steps
        return met

    def strips(self, context: str, number: str, digits: int) -> bool:
        """Whether a number is dialled without its first digits."""
        return any(
            groups[:1] == [number[digits:]] and any(map(dials, actions))
            for actions, groups, _ in self._serving(context, number)
        )

    def _serving(self, context: str, number: str) -> Iterator[tuple[list[str], list[str], bool]]:
        """From the top, the extensions that take a number or may: the actions, what "$1" and the like are in
        them, and whether it is surely taken there for good, which ends it."""
        for extension in self._contexts.get(context, ()):
            surely, run = run_of(extension, number)
            if run is None:
                continue
            actions = [f"{one.get('application', '')}({one.get('data', '')})" for one in run]
            last = surely and extension.get("continue") != "true" and bool(actions)
            yield actions, captured(extension, number), last
            if last:
                return


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
