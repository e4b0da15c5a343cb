"""What the rest of the house may ask of a ledger, whichever adapter keeps it.

Five small ports, in our words: `Counting` is the hot path and never waits; `Register` keeps
what people entered; `Archive` answers questions about the past; `Charges` is the book of charges;
`Journal` is what has to be provable later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from enforcer.domain.account import Account, Customer
from enforcer.domain.call import CallEvent, CallRecord, Refusal
from enforcer.domain.chain import Cut, Fault, Head, Link
from enforcer.domain.charge import Claim, Entry
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Decision
from enforcer.domain.gap import Sight
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import ModeSetting
from enforcer.domain.policy import Policy, Seat
from enforcer.domain.registers import Registers
from enforcer.domain.usage import Tally, Usage


class Counting(Protocol):
    """Facts in, numbers out. Every verb is synchronous and answers from memory."""

    def apply(self, event: CallEvent) -> CallRecord | None:
        """Count what the event adds; the call's record, or None where it told nothing new."""

    def refuse(self, call_id: str, refusal: Refusal) -> None:
        """The call was kept from being set up by us: it leaves every ratio and sum."""

    def exempt(self, call_id: str) -> None:
        """The call is one that no rule may count: it leaves every counter."""

    def account(self, account_id: str) -> Account:
        """The registered account, or one made up for a caller nobody registered."""

    def seats(self, account_id: str, at: float) -> Sequence[Seat]:
        """The rules about an account, each with its tally in the cycle that holds `at`."""

    def counted_accounts(self) -> list[str]:
        """Accounts for which anything is counted now, or for whose customer: of each of these the first."""

    def keep(self, decision: Decision) -> None:
        """Remember a decision; written later."""

    def live(self, switch: str = "") -> list[CallRecord]:
        """Calls in progress, of one switch or of all."""

    def tidy(self) -> None:
        """Let go of what rolling windows have passed, a little at a time."""


class Register(Protocol):
    """What people entered: accounts, customers and modes. A write is durable when the verb returns, and what
    changed is on record in the journal."""

    def accounts(self, customer: str = "") -> list[Account]:
        """All registered accounts, by id."""

    def put_accounts(self, accounts: Iterable[Account]) -> None:
        """Register or change accounts, all or none. Raises LedgerError."""

    def customers(self) -> list[Customer]:
        """What is known of customers besides their accounts, by id; of most nothing is."""

    def put_customers(self, customers: Iterable[Customer]) -> None:
        """Enter or change customers, all or none. Raises LedgerError."""

    def modes(self) -> list[ModeSetting]:
        """Every mode setting ever made, the oldest first."""

    def put_mode(self, setting: ModeSetting) -> None:
        """Record a mode setting. Raises LedgerError."""


class Mismatch(NamedTuple):
    """One place where a counter differs from what the records say: a defect, never normal."""

    scope: Scope
    key: str            # account or customer
    measure: Measure
    span: Span
    counted: Usage
    derived: Usage


class Absorbed(NamedTuple):
    """What became of a batch of events: calls not known before, calls that a fact was added to,
    and events that told nothing new."""

    new: int = 0
    completed: int = 0
    unchanged: int = 0


class Place(NamedTuple):
    """How far a switch's CDR file was read: up to byte `position` of the file that `device` and `inode` name,
    and whose `line` bytes before that have this `digest`. Everything that was written since `since` is read
    (Unix seconds of the switch); `read_at` is when the end of the file was last seen, with
    nothing unread before it; `ended_at` is the latest end of a call among the rows that were read."""

    switch: str
    device: int
    inode: int
    position: int
    line: int
    digest: str
    since: float
    read_at: float
    ended_at: float = 0.0


class Archive(Protocol):
    """Questions about the past. These may read a disk."""

    def calls(
        self, account_id: str = "", span: Span | None = None, customer: str = ""
    ) -> Iterator[CallRecord]:
        """Records by start time: of one account, one customer and one cycle, where given."""

    def call(self, call_id: str) -> CallRecord | None:
        """One record; the id may come without its "<switch>/" where that is unambiguous."""

    def decisions(
        self, account_id: str = "", call_id: str = "", limit: int = 50, sip_call_id: str = ""
    ) -> list[Decision]:
        """Decisions, the newest first: on one account, one call, one SIP Call-ID, where given."""

    def decisions_in(self, span: Span, account_id: str = "") -> Iterator[Decision]:
        """All decisions in a stretch of time, the oldest first."""

    def decision(self, decision_id: str) -> Decision | None:
        """One decision."""

    def derive(self, scope: Scope, key: str, measure: Measure, span: Span) -> Tally:
        """The tally of one account or customer in any cycle, from nothing but its records."""

    def derive_all(self, scope: Scope, measure: Measure, span: Span) -> dict[str, Tally]:
        """The same for every account or customer that has calls there: one question for all of them."""

    def callers(self, span: Span) -> list[tuple[str, str]]:
        """Each account with a call that started in a cycle, and the customer it was counted for then;
        in order. Calls of no account are nobody's."""

    def absorb(self, events: Sequence[CallEvent], place: Place | None = None) -> Absorbed:
        """Take in many events at once, straight to the store: the road for CDR files. Counters in
        memory follow, and the place that was read up to is kept with them. Durable when the verb returns.
        Raises LedgerError; then nothing was taken."""

    def places(self) -> dict[str, Place]:
        """How far each switch's CDR file was read. Raises LedgerError."""

    def sights(self) -> dict[str, Sight]:
        """How far each switch was heard. Raises LedgerError."""

    def keep_sight(self, sight: Sight) -> None:
        """Keep how far a switch was heard; any thread may. Raises LedgerError."""

    def pruned_before(self, customer: str) -> float:
        """Calls of the customer that began before this moment (Unix seconds) may have been pruned; minus
        infinity where none were."""

    def verify(self) -> list[Mismatch]:
        """Compare every counter in memory with the records it stands for, and the store with itself.

        Raises LedgerError where the store is damaged or can't be brought up to date."""


