"""What a call adds as it begins: the one contribution that stands between a caller and the answer.

In: a record that tells of a beginning and of nothing else. Out: the same numbers that `contribute` gives.
Refuses to know: how calls go on, and how they end; `contribute` is the definition of both.
"""

from __future__ import annotations

from enforcer.domain.call import CallRecord
from enforcer.domain.measure import Measure
from enforcer.domain.usage import Detailed, Rolling, Tally


def only_begun(record: CallRecord) -> bool:
    """Whether the record tells of one seizure that still rings: no answer, no end, no refusal, no legs."""
    return (
        record.answered_at is None and record.ended_at is None and not record.refusal and not record.legs
    )


def begin(tally: Tally, record: CallRecord, measure: Measure) -> None:
    """Add a record that is `only_begun`, and that `measure` counts: one attempt more, which rings."""
    if tally.__class__ is not Tally:
        assert isinstance(tally, Detailed)
        if isinstance(tally, Rolling) and not _step(tally, record, measure):
            return
        if record.number_class in measure.marked:
            tally.marked += 1
        if tally.trail is not None:
            tally.trail.add(record)
    tally.attempts += 1
    tally.ringing += 1


def _step(tally: Rolling, record: CallRecord, measure: Measure) -> bool:
    """The same in the step that the call began in. False where the window has moved past it."""
    index = int(record.started_at // tally.step)
    if index <= tally.edge:
        return False
    if index < tally.first:
        tally.first = index
    if tally.steps is None:
        tally.steps = {}
    step = tally.steps.get(index)
    if step is None:
        step = tally.steps[index] = Detailed()
    if record.number_class in measure.marked:
        step.marked += 1
    step.attempts += 1
    step.ringing += 1
    if tally.trail is not None:
        if tally.calls is None:
            tally.calls = {}
        tally.calls.setdefault(index, []).append(record.call_id)
    return True
