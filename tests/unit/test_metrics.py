"""Metrics: what is counted is right, the labels are few, and Prometheus' own linter has nothing to say."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as TheirHistogram

from enforcer import app
from enforcer.buckets import SHORT, Histogram
from enforcer.domain.call import CallAttempt, Direction
from tests.support.house import House, one_rule
from tests.support.parts import provided
from tests.support.running import built

NOW = 1_795_309_510.0
MANY = int(os.environ.get("ENFORCER_MANY_ACCOUNTS", "5000"))
PACK = one_rule()
SWITCHES = """
[[switch]]
name = "pbx1"
secret_env = "TEST_AMI_SECRET"
[[switch]]
name = "fs1"
kind = "freeswitch"
secret_env = "TEST_AMI_SECRET"
[mqtt]
url = "mqtt://127.0.0.1:1"
"""


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[app.House]:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    site = House(tmp_path, PACK, SWITCHES)
    with built(site.config, lambda: NOW) as found:
        yield found


def attempt(number: int, account: str, switch: str = "pbx1") -> CallAttempt:
    return CallAttempt(
        call_id=f"{switch}/{number}", account=account, number="2125550123", caller="", at=NOW,
        direction=Direction.OUTBOUND, switch=switch,
    )


def page(house: app.House) -> str:
    house.readings.take(NOW)
    return generate_latest(house.telemetry.registry).decode()


def series(text: str) -> set[str]:
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


def sample(house: app.House, name: str, **labels: str) -> float | None:
    return house.telemetry.registry.get_sample_value(name, labels)


async def test_any_number_of_accounts_adds_no_series(house: app.House) -> None:
    for number, switch in enumerate(("pbx1", "fs1") * 2):       # each verdict once, and each switch
        house.admission.admit(attempt(number, "first", switch))
    before = series(page(house))
    assert len(before) > 100
    for number in range(MANY):
        house.admission.admit(attempt(10 + number, f"account-{number}"))
    assert series(page(house)) == before


@given(st.lists(st.floats(0, 2) | st.sampled_from(SHORT), max_size=50))
def test_our_buckets_say_what_prometheus_own_would(seconds: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    buckets = Histogram("took_seconds", "x", ["switch"], ours).of("pbx1")
    yardstick = TheirHistogram("took_seconds", "x", ["switch"], registry=theirs, buckets=SHORT).labels("pbx1")
    for one in seconds:
        buckets.add(one)
        yardstick.observe(one)

    def told(registry: CollectorRegistry) -> list[str]:
        lines = generate_latest(registry).decode().splitlines()
        return [line for line in lines if not line.startswith("#") and "_created" not in line]

    assert told(ours) == told(theirs)


def test_buckets_have_a_value_for_each_label() -> None:
    with pytest.raises(ValueError, match="switch"):
        Histogram("took_seconds", "x", ["switch"], CollectorRegistry()).of("a", "b")


async def test_each_decision_is_timed_by_its_switch(house: app.House) -> None:
    for number in range(3):
        house.admission.admit(attempt(number, "acme"))
    house.admission.admit(attempt(9, "acme", "fs1"))
    assert sample(house, "enforcer_decision_seconds_count", switch="pbx1") == 3
    assert sample(house, "enforcer_decision_seconds_count", switch="fs1") == 1
    took = sample(house, "enforcer_decision_seconds_sum", switch="pbx1")
    assert took is not None
    assert 0 < took < 3


async def test_modes_and_queues_are_read_once_a_second_and_not_by_whoever_scrapes(house: app.House) -> None:
    house.readings.take(NOW)
    assert sample(house, "enforcer_mode", mode="monitor") == 1
    house.room.desk.take({"do": "mode.set", "mode": "block"}, "ann", "http")
    assert sample(house, "enforcer_mode", mode="block") == 0
    house.readings.take(NOW)
    assert sample(house, "enforcer_mode", mode="block") == 1
    house.room.desk.take({"do": "mode.ceiling", "mode": "tag"}, "ann", "http")
    with house.room.feed.subscribed() as subscriber:
        house.telemetry.fault("x")
        house.readings.take(NOW)
        assert sample(house, "enforcer_ceiling", mode="tag") == 1
        assert sample(house, "enforcer_mode", mode="tag") == 1      # the ceiling is below the mode
        assert (sample(house, "enforcer_feed_watchers"), sample(house, "enforcer_feed_waiting")) == (1, 1)
        await subscriber.get()


async def test_leases_are_counted_by_switch(house: app.House) -> None:
    house.admission.orders.called("pbx1", "far-away", NOW)
    house.admission.round("pbx1", NOW)
    house.readings.take(NOW)
    held = house.admission.orders.leased("pbx1", "far-away", NOW)
    assert sample(house, "enforcer_leases", switch="pbx1") == float(held)
    assert sample(house, "enforcer_leases", switch="fs1") == 0


@pytest.fixture(scope="session")
def promtool() -> list[str]:
    return provided("prometheus")["prometheus"].command("promtool")


def linted(promtool: list[str], text: str) -> str:
    done = subprocess.run([*promtool, "check", "metrics"], input=text, text=True, capture_output=True)
    return done.stdout + done.stderr + ("" if done.returncode == 0 else "failed")


async def test_prometheus_linter_has_nothing_to_say(house: app.House, promtool: list[str]) -> None:
    for number in range(3):
        house.admission.admit(attempt(number, "acme"))
    assert linted(promtool, page(house)) == ""
