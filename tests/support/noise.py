"""A switch whose calls are known, told badly: its events are shuffled, repeated, delayed and dropped, the
link is lost, the enforcer restarts; its CDRs come in any order, more than once. What a ledger has to make of
it.

In: what shall go wrong next. Out: a book and a ledger that heard it; `wrong()` says where they differ from
the CDRs. Refuses to know: who chooses what goes wrong (hypothesis, or a random number).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from enforcer.domain.call import CallEvent
from enforcer.domain.cycle import BillingCycle
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.wire.ami import Message
from enforcer.wire.asterisk import CallBook
from enforcer.wire.cdr_csv import read_rows
from enforcer.wire.channel import Identity
from tests.support.ledgers import POLICY, Clock

IDENTITY = Identity("pbx1", ("from-accounts",), ("from-trunk",))
ACCOUNTS = ("acme", "apex", "solo")
MOST_WAITING = 2000


class Told(NamedTuple):
    """A call as the switch knows it. Milliseconds since the epoch; `answer` is None where nobody answered."""

    id: str
    account: str
    start: int
    answer: int | None
    end: int

    @property
    def billsec(self) -> int:
        """What its CDR says."""
        return 0 if self.answer is None else (self.end - self.answer) // 1000

    def messages(self) -> list[Message]:
        """The events that a listener would have got."""
        known = {
            "Channel": f"PJSIP/{self.account}-{hash(self.id) & 0xFFFFFFFF:08x}", "CallerIDNum": self.account,
            "AccountCode": self.account, "Context": "from-accounts", "Exten": "12125550100", "Priority": "1",
            "Uniqueid": self.id, "Linkedid": self.id,
        }
        up = {"ChannelState": "6", "ChannelStateDesc": "Up"}
        ring = {"ChannelState": "4", "ChannelStateDesc": "Ring"}
        found = [_message("Newchannel", self.start, known | ring)]
        if self.answer is not None:
            found.append(_message("Newstate", self.answer, known | up))
        last = {"Cause": "16", "Cause-txt": "Normal Clearing"} | (ring if self.answer is None else up)
        return [*found, _message("Hangup", self.end, known | last)]

    def row(self) -> str:
        """Its row in Master.csv."""
        answer = "" if self.answer is None else _local(self.answer)
        fields = (
            self.account, self.account, "12125550100", "from-accounts", "x",
            f"PJSIP/{self.account}-00000001", "", "Dial", "", _local(self.start), answer, _local(self.end),
            str((self.end - self.start) // 1000), str(self.billsec),
            "NO ANSWER" if self.answer is None else "ANSWERED", "DOCUMENTATION", self.id, "",
        )
        return ",".join(f'"{field}"' for field in fields)


def _message(name: str, at: int, headers: dict[str, str]) -> Message:
    lines = [f"Event: {name}", f"Timestamp: {at / 1000:.6f}", *(f"{k}: {v}" for k, v in headers.items())]
    return Message(name, "\r\n".join(lines).encode())


def _local(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


class Noise:
    """See the module. `opened` opens the ledger, again after each restart."""

    def __init__(self, opened: Callable[[Clock], Ledger]) -> None:
        self.clock = Clock()
        self._opened = opened
        self.ledger = opened(self.clock)
        self.ledger.use(POLICY)
        self.book = CallBook(IDENTITY)
        self.waiting: list[Message] = []        # events that have not come yet, and may never
        self.unwritten: list[Told] = []         # calls whose CDRs were not read yet
        self.checked = 0
        self._cycle = ""
        self._sums: Counter[tuple[str, str]] = Counter()
        self._serial = 0

    def call(self, account: str, ring: int, talk: int | None, pause: int) -> Told:
        """A call that rings and lasts so long (milliseconds), `pause` after the one before."""
        self.clock.now += pause / 1000
        self._serial += 1
        start = round(self.clock.now * 1000)
        answer = None if talk is None else start + ring
        told = Told(f"pbx-{start // 1000}.{self._serial}", account, start, answer, start + ring + (talk or 0))
        self.waiting += told.messages()
        del self.waiting[:-MOST_WAITING]
        self.unwritten.append(told)
        return told

    def deliver(self, place: int, times: int, again: bool) -> None:
        """An event comes, so many times, and perhaps once more much later."""
        if self.waiting:
            message = self.waiting[place] if again else self.waiting.pop(place)
            for _ in range(times):
                self._apply(f for f in self.book.read(message, self.clock.now) if isinstance(f, CallEvent))

    def drop(self, place: int) -> None:
        """An event never comes."""
        if self.waiting:
            self.waiting.pop(place)

    def lose_link(self) -> None:
        """The link was lost, and no call is in progress any more when it is back."""
        self._apply(self.book.close_gone(self.book.known_legs(), frozenset(), self.clock.now))

    def restart(self) -> None:
        """Another enforcer, which knows what the ledger does."""
        self.ledger.close()
        self.ledger = self._opened(self.clock)
        self.ledger.use(POLICY)
        self.book = CallBook(IDENTITY)
        for record in self.ledger.live("pbx1"):
            self.book.restore(record.attempt(), record.answered_at)

    def read_cdrs(self, some: Iterable[Told]) -> None:
        """CDRs of some calls are read."""
        rows = list(read_rows([told.row() + "\n" for told in some], IDENTITY, UTC))
        assert not [row for row in rows if isinstance(row, BadInput)]
        self.ledger.absorb([row for row in rows if isinstance(row, CallEvent)])

    def wrong(self) -> list[str]:
        """All CDRs are read: every call and every counter that is not as they say."""
        self.read_cdrs(self.unwritten)
        found = []
        cycle = BillingCycle().at(self.clock.now)
        if cycle.label != self._cycle:
            self._cycle, self._sums = cycle.label, Counter()
        for told in self.unwritten:
            record = self.ledger.call(f"pbx1/{told.id}")
            if record is None:
                found.append(f"{told} is not there")
            elif record.live or (record.answered_at is None) != (told.answer is None):
                found.append(f"{told} is {record}")
            elif record.billmsec // 1000 != told.billsec:
                found.append(f"{told}, {told.billsec} s, is {record}, {record.billmsec} ms")
            if cycle.holds(told.start / 1000):
                answered = told.answer is not None
                self._sums[told.account, "attempts"] += 1
                self._sums[told.account, "answered"] += answered
                self._sums[told.account, "live"] += 0
        self.checked += len(self.unwritten)
        self.unwritten = []
        for account in ACCOUNTS:
            (usage,) = [
                seat.tally.usage() for seat in self.ledger.seats(account, self.clock.now)
                if seat.rule.spec.id == "attempts"
            ]
            counted = usage.attempts, usage.completed + usage.short, usage.live
            wanted = tuple(self._sums[account, name] for name in ("attempts", "answered", "live"))
            if counted != wanted:
                found.append(f"{account}: {counted} counted, {wanted} in the CDRs")
        return found

    def _apply(self, facts: Iterable[CallEvent]) -> None:
        for fact in facts:
            self.ledger.apply(fact)
