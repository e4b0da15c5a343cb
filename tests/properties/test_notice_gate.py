"""Whatever happens to notices: above a tag only from the end of grace on, and while they hold; and no message
is ever held."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.account import Account
from enforcer.domain.call import CallAttempt, Direction, Medium, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.measure import Measure
from enforcer.domain.mode import CEILING, Mode, Modes
from enforcer.domain.notice import About, Audience, Notice, NoticeTerms, Stage, created, step
from enforcer.domain.registers import Registers
from enforcer.domain.rules import KINDS, Pace, Rule
from enforcer.domain.rules.seat import Seat
from enforcer.domain.usage import Tally
from tests.properties.test_decide_ceiling import rules, tallies
from tests.support.rules import NOON, rule, seated

ACME = Account("acme", "acme")
HOURS = st.integers(0, 400)
STAGES = st.sampled_from([Stage.SENT, Stage.DELIVERED, Stage.FAILED, Stage.ACKNOWLEDGED])
STEPS = st.lists(st.tuples(HOURS, STAGES), max_size=5).map(sorted)
LIVES = st.lists(st.tuples(HOURS, STEPS), max_size=3)


def hour(number: int) -> float:
    return NOON + number * 3600.0


@given(
    LIVES, st.integers(1, 100), st.integers(1, 100), st.lists(HOURS, min_size=1, max_size=6),
    st.sampled_from(Verdict), st.sampled_from(Mode), st.sampled_from(["attempts", "minutes", "asr"]), tallies,
)
def test_a_rule_acts_only_while_a_notice_that_was_delivered_holds_and_its_grace_is_over(
    lives: list[tuple[int, list[tuple[int, Stage]]]], grace: int, holds: int, asked: list[int],
    verdict: Verdict, mode: Mode, kind: str, tally: Tally,
) -> None:
    one = rule(kind, 1, verdict=verdict, notice=NoticeTerms(grace * 3600.0, holds * 3600.0))
    registers = Registers()
    knew: list[int] = []
    for nth, (begun, steps) in enumerate(lives):
        notice = Notice(
            f"n-{nth}", Audience.CUSTOMER, About.LEVEL, "acme", "acme", kind, Level.WARNING, str(nth),
            hour(begun), grace * 3600.0, holds * 3600.0,
        )
        later = [(begun + after, stage) for after, stage in steps]
        registers.fold([created(notice), *(step(notice, stage, hour(when)) for when, stage in later)])
        told = [when for when, stage in later if stage in (Stage.DELIVERED, Stage.ACKNOWLEDGED)]
        knew += [min(told)] if told else []
    gate = registers.notices.gate(kind, "acme", "acme")
    for now in asked:
        may_act = any(when + grace <= now < when + grace + holds for when in knew)
        seat = Seat(one, tally, None, gate)
        attempt = CallAttempt("pbx1/1", "pbx1", "acme", Direction.OUTBOUND, "12125550100", "1", hour(now))
        decision = decide(attempt, NumberClass.ORDINARY, ACME, [seat], Modes(default=mode), "d")
        assert gate.open(hour(now)) is may_act
        if not may_act:
            assert decision.verdict <= decision.would_be <= Verdict.TAG
            assert not decision.refused
            assert (decision.max_duration, decision.hold) == (None, 0.0)
        for finding in decision.findings:
            bare = one.spec.critical.verdict if finding.level is Level.CRITICAL else Verdict.TAG
            assert finding.verdict is (bare if may_act else min(bare, Verdict.TAG))
            assert finding.capped is min(finding.verdict, CEILING[mode])
            assert bool(finding.held) is (bare > Verdict.TAG and not may_act)


def about_messages(one: Rule) -> Rule:
    spec = one.spec
    return KINDS[spec.kind](replace(
        spec, measure=Measure(mediums=frozenset(Medium)), pace=Pace(1, 5.0, 30.0), notice=None,
    ))


@given(
    st.lists(rules.map(about_messages), max_size=3, unique_by=lambda one: one.spec.id),
    st.lists(tallies, min_size=3, max_size=3), st.sampled_from(Mode),
)
def test_a_message_goes_or_is_dropped_and_never_waits(
    policy: list[Rule], numbers: list[Tally], mode: Mode
) -> None:
    seats = [seated(one, tally) for one, tally in zip(policy, numbers, strict=False)]
    attempt = CallAttempt(
        "pbx1/1", "pbx1", "acme", Direction.OUTBOUND, "12125550100", "1", NOON, medium=Medium.MESSAGE,
    )
    for _ in range(3):
        decision = decide(attempt, NumberClass.ORDINARY, ACME, seats, Modes(default=mode), "d")
        assert decision.hold == 0.0
        assert all(finding.hold == 0.0 for finding in decision.findings)
        assert decision.refused == (decision.sip_code != 0)
        assert decision.medium is Medium.MESSAGE
