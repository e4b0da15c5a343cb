"""What people order at a door of a running enforcer, carried out: each order is what one command line does.

In: an order, the office that has what orders need, the time. Out: one line that says what was done, or
BadInput and nothing done.
Refuses to know: by which door an order came, how it was written down, and whether it was given before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from enforcer.control import opt_outs, strikes
from enforcer.control.acknowledging import acknowledge
from enforcer.control.commands import Command, Known, SetMode, act, registered
from enforcer.control.standing import announce
from enforcer.control.subjects import Subjects, instant
from enforcer.control.words import local
from enforcer.domain.account import Standing
from enforcer.domain.band import before, tripped
from enforcer.domain.mode import Modes
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.notices.text import Stationery


@dataclass(frozen=True, slots=True)
class Announce:
    """Suspend or terminate an account so many seconds after its customer was told."""

    account: str
    standing: Standing
    after: float
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class OptOutOrder:
    """About one person, and an account, or all of a customer's."""

    number: str
    account: str = ""
    customer: str = ""
    who: str = ""
    why: str = ""


class AddOptOut(OptOutOrder):
    """They do not want to hear from it."""

    __slots__ = ()


class RemoveOptOut(OptOutOrder):
    """They changed their mind."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AddStrike:
    """A violation that people found. `when` is a date or a date and time, "" now; `name` is the strike's id
    where whoever enters it may do so twice."""

    kind: str
    account: str = ""
    customer: str = ""
    when: str = ""
    who: str = ""
    why: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class WithdrawStrike:
    """A strike counts no more."""

    strike: str
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody knows of a notice."""

    notice: str
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rearm:
    """Lift the ceiling that the breaker lowered: verdicts go as far as people had let them."""

    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the policy packs again, all or nothing."""

    who: str = ""


Order = (
    Command | Announce | AddOptOut | RemoveOptOut | AddStrike | WithdrawStrike | Acknowledge | Rearm | Reload
)


@dataclass(frozen=True, slots=True)
class Office:
    """What orders need. `reload` reads the packs again and says what is wrong with them, "" nothing."""

    ledger: Ledger
    plan: NumberPlan
    policy: Callable[[], Policy]
    switches: tuple[str, ...]
    stationery: Stationery
    reload: Callable[[], str]

    @property
    def known(self) -> Known:
        """What commands may speak of."""
        return Known(tuple(rule.spec.id for rule in self.policy().rules), self.switches)


def carry_out(order: Order, office: Office, at: float) -> str:
    """Do it at `at` (Unix seconds). Durable when it returns. Raises BadInput, LedgerError."""
    ledger = office.ledger
    match order:
        case Announce(account, standing, after, who, why):
            found = registered(ledger, account)
            return announce(ledger, office.stationery, found, standing, after, who, why, at)
        case OptOutOrder(number, account, customer, who, why):
            added = isinstance(order, AddOptOut)
            whose = Subjects(ledger).find(account, customer, "optout.add" if added else "optout.remove")
            step = opt_outs.add if added else opt_outs.remove
            return step(ledger, office.plan, number, whose, at, who, why)
        case AddStrike():
            return _strike(order, office, at)
        case WithdrawStrike(strike, who, why):
            if not why.strip():
                raise BadInput("reason", "say why it counts no more")
            gone = strikes.withdraw(ledger, strike, at, who, why)
            return f"strike {gone.id} ({gone.kind}, customer {gone.customer}) is withdrawn"
        case Acknowledge(notice, who, why):
            return acknowledge(ledger, notice, at, who, why)
        case Rearm(who, why):
            return rearm(ledger, who, why, at)
        case Reload():
            problem = office.reload()
            if problem:
                raise BadInput("", f"{problem}; {office.policy().label} stays in force")
            return f"in force: {office.policy().label}"
        case _:
            return act(order, ledger, office.known, at)


def rearm(ledger: Ledger, who: str, why: str, at: float) -> str:
    """Put the ceiling back where people had left it. Raises BadInput where the breaker has not tripped."""
    if not why.strip():
        raise BadInput("reason", "is missing: say what was wrong, or why it was meant")
    modes = ledger.modes()
    if tripped(Modes(modes), at) is None:
        raise BadInput("", "the breaker has not tripped: there is nothing to re-arm (see `enforcer breaker`)")
    done = act(SetMode(before(modes, at), ceiling=True, who=who, why=why), ledger, Known(), at)
    return f"re-armed; {done}"


def _strike(order: AddStrike, office: Office, at: float) -> str:
    whose = Subjects(office.ledger).find(order.account, order.customer, "strike.add")
    when = instant(order.when, whose.timezone, "at", at) if order.when else at
    strike = strikes.add(office.ledger, whose, order.kind, when, at, order.who, order.why, order.name)
    said = f"strike {strike.id}: {whose.words}, {strike.kind}, {local(when, whose.timezone)}"
    warning = strikes.unheard(office.policy(), strike.kind)
    return f"{said}; {warning}" if warning else said
