"""Windows, signals, notices, strikes and more: what each key comes to, and each wrong use as one line."""

from __future__ import annotations

from fractions import Fraction

import pytest

from enforcer.domain.account import Standing
from enforcer.domain.call import Direction, Medium, NumberClass
from enforcer.domain.cycle import Period
from enforcer.domain.measure import Calendar, Detail, Measure, Window
from enforcer.domain.notice import NoticeTerms
from enforcer.domain.rules import KINDS, Rule
from enforcer.errors import BadInput
from enforcer.packs import loads
from enforcer.toml_models import one_of
from enforcer.wire.answer import SIP_CODES

PACK = '[pack]\nname = "p"\nrevision = "1"\n'


def table(kind: str, *keys: str, critical: str = "{ at = 10 }") -> str:
    """A pack of one rule, whose keys from line 9 on are these."""
    rule = f'[[rule]]\nid = "r"\nkind = "{kind}"\nclause = "c"\ncritical = {critical}\n'
    return PACK + rule + "".join(f"{key}\n" for key in keys)


def built(kind: str, *keys: str, critical: str = "{ at = 10 }") -> Rule:
    return loads([("p.toml", table(kind, *keys, critical=critical))], SIP_CODES).rules[0]


def problem(text: str) -> str:
    with pytest.raises(BadInput) as caught:
        loads([("p.toml", text)], SIP_CODES)
    return str(caught.value)


# What the keys come to -----------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "measure"), [
    ('"cycle"', Measure()), ('"month"', Measure()), ("{}", Measure()),
    ('"day"', Measure(calendar=Calendar(Period.DAY))), ('"week"', Measure(calendar=Calendar(Period.WEEK))),
    ('"24h"', Measure(window=Window.ROLLING, seconds=86_400)),
    ('"1h30m"', Measure(window=Window.ROLLING, seconds=5400)),
    ("{ rolling = 90 }", Measure(window=Window.ROLLING, seconds=90)),
    ('{ rolling = "2h" }', Measure(window=Window.ROLLING, seconds=7200)),
    ("{ anchor = 15 }", Measure(calendar=Calendar(anchor=15))),
    ('{ timezone = "UTC" }', Measure(calendar=Calendar(timezone="UTC"))),
    ('{ period = "week", anchor = 7, timezone = "Europe/Berlin" }',
     Measure(calendar=Calendar(Period.WEEK, 7, "Europe/Berlin"))),
    ('{ period = "day", timezone = "UTC" }', Measure(calendar=Calendar(Period.DAY, 0, "UTC"))),
])
def test_a_window_is_a_cycle_a_calendar_or_a_rolling_span(window: str, measure: Measure) -> None:
    assert built("attempts", f"window = {window}").spec.measure == measure


@pytest.mark.parametrize(("kind", "key", "mediums"), [
    ("attempts", "", {Medium.CALL}), ("messages", "", {Medium.MESSAGE}),
    ("opt_out", "", set(Medium)), ("opt_out", 'counts = ["messages"]', {Medium.MESSAGE}),
    ("distinct_numbers", "", {Medium.CALL}),
    ("distinct_numbers", 'counts = ["calls", "messages"]', set(Medium)), ("cps", "", {Medium.CALL}),
    ("cps", 'counts = ["messages"]', {Medium.MESSAGE}),
])
def test_calls_are_counted_where_nothing_else_is_said(kind: str, key: str, mediums: set[Medium]) -> None:
    critical = "{ at = 10 }" if kind != "opt_out" else '{ at = 0, verdict = "block" }'
    assert built(kind, key, critical=critical).spec.measure.mediums == mediums


