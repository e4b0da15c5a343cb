"""Which accounts' text messages a switch turns away by itself, with 404, as long as none may pass.

A switch takes a message (202) before its dialplan can ask anybody, and the sender learns of a refusal from
a message back. An account none of whose messages may pass is spared that: it is closed. That is so

    standing    people suspended or terminated it
    exhausted   a cycle's limit of messages is used up in mode `block`, and one message was refused for that

In: refused messages, changes of modes and accounts, time passing. Out: `CloseMessages`, `OpenMessages`.
Refuses to know: how a switch does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from enforcer.domain.account import Account, Standing
from enforcer.domain.actions import Action, CloseMessages, OpenMessages
from enforcer.domain.call import UNTOUCHED, Direction, Medium, NumberClass
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import words_of_gate
from enforcer.domain.policy import Seat

# A limit on some classes of numbers leaves the others open; emergency messages never come here.
_ALL = frozenset(
    (Medium.MESSAGE, Direction.OUTBOUND, kind) for kind in NumberClass if kind not in UNTOUCHED
)


# Accounts that one switch closes for what they used up; messages of any more are refused one by one.
MOST_CLOSED = 5_000
# Seconds after which such an account is opened, though nothing else changed: one that still writes is closed
# again by its next message, and one that has stopped is forgotten, here and on the switch.
CLOSED_FOR = 3600.0


class _Closed(NamedTuple):
    """What was ordered for an account, and when."""

    order: CloseMessages
    at: float


class MessageOrders:
    """The closed accounts of all switches that ask about messages. `seats` and `account`: the ledger's."""

    def __init__(
        self,
        switches: Iterable[str],
        seats: Callable[[str, float], Sequence[Seat]],
        account: Callable[[str], Account],
    ) -> None:
        self._seats = seats
        self._account = account
        self._closed: dict[str, dict[str, _Closed]] = {switch: {} for switch in switches}
        self._pending: dict[str, set[str]] = {switch: set() for switch in self._closed}
        self._stopped: frozenset[str] = frozenset()

    def refused(self, account_id: str) -> None:
        """A message of this account was refused: it is looked at whether any other may pass."""
        for pending in self._pending.values():
            pending.add(account_id)

    def stopped(self, accounts: Iterable[str]) -> None:
        """These are all the accounts that people suspended or terminated."""
        before, self._stopped = self._stopped, frozenset(accounts)
        for pending in self._pending.values():
            pending |= before ^ self._stopped

    def news(self, switch: str, at: float, modes: Modes) -> list[Action]:
        """What is to be written for accounts of which something was heard since the last round."""
        return self._look(switch, at, modes, set()) if self._pending.get(switch) else []

    def round(self, switch: str, at: float, modes: Modes) -> list[Action]:
        """The same, and what has changed for closed accounts: a cycle that began, a mode that ended."""
        return self._look(switch, at, modes, self._stopped | self._closed.get(switch, {}).keys())

    def _look(self, switch: str, at: float, modes: Modes, also: Iterable[str]) -> list[Action]:
        closed = self._closed.get(switch)
        if closed is None:
            return []
        pending, self._pending[switch] = self._pending[switch], set()
        actions: list[Action] = []
        for account in sorted(pending.union(also)):
            order, before = self.shut(account, at, modes, switch), closed.get(account)
            if order is not None and not order.lasts and not _room(before, len(closed), at):
                order = None
            if order is None and before is not None:
                del closed[account]
                actions.append(OpenMessages(account))
            elif order is not None and (before is None or before.order != order):
                closed[account] = _Closed(order, at)
                actions.append(order)
        return actions

    def everything(self, switch: str, at: float, modes: Modes) -> list[Action]:
        """All closed accounts of a switch again; any other is open."""
        self.round(switch, at, modes)
        return sorted((one.order for one in self._closed.get(switch, {}).values()), key=attrgetter("account"))

    def shut(self, account_id: str, at: float, modes: Modes, switch: str) -> CloseMessages | None:
        """The order to close the account, where none of its messages may pass just now."""
        if self._account(account_id).standing is not Standing.ACTIVE:
            ceiling = modes.ceiling(at)
            blocks = ceiling is None or ceiling.mode is Mode.BLOCK
            return CloseMessages(account_id, lasts=True) if blocks else None
        if any(self._used_up(seat, account_id, at, modes, switch) for seat in self._seats(account_id, at)):
            return CloseMessages(account_id)
        return None

    def _used_up(self, seat: Seat, account_id: str, at: float, modes: Modes, switch: str) -> bool:
        rule = seat.rule
        if not rule.about >= _ALL or not rule.exhausted(seat, at):
            return False
        if rule.spec.notice is not None and words_of_gate(seat.gate, at):
            return False
        return modes.resolve(account_id, rule.spec.id, switch, at).mode is Mode.BLOCK


def _room(before: _Closed | None, closed: int, at: float) -> bool:
    """Whether an account that used up its messages may be closed, or stay so."""
    if before is None or before.order.lasts:
        return closed < MOST_CLOSED
    return at - before.at < CLOSED_FOR
