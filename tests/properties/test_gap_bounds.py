"""Whatever went on while nobody listened: what every account really used lies between what is counted and
what its gap allows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.call import CallEvent, Phase, Source, milliseconds
from enforcer.domain.gap import Gap, ended_unseen
from enforcer.ledger.memory import MemoryLedger
from tests.support.ledgers import POLICY, Call, Clock, classify, usage
from tests.support.rules import NOON

SINCE, UNTIL = 100, 160
ACCOUNTS = ("acme", "apex")


@st.composite
def calls(draw: st.DrawFn) -> tuple[Call, int | None, int]:
    """A call, when it was answered and when it ended (seconds after noon)."""
    start = draw(st.integers(0, 200))
    ring = draw(st.integers(0, 80))
    answer = start + ring if draw(st.booleans()) else None
    end = start + ring + (draw(st.integers(0, 150)) if answer is not None else 0)
    return Call(account=draw(st.sampled_from(ACCOUNTS)), start=NOON + start), answer, end


@given(st.lists(calls(), max_size=12))
def test_truth_lies_within_the_bounds(told: list[tuple[Call, int | None, int]]) -> None:
    clock = Clock(NOON + UNTIL)
    ledger = MemoryLedger(classify, clock)
    ledger.use(POLICY)
    endings: list[CallEvent] = []
    unseen = 0
    for number, (call, answer, end) in enumerate(told):
        call.name, start = str(number), round(call.start - NOON)
        call.answer = None if answer is None else NOON + answer
        if start > UNTIL:
            continue
        seen = start < SINCE
        gone = SINCE <= end <= UNTIL
        if not seen and gone:
            unseen += 1
            continue
        ledger.apply(call.started())            # heard, or listed when the link was back
        known = answer is not None and (answer < SINCE if gone else answer <= UNTIL)
        if known:
            ledger.apply(CallEvent(Phase.ANSWERED, call.attempt(), NOON + answer, answered_at=NOON + answer))  # type: ignore[operator]
        answered_at = NOON + answer if known and answer is not None else None
        if end < SINCE:
            ledger.apply(CallEvent(Phase.ENDED, call.attempt(), NOON + end, answered_at=answered_at))
        elif gone:
            ending = CallEvent(
                Phase.ENDED, call.attempt(), max(NOON + SINCE, answered_at or call.start),
                answered_at=answered_at, source=Source.INFERRED,
            )
            ledger.apply(ending)
            endings.append(ending)
    since, until = NOON + SINCE, NOON + UNTIL
    gap = Gap("pbx1", since, until, "lost", unseen, ended_unseen(endings, since, until))
    for account in ACCOUNTS:
        mine = [(a, e) for call, a, e in told if call.account == account and call.start <= until]
        over = [(a, e) for a, e in mine if a is not None and e <= UNTIL]
        truth = len(mine), len(over), sum(milliseconds(e - a) for a, e in over)
        counted = usage(ledger, account=account, at=until)
        low = counted.attempts, counted.completed + counted.short, counted.msec
        for least, real, more in zip(low, truth, gap.room(account), strict=True):
            assert more is not None
            assert least <= real <= least + more
        if truth != low:
            assert gap.concerns(account)
