"""Whatever happens, in whatever order, as often as it likes: counters equal records, everywhere.

Events are shuffled, repeated and lost; calls are refused, cycles close, accounts and policies change,
the ledger restarts, another process imports CDRs. After every step the memory ledger (the oracle), the
books of the SQLite ledger, its rows counted one by one and its rows added up by SQL all agree.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from enforcer.domain.account import Account
from enforcer.domain.call import CallEvent, Direction, Medium, NumberClass, Refusal, Source
from enforcer.domain.cycle import BillingCycle, Period
from enforcer.domain.measure import Calendar, Measure, Scope, Window
from enforcer.domain.policy import Policy
from enforcer.domain.usage import recount
from enforcer.ledger import at_hand, foreign
from enforcer.ledger.memory import MemoryLedger
from enforcer.ledger.sqlite import SqliteLedger
from tests.support import rules
from tests.support.ledgers import BOTH, DAY, PATIENCE, POLICY, Call, Clock, classify
from tests.support.rules import NOON

ACCOUNTS = ("acme", "apex")
CUSTOMERS = (*ACCOUNTS, "big")
POLICIES = (
    POLICY,
    Policy(),
    Policy([
        rules.rule("minutes", 9, measure=Measure(short_msec=3000, short_includes_equal=True)),
        rules.rule("attempts", 9, measure=Measure(Scope.CUSTOMER, directions=BOTH)),
        rules.rule("asr", 9, measure=Measure(without=frozenset({NumberClass.INTERNAL}))),
        rules.rule("concurrent_calls", 9, measure=Measure(Scope.CUSTOMER, directions=BOTH)),
    ]),
    Policy([
        rules.rule("distinct_numbers", 9, measure=Measure(window=Window.ROLLING, seconds=86_400)),
        rules.rule("same_number", 9, measure=Measure(window=Window.ROLLING, seconds=86_400, directions=BOTH)),
        rules.rule("redials", 9, measure=Measure(redial_seconds=600)),
        rules.rule("attempts", 9, measure=Measure(calendar=Calendar(Period.DAY, 0, "Asia/Kathmandu"))),
        rules.rule("messages", 9, measure=Measure(Scope.CUSTOMER, directions=BOTH)),
        rules.rule("failed_calls", 9, measure=Measure(Scope.CUSTOMER, per_leg=True)),
        rules.rule("duration_cliff", 9, measure=Measure(near_msec=3000)),
        rules.rule("class_share", 9, measure=Measure(marked=frozenset({NumberClass.INTERNAL}))),
        rules.rule("minutes", 9, measure=Measure(routes=frozenset({"a"}), directions=BOTH)),
        rules.rule("sequential_numbers", 9, measure=Measure(
            Scope.CUSTOMER, window=Window.ROLLING, seconds=3600, directions=BOTH, mediums=frozenset(Medium),
        )),
    ]),
)
# When calls begin: in three cycles, near their edges, ahead of the clock, and in a year nobody means.
STARTS = (-45 * DAY, -DAY, -0.5, 0.0, 0.25, 200.0, 3000.0, 8.4 * DAY, 8.6 * DAY, 12 * DAY, 26_000 * DAY)
CALLS = tuple(
    Call(
        f"{n}", ACCOUNTS[n % 2], ("12125550100", "100", "112")[n % 5 % 3], NOON + start,
        direction=Direction.INBOUND if n % 4 == 3 else Direction.OUTBOUND,
        medium=Medium.MESSAGE if n % 6 == 5 else Medium.CALL, route=("", "a", "b")[n % 3],
        legs=("", "PJSIP/a-1", "PJSIP/a-1 PJSIP/b-2")[n % 3],
    )
    for n, start in enumerate(STARTS * 2)
)

calls = st.sampled_from(CALLS)
seconds = st.sampled_from((0.0, 0.4, 2.9999, 3.0, 5.999, 6.0, 61.5))
accounts = st.builds(
    Account, st.sampled_from(ACCOUNTS), st.sampled_from(CUSTOMERS), anchor_day=st.sampled_from((1, 15, 31)),
    timezone=st.sampled_from(("UTC", "Asia/Kathmandu")),
)


@st.composite
def events(draw: st.DrawFn) -> CallEvent:
    """One thing that may be told of a call, by whoever tells it."""
    call = draw(calls)
    call.answer = call.start + 2 if draw(st.booleans()) else None
    if call.medium is Medium.MESSAGE:
        return call.sent()
    match draw(st.sampled_from(("started", "answered", "ended", "cdr", "gone"))):
        case "started":
            return call.started()
        case "answered":
            return call.answered()
        case "ended":
            return call.ended(draw(seconds))
        case "cdr":
            return call.cdr(int(draw(seconds)))
        case _:
            return call.ended(draw(seconds), source=Source.INFERRED)


class LedgerMachine(RuleBasedStateMachine):
    """Everything is told to both ledgers; `check` compares after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.path = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "ledger.db"
        self.remembered = at_hand.REMEMBER_CALLS, foreign.CALLS_AT_ONCE
        at_hand.REMEMBER_CALLS, foreign.CALLS_AT_ONCE = 3, 2      # so that little is needed to forget
        self.clock = Clock()
        self.policy = POLICY
        self.memory = MemoryLedger(classify, self.clock)
        self.sqlite = self.open()

    def open(self) -> SqliteLedger:
        return SqliteLedger(self.path, classify, self.clock, PATIENCE)

    @initialize()
    def begin(self) -> None:
        self.memory.use(self.policy)
        self.sqlite.use(self.policy)

    @rule(event=events(), times=st.integers(1, 2))
    def tell(self, event: CallEvent, times: int) -> None:
        for _ in range(times):
            assert self.memory.apply(event) == self.sqlite.apply(event)

    @rule(call=calls, refusal=st.sampled_from((Refusal.BLOCKED, Refusal.SHED)))
    def refuse(self, call: Call, refusal: Refusal) -> None:
        # Only the memory ledger would refuse a call that it had to look up; no switch asks for that.
        if self.sqlite.call(call.id) in self.sqlite.live():
            self.memory.refuse(call.id, refusal)
            self.sqlite.refuse(call.id, refusal)

    @rule(rows=st.lists(events(), max_size=6))
    def absorb(self, rows: list[CallEvent]) -> None:
        assert self.memory.absorb(rows) == self.sqlite.absorb(rows)

    @rule(rows=st.lists(events(), max_size=6), flushed=st.booleans())
    def absorb_elsewhere(self, rows: list[CallEvent], flushed: bool) -> None:
        """Another process imports, while ours may still have rows to write."""
        if flushed:
            self.sqlite.flush()
        self.memory.absorb(rows)
        cli = self.open()
        cli.absorb(rows)
        cli.close()

    @rule()
    def look(self) -> None:
        self.memory.changed_elsewhere()
        self.sqlite.changed_elsewhere()

    @rule(account=accounts, elsewhere=st.booleans())
    def put_account(self, account: Account, elsewhere: bool) -> None:
        self.memory.put_accounts([account])
        if elsewhere:
            cli = self.open()
            cli.put_accounts([account])
            cli.close()
            self.settle()
        else:
            self.sqlite.put_accounts([account])

    @rule(policy=st.sampled_from(POLICIES))
    def use(self, policy: Policy) -> None:
        self.policy = policy
        self.begin()

    @precondition(lambda self: self.clock.now < NOON + 40 * DAY)
    @rule(after=st.sampled_from((60.0, 3600.0, 8.5 * DAY, 20 * DAY)))
    def wait(self, after: float) -> None:
        self.clock.now += after

    @rule(account=st.sampled_from(ACCOUNTS))
    def ask(self, account: str) -> None:
        self.memory.seats(account, self.clock.now)
        self.sqlite.seats(account, self.clock.now)

    @rule(counting=st.booleans())
    def restart(self, counting: bool) -> None:
        self.sqlite.close()
        self.sqlite = self.open()
        self.sqlite.use(self.policy)
        if counting:
            self.memory.use(self.policy)

    def settle(self) -> None:
        self.sqlite.flush()
        while self.sqlite.changed_elsewhere():
            pass

    @invariant()
    def check(self) -> None:
        assert self.memory.verify() == []
        assert self.sqlite.verify() == []
        records = list(self.memory.calls())
        assert list(self.sqlite.calls()) == records
        assert {r.call_id for r in self.sqlite.live()} == {r.call_id for r in records if r.live}
        spans = [BillingCycle(day).at(NOON + at * DAY) for day in (1, 15) for at in (-45, 0, 10)]
        for scope, keys in ((Scope.ACCOUNT, ACCOUNTS), (Scope.CUSTOMER, CUSTOMERS)):
            for key in keys:
                mine = [r for r in records if (r.account if scope is Scope.ACCOUNT else r.customer) == key]
                for measure in self.policy.measures[scope][:5]:
                    span = spans[len(records) % len(spans)]
                    cycles = measure.window is Window.CYCLE
                    of_span = [r for r in mine if not cycles or span.holds(r.started_at)]
                    derived = self.sqlite.derive(
                        scope, key, measure,
                        measure.rolling_span(self.clock.now) if measure.window is Window.ROLLING else span,
                    )
                    assert derived.figures == recount(of_span, measure, self.clock.now).figures
        for account in ACCOUNTS:
            for ledger in (self.memory, self.sqlite):
                ledger.seats(account, self.clock.now)
                ledger.changed_elsewhere()
            ours, theirs = (
                [(seat.rule.spec.id, seat.tally.figures) for seat in ledger.seats(account, self.clock.now)]
                for ledger in (self.memory, self.sqlite)
            )
            assert ours == theirs

    def teardown(self) -> None:
        at_hand.REMEMBER_CALLS, foreign.CALLS_AT_ONCE = self.remembered
        self.sqlite.close()
        self.stack.close()


LedgerMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("ENFORCER_EXAMPLES", "30")), stateful_step_count=25, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLedgerMachine = LedgerMachine.TestCase
