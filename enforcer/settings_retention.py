"""How long a ledger keeps what: the table `[retention]` of the configuration.

In: its TOML table. Out: `RetentionSettings`. Refuses to know: how anything is removed.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from enforcer.domain.retention import Terms
from enforcer.settings_fields import Span
from enforcer.toml_models import Table, Wrong

DAY = 86_400
FEWEST_DECISIONS = DAY
FEWEST_CALLS = 35 * DAY         # longer than any billing cycle


class RetentionSettings(Table):
    """How long decisions and calls are kept at the least; 0 for ever. Calls that a window or a cycle that
    is not settled needs are kept longer, and everything of those who are held (`enforcer hold`). What else is
    on record is kept for good: accounts, charges, notices, strikes, opt-outs, modes, policies."""

    decisions: Span = 90 * DAY
    calls: Span = 400 * DAY

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if 0 < self.decisions < FEWEST_DECISIONS:
            raise Wrong('must be "1d" at least, or 0 for ever', "decisions")
        if 0 < self.calls < FEWEST_CALLS:
            raise Wrong('must be "35d" at least, longer than any billing cycle, or 0 for ever', "calls")
        if self.calls and (not self.decisions or self.decisions > self.calls):
            raise Wrong("must be kept as long as decisions, which are explained by them", "calls")
        return self

    @property
    def terms(self) -> Terms:
        """The same, for whoever prunes."""
        return Terms(self.decisions, self.calls)
