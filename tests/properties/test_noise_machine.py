"""Events shuffled, repeated, delayed and dropped; then the CDRs: not one call, not one counter is off.

The book of calls and the ledger together, on the switch's own messages. `ENFORCER_EXAMPLES` says how many
histories are tried; `python -m tests.campaigns.drift` tries them for an hour.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from enforcer.ledger import at_hand
from enforcer.ledger.sqlite import SqliteLedger
from tests.support.ledgers import PATIENCE, classify
from tests.support.noise import ACCOUNTS, Noise

places = st.integers(0, 10_000)


class NoiseMachine(RuleBasedStateMachine):
    """A switch that is heard badly. At the end, and whenever `reconcile` is drawn, all has to be right."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        path = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "ledger.db"
        self.remembered, at_hand.REMEMBER_CALLS = at_hand.REMEMBER_CALLS, 3
        self.noise = Noise(lambda clock: SqliteLedger(path, classify, clock, PATIENCE))

    @rule(
        account=st.sampled_from(ACCOUNTS), ring=st.sampled_from((0, 1, 999, 2500)),
        talk=st.one_of(st.none(), st.sampled_from((0, 1, 999, 1000, 5999, 6000, 6001, 61_500))),
        pause=st.sampled_from((0, 1, 400, 999, 60_000)),
    )
    def call(self, account: str, ring: int, talk: int | None, pause: int) -> None:
        self.noise.call(account, ring, talk, pause)

    @rule(draws=st.lists(st.tuples(places, st.integers(1, 3), st.booleans()), min_size=1, max_size=6))
    def deliver(self, draws: list[tuple[int, int, bool]]) -> None:
        for place, times, again in draws:
            self.noise.deliver(place % max(1, len(self.noise.waiting)), times, again)

    @rule()
    def deliver_in_order(self) -> None:
        while self.noise.waiting:
            self.noise.deliver(0, 1, again=False)

    @rule(place=places)
    def drop(self, place: int) -> None:
        self.noise.drop(place % max(1, len(self.noise.waiting)))

    @rule()
    def lose_link(self) -> None:
        self.noise.lose_link()

    @rule()
    def restart(self) -> None:
        self.noise.restart()

    @rule(data=st.data())
    def read_some_cdrs(self, data: st.DataObject) -> None:
        if self.noise.unwritten:
            self.noise.read_cdrs(data.draw(st.lists(st.sampled_from(self.noise.unwritten), max_size=4)))

    @rule()
    def reconcile(self) -> None:
        assert self.noise.wrong() == []
        assert self.noise.ledger.verify() == []

    def teardown(self) -> None:
        try:
            self.reconcile()
        finally:
            at_hand.REMEMBER_CALLS = self.remembered
            self.noise.ledger.close()
            self.stack.close()


NoiseMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("ENFORCER_EXAMPLES", "20")), stateful_step_count=25, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestNoiseMachine = NoiseMachine.TestCase
