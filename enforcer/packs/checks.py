"""What is wrong with a rule whose every key is right: keys that do not go together.

In: a rule's table, and where it stands. Out: nothing, or BadInput that names file, line and key.
Refuses to know: how a rule is built.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from enforcer.domain.call import UNTOUCHED, Direction
from enforcer.domain.charge import On, Per
from enforcer.domain.decision import Verdict
from enforcer.domain.measure import Scope
from enforcer.domain.rules import KINDS
from enforcer.errors import BadInput
from enforcer.packs.kinds import (
    AVERAGES,
    NO_SIGNAL,
    ONLY_FOR,
    PACED,
    POSITIVE,
    SHARES,
    SHEDDING,
    WHOLE,
    kinds_in_words,
)
from enforcer.packs.tables import CountedTable, RuleTable, SignalTable, StepTable, WindowTable
from enforcer.toml_lines import Document, Place
from enforcer.toml_models import meant, one_of

RESERVED = ("standing",)        # what people decide about an account speaks under this name


class Page:
    """Where one rule, or one of its signals, stands, to say what is wrong with it."""

    def __init__(self, document: Document, index: int, signal: int | None = None) -> None:
        self._document = document
        self._place: Place = ("rule", index) if signal is None else ("rule", index, "and", signal)

    def wrong(self, key: str, problem: str) -> BadInput:
        """The error about one (dotted) key of this rule."""
        place = (*self._place, *key.split("."))
        name = ".".join(part for part in self._place if isinstance(part, str))
        return BadInput(self._document.where(place), f"{name}.{key}: {problem}")


def check(page: Page, table: RuleTable, sip_codes: Collection[int]) -> None:
    """Raises BadInput for the first thing that does not go together in a rule."""
    if table.id in RESERVED:
        raise page.wrong("id", f"{table.id!r} is the name of what people decide about an account")
    check_kind(page, table.kind)
    check_numbers(page, table.kind, table)
    _check_levels(page, table, sip_codes)
    _check_meaning(page, table.kind, table)
    _check_throttle(page, table)
    _check_window(page, table.kind, table.window)
    _check_options(page, table)
    _check_settlement(page, table)


def check_signal(page: Page, table: SignalTable) -> None:
    """Raises BadInput for the first thing that does not go together in a signal."""
    kind = table.kind
    check_kind(page, kind)
    if kind in NO_SIGNAL:
        raise page.wrong("kind", f"{kind!r} cannot be one of several signals: it has no window")
    _check_at(page, kind, "at", table.at)
    _check_meaning(page, kind, table)
    _check_window(page, kind, table.window)


def check_kind(page: Page, kind: str) -> None:
    """Raises BadInput for a kind that there is not."""
    if kind not in KINDS:
        raise page.wrong("kind", f"no such kind: {kind!r} ({one_of(KINDS)}){meant(kind, KINDS)}")


def _check_meaning(page: Page, kind: str, table: CountedTable) -> None:
    """Keys that mean nothing to this kind."""
    for key, (kinds, why) in ONLY_FOR.items():
        name = "signals" if key == "and" else key
        if name in table.model_fields_set and kind not in kinds:
            raise page.wrong(key, f"only {kinds_in_words(kinds)} {why}")


def check_numbers(page: Page, kind: str, table: CountedTable) -> None:
    """Raises BadInput where no call could ever be counted; no rule may be about emergency calls."""
    for key in ("only", "classes"):
        if UNTOUCHED & getattr(table, key):
            raise page.wrong(key, "no rule can touch emergency calls: they are exempt from all")
    both = table.only & table.without
    if both:
        raise page.wrong("without", f"{one_of(sorted(both))} cannot be in 'only' and in 'without'")
    if table.without_inbound and Direction.INBOUND not in table.directions:
        raise page.wrong("without_inbound", "has no meaning: inbound is not among the directions")
    if kind != "class_share":
        return
    if not table.classes:
        raise page.wrong("classes", 'which numbers? such as classes = ["high_risk", "premium"]')
    uncounted = table.classes & table.without or (table.only and table.classes - table.only)
    if uncounted:
        raise page.wrong("classes", f"the rule does not count calls to {one_of(sorted(uncounted))} numbers")


def _check_levels(page: Page, table: RuleTable, sip_codes: Collection[int]) -> None:
    for key, step in (("warning", table.warning), ("critical", table.critical)):
        if step is None:
            continue
        _check_at(page, table.kind, f"{key}.at", step.at)
        if step.sip_code is not None and step.verdict != "block":
            raise page.wrong(f"{key}.sip_code", f"has no meaning with verdict {step.verdict!r}")
        if step.sip_code is not None and step.sip_code not in sip_codes:
            known = one_of(sorted(sip_codes))
            raise page.wrong(f"{key}.sip_code", f"the switch cannot send {step.sip_code} ({known})")
    warning, critical = table.warning, table.critical
    if warning is None:
        return
    if table.kind == "opt_out":
        raise page.wrong("warning", "has no meaning: one opt-out is as good as many")
    if table.kind == "average_duration":
        if warning.at <= critical.at:
            raise page.wrong("warning.at", f"{warning.at} must be more than critical.at, {critical.at}: "
                             "the shorter calls are, the worse")
    elif warning.at >= critical.at:
        raise page.wrong("warning.at", f"{warning.at} must be less than critical.at, {critical.at}")
    if verdict_of(warning) > verdict_of(critical):
        raise page.wrong("warning.verdict", f"{warning.verdict!r} is severer than {critical.verdict!r} later")


def _check_at(page: Page, kind: str, key: str, at: Decimal) -> None:
    """Where a level of this kind can begin."""
    if kind in WHOLE and at != int(at):
        raise page.wrong(key, f"must be a whole number of {KINDS[kind].unit}")
    if kind in POSITIVE and at <= 0:
        raise page.wrong(key, "must be more than 0")
    if kind in SHARES and at > 100:
        raise page.wrong(key, "is a percentage: at most 100")


def _check_throttle(page: Page, table: RuleTable) -> None:
    throttles = "throttle" in (table.critical.verdict, table.warning.verdict if table.warning else "")
    rate = table.pace.calls_per_second if table.pace else None
    if throttles and table.kind == "opt_out":
        raise page.wrong("critical.verdict", "nobody wants a call that comes late: 'block' or 'tag'")
    if table.pace is not None and not (throttles and table.kind not in SHEDDING):
        why = "a call over the limit is shed at once" if throttles else "no level of this rule throttles"
        raise page.wrong("pace", why)
    if rate is not None and table.kind == "cps":
        raise page.wrong("pace.calls_per_second", "the pace of this kind is its limit: critical.at")
    if throttles and table.kind in PACED and not rate:
        key = "pace" if table.pace else "critical"
        raise page.wrong(key, "'throttle' needs a pace, such as pace = { calls_per_second = 1 }")


def _check_window(page: Page, kind: str, window: WindowTable) -> None:
    said = window.model_fields_set
    if kind == "strikes":
        if len(said & {"rolling", "cycles"}) != 1 or said - {"rolling", "cycles"}:
            raise page.wrong("window", 'strikes are counted over cycles, { cycles = 6 }, or a span, "180d"')
        return
    if "cycles" in said:
        raise page.wrong("window.cycles", "only the kind 'strikes' looks at several cycles")
    if "rolling" in said and said != {"rolling"}:
        raise page.wrong("window.rolling", "a rolling window has neither period nor anchor nor zone")
    anchor = window.anchor
    if anchor is not None and window.period == "week" and anchor > 7:
        raise page.wrong("window.anchor", f"no week begins on day {anchor}: 1 is Monday, 7 Sunday")
    if anchor is not None and window.period == "day":
        raise page.wrong("window.anchor", "has no meaning: each day begins at midnight")


def _check_options(page: Page, table: RuleTable) -> None:
    """What some kinds need, and what some cannot have."""
    if table.kind in ("cps", "fair_share") and table.scope is Scope.CUSTOMER:
        what = "its rate" if table.kind == "cps" else "its share"
        raise page.wrong("scope", f"the kind {table.kind!r} holds each account to {what}, not a customer")
    if table.hang_up and table.kind != "minutes":
        raise page.wrong("hang_up", "only the kind 'minutes' is crossed by calls in progress")
    if table.hang_up and table.critical.verdict != "block":
        raise page.wrong("hang_up", "needs critical.verdict = 'block': a call that is ended is not slowed")


def _check_settlement(page: Page, table: RuleTable) -> None:
    """What a rule asks for at the close of a cycle, and what one that speaks only then cannot ask for."""
    kind, charge = KINDS[table.kind], table.charge
    window = table.window
    own = not window.model_fields_set - {"period"} and window.period == "month"
    if charge is not None:
        if table.kind == "diluted_average":
            raise page.wrong("charge", "an indicator costs nothing: charge for the average itself")
        if kind.charged_by is None:
            raise page.wrong("charge", f"the kind {table.kind!r} is about a moment: a cycle settles nothing")
        if (charge.per is Per.MESSAGE) != (table.kind == "messages"):
            raise page.wrong("charge.per", "messages are charged for by the message, and nothing else is")
        if charge.on is On.EXCESS and charge.per is not kind.charged_by:
            raise page.wrong("charge.per", f"the excess of this kind is counted by the {kind.charged_by}")
    for key, wanted in (("charge", charge is not None), ("strike", table.strike)):
        if wanted and not (own and all(_own(signal.window) for signal in table.signals)):
            raise page.wrong(key, "is a matter of whole billing cycles: no other window is settled")
    if table.kind not in AVERAGES:
        return
    if len(table.types) != 1:
        raise page.wrong("types", "an average is one of a single type, such as types = [\"pbx\"]")
    if "scope" in table.model_fields_set and table.scope is not Scope.CUSTOMER:
        raise page.wrong("scope", "an average is one of a customer")
    silent = "this kind is settled when a cycle is over, and judges no call"
    for key in ("warning", "on_failure"):
        if key in table.model_fields_set and not (key == "warning" and table.notice is not None):
            raise page.wrong(key, f"has no meaning: {silent}")
    if "verdict" in table.critical.model_fields_set and table.critical.verdict != "allow":
        raise page.wrong("critical.verdict", f"has no meaning: {silent}")


def _own(window: WindowTable) -> bool:
    return not window.model_fields_set - {"period"} and window.period == "month"


def verdict_of(step: StepTable) -> Verdict:
    """The verdict that a level asks for."""
    return Verdict[step.verdict.upper()]
