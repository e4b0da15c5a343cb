"""Whatever went on while nobody listened: what every account really used lies between what is counted and
what its gap allows."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.domain.call import CallEvent, Phase, Source, milliseconds
from enforcer.domain.gap import Ended, Gap, ended_unseen
from enforcer.domain.open_gaps import Gaps, room
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


Real = dict[str, list[int]]     # how long (ms) the calls of each account talked that nobody counts


@st.composite
def losses(draw: st.DrawFn) -> list[tuple[Gap, Real]]:
    """Gaps of one switch, one after the other, and what went on in each."""
    found: list[tuple[Gap, Real]] = []
    at = 0
    for _ in range(draw(st.integers(2, 25))):
        since, seconds = at + draw(st.integers(1, 3000)), draw(st.integers(1, 90))
        at = since + seconds
        calls = st.lists(st.integers(0, seconds * 1000), max_size=4)
        real = {account: draw(calls) for account in ACCOUNTS}
        began = sum(map(len, real.values()))
        unseen = draw(st.sampled_from((None, began, began + 3)))
        some = draw(st.sets(st.sampled_from(ACCOUNTS)))
        ended = {account: Ended(1, 0, draw(st.integers(1, 50_000))) for account in sorted(some)}
        found.append((
            Gap("pbx1", NOON + since, NOON + at, draw(st.sampled_from("ab")), unseen, ended,
                draw(st.sampled_from((0, 20)))), real,
        ))
    return found


@settings(max_examples=int(os.environ.get("ENFORCER_GAP_EXAMPLES", "30")))
@given(losses(), st.integers(2, 6), st.data())
def test_truth_lies_within_the_bounds_of_gaps_that_were_put_together(
    told: list[tuple[Gap, Real]], most: int, data: st.DataObject
) -> None:
    gaps, lost = Gaps(most), dict[str, tuple[Gap, Real]]()
    for gap, real in told:
        gaps.take(gap.opened(gap.until))
        lost[gap.id] = gap, real
        assert len(gaps.open()) <= most
        step = data.draw(st.sampled_from(("go on", "close", "close a part", "count a part")))
        part, inside = lost[data.draw(st.sampled_from(sorted(lost)))]
        if step == "close":
            some = data.draw(st.sampled_from(gaps.open()))
            gaps.take(some.closed("CDRs", NOON))
            lost = {name: one for name, one in lost.items() if not some.since <= one[0].since < some.until}
        elif step == "close a part":
            alone = part.id in {one.id for one in gaps.open()}
            gaps.take(part.closed("CDRs", NOON))
            if alone:
                del lost[part.id]
        elif step == "count a part":
            gaps.take(part.counted(sum(map(len, inside.values())), NOON))
        for account in ACCOUNTS:
            more = room(gaps.of(account), account)
            calls = [msec for _, real in lost.values() for msec in real[account]]
            msec = sum(calls) + sum(one.ended.get(account, Ended()).msec for one, _ in lost.values())
            assert more.attempts is None or len(calls) <= more.attempts
            assert more.answered is None or len(calls) <= more.answered
            assert more.msec is None or msec <= more.msec
        if not lost:
            break
