"""Headroom is sound: so many more attempts, however they end, never reach the first level."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.rules import Rule
from enforcer.domain.rules.minutes import LEASED_CALL_MSEC
from enforcer.domain.usage import Tally
from tests.properties.test_decide_ceiling import tallies
from tests.support.rules import NOON, rule

HOUR = LEASED_CALL_MSEC
roomy = st.builds(
    lambda kind, at, share, least: rule(kind, at, None if share is None else at * share, min_attempts=least),
    st.sampled_from(["asr", "attempts", "concurrent_calls"]), st.integers(1, 150).map(Fraction),
    st.sampled_from([None, Fraction(1, 2), Fraction(9, 10)]), st.integers(0, 150),
)
fates = st.lists(st.sampled_from(["ringing", "talking", "completed", "short", "unanswered"]), max_size=60)


def later(tally: Tally, ends: list[str], fate_of_live: str) -> Tally:
    """The tally when so many more attempts came to that, and calls in progress went one way."""
    after = replace(tally)
    if fate_of_live != "live":
        after.ringing = after.talking = after.talking_since = 0
    if fate_of_live == "completed":
        after.completed += tally.ringing + tally.talking
    for end in ends:
        after.attempts += 1
        if end == "talking":
            after.talking += 1
            after.talking_since += int(NOON) * 1000
        elif end != "unanswered":
            setattr(after, end, getattr(after, end) + 1)
    return after


@given(roomy, tallies, fates, st.sampled_from(["live", "failed", "completed"]))
def test_calls_within_the_headroom_reach_no_level(
    one: Rule, tally: Tally, ends: list[str], live: str
) -> None:
    room = one.headroom(tally, NOON)
    assert room == 0 or one.judge(later(tally, ends[:room], live), NOON, None) is None


@given(
    st.integers(1, 40), st.sampled_from([None, "1/2"]), tallies, st.integers(0, HOUR), st.integers(0, HOUR),
)
def test_calls_of_an_hour_each_within_the_headroom_use_up_no_minutes(
    hours: int, warning: str | None, tally: Tally, lasted: int, goes_on: int
) -> None:
    limit = hours * 60
    one = rule("minutes", limit, None if warning is None else limit // 2)
    live = tally.live
    room = one.headroom(tally, NOON)
    if room == 0:
        return
    used = tally.msec_at(NOON) + room * lasted + live * goes_on
    after = Tally(attempts=tally.attempts + room, completed=live + room, msec=used)
    judgement = one.judge(after, NOON, None)
    assert judgement is None or judgement.step is None      # only what is left for the call


@given(roomy.filter(lambda one: one.spec.kind != "asr"), tallies)
def test_headroom_of_counts_is_exact(one: Rule, tally: Tally) -> None:
    room = one.headroom(tally, NOON)
    full = replace(tally, attempts=tally.attempts + room, ringing=tally.ringing + room)
    over = replace(full, attempts=full.attempts + 1, ringing=full.ringing + 1)
    assert one.judge(over, NOON, None) is not None
    assert room == 0 or one.judge(full, NOON, None) is None
