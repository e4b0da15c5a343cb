"""Rules in plain English, for whoever has to check one against the clause that it cites.

In: rules. Out: sentences. Refuses to know: accounts, numbers of the day, and where the text is shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from enforcer.domain.account import AccountType, Standing
from enforcer.domain.call import Medium
from enforcer.domain.charge import On, Per
from enforcer.domain.cycle import Period
from enforcer.domain.decision import OnFailure, Verdict
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.rules import Rule, RuleSpec, Step
from enforcer.domain.rules.base import plain
from enforcer.spans import span_words
from enforcer.toml_models import one_of

_UNIT_WORDS = {
    Per.ATTEMPT: "attempt, completed or not", Per.CALL: "completed call", Per.MINUTE: "minute of the cycle",
    Per.MESSAGE: "message of the cycle",
}  # fmt: skip
_ON_FAILURE = {
    OnFailure.OPEN: "",
    OnFailure.CLOSED: " While nobody can be asked, calls are refused.",
    OnFailure.LAST_KNOWN: " While nobody can be asked, the last verdict stands.",
}
_MOMENTS = ("concurrent_calls", "cps", "fair_share", "opt_out")
_PROPOSED = {Standing.SUSPENDED: "suspend", Standing.TERMINATED: "terminate"}


def describe(rule: Rule) -> str:
    """A rule as a few sentences.

    For example: "Over the billing cycle of a customer, outbound calls: from 4 attempts per completed call
    on, calls are let through at 1 a second (held up to 2 s, then 503)."
    """
    spec = rule.spec
    if rule.settled_only:
        return _settled(rule) + charged(spec) + followed(spec)
    levels = [_level(rule, step) for step in (spec.warning, spec.critical) if step is not None]
    text = f"{_window(rule)} of {_whom(spec)}, {_calls(spec)}: {', and '.join(levels)}."
    if spec.kind in ("asr", "short_calls", "duration_cliff"):
        text += f" {_completed(spec)}"
    if spec.min_attempts:
        text += f" Nothing is judged below {spec.min_attempts} attempts."
    if spec.min_answered:
        text += f" Nothing is judged below {spec.min_answered} answered calls."
    if spec.measure.per_leg:
        text += " Each leg that is dialled is an attempt."
    if spec.hang_up:
        text += " Calls in progress are ended when the limit is crossed."
    return text + charged(spec) + _noticed(spec) + followed(spec) + _ON_FAILURE[spec.on_failure]


def effect(rule: Rule, step: Step) -> str:
    """What a level does to calls, as part of a sentence."""
    pace, what = rule.spec.pace, _mediums(rule.spec.measure)
    if step.verdict is Verdict.BLOCK:
        return f"{what} are refused with {step.sip_code}"
    if step.verdict is Verdict.TAG:
        return f"{what} are tagged"
    if step.verdict is Verdict.ALLOW:
        return "it is reported"
    if rule.sheds:
        return f"{what} are refused with 503"
    rate = f"{pace.calls / pace.seconds:g} a second"
    return f"{what} are let through at {rate} (held up to {pace.max_hold:g} s, then refused with 503)"


def begins(rule: Rule, step: Step) -> str:
    """Where a level begins, as part of a sentence: "over 100 attempts"."""
    at, spec = plain(step.at), rule.spec
    more = f"more than {at}" if spec.exceeds is not False else f"{at} or more"
    share = f"more than {at} %" if spec.exceeds is not False else f"{at} % or more"
    match spec.kind:
        case "asr":
            return f"over {at} attempts per completed call" if spec.exceeds else (
                f"from {at} attempts per completed call on")
        case "short_calls":
            return f"once {share} of {'attempts' if spec.of_attempts else 'answered calls'} are short"
        case "failed_calls":
            return f"once {share} of attempts fail"
        case "class_share":
            return f"once {share} of attempts go to {_classes(spec.measure.marked)} numbers"
        case "duration_cliff":
            return f"once {share} of completed calls last less than {_seconds(_near(spec.measure))}"
        case "minutes":
            return f"once {at} minutes are used"
        case "average_duration":
            return f"once answered calls last less than {at} s on average"
        case "opt_out":
            return "to a number that opted out"
        case "strikes":
            kinds = f" for {one_of(sorted(spec.strikes))}" if spec.strikes else ""
            return f"from {at} strike{'' if step.at == 1 else 's'}{kinds} in {_strike_window(spec)} on"
        case "fair_share":
            return f"over {'the' if step.at == 1 else f'{at} times the'} fair share of its channels"
        case "redials":
            within = f"within {spec.measure.redial_seconds} s"
            return f"over {at} calls that follow one to the same number {within}"
        case "average_minutes" | "diluted_average":
            return f"{more} minutes on average"
    unit = rule.unit.replace("s", "", 1) if step.at == 1 else rule.unit      # one call, one call/s
    if spec.kind in ("distinct_numbers", "distinct_callers"):
        return f"over {at} different {unit}"
    return f"over {at} {unit}"


def _level(rule: Rule, step: Step) -> str:
    signals = [f"{begins(one, one.spec.critical)}{_other_window(rule, one)}" for one in rule.spec.also]
    also = f", where also {' and '.join(signals)}" if signals else ""
    return f"{begins(rule, step)}{also}, {effect(rule, step)}"


def _other_window(rule: Rule, signal: Rule) -> str:
    ours, theirs = _window(rule), _window(signal)
    return "" if ours == theirs else f" ({theirs[0].lower()}{theirs[1:]})"


def _settled(rule: Rule) -> str:
    spec = rule.spec
    (kind,) = spec.types
    unit = "channel" if kind is AccountType.TRUNK else "account"
    narrowed = f" {_narrowed(spec)}".rstrip()
    text = f"Over the billing cycle of a customer, {_calls(spec)} of all accounts{narrowed}: "
    if spec.kind == "diluted_average":
        return text + (
            f"more than {plain(spec.critical.at)} minutes on average for each {unit} in use, where the "
            "average over all of them is fine, is reported: those that use less than a twentieth of that are "
            "not in use."
        )
    return text + (
        f"more than {plain(spec.critical.at)} minutes on average for each {unit} is a breach. It is settled "
        "when the cycle is over; no call is touched."
    )


def charged(spec: RuleSpec) -> str:
    charge = spec.charge
    if charge is None:
        return ""
    units = f"{charge.per} beyond the limit" if charge.on is On.EXCESS else _UNIT_WORDS[charge.per]
    return f" A cycle that closes in breach costs {charge.amount} {charge.currency} for each {units}."


def _noticed(spec: RuleSpec) -> str:
    acts = max(step.verdict for step in (spec.warning, spec.critical) if step is not None) > Verdict.TAG
    if spec.notice is None:
        return " It acts without notice." if acts and spec.kind not in _MOMENTS else ""
    grace, holds = span_words(spec.notice.grace), span_words(spec.notice.holds)
    then = "it acts no earlier than" if acts or spec.charge is not None else "the customer has"
    return (f" The customer is told first: {then} {grace} after the notice was delivered, and for {holds} "
            "after that a further breach needs no new one.")


def followed(spec: RuleSpec) -> str:
    text = " A cycle that closes in breach is a strike." if spec.strike else ""
    if spec.propose is not None:
        text += f" At the limit people are asked whether to {_PROPOSED[spec.propose]} the account."
    return text


def _window(rule: Rule) -> str:
    spec = rule.spec
    match spec.kind:
        case "concurrent_calls":
            return "At any moment, over all calls"
        case "cps":
            return f"In any second, over all {_mediums(spec.measure)}"
        case "fair_share":
            return f"While more than {plain(spec.contended * 100)} % of a switch is in use, over all calls"
        case "opt_out" | "strikes":
            return f"At any time, over all {_mediums(spec.measure)}"
    measure = spec.measure
    if measure.window is Window.ROLLING:
        return f"Over the last {span_words(measure.seconds).removeprefix('1 ')}"
    zone = f" ({measure.calendar.timezone})" if measure.calendar.timezone else ""
    period = {Period.MONTH: "the billing cycle", Period.WEEK: "each week", Period.DAY: "each day"}
    anchor = measure.calendar.anchor
    if measure.calendar.period is Period.MONTH and (anchor or zone):
        return f"Over each month from day {anchor or 1} on{zone}"
    return f"Over {period[measure.calendar.period]}{zone}"


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
    text = f"{' and '.join(sorted(measure.directions, reverse=True))} {_mediums(measure)}"
    if measure.routes:
        text += f" by way of {one_of(sorted(measure.routes))}"
    if measure.only:
        text += f" to {_classes(measure.only)} numbers only"
    if measure.without:
        text += f" without those to {_classes(measure.without)} numbers"
    if measure.without_inbound:
        text += f" {'nor' if measure.without else 'without'} inbound ones to "
        text += f"{_classes(measure.without_inbound)} numbers"
    return text


def _mediums(measure: Measure) -> str:
    return {
        frozenset({Medium.CALL}): "calls", frozenset({Medium.MESSAGE}): "messages",
    }.get(measure.mediums, "calls and messages")


def _classes(classes: Iterable[str]) -> str:
    return one_of(sorted(name.replace("_", " ") for name in classes))


def _completed(spec: RuleSpec) -> str:
    lasting = "more than" if spec.measure.short_includes_equal else "at least"
    return f"Completed calls were answered and lasted {lasting} {_seconds(spec.measure.short_msec)}."


def _near(measure: Measure) -> int:
    return measure.short_msec + measure.near_msec


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g} s"


def _strike_window(spec: RuleSpec) -> str:
    if spec.cycles:
        return "one billing cycle" if spec.cycles == 1 else f"{spec.cycles} billing cycles"
    return span_words(spec.measure.seconds)
