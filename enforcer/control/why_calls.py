"""The calls behind a number, in words: how many, which, and what they have in common.

In: counters and evidence. Out: sentences and facts. Refuses to know: how the calls were found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from enforcer.control.words import shown
from enforcer.domain.behind import Calls, Evidence


def counter_lines(counters: Sequence[Calls]) -> Iterator[str]:
    """Each counter with its calls."""
    for one in counters:
        yield f"{one.number:,} {one.words}: {_ids(one)}"


def evidence_lines(evidence: Evidence | None, ids: bool = True) -> Iterator[str]:
    """What the rule looks for, as found; with the ids of the calls or without."""
    if evidence is None:
        return
    heading = shown(evidence.words)
    yield f"{heading}:" if not evidence.left_out else f"{heading}, of which the weightiest are:"
    for group in evidence.groups:
        calls = f" ({_ids(group)})" if ids and group.first else ""
        yield f"  {shown(group.words)}{calls}"


def hides(counters: Sequence[Calls], evidence: Evidence | None) -> bool:
    """Whether more is there than is told."""
    groups = evidence.groups if evidence is not None else ()
    return any(one.left_out for one in (*counters, *(g for g in groups if g.first))) or (
        evidence is not None and evidence.left_out > 0
    )


def calls_facts(one: Calls) -> dict[str, Any]:
    """For programs."""
    return {"words": one.words, "number": one.number, "calls": [*one.first, *one.last],
            "left_out": max(0, one.left_out) if one.first else 0}


def evidence_facts(evidence: Evidence | None) -> dict[str, Any] | None:
    """For programs."""
    if evidence is None:
        return None
    return {"words": evidence.words, "groups": [calls_facts(group) for group in evidence.groups],
            "left_out": evidence.left_out}


def _ids(one: Calls) -> str:
    first, last = ", ".join(map(shown, one.first)), ", ".join(map(shown, one.last))
    if not one.left_out:
        return ", ".join(part for part in (first, last) if part)
    return f"{first} … {last}"
