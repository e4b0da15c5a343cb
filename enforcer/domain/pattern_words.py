"""In what words calls are alike: for each kind of rule that groups calls, the word that it groups them by.

In: a call record and the measure of its rule. Out: a word, or None where the rule looks for something else.
Refuses to know: how many calls there are, and what they are held against.
"""

from __future__ import annotations

from collections.abc import Callable

from enforcer.domain.call import CallRecord, Source
from enforcer.domain.measure import Measure

Word = Callable[[CallRecord, Measure], str | None]

# ITU-T Q.850: the causes that calls commonly end with before anybody answers.
_CAUSES = {
    1: "unallocated number", 3: "no route", 16: "given up by the caller", 17: "busy", 18: "nobody responded",
    19: "no answer", 20: "subscriber absent", 21: "rejected", 27: "destination out of order",
    28: "number incomplete", 34: "no circuit", 38: "network out of order", 41: "temporary failure",
    42: "congestion", 127: "unspecified",
}  # fmt: skip


def number_of(record: CallRecord) -> str:
    """The number that was dialled, as trails have it."""
    return record.number.lstrip("+") or "no number"


def _dialled(record: CallRecord, measure: Measure) -> str | None:
    return number_of(record)


def _marked(record: CallRecord, measure: Measure) -> str | None:
    kind = record.number_class
    return f"{number_of(record)} ({kind.value.replace('_', ' ')})" if kind in measure.marked else None


def _caller(record: CallRecord, measure: Measure) -> str | None:
    return record.caller.lstrip("+") or "no caller number"


def _unanswered(record: CallRecord, measure: Measure) -> str | None:
    if record.ended_at is None or record.answered_at is not None or record.billmsec > 0:
        return None
    cause = record.hangup_cause
    if cause is None:
        return "not answered"
    return f"not answered, cause {cause}{f' ({_CAUSES[cause]})' if cause in _CAUSES else ''}"


def _answered(record: CallRecord) -> bool:
    """Answered and over, and somebody saw the end."""
    return record.ended_at is not None and record.ended_by is not Source.INFERRED and (
        record.answered_at is not None or record.billmsec > 0
    )


def _short(record: CallRecord, measure: Measure) -> str | None:
    if not _answered(record) or not measure.short(record.billmsec):
        return None
    return f"answered for {record.billmsec // 1000} s"


def _near(record: CallRecord, measure: Measure) -> str | None:
    msec = record.billmsec
    if not _answered(record) or measure.short(msec) or msec >= measure.short_msec + measure.near_msec:
        return None
    return f"answered for {msec // 1000} s"


def _not_completed(record: CallRecord, measure: Measure) -> str | None:
    return _unanswered(record, measure) or _short(record, measure)


def _length(record: CallRecord, measure: Measure) -> str | None:
    if not _answered(record):
        return None
    seconds = record.billmsec // 1000
    words = ((10, "under 10 s"), (60, "10 to 59 s"), (600, "1 to 10 minutes"))
    return next((word for below, word in words if seconds < below), "10 minutes or longer")


# The heading of the groups, of one and of several, and the word.
_NUMBERS = "different number", "different numbers"
GROUPED: dict[str, tuple[tuple[str, str], Word]] = {
    "asr": (("way not to be completed", "ways not to be completed"), _not_completed),
    "attempts": (_NUMBERS, _dialled),
    "average_duration": (("length", "lengths"), _length),
    "class_share": (("such number", "such numbers"), _marked),
    "distinct_callers": (("different caller", "different callers"), _caller),
    "distinct_numbers": (_NUMBERS, _dialled),
    "duration_cliff": (("length just above the cut-off", "lengths just above the cut-off"), _near),
    "failed_calls": (("way to fail", "ways to fail"), _unanswered),
    "messages": (_NUMBERS, _dialled),
    "same_number": (_NUMBERS, _dialled),
    "short_calls": (("length of short calls", "lengths of short calls"), _short),
}
