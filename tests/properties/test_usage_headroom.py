"""Headroom is sound: so many more attempts, however they end, never reach the first level."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.measure import Measure
from enforcer.domain.rules import Rule
from enforcer.domain.rules.minutes import LEASED_CALL_MSEC
from enforcer.domain.usage import Detailed, Tally, contribute, tally_for
from enforcer.packs.kinds import TRAILS
from tests.properties.test_decide_ceiling import tallies
from tests.support.rules import NOON, record, rule

HOUR = LEASED_CALL_MSEC
roomy = st.builds(
    lambda kind, at, share, least, exceeds: rule(
        kind, at, None if share is None else at * share, min_attempts=least, exceeds=exceeds
    ),
    st.sampled_from(["asr", "attempts", "concurrent_calls"]), st.integers(1, 150).map(Fraction),
    st.sampled_from([None, Fraction(1, 2), Fraction(9, 10)]), st.integers(0, 150),
    st.sampled_from([None, True, False]),
)
shares = st.builds(
    lambda kind, at, share, least, answered, exceeds, of: rule(
        kind, at, None if share is None else at * share, min_attempts=least, min_answered=answered,
        exceeds=exceeds, of_attempts=of,
    ),
    st.sampled_from(["short_calls", "failed_calls", "class_share", "duration_cliff"]),
    st.integers(1, 100).map(Fraction), st.sampled_from([None, Fraction(1, 2), Fraction(9, 10)]),
    st.integers(0, 60), st.integers(0, 60), st.sampled_from([None, True, False]), st.booleans(),
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


@given(
    shares, tallies,
    st.lists(st.sampled_from(["short", "near", "marked", "unanswered", "completed"]), max_size=60),
    st.sampled_from(["short", "near", "unanswered"]),
)
def test_calls_within_the_headroom_raise_no_share_to_a_level(
    one: Rule, tally: Detailed, ends: list[str], fate_of_live: str
) -> None:
    """Whatever becomes of calls in progress, too."""
    room = one.headroom(tally, NOON)
    after = replace(tally, ringing=0, talking=0, talking_since=0)
    lost = tally.ringing + (tally.talking if fate_of_live != "unanswered" else 0)
    if fate_of_live == "unanswered":        # who talks was answered
        after.short += tally.talking
    for end in [*[fate_of_live] * lost, *ends[:room]]:
        after.short += end == "short"
        after.completed += end in ("near", "completed")
        after.near += end == "near"
    after.attempts += len(ends[:room])
    after.marked += sum(1 for end in ends[:room] if end == "marked")
    assert room == 0 or one.judge(after, NOON, None) is None


@given(st.integers(1, 60), st.sampled_from([None, 2]), st.integers(0, 30), tallies, st.integers(0, 60))
def test_calls_hung_up_at_once_within_the_headroom_shorten_no_average_below_a_level(
    seconds: int, warning: int | None, least: int, tally: Tally, more: int
) -> None:
    first = None if warning is None else seconds * warning
    one = rule("average_duration", seconds, first, min_answered=least)
    room = one.headroom(tally, NOON)
    after = replace(tally, ringing=0, talking=0, short=tally.short + tally.live + min(more, room))
    assert room == 0 or one.judge(after, NOON, None) is None


words = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40)


@given(st.sampled_from(sorted(TRAILS)), st.integers(0, 20), words, words)
def test_calls_within_the_headroom_of_a_trail_pass_no_level(
    kind: str, at: int, before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    one = rule(kind, at, measure=Measure(redial_seconds=60))
    tally = tally_for(one.spec.measure)

    def call(nth: int, words: tuple[int, int]) -> None:
        made = record(NOON + nth * 25, number=f"1212555010{words[0]}", caller=str(words[1]))
        contribute(tally, made._replace(call_id=f"pbx1/{nth}"), one.spec.measure, 1)

    for nth, words in enumerate(before):
        call(nth, words)
    room = one.headroom(tally, NOON)
    for nth, words in enumerate(after[:room]):
        call(len(before) + nth, words)
    assert room == 0 or one.judge(tally, NOON, None) is None
