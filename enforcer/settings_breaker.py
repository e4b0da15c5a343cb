"""The breaker and the time after an emergency call: the tables `[breaker]` and `[emergency]`.

In: their TOML tables. Out: a `Band`, and the terms of the window after an emergency call.
Refuses to know: what is measured, and what follows.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, model_validator

from enforcer.domain.band import Band
from enforcer.settings_fields import Name, Span
from enforcer.toml_models import Table, Wrong


def _exact(value: Any) -> Any:
    """TOML numbers come as int or Decimal; True is neither."""
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


SHORTEST, LONGEST = 300, 86_400     # s; of the window, if there is one
Share = Annotated[Decimal, BeforeValidator(_exact), Field(strict=True, gt=0, le=1)]
Times = Annotated[Decimal, BeforeValidator(_exact), Field(strict=True, ge=1, le=1000)]
Sample = Annotated[StrictInt, Field(ge=1)]


class BreakerSettings(Table):
    """When so much would be refused that the site's ceiling drops to `monitor` by itself: see `Band`. Shares
    are parts of 1."""

    enabled: StrictBool = True
    calls: Share = Decimal("0.25")
    accounts: Share = Decimal("0.2")
    jump: Times = Decimal(5)
    least_share: Share = Decimal("0.05")
    least_calls: Sample = 50
    least_accounts: Sample = 5

    @property
    def band(self) -> Band:
        """The same as the breaker takes it."""
        return Band(
            Fraction(self.calls), Fraction(self.accounts), Fraction(self.jump), Fraction(self.least_share),
            self.least_calls, self.least_accounts,
        )


class EmergencySettings(Table):
    """For how long after an emergency call whoever calls that account is exempt, and so are its calls back to
    them. After a call to one of `tests` nobody is: nobody calls back."""

    window: Span = 3600
    tests: tuple[Name, ...] = ("933",)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if 0 < self.window < SHORTEST or self.window > LONGEST:
            raise Wrong(f"must be {SHORTEST} to {LONGEST} seconds, in which somebody may call back; or 0, "
                        "and no call back is exempt", "window")
        for index, number in enumerate(self.tests):
            if not re.fullmatch("[0-9*#]{1,32}", number, re.ASCII):
                raise Wrong(f"{number!r} is no number as it is dialled", f"tests.{index}")
        return self
