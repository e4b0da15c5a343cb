"""The sentences of a notice: which stretch of time was counted, what happens next, and when.

In: a level that was reached. Out: text, with times in the subject's zone.
Refuses to know: to whom it is said, templates, and the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from enforcer.domain.account import Account
from enforcer.domain.cycle import Span
from enforcer.domain.decision import Level, Verdict
from enforcer.domain.measure import Scope, Window
from enforcer.domain.mode import Mode
from enforcer.domain.notice import About, Audience, Gate, notice_id
from enforcer.domain.policy import Pack
from enforcer.domain.rules import Rule, Step
from enforcer.spans import span_words
from enforcer.wording import begins, charged, effect, followed

MOST_OF_A_VALUE = 300       # characters
EMERGENCY = "Emergency calls always go through."


@dataclass(frozen=True, slots=True)
class Breach:
    """A level that was reached, or left again: by whom, in which cycle, and under which mode.

    `span` is the cycle of the rule, or the subject's billing cycle where the rule has none; `zone` is the
    subject's. `gate` is None for a rule that acts without notice.
    """

    rule: Rule
    account: Account
    level: Level
    value: str
    limit: str
    at: float
    span: Span
    zone: str
    mode: Mode
    gate: Gate | None = None
    pack: Pack | None = None

    @property
    def whose(self) -> str:
        """The account that it is about; "" for the customer as a whole."""
        return self.account.id if self.rule.spec.measure.scope is Scope.ACCOUNT else ""

    @property
    def step(self) -> Step:
        """The step of the level."""
        spec = self.rule.spec
        return spec.warning if self.level is Level.WARNING and spec.warning is not None else spec.critical

    def id(self, audience: Audience, about: About) -> str:
        """The name of a notice about it."""
        return notice_id(
            audience, about, self.account.customer, self.whose, self.rule.spec.id, self.level, self.span.label
        )


def clean(text: str, most: int = MOST_OF_A_VALUE) -> str:
    """Text on one line, without what cannot be printed: no header of a mail can be made of it.

    >>> clean("acme" + chr(13) + chr(10) + "Bcc: all@example.com")
    'acme Bcc: all@example.com'
    """
    one = " ".join(text.split())
    one = one if one.isprintable() else "".join(c if c.isprintable() else "?" for c in one)
    return one if len(one) <= most else f"{one[: most - 3]}..."


def local_time(at: float, zone: str) -> str:
    """An instant as people in that zone read it, to the minute."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")


def subject_of(account: str, customer: str) -> str:
    return f"account {account}" if account else f"customer {customer}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def window_of(breach: Breach) -> str:
    """The stretch of time that was counted, with its edges in local time."""
    measure, zone, at = breach.rule.spec.measure, breach.zone, breach.at
    when = local_time(at, zone)
    if measure.window is Window.CYCLE:
        span = breach.span
        edges = f"from {local_time(span.start, zone)} to {local_time(span.end, zone)}"
        return f"Counted {edges} ({span.label}), as of {when}."
    if measure.window is Window.ROLLING:
        return f"Counted over {span_words(measure.seconds)} up to {when}."
    return f"As of {when}."


def next_of(breach: Breach, audience: Audience) -> str:
    """What happens next, and when: one line for each thing."""
    rule, spec, step = breach.rule, breach.rule.spec, breach.step
    lines = []
    if step.verdict <= Verdict.TAG:
        lines.append("For now calls go through as before.")
    else:
        lines.append(capital(_acts(breach, step, audience)))
    if breach.level is Level.WARNING and spec.critical.verdict > Verdict.TAG:
        lines.append(f"{capital(begins(rule, spec.critical))}, {_acts(breach, spec.critical, audience)}")
    elif breach.level is Level.WARNING:
        lines.append(f"The limit is passed {begins(rule, spec.critical)}.")
    if spec.hang_up and spec.critical.verdict is Verdict.BLOCK:
        lines.append("Calls in progress are ended then as well.")
    if spec.notice is not None and spec.charge is not None and audience is Audience.CUSTOMER:
        grace = span_words(spec.notice.grace)
        lines.append(f"You have {grace} to change your use before anything is charged.")
    lines += [sentence.strip() for sentence in (charged(spec), followed(spec)) if sentence]
    if audience is Audience.CUSTOMER:
        lines.append(EMERGENCY)
    elif breach.mode < Mode.BLOCK and max(step.verdict, spec.critical.verdict) > Verdict.TAG:
        lines.append(f"Mode {breach.mode.word} goes before that: no verdict goes further than it allows.")
    return "\n".join(lines)


def _acts(breach: Breach, step: Step, audience: Audience) -> str:
    """What a level does, from when on."""
    does = effect(breach.rule, step)
    terms, gate = breach.rule.spec.notice, breach.gate
    if terms is None or (gate is not None and gate.open(breach.at)):
        before = "" if terms is None else ", for notice of it was given before"
        return f"{does}, from now on{before}."
    opens = gate.opens(breach.at) if gate is not None else None
    if opens is not None:
        since = "when the time of grace of an earlier notice ends"
        return f"{does}, no earlier than {local_time(opens, breach.zone)}, {since}."
    earliest = local_time(breach.at + terms.grace, breach.zone)
    told = "this notice has reached you" if audience is Audience.CUSTOMER else "the customer was told"
    return f"{does}, no earlier than {earliest}, {span_words(terms.grace)} after {told}."
