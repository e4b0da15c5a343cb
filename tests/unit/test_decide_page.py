"""The page that decides, read aloud: who is exempt, what leads, what is capped, and the words."""

from __future__ import annotations

import pytest

from enforcer.domain.account import Account, Standing
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Decision, Level, Verdict
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.policy import Seat
from enforcer.domain.rules import Rule
from enforcer.domain.usage import Tally
from tests.support.rules import NOON, attempt, rule

ACME = Account("acme", "acme")
MINUTE = 60_000


def ask(
    *seats: tuple[Rule, Tally],
    account: Account = ACME,
    mode: Mode = Mode.BLOCK,
    settings: tuple[ModeSetting, ...] = (),
    kind: NumberClass = NumberClass.ORDINARY,
    direction: Direction = Direction.OUTBOUND,
) -> Decision:
    return decide(
        attempt(account=account.id, direction=direction), kind, account, [Seat(*s) for s in seats],
        Modes(settings, default=mode), "d1-1", "pack@1",
    )


def test_a_call_within_every_limit_goes_and_says_so() -> None:
    decision = ask((rule("attempts", 100, 80), Tally(attempts=80)))
    assert (decision.verdict, decision.would_be, decision.sip_code) == (Verdict.ALLOW, Verdict.ALLOW, 0)
    assert decision.reason == "within every limit"
    assert decision.usage == ()
    assert (decision.decision_id, decision.at, decision.policy) == ("d1-1", NOON, "pack@1")


def test_a_reason_names_rule_numbers_and_clause_of_every_finding() -> None:
    decision = ask(
        (rule("asr", 4, 3), Tally(attempts=31, completed=10)),
        (rule("attempts", 30), Tally(attempts=31)),
    )
    assert decision.reason == (
        "asr: attempts per completed call 31/10 = 3.1, limit 3 (clause of asr); "
        "attempts: attempts this cycle 31, limit 30 (clause of attempts)"
    )
    assert (decision.rule, decision.clause, decision.sip_code) == ("attempts", "clause of attempts", 403)
    assert decision.tags == ("asr.warning", "attempts.critical")


@pytest.mark.parametrize(("mode", "verdict"), [
    (Mode.OFF, Verdict.ALLOW), (Mode.MONITOR, Verdict.ALLOW), (Mode.TAG, Verdict.TAG),
    (Mode.THROTTLE, Verdict.THROTTLE), (Mode.BLOCK, Verdict.BLOCK),
])
def test_a_mode_caps_the_verdict_and_nothing_else(mode: Mode, verdict: Verdict) -> None:
    decision = ask((rule("attempts", 30), Tally(attempts=31)), mode=mode)
    assert (decision.verdict, decision.would_be) == (verdict, Verdict.BLOCK)
    assert decision.refused is (mode is Mode.BLOCK)
    assert decision.rule == "attempts"
    assert "31, limit 30" in decision.reason


def test_a_mode_may_be_set_for_one_rule_of_one_account() -> None:
    over = (rule("attempts", 30), Tally(attempts=31))
    one = ModeSetting(Mode.TAG, account="acme", rule="attempts")
    assert ask(over, settings=(one,)).verdict is Verdict.TAG
    assert ask(over, settings=(one,), account=Account("globex", "globex")).verdict is Verdict.BLOCK


def test_the_first_of_the_severest_findings_leads() -> None:
    quiet = ModeSetting(Mode.MONITOR, rule="asr")
    seats = [
        (rule("asr", 4), Tally(attempts=40)),
        (rule("attempts", 30, verdict=Verdict.TAG), Tally(attempts=40)),
        (rule("attempts", 20, name="again", verdict=Verdict.TAG), Tally(attempts=40)),
    ]
    assert ask(*seats).rule == "asr"
    milder = ask(*seats, settings=(quiet,))
    assert (milder.rule, milder.verdict, milder.would_be) == ("attempts", Verdict.TAG, Verdict.BLOCK)


@pytest.mark.parametrize(("mode", "shed", "code"), [
    (Mode.TAG, False, 0), (Mode.THROTTLE, True, 503), (Mode.BLOCK, True, 503),
])
def test_a_trunk_that_is_full_sheds(mode: Mode, shed: bool, code: int) -> None:
    full = Tally(attempts=4, talking=4)
    decision = ask((rule("concurrent_calls", 3, verdict=Verdict.THROTTLE), full), mode=mode)
    assert (decision.shed, decision.sip_code, decision.hold, decision.refused) == (shed, code, 0.0, shed)


