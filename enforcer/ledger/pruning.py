"""What is older than it has to be, removed from a ledger: in small bites, and the chain stays provable.

In: a ledger's file, how long is kept what, whose and which calls are needed however old. Out: fewer rows, and
one checkpoint on the chain that says what went and vouches for the links that are gone.
Refuses to know: who is held and why a call is needed, and when it is time to prune.

First the checkpoint is written, with the seals around every stretch of decisions that goes; then rows go, a
few at a time, and the file has room again for as many. Whatever ends this in between, the next round goes on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from enforcer.domain.chain import Cut, digest
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.retention import Terms, lived, old_enough
from enforcer.ledger.journal_rows import append, head
from enforcer.ledger.prunable import (
    Needed,
    callers,
    mark,
    moments,
    none_of,
    old_calls,
    old_decisions,
    since,
    stretches,
)
from enforcer.ledger.store import Store
from enforcer.ledger.tables import CALL, CALLS_PRUNED, DECISION, LIVED, MARK, PRUNED, TOLD

BITE = 500                      # rows that go in one transaction: others wait for it a few tens of ms
CUSTOMERS_A_BITE = 100          # whose calls go in one


class Outcome(NamedTuple):
    """What a round came to, or would: rows, and before when (Unix seconds; None where nothing is old)."""

    decisions: int
    decisions_before: float | None
    calls: int
    calls_before: float | None


class Pruner:
    """See the module. `clock` gives Unix seconds; `pause(seconds)` lets others write between two bites.

    Where `trusting`, the clock alone says what is old, and not the time that was lived. Every verb raises
    LedgerError. Only one process prunes a ledger at a time (see `store.alone`)."""

    def __init__(
        self, store: Store, clock: Callable[[], float], pause: Callable[[float], None] = time.sleep,
        trusting: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._pause = pause
        self._trusting = trusting

    def look(self, keep: float) -> None:
        """Note what time it is, and how far everything has come; moments are kept for `keep` seconds."""
        with self._store.guarded(), self._store.writing() as connection:
            before = moments(connection)
            link = head(connection).link
            one = lived(before[-1] if before else None, self._clock(), link, mark(connection, "call"))
            last = connection.execute(sa.select(sa.func.max(LIVED.c.number))).scalar_one()
            connection.execute(sa.insert(LIVED).values(number=(last or 0) + 1, **one._asdict()))
            enough = old_enough([*before, one], keep) if keep else None
            if enough is not None:      # that one is still wanted, and none before it
                connection.execute(sa.delete(LIVED).where(LIVED.c.seconds < enough.seconds))

    def lived(self) -> float:
        """How much time (seconds) was lived since the first look that is remembered."""
        with self._store.reading() as connection:
            found = moments(connection)
        return found[-1].seconds - found[0].seconds if found else 0.0

    def plan(self, terms: Terms, needed: Needed) -> Outcome:
        """What would go, all told; nothing is changed."""
        with self._store.reading() as connection:
            link, before = self._decisions_until(connection, terms)
            change, started = self._calls_until(connection, terms, needed)
            decisions = 0 if before is None else connection.execute(
                sa.select(sa.func.count()).select_from(DECISION).where(*old_decisions(link, before, needed))
            ).scalar_one()
            calls = 0
            if started is not None:
                calls = sum(self._old_calls(connection, change, started, needed).values())
        return Outcome(decisions, before, calls, started)

    def prune(self, terms: Terms, needed: Needed) -> Outcome:
        """Remove what may go. Returns what went."""
        self._finish()
        with self._store.reading() as connection:
            _, before = self._decisions_until(connection, terms)
            change, started = self._calls_until(connection, terms, needed)
        decisions, calls = self._prune_decisions(terms, needed), 0
        if started is not None:
            with self._store.reading() as connection:
                found = self._old_calls(connection, change, started, needed)
            if found:
                self._checkpoint([], {}, 0, None, sum(found.values()), started)
            calls = self._prune_calls(deque(found), change, started, needed)
        return Outcome(decisions, before, calls, started)

    def oldest_call(self, needed: Needed) -> float:
        """When the oldest call began that nobody is known to need; infinity where there is none."""
        with self._store.reading() as connection:
            starts = [
                connection.execute(
                    sa.select(sa.func.min(CALL.c.started_at)).where(CALL.c.customer == customer)
                ).scalar_one()
                for customer in callers(connection, needed)
            ]
        return min(starts, default=float("inf"))

    # How far -------------------------------------------------------------------------------------

    def _decisions_until(self, connection: sa.Connection, terms: Terms) -> tuple[int, float | None]:
        """The last link and the first moment at which decisions are young; None where all are kept."""
        if not terms.decisions:
            return 0, None
        if self._trusting:
            return head(connection).link, self._clock() - terms.decisions
        moment = old_enough(moments(connection), terms.decisions)
        return (0, None) if moment is None else (moment.link, self._clock() - terms.decisions)

    def _calls_until(
        self, connection: sa.Connection, terms: Terms, needed: Needed
    ) -> tuple[int, float | None]:
        """The same of calls, by the change that made their rows."""
        if not terms.calls:
            return 0, None
        started = min(self._clock() - terms.calls, needed.calls_since)
        if self._trusting:
            return mark(connection, "call"), started
        moment = old_enough(moments(connection), terms.calls)
        return (0, None) if moment is None else (moment.change, started)

    def _old_calls(
        self, connection: sa.Connection, change: int, started: float, needed: Needed
    ) -> dict[str, int]:
        """How many calls may go, by customer."""
        found = {}
        for customer in callers(connection, needed):
            which = old_calls(customer, change, started, needed)
            count = connection.execute(
                sa.select(sa.func.count()).select_from(CALL).where(*which)
            ).scalar_one()
            if count:
                found[customer] = count
        return found

    # Decisions -----------------------------------------------------------------------------------

    def _prune_decisions(self, terms: Terms, needed: Needed) -> int:
        gone = 0
        while True:
            with self._store.reading() as connection:
                link, before = self._decisions_until(connection, terms)
                if before is None:
                    return gone
                found, ids, count = stretches(connection, old_decisions(link, before, needed))
            if not found:
                break
            self._checkpoint(found, ids, count, before, 0, None)
            self._finish()
            gone += count
        return gone + self._prune_unsealed(before, needed)

    def _checkpoint(
        self, found: list[Cut], ids: dict[str, list[int]], decisions: int, before: float | None, calls: int,
        calls_before: float | None,
    ) -> None:
        at = self._clock()
        entry = JournalEntry(Kind.PRUNE, at, datetime.fromtimestamp(at, UTC).isoformat("T", "seconds"), body={
            "decisions": decisions, "decisions_before": before, "calls": calls, "calls_before": calls_before,
            "cuts": len(found), "digest": digest(found), "ids": ids,
        })
        with self._store.guarded(), self._store.writing() as connection:
            (written,) = append(connection, [entry], 0)
            if found:
                rows = [cut._replace(checkpoint=written.link)._asdict() for cut in found]
                connection.execute(sa.insert(PRUNED), rows)
                # These are the ends of cuts now.
                connection.execute(sa.delete(TOLD).where(TOLD.c.link <= found[-1].last, sa.exists().where(
                    PRUNED.c.last == TOLD.c.link
                )))

    def _finish(self) -> None:
        """Remove the decisions that checkpoints speak of."""
        with self._store.reading() as connection:
            done = mark(connection, "prune")
            left = [cut for cut in since(connection, done) if cut.checkpoint > done]
        bite: list[tuple[int, int]] = []
        room = BITE
        for cut in left:
            first = cut.first
            while first <= cut.last:
                last = min(cut.last, first + room - 1)
                bite.append((first, last))
                room -= last - first + 1
                first = last + 1
                if not room:
                    self._remove(bite)
                    bite, room = [], BITE
        if left:
            self._remove(bite, max(cut.checkpoint for cut in left))

    def _remove(self, bite: list[tuple[int, int]], done: int = 0) -> None:
        begun = time.monotonic()
        with self._store.guarded(), self._store.writing() as connection:
            for first, last in bite:
                connection.execute(sa.delete(DECISION).where(
                    DECISION.c.link != 0, DECISION.c.link.between(first, last)
                ))
            if done:
                connection.execute(sa.update(MARK).where(MARK.c.name == "prune").values(value=done))
        self._pause(time.monotonic() - begun)

    def _prune_unsealed(self, before: float, needed: Needed) -> int:
        """Decisions from before there was a chain. How many there are is on record, and stays right."""
        gone = 0
        while True:
            some = sa.select(DECISION.c.decision_id).where(
                DECISION.c.at < before, DECISION.c.link == 0, none_of(DECISION.c.account, needed.accounts)
            ).limit(BITE)
            begun = time.monotonic()
            with self._store.guarded(), self._store.writing() as connection:
                count = connection.execute(
                    sa.delete(DECISION).where(DECISION.c.decision_id.in_(some))
                ).rowcount
                if count:
                    connection.execute(
                        sa.update(MARK).where(MARK.c.name == "decision unsealed")
                        .values(value=MARK.c.value - count)
                    )
            if not count:
                return gone
            gone += count
            self._pause(time.monotonic() - begun)

    # Calls ---------------------------------------------------------------------------------------

    def _prune_calls(self, customers: deque[str], change: int, started: float, needed: Needed) -> int:
        """Many customers have few calls each: a bite is of several, or each would wait for the disk."""
        gone = 0
        while customers:
            begun, room = time.monotonic(), BITE
            with self._store.guarded(), self._store.writing() as connection:
                for _ in range(min(CUSTOMERS_A_BITE, len(customers))):
                    which = old_calls(customers[0], change, started, needed)
                    some = sa.select(CALL.c.call_id).where(*which).limit(room)
                    count = connection.execute(sa.delete(CALL).where(CALL.c.call_id.in_(some))).rowcount
                    if count:
                        self._tell_pruned(connection, customers[0], started)
                    gone += count
                    room -= count
                    if not room:
                        break       # it may have more
                    customers.popleft()
            self._pause(time.monotonic() - begun)
        return gone

    def _tell_pruned(self, connection: sa.Connection, customer: str, before: float) -> None:
        row = insert(CALLS_PRUNED).values(customer=customer, before=before, at=self._clock())
        connection.execute(row.on_conflict_do_update(
            index_elements=[CALLS_PRUNED.c.customer],
            set_={
                "before": sa.func.max(CALLS_PRUNED.c.before, row.excluded.before), "at": row.excluded.at,
            },
        ))
