"""The site that a configuration describes: its policy, its number plan, its ledger.

In: the path of a configuration. Out: the parts a command needs, each made (and what makes it, imported) when
first asked for, so that neither a broken policy pack nor a large one keeps anybody from pulling the site
ceiling down.
Refuses to know: commands and switches.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from enforcer import settings
from enforcer.control.commands import Known
from enforcer.control.knock import knock
from enforcer.domain.mode import Modes
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.ledger.port import Ledger
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.ledger.store import holder

if TYPE_CHECKING:
    from enforcer.history import Revisions


class Site:
    """See the module. Raises BadInput where the configuration cannot be used."""

    def __init__(self, config: Path) -> None:
        self.settings = settings.load(config)

    @cached_property
    def policy(self) -> Policy:
        """The policy of all packs. Raises BadInput."""
        from enforcer import packs
        from enforcer.wire.answer import SIP_CODES

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
        """The ledger, closed afterwards; with a policy its counters are ready. An enforcer that runs on it is
        told of what is written at once. Raises LedgerError."""
        ledger = SqliteLedger(
            self.settings.ledger_path, self.plan.classify, time.time,
            canonical=self.plan.canonical, channels=self.settings.channels,
        )
        ledger.on_written.append(partial(knock, self.settings.ledger_path))
        try:
            if policy is not None:
                ledger.use(policy)
            yield ledger
        finally:
            ledger.close()

    def unchanged(self) -> None:
        """Compare the packs with what is on record; a ledger that is not there yet has nothing to say. Raises
        BadInput for a pack that changed under its old label, LedgerError."""
        from enforcer import history

        if self.settings.ledger_path.exists():
            with self.ledger() as ledger:
                history.news(ledger, self.policy, time.time(), self.settings.pack_paths)

    def revisions(self, ledger: Ledger, at: float, *, compare: bool = True) -> Revisions:
        """The policy of every moment. Where no enforcer runs on the ledger, what the configuration names now
        comes into force by this. Without `compare` the packs are not looked at where one runs. Raises
        BadInput for a pack that is wrong, or changed under its old label, LedgerError."""
        from enforcer import history

        found = history.revisions(ledger)
        loaded = bool(holder(self.settings.ledger_path) and found.current)
        if loaded and not compare:
            return found
        entries = history.news(ledger, self.policy, at, self.settings.pack_paths)
        if not loaded:
            entries += history.unrecorded(ledger, at)
            if entries:
                ledger.put(entries)
                found = history.revisions(ledger)
        return found

    def modes(self, ledger: Ledger) -> Modes:
        """The settings of modes in force."""
        return Modes(ledger.modes(), self.settings.policy.default_mode)
