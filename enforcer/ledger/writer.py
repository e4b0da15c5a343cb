"""The hand that writes: one thread, one connection, many rows to a commit, off the hot path.

In: records, decisions and journal entries, as fast as they come. Out: rows on the disk, soon. While the
disk is full or the file is locked rows wait in memory, up to a bound, and are tried again; nothing is
dropped without being counted. Refuses to know: books, accounts and what a row is worth.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice

import sqlalchemy as sa

from enforcer.domain.call import CallRecord
from enforcer.domain.decision import Decision
from enforcer.domain.journal import JournalEntry
from enforcer.errors import LedgerError
from enforcer.ledger.call_rows import Written, write
from enforcer.ledger.journal_rows import append
from enforcer.ledger.port import Backlog
from enforcer.ledger.remedy import remedy
from enforcer.ledger.store import Store, words

GROUP_SECONDS = 0.05        # what a crash may cost; a commit each time leaves the disk idle nine tenths
# Where that much comes in it, a group is as long as this: the commit is for more rows, and a call that begins
# and is answered or refused meanwhile is written once. The switch's CDRs bring back what a crash then costs.
BUSY_ROWS, BUSY_SECONDS = 5, 0.25
GROUP_ROWS = 500            # rows to a commit: another process waits no longer than a few tens of ms
RETRY_SECONDS = 1.0         # between two tries while the disk refuses
# Rows that may wait. A call waits as one row however much happens to it: this is 16 minutes of
# outage at 100 calls a second, and about 100 MB. Decisions cost more and matter less.
MOST_CALLS = 100_000
MOST_DECISIONS = 20_000
MOST_ENTRIES = 50_000       # of the journal: what customers were told and said, and few of it

# A row that no database would take (half a surrogate, a number past 64 bits) and no retry will help.
UNWRITABLE = (sa.exc.IntegrityError, sa.exc.DataError, UnicodeError, OverflowError, TypeError, ValueError)


class Writer:
    """See the module. `lot` is the number this process drew; `clock` gives Unix seconds.

    `degraded` says what is wrong, "" nothing; `overflow` counts rows that found no room, and
    `unwritable` rows that the database refused for what they say. `changed` holds what other hands
    had written about our calls, found when we wrote them: whoever counts calls takes it from there.
    """

    def __init__(self, store: Store, lot: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._lot = lot
        self._clock = clock
        self._ready = threading.Condition()
        self._waiting: dict[str, CallRecord] = {}
        self._writing: dict[str, CallRecord] = {}
        self._decisions: deque[Decision] = deque()
        self._entries: deque[JournalEntry] = deque()
        self._given = self._taken = self._done = 0      # tickets, one for each thing given to us
        self._failures = 0
        self._asked = 0                                 # threads that wait in `flush`
        self._stopping = False
        self._trouble = False                           # whether the last try failed
        self._complain = ""                             # about a row that can't be written
        self._thread: threading.Thread | None = None
        self.degraded = ""
        self.overflow = 0
        self.unwritable = 0
        self.changed: deque[Written] = deque()

    def put(self, record: CallRecord) -> None:
        """Write this record soon; a newer one of the same call takes its place."""
        with self._ready:
            if record.call_id not in self._waiting and self.waiting >= MOST_CALLS:
                self.overflow += 1
                return
            self._waiting[record.call_id] = record
            self._announce()

    def keep(self, decision: Decision) -> None:
        """Write this decision soon; where too many wait the oldest makes room and is counted."""
        with self._ready:
            if len(self._decisions) >= MOST_DECISIONS:
                self._decisions.popleft()
                self.overflow += 1
            self._decisions.append(decision)
            self._announce()

    def note(self, entry: JournalEntry) -> None:
        """Write this entry soon; where too many wait it is lost and counted."""
        with self._ready:
            if len(self._entries) >= MOST_ENTRIES:
                self.overflow += 1
                return
            self._entries.append(entry)
            self._announce()

    def find(self, call_id: str) -> CallRecord | None:
        """A record that is on its way to the disk."""
        with self._ready:
            return self._waiting.get(call_id) or self._writing.get(call_id)

    def has(self, account: str) -> bool:
        """Whether a record of an account or customer may be on its way to the disk."""
        with self._ready:
            if self.waiting > 2 * GROUP_ROWS:       # the disk is slow: nobody looks through all of them
                return True
            on_their_way = (*self._waiting.values(), *self._writing.values())
        return any(account in (record.account, record.customer) for record in on_their_way)

    @property
    def waiting(self) -> int:
        """Call rows that are not on the disk yet."""
        return len(self._waiting) + len(self._writing)

    def backlog(self) -> Backlog:
        """What is not on the disk yet."""
        lost = self.overflow + self.unwritable
        return Backlog(self.waiting, len(self._decisions), len(self._entries), lost)

    def flush(self) -> None:
        """Wait until everything given so far is on the disk. Raises LedgerError where it can't be."""
        with self._ready:
            ticket, failures = self._given, self._failures
            self._asked += 1
            self._ready.notify_all()
            try:
                self._ready.wait_for(lambda: self._done >= ticket or self._failures != failures)
            finally:
                self._asked -= 1
            if self._done < ticket:
                raise LedgerError(self.degraded)

    def close(self) -> None:
        """Try once more to write what waits, and end the thread. Raises LedgerError."""
        try:
            self.flush()
        finally:
            with self._ready:
                self._stopping = True
                self._ready.notify_all()
            if self._thread is not None:
                self._thread.join()

    def _announce(self) -> None:
        self._given += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
            self._thread.start()
        elif self._given == self._taken + 1 or len(self._waiting) == GROUP_ROWS:
            self._ready.notify_all()

    def _run(self) -> None:
        while self._wait():
            with self._ready:
                self._writing, self._waiting = self._waiting, {}
                decisions, self._decisions = self._decisions, deque()
                entries, self._entries = self._entries, deque()
                self._taken = self._given
            try:
                self._write(decisions, entries)
            except Exception as problem:        # nothing may end this thread while rows wait
                self._again(problem, decisions, entries)
            else:
                with self._ready:
                    self._done = self._taken
                    self._trouble = False
                    self.degraded = self._complaint("")
                    self._ready.notify_all()

    def _wait(self) -> bool:
        """Wait for something to write, then a moment longer for company. False at the end."""
        with self._ready:
            self._ready.wait_for(lambda: self._given > self._done or self._stopping)
            if self._stopping:
                return False
            pause, full = (RETRY_SECONDS, MOST_CALLS) if self._trouble else (GROUP_SECONDS, GROUP_ROWS)
            def enough() -> bool:
                return self._asked > 0 or self._stopping or len(self._waiting) >= full

            self._ready.wait_for(enough, pause)
            if not self._trouble and len(self._waiting) + len(self._decisions) >= BUSY_ROWS:
                self._ready.wait_for(enough, BUSY_SECONDS - GROUP_SECONDS)
            return not self._stopping

    def _write(self, decisions: deque[Decision], entries: deque[JournalEntry]) -> None:
        while self._writing or decisions or entries:
            records = list(islice(self._writing.values(), GROUP_ROWS))
            some = list(islice(decisions, GROUP_ROWS))
            few = list(islice(entries, GROUP_ROWS))
            try:
                self._commit(records, some, few)
            except UNWRITABLE as problem:
                self._one_by_one(records, some, few, problem)
            with self._ready:
                for record in records:
                    del self._writing[record.call_id]
            for waiting, done in ((decisions, some), (entries, few)):
                for _ in done:
                    waiting.popleft()

    def _commit(
        self, records: list[CallRecord], decisions: list[Decision], entries: list[JournalEntry]
    ) -> None:
        with self._store.writing() as connection:
            written = write(connection, records, self._lot, self._clock())
            if decisions or entries:
                append(connection, entries, self._lot, decisions)
        self.changed.extend(one for one in written if one.now != one.given)

    def _one_by_one(
        self, records: list[CallRecord], decisions: list[Decision], entries: list[JournalEntry],
        problem: BaseException,
    ) -> None:
        """Find the rows that spoil a group, and let only those go."""
        names = [r.call_id for r in records] + [d.decision_id for d in decisions] + [e.ref for e in entries]
        if len(names) == 1:
            self.unwritable += 1
            self._complain = f"{self._store.path}: {names[0]!r} can't be written: {words(problem)}"
            return
        alone: list[tuple[list[CallRecord], list[Decision], list[JournalEntry]]] = [
            *(([record], [], []) for record in records), *(([], [decision], []) for decision in decisions),
            *(([], [], [entry]) for entry in entries),
        ]
        for one in alone:
            try:
                self._commit(*one)
            except UNWRITABLE as its_problem:
                self._one_by_one(*one, its_problem)

    def _again(
        self, problem: BaseException, decisions: deque[Decision], entries: deque[JournalEntry]
    ) -> None:
        """What was not written waits again, behind nothing newer about the same call."""
        with self._ready:
            self._waiting = {**self._writing, **self._waiting}
            self._writing = {}
            entries.extend(self._entries)
            self._entries = entries
            decisions.extend(self._decisions)
            self._decisions = decisions
            while len(self._decisions) > MOST_DECISIONS:
                self._decisions.popleft()
                self.overflow += 1
            self._failures += 1
            self._trouble = True
            self.degraded = self._complaint(
                f"{self._store.path}: {words(problem)}{remedy(self._store.path, problem)}; "
                f"{self.waiting} calls wait in memory"
            )
            self._ready.notify_all()

    def _complaint(self, now: str) -> str:
        """What is wrong now, and what was lost before."""
        said = [now] if now else []
        if self.overflow:
            said.append(f"{self.overflow} rows found no room and are lost: import the switch's CDRs")
        if self._complain:
            said.append(self._complain)
        return "; ".join(said)
