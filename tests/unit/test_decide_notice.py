"""The ladder from notice to action: nothing above a tag before the customer knows and has had time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from enforcer.domain.account import Account
from enforcer.domain.call import CallAttempt, Direction, Medium, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Decision, Level, Verdict
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.notice import (
    DAY,
    About,
    Audience,
    Gate,
    Notice,
    NoticeTerms,
    Stage,
    after,
    created,
    notice_id,
    step,
    words_of_gate,
)
from enforcer.domain.registers import Registers
from enforcer.domain.rules import Pace, Rule
from enforcer.domain.rules.seat import Seat
from enforcer.domain.usage import Tally
from tests.support.rules import NOON, rule

ACME = Account("acme", "acme")
TERMS = NoticeTerms(grace=7 * DAY, holds=90 * DAY)
FIRST = Notice(
    "n-1", Audience.CUSTOMER, About.LEVEL, "acme", "acme", "attempts", Level.WARNING, "2026-11", NOON,
    TERMS.grace, TERMS.holds,
)
Steps = Sequence[tuple[Stage, float]]


def told(*steps: tuple[Stage, float], notice: Notice = FIRST) -> Registers:
    """A register in which a notice was created at NOON and then came that far, days later each."""
    registers = Registers()
    registers.fold([created(notice)])
    registers.fold(step(notice, stage, NOON + days * DAY, problem="", by="") for stage, days in steps)
    return registers


def asking(medium: Medium = Medium.CALL, at: float = NOON) -> CallAttempt:
    return CallAttempt("pbx1/1", "pbx1", "acme", Direction.OUTBOUND, "12125550100", "100", at, medium=medium)


def ask(
    registers: Registers, days: float, *, mode: Mode = Mode.BLOCK, verdict: Verdict = Verdict.BLOCK,
    medium: Medium = Medium.CALL, one: Rule | None = None,
) -> Decision:
    """A call past the limit, so many days after NOON."""
    one = one or rule(
        "attempts", 10, verdict=verdict, notice=TERMS, measure=Measure(mediums=frozenset(Medium)),
    )
    seat = Seat(one, Tally(attempts=11), None, registers.notices.gate(one.spec.id, "acme", "acme"))
    attempt = asking(medium, NOON + days * DAY)
    return decide(attempt, NumberClass.ORDINARY, ACME, [seat], Modes(default=mode), "d")


S, D, F, A = Stage.SENT, Stage.DELIVERED, Stage.FAILED, Stage.ACKNOWLEDGED


@pytest.mark.parametrize(("steps", "days", "blocked", "why"), [
    ([], 0, False, "its notice was not delivered"), ([], 9999, False, "its notice was not delivered"),
    ([(S, 0)], 8, False, "its notice was not delivered"),
    ([(S, 0), (F, 0)], 8, False, "its notice was not delivered"),
    ([(S, 0), (F, 0), (S, 1), (F, 1)], 9999, False, "its notice was not delivered"),
    ([(S, 0), (D, 0)], 0, False, "the time of grace has not ended"),
    ([(S, 0), (D, 0)], 6.999, False, "the time of grace has not ended"),
    ([(S, 0), (D, 0)], 7, True, ""),                        # grace ends with its last second
    ([(S, 0), (D, 0)], 96.999, True, ""),
    ([(S, 0), (D, 0)], 97, False, "its notice does not hold any more"),     # 7 days and 90
    ([(S, 0), (F, 0), (S, 5), (D, 5)], 7, False, "the time of grace has not ended"),
    ([(S, 0), (F, 0), (S, 5), (D, 5)], 12, True, ""),       # grace runs from the delivery
    ([(A, 3)], 9.9, False, "the time of grace has not ended"), ([(A, 3)], 10, True, ""),
    ([(S, 0), (F, 0), (A, 3)], 10, True, ""),               # told by telephone: that is delivery as well
    ([(S, 0), (D, 0), (A, 3)], 7, True, ""),                # the first of both counts
    ([(A, 1), (S, 2), (D, 2)], 8, True, ""),
    ([(S, 0), (D, 0), (F, 1)], 7, True, ""),                # a bounce later takes nothing back
    ([(S, 0), (D, 0), (S, 5), (D, 5)], 7, True, ""),        # nor does sending it twice start it again
])
def test_a_rule_acts_from_delivery_and_grace_on_as_long_as_the_notice_holds(
    steps: Steps, days: float, blocked: bool, why: str
) -> None:
    decision = ask(told(*steps), days)
    assert decision.verdict is decision.would_be is (Verdict.BLOCK if blocked else Verdict.TAG)
    (finding,) = decision.findings
    assert finding.held == why
    assert decision.refused is blocked
    assert why in decision.reason


def test_without_any_notice_nothing_is_done_and_the_decision_says_so() -> None:
    decision = ask(Registers(), 0)
    assert (decision.verdict, decision.sip_code) == (Verdict.TAG, 0)
    assert decision.reason == (
        "attempts: attempts this cycle 11, limit 10 (clause of attempts; no notice was given yet)"
    )
    seat = Seat(rule("attempts", 10, notice=TERMS), Tally(attempts=11))
    bare = decide(asking(), NumberClass.ORDINARY, ACME, [seat], Modes(default=Mode.BLOCK), "d")
    assert bare.verdict is Verdict.TAG          # a seat without a gate is one that nobody opened


@pytest.mark.parametrize(("mode", "before", "then"), [
    (Mode.OFF, Verdict.ALLOW, Verdict.ALLOW), (Mode.MONITOR, Verdict.ALLOW, Verdict.ALLOW),
    (Mode.TAG, Verdict.TAG, Verdict.TAG), (Mode.THROTTLE, Verdict.TAG, Verdict.THROTTLE),
    (Mode.BLOCK, Verdict.TAG, Verdict.BLOCK),
])
def test_the_mode_caps_what_the_notice_lets_through(mode: Mode, before: Verdict, then: Verdict) -> None:
    registers = told((S, 0), (D, 0))
    for days, verdict, would_be in ((6, before, Verdict.TAG), (8, then, Verdict.BLOCK)):
        decision = ask(registers, days, mode=mode)
        assert (decision.verdict, decision.would_be) == (verdict, would_be)


@pytest.mark.parametrize(("verdict", "before"), [
    (Verdict.ALLOW, Verdict.ALLOW), (Verdict.TAG, Verdict.TAG), (Verdict.THROTTLE, Verdict.TAG),
])
def test_a_notice_holds_back_only_what_is_more_than_a_tag(verdict: Verdict, before: Verdict) -> None:
    registers = told((S, 0), (D, 0))
    assert ask(registers, 6, verdict=verdict).verdict is before
    assert ask(registers, 8, verdict=verdict).verdict is verdict
    assert ask(registers, 6, verdict=verdict).findings[0].held == (
        "the time of grace has not ended" if verdict > Verdict.TAG else ""
    )


@pytest.mark.parametrize(("days", "seconds"), [(6.999, None), (7, 60), (96.999, 60), (97, None)])
@pytest.mark.parametrize("warning", [None, 5])
def test_before_it_may_act_a_limit_cuts_no_call_short(
    days: float, seconds: int | None, warning: int | None
) -> None:
    """What is left of the minutes is the longest that a call may last, once they may end one."""
    one = rule("minutes", 10, warning, notice=TERMS)
    gate = told((S, 0), (D, 0)).notices.gate("attempts", "acme", "acme")
    seat = Seat(one, Tally(msec=9 * 60_000), None, gate)
    attempt = asking(at=NOON + days * DAY)
    decision = decide(attempt, NumberClass.ORDINARY, ACME, [seat], Modes(default=Mode.BLOCK), "d")
    assert decision.max_duration == seconds
    assert [finding.max_duration for finding in decision.findings] == ([] if warning is None else [seconds])
    blank = Seat(one, Tally(msec=9 * 60_000))
    decision = decide(attempt, NumberClass.ORDINARY, ACME, [blank], Modes(default=Mode.BLOCK), "d")
    assert decision.max_duration is None


def test_a_rule_without_a_notice_acts_at_once() -> None:
    assert ask(Registers(), 0, one=rule("attempts", 10)).verdict is Verdict.BLOCK


def test_a_call_that_only_waits_for_a_notice_takes_no_turn_and_is_not_held() -> None:
    one = rule("attempts", 10, verdict=Verdict.THROTTLE, notice=TERMS, pace=Pace(1, 60.0, 0.0))
    for _ in range(3):
        decision = ask(told((S, 0), (D, 0)), 6, one=one)
        assert (decision.verdict, decision.hold, decision.shed) == (Verdict.TAG, 0.0, False)


@pytest.mark.parametrize("about", About)
@pytest.mark.parametrize("audience", Audience)
def test_only_what_the_customer_was_told_of_a_level_opens_the_gate(about: About, audience: Audience) -> None:
    registers = told((S, 0), (D, 0), notice=replace(FIRST, about=about, audience=audience))
    opened = (about, audience) == (About.LEVEL, Audience.CUSTOMER)
    assert ask(registers, 8).verdict is (Verdict.BLOCK if opened else Verdict.TAG)


@pytest.mark.parametrize("other", [
    {"rule": "minutes"}, {"customer": "rival"}, {"account": "other"}, {"account": ""},
])
def test_a_notice_opens_the_gate_of_its_own_rule_and_subject(other: dict[str, str]) -> None:
    assert ask(told((S, 0), (D, 0), notice=replace(FIRST, **other)), 8).verdict is Verdict.TAG


def test_a_warning_counts_for_the_limit_and_a_new_cycle_needs_no_new_notice_while_the_old_one_holds() -> None:
    registers = told((S, 0), (D, 0))
    second = replace(FIRST, id="n-2", cycle="2026-12", at=NOON + 20 * DAY)
    registers.fold([created(second)])
    assert ask(registers, 21).verdict is Verdict.BLOCK
    (finding,) = ask(registers, 98).findings                # the first has run out, nobody got the second
    assert (finding.verdict, finding.held) == (Verdict.TAG, "its notice was not delivered")
    registers.fold([step(second, S, NOON + 98 * DAY), step(second, D, NOON + 98 * DAY)])
    assert ask(registers, 99).findings[0].held == "the time of grace has not ended"
    assert ask(registers, 105).verdict is Verdict.BLOCK


@pytest.mark.parametrize(("steps", "at", "opens"), [
    ([], 0, None), ([(D, 0)], 0, 7), ([(D, 0)], 50, 7), ([(D, 0)], 97, None), ([(F, 0)], 0, None),
])
def test_when_a_gate_opens_is_known_from_its_delivery_on(
    steps: Steps, at: float, opens: float | None
) -> None:
    gate = told(*steps).notices.gate("attempts", "acme", "acme")
    assert gate.opens(NOON + at * DAY) == (None if opens is None else NOON + opens * DAY)
    assert gate.latest() is not None


@pytest.mark.parametrize(("steps", "stage", "pending", "tries"), [
    ([], Stage.CREATED, True, 0), ([(S, 0)], Stage.SENT, True, 1), ([(S, 0), (F, 0)], Stage.FAILED, True, 1),
    ([(S, 0), (F, 0), (S, 1)], Stage.SENT, True, 2), ([(S, 0), (D, 0)], Stage.DELIVERED, False, 1),
    ([(A, 0)], Stage.ACKNOWLEDGED, False, 0), ([(S, 0), (D, 0), (A, 1)], Stage.ACKNOWLEDGED, False, 1),
    ([(A, 0), (S, 1), (D, 1)], Stage.ACKNOWLEDGED, False, 1),
    ([(A, 0), (F, 1)], Stage.ACKNOWLEDGED, False, 0),
    ([(S, 0), (D, 0), (F, 1)], Stage.DELIVERED, False, 1),
    ([(S, 0), (D, 0), (S, 1)], Stage.DELIVERED, False, 2),      # sent twice, it is not to be sent again
])
def test_the_life_of_a_notice(steps: Steps, stage: Stage, pending: bool, tries: int) -> None:
    (notice,) = told(*steps).notices.all()
    assert (notice.stage, notice.pending, notice.tries) == (stage, pending, tries)
    assert told(*steps).notices.pending() == ([notice] if pending else [])


def test_a_notice_that_is_created_again_stays_what_it_was_and_a_step_of_none_is_nothing() -> None:
    registers = told((S, 0), (D, 0))
    registers.fold([created(replace(FIRST, at=NOON + DAY, grace=0.0))])
    (notice,) = registers.notices.all()
    assert (notice.at, notice.grace, notice.stage) == (NOON, TERMS.grace, Stage.DELIVERED)
    assert after(None, step(FIRST, Stage.DELIVERED, NOON)) is None


def test_the_name_of_a_notice_follows_from_what_it_says_and_to_whom() -> None:
    said = (Audience.CUSTOMER, About.LEVEL, "acme", "a", "asr", Level.WARNING, "2026-11")
    names = {notice_id(*said)}
    for nth, other in enumerate((Audience.OPS, About.CLEARED, "b", "", "minutes", Level.CRITICAL, "2026-12")):
        changed = list(said)
        changed[nth] = other
        names.add(notice_id(*changed))          # type: ignore[arg-type]
    assert len(names) == 8
    assert notice_id(*said) == notice_id(*said)


def test_a_gate_that_nobody_has_says_that_no_notice_was_given() -> None:
    assert words_of_gate(None, NOON) == words_of_gate(Gate(), NOON) == "no notice was given yet"


# Messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("medium", "second"), [(Medium.CALL, (1.0, False)), (Medium.MESSAGE, (0.0, True))])
def test_a_message_is_never_held_it_goes_or_is_dropped(medium: Medium, second: tuple[float, bool]) -> None:
    one = rule("attempts", 10, verdict=Verdict.THROTTLE, measure=Measure(mediums=frozenset(Medium)),
               pace=Pace(1, 1.0, 2.0))
    seat = Seat(one, Tally(attempts=11))
    got = []
    for _ in range(2):
        decision = decide(asking(medium), NumberClass.ORDINARY, ACME, [seat], Modes(default=Mode.BLOCK), "d")
        assert decision.verdict is Verdict.THROTTLE
        assert decision.medium is medium
        got.append((decision.hold, decision.shed))
    assert got == [(0.0, False), second]


@pytest.mark.parametrize("medium", Medium)
@pytest.mark.parametrize("mode", Mode)
def test_an_emergency_comes_before_everything_for_messages_too(medium: Medium, mode: Mode) -> None:
    one = rule("attempts", 0, measure=Measure(mediums=frozenset(Medium)))
    seat = Seat(one, Tally(attempts=99))
    decision = decide(asking(medium), NumberClass.EMERGENCY, ACME, [seat], Modes(default=mode), "d")
    assert (decision.verdict, decision.exempt) == (Verdict.ALLOW, "emergency call")
