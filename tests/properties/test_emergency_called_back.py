"""Whatever happens to an account meanwhile, who called for help is called back, and nobody counts it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.admission import Admission, Terms
from enforcer.domain.account import Account, Standing
from enforcer.domain.actions import HangUp, LimitDuration
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Medium, Phase
from enforcer.domain.decision import OnFailure, Verdict
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.ledger.memory import MemoryLedger
from tests.support.rules import NOON, rule

PLAN = NumberPlan("US")
EVERY = Measure(directions=frozenset(Direction), mediums=frozenset(Medium))
RULES = [
    rule("attempts", 0, measure=EVERY, hang_up=True, on_failure=OnFailure.CLOSED),
    rule("minutes", 0, measure=EVERY, hang_up=True), rule("concurrent_calls", 0, measure=EVERY),
    rule("cps", 1, measure=EVERY, verdict=Verdict.THROTTLE), rule("same_number", 0, measure=EVERY),
    rule("distinct_callers", 0, measure=replace(EVERY, directions=frozenset({Direction.INBOUND}))),
]
PSAP, WINDOW = "+13035550911", 3600.0

steps = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(["acme", "apex"]), st.sampled_from(Direction)),
    st.tuples(st.just("emergency"), st.sampled_from(["acme", "apex"]), st.integers(0, 4000)),
    st.tuples(st.just("standing"), st.sampled_from(["acme", "apex"]), st.sampled_from(Standing)),
    st.tuples(st.just("mode"), st.sampled_from(["", "acme", "apex"]), st.sampled_from(Mode)),
    st.tuples(st.just("later"), st.just(""), st.integers(1, 5000)),
    st.tuples(st.just("fault"), st.just(""), st.sampled_from(["", "disk full"])),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(steps, st.booleans(), st.sampled_from(Medium)), max_size=25),
    st.lists(st.sampled_from(range(len(RULES))), unique=True), st.booleans(),
)
def test_who_called_for_help_is_called_back_and_nobody_counts_it(
    told: list[tuple[tuple[str, str, object], bool, Medium]], which: list[int], listener_only: bool
) -> None:
    now, waiting, serial = [NOON], [], 0        # type: ignore[var-annotated]
    ledger = MemoryLedger(PLAN.classify, lambda: now[0], PLAN.canonical)
    ledger.put_accounts([Account("acme", "big"), Account("apex", "big")])
    policy = Policy([RULES[one] for one in which])
    ledger.use(policy)
    desk = Admission(
        ledger, PLAN, policy, Modes(default=Mode.BLOCK), prefix="t", later=waiting.append,
        terms=Terms(listener_only=frozenset({"pbx1"}) if listener_only else frozenset()),
    )
    ends: dict[str, float] = {}

    def attempt(
        account: str, direction: Direction, number: str, medium: Medium = Medium.CALL
    ) -> CallAttempt:
        nonlocal serial
        serial += 1
        return CallAttempt(f"pbx1/{serial}", "pbx1", account, direction, number, PSAP, now[0],
                           f"PJSIP/{serial}", "", medium)

    def figures(account: str) -> list[tuple[int, ...]]:
        return [seat.tally.figures for seat in ledger.seats(account, now[0])]

    for (what, account, value), asked, medium in told:
        if what == "call":
            desk.admit(attempt(account, value, "12025550142", medium))      # type: ignore[arg-type]
        elif what == "standing":
            ledger.put_accounts([Account(account, "big", standing=value)])  # type: ignore[arg-type]
            desk.steer(desk.modes, now[0])
        elif what == "mode":
            desk.modes.put(ModeSetting(value, account, at=now[0]))          # type: ignore[arg-type]
            desk.steer(desk.modes, now[0])
        elif what == "later":
            now[0] += value                                                 # type: ignore[operator]
        elif what == "fault":
            ledger.degraded = value                                         # type: ignore[assignment]
        else:
            one = attempt(account, Direction.OUTBOUND, "911")
            before = figures(account)
            if asked:
                assert desk.admit(one).verdict is Verdict.ALLOW
            assert desk.observe(CallEvent(Phase.STARTED, one, now[0])) == []
            now[0] += value                                                 # type: ignore[operator]
            assert desk.observe(CallEvent(Phase.ENDED, one, now[0])) == []
            ends[account] = now[0] + WINDOW
            assert [row[0] for row in figures(account)] == [row[0] for row in before]
        for account, end in ends.items():
            if now[0] >= end:
                continue
            before = figures(account)
            back = attempt(account, Direction.INBOUND, "12025550101", medium)
            if asked or medium is Medium.MESSAGE:
                decision = desk.admit(back)
                assert decision.verdict is decision.would_be is Verdict.ALLOW
                assert (decision.hold, decision.shed, decision.max_duration) == (0.0, False, None)
            else:
                assert desk.observe(CallEvent(Phase.STARTED, back, now[0])) == []
            assert figures(account) == before
            ends_it = [a for a in desk.round("pbx1", now[0]) if isinstance(a, HangUp | LimitDuration)]
            assert back.call_id not in {a.call_id for a in ends_it}
        while waiting:
            waiting.pop(0)()
    assert ledger.verify() == []
