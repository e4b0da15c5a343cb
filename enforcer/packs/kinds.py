"""Which keys of a pack mean something to which kind of rule.

In: nothing; these tables are read by `checks`. A new kind of rule is a line or two here.
Refuses to know: what a key's value is.
"""

from __future__ import annotations

from enforcer.domain.rules import KINDS

TRAILS = frozenset({
    "distinct_callers", "distinct_numbers", "redials", "same_number", "sequential_numbers",
})
SHARES = frozenset({"class_share", "duration_cliff", "failed_calls", "short_calls"})
AVERAGES = frozenset({"average_minutes", "diluted_average"})
# About a moment: they have no window, and nothing waits for a notice about what is over at once.
MOMENTS = frozenset({"concurrent_calls", "cps", "fair_share", "opt_out"})
WHOLE = frozenset({"attempts", "concurrent_calls", "messages", "strikes"}) | TRAILS
POSITIVE = frozenset({"asr", "average_duration", "cps", "fair_share", "strikes"})
# THROTTLE lets their calls through one after the other, at a pace that the pack has to give.
PACED = (
    frozenset({"asr", "attempts", "average_duration", "messages", "minutes", "strikes"}) | SHARES | TRAILS
)
SHEDDING = frozenset({"concurrent_calls", "fair_share"})
# What cannot be one of several signals: it judges a moment, a number, or nothing that is counted.
NO_SIGNAL = MOMENTS | AVERAGES | {"strikes"}

# For each key that not every kind has: the kinds that do, and what they do that the others do not.
_TELL = "tell short calls from completed ones"
ONLY_FOR: dict[str, tuple[frozenset[str], str]] = {
    "short_call_seconds": (frozenset({"asr", "short_calls", "duration_cliff"}), _TELL),
    "short_is": (frozenset({"asr", "short_calls", "duration_cliff"}), _TELL),
    "min_attempts": (frozenset({"asr"}) | (SHARES - {"duration_cliff"}), "judge a sample of attempts"),
    "min_answered": (SHARES | {"average_duration"}, "judge a sample of answered calls"),
    "breached": (SHARES | {"asr"}, "are breached by the limit itself or by more than it, as you like"),
    "of": (frozenset({"short_calls"}), "is a share of one thing or of another"),
    "classes": (frozenset({"class_share"}), "is a share of calls to certain classes"),
    "near_seconds": (frozenset({"duration_cliff"}), "looks at calls just above the cut-off"),
    "redial_seconds": (frozenset({"redials"}), "looks at calls that follow one another"),
    "strikes": (frozenset({"strikes"}), "counts strikes"),
    "contended": (frozenset({"fair_share"}), "shares a switch"),
    "attempt": (frozenset({"asr", "attempts", "failed_calls"}), "count legs as well as calls"),
    "counts": (TRAILS | {"cps", "opt_out", "strikes"}, "are about messages as well as calls"),
    "window": (frozenset(KINDS) - MOMENTS - AVERAGES, "have a window of their own choosing"),
    "and": (frozenset(KINDS) - MOMENTS - AVERAGES - {"strikes"}, "go together with other signals"),
    "notice": (frozenset(KINDS) - MOMENTS, "last long enough for a notice"),
    "strike": (
        frozenset(kind for kind, rule in KINDS.items() if rule.charged_by is not None),
        "are settled when a cycle is over",
    ),
}


def kinds_in_words(kinds: frozenset[str]) -> str:
    """Kinds as part of a sentence: "the kind 'of'", or "the kinds asr and cps"."""
    *most, last = sorted(kinds)
    return f"the kinds {', '.join(most)} and {last}" if most else f"the kind {last!r}"
