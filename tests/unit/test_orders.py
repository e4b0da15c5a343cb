"""Standing orders: who may call unasked, what a switch does alone, and when orders are renewed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from enforcer import posts
from enforcer.domain.account import Account, AccountType, Standing
from enforcer.domain.actions import GrantLease, RememberWord, SetBrake, WithdrawLease
from enforcer.domain.call import CallAttempt, Direction, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import Decision, OnFailure, Verdict
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.policy import Seat
from enforcer.domain.rules import KINDS, RuleSpec, Step
from enforcer.domain.usage import Tally
from enforcer.orders import LeaseTerms, Orders

BLOCKING = Modes(default=Mode.BLOCK)
TERMS = LeaseTerms(seconds=60, headroom=50, word_seconds=900, brake_seconds=86_400)
NOON = 1_795_000_000.0


def rule_seat(kind: str, at: int, tally: Tally | None = None, **more: object) -> Seat:
    cls = KINDS[kind]
    critical = Step(Fraction(at), Verdict.BLOCK if kind in ("attempts", "minutes") else Verdict.THROTTLE)
    spec = RuleSpec(kind, kind, f"clause of {kind}", cls.measured(Measure()), critical, **more)  # type: ignore[arg-type]
    return Seat(cls(spec), tally or Tally())


class Exchange:
    """Accounts and their seats, as a ledger would give them."""

    def __init__(self, *seats: Seat, standing: Standing = Standing.ACTIVE) -> None:
        self.seats_of_all = seats
        self.standing = standing
        self.orders = Orders(TERMS, self.seats, self.account)

    def seats(self, account: str, at: float) -> Sequence[Seat]:
        return self.seats_of_all

    def account(self, account: str) -> Account:
        return Account(account, account, standing=self.standing)

    def decision(self, at: float = NOON, account: str = "acme") -> Decision:
        attempt = CallAttempt(f"pbx1/{at}", "pbx1", account, Direction.OUTBOUND, "5551234", "", at)
        about = self.account(account)
        return decide(attempt, NumberClass.ORDINARY, about, self.seats_of_all, BLOCKING, "d-1")


def test_account_far_from_limits_gets_a_lease_that_expires() -> None:
    exchange = Exchange(rule_seat("attempts", 1000))
    exchange.orders.decided(exchange.decision())
    assert exchange.orders.round("pbx1", NOON, BLOCKING) == [GrantLease("acme", int(NOON) + 60)]


def test_lease_is_not_written_twice_before_half_its_life_is_over() -> None:
    exchange = Exchange(rule_seat("attempts", 1000))
    exchange.orders.decided(exchange.decision())
    exchange.orders.round("pbx1", NOON, BLOCKING)
    assert exchange.orders.round("pbx1", NOON + 2, BLOCKING) == []
    assert exchange.orders.round("pbx1", NOON + 30, BLOCKING) == [GrantLease("acme", int(NOON) + 90)]


def test_account_near_a_limit_gets_no_lease() -> None:
    exchange = Exchange(rule_seat("attempts", 1000, Tally(attempts=960)))
    exchange.orders.decided(exchange.decision())
    assert exchange.orders.round("pbx1", NOON, BLOCKING) == []


def test_an_indicator_that_only_tags_leaves_the_lease_until_it_is_close() -> None:
    cls = KINDS["attempts"]
    spec = RuleSpec("i", "attempts", "clause", cls.measured(Measure()), Step(Fraction(20), Verdict.TAG))
    far, close = Seat(cls(spec), Tally(attempts=15)), Seat(cls(spec), Tally(attempts=16))
    assert Exchange(far).orders.leasable("acme", NOON, "pbx1")
    assert not Exchange(close).orders.leasable("acme", NOON, "pbx1")


def test_per_call_rule_allows_no_lease_but_leaves_a_brake() -> None:
    exchange = Exchange(rule_seat("cps", 5), rule_seat("concurrent_calls", 3))
    exchange.orders.decided(exchange.decision())
    assert exchange.orders.round("pbx1", NOON, BLOCKING) == [SetBrake("acme", 3, 5, int(NOON) + 86_400)]


@pytest.mark.parametrize("some", [
    {"routes": frozenset({"carrier"})}, {"only": frozenset({NumberClass.PREMIUM})},
    {"without": frozenset({NumberClass.TOLL_FREE})}, {"without_inbound": frozenset({NumberClass.TOLL_FREE})},
])
@pytest.mark.parametrize("kind", ["concurrent_calls", "cps"])
def test_a_rule_about_some_calls_leaves_no_brake_for_all_of_them(
    kind: str, some: dict[str, frozenset[str]]
) -> None:
    """The switch would count every call against it while nobody can be asked."""
    for measure, brakes in ((Measure(), 1), (Measure(**some), 0)):      # type: ignore[arg-type]
        cls = KINDS[kind]
        spec = RuleSpec(kind, kind, "clause", cls.measured(measure), Step(Fraction(5), Verdict.THROTTLE))
        exchange = Exchange(Seat(cls(spec), Tally()))
        exchange.orders.decided(exchange.decision())
        orders = exchange.orders.round("pbx1", NOON, BLOCKING)
        assert sum(isinstance(order, SetBrake) for order in orders) == brakes


def test_brake_follows_the_mode_down() -> None:
    exchange = Exchange(rule_seat("concurrent_calls", 3))
    exchange.orders.decided(exchange.decision())
    exchange.orders.round("pbx1", NOON, BLOCKING)
    exchange.orders.look_again()
    lifted = exchange.orders.round("pbx1", NOON + 4, Modes(default=Mode.TAG))
    assert lifted == [SetBrake("acme", 0, 0, int(NOON) + 4 + 86_400)]


def test_leased_account_that_comes_near_a_limit_loses_its_lease_at_that_call() -> None:
    tally = Tally()
    exchange = Exchange(rule_seat("attempts", 1000, tally))
    exchange.orders.decided(exchange.decision())
    exchange.orders.round("pbx1", NOON, BLOCKING)
    tally.attempts = 950
    assert exchange.orders.called("pbx1", "acme", NOON + 1) == []
    tally.attempts = 951
    assert exchange.orders.called("pbx1", "acme", NOON + 2) == [WithdrawLease("acme")]
    assert exchange.orders.called("pbx1", "acme", NOON + 3) == []


def test_suspended_account_has_no_lease() -> None:
    exchange = Exchange(rule_seat("attempts", 1000))
    exchange.orders.decided(exchange.decision())
    exchange.orders.round("pbx1", NOON, BLOCKING)
    exchange.standing = Standing.SUSPENDED
    exchange.orders.look_again()
    assert WithdrawLease("acme") in exchange.orders.round("pbx1", NOON + 1, BLOCKING)


def test_suspended_account_is_stopped_by_the_switch_alone_even_if_it_never_called() -> None:
    exchange = Exchange(rule_seat("attempts", 1000), standing=Standing.SUSPENDED)
    word = RememberWord("acme", "block:21:0:0:standing:", int(NOON) + 86_400)
    assert exchange.orders.everything("pbx1", NOON, BLOCKING, ["acme"]) == [word]
    exchange.orders.look_again(["globex"])
    (other,) = exchange.orders.round("pbx1", NOON + 2, BLOCKING)
    assert isinstance(other, RememberWord)
    assert other.account == "globex"


def test_an_account_that_people_let_go_is_let_go_at_once_also_where_the_clock_is_behind_ours() -> None:
    exchange = Exchange(rule_seat("attempts", 1000), standing=Standing.SUSPENDED)
    exchange.orders.look_again(["acme"])
    exchange.orders.everything("pbx1", NOON, BLOCKING, ["acme", *(f"other{n}" for n in range(2_500))])
    exchange.standing = Standing.ACTIVE
    exchange.orders.look_again()
    [first, *_] = exchange.orders.round("pbx1", NOON - 3600, BLOCKING)
    assert isinstance(first, RememberWord)
    assert (first.account, first.word) == ("acme", "allow:0:0:0::")


def test_word_on_a_suspended_account_yields_to_the_panic_button() -> None:
    exchange = Exchange(rule_seat("attempts", 1000), standing=Standing.SUSPENDED)
    exchange.orders.everything("pbx1", NOON, BLOCKING, ["acme"])
    panic = Modes([ModeSetting(Mode.MONITOR, ceiling=True, at=1.0)], default=Mode.BLOCK)
    exchange.orders.look_again(["acme"])
    (word,) = exchange.orders.round("pbx1", NOON + 2, panic)
    assert isinstance(word, RememberWord)
    assert word.word.startswith("allow:")


def test_account_that_stopped_calling_is_forgotten() -> None:
    exchange = Exchange(rule_seat("attempts", 1000))
    exchange.orders.decided(exchange.decision())
    exchange.orders.round("pbx1", NOON, BLOCKING)
    for minute in range(1, 5):
        exchange.orders.round("pbx1", NOON + 60 * minute, BLOCKING)
    assert exchange.orders.everything("pbx1", NOON + 300, BLOCKING) == []


def test_last_known_word_repeats_the_last_verdict_and_expires() -> None:
    tally = Tally(attempts=11)
    exchange = Exchange(rule_seat("attempts", 10, tally, on_failure=OnFailure.LAST_KNOWN))
    exchange.orders.decided(exchange.decision())
    (word,) = exchange.orders.round("pbx1", NOON, BLOCKING)
    assert isinstance(word, RememberWord)
    assert word.word.startswith("block:21:")
    assert word.until == int(NOON) + 900


def test_word_is_taken_back_when_the_account_is_fine_again() -> None:
    tally = Tally(attempts=11)
    exchange = Exchange(rule_seat("attempts", 10, tally, on_failure=OnFailure.LAST_KNOWN))
    exchange.orders.decided(exchange.decision())
    exchange.orders.round("pbx1", NOON, BLOCKING)
    tally.attempts = 0
    exchange.orders.decided(exchange.decision(NOON + 10))
    (word,) = exchange.orders.round("pbx1", NOON + 10, BLOCKING)
    assert isinstance(word, RememberWord)
    assert word.word.startswith("allow:")


def test_rule_that_fails_open_leaves_no_word() -> None:
    exchange = Exchange(rule_seat("attempts", 10, Tally(attempts=11)))
    exchange.orders.decided(exchange.decision())
    assert exchange.orders.round("pbx1", NOON, BLOCKING) == []


def test_rule_that_fails_closed_is_written_for_registered_accounts_that_never_called() -> None:
    exchange = Exchange(rule_seat("attempts", 1000, on_failure=OnFailure.CLOSED))
    written = exchange.orders.everything("pbx1", NOON, BLOCKING, ["acme", "globex"])
    words = {a.account: a.word for a in written if isinstance(a, RememberWord)}
    assert words == {"acme": "block:42:0:0:closed:", "globex": "block:42:0:0:closed:"}


@pytest.mark.parametrize(
    ("lowered", "verb"),
    [(Mode.THROTTLE, "throttle"), (Mode.TAG, "tag"), (Mode.MONITOR, "allow"), (Mode.OFF, "allow")],
)
def test_word_follows_the_mode_down_without_another_call(lowered: Mode, verb: str) -> None:
    exchange = Exchange(rule_seat("attempts", 10, Tally(attempts=11), on_failure=OnFailure.LAST_KNOWN))
    exchange.orders.decided(exchange.decision())
    exchange.orders.round("pbx1", NOON, BLOCKING)
    panic = Modes([ModeSetting(lowered, ceiling=True, at=NOON + 1)], Mode.BLOCK)
    exchange.orders.look_again()
    (word,) = exchange.orders.round("pbx1", NOON + 2, panic)
    assert isinstance(word, RememberWord)
    assert word.word.startswith(f"{verb}:0:0")


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.MONITOR, Mode.TAG, Mode.THROTTLE])
def test_rule_that_fails_closed_refuses_nobody_where_its_mode_does_not_block(mode: Mode) -> None:
    exchange = Exchange(rule_seat("attempts", 1000, on_failure=OnFailure.CLOSED))
    assert exchange.orders.everything("pbx1", NOON, Modes(default=mode), ["acme"]) == []
    exchange.orders.look_again()
    (raised,) = exchange.orders.round("pbx1", NOON + 1, BLOCKING)
    assert isinstance(raised, RememberWord)
    assert raised.word == "block:42:0:0:closed:"


def test_everything_is_written_again_after_a_reconnect() -> None:
    exchange = Exchange(rule_seat("attempts", 1000))
    exchange.orders.decided(exchange.decision())
    exchange.orders.round("pbx1", NOON, BLOCKING)
    assert exchange.orders.everything("pbx1", NOON + 3, BLOCKING) == [GrantLease("acme", int(NOON) + 63)]


def test_orders_of_one_switch_are_not_given_to_another() -> None:
    exchange = Exchange(rule_seat("attempts", 1000))
    exchange.orders.decided(exchange.decision())
    assert exchange.orders.round("pbx2", NOON, BLOCKING) == []
    assert len(exchange.orders.round("pbx1", NOON, BLOCKING)) == 1


def test_lease_on_another_switch_is_withdrawn_at_its_next_round() -> None:
    tally = Tally()
    exchange = Exchange(rule_seat("attempts", 1000, tally))
    for switch in ("pbx1", "pbx2"):
        exchange.orders.called(switch, "acme", NOON)
        exchange.orders.round(switch, NOON, BLOCKING)
    tally.attempts = 999
    assert exchange.orders.called("pbx1", "acme", NOON + 1) == [WithdrawLease("acme")]
    assert exchange.orders.round("pbx2", NOON + 2, BLOCKING) == [WithdrawLease("acme")]


def test_mode_set_for_one_account_lifts_only_its_brake() -> None:
    exchange = Exchange(rule_seat("concurrent_calls", 3))
    modes = Modes([ModeSetting(Mode.MONITOR, account="acme", at=1.0)], default=Mode.BLOCK)
    written = exchange.orders.everything("pbx1", NOON, modes, ["acme", "globex"])
    assert [a.account for a in written if isinstance(a, SetBrake)] == ["globex"]


# --- callers that nobody registered


def strangers(exchange: Exchange, some: range, at: float) -> None:
    for nth in some:
        exchange.orders.decided(exchange.decision(at, f"a{nth}"))


def test_of_very_many_strangers_some_have_orders_and_any_more_ask_about_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posts, "MOST_STRANGERS", 8)
    exchange = Exchange(rule_seat("attempts", 1000), rule_seat("concurrent_calls", 5))
    strangers(exchange, range(30), NOON)
    assert len(exchange.orders.callers()) == 8
    written = exchange.orders.round("pbx1", NOON, BLOCKING)
    assert {order.account for order in written} == {f"a{nth}" for nth in range(8)}
    assert not exchange.orders.leased("pbx1", "a20", NOON)
    assert exchange.orders.called("pbx1", "a20", NOON) == []


def test_strangers_that_went_silent_make_room_and_leave_nothing_on_the_switch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posts, "MOST_STRANGERS", 8)
    exchange = Exchange(rule_seat("attempts", 1000), rule_seat("concurrent_calls", 5))
    strangers(exchange, range(8), NOON)
    exchange.orders.round("pbx1", NOON, BLOCKING)
    later = NOON + 300
    strangers(exchange, range(1), later)                # this one is still there
    left = exchange.orders.round("pbx1", later, BLOCKING)
    brakes = [order for order in left if isinstance(order, SetBrake)]
    gone = [order.account for order in brakes if not (order.max_calls or order.max_cps)]
    assert sorted(gone) == ["a1", "a2", "a3"]           # a quarter of the room is free again
    strangers(exchange, range(10, 20), later)
    assert len(exchange.orders.callers()) == 8


def test_registered_accounts_have_orders_however_many_strangers_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posts, "MOST_STRANGERS", 8)
    exchange = Exchange(rule_seat("attempts", 1000))
    strangers(exchange, range(30), NOON)
    monkeypatch.setattr(exchange, "account", lambda name: Account(name, f"{name}-co", AccountType.PBX))
    exchange.orders._account = exchange.account
    for nth in range(30):
        exchange.orders.decided(exchange.decision(NOON, f"r{nth}"))
    assert len(exchange.orders.callers()) == 38
