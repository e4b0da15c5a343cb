"""Count and decide: how long one attempt takes, from one account to a million, from no live call
to fifty thousand."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path
from time import perf_counter, perf_counter_ns

from enforcer.domain.account import Account
from enforcer.domain.call import CallAttempt, CallEvent, Direction, NumberClass, Phase
from enforcer.domain.decide import decide
from enforcer.domain.decision import Verdict
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.policy import Pack, Policy
from enforcer.domain.rules import KINDS, Pace, Rule, RuleSpec, Step
from enforcer.domain.usage import Tally
from enforcer.ledger.books import Books
from enforcer.packs import load
from enforcer.wire.answer import SIP_CODES
from tests.bench.report import Figure, at_least, at_most, percentile

NOON = 1_795_000_000.0
CALLS = 20_000
POLICIES = Path(__file__).parents[2] / "policies"


def policy() -> Policy:
    """Five rules, as a carrier would combine them: four per account, the ratio per customer."""

    def rule(kind: str, at: int, verdict: Verdict, scope: Scope = Scope.ACCOUNT, **more: object) -> Rule:
        cls = KINDS[kind]
        spec = RuleSpec(
            kind, kind, f"clause {kind}", cls.measured(Measure(scope)), Step(Fraction(at), verdict),
            Step(Fraction(at) * Fraction(3, 4), Verdict.TAG), policy="bench@1", **more,  # type: ignore[arg-type]
        )
        return cls(spec)

    rules = [
        rule("asr", 4, Verdict.THROTTLE, Scope.CUSTOMER, min_attempts=100),
        rule("attempts", 1_000_000, Verdict.BLOCK),
        rule("minutes", 1_000_000, Verdict.BLOCK),
        rule("concurrent_calls", 100_000, Verdict.THROTTLE),
        rule("cps", 100_000, Verdict.THROTTLE, pace=Pace(max_hold=2.0)),
    ]
    return Policy(rules, [Pack("bench", "1")])


def shipped() -> Policy:
    """Both packs of this repository, as they are."""
    return load([POLICIES / "ip2call.toml", POLICIES / "247voip.toml"], SIP_CODES)


def books(accounts: int, live: int, rules: Policy | None = None) -> Books:
    """Books in which every account has called, and `live` calls are in progress on the first one."""
    found = Books(lambda _number: NumberClass.ORDINARY, lambda _call: None, lambda: NOON, lambda *_: Tally())
    found.begin(rules or policy(), (Account(f"a{n}", f"c{n % 1000}") for n in range(accounts)), float("-inf"))
    for n in range(accounts):
        found.seats(f"a{n}", NOON)
    for n in range(live):
        found.apply(CallEvent(Phase.STARTED, attempt(f"live{n}", "a0", NOON), NOON))
    return found


def attempt(call: str, account: str, at: float) -> CallAttempt:
    """One seizure."""
    return CallAttempt(
        f"pbx1/{call}", "pbx1", account, Direction.OUTBOUND, "12125551234", "100", at, "PJSIP/a-1"
    )


def timed(accounts: int, live: int, rules: Policy | None = None) -> list[float]:
    """Microseconds of each of `CALLS` attempts, each on the next account."""
    found = books(accounts, live, rules)
    modes = Modes(default=Mode.BLOCK)
    known = found.account("a0")
    took: list[float] = []
    gc.collect()
    gc.freeze()
    for n in range(CALLS):
        one = attempt(f"{n}", f"a{n % accounts}", NOON + n * 0.001)
        begin = perf_counter_ns()
        found.apply(CallEvent(Phase.STARTED, one, one.at))
        seats = found.seats(one.account, one.at)
        decide(one, NumberClass.ORDINARY, known, seats, modes, "d-1", "bench@1")
        took.append((perf_counter_ns() - begin) / 1000)
    gc.unfreeze()
    return took


def rate() -> float:
    """Decisions a second on one core, counting included, a thousand accounts."""
    found = books(1000, 0)
    modes = Modes(default=Mode.BLOCK)
    known = found.account("a0")
    attempts = [attempt(f"{n}", f"a{n % 1000}", NOON + n * 0.001) for n in range(50_000)]
    begin = perf_counter()
    for one in attempts:
        found.apply(CallEvent(Phase.STARTED, one, one.at))
        seats = found.seats(one.account, one.at)
        decide(one, NumberClass.ORDINARY, known, seats, modes, "d-1", "bench@1")
    return len(attempts) / (perf_counter() - begin)


def run() -> list[Figure]:
    """All figures of this page."""
    figures = [at_least("decisions a second, one core", max(rate() for _ in range(3)), "/s", 100_000)]
    for accounts, live in ((1, 0), (1000, 0), (1000, 50_000), (1_000_000, 0)):
        took = timed(accounts, live)
        where = f"{accounts:,} accounts, {live:,} live"
        figures.append(Figure(f"p50, {where}", percentile(took, 0.5), "us"))
        figures.append(at_most(f"p99, {where}", percentile(took, 0.99), "us", 100))
    rules = shipped()
    took = timed(1000, 0, rules)
    where = f"1,000 accounts, both shipped packs ({len(rules.rules)} rules)"
    return [
        *figures, Figure(f"p50, {where}", percentile(took, 0.5), "us"),
        at_most(f"p99, {where}", percentile(took, 0.99), "us", 100),
    ]
