"""A ledger on a disk with a clock by hand, and somebody who prunes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.retention import Terms
from enforcer.ledger.prunable import Needed
from enforcer.ledger.pruning import Outcome, Pruner
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.ledger.store import Store
from tests.support.ledgers import DAY, PATIENCE, Clock, classify

NOBODY = Needed()


def decision(name: str, at: float, account: str = "acme") -> Decision:
    return Decision(name, at, f"pbx1/{name}", "pbx1", account, "1", "outbound", Verdict.BLOCK, Verdict.BLOCK)


class Shop:
    """One file; each pruning is by a process of its own, so to speak."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.clock = Clock()
        self.ledger = SqliteLedger(self.path, classify, self.clock, PATIENCE)
        self.pause: Callable[[float], None] = lambda _: None

    def close(self) -> None:
        self.ledger.close()

    @contextmanager
    def pruner(self, trusting: bool = False) -> Iterator[Pruner]:
        store = Store(self.path, PATIENCE)
        try:
            yield Pruner(store, self.clock, self.pause, trusting)
        finally:
            store.close()

    def prune(self, terms: Terms, needed: Needed = NOBODY, *, trusting: bool = False) -> Outcome:
        """What is old goes."""
        self.ledger.flush()
        with self.pruner(trusting) as pruner:
            return pruner.prune(terms, needed)

    def live(self, days: float, keep: float = 400 * DAY) -> None:
        """Time passes, and the clock is looked at each day."""
        while days > 0:
            self.clock.now += min(days, 1) * DAY
            self.ledger.flush()
            with self.pruner() as pruner:
                pruner.look(keep)
            days -= 1

    def edit(self, *statements: str) -> None:
        """Behind everybody's back."""
        with closing(sqlite3.connect(self.path)) as database:
            for statement in statements:
                assert database.execute(statement).rowcount > 0, statement
            database.commit()

    def ids(self) -> list[str]:
        return sorted(one.decision_id for one in self.ledger.decisions(limit=10_000))
