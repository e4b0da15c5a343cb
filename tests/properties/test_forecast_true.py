"""A forecast is true of its rule: after so many more steps the rule speaks, and at one fewer it does not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.averages import fewest, left
from enforcer.domain.call import CallRecord
from enforcer.domain.decision import Level
from enforcer.domain.forecast import GOOD, RATIOS, Course, ahead, crossings, lapses, reached, restores
from enforcer.domain.measure import Measure, Window
from enforcer.domain.rules import Rule
from enforcer.domain.rules.average_minutes import Share
from enforcer.domain.usage import Detailed, Tally, contribute, recount, tally_for
from enforcer.packs.kinds import TRAILS
from tests.properties.test_decide_ceiling import tallies
from tests.support.rules import NOON, record, rule

DAY = 86_400.0
summed = st.builds(
    lambda kind, at, share, least, answered, exceeds, of: rule(
        kind, at, None if share is None else at * (2 if kind == "average_duration" else share),
        min_attempts=least, min_answered=answered, exceeds=exceeds, of_attempts=of,
    ),
    st.sampled_from(sorted(RATIOS | {"attempts", "messages", "minutes"})),
    st.integers(1, 120).map(Fraction), st.sampled_from([None, Fraction(1, 2), Fraction(9, 10)]),
    st.integers(0, 60), st.integers(0, 60), st.sampled_from([None, True, False]), st.booleans(),
)


@given(summed, tallies, tallies, st.integers(60, 10 * 86_400), st.floats(0, 30 * DAY))
def test_the_rule_speaks_after_so_many_steps_and_not_before(
    one: Rule, tally: Detailed, added: Detailed, seconds: int, left: float
) -> None:
    until = NOON + left
    for found in crossings(one, tally, Course(added, seconds), NOON, until):
        if found.at is not None:
            assert NOON <= found.at <= until
        if found.more is None:
            continue
        assert reached(one, tally, found.level, NOON) is (found.more == 0)
        if found.more == 0 or not (added.msec if found.unit == "msec" else added.attempts):
            continue
        assert reached(one, ahead(tally, added, found.more, found.unit), found.level, NOON)
        assert not reached(one, ahead(tally, added, found.more - 1, found.unit), found.level, NOON)


@given(st.sampled_from(sorted(TRAILS - {"same_number", "sequential_numbers", "redials"})), st.integers(0, 20),
       st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_so_many_new_numbers_pass_the_limit_of_a_trail(kind: str, at: int, before: list[int]) -> None:
    one = rule(kind, at)
    calls = [record(NOON + n, number=f"121255501{w:02}", caller=str(w)) for n, w in enumerate(before)]
    tally = Detailed(trail=None)
    tally.become(_traced(one, calls))
    (found,) = crossings(one, tally, Course(tally, DAY), NOON, NOON + 30 * DAY)
    assert found.more is not None
    for more, speaks in ((found.more, True), (found.more - 1, False)):
        fresh = [record(NOON, number=f"1312555{n:04}", caller=f"x{n}") for n in range(max(0, more))]
        assert more < 0 or reached(one, _traced(one, [*calls, *fresh]), found.level, NOON) is speaks


def _traced(one: Rule, calls: list[CallRecord]) -> Detailed:
    tally = tally_for(one.spec.measure)
    assert isinstance(tally, Detailed)
    for n, call in enumerate(calls):
        contribute(tally, call._replace(call_id=f"pbx1/{n}"), one.spec.measure, 1)
    return tally


@given(summed.filter(lambda one: one.spec.kind in {*GOOD, "average_duration"}), tallies,
       st.sampled_from([Level.WARNING, Level.CRITICAL]))
def test_so_many_good_calls_restore_a_ratio_and_one_fewer_do_not(
    one: Rule, tally: Detailed, level: Level
) -> None:
    calls = restores(one, tally, level, NOON)
    if calls is None or calls == 0:
        assert calls is None or not reached(one, tally, level, NOON)
        return

    def after(calls: int) -> Detailed:
        longest = max(step.at for step in (one.spec.critical, one.spec.warning) if step is not None)
        talk = int(calls * 2000 * longest) if one.spec.kind == "average_duration" else 0
        return replace(tally, attempts=tally.attempts + calls, completed=tally.completed + calls,
                       msec=tally.msec + talk)

    assert not reached(one, after(calls), level, NOON)
    assert reached(one, after(calls - 1), level, NOON)


shares = st.lists(st.tuples(st.integers(0, 10_000_000), st.integers(0, 3)), max_size=8).map(
    lambda told: [Share(f"a{n}", msec, units) for n, (msec, units) in enumerate(told)]
)


@given(shares, st.integers(1, 100).map(Fraction))
def test_acting_on_the_fewest_accounts_is_enough_and_on_one_less_is_not(
    told: list[Share], limit: Fraction
) -> None:
    chosen = fewest(told, limit)

    def capped(names: set[str]) -> list[Share]:
        return [s._replace(msec=min(s.msec, int(limit * 60_000 * s.units))) if s.account in names else s
                for s in told]

    assert left(capped({s.account for s in chosen}), limit) >= 0
    if chosen:
        assert left(capped({s.account for s in chosen[:-1]}), limit) < 0


@given(shares.filter(lambda told: any(share.units for share in told)), st.integers(1, 1000),
       st.integers(1, 7))
def test_an_average_is_over_its_limit_with_one_millisecond_more_than_is_left(
    told: list[Share], at: int, part: int
) -> None:
    limit = Fraction(at, part)
    one = rule("average_minutes", limit)
    room, msec = left(told, limit), sum(share.msec for share in told)
    divisor = sum(share.units for share in told)

    def breached(more: int) -> bool:
        closed = one.close(Tally(msec=msec + more), divisor)
        assert closed is not None
        return closed.breached

    assert not breached(room)
    assert breached(room + 1)


@given(st.lists(st.integers(0, 3599), min_size=1, max_size=30), st.integers(0, 10),
       st.sampled_from(["attempts", "same_number", "distinct_numbers", "redials"]))
def test_a_rolling_level_lapses_when_it_is_said_to_and_not_before(
    starts: list[int], at: int, kind: str
) -> None:
    one = rule(kind, at, measure=Measure(window=Window.ROLLING, seconds=3600, redial_seconds=60))
    measure, now = one.spec.measure, NOON + 3600
    calls = [
        record(NOON + start, call_id=f"pbx1/{n}", number=f"1212555010{n % 3}")
        for n, start in enumerate(starts)
    ]

    def holds(when: float) -> bool:
        return one.judge(recount(calls, measure, when), when, None) is not None

    when = lapses((call.started_at for call in calls), measure, holds, now)
    assert when is not None             # sooner or later every call has left
    if holds(now):
        assert not holds(when)
        assert holds(when - 0.01)
