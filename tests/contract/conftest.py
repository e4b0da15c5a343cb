"""The matrix: every test of this folder runs on every adapter of the ledger port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from enforcer.ledger.port import Ledger
from tests.support.ledgers import ADAPTERS, POLICY, Clock

Open = Callable[[], Ledger]


@pytest.fixture
def clock() -> Clock:
    """Noon of 2026-11-22, until a test says otherwise."""
    return Clock()


@pytest.fixture(params=ADAPTERS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """A new ledger that counts for `POLICY`; whatever a test did, its counters equal its records."""
    with ExitStack() as stack:
        ledger = ADAPTERS[request.param](tmp_path, clock)
        stack.callback(ledger.close)
        ledger.use(POLICY)
        yield ledger
        assert ledger.verify() == []
