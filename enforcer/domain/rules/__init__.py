"""Rule kinds. A rule is one clause of a policy as arithmetic.

`base.py` says what every rule has; `KINDS` names the kinds as policy packs write them.
"""

from __future__ import annotations

from enforcer.domain.rules.acd import AverageDuration
from enforcer.domain.rules.asr import AnswerSeizureRatio
from enforcer.domain.rules.attempts import Attempts, Messages
from enforcer.domain.rules.average_minutes import AverageMinutes
from enforcer.domain.rules.base import Rule, RuleSpec, Step
from enforcer.domain.rules.concurrent_calls import ConcurrentCalls
from enforcer.domain.rules.cps import CallsPerSecond
from enforcer.domain.rules.diluted_average import DilutedAverage
from enforcer.domain.rules.fair_share import FairShare
from enforcer.domain.rules.minutes import Minutes
from enforcer.domain.rules.opt_out import OptedOut
from enforcer.domain.rules.pace import Pace
from enforcer.domain.rules.share import ClassShare, DurationCliff, FailedCalls, ShortCalls
from enforcer.domain.rules.strikes import RepeatInfringer
from enforcer.domain.rules.trails import (
    DistinctCallers,
    DistinctNumbers,
    Redials,
    SameNumber,
    SequentialNumbers,
)

KINDS: dict[str, type[Rule]] = {
    "asr": AnswerSeizureRatio,
    "attempts": Attempts,
    "average_duration": AverageDuration,
    "average_minutes": AverageMinutes,
    "class_share": ClassShare,
    "concurrent_calls": ConcurrentCalls,
    "cps": CallsPerSecond,
    "diluted_average": DilutedAverage,
    "distinct_callers": DistinctCallers,
    "distinct_numbers": DistinctNumbers,
    "duration_cliff": DurationCliff,
    "failed_calls": FailedCalls,
    "fair_share": FairShare,
    "messages": Messages,
    "minutes": Minutes,
    "opt_out": OptedOut,
    "redials": Redials,
    "same_number": SameNumber,
    "sequential_numbers": SequentialNumbers,
    "short_calls": ShortCalls,
    "strikes": RepeatInfringer,
}

__all__ = ["KINDS", "Pace", "Rule", "RuleSpec", "Step"]
