"""A link goes by a clock that nobody sets: its own being set moves nothing that it writes for the switch."""

from __future__ import annotations

from typing import Any, cast

import pytest

from enforcer.links import link_to
from enforcer.settings_switch import SwitchSettings

NOW = 1_800_000_000.0


@pytest.mark.parametrize("kind", ["asterisk", "freeswitch"])
@pytest.mark.parametrize("jump", [-86_400.0, -3600.0, 3600.0, 400 * 86_400.0])
def test_wall_clock_that_is_set_moves_no_time_of_the_switch_and_is_seen(kind: str, jump: float) -> None:
    moment = {"wall": NOW, "steady": 7.0}
    told = {"name": "pbx1", "kind": kind, "secret_env": "NONE", "outbound_contexts": ["users"]}
    switch, nobody = SwitchSettings.model_validate(told), cast(Any, None)
    link = cast(Any, link_to(switch, "secret", nobody, lambda: moment["wall"], lambda: moment["steady"]))
    assert (link.now(), link.state().clock_offset) == (NOW, 0.0)
    moment = {"wall": NOW + jump, "steady": 8.0}
    assert link.now() == NOW + 1
    assert link.state().clock_offset == 1 - jump        # ours is no longer the switch's
