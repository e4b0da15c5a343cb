"""Over random rules, tallies and modes: a verdict never exceeds its mode's ceiling, and what block
mode would have said never depends on the mode."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.account import Account, Standing
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.measure import Detail, Measure
from enforcer.domain.mode import CEILING, Mode, Modes, ModeSetting
from enforcer.domain.notice import NoticeTerms
from enforcer.domain.rules import KINDS, Pace, Rule
from enforcer.domain.trail import Trail
from enforcer.domain.usage import Detailed, Tally
from tests.support.rules import NOON, attempt, record, rule, seated

small = st.integers(0, 30)


def tallied(
    ringing: int, talking: int, completed: int, short: int, unanswered: int, msec: int, marked: int = 0,
    near: int = 0, numbers: list[int] | None = None,
) -> Detailed:
    """A tally that could be one: its parts make the whole, and its trail is of some of its calls."""
    attempts = ringing + talking + completed + short + unanswered
    trail = Trail(Detail, 60)
    for nth, number in enumerate((numbers or [])[:attempts]):
        one = record(NOON - nth * 40, number=f"1212555{number:04}", caller=f"{number % 3}")
        trail.add(one._replace(call_id=f"pbx1/{nth}"))
    return Detailed(
        attempts, ringing, talking, completed, short, msec, talking * int(NOON - 60) * 1000,
        marked=min(marked, attempts), near=min(near, completed), trail=trail,
    )


tallies = st.builds(
    tallied, small, small, small, small, small, st.integers(0, 1_200_000), small, small,
    st.lists(st.integers(0, 9), max_size=30),
)
rules = st.builds(
    lambda kind, critical, warning, verdict, warn, name, **more: rule(
        kind, critical, None if warning is None else critical * warning, verdict=max(verdict, warn),
        warn=warn, name=name, **more,
    ),
    st.sampled_from(sorted(KINDS)), st.integers(1, 20).map(Fraction),
    st.sampled_from([None, Fraction(1, 2), Fraction(9, 10)]),
    st.sampled_from(Verdict), st.sampled_from([Verdict.TAG, Verdict.THROTTLE]),
    st.sampled_from("abcdefgh"), min_attempts=st.integers(0, 20), min_answered=st.integers(0, 20),
    notice=st.sampled_from([None, NoticeTerms()]), exceeds=st.sampled_from([None, True, False]),
    measure=st.builds(Measure, directions=st.frozensets(st.sampled_from(Direction), min_size=1)),
    pace=st.builds(Pace, calls=st.integers(1, 3), max_hold=st.sampled_from([0.0, 0.5, 2.0])),
)
rule_lists = st.lists(rules, max_size=4, unique_by=lambda one: one.spec.id)
accounts = st.builds(Account, st.just("acme"), st.just("acme"), standing=st.sampled_from(Standing))


def ask(
    policy: list[Rule], numbers: list[Tally], account: Account, modes: Modes, at: float = NOON
) -> list[Decision]:
    """Three calls at once, so that pacers have something to say."""
    seats = [seated(one, tally) for one, tally in zip(policy, numbers, strict=False)]
    kind = NumberClass.ORDINARY
    return [decide(attempt(at), kind, account, seats, modes, "d") for _ in range(3)]


@given(rule_lists, st.lists(tallies, min_size=4, max_size=4), accounts, st.sampled_from(Mode),
       st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(Mode)))
def test_no_verdict_is_above_the_ceiling_of_its_mode(
    policy: list[Rule], numbers: list[Tally], account: Account, ceiling: Mode, by_rule: dict[str, Mode]
) -> None:
    settings = [ModeSetting(mode, rule=name) for name, mode in by_rule.items()]
    modes = Modes([*settings, ModeSetting(ceiling, ceiling=True)], default=Mode.BLOCK)
    for decision in ask(policy, numbers, account, modes):
        assert decision.verdict <= CEILING[ceiling]
        assert decision.verdict <= decision.would_be
        noticed = {one.spec.id for one in policy if one.spec.notice is not None}
        for finding in decision.findings:
            allowed = min(ceiling, by_rule.get(finding.rule, Mode.BLOCK))
            assert finding.capped <= CEILING[allowed]
            if finding.rule in noticed:         # nobody was told anything
                assert finding.verdict <= Verdict.TAG
        if ceiling < Mode.THROTTLE:
            assert (decision.hold, decision.shed, decision.refused) == (0.0, False, False)
        if ceiling < Mode.BLOCK:
            assert decision.max_duration is None


@given(rule_lists, st.lists(tallies, min_size=4, max_size=4), accounts, st.sampled_from(Mode))
def test_what_block_mode_would_say_does_not_depend_on_the_mode(
    policy: list[Rule], numbers: list[Tally], account: Account, mode: Mode
) -> None:
    strict = ask(policy, numbers, account, Modes(default=Mode.BLOCK))[0]
    mild = ask(policy, numbers, account, Modes(default=mode))[0]
    assert mild.would_be is strict.would_be is strict.verdict
    assert [f._replace(capped=f.verdict, mode="", hold=0.0, shed=False, max_duration=None)
            for f in mild.findings] == [
        f._replace(mode="", hold=0.0, shed=False, max_duration=None) for f in strict.findings
    ]
    assert mild.usage == strict.usage
    assert (mild.rule == strict.rule) or mode > Mode.MONITOR


@given(rule_lists, st.lists(tallies, min_size=4, max_size=4), accounts, st.sampled_from(Mode))
def test_every_decision_is_consistent_in_itself(
    policy: list[Rule], numbers: list[Tally], account: Account, mode: Mode
) -> None:
    for decision in ask(policy, numbers, account, Modes(default=mode)):
        assert decision.refused == (decision.sip_code != 0)
        assert decision.shed <= (decision.verdict is Verdict.THROTTLE)
        assert decision.hold == 0.0 or (decision.verdict is Verdict.THROTTLE and not decision.shed)
        assert not (decision.refused and decision.max_duration is not None)
        for finding in decision.findings:
            assert finding.rule in decision.reason
            assert finding.clause in decision.reason
            assert finding.value in decision.reason
        if decision.would_be is not Verdict.ALLOW:
            assert decision.rule
