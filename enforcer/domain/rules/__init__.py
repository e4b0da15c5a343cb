"""Rule kinds, one file each. A rule is one clause of a policy as arithmetic.

`base.py` says what every rule has; `KINDS` names the kinds as policy packs write them.
"""

from __future__ import annotations

from enforcer.domain.rules.asr import AnswerSeizureRatio
from enforcer.domain.rules.attempts import Attempts
from enforcer.domain.rules.average_minutes import AverageMinutes
from enforcer.domain.rules.base import Pace, Rule, RuleSpec, Step
from enforcer.domain.rules.concurrent_calls import ConcurrentCalls
from enforcer.domain.rules.cps import CallsPerSecond
from enforcer.domain.rules.minutes import Minutes

KINDS: dict[str, type[Rule]] = {
    "asr": AnswerSeizureRatio,
    "attempts": Attempts,
    "average_minutes": AverageMinutes,
    "concurrent_calls": ConcurrentCalls,
    "cps": CallsPerSecond,
    "minutes": Minutes,
}

__all__ = ["KINDS", "Pace", "Rule", "RuleSpec", "Step"]
