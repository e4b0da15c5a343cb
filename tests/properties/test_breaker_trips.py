"""The breaker never trips below its sample, and always within so many calls where everything is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.band import Band
from enforcer.domain.breaker import Breaker
from tests.support.rules import NOON
from tests.unit.test_breaker_band import decided, found

calls = st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.integers(0, 30)), max_size=300)


@given(calls, st.integers(1, 60), st.integers(1, 12))
def test_it_trips_only_on_a_sample_that_is_large_enough_and_only_above_its_shares(
    some: list[tuple[int, bool, int]], least_calls: int, least_accounts: int
) -> None:
    band = Band(least_calls=least_calls, least_accounts=least_accounts)
    one = Breaker(band)
    at = NOON
    seen: list[tuple[str, bool]] = []
    for account, refused, later in some:
        at += later / 10            # all of them within the shortest window but a few
        name = f"a{account}"
        seen.append((name, refused))
        if refused:
            one.decided(decided(name, found()), at)
        else:
            one.called(name, at)
        trip = one.look(at)
        if trip is not None:
            hit = {who for who, bad in seen if bad}
            assert len(hit) >= least_accounts
            assert len(seen) >= least_calls
            shares = (trip.figures.share("accounts"), trip.figures.share("calls"))
            assert shares[0] > band.accounts or (shares[1] > band.calls and shares[0] > band.least_share)


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 50))
def test_where_everything_is_refused_it_trips_within_its_sample(
    least_calls: int, least_accounts: int, before: int
) -> None:
    one = Breaker(Band(least_calls=least_calls, least_accounts=least_accounts))
    for nth in range(before):           # an hour's peace before does not hide it
        one.called(f"a{nth}", NOON - 600)
    enough = max(least_calls, least_accounts)
    for nth in range(enough):
        assert before or one.look(NOON + nth / 100) is None
        one.decided(decided(f"b{nth % least_accounts}", found()), NOON + nth / 100)
    assert one.look(NOON + enough / 100) is not None
