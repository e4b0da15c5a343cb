"""Admission on a ledger in memory: what a switch asks and tells, and what comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from enforcer.admission import Admission, Terms
from enforcer.domain.account import Account
from enforcer.domain.actions import GrantLease, HangUp, LimitDuration, WithdrawLease
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Pack, Policy
from enforcer.domain.rules import Rule
from enforcer.ledger.memory import MemoryLedger
from tests.support.rules import NOON, rule

PLAN = NumberPlan("US")
NUMBER = "12125550100"


class Desk:
    """An admission with a ledger, a clock that is set by hand, and a drawer of what was logged."""

    def __init__(self, *rules: Rule, mode: Mode = Mode.BLOCK, listener_only: bool = False) -> None:
        self.now = NOON
        policy = Policy(rules, [Pack("test", "1")])
        self.ledger = MemoryLedger(PLAN.classify, lambda: self.now)
        self.ledger.put_accounts([Account("acme", "acme-co"), Account("globex", "globex-co")])
        self.ledger.use(policy)
        self.logged: list[Decision] = []
        self.waiting: list[Callable[[], None]] = []
        self.admission = Admission(
            self.ledger, PLAN, policy, Modes(default=mode), prefix="t", later=self.waiting.append,
            terms=Terms(listener_only=frozenset({"pbx1"}) if listener_only else frozenset()),
            observers=[self.logged.append],
        )

    def attempt(
        self, call: str, number: str = NUMBER, account: str = "acme", after: float = 0.0
    ) -> CallAttempt:
        return CallAttempt(
            f"pbx1/{call}", "pbx1", account, Direction.OUTBOUND, number, "100", NOON + after, f"PJSIP/{call}"
        )

    def ask(self, call: str, number: str = NUMBER, account: str = "acme", after: float = 0.0) -> Decision:
        decision = self.admission.admit(self.attempt(call, number, account, after))
        self.settle()
        return decision

    def tell(self, phase: Phase, call: str, after: float = 0.0, **facts: object):  # type: ignore[no-untyped-def]
        attempt = self.attempt(call, str(facts.pop("number", NUMBER)))
        event = CallEvent(phase, attempt, NOON + after, **facts)    # type: ignore[arg-type]
        actions = self.admission.observe(event)
        self.settle()
        return actions

    def settle(self) -> None:
        """Do what waits until the answer is written."""
        while self.waiting:
            self.waiting.pop(0)()

    def attempts(self, account: str = "acme") -> int:
        seat = self.ledger.seats(account, NOON)[0]
        return seat.tally.attempts


def test_attempt_is_counted_before_it_is_judged() -> None:
    desk = Desk(rule("attempts", 1))
    assert [desk.ask("a").verdict, desk.ask("b").verdict] == [Verdict.ALLOW, Verdict.BLOCK]


def test_attempt_asked_about_twice_is_one_attempt() -> None:
    desk = Desk(rule("attempts", 10))
    desk.ask("a")
    desk.ask("a", number="12125550199")     # transferred, it passes the hook again
    assert desk.attempts() == 1


def test_event_and_question_of_one_call_are_one_attempt_in_either_order() -> None:
    desk = Desk(rule("attempts", 10))
    desk.tell(Phase.STARTED, "a")
    desk.ask("a")
    desk.ask("b")
    desk.tell(Phase.STARTED, "b")
    assert desk.attempts() == 2


def test_blocked_attempt_leaves_every_counter() -> None:
    desk = Desk(rule("attempts", 1))
    desk.ask("a")
    for call in "bcd":
        assert desk.ask(call).verdict is Verdict.BLOCK
    assert desk.attempts() == 1


def test_blocked_attempt_never_lowers_asr() -> None:
    desk = Desk(rule("asr", 4, min_attempts=1))
    desk.ask("a")
    desk.tell(Phase.ENDED, "a", 1.0, hangup_cause=17)
    tally = desk.ledger.seats("acme", NOON)[0].tally
    before = (tally.attempts, tally.completed)
    assert desk.ask("b").verdict is Verdict.BLOCK
    desk.tell(Phase.ENDED, "b", 1.0, hangup_cause=21)
    assert (tally.attempts, tally.completed) == before


def test_refused_transfer_of_an_answered_call_keeps_the_call_counted() -> None:
    desk = Desk(rule("attempts", 1))
    desk.ask("a")
    desk.tell(Phase.ANSWERED, "a", 1.0)
    desk.ask("b")                                               # over the limit, refused
    assert desk.ask("a", number="12125550199").verdict is Verdict.ALLOW     # the same attempt still
    desk.admission.steer(Modes([ModeSetting(Mode.BLOCK)]), NOON)
    assert desk.attempts() == 1


def test_answer_does_not_wait_for_the_log() -> None:
    desk = Desk(rule("attempts", 1))
    desk.admission.admit(desk.attempt("a"))
    assert desk.logged == []
    desk.settle()
    assert len(desk.logged) == 1


def test_decision_ids_differ_and_name_the_policy() -> None:
    desk = Desk(rule("attempts", 10))
    first, second = desk.ask("a"), desk.ask("b")
    assert first.decision_id != second.decision_id
    assert first.policy == "test@1"


@pytest.mark.parametrize("number", ["911", "112"])
def test_emergency_call_is_neither_counted_nor_judged(number: str) -> None:
    desk = Desk(rule("attempts", 0))
    decision = desk.ask("a", number=number)
    assert (decision.verdict, decision.exempt) == (Verdict.ALLOW, "emergency call")
    assert desk.attempts() == 0


def test_modes_steer_the_next_call() -> None:
    desk = Desk(rule("attempts", 0), mode=Mode.MONITOR)
    assert (desk.ask("a").verdict, desk.logged[-1].would_be) == (Verdict.ALLOW, Verdict.BLOCK)
    desk.admission.steer(Modes([ModeSetting(Mode.BLOCK, account="acme")], Mode.MONITOR), NOON)
    assert desk.ask("b").verdict is Verdict.BLOCK
    assert desk.ask("c", account="globex").verdict is Verdict.ALLOW


def test_new_policy_judges_what_was_counted_before() -> None:
    desk = Desk(rule("attempts", 100))
    for call in "abc":
        desk.ask(call)
    desk.admission.use(Policy([rule("attempts", 3)], [Pack("test", "2")]), NOON)
    decision = desk.ask("d")
    assert (decision.verdict, decision.policy) == (Verdict.BLOCK, "test@2")


def test_customer_is_judged_over_all_its_accounts() -> None:
    desk = Desk(rule("attempts", 2, measure=Measure(Scope.CUSTOMER)))
    desk.ledger.put_accounts([Account("acme2", "acme-co")])
    desk.ask("a")
    desk.ask("b", account="acme2")
    assert desk.ask("c").verdict is Verdict.BLOCK
    assert desk.ask("d", account="globex").verdict is Verdict.ALLOW


def test_listener_only_hangs_up_what_it_would_have_refused() -> None:
    desk = Desk(rule("attempts", 1), listener_only=True)
    assert desk.tell(Phase.STARTED, "a") == []
    assert desk.tell(Phase.STARTED, "b") == [HangUp("pbx1/b", "PJSIP/b", 21)]
    assert desk.tell(Phase.STARTED, "e", number="911") == []


def test_an_account_told_late_is_treated_as_if_it_had_been_told_at_once() -> None:
    """As on a FreeSWITCH whose directory has no account codes: its dialplan says whose call it is."""
    desk = Desk(rule("attempts", 1), listener_only=True)
    desk.tell(Phase.STARTED, "a")
    for call, number, phase, expected in (
        ("b", NUMBER, Phase.ANSWERED, [HangUp("pbx1/b", "PJSIP/b", 21)]),
        ("c", NUMBER, Phase.ENDED, []),         # nothing is left to be hung up
        ("e", "911", Phase.ANSWERED, []),
    ):
        nameless = desk.attempt(call, number, account="")
        assert desk.admission.observe(CallEvent(Phase.STARTED, nameless, NOON)) == []
        event = CallEvent(phase, desk.attempt(call, number), NOON + 2, answered_at=NOON + 1)
        assert desk.admission.observe(event) == []
        assert desk.admission.named(event) == expected
        desk.settle()


def test_a_lease_is_withdrawn_when_an_account_told_late_has_come_near_a_limit() -> None:
    desk = Desk(rule("attempts", 60))
    assert desk.tell(Phase.STARTED, "a") == []
    assert GrantLease("acme", int(NOON) + 60) in desk.admission.round("pbx1", NOON)
    event = CallEvent(Phase.ANSWERED, desk.attempt("y"), NOON + 1, answered_at=NOON + 1)
    for number in range(10):
        desk.ledger.apply(CallEvent(Phase.STARTED, desk.attempt(f"z{number}"), NOON))
    desk.admission.observe(event)
    assert desk.admission.named(event) == [WithdrawLease("acme")]


def test_listener_only_limits_what_is_left_of_the_minutes() -> None:
    desk = Desk(rule("minutes", 2), listener_only=True)
    assert desk.tell(Phase.STARTED, "a") == [LimitDuration("pbx1/a", "PJSIP/a", 120)]


def test_call_in_progress_is_ended_once_when_its_minutes_are_used_up() -> None:
    desk = Desk(rule("minutes", 1, hang_up=True))
    desk.ask("a")
    desk.tell(Phase.ANSWERED, "a")
    assert not [a for a in desk.admission.round("pbx1", NOON + 59) if isinstance(a, HangUp)]
    assert [a for a in desk.admission.round("pbx1", NOON + 60) if isinstance(a, HangUp)] == [
        HangUp("pbx1/a", "PJSIP/a", 21)
    ]
    assert not [a for a in desk.admission.round("pbx1", NOON + 62) if isinstance(a, HangUp)]


def test_emergency_call_in_progress_is_never_ended() -> None:
    desk = Desk(rule("minutes", 1, hang_up=True))
    desk.tell(Phase.STARTED, "a", number="911")
    desk.tell(Phase.ANSWERED, "a", number="911")
    assert not [a for a in desk.admission.round("pbx1", NOON + 3600) if isinstance(a, HangUp)]


def test_observer_that_fails_does_not_keep_the_next_from_hearing() -> None:
    desk = Desk(rule("attempts", 10))
    heard: list[Decision] = []

    def fails(_decision: Decision) -> None:
        raise RuntimeError("telemetry is down")

    admission = Admission(
        desk.ledger, PLAN, Policy(), Modes(), prefix="t", later=desk.waiting.append,
        observers=[fails, heard.append],
    )
    admission.admit(desk.attempt("a"))
    desk.settle()
    assert (len(heard), admission.deaf) == (1, 1)


def test_what_was_asked_is_passed_on_after_the_answer() -> None:
    desk, passed = Desk(), []
    desk.admission.on_asked.append(passed.append)
    desk.admission.admit(desk.attempt("a"))
    assert passed == []
    desk.settle()
    assert [attempt.call_id for attempt in passed] == ["pbx1/a"]
