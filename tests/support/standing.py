"""What stands for a whole test module: a switch, its far end, an enforcer, in an event loop of nobody's.

In: a part, made and not yet started. Out: the part, started, and gone with its fixture.
Refuses to know: what the tests do with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import run_apart
from lab.sipp import Callee

Part = TypeVar("Part", Asterisk, Callee, Enforcer)


def standing(part: Part) -> Iterator[Part]:
    """For `yield from` in a fixture of a module."""
    try:
        run_apart(part.start())
        yield part
    finally:
        if isinstance(part, Enforcer):
            run_apart(part.stop())
        else:
            part.close()
