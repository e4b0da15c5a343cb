"""What the journal comes to: who opted out of what, who has which strikes, which notices were given.

In: journal entries, in order, each once. Out: answers that cost a look-up, for every call.
Refuses to know: where the journal is kept, and what follows for a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from enforcer.domain.call import CallRecord
from enforcer.domain.emergency import Windows
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.notice import About, Audience, Gate, Notice, after
from enforcer.domain.open_gaps import Gaps
from enforcer.domain.ordered import Commands, Requests


class OptOut(NamedTuple):
    """One person who does not want to hear from a sender. `account` is "" for all of the customer's."""

    number: str                 # E.164
    customer: str
    account: str
    at: float                   # when they said so, Unix seconds
    source: str                 # "message", "import", or "" by hand
    who: str = ""
    why: str = ""
    entered: float = 0.0        # since when it is on record, and so in force
    honoured_in: float | None = None    # seconds from the message that said so; None where none did


class OptOuts:
    """Who opted out of what: by customer and number, of which of the customer's accounts.

    A million of them take about 350 MB; an import of a national register belongs elsewhere.
    """

    def __init__(self) -> None:
        self._by_customer: dict[str, dict[str, tuple[OptOut, ...]]] = {}

    def put(self, opt_out: OptOut) -> None:
        """Somebody does not want to hear any more; the first time they said so stands."""
        numbers = self._by_customer.setdefault(opt_out.customer, {})
        there = numbers.get(opt_out.number, ())
        if all(one.account != opt_out.account for one in there):
            numbers[opt_out.number] = (*there, opt_out)

    def drop(self, number: str, customer: str, account: str) -> None:
        """They changed their mind about one sender (`account`), or with "" about all of the customer's. Their
        latest word stands: what they said about all senders together goes as well."""
        numbers = self._by_customer.get(customer, {})
        there = numbers.get(number, ())
        left = tuple(one for one in there if account and one.account not in ("", account))
        if left:
            numbers[number] = left
        else:
            numbers.pop(number, None)

    def found(self, number: str, customer: str, account: str) -> OptOut | None:
        """The opt-out that stands against this sender, where it counts for each sender by itself."""
        there = self._by_customer.get(customer, {}).get(number, ())
        return next((one for one in there if one.account in ("", account)), None)

    def found_any(self, number: str, customer: str) -> OptOut | None:
        """The first that stands against any of the customer's senders."""
        there = self._by_customer.get(customer, {}).get(number, ())
        return there[0] if there else None

    def of(self, number: str, customer: str) -> tuple[OptOut, ...]:
        """All that one person said to one customer, each about another sender, or about all."""
        return self._by_customer.get(customer, {}).get(number, ())

    def any_of(self, customer: str) -> bool:
        """Whether anybody opted out of anything of this customer's."""
        return bool(self._by_customer.get(customer))

    def all(self, customer: str = "") -> list[OptOut]:
        """All of them, or one customer's, by number."""
        some = [customer] if customer else sorted(self._by_customer)
        return [
            one for name in some for _, there in sorted(self._by_customer.get(name, {}).items())
            for one in there
        ]


class Strike(NamedTuple):
    """One violation on record. `kind` is the rule that was breached, or what people call it: "copyright".

    `cycle` is the billing cycle that was breached, "" for a strike that people entered; `at` is when it
    happened (a breached cycle's first moment), Unix seconds. `pardoned` says why it counts no more.
    """

    id: str
    kind: str
    at: float
    customer: str
    account: str                # "" for the customer as a whole
    cycle: str = ""
    who: str = ""
    why: str = ""
    entered: float = 0.0
    pardoned: str = ""


class Strikes:
    """All strikes, by customer."""

    def __init__(self) -> None:
        self._by_id: dict[str, Strike] = {}
        self._by_customer: dict[str, dict[str, Strike]] = {}

    def put(self, strike: Strike) -> None:
        """A strike; once entered it stays what it is."""
        if strike.id not in self._by_id:
            self._keep(strike)

    def pardon(self, strike_id: str, why: str) -> None:
        """It counts no more."""
        strike = self._by_id.get(strike_id)
        if strike is not None:
            self._keep(strike._replace(pardoned=why or "withdrawn"))

    def get(self, strike_id: str) -> Strike | None:
        """The strike of that id."""
        return self._by_id.get(strike_id)

    def any_of(self, customer: str) -> bool:
        """Whether the customer or any of its accounts ever had one: most never do, and every call asks."""
        return customer in self._by_customer

    def of(self, customer: str, account: str, kinds: frozenset[str], since: float) -> list[Strike]:
        """Those that count since then, oldest first: of an account and of its customer as a whole, or with no
        account named of all the customer's accounts; of these kinds, or of all where there are none."""
        return sorted(
            (
                s for s in self._by_customer.get(customer, {}).values()
                if s.at >= since and not s.pardoned and (not kinds or s.kind in kinds)
                and (not account or s.account in ("", account))
            ),
            key=lambda s: (s.at, s.id),
        )

    def all(self, customer: str = "") -> list[Strike]:
        """All, pardoned ones too, oldest first."""
        found = self._by_customer.get(customer, {}) if customer else self._by_id
        return sorted(found.values(), key=lambda s: (s.at, s.id))

    def _keep(self, strike: Strike) -> None:
        self._by_id[strike.id] = strike
        self._by_customer.setdefault(strike.customer, {})[strike.id] = strike


