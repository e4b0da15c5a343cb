"""Where emergency numbers go in a dialplan on paper: `enforcer check` reads what a switch would read.

In: files of a dialplan, Asterisk's or FreeSWITCH's, the contexts that accounts dial from, and emergency
numbers. Out: what is wrong, one sentence each: a number that comes to the enforcer's hook, or one that leads
nowhere. Refuses to know: a switch that runs (`enforcer doctor` asks that one), and what the files do besides.

What depends on more than the number (a time, a variable, another program) is taken to go the worse way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from enforcer.control.dialplan_asterisk import Extensions
from enforcer.control.dialplan_freeswitch import Contexts
from enforcer.errors import BadInput

# How a number fares in a context: the steps that it meets, None where there is no such context, [] where
# nothing serves it.
Fares = Callable[[str, str], list[str] | None]

ADVICE = "serve emergency numbers in a context of their own, included first: see dialplan/README.md"


def refuse_unless_safe(paths: Sequence[Path], contexts: Sequence[str], emergency: Sequence[str]) -> str:
    """What was looked at, in words. Raises BadInput for the first emergency number that would come to the
    hook, or leads nowhere; for files that cannot be read, or have none of the contexts."""
    names = ", ".join(path.name for path in paths)
    found = fares_of(paths)
    known = [one for one in contexts if found(one, emergency[0]) is not None] if emergency else []
    if not known:
        listed = ", ".join(f"[{one}]" for one in contexts)
        raise BadInput(names, f"none of the contexts that accounts dial from is in it: {listed}")
    for problem in problems(found, known, emergency):
        raise BadInput(names, f"{problem}; {ADVICE}")
    listed = ", ".join(f"[{one}]" for one in known)
    absent = ", ".join(f"[{one}]" for one in contexts if one not in known)
    beyond = f"; not looked at, for it is in none of these files: {absent}" if absent else ""
    return f"{names}: {', '.join(emergency)} from {listed} never come to us{beyond}"


def problems(found: Fares, contexts: Sequence[str], emergency: Sequence[str]) -> Iterator[str]:
    """What is wrong, one sentence each."""
    for context in contexts:
        for number in emergency:
            steps = found(context, number) or []
            if not steps:
                yield f"{number} from [{context}] leads nowhere"
            elif hooked := [step for step in steps if asks(step)]:
                yield f"{number} from [{context}] comes to the enforcer's hook: {hooked[0][:80]}"


def asks(step: str) -> bool:
    """Whether a step goes to a context of the hook."""
    return "enforcer" in step


def fares_of(paths: Sequence[Path]) -> Fares:
    """How numbers fare in these files. Raises BadInput where they cannot be read."""
    if any(path.suffix == ".xml" for path in paths):
        return Contexts(paths).fares
    return Extensions(paths).fares
