"""Any order and any repeat of the steps in the life of a notice: it never goes back to being untold."""

from __future__ import annotations

from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.domain.decision import Level
from enforcer.domain.journal import JournalEntry
from enforcer.domain.notice import (
    About,
    Audience,
    Notice,
    Stage,
    after,
    created,
    notice_id,
    step,
)
from enforcer.domain.registers import Registers
from tests.support.rules import NOON

ID = notice_id(Audience.CUSTOMER, About.LEVEL, "big", "acme", "calls", Level.CRITICAL, "2026-11")
NOTICE = Notice(
    ID, Audience.CUSTOMER, About.LEVEL, "big", "acme", "calls", Level.CRITICAL, "2026-11", NOON, 100.0,
    1000.0, then="suspended", facts={"text": "told"},
)
# How far each stage is: none is ever left for one below. Those that still have to be delivered are one.
REACH = {
    Stage.CREATED: 0, Stage.SENT: 0, Stage.FAILED: 0, Stage.DELIVERED: 1, Stage.ACKNOWLEDGED: 2,
    Stage.CLOSED: 3,
}
steps = st.builds(
    lambda stage, at: step(NOTICE, stage, NOON + at, problem="busy", by="anna")
    if stage is not Stage.CREATED else created(NOTICE),
    st.sampled_from(list(Stage)), st.integers(0, 1000),
)


@given(st.lists(steps, max_size=30))
@example([step(NOTICE, Stage.DELIVERED, NOON), step(NOTICE, Stage.SENT, NOON + 1)])
@example([step(NOTICE, Stage.ACKNOWLEDGED, NOON), step(NOTICE, Stage.FAILED, NOON + 1, problem="late")])
def test_a_step_takes_nothing_back(entries: list[JournalEntry]) -> None:
    notice: Notice | None = NOTICE
    for entry in entries:
        assert notice is not None
        before, notice = notice, after(notice, entry)
        assert notice is not None
        assert REACH[notice.stage] >= REACH[before.stage]
        assert before.pending or not notice.pending
        assert before.announces or not notice.announces
        assert notice.acts_from <= before.acts_from         # the grace is never made longer
        assert notice.tries >= before.tries
        assert notice.told_at is None or notice.problem == ""
        assert (notice.facts, notice.at, notice.then) == (NOTICE.facts, NOTICE.at, NOTICE.then)


@given(st.lists(steps, max_size=12), st.randoms(use_true_random=False))
def test_what_was_told_and_when_does_not_depend_on_the_order(
    entries: list[JournalEntry], random: Random
) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)

    def outcome(some: list[JournalEntry]) -> tuple[object, ...]:
        notice: Notice | None = NOTICE
        for entry in some:
            notice = after(notice, entry)
        assert notice is not None
        reached = notice.stage if not notice.pending else "pending"
        return reached, notice.told_at, notice.acts_from, notice.tries, notice.closed_at

    assert outcome(entries) == outcome(shuffled)


@given(st.lists(steps, max_size=20))
def test_what_is_pending_and_announced_is_found_without_looking_at_all(entries: list[JournalEntry]) -> None:
    registers = Registers()
    registers.fold([created(NOTICE), *entries])
    notices = registers.notices
    assert notices.pending() == [n for n in notices.all() if n.pending]
    assert notices.announcing() == [n for n in notices.all() if n.announces]
    gate = notices.gate("calls", "big", "acme")
    (notice,) = notices.all()
    for at in (NOON, NOON + 100, NOON + 1000, NOON + 3000):
        assert gate.open(at) == (notice.acts_from <= at < notice.acts_until)


def test_a_step_in_the_life_of_a_notice_nobody_knows_is_nothing() -> None:
    assert after(None, step(NOTICE, Stage.DELIVERED, NOON)) is None
