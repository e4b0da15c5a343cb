"""What was pruned, in words: since when a ledger has everything, and what became of a decision that is gone.

In: a ledger's checkpoints. Out: sentences and facts. Refuses to know: what is pruned, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from enforcer.control.explanation import Explanation
from enforcer.control.words import iso, local, shown
from enforcer.domain.cycle import Span
from enforcer.domain.journal import Kind
from enforcer.domain.retention import Pruned, checkpoints
from enforcer.ledger.port import Ledger


def pruned_words(pruned: Sequence[Pruned]) -> list[str]:
    """Since when there are all decisions and all calls; nothing where nothing was pruned."""
    told = []
    for name, count, before in (
        ("decisions", sum(one.decisions for one in pruned), _latest([p.decisions_before for p in pruned])),
        ("calls", sum(one.calls for one in pruned), _latest([p.calls_before for p in pruned])),
    ):
        if before is not None:
            at = max(one.at for one in pruned if _before(one, name) is not None)
            told.append(
                f"{name}: all since {local(before, 'UTC')}; of those before, {count} were pruned, last on "
                f"{local(at, 'UTC')}"
            )
    return told


def decision_gone(ledger: Ledger, decision_id: str) -> Explanation | None:
    """That a decision of this id was pruned, and when; None where none was."""
    found = next((one for one in checkpoints(ledger.journal({Kind.PRUNE})) if one.names(decision_id)), None)
    if found is None:
        return None
    told = Explanation(f"decision {shown(decision_id)}")
    told.lines.append(
        f"It was pruned on {local(found.at, 'UTC')}, with {found.decisions - 1} other decisions that were "
        "older than [retention] in the configuration says. Link "
        f"{found.link} of the chain is the checkpoint that vouches for them."
    )
    told.facts = {"decision": decision_id, "pruned": iso(found.at), "checkpoint": found.link}
    return told


def decisions_gone(ledger: Ledger, at: float) -> str:
    """That decisions of that moment were pruned, in a sentence; "" where they are all there."""
    found = [
        one for one in checkpoints(ledger.journal({Kind.PRUNE}))
        if one.decisions_before is not None and one.decisions_before > at
    ]
    if not found:
        return ""
    return f"Decisions of that time were pruned, on {local(found[0].at, 'UTC')} and later."


def facts(ledger: Ledger, span: Span) -> list[dict[str, Any]]:
    """What was pruned that may have been of this stretch of time, for whoever reads a bundle about it."""
    return [
        {
            "link": one.link, "at": iso(one.at), "decisions_before": _moment(one.decisions_before),
            "calls_before": _moment(one.calls_before),
        }
        for one in checkpoints(ledger.journal({Kind.PRUNE}))
        if max(one.decisions_before or span.start, one.calls_before or span.start) > span.start
    ]


def _moment(at: float | None) -> str | None:
    return None if at is None else iso(at)


def _before(one: Pruned, name: str) -> float | None:
    return one.decisions_before if name == "decisions" else one.calls_before


def _latest(some: Sequence[float | None]) -> float | None:
    return max((at for at in some if at is not None), default=None)
