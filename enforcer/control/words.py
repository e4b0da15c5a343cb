"""Facts in plain English: rules, spans of time, instants in local time.

In: values of `domain`, and text that a person typed. Out: text, or BadInput.
Refuses to know: terminals and files.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from enforcer.domain.account import AccountType
from enforcer.domain.charge import On, Per
from enforcer.domain.cycle import Span
from enforcer.domain.decision import OnFailure, Verdict
from enforcer.domain.measure import Scope
from enforcer.domain.rules import Rule, RuleSpec, Step
from enforcer.domain.rules.base import plain
from enforcer.errors import BadInput
from enforcer.spans import seconds_of
from enforcer.toml_models import one_of

_UNIT_WORDS = {
    Per.ATTEMPT: "attempt, completed or not", Per.CALL: "completed call", Per.MINUTE: "minute of the cycle",
}
_ON_FAILURE = {
    OnFailure.OPEN: "",
    OnFailure.CLOSED: " While nobody can be asked, calls are refused.",
    OnFailure.LAST_KNOWN: " While nobody can be asked, the last verdict stands.",
}


def describe(rule: Rule) -> str:
    """A rule as a sentence or two.

    For example: "Over the billing cycle of a customer, outbound calls: from 4 attempts per completed call
    on, calls are let through at 1 a second (held up to 2 s, then 503)."
    """
    spec = rule.spec
    if rule.settled_only:
        return _settled(rule) + _charged(spec)
    levels = [_level(rule, step) for step in (spec.warning, spec.critical) if step is not None]
    text = f"{_window(rule)} of {_whom(spec)}, {_calls(spec)}: {', and '.join(levels)}."
    if spec.kind == "asr":
        text += f" {_completed(spec)}"
        if spec.min_attempts:
            text += f" Nothing is judged below {spec.min_attempts} attempts."
    if spec.hang_up:
        text += " Calls in progress are ended when the limit is crossed."
    text += _charged(spec)
    return text + _ON_FAILURE[spec.on_failure]


def _settled(rule: Rule) -> str:
    spec = rule.spec
    (kind,) = spec.types
    unit = "channel" if kind is AccountType.TRUNK else "account"
    narrowed = f" {_narrowed(spec)}".rstrip()
    return (
        f"Over the billing cycle of a customer, {_calls(spec)} of all accounts{narrowed}: more than "
        f"{plain(spec.critical.at)} minutes on average for each {unit} is a breach. It is settled when the "
        "cycle is over; no call is touched."
    )


def _charged(spec: RuleSpec) -> str:
    charge = spec.charge
    if charge is None:
        return ""
    units = f"{charge.per} beyond the limit" if charge.on is On.EXCESS else _UNIT_WORDS[charge.per]
    return f" A cycle that closes in breach costs {charge.amount} {charge.currency} for each {units}."


def _window(rule: Rule) -> str:
    return {
        "concurrent_calls": "At any moment, over all calls",
        "cps": "In any second, over all calls",
    }.get(rule.spec.kind, "Over the billing cycle")


def _whom(spec: RuleSpec) -> str:
    whom = "a customer" if spec.measure.scope is Scope.CUSTOMER else "an account"
    narrowed = _narrowed(spec)
    if narrowed and spec.measure.scope is Scope.CUSTOMER:
        return f"{whom}, judging accounts {narrowed}"
    return f"{whom} {narrowed}".rstrip()


def _narrowed(spec: RuleSpec) -> str:
    parts = [
        ("of type", spec.types), ("on plan", spec.plans),
        ("belonging to", spec.customers), ("named", spec.accounts),
    ]  # fmt: skip
    return " and ".join(f"{words} {one_of(sorted(values))}" for words, values in parts if values)


def _calls(spec: RuleSpec) -> str:
    measure = spec.measure
    text = f"{' and '.join(sorted(measure.directions, reverse=True))} calls"
    if measure.only:
        text += f" to {_classes(measure.only)} numbers only"
    if measure.without:
        text += f" without those to {_classes(measure.without)} numbers"
    if measure.without_inbound:
        text += f" {'nor' if measure.without else 'without'} inbound ones to "
        text += f"{_classes(measure.without_inbound)} numbers"
    return text


def _classes(classes: Iterable[str]) -> str:
    return one_of(sorted(name.replace("_", " ") for name in classes))


def _completed(spec: RuleSpec) -> str:
    seconds = f"{spec.measure.short_msec / 1000:g} s"
    lasting = f"more than {seconds}" if spec.measure.short_includes_equal else f"at least {seconds}"
    return f"Completed calls were answered and lasted {lasting}."


def _level(rule: Rule, step: Step) -> str:
    at = plain(step.at)
    if rule.spec.kind == "asr":
        begins = f"from {at} attempts per completed call on"
    elif rule.spec.kind == "minutes":
        begins = f"once {at} minutes are used"
    else:
        unit = rule.unit.replace("s", "", 1) if step.at == 1 else rule.unit      # one call, one call/s
        begins = f"over {at} {unit}"
    return f"{begins}, {_effect(rule, step)}"


def _effect(rule: Rule, step: Step) -> str:
    pace = rule.spec.pace
    if step.verdict is Verdict.BLOCK:
        return f"calls are refused with {step.sip_code}"
    if step.verdict is Verdict.TAG:
        return "calls are tagged"
    if step.verdict is Verdict.ALLOW:
        return "it is reported"
    if rule.spec.kind == "concurrent_calls":
        return "calls are refused with 503"
    rate = f"{pace.calls / pace.seconds:g} a second"
    return f"calls are let through at {rate} (held up to {pace.max_hold:g} s, then refused with 503)"


def span_of(text: str) -> float:
    """Seconds in a span such as "90s", "2h" or "1d12h". Raises BadInput.

    >>> span_of("1h30m")
    5400.0
    """
    try:
        return float(seconds_of(text))
    except ValueError as problem:
        raise BadInput("--for", str(problem)) from None


def local(at: float, timezone: str) -> str:
    """An instant as people in that zone read it: "2026-11-22 14:10:00 EST"."""
    return datetime.fromtimestamp(at, ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S %Z")


def iso(at: float, timezone: str = "UTC") -> str:
    """An instant for programs: ISO 8601 with its offset, to the millisecond."""
    return datetime.fromtimestamp(at, ZoneInfo(timezone)).isoformat(timespec="milliseconds")


def cycle_words(span: Span, timezone: str) -> str:
    """A billing cycle with its edges in local time."""
    return f"cycle {span.label}, {local(span.start, timezone)} to {local(span.end, timezone)}"


def shown(text: str) -> str:
    """Text from a file or a switch, safe on a terminal: what is not printable is spelt out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


