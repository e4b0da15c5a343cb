"""What a recorded dialogue says of its calls, and what the trace of the wire beside it says.

In: facts in order, `NAME.facts.toml`. Out: one table a call, in the order in which they began.
Refuses to know: which switch was recorded.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from enforcer.domain.call import CallEvent, Phase, Refusal

# A fact's time is the switch's, the expected one is the wire's. The largest gap in the recordings of Asterisk
# is 10 ms; FreeSWITCH's clock ticks every 20 ms.
TOLERANCE = 0.03        # seconds
TOLD = frozenset(set(Refusal) - {Refusal.NONE})


def joined(
    told: Iterable[object], *, refusals: Collection[Refusal] = TOLD, legs: bool = False
) -> list[dict[str, Any]]:
    """The events of each call in one table; `refusals` are those that are shown, `legs`: how many were
    dialled."""
    calls: dict[str, dict[str, Any]] = {}
    for event in told:
        if not isinstance(event, CallEvent):
            continue
        attempt = event.attempt
        call = calls.setdefault(attempt.call_id, {"phases": []})
        call["phases"].append(event.phase)
        call |= {
            "number": attempt.number, "account": attempt.account, "direction": attempt.direction.value,
            "caller": attempt.caller, "route": attempt.route, "started": attempt.at,
        }  # fmt: skip
        if event.phase is Phase.ANSWERED:
            call["answered"] = event.at
        if event.phase is Phase.ENDED:
            call |= {"ended": event.at, "cause": event.hangup_cause}
            call |= {"legs": len(event.legs.split())} if legs else {}
            call |= {"sip_code": event.sip_code} if event.sip_code else {}
            call |= {"refusal": event.refusal.value} if event.refusal in refusals else {}
    return sorted(calls.values(), key=lambda call: call["started"])


def expected(directory: Path, name: str) -> list[dict[str, Any]]:
    """What took place on the wire, its times as near as they have to be."""
    with (directory / f"{name}.facts.toml").open("rb") as file:
        calls = tomllib.load(file)["call"]
    return [
        {
            key: pytest.approx(value, rel=0, abs=TOLERANCE) if isinstance(value, float) else value
            for key, value in call.items()
        }
        for call in calls
    ]