def test_every_new_key_arrives() -> None:
    share = built("class_share", 'classes = ["premium"]', "min_attempts = 5", "min_answered = 3",
                  'breached = ">="', 'routes = ["a", "b"]').spec
    assert share.measure.marked == {NumberClass.PREMIUM}
    assert (share.min_attempts, share.min_answered, share.exceeds) == (5, 3, False)
    assert share.measure.routes == {"a", "b"}
    assert built("asr", 'breached = ">"').spec.exceeds is True
    assert built("asr").spec.exceeds is None
    assert built("attempts", 'attempt = "leg"').spec.measure.per_leg
    assert built("short_calls", 'of = "attempts"').spec.of_attempts
    assert built("duration_cliff").spec.measure.near_msec == 3000
    assert built("duration_cliff", "near_seconds = 1.5").spec.measure.near_msec == 1500
    assert built("short_calls").spec.measure.near_msec == 0
    assert built("redials").spec.measure.redial_seconds == 60
    assert built("redials", "redial_seconds = 90").spec.measure.redial_seconds == 90
    assert built("same_number").spec.measure.redial_seconds == 0
    assert built("redials").spec.measure.details == {Detail.REDIALS}
    assert built("fair_share").spec.contended == Fraction(4, 5)
    assert built("fair_share", "contended = 0.55").spec.contended == Fraction(11, 20)
    strikes = built("strikes", "window = { cycles = 6 }", 'strikes = ["asr", "copyright"]',
                    'propose = "terminate"').spec
    assert (strikes.cycles, strikes.strikes, strikes.propose) == (
        6, {"asr", "copyright"}, Standing.TERMINATED,
    )
    assert built("strikes", 'window = "180d"').spec.measure.seconds == 180 * 86_400
    assert built("minutes", "strike = true", 'propose = "suspend"').spec.propose is Standing.SUSPENDED


@pytest.mark.parametrize(("key", "terms"), [
    ("", None), ('notice = "none"', None), ("notice = {}", NoticeTerms()),
    ('notice = { grace = "2d" }', NoticeTerms(2 * 86_400)),
    ('notice = { grace = 3600, holds = "30d" }', NoticeTerms(3600, 30 * 86_400)),
])
def test_a_notice_is_seven_days_of_grace_and_holds_for_ninety(key: str, terms: NoticeTerms | None) -> None:
    assert built("minutes", key).spec.notice == terms


def test_a_signal_has_from_its_rule_what_it_does_not_say() -> None:
    rule = built(
        "minutes", 'directions = ["inbound"]', 'window = "24h"', 'without = ["toll_free"]', 'routes = ["a"]',
        'scope = "customer"',
        'and = [{ kind = "attempts", at = 5 }, { kind = "short_calls", at = 15, window = "1h", '
        'directions = ["outbound"], short_is = "<=", min_answered = 7, breached = ">=" }]',
    )
    attempts, short = rule.spec.also
    measure = rule.spec.measure
    assert attempts.spec.measure == measure
    assert (attempts.spec.id, attempts.spec.critical.at) == ("r+attempts", 5)
    assert short.spec.measure.seconds == 3600
    assert short.spec.measure.directions == {Direction.OUTBOUND}
    assert short.spec.measure.scope is measure.scope
    assert short.spec.measure.short_includes_equal
    assert (short.spec.measure.without, short.spec.measure.routes) == (measure.without, measure.routes)
    assert (short.spec.min_answered, short.spec.exceeds) == (7, False)


# What is wrong -------------------------------------------------------------------------------------

SILENT = "this kind is settled when a cycle is over, and judges no call"
WINDOW = "is no window: cycle, day, week, or the length of a rolling one, such as 24h"
WHOLE_CYCLES = "is a matter of whole billing cycles: no other window is settled"
STRIKES_WINDOW = "rule.window: strikes are counted over cycles, { cycles = 6 }, or a span, \"180d\""
CLASSES = one_of(NumberClass)
TRAILS = "distinct_callers, distinct_numbers"
PREMIUM = 'classes = ["premium"]'


def only(kind: str, key: str, problem: str) -> tuple[str, int, str]:
    return table(kind, key), 9, f"rule.{key.partition(' ')[0]}: only {problem}"


def signal(text: str, problem: str, kind: str = "attempts") -> tuple[str, int, str]:
    return table(kind, f"and = [{{ {text} }}]"), 9, f"rule.and.{problem}"