class Charges(Protocol):
    """What settlements charged. Entries are added, never edited. Durable when a verb returns."""

    def charges(self, customer: str = "", cycle: str = "") -> list[Entry]:
        """Entries in the order they were written; of one customer and one cycle where given."""

    def charge(self, claims: Sequence[Claim], at: float) -> list[Entry]:
        """Write at `at` (Unix seconds) what is missing for the entries to add up to these claims, all
        or none: nothing where they do already. No two claims are about one subject. Returns what was
        written. Raises LedgerError."""


class Proof(NamedTuple):
    """What following the chain came to: up to which link it is sound, its end, what is wrong after that, and
    how many of the sound links were pruned."""

    links: int
    head: Head
    fault: Fault | None = None
    pruned: int = 0

    @property
    def broken(self) -> str:
        """The fault in words, "" where there is none."""
        return "" if self.fault is None else self.fault.words


class Journal(Protocol):
    """What has to be provable later, one entry after the other, never edited, each sealed onto a chain."""

    @property
    def registers(self) -> Registers:
        """What follows from the journal, as it stands now: opt-outs, strikes, notices."""

    def note(self, entry: JournalEntry) -> None:
        """Put on record: known at once, written later. The hot path's way."""

    def written(self) -> None:
        """Wait until everything noted so far is durable. Any thread may: it is for whoever must be sure, and
        must keep no call waiting. Raises LedgerError where it can't be yet; then it is written later."""

    def put(self, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
        """Put on record, durable when the verb returns; the entries as written. Raises LedgerError; then none
        was taken."""

    def journal(
        self, kinds: Collection[Kind] = (), customer: str = "", account: str = "", ref: str = ""
    ) -> Iterator[JournalEntry]:
        """Entries in their order: of these kinds, of one customer, account or thing, where given."""

    def head(self) -> Head:
        """The end of the chain as far as it is written. Raises LedgerError."""

    def tell(self) -> Head:
        """The same, for somebody to note elsewhere: its seal outlives its link, so that it can be proved for
        good. Raises LedgerError."""

    def chain(self) -> Iterator[Link | Cut]:
        """The chain in its order: decisions and journal entries, each with its seal; cuts where decisions
        were pruned."""

    def prove(self, noted: Head | None = None) -> Proof:
        """Follow the chain from its beginning to its end, on which an end `noted` earlier has to lie. Raises
        LedgerError where it can't be read."""

    def contradictions(self) -> list[Fault]:
        """Where accounts, customers, modes, charges or decisions say otherwise than the journal does."""


class Backlog(NamedTuple):
    """Rows that are not on the disk yet, by kind; and those that never will be."""

    calls: int = 0
    decisions: int = 0
    journal: int = 0
    lost: int = 0


class Ledger(Counting, Register, Archive, Charges, Journal, Protocol):
    """All five, with a beginning and an end."""

    @property
    def degraded(self) -> str:
        """What is wrong with the ledger just now, in words; "" nothing. Every Decision carries it."""

    def backlog(self) -> Backlog:
        """What still has to be written."""

    def use(self, policy: Policy) -> None:
        """Count for this policy from now on; tallies are derived anew from the records."""

    def changed_elsewhere(self) -> bool:
        """Whether another process wrote since we last looked, and take over what it wrote:
        accounts, modes and calls. Cheap enough to ask many times a second. Of many calls it takes
        a bounded number at once and says True until all are taken."""

    def taken_over(self) -> int:
        """A number that rises whenever all that others had written was taken over; where it rose twice, what
        they had written when it was asked for first."""

    def flush(self) -> None:
        """Write everything kept so far; returns when it is durable. Raises LedgerError."""

    def close(self) -> None:
        """Flush and let go. Raises LedgerError."""
