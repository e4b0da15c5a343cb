"""Where each account's rules sit: seated once a cycle, not once a call.

In: accounts that call. Out: the seats of their rules, with the tallies of today.
Refuses to know: what tallies count, and when a cycle closes; it asks the books.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from enforcer.domain.account import Account
from enforcer.domain.load import Loads
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.policy import Policy
from enforcer.domain.registers import Registers
from enforcer.domain.rules import Rule
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.rules.seat import File, Seat
from enforcer.domain.usage import Rolling, Tally
from enforcer.ledger.strangers import Strangers

# Desks kept: about 1.3 KB each, most of it what pacers remember. An account whose desk made room and
# whose pacers were idle is seated anew at its next question, which costs some 10 us. Where pacers were not
# idle desks stay for a while, up to twice as many in all.
MOST_DESKS = 50_000
LATELY = 60.0       # seconds for which a pacer that let a call through is not forgotten


class Source(Protocol):
    """The books, as far as seating needs them."""

    policy: Policy
    registers: Registers
    loads: Loads
    strangers: Strangers

    def account(self, account_id: str) -> Account:
        """The registered account, or one made up."""

    def tally(self, rule: Rule, account: Account, at: float) -> tuple[Tally, float]:
        """The tally that a rule reads, and when its cycle closes."""


class Desk:
    """The seats that an account's rules take, valid until one of its cycles closes; what rolls on; and the
    pacers of its rules, where its seats are gone."""

    __slots__ = ("_kept", "rolling", "seats", "until")

    def __init__(
        self, seats: tuple[Seat, ...], until: float, rolling: tuple[tuple[Rolling, Measure], ...]
    ) -> None:
        self.seats = seats
        self.until = until
        self.rolling = rolling
        self._kept: tuple[tuple[str, Pacer], ...] = ()

    @property
    def pacers(self) -> tuple[tuple[str, Pacer], ...]:
        """What lets calls through, each with the id of its rule."""
        there = tuple((seat.rule.spec.id, seat.pacer) for seat in self.seats if seat.pacer is not None)
        return there or self._kept

    def clear(self) -> None:
        """Its books are gone: what they counted is held here no longer, what pacers let through still is."""
        self._kept = self.pacers
        self.seats, self.rolling, self.until = (), (), float("-inf")


class Desks:
    """All desks. `canonical` gives a number as E.164, `clock` Unix seconds."""

    def __init__(
        self, source: Source, canonical: Callable[[str], str], clock: Callable[[], float]
    ) -> None:
        self._source = source
        self._canonical = canonical
        self._clock = clock
        self._desks: OrderedDict[str, Desk] = OrderedDict()

    def seats(self, account_id: str, at: float) -> Sequence[Seat]:
        """The rules about an account with their tallies in the cycle that holds `at`."""
        self._source.strangers.heard(account_id)
        desk = self._desks.get(account_id)
        if desk is None or at >= desk.until:
            desk = self._seat(account_id, at, desk)
        for tally, measure in desk.rolling:
            tally.move(at, measure)
        return desk.seats

    def unseat(self) -> None:
        """Every account is seated anew at its next question."""
        for desk in self._desks.values():
            desk.until = float("-inf")

    def clear(self) -> None:
        """All books are gone: every account is seated anew at its next question."""
        for desk in self._desks.values():
            desk.clear()

    def clear_one(self, account_id: str) -> None:
        """The books of an account are gone: it is seated anew at its next question."""
        desk = self._desks.get(account_id)
        if desk is not None and self._used_lately(desk):
            desk.clear()
        elif desk is not None:
            del self._desks[account_id]

    def _seat(self, account_id: str, at: float, old: Desk | None) -> Desk:
        source = self._source
        account = source.account(account_id)
        pacers = dict(old.pacers) if old else {}
        file = File(account, source.registers, source.loads, self._canonical)
        until = float("inf")

        def seated(rule: Rule, pacer: Pacer | None = None, also: tuple[Seat, ...] = ()) -> Seat:
            nonlocal until
            tally, closes = source.tally(rule, account, at)
            until = min(until, closes)
            spec, gate = rule.spec, None
            if spec.notice is not None:
                whose = account_id if spec.measure.scope is Scope.ACCOUNT else ""
                gate = source.registers.notices.gate(spec.id, account.customer, whose)
            return Seat(rule, tally, pacer, gate, also, file)

        seats = []
        for rule in source.policy.about(account):
            pacer = pacers.get(rule.spec.id)
            if pacer is not None and pacer.pace != rule.spec.pace:
                pacer = None
            seats.append(seated(rule, pacer, tuple(seated(signal) for signal in rule.spec.also)))
        desk = self._desks[account_id] = Desk(tuple(seats), until, _rolling(seats))
        self._make_room()
        return desk

    def _make_room(self) -> None:
        for _ in range(2):      # two for one: those that must stay do not add up
            if len(self._desks) <= MOST_DESKS:
                break
            longest_here, oldest = self._desks.popitem(last=False)
            if self._used_lately(oldest) and len(self._desks) < 2 * MOST_DESKS:
                self._desks[longest_here] = oldest

    def _used_lately(self, desk: Desk) -> bool:
        """Whether a call went on just now, or will: a pacer must not forget it."""
        lately = self._clock() - LATELY
        return any(pacer.used(lately) for _, pacer in desk.pacers)


def _rolling(seats: Sequence[Seat]) -> tuple[tuple[Rolling, Measure], ...]:
    """The windows that have to be moved on before these seats are looked at, each once."""
    found = {
        id(one.tally): (one.tally, one.rule.spec.measure)
        for seat in seats for one in (seat, *seat.also) if isinstance(one.tally, Rolling)
    }
    return tuple(found.values())
