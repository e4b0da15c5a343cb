"""What becomes of billing cycles that close: the table `[settle]` of the configuration.

In: its TOML table. Out: `SettleSettings`. Refuses to know: how a cycle is settled.
"""

from __future__ import annotations

from pydantic import StrictBool

from enforcer.settings_fields import Span
from enforcer.toml_models import Table


class SettleSettings(Table):
    """What becomes of a billing cycle that closed, `after` so long: CDRs that come late have come by then.
    Strikes are entered; with `auto`, charges are written as well, else they wait for `enforcer settle`."""

    after: Span = 86_400
    auto: StrictBool = False
