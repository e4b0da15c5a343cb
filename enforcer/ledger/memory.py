"""The ledger without a disk: complete, and the oracle that every other adapter is held against.

In: events and what people enter. Out: every answer the port promises, from plain dictionaries.
Refuses to know: files, threads and other processes. It forgets everything when it goes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from enforcer.domain.account import Account
from enforcer.domain.call import CallEvent, CallRecord, NumberClass, Refusal
from enforcer.domain.charge import Claim, Entry, missing
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision
from enforcer.domain.mode import ModeSetting
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Measure, Scope, Tally, Window, recount
from enforcer.ledger.books import Books
from enforcer.ledger.port import Absorbed, Mismatch

# Decisions are for people who ask about the last hour; a ledger that lasts keeps them on its disk.
REMEMBER_DECISIONS = 10_000


class MemoryLedger:
    """See the port. `classify` gives the class of a number, `clock` Unix seconds."""

    degraded = ""

    def __init__(self, classify: Callable[[str], NumberClass], clock: Callable[[], float]) -> None:
        self._records: dict[str, CallRecord] = {}
        self._decisions: deque[Decision] = deque(maxlen=REMEMBER_DECISIONS)
        self._modes: list[ModeSetting] = []
        self._charges: list[Entry] = []
        self._books = Books(classify, self._records.get, clock, self.derive)
        self.seats = self._books.seats
        self.account = self._books.account
        self.live = self._books.live

    def apply(self, event: CallEvent) -> CallRecord | None:
        """Count what the event adds; the call's record, or None where it told nothing new."""
        record = self._books.apply(event)
        if record is not None:
            self._records[record.call_id] = record
            self._books.refresh()
        return record

    def refuse(self, call_id: str, refusal: Refusal) -> None:
        """The call was kept from being set up by us: it leaves every ratio and sum."""
        record = self._books.refuse(call_id, refusal)
        if record is not None:
            self._records[call_id] = record

    def keep(self, decision: Decision) -> None:
        """Remember a decision, and forget the oldest of very many."""
        self._decisions.append(decision)

    def accounts(self, customer: str = "") -> list[Account]:
        """All registered accounts, by id."""
        return sorted(
            (a for a in self._books.accounts.values() if not customer or a.customer == customer),
            key=lambda account: account.id,
        )

    def put_accounts(self, accounts: Iterable[Account]) -> None:
        """Register or change accounts, all or none."""
        self._books.register(list(accounts))
        self._books.refresh()

    def modes(self) -> list[ModeSetting]:
        """Every mode setting ever made, the oldest first."""
        return list(self._modes)

    def put_mode(self, setting: ModeSetting) -> None:
        """Record a mode setting."""
        self._modes.append(setting)

    def calls(self, account_id: str = "", span: Span | None = None) -> Iterator[CallRecord]:
        """Records by start time, of one account and one cycle where given."""
        chosen = [
            record for record in self._records.values()
            if (not account_id or record.account == account_id)
            and (span is None or span.holds(record.started_at))
        ]
        return iter(sorted(chosen, key=lambda record: (record.started_at, record.call_id)))

    def call(self, call_id: str) -> CallRecord | None:
        """One record; the id may come without its "<switch>/" where that is unambiguous."""
        found = self._records.get(call_id)
        if found is None and "/" not in call_id:
            matches = [r for r in self._records.values() if r.call_id.partition("/")[2] == call_id]
            found = matches[0] if len(matches) == 1 else None
        return found

    def decisions(self, account_id: str = "", call_id: str = "", limit: int = 50) -> list[Decision]:
        """Decisions, the newest first."""
        chosen = [
            decision for decision in reversed(self._decisions)
            if (not account_id or decision.account == account_id)
            and (not call_id or decision.call_id == call_id)
        ]
        return sorted(chosen, key=lambda decision: -decision.at)[:limit]

    def decision(self, decision_id: str) -> Decision | None:
        """One decision."""
        return next((d for d in self._decisions if d.decision_id == decision_id), None)

    def derive(self, scope: Scope, key: str, measure: Measure, span: Span) -> Tally:
        """The tally of one account or customer in any cycle, from nothing but its records."""
        return recount(
            (
                record for record in self._records.values()
                if (record.account if scope is Scope.ACCOUNT else record.customer) == key
                and (measure.window is Window.LIVE or span.holds(record.started_at))
            ),
            measure,
        )

    def derive_all(self, scope: Scope, measure: Measure, span: Span) -> dict[str, Tally]:
        """The same for every account or customer that has calls there."""
        by_key: dict[str, list[CallRecord]] = {}
        for record in self._records.values():
            if measure.counts(record) and (measure.window is Window.LIVE or span.holds(record.started_at)):
                key = record.account if scope is Scope.ACCOUNT else record.customer
                by_key.setdefault(key, []).append(record)
        return {key: recount(records, measure) for key, records in by_key.items()}

    def callers(self, span: Span) -> list[tuple[str, str]]:
        """Each account with a call that started in a cycle, and the customer it was counted for then."""
        return sorted({
            (record.account, record.customer) for record in self._records.values()
            if record.account and span.holds(record.started_at)
        })

    def charges(self, customer: str = "", cycle: str = "") -> list[Entry]:
        """Entries in the order they were written; of one customer and one cycle where given."""
        return [
            entry for entry in self._charges
            if (not customer or entry.customer == customer) and (not cycle or entry.cycle == cycle)
        ]

    def charge(self, claims: Sequence[Claim], at: float) -> list[Entry]:
        """Add what is missing for the entries to add up to these claims; returns what was added."""
        added = missing(self._charges, claims, at)
        self._charges += added
        return added

    def absorb(self, events: Sequence[CallEvent]) -> Absorbed:
        """Take in many events at once."""
        new = completed = 0
        for event in events:
            known = event.attempt.call_id in self._records
            if self.apply(event) is not None:
                completed += known
                new += not known
        return Absorbed(new, completed, len(events) - new - completed)

    def verify(self) -> list[Mismatch]:
        """Compare every counter with the records it stands for."""
        self._books.refresh()
        found = []
        for scope, key, measure, span, tally in self._books.tallies():
            derived = self.derive(scope, key, measure, span)
            if derived != tally:
                found.append(Mismatch(scope, key, measure, span, tally.usage(), derived.usage()))
        return found

    def use(self, policy: Policy) -> None:
        """Count for this policy from now on; tallies are derived anew from the records."""
        books = self._books
        books.begin(policy, list(books.accounts.values()), float("inf"))
        for record in self._records.values():
            books.adopt(record)

    def changed_elsewhere(self) -> bool:
        """There is nobody else; only a cycle that closed with a question may have to be counted."""
        self._books.refresh()
        return False

    def flush(self) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """Nothing to let go."""
