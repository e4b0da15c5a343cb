"""Spans, instants and text from elsewhere, as people read them."""

from __future__ import annotations

import pytest

from enforcer.control.words import cycle_words, iso, local, shown, span_of
from enforcer.domain.cycle import BillingCycle
from enforcer.errors import BadInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("45m", 2700),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1d12h", 129_600),
        ("2w", 1_209_600),
        ("2H", 7200),
    ],
)
def test_a_span_is_a_number_and_its_unit(text: str, seconds: float) -> None:
    assert span_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "2y", "1.5h", "0s", "2h later", "99999w"])
def test_a_span_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"--for: .* is no span of time"):
        span_of(text)


def test_edges_of_a_cycle_are_in_local_time_over_a_change_of_the_clock() -> None:
    cycle = BillingCycle(1, "Europe/Berlin").named("2026-10")
    assert cycle_words(cycle, "Europe/Berlin") == (
        "cycle 2026-10, 2026-10-01 00:00:00 CEST to 2026-11-01 00:00:00 CET"
    )


def test_an_instant_for_programs_carries_its_offset() -> None:
    assert iso(1795309510.5, "America/New_York") == "2026-11-21T20:05:10.500-05:00"
    assert local(1795309510.5, "America/New_York") == "2026-11-21 20:05:10 EST"


def test_what_a_terminal_would_obey_is_spelt_out() -> None:
    assert shown("Jürgen [bold]") == "Jürgen [bold]"
    assert shown("\x1b[2Jgone\n") == "\\x1b[2Jgone\\x0a"
