"""An emergency call or message is never blocked, throttled, held or cut short, whatever is in force."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.domain.account import Account, Standing
from enforcer.domain.call import CallAttempt, Direction, Medium, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.load import Loads
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.notice import About, Audience, Gate, Notice, NoticeTerms, Stage
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy, Seat
from enforcer.domain.registers import OptOut, Registers, Strike
from enforcer.domain.rules import KINDS, Rule
from enforcer.domain.rules.seat import File
from enforcer.domain.usage import Tally
from tests.properties.test_decide_ceiling import rules, tallies
from tests.support.rules import NOON, attempt, rule

PLANS = {country: NumberPlan(country, ["9911"]) for country in ("US", "GB", "DE", "AU")}
DIALLED = {"US": "911", "GB": "999", "DE": "112", "AU": "000"}


@given(
    st.lists(rules, max_size=5, unique_by=lambda r: r.spec.id), st.data(), st.sampled_from(Mode),
    st.sampled_from(Standing), st.sampled_from(Direction), st.sampled_from(["", "acme"]),
    st.sampled_from(sorted(DIALLED)), st.sampled_from(["{}", "{}#", " {} ", "9911"]), st.text(max_size=5),
)
def test_an_emergency_call_goes_at_once(
    policy: list[Rule], data: st.DataObject, mode: Mode, standing: Standing, direction: Direction,
    account: str, country: str, written: str, degraded: str,
) -> None:
    number = written.format(DIALLED[country])
    seats = [Seat(rule, data.draw(tallies)) for rule in Policy(policy).rules]
    settings = [ModeSetting(Mode.BLOCK, ceiling=True), ModeSetting(mode, account=account)]
    modes = Modes(settings, default=Mode.BLOCK)
    for _ in range(3):
        decision = decide(
            attempt(account=account, number=number, direction=direction), PLANS[country].classify(number),
            Account(account, account, standing=standing), seats, modes, "d", degraded=degraded,
        )
        assert decision.verdict is decision.would_be is Verdict.ALLOW
        assert (decision.hold, decision.shed, decision.sip_code) == (0.0, False, 0)
        assert decision.max_duration is None
        assert (decision.findings, decision.tags, decision.refused) == ((), (), False)
        assert decision.reason == "exempt: emergency call"
    assert all(seat.pacer is None or seat.pacer.used(decision.at) == 0 for seat in seats)


EVERY = Measure(directions=frozenset(Direction), mediums=frozenset(Medium), routes=frozenset({"carrier"}))


def against(number: str) -> Registers:
    """Everything on record that can be: strikes, and opt-outs of this very number."""
    found = Registers()
    for nth in range(9):
        found.strikes.put(Strike(f"s-{nth}", "spam", NOON, "acme", "acme"))
    for account in ("", "acme"):
        found.opt_outs.put(OptOut(number, "acme", account, NOON, "message"))
    return found


def told() -> Gate:
    """A notice that was delivered long ago, and holds."""
    gate = Gate()
    gate.learn(Notice(
        "n", Audience.CUSTOMER, About.LEVEL, "acme", "acme", "r", Level.CRITICAL, "2026-11", NOON - 10,
        grace=1.0, holds=10**9, stage=Stage.DELIVERED, delivered_at=NOON - 10,
    ))
    return gate


def busy() -> Loads:
    """A switch that is full, of this account's calls."""
    loads = Loads({"pbx1": 10})
    for account in ["acme"] * 9 + ["other"]:
        loads.of("pbx1").change(account, 1)
    return loads


@st.composite
def seats(draw: st.DrawFn, kind: str, number: str) -> list[Seat]:
    """One rule of this kind, past its limit or not, and any others; all with everything on file."""
    always = rule(kind, 1 if kind in ("cps", "strikes", "fair_share") else 0, measure=replace(
        EVERY, scope=draw(st.sampled_from(Scope)), window=draw(st.sampled_from(Window)), seconds=86_400,
    ), notice=draw(st.sampled_from([None, NoticeTerms()])), cycles=6, name="first")
    others = draw(st.lists(rules, max_size=3, unique_by=lambda one: one.spec.id))
    file = File(Account("acme", "acme"), against(number), busy(), lambda dialled: dialled)
    return [
        Seat(one, draw(tallies), None, draw(st.sampled_from([None, Gate(), told()])), file=file)
        for one in (always, *others)
    ]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(st.data())
def test_an_emergency_goes_whatever_rule_register_load_notice_standing_and_mode(
    kind: str, data: st.DataObject
) -> None:
    country = data.draw(st.sampled_from(sorted(DIALLED)))
    number = DIALLED[country]
    there = data.draw(seats(kind, number))
    modes = Modes(
        [ModeSetting(Mode.BLOCK, ceiling=True), ModeSetting(Mode.BLOCK, account="acme", rule="first")],
        default=data.draw(st.sampled_from(Mode)),
    )
    account = Account("acme", "acme", standing=data.draw(st.sampled_from(Standing)))
    for _ in range(2):
        asked = CallAttempt(
            "pbx1/1", "pbx1", "acme", data.draw(st.sampled_from(Direction)), number, "100", NOON, "",
            data.draw(st.sampled_from(["", "carrier"])), data.draw(st.sampled_from(Medium)),
        )
        back = data.draw(st.booleans())     # a call back after one is judged by its class alone
        found = NumberClass.CALLBACK if back else PLANS[country].classify(number)
        decision = decide(asked, found, account, there, modes, "d", degraded=data.draw(st.text(max_size=5)))
        assert decision.verdict is decision.would_be is Verdict.ALLOW
        assert (decision.hold, decision.shed, decision.sip_code) == (0.0, False, 0)
        assert decision.max_duration is None
        why = "call back after an emergency call" if back else "emergency call"
        assert (decision.findings, decision.exempt) == ((), why)
    assert all(seat.pacer is None or seat.pacer.used(NOON) == 0 for seat in there)


@pytest.mark.parametrize("kind", sorted({"opt_out", "strikes", "fair_share"}))
def test_the_same_of_any_other_number_is_blocked(kind: str) -> None:
    """So that what stands on file above is known to stand in the way of a call."""
    number = "+12125550199"
    file = File(Account("acme", "acme"), against(number), busy(), lambda dialled: dialled)
    seat = Seat(rule(kind, 1, measure=EVERY, notice=NoticeTerms(), cycles=6), Tally(), None, told(),
                file=file)
    asked = CallAttempt("pbx1/1", "pbx1", "acme", Direction.OUTBOUND, number, "100", NOON, "", "carrier")
    modes = Modes(default=Mode.BLOCK)
    decision = decide(asked, PLANS["US"].classify(number), file.account, [seat], modes, "d")
    assert decision.verdict is Verdict.BLOCK


@given(
    st.sampled_from(Scope), st.sampled_from(Window), st.frozensets(st.sampled_from(Direction)),
    st.frozensets(st.sampled_from(NumberClass)), st.frozensets(st.sampled_from(NumberClass)),
    st.frozensets(st.sampled_from(Medium)),
)
def test_no_measure_whatever_counts_an_emergency_call_or_a_call_back(
    scope: Scope, window: Window, directions: frozenset[Direction], only: frozenset[NumberClass],
    without: frozenset[NumberClass], mediums: frozenset[Medium],
) -> None:
    measure = Measure(scope, window, directions, only=only, without=without, mediums=mediums)
    for medium in Medium:
        for direction in Direction:
            for kind in (NumberClass.EMERGENCY, NumberClass.CALLBACK):
                assert not measure.includes(direction, kind, medium)
