"""What people answer to a sender: STOP and START, as they become opt-outs.

In: inbound messages, their texts. Out: entries in the journal, in force with the next call or message.
Refuses to know: how a message came here, and what follows for senders (`opt_out` rules).

Source: 247VoIP, 3 Unsolicited Communications. A person opts out of the sender that was written to; where a
rule about opt-outs has the scope of a customer, of all that customer's senders.
"""

from __future__ import annotations

from typing import NamedTuple

from enforcer.domain.account import Account
from enforcer.domain.call import CallAttempt, Direction
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.measure import Scope
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.stop_words import StopWords, Wish
from enforcer.ledger.port import Ledger


class Heard(NamedTuple):
    """A wish that was put on record: whose accounts it is about, and how many seconds that took."""

    wish: Wish
    account: Account
    seconds: float


class Hearing:
    """Takes people at their word."""

    def __init__(self, ledger: Ledger, plan: NumberPlan, words: StopWords) -> None:
        self._ledger = ledger
        self._plan = plan
        self._words = words

    def take(self, attempt: CallAttempt, text: str, at: float) -> Heard | None:
        """Put on record what an inbound message asks for, at `at` (Unix seconds, the clock of the attempt).
        None where it asks for nothing, or for what is so already."""
        if attempt.direction is not Direction.INBOUND or not attempt.account:
            return None
        wish = self._words.wish(text)
        person = self._plan.canonical(attempt.caller)
        if wish is None or not person.removeprefix("+").isdecimal():
            return None
        account = self._ledger.account(attempt.account)
        sender = "" if self._for_all(account.id, at) else account.id
        opt_outs = self._ledger.registers.opt_outs
        if wish is Wish.START and not sender:
            stands = opt_outs.found_any(person, account.customer)
        else:
            stands = opt_outs.found(person, account.customer, sender)
        if (stands is not None) is (wish is Wish.STOP):
            return None
        seconds = round(max(0.0, at - attempt.at), 3)
        self._ledger.note(JournalEntry(
            Kind.OPT_OUT if wish is Wish.STOP else Kind.OPT_IN, at, person, account.customer, sender,
            {"source": "message", "honoured_in": seconds},
        ))
        return Heard(wish, account, seconds)

    def _for_all(self, account_id: str, at: float) -> bool:
        """Whether a word to one sender counts for all of the customer's."""
        return any(
            seat.rule.spec.kind == "opt_out" and seat.rule.spec.measure.scope is Scope.CUSTOMER
            for seat in self._ledger.seats(account_id, at)
        )