WRONG = [
    # window
    (table("attempts", 'window = "fortnight"'), 9, f"rule.window: 'fortnight' {WINDOW}"),
    (table("attempts", 'window = ""'), 9, f"rule.window: '' {WINDOW}"),
    (table("attempts", 'window = "0s"'), 9, f"rule.window: '0s' {WINDOW}"),
    (table("attempts", "window = 3600"), 9, "rule.window must be a table"),
    (table("attempts", "window = { rolling = 0 }"), 9, "rule.window.rolling must be at least 1"),
    (table("attempts", 'window = { rolling = "soon" }'), 9,
     "rule.window.rolling: 'soon' is no span of time: numbers with s, m, h, d or w, such as 2h"),
    (table("attempts", 'window = { rolling = "1h", period = "day" }'), 9,
     "rule.window.rolling: a rolling window has neither period nor anchor nor zone"),
    (table("attempts", 'window = { rolling = "1h", timezone = "UTC" }'), 9,
     "rule.window.rolling: a rolling window has neither period nor anchor nor zone"),
    (table("attempts", 'window = { period = "weak" }'), 9,
     "rule.window.period must be month, week or day; did you mean 'week'?"),
    (table("attempts", "window = { anchor = 32 }"), 9, "rule.window.anchor must be at most 31"),
    (table("attempts", "window = { anchor = 0 }"), 9, "rule.window.anchor must be at least 1"),
    (table("attempts", 'window = { period = "week", anchor = 9 }'), 9,
     "rule.window.anchor: no week begins on day 9: 1 is Monday, 7 Sunday"),
    (table("attempts", 'window = { period = "day", anchor = 2 }'), 9,
     "rule.window.anchor: has no meaning: each day begins at midnight"),
    (table("attempts", 'window = { timezone = "Mars/Olympus" }'), 9,
     "rule.window.timezone: no such time zone: 'Mars/Olympus' (an IANA name such as Europe/Berlin)"),
    (table("attempts", "window = { cycle = 6 }"), 9,
     "unknown key 'rule.window.cycle'; did you mean 'cycles'?"),
    (table("attempts", "window = { cycles = 6 }"), 9,
     "rule.window.cycles: only the kind 'strikes' looks at several cycles"),
    *[(table(kind, 'window = "day"', critical='{ at = 1, verdict = "block" }'), 9,
       f"rule.window: only the kinds asr, attempts, average_duration, class_share, {TRAILS}, duration_cliff, "
       "failed_calls, messages, minutes, redials, same_number, sequential_numbers, short_calls and strikes "
       "have a window of their own choosing")
      for kind in ("concurrent_calls", "cps", "fair_share", "opt_out", "average_minutes")],
    # and
    (table("cps", 'and = [{ kind = "attempts", at = 5 }]'), 9,
     f"rule.and: only the kinds asr, attempts, average_duration, class_share, {TRAILS}, duration_cliff, "
     "failed_calls, messages, minutes, redials, same_number, sequential_numbers and short_calls go together "
     "with other signals"),
    (table("attempts", 'and = { kind = "attempts", at = 5 }'), 9,
     "[rule.and] must be written [[rule.and]]: there may be several"),
    signal('kind = "attemps", at = 5',
           f"kind: no such kind: 'attemps' ({one_of(KINDS)}); did you mean 'attempts'?"),
    signal('kind = "cps", at = 5', "kind: 'cps' cannot be one of several signals: it has no window"),
    signal('kind = "strikes", at = 5', "kind: 'strikes' cannot be one of several signals: it has no window"),
    (table("attempts", 'and = [{ kind = "minutes" }]'), 9, "key 'rule.and.at' is missing"),
    signal('kind = "minutes", at = -1', "at must be at least 0"),
    signal('kind = "distinct_numbers", at = 0.5', "at: must be a whole number of numbers"),
    signal('kind = "short_calls", at = 101', "at: is a percentage: at most 100"),
    signal('kind = "asr", at = 0', "at: must be more than 0"),
    signal('kind = "average_duration", at = 0', "at: must be more than 0"),
    (table("attempts", 'and = [{ kind = "minutes", at = 5, verdict = "tag" }]'), 9,
     "unknown key 'rule.and.verdict'"),
    signal('kind = "minutes", at = 5, min_attempts = 3',
           "min_attempts: only the kinds asr, class_share, failed_calls and short_calls judge a sample of "
           "attempts"),
    signal('kind = "minutes", at = 5, window = { cycles = 2 }',
           "window.cycles: only the kind 'strikes' looks at several cycles"),
    signal('kind = "class_share", at = 5',
           'classes: which numbers? such as classes = ["high_risk", "premium"]'),
    signal('kind = "class_share", at = 5, classes = ["emergency"]',
           "classes: no rule can touch emergency calls: they are exempt from all"),
    signal('kind = "attempts", at = 5, only = ["emergency"]',
           "only: no rule can touch emergency calls: they are exempt from all"),
    signal('kind = "attempts", at = 5, only = ["premium"], without = ["premium"]',
           "without: premium cannot be in 'only' and in 'without'"),
    (table("attempts", 'without = ["premium"]', 'and = [{ kind = "attempts", at = 5, only = ["premium"] }]'),
     10, "rule.and.without: premium cannot be in 'only' and in 'without'"),
    # counts
    (table("attempts", 'counts = ["messages"]'), 9,
     f"rule.counts: only the kinds cps, {TRAILS}, opt_out, redials, same_number, sequential_numbers and "
     "strikes are about messages as well as calls"),
    (table("cps", 'counts = ["faxes"]'), 9, "rule.counts must be calls or messages"),
    (table("cps", 'counts = "calls"'), 9, "rule.counts must be a list, in brackets"),
    # classes
    (table("class_share"), 4, 'rule.classes: which numbers? such as classes = ["high_risk", "premium"]'),
    (table("attempts", PREMIUM), 9,
     "rule.classes: only the kind 'class_share' is a share of calls to certain classes"),
    (table("class_share", 'classes = ["emergency"]'), 9,
     "rule.classes: no rule can touch emergency calls: they are exempt from all"),
    (table("class_share", 'classes = ["premuim"]'), 9,
     f"rule.classes must be {CLASSES}; did you mean 'premium'?"),
    (table("class_share", PREMIUM, 'without = ["premium"]'), 9,
     "rule.classes: the rule does not count calls to premium numbers"),
    (table("class_share", 'classes = ["premium", "toll_free"]', 'only = ["premium"]'), 9,
     "rule.classes: the rule does not count calls to toll_free numbers"),
    (table("class_share", PREMIUM, critical="{ at = 101 }"), 8,
     "rule.critical.at: is a percentage: at most 100"),
    # near_seconds, redial_seconds
    (table("short_calls", "near_seconds = 3"), 9,
     "rule.near_seconds: only the kind 'duration_cliff' looks at calls just above the cut-off"),
    (table("duration_cliff", "near_seconds = 0"), 9, "rule.near_seconds must be more than 0"),
    (table("duration_cliff", "near_seconds = 3601"), 9, "rule.near_seconds must be at most 3600"),
    (table("duration_cliff", "near_seconds = 0.0001"), 9, "rule.near_seconds: must be in whole milliseconds"),
    (table("same_number", "redial_seconds = 60"), 9,
     "rule.redial_seconds: only the kind 'redials' looks at calls that follow one another"),
    (table("redials", "redial_seconds = 0"), 9, "rule.redial_seconds must be more than 0"),
    (table("redials", "redial_seconds = 86401"), 9, "rule.redial_seconds must be at most 86400"),
    (table("redials", "redial_seconds = 0.5"), 9, "rule.redial_seconds: must be a whole number of seconds"),
    (table("redials", 'redial_seconds = "60s"'), 9, "rule.redial_seconds must be a number"),
    # notice
    (table("minutes", 'notice = "soon"'), 9,
     'rule.notice: must be "none" or a table, such as { grace = "7d" }'),
    (table("minutes", "notice = true"), 9, "rule.notice must be a table"),
    (table("minutes", 'notice = { grace = "0d" }'), 9,
     "rule.notice.grace: '0d' is no span of time: numbers with s, m, h, d or w, such as 2h"),
    (table("minutes", "notice = { grace = 0 }"), 9, "rule.notice.grace must be at least 1"),
    (table("minutes", 'notice = { grace = "7d", hold = "90d" }'), 9,
     "unknown key 'rule.notice.hold'; did you mean 'holds'?"),
    (table("cps", 'notice = { grace = "7d" }'), 9,
     f"rule.notice: only the kinds asr, attempts, average_duration, average_minutes, class_share, "
     f"diluted_average, {TRAILS}, duration_cliff, failed_calls, messages, minutes, redials, same_number, "
     "sequential_numbers, short_calls and strikes last long enough for a notice"),
    # strike, strikes
    (table("cps", "strike = true"), 9,
     "rule.strike: only the kinds asr, attempts, average_minutes, class_share, duration_cliff, failed_calls, "
     "messages, minutes and short_calls are settled when a cycle is over"),
    (table("diluted_average", "strike = true"), 9,
     "rule.strike: only the kinds asr, attempts, average_minutes, class_share, duration_cliff, failed_calls, "
     "messages, minutes and short_calls are settled when a cycle is over"),
    (table("minutes", 'strike = "yes"'), 9, "rule.strike must be true or false"),
    (table("minutes", 'window = "day"', "strike = true"), 10, f"rule.strike: {WHOLE_CYCLES}"),
    (table("minutes", "window = { anchor = 1 }", 'charge = { amount = "1", per = "minute" }'), 10,
     f"rule.charge: {WHOLE_CYCLES}"),
    (table("minutes", 'and = [{ kind = "attempts", at = 5, window = "1h" }]', "strike = true"), 10,
     f"rule.strike: {WHOLE_CYCLES}"),
    only("minutes", 'strikes = ["asr"]', "the kind 'strikes' counts strikes"),
    (table("strikes", 'strikes = "copyright"', 'window = "180d"'), 9,
     "rule.strikes must be a list, in brackets"),
    (table("strikes"), 4, STRIKES_WINDOW),
    (table("strikes", 'window = "day"'), 9, STRIKES_WINDOW),
    (table("strikes", 'window = { cycles = 2, rolling = "1d" }'), 9, STRIKES_WINDOW),
    (table("strikes", 'window = { cycles = 2, timezone = "UTC" }'), 9, STRIKES_WINDOW),
    (table("strikes", "window = { cycles = 0 }"), 9, "rule.window.cycles must be at least 1"),
    (table("strikes", "window = { cycles = 61 }"), 9, "rule.window.cycles must be at most 60"),
    (table("strikes", 'window = "180d"', critical="{ at = 0 }"), 8, "rule.critical.at: must be more than 0"),
    (table("strikes", 'window = "180d"', critical="{ at = 1.5 }"), 8,
     "rule.critical.at: must be a whole number of strikes"),
    # propose, contended, routes, attempt, of, breached, min_answered
    (table("strikes", 'window = "180d"', 'propose = "delete"'), 10,
     "rule.propose must be suspend or terminate"),
    only("cps", "contended = 0.5", "the kind 'fair_share' shares a switch"),
    (table("fair_share", "contended = 0"), 9, "rule.contended must be more than 0"),
    (table("fair_share", "contended = 1.01"), 9, "rule.contended must be at most 1"),
    (table("fair_share", 'contended = "80 %"'), 9, "rule.contended must be a number"),
    (table("fair_share", 'scope = "customer"'), 9,
     "rule.scope: the kind 'fair_share' holds each account to its share, not a customer"),
    (table("attempts", 'routes = "carrier"'), 9, "rule.routes must be a list, in brackets"),
    (table("attempts", 'routes = [""]'), 9, "rule.routes, item 1, must not be empty"),
    (table("attempts", "routes = [7]"), 9, "rule.routes, item 1, must be a string, in quotes"),
    only("minutes", 'attempt = "leg"',
         "the kinds asr, attempts and failed_calls count legs as well as calls"),
    (table("attempts", 'attempt = "legs"'), 9, "rule.attempt must be call or leg; did you mean 'leg'?"),
    only("failed_calls", 'of = "attempts"',
         "the kind 'short_calls' is a share of one thing or of another"),
    (table("short_calls", 'of = "all"'), 9, "rule.of must be answered or attempts"),
    only("attempts", 'breached = ">"',
         "the kinds asr, class_share, duration_cliff, failed_calls and short_calls are breached by the limit "
         "itself or by more than it, as you like"),
    (table("asr", 'breached = "="'), 9, "rule.breached must be > or >=; did you mean '>='?"),
    only("asr", "min_answered = 5",
         "the kinds average_duration, class_share, duration_cliff, failed_calls and short_calls judge a "
         "sample of answered calls"),
    (table("short_calls", "min_answered = -1"), 9, "rule.min_answered must be at least 0"),
    (table("short_calls", "min_answered = 5.5"), 9, "rule.min_answered must be a whole number"),
    (table("duration_cliff", "min_attempts = 5"), 9,
     "rule.min_attempts: only the kinds asr, class_share, failed_calls and short_calls judge a sample of "
     "attempts"),
    # levels of the new kinds
    (table("average_duration", "warning = { at = 10 }"), 9,
     "rule.warning.at: 10 must be more than critical.at, 10: the shorter calls are, the worse"),
    (table("opt_out", "warning = { at = 0 }", critical='{ at = 1, verdict = "block" }'), 9,
     "rule.warning: has no meaning: one opt-out is as good as many"),
    (table("opt_out", critical='{ at = 0, verdict = "throttle" }'), 8,
     "rule.critical.verdict: nobody wants a call that comes late: 'block' or 'tag'"),
    (table("messages", critical="{ at = 0.5 }"), 8, "rule.critical.at: must be a whole number of messages"),
    (table("messages", 'charge = { amount = "1", per = "attempt" }'), 9,
     "rule.charge.per: messages are charged for by the message, and nothing else is"),
    (table("minutes", 'charge = { amount = "1", per = "message" }'), 9,
     "rule.charge.per: messages are charged for by the message, and nothing else is"),
    (table("diluted_average", 'types = ["pbx"]', 'charge = { amount = "1", per = "minute" }'), 10,
     "rule.charge: an indicator costs nothing: charge for the average itself"),
    (table("diluted_average", 'types = ["pbx"]', 'on_failure = "closed"'), 10,
     f"rule.on_failure: has no meaning: {SILENT}"),
]


@pytest.mark.parametrize(("text", "line", "words"), WRONG)
def test_what_is_wrong_is_one_line_with_file_line_and_key(text: str, line: int, words: str) -> None:
    assert problem(text) == f"p.toml:{line}: {words}"


@pytest.mark.parametrize(("kind", "key"), [
    ("failed_calls", 'attempt = "leg"'), ("short_calls", 'of = "attempts"'), ("asr", 'breached = ">"'),
    ("average_duration", "min_answered = 5"), ("redials", 'counts = ["calls", "messages"]'),
    ("minutes", 'window = { period = "week", anchor = 7 }'), ("minutes", "strike = true"),
    ("minutes", 'window = "month"\nstrike = true'),
    ("asr", 'and = [{ kind = "minutes", at = 5 }]\nstrike = true'),
    ("minutes", 'directions = ["inbound"]\n'
     'and = [{ kind = "attempts", at = 1, without_inbound = ["premium"] }]'),
    ("average_minutes", 'types = ["pbx"]\nnotice = {}\nwarning = { at = 5 }'),
])
def test_what_goes_together_is_taken(kind: str, key: str) -> None:
    assert built(kind, key).spec.kind == kind
