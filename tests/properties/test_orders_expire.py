"""Whatever happened, everything that is written on a switch says when it ends, and never ends later than it
may: nobody is blessed or blocked for ever by an enforcer that does not come back."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.account import Account, Standing
from enforcer.domain.actions import Action, GrantLease, RememberWord, SetBrake, WithdrawLease
from enforcer.domain.call import CallAttempt, Direction, NumberClass
from enforcer.domain.decide import decide
from enforcer.domain.decision import OnFailure, Verdict
from enforcer.domain.measure import Measure
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.policy import Seat
from enforcer.domain.rules import KINDS, RuleSpec, Step
from enforcer.domain.usage import Tally
from enforcer.orders import STANDING_WORD, LeaseTerms, Orders

NOON = 1_795_000_000.0
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["asked", "called", "round", "everything", "mode", "standing", "again"]),
        st.sampled_from(["acme", "apex"]), st.floats(0, 3 * 86_400), st.integers(0, 4),
    ),
    min_size=1, max_size=30,
)
RULES = st.lists(
    st.tuples(st.sampled_from(["attempts", "concurrent_calls", "cps"]), st.integers(1, 200),
              st.sampled_from(list(OnFailure)), st.sampled_from(list(Verdict))),
    min_size=1, max_size=3, unique_by=lambda one: one[0],
)  # fmt: skip
TERMS = st.builds(
    LeaseTerms, st.integers(0, 3600), st.integers(1, 100), st.just(5), st.integers(10, 900),
    st.integers(1000, 86_400),
)


def _seat(kind: str, at: int, fails: OnFailure, verdict: Verdict) -> Seat:
    cls = KINDS[kind]
    spec = RuleSpec(kind, kind, "1", cls.measured(Measure()), Step(Fraction(at), verdict), on_failure=fails)
    return Seat(cls(spec), Tally())


def _ends(action: Action, at: float, terms: LeaseTerms) -> float | None:
    """How many seconds it may still hold, None for what takes something away."""
    match action:
        case GrantLease(until=until):
            assert until <= at + terms.seconds
        case RememberWord(word=word, until=until):
            lasting = terms.brake_seconds if word == STANDING_WORD else terms.word_seconds
            assert until <= at + lasting
        case SetBrake(until=until):
            assert until <= at + terms.brake_seconds
        case WithdrawLease():
            return None
        case _:
            raise AssertionError(f"{action} says nothing of its end")
    return until - at


@given(RULES, TERMS, STEPS)
def test_every_order_ends_and_in_time(
    rules: list[tuple[str, int, OnFailure, Verdict]], terms: LeaseTerms,
    steps: list[tuple[str, str, float, int]],
) -> None:
    seats = [_seat(*rule) for rule in rules]
    standing = dict.fromkeys(("acme", "apex"), Standing.ACTIVE)

    def account_of(account: str) -> Account:
        return Account(account, account, standing=standing[account])

    def seats_of(account: str, at: float) -> Sequence[Seat]:
        return seats

    def stopped() -> list[str]:
        return [name for name, one in standing.items() if one is not Standing.ACTIVE]

    orders, modes, at = Orders(terms, seats_of, account_of), Modes(default=Mode.BLOCK), NOON
    for number, (what, account, pause, choice) in enumerate(steps):
        at += pause
        actions: list[Action] = []
        match what:
            case "asked":
                attempt = CallAttempt(str(number), "pbx1", account, Direction.OUTBOUND, "5551234", "", at)
                about = account_of(account)
                orders.decided(decide(attempt, NumberClass.ORDINARY, about, seats, modes, "d-1"))
            case "called":
                actions = orders.called("pbx1", account, at)
            case "round":
                actions = orders.round("pbx1", at, modes)
            case "everything":
                actions = orders.everything("pbx1", at, modes, list(standing))
            case "mode":
                modes.put(ModeSetting(Mode(choice), ceiling=bool(choice % 2), at=at))
                orders.look_again(stopped())
            case "standing":
                standing[account] = list(Standing)[choice % 3]
                orders.look_again(stopped())
            case "again":
                orders.look_again(stopped())
        for action in actions:
            left = _ends(action, at, terms)
            assert left is None or left > -1, "what is written has not ended yet"
