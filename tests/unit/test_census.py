"""How many channels began unheard, by the numbers that the switch gives them."""

from __future__ import annotations

import pytest

from enforcer.switch.census import LATELY, Census, serial_of


def heard(*numbers: int) -> Census:
    census = Census()
    for number in numbers:
        census.saw(f"pbx-1.{number}")
    census.lost()
    return census


@pytest.mark.parametrize(
    ("before", "listed", "after", "unseen"),
    [
        ((1, 2, 3), (), 4, 0),              # nothing began
        ((1, 2, 3), (), 9, 5),
        ((1, 2, 3), (5, 6), 9, 3),          # two are in progress: they are counted already
        ((1, 2, 3), (2,), 9, 5),            # of before
        ((1, 3), (), 4, 1),                 # one before the loss was told too late
        ((1, 3, 2), (), 4, 0),              # or in another order
        ((7,), (), 8, 0),                   # what began before us is none of ours
    ],
)
def test_channels_between_the_last_before_and_the_first_after(before, listed, after, unseen) -> None:
    census = heard(*before)
    assert census.level(f"pbx-1.{n}" for n in listed) is None
    assert census.saw(f"pbx-2.{after}") == unseen
    assert census.saw(f"pbx-2.{after + 5}") is None         # it is told once


def test_channel_that_began_while_we_connected_tells_at_once() -> None:
    census = heard(1, 2)
    assert census.saw("pbx-2.6") is None
    assert census.level(["pbx-2.6", "pbx-2.4"]) == 2


def test_two_losses_without_a_channel_between_are_counted_together() -> None:
    census = heard(1, 2)
    census.level(())
    census.lost()
    census.level(())
    assert census.saw("pbx-3.5") == 2


def test_restarted_switch_numbers_anew_and_nobody_knows() -> None:
    census = heard(100, 101)
    census.forget()
    assert census.level(()) is None
    assert census.saw("pbx-9.0") is None
    census.lost()
    census.level(())
    assert census.saw("pbx-9.4") == 3


def test_count_goes_on_from_what_an_enforcer_before_us_heard() -> None:
    census = Census()
    census.remember(40)
    census.lost()
    census.level(())
    assert census.saw("pbx-3.43") == 2


def test_first_run_of_all_has_nothing_to_count_from() -> None:
    census = Census()
    census.lost()
    assert census.level(("pbx-1.7",)) is None
    assert census.saw("pbx-1.9") is None


def test_memory_is_bounded() -> None:
    census = heard(*range(10_000))
    assert len(census._seen) <= 2 * LATELY


@pytest.mark.parametrize("text", ["", "none", "pbx-1.", "pbx-1.x", "1.99999999999999999", "a.-1"])
def test_what_is_no_uniqueid_has_no_number(text: str) -> None:
    assert serial_of(text) is None
