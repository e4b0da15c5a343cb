"""The site that a configuration describes: its policy, its number plan, its ledger.

In: the path of a configuration. Out: the parts a command needs, each made when first asked for, so
that a broken policy pack keeps nobody from pulling the site ceiling down.
Refuses to know: commands and switches.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from enforcer import packs, settings
from enforcer.control.commands import Known
from enforcer.domain.mode import Modes
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.ledger.port import Ledger
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.wire.answer import SIP_CODES


class Site:
    """See the module. Raises BadInput where the configuration cannot be used."""

    def __init__(self, config: Path) -> None:
        self.settings = settings.load(config)

    @cached_property
    def policy(self) -> Policy:
        """The policy of all packs. Raises BadInput."""
        return packs.load(self.settings.pack_paths, SIP_CODES)

    @cached_property
    def plan(self) -> NumberPlan:
        """The number plan."""
        return self.settings.numbers.plan()

    @property
    def known(self) -> Known:
        """What commands may speak of. Raises BadInput where a pack is broken."""
        return Known(
            tuple(rule.spec.id for rule in self.policy.rules),
            tuple(switch.name for switch in self.settings.switches),
        )

    @contextmanager
    def ledger(self, policy: Policy | None = None) -> Iterator[Ledger]:
        """The ledger, closed afterwards; with a policy its counters are ready. Raises LedgerError."""
        ledger = SqliteLedger(
            self.settings.ledger_path, self.plan.classify, time.time, canonical=self.plan.canonical,
        )
        try:
            if policy is not None:
                ledger.use(policy)
            yield ledger
        finally:
            ledger.close()

    def modes(self, ledger: Ledger) -> Modes:
        """The settings of modes in force."""
        return Modes(ledger.modes(), self.settings.policy.default_mode)
