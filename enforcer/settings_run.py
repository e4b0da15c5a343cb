"""How the enforcer runs beside its switch: the table `[run]` of the configuration.

In: its TOML table. Out: `RunSettings`. Refuses to know: processes.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from enforcer.toml_models import Table


class RunSettings(Table):
    """`nice`: how far it gives way to others on the same processors, 0 not at all, 19 entirely. An enforcer
    that loops must not take the processor from the switch that callers wait for."""

    nice: Annotated[StrictInt, Field(ge=0, le=19)] = 5
