"""The ledger without a disk: complete, and the oracle that every other adapter is held against.

In: events and what people enter. Out: every answer the port promises, from plain dictionaries.
Refuses to know: files, threads and other processes. It forgets everything when it goes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count

from enforcer.domain.account import Account, Customer
from enforcer.domain.call import CallEvent, CallRecord, NumberClass, Refusal
from enforcer.domain.chain import Fault
from enforcer.domain.charge import Claim, Entry, missing
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.mode import ModeSetting
from enforcer.domain.policy import Policy
from enforcer.domain.usage import Tally, recount
from enforcer.ledger.books import Books
from enforcer.ledger.charge_rows import charge_entry
from enforcer.ledger.memory_record import MemoryRecord
from enforcer.ledger.mirrors import MIRRORED, Tables, contradictions
from enforcer.ledger.port import Absorbed, Backlog, Mismatch, Place
from enforcer.ledger.register_rows import account_entry, customer_entry, mode_entry
from enforcer.ledger.sight_rows import MemorySights
from enforcer.ledger.verifying import same

# Decisions are for people who ask about the last hour; a ledger that lasts keeps them on its disk.
REMEMBER_DECISIONS = 10_000


class MemoryLedger:
    """See the port. `classify` gives the class of a number, `canonical` the number as E.164, `clock` Unix
    seconds; `channels` is how many calls each switch can hold."""

    degraded, backlog = "", Backlog

    def __init__(
        self, classify: Callable[[str], NumberClass], clock: Callable[[], float],
        canonical: Callable[[str], str] = str, channels: Mapping[str, int] | None = None,
    ) -> None:
        self._clock = clock
        self._records: dict[str, CallRecord] = {}
        self._decisions: deque[Decision] = deque(maxlen=REMEMBER_DECISIONS)
        self._modes: list[ModeSetting] = []
        self._charges: list[Entry] = []
        self._customers: dict[str, Customer] = {}
        self._books = Books(
            classify, self._records.get, clock, self.derive, canonical, channels,
            lambda _, key: any(key in (record.account, record.customer) for record in self._records.values()),
        )
        self.account, self.seats = self._books.account, self._books.seats
        self.counted_accounts = self._books.counted_accounts
        self.taken_over = count().__next__      # nobody else writes: there is nothing that we have not
        self.live, self.tidy, self.registers = self._books.live, self._books.tidy, self._books.registers
        record = MemoryRecord(self.registers)
        self.note, self.put, self.written = record.note, record.put, record.written
        self.journal, self._seal = record.journal, record.seal
        self.head, self.tell, self.chain, self.prove = record.head, record.tell, record.chain, record.prove
        kept = MemorySights()
        self.sights, self.keep_sight = kept.sights, kept.keep_sight
        self.places, self._put_place = kept.places, kept.put_place

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

    def exempt(self, call_id: str) -> None:
        """The call is one that no rule may count: it leaves every counter."""
        record = self._books.exempt(call_id)
        if record is not None:
            self._records[call_id] = record

    def keep(self, decision: Decision) -> None:
        """Remember a decision, and forget the oldest of very many."""
        self._decisions.append(decision)
        self._seal(decision)

    def accounts(self, customer: str = "") -> list[Account]:
        """All registered accounts, by id."""
        return sorted(
            (a for a in self._books.accounts.values() if not customer or a.customer == customer),
            key=lambda account: account.id,
        )

    def put_accounts(self, accounts: Iterable[Account]) -> None:
        """Register or change accounts, all or none."""
        for account in self._books.register(list(accounts)):
            self._seal(account_entry(account, self._clock()))
        self._books.refresh()

    def customers(self) -> list[Customer]:
        """What is known of customers besides their accounts, by id."""
        return sorted(self._customers.values(), key=lambda customer: customer.id)

    def put_customers(self, customers: Iterable[Customer]) -> None:
        """Enter or change customers, all or none."""
        for customer in customers:
            if self._customers.get(customer.id) != customer:
                self._customers[customer.id] = customer
                self._seal(customer_entry(customer, self._clock()))

    def modes(self) -> list[ModeSetting]:
        """Every mode setting ever made, the oldest first."""
        self._books.strangers.name(setting.account for setting in self._modes)
        return list(self._modes)

    def put_mode(self, setting: ModeSetting) -> None:
        """Record a mode setting."""
        self._modes.append(setting)
        self._seal(mode_entry(setting))

    def calls(
        self, account_id: str = "", span: Span | None = None, customer: str = ""
    ) -> Iterator[CallRecord]:
        """Records by start time: of one account, one customer and one cycle, where given."""
        chosen = [
            record for record in self._records.values()
            if (not account_id or record.account == account_id)
            and (not customer or record.customer == customer)
            and (span is None or span.holds(record.started_at))
        ]
        return iter(sorted(chosen, key=lambda record: (record.started_at, record.call_id)))

    def call(self, call_id: str) -> CallRecord | None:
        """One record; the id may come without its "<switch>/" where that is unambiguous."""
        found = self._records.get(call_id)
        if found is None:
            matches = [r for r in self._records.values() if r.call_id.partition("/")[2] == call_id]
            found = matches[0] if len(matches) == 1 else None
        return found

    def decisions(
        self, account_id: str = "", call_id: str = "", limit: int = 50, sip_call_id: str = ""
    ) -> list[Decision]:
        """Decisions, the newest first: on one account, one call, one SIP Call-ID, where given."""
        chosen = [
            decision for decision in reversed(self._decisions)
            if (not account_id or decision.account == account_id)
            and (not call_id or decision.call_id == call_id)
            and (not sip_call_id or decision.sip_call_id == sip_call_id)
        ]
        return sorted(chosen, key=lambda decision: -decision.at)[:limit]

    def decisions_in(self, span: Span, account_id: str = "") -> Iterator[Decision]:
        """All decisions in a stretch of time, the oldest first."""
        chosen = [
            decision for decision in self._decisions
            if span.holds(decision.at) and (not account_id or decision.account == account_id)
        ]
        return iter(sorted(chosen, key=lambda decision: (decision.at, decision.decision_id)))

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
            measure, self._clock(),
        )

    def derive_all(self, scope: Scope, measure: Measure, span: Span) -> dict[str, Tally]:
        """The same for every account or customer that has calls there."""
        by_key: dict[str, list[CallRecord]] = {}
        for record in self._records.values():
            if measure.counts(record) and (measure.window is Window.LIVE or span.holds(record.started_at)):
                key = record.account if scope is Scope.ACCOUNT else record.customer
                by_key.setdefault(key, []).append(record)
        return {key: recount(records, measure, self._clock()) for key, records in by_key.items()}

    def callers(self, span: Span) -> list[tuple[str, str]]:
        """Each account with a call that started in a cycle, and the customer it was counted for then."""
        return sorted({
            (record.account, record.customer) for record in self._records.values()
            if record.account and span.holds(record.started_at)
        })

    def pruned_before(self, customer: str) -> float:
        """Nothing is pruned here."""
        return float("-inf")

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
        for entry in added:
            self._seal(charge_entry(entry))
        return added

    def contradictions(self) -> list[Fault]:
        """Where accounts, customers, modes or charges say otherwise than the journal does."""
        tables = Tables(self.accounts(), self.customers(), self._modes, self._charges)
        return contradictions(self.journal(MIRRORED), tables)

    def absorb(self, events: Sequence[CallEvent], place: Place | None = None) -> Absorbed:
        """Take in many events at once."""
        self._put_place(place)
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
            if not same(derived, tally, measure, self._clock()):
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

    close = flush
