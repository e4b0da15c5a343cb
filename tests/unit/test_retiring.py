"""The running enforcer prunes some times a day, says so, and what fails is tried again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from enforcer.errors import LedgerError
from enforcer.retiring import EVERY, FIRST, retire

DONE = {"decisions": 5, "decisions_before": "2026-08-24T00:00:00+00:00", "calls": 0, "calls_before": None}


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def note(self, what: str, **about: object) -> None:
        self.lines.append((what, about))

    def fault(self, kind: str, **about: object) -> None:
        self.lines.append((kind, about))


async def test_rounds_are_hours_apart_and_only_what_went_or_failed_is_told() -> None:
    log, slept = Log(), [0.0]
    outcomes: list[dict[str, Any] | LedgerError] = [
        DONE | {"dry_run": False}, LedgerError("locked"), DONE | {"decisions": 0},
    ]

    async def prune() -> dict[str, Any]:
        outcome = outcomes.pop(0)
        if isinstance(outcome, LedgerError):
            raise outcome
        return outcome

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if not outcomes:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await retire(prune, log, sleep)
    assert slept == [0.0, FIRST, EVERY, EVERY, EVERY]
    assert log.lines == [("pruned", DONE), ("not pruned", {"problem": "locked"})]
