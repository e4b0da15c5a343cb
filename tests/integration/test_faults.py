"""One row of the fault matrix, cut short; `make faults` runs them all."""

from __future__ import annotations

from collections.abc import Mapping

from lab.provision import Provisioned
from tests.faults.faults import Frozen
from tests.faults.matrix import PHASES, run


class FrozenForAMoment(Frozen):
    """Thawed before its heartbeat is stale."""

    seconds = 2.5


async def test_while_the_enforcer_is_frozen_every_call_goes_as_its_policy_says(
    lab_parts: Mapping[str, Provisioned],
) -> None:
    row = await run(FrozenForAMoment, lab_parts)
    if row.missed or row.late:      # others have the machine too: a moment too early or late, no CPU free
        row = await run(FrozenForAMoment, lab_parts)
    assert row.problems == []
    assert row.emergency_passed == row.emergency_placed > 0
    assert row.counters_agree
    assert all(cell.placed for phase in PHASES for cell in row.cells[phase].values())
