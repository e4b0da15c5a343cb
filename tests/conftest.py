"""Fixtures that every room may use: the provisioned lab, and a real Asterisk with a far end."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Generator, Iterator, Mapping

import pytest
import structlog
import typer.testing
from hypothesis import HealthCheck, settings

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import thaw
from lab.provision import Provisioned
from lab.sipp import Callee
from tests.support.parts import provided
from tests.support.standing import standing

NO_SKIP = os.environ.get("ENFORCER_NO_SKIP") == "1"
"""Set by .ci/run: what would be skipped elsewhere fails there."""

ROOMS = {name: place for place, name in enumerate(("integration", "properties", "contract", "unit"))}

# Typer builds all its commands anew for each that is invoked: three quarters of what a command costs here.
typer.testing._get_command = functools.cache(typer.main.get_command)

# How fast examples are drawn depends on what else the machine does, and says nothing about the code.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """How lines are logged belongs to the process: a test that says how does not say so for the next."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def lab_parts() -> Mapping[str, Provisioned]:
    """Asterisk and SIPp, unpacked; the test is skipped where they can't be had (and fails in CI)."""
    return provided("asterisk", "sipp")


@pytest.fixture(scope="module")
def asterisk(lab_parts: Mapping[str, Provisioned]) -> Iterator[Asterisk]:
    """A real Asterisk with the enforcer's hook in its dialplan; one a test module."""
    yield from standing(Asterisk(lab_parts["asterisk"]))


@pytest.fixture(scope="module")
def carrier(asterisk: Asterisk, lab_parts: Mapping[str, Provisioned]) -> Iterator[Callee]:
    """The trunk's far end of `asterisk`, which keeps every message."""
    yield from standing(Callee(lab_parts["sipp"], asterisk.carrier_port, messages=True))


@pytest.fixture(scope="module")
def phones(asterisk: Asterisk, lab_parts: Mapping[str, Provisioned]) -> Iterator[Callee]:
    """The phones of all accounts of `asterisk`, where inbound calls ring."""
    yield from standing(Callee(lab_parts["sipp"], asterisk.phones_port, messages=True))


@pytest.fixture
async def running(enforcer: Enforcer) -> AsyncIterator[Enforcer]:
    """The enforcer of a module that has one, and whatever a test did to it undone."""
    yield enforcer
    try:
        thaw(enforcer.pid)
    except Exception:   # it was stopped or killed
        await enforcer.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the lab carries its marker, so that `-m "not asterisk"` leaves them all out.

    Where several workers share the suite (`make test`), each takes a file as a whole, in this order: slow
    rooms come first, so that no worker is left with one when the rest is done.
    """
    for item in items:
        if "lab_parts" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asterisk)
    items.sort(key=lambda item: ROOMS.get(item.path.parent.name, len(ROOMS)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nothing may skip, a skip is a failure that says what was missing."""
    report = yield
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"nothing may skip here: {reason}"
    return report
