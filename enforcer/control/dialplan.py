"""Where emergency numbers go in a dialplan on paper: `enforcer check` reads what a switch would read.

In: files of a dialplan, Asterisk's or FreeSWITCH's, contexts that accounts dial from, emergency numbers.
Out: what is wrong, one sentence each: a number that comes to the enforcer's hook, waits for something else,
is cut short, or leads nowhere; also where a code for an outside line is dialled before it.
Refuses to know: a switch that runs (`enforcer doctor` asks that one), and what the files do besides.

What depends on more than the number (a time, a variable, another program) is taken to go the worse way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Protocol

from enforcer.control.dialplan_asterisk import Extensions
from enforcer.control.dialplan_freeswitch import Contexts
from enforcer.errors import BadInput


class Paper(Protocol):
    """A dialplan, in its files."""

    def fares(self, context: str, number: str) -> list[str] | None:
        """The steps that a number meets, None where there is no such context, [] where nothing serves it."""

    def wrong_in(self, step: str) -> str:
        """What a step does that no emergency call should meet, in words; "" nothing."""

    def dials(self, step: str) -> bool:
        """Whether a step calls anybody."""

    def strips(self, context: str, number: str, digits: int) -> bool:
        """Whether a number is dialled without its first digits: they are a code for an outside line."""


ADVICE = "serve emergency numbers in a context of their own, included first: see dialplan/README.md"


def refuse_unless_safe(paths: Sequence[Path], contexts: Sequence[str], emergency: Sequence[str]) -> str:
    """What was looked at, in words. Raises BadInput for the first emergency number that would come to the
    hook, or leads nowhere; for files that cannot be read, or have none of the contexts."""
    names = ", ".join(path.name for path in paths)
    found = paper_of(paths)
    known = [one for one in contexts if found.fares(one, emergency[0]) is not None] if emergency else []
    if not known:
        listed = ", ".join(f"[{one}]" for one in contexts)
        raise BadInput(names, f"none of the contexts that accounts dial from is in it: {listed}")
    for problem in problems(found, known, emergency):
        raise BadInput(names, f"{problem}; {ADVICE}")
    listed = ", ".join(f"[{one}]" for one in known)
    absent = ", ".join(f"[{one}]" for one in contexts if one not in known)
    beyond = f"; not looked at, for it is in none of these files: {absent}" if absent else ""
    noted = any("sos" in step.lower() for one in known for number in emergency
                for step in found.fares(one, number) or [])
    noting = "" if noted else "; nothing notes on the switch that an account called for help (ENF_SOS_..., " \
        "enf_sos), so calls back are exempt only while an enforcer runs: see dialplan/README.md"
    return f"{names}: {', '.join(emergency)} from {listed} never come to us{beyond}{noting}"


def problems(found: Paper, contexts: Sequence[str], emergency: Sequence[str]) -> Iterator[str]:
    """What is wrong, one sentence each."""
    for context in contexts:
        for number in emergency:
            steps = found.fares(context, number) or []
            wrong = [words for step in steps if (words := found.wrong_in(step))]
            if not steps or not (wrong or any(found.dials(step) for step in steps)):
                yield f"{number} from [{context}] leads nowhere"
            elif wrong:
                yield f"{number} from [{context}] {wrong[0]}"
        for code, number in product("0123456789", emergency):
            coded = code + number
            if coded in emergency or not found.strips(context, coded, 1):
                continue
            steps = found.fares(context, coded) or []
            wrong = [words for step in steps if (words := found.wrong_in(step))]
            if wrong:
                yield (f"{coded} from [{context}], which is dialled as {number}, {wrong[0]}; name it under "
                       "[numbers] emergency as well")


def paper_of(paths: Sequence[Path]) -> Paper:
    """These files as a dialplan. Raises BadInput where they cannot be read."""
    if any(path.suffix == ".xml" for path in paths):
        return Contexts(paths)
    return Extensions(paths)