class Notices:
    """All notices, and for each rule and subject the gate that they open."""

    def __init__(self) -> None:
        self._by_id: dict[str, Notice] = {}
        self._gates: dict[tuple[str, str, str], Gate] = {}
        self._gates_of: dict[str, list[tuple[str, str, str]]] = {}      # their places, by customer
        self._pending: dict[str, Notice] = {}
        self._announcing: dict[str, Notice] = {}

    def take(self, entry: JournalEntry) -> Notice | None:
        """A step in the life of a notice; the notice as it stands now."""
        notice = after(self._by_id.get(entry.ref), entry)
        if notice is None:
            return None
        self._by_id[notice.id] = notice
        for some, belongs in ((self._pending, notice.pending), (self._announcing, notice.announces)):
            if belongs:
                some[notice.id] = notice
            else:
                some.pop(notice.id, None)
        if notice.audience is Audience.CUSTOMER and notice.about is About.LEVEL:
            self.gate(notice.rule, notice.customer, notice.account).learn(notice)
        return notice

    def gate(self, rule: str, customer: str, account: str) -> Gate:
        """The gate of a rule about a customer (`account` "") or one account. Always the same object."""
        place = rule, customer, account
        gate = self._gates.get(place)
        if gate is None:
            gate = self._gates[place] = Gate()
            self._gates_of.setdefault(customer, []).append(place)
        return gate

    def let_go(self, account: str) -> None:
        """Nobody holds a gate of this account, which is its own customer: those without a notice are made
        again when somebody does."""
        for place in self._gates_of.pop(account, ()):
            if self._gates[place].latest() is None:
                del self._gates[place]
            else:
                self._gates_of.setdefault(account, []).append(place)

    def get(self, notice_id: str) -> Notice | None:
        """The notice of that id."""
        return self._by_id.get(notice_id)

    def all(self, customer: str = "") -> list[Notice]:
        """All, or one customer's, oldest first."""
        some = (n for n in self._by_id.values() if not customer or n.customer == customer)
        return sorted(some, key=lambda n: (n.at, n.id))

    def pending(self) -> list[Notice]:
        """Those that still have to be delivered, oldest first."""
        return sorted(self._pending.values(), key=lambda n: (n.at, n.id))

    def announcing(self, account: str = "") -> list[Notice]:
        """Those from which a standing is still to follow, of all accounts or of one, oldest first."""
        some = (n for n in self._announcing.values() if not account or n.account == account)
        return sorted(some, key=lambda n: (n.at, n.id))


class Registers:
    """Everything that follows from the journal. Entries come in order, each once."""

    def __init__(self) -> None:
        self.opt_outs = OptOuts()
        self.strikes = Strikes()
        self.notices = Notices()
        self.requests = Requests()
        self.gaps = Gaps()
        self.emergencies = Windows()
        self.commands = Commands()
        self.on_entry: list[Callable[[JournalEntry], None]] = []    # told of each, once it is known
        # Told of each record that no rule touches, as it is counted out, and of the time (Unix seconds).
        self.on_untouched: list[Callable[[CallRecord, float], None]] = []
        self.untold, self.problem = 0, ""       # times that one of them failed, and why the last did

    def fold(self, entries: Iterable[JournalEntry]) -> None:
        """Learn what these entries say."""
        for entry in entries:
            self._learn(entry)
            for tell in self.on_entry:
                try:
                    tell(entry)
                except Exception as problem:        # who only listens keeps nobody from learning
                    self.untold, self.problem = self.untold + 1, f"{entry.kind} {entry.ref}: {problem!r}"

    def _learn(self, entry: JournalEntry) -> None:
        match entry.kind:
            case Kind.OPT_OUT:
                body = entry.body
                self.opt_outs.put(OptOut(
                    entry.ref, entry.customer, entry.account, body.get("at", entry.at),
                    body.get("source", ""), body.get("who", ""), body.get("why", ""), entry.at,
                    body.get("honoured_in"),
                ))
            case Kind.OPT_IN:
                self.opt_outs.drop(entry.ref, entry.customer, entry.account)
            case Kind.STRIKE:
                body = entry.body
                self.strikes.put(Strike(
                    entry.ref, body["kind"], body["at"], entry.customer, entry.account,
                    body.get("cycle", ""), body.get("who", ""), body.get("why", ""), entry.at,
                ))
            case Kind.PARDON:
                self.strikes.pardon(entry.ref, entry.body.get("why", ""))
            case Kind.NOTICE:
                self.notices.take(entry)
            case Kind.REQUEST:
                self.requests.take(entry)
            case Kind.GAP:
                self.gaps.take(entry)
            case Kind.EMERGENCY:
                self.emergencies.take(entry)
            case Kind.COMMAND:
                self.commands.take(entry)
            case _:
                pass            # on record, and nothing that a call would have to know


FOLDED = frozenset({
    Kind.OPT_OUT, Kind.OPT_IN, Kind.STRIKE, Kind.PARDON, Kind.NOTICE, Kind.REQUEST, Kind.EMERGENCY,
    Kind.COMMAND, Kind.GAP,
})
