"""An emergency call is never blocked, throttled, held or cut short, whatever is in force."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.account import Account, Standing
from enforcer.domain.call import Direction
from enforcer.domain.decide import decide
from enforcer.domain.decision import Verdict
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy, Seat
from enforcer.domain.rules import Rule
from tests.properties.test_decide_ceiling import rules, tallies
from tests.support.rules import attempt

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
