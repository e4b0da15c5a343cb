"""One rule at one account: everything that the rule may look at.

In: what the ledger keeps for an account. Out: seats. Refuses to know: how any of it came about.
"""

from __future__ import annotations

from collections.abc import Callable

from enforcer.domain.account import Account
from enforcer.domain.load import Loads
from enforcer.domain.notice import Gate
from enforcer.domain.registers import Registers
from enforcer.domain.rules.base import Rule
from enforcer.domain.rules.cps import CallsPerSecond
from enforcer.domain.rules.pace import Pacer
from enforcer.domain.usage import Tally


class File:
    """What is on file about an account besides its calls. `canonical` gives a number as E.164."""

    __slots__ = ("account", "canonical", "loads", "registers")

    def __init__(
        self, account: Account, registers: Registers, loads: Loads, canonical: Callable[[str], str]
    ) -> None:
        self.account = account
        self.registers = registers
        self.loads = loads
        self.canonical = canonical


class Seat:
    """One rule at one account: the tally it reads, the pacer that THROTTLE uses, the gate that a notice has
    to open first, the seats of the signals that have to be there as well, and what is on file."""

    __slots__ = ("also", "file", "gate", "glance", "pacer", "rule", "tally")

    def __init__(
        self, rule: Rule, tally: Tally, pacer: Pacer | None = None, gate: Gate | None = None,
        also: tuple[Seat, ...] = (), file: File | None = None,
    ) -> None:
        self.rule = rule
        self.glance = rule.glance
        self.tally = tally
        self.pacer = Pacer(rule.spec.pace) if pacer is None and isinstance(rule, CallsPerSecond) else pacer
        self.gate = gate
        self.also = also
        self.file = file

    def pacing(self) -> Pacer:
        """The pacer, made when first needed."""
        if self.pacer is None:
            self.pacer = Pacer(self.rule.spec.pace)
        return self.pacer

    def on_file(self) -> File:
        """What is on file about the account. Rules that need it are never seated without."""
        assert self.file is not None
        return self.file