def test_what_is_left_of_the_minutes_is_the_longest_the_call_may_last() -> None:
    ten, five = rule("minutes", 10, 4), rule("minutes", 5, name="five")
    decision = ask((ten, Tally(msec=4 * MINUTE)), (five, Tally(msec=4 * MINUTE)))
    assert (decision.verdict, decision.max_duration, decision.rule) == (Verdict.TAG, 60, "minutes")
    silent = ask((five, Tally(msec=4 * MINUTE)))
    assert (silent.verdict, silent.max_duration, silent.reason) == (Verdict.ALLOW, 60, "within every limit")


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.MONITOR, Mode.TAG, Mode.THROTTLE])
def test_only_block_mode_cuts_a_call_short(mode: Mode) -> None:
    assert ask((rule("minutes", 10, 4), Tally(msec=4 * MINUTE)), mode=mode).max_duration is None


def test_a_blocked_call_has_no_duration() -> None:
    decision = ask((rule("minutes", 10), Tally()), (rule("attempts", 1), Tally(attempts=2)))
    assert (decision.verdict, decision.max_duration) == (Verdict.BLOCK, None)


@pytest.mark.parametrize(("kind", "direction", "verdict"), [
    (NumberClass.PREMIUM, Direction.OUTBOUND, Verdict.BLOCK),
    (NumberClass.ORDINARY, Direction.OUTBOUND, Verdict.ALLOW),
    (NumberClass.PREMIUM, Direction.INBOUND, Verdict.ALLOW),
])
def test_a_rule_judges_only_the_calls_it_counts(
    kind: NumberClass, direction: Direction, verdict: Verdict
) -> None:
    premium = rule("attempts", 5, measure=Measure(only=frozenset({NumberClass.PREMIUM})))
    decision = ask((premium, Tally(attempts=6)), kind=kind, direction=direction)
    assert decision.verdict is verdict
    assert bool(decision.usage) is (verdict is Verdict.BLOCK)


def test_calls_that_are_not_metered_go_on_when_the_minutes_are_used_up() -> None:
    metered = rule("minutes", 10, measure=Measure(without=frozenset({NumberClass.TOLL_FREE})))
    used_up = Tally(msec=10 * MINUTE)
    assert ask((metered, used_up), kind=NumberClass.TOLL_FREE).verdict is Verdict.ALLOW
    assert ask((metered, Tally()), kind=NumberClass.TOLL_FREE).max_duration is None
    assert ask((metered, used_up)).verdict is Verdict.BLOCK


@pytest.mark.parametrize(("standing", "direction", "verdict"), [
    (Standing.ACTIVE, Direction.OUTBOUND, Verdict.ALLOW),
    (Standing.SUSPENDED, Direction.OUTBOUND, Verdict.BLOCK),
    (Standing.SUSPENDED, Direction.INBOUND, Verdict.ALLOW),
    (Standing.SUSPENDED, Direction.INTERNAL, Verdict.BLOCK),
    (Standing.TERMINATED, Direction.OUTBOUND, Verdict.BLOCK),
    (Standing.TERMINATED, Direction.INBOUND, Verdict.BLOCK),
])
def test_suspended_accounts_may_be_called_and_terminated_ones_not(
    standing: Standing, direction: Direction, verdict: Verdict
) -> None:
    account = Account("acme", "acme", standing=standing, standing_reason="unpaid since June")
    for mode in (Mode.BLOCK, Mode.MONITOR):     # a person's word on one account needs no mode
        decision = ask(account=account, direction=direction, mode=mode)
        assert decision.verdict is verdict
        if verdict is Verdict.BLOCK:
            assert (decision.sip_code, decision.clause) == (403, "unpaid since June")
            assert f"account {standing.value}" in decision.reason


@pytest.mark.parametrize(("default", "ceiling", "verdict"), [
    (Mode.MONITOR, Mode.MONITOR, Verdict.ALLOW), (Mode.BLOCK, Mode.MONITOR, Verdict.ALLOW),
    (Mode.MONITOR, Mode.TAG, Verdict.TAG), (Mode.OFF, Mode.THROTTLE, Verdict.THROTTLE),
    (Mode.MONITOR, Mode.BLOCK, Verdict.BLOCK),
])
def test_the_site_ceiling_goes_before_a_suspension(default: Mode, ceiling: Mode, verdict: Verdict) -> None:
    account = Account("acme", "acme", standing=Standing.SUSPENDED)
    decision = ask(account=account, mode=default, settings=(ModeSetting(ceiling, ceiling=True),))
    assert (decision.verdict, decision.would_be) == (verdict, Verdict.BLOCK)


def test_a_call_without_an_account_goes() -> None:
    decision = ask((rule("attempts", 1), Tally(attempts=9)), account=Account("", ""))
    assert (decision.verdict, decision.reason) == (Verdict.ALLOW, "exempt: belongs to no account")


def test_levels_are_ordered_as_their_consequences() -> None:
    assert list(Level) == sorted(Level)
    assert [verdict.word for verdict in sorted(Verdict)] == ["allow", "tag", "throttle", "block"]
