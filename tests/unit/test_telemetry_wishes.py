"""How long it takes to honour a STOP is measured, and written down."""

from __future__ import annotations

import pytest
import structlog.testing
from prometheus_client import CollectorRegistry

from enforcer.telemetry import Telemetry


@pytest.mark.parametrize(("seconds", "within", "beyond"), [(0.004, "0.005", None), (0.6, "1.0", "0.5")])
def test_time_until_a_wish_is_in_force_is_counted_in_its_bucket(
    seconds: float, within: str, beyond: str | None
) -> None:
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    with structlog.testing.capture_logs() as lines:
        telemetry.wish("stop", seconds, "acme-co", "acme")
    name = "enforcer_wish_honoured_seconds"
    assert registry.get_sample_value(f"{name}_sum", {"wish": "stop"}) == seconds
    assert registry.get_sample_value(f"{name}_bucket", {"wish": "stop", "le": within}) == 1
    if beyond is not None:
        assert registry.get_sample_value(f"{name}_bucket", {"wish": "stop", "le": beyond}) == 0
    [line] = lines
    assert (line["event"], line["account"], line["honoured_in"]) == ("heard", "acme", seconds)
