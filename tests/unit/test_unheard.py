"""Calls that were asked about, and that no event has told of."""

from __future__ import annotations

from enforcer.domain.call import CallAttempt, Direction
from enforcer.switch import unheard
from enforcer.switch.unheard import Unheard


def attempt(number: int) -> CallAttempt:
    return CallAttempt(f"fs1/{number}", "fs1", "acme", Direction.OUTBOUND, "1202", "", 1.0, f"{number}")


def test_what_no_event_told_of_is_handed_out_once() -> None:
    calls = Unheard()
    calls.asked(attempt(1))
    calls.asked(attempt(2))
    calls.heard("fs1/1")
    assert list(calls.take()) == [attempt(2)]
    assert list(calls.take()) == []


def test_what_is_two_beats_old_was_heard_or_is_over() -> None:
    calls = Unheard()
    calls.asked(attempt(1))
    calls.beat()
    calls.asked(attempt(2))
    assert list(calls.take()) == [attempt(1), attempt(2)]
    calls.asked(attempt(3))
    calls.beat()
    calls.beat()
    assert list(calls.take()) == []


def test_the_oldest_are_forgotten_where_they_are_too_many() -> None:
    calls = Unheard()
    for number in range(unheard.MOST + 3):
        calls.asked(attempt(number))
    assert len(list(calls.take())) == unheard.MOST
