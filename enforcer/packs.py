"""Policy packs: one AUP as one TOML file, and the rules that its clauses come to.

In: pack files, and the SIP codes that the switches can send. Out: a `Policy`, or BadInput that
names file, line and key; and `describe`, a rule in plain English.
Refuses to know: which switch, whose calls, and how a rule of each kind judges.

Numbers are exact: 0.1 in a pack is one tenth.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StringConstraints

from enforcer.domain.account import AccountType
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.charge import Charge, On, Per
from enforcer.domain.decision import OnFailure, Verdict
from enforcer.domain.policy import Pack, Policy
from enforcer.domain.rules import KINDS, Pace, Rule, RuleSpec, Step
from enforcer.domain.settle import EXCESS_OF
from enforcer.domain.usage import Measure, Scope
from enforcer.errors import BadInput
from enforcer.toml_lines import Document, Place, read
from enforcer.toml_models import Table, Wrong, meant, one_of, validated

RESERVED = ("standing",)        # what people decide about an account speaks under this name
SHORT_CALL = Decimal(6)         # seconds; IP2Call, Answer to Seizure Ratio
MAX_HOLD = Decimal(2)           # seconds; callers hear nothing meanwhile and give up soon after

# What a kind's levels are, whether they are whole numbers, and whether THROTTLE needs a pace of its own.
_WHOLE = ("attempts", "concurrent_calls")
_PACED = ("asr", "attempts", "minutes")
_POSITIVE = ("asr", "cps")


def _exact(value: Any) -> Any:
    """A TOML number as it was written: int or Decimal, finite. True is no number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def _amount(value: Any) -> Any:
    """Money in quotes, as people write it who do not trust a number with it: "0.005"."""
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", value):
            raise Wrong('must be an exact amount, such as "0.005"')
        return Decimal(value)
    return value


Number = Annotated[Decimal, BeforeValidator(_exact), Field(strict=True, ge=0, le=10**12, allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# A rule's id is a tag on the switch, a name on the command line and a label of metrics.
RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
VerdictWord = Literal["allow", "tag", "throttle", "block"]


class StepTable(Table):
    """`warning` and `critical`: where a level begins, and what it asks for."""

    at: Number
    verdict: VerdictWord = "tag"
    sip_code: StrictInt | None = None


class PaceTable(Table):
    """How THROTTLE lets calls through, and for how many seconds it may hold one."""

    calls_per_second: Number | None = None
    max_hold: Annotated[Number, Field(le=30)] = MAX_HOLD


class ChargeTable(Table):
    """What a breach costs when the cycle is settled, in the currency of the pack."""

    amount: Annotated[Number, BeforeValidator(_amount), Field(gt=0)]
    per: Per
    on: On = On.ALL


class RuleTable(Table):
    """One clause as a rule."""

    id: RuleId
    kind: Name
    clause: Name
    text: str = ""
    scope: Scope = Scope.ACCOUNT
    directions: Annotated[frozenset[Direction], Field(min_length=1)] = frozenset({Direction.OUTBOUND})
    short_call_seconds: Number = SHORT_CALL
    short_is: Literal["<", "<="] = "<"
    only: frozenset[NumberClass] = frozenset()
    without: frozenset[NumberClass] = frozenset()
    without_inbound: frozenset[NumberClass] = frozenset()
    warning: StepTable | None = None
    critical: StepTable
    on_failure: OnFailure = OnFailure.OPEN
    pace: PaceTable | None = None
    min_attempts: Annotated[StrictInt, Field(ge=0)] = 0
    hang_up: StrictBool = False
    types: frozenset[AccountType] = frozenset()
    plans: frozenset[Name] = frozenset()
    customers: frozenset[Name] = frozenset()
    accounts: frozenset[Name] = frozenset()
    charge: ChargeTable | None = None


class PackTable(Table):
    """Whose rules these are, and since when."""

    name: RuleId
    revision: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
    effective: datetime.date | None = None
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    source: str = ""
    contact: str = ""


class PackFile(Table):
    """A whole pack."""

    pack: PackTable
    rules: tuple[RuleTable, ...] = Field(default=(), alias="rule")


def load(paths: Iterable[Path], sip_codes: Collection[int]) -> Policy:
    """The policy that these packs make together, in their order.

    `sip_codes` are those that every switch can answer a refused call with. Raises BadInput.
    """
    packs: dict[str, tuple[Pack, str]] = {}
    rules: dict[str, tuple[Rule, str]] = {}
    for path in paths:
        document = read(path)
        told = validated(document, PackFile)
        head = told.pack
        effective = head.effective.isoformat() if head.effective else ""
        pack = Pack(head.name, head.revision, head.currency, effective, head.source, head.contact)
        place = document.where(("pack", "name"))
        if pack.name in packs:
            raise BadInput(place, f"a pack of the name {pack.name!r} is at {packs[pack.name][1]} already")
        packs[pack.name] = pack, place
        for index, table in enumerate(told.rules):
            place = document.where(("rule", index, "id"))
            if table.id in rules:
                raise BadInput(place, f"a rule of the id {table.id!r} is at {rules[table.id][1]} already")
            rules[table.id] = _rule(_Page(document, index), table, pack, sip_codes), place
    return Policy((rule for rule, _ in rules.values()), (pack for pack, _ in packs.values()))


class _Page:
    """Where one rule stands, to say what is wrong with it."""

    def __init__(self, document: Document, index: int) -> None:
        self._document = document
        self._place: Place = ("rule", index)

    def wrong(self, key: str, problem: str) -> BadInput:
        """The error about one (dotted) key of this rule."""
        place = (*self._place, *key.split("."))
        return BadInput(self._document.where(place), f"rule.{key}: {problem}")


def _rule(page: _Page, table: RuleTable, pack: Pack, sip_codes: Collection[int]) -> Rule:
    """The rule that a table states. Raises BadInput where its parts do not go together."""
    if table.id in RESERVED:
        raise page.wrong("id", f"{table.id!r} is the name of what people decide about an account")
    kind = KINDS.get(table.kind)
    if kind is None:
        raise page.wrong("kind", f"no such kind: {table.kind!r} ({one_of(KINDS)}){meant(table.kind, KINDS)}")
    _check_numbers(page, table)
    _check_levels(page, table, sip_codes)
    _check_options(page, table)
    _check_settlement(page, table)
    milliseconds = table.short_call_seconds * 1000
    if milliseconds != int(milliseconds):
        raise page.wrong("short_call_seconds", "must be in whole milliseconds")
    measure = Measure(
        table.scope, directions=table.directions, short_msec=int(milliseconds),
        short_includes_equal=table.short_is == "<=", only=table.only, without=table.without,
        without_inbound=table.without_inbound,
    )
    charge = table.charge
    return kind(RuleSpec(
        id=table.id, kind=table.kind, clause=table.clause, measure=kind.measured(measure),
        critical=_step(table.critical, kind), warning=_step(table.warning, kind) if table.warning else None,
        text=table.text, policy=pack.label, on_failure=table.on_failure, pace=_pace(table.pace),
        min_attempts=table.min_attempts, hang_up=table.hang_up, types=table.types, plans=table.plans,
        customers=table.customers, accounts=table.accounts,
        charge=Charge(charge.amount, charge.per, charge.on, pack.currency) if charge else None,
    ))


def _check_numbers(page: _Page, table: RuleTable) -> None:
    """Which calls are counted; no rule may be about emergency calls."""
    if NumberClass.EMERGENCY in table.only:
        raise page.wrong("only", "no rule can touch emergency calls: they are exempt from all")
    both = table.only & table.without
    if both:
        raise page.wrong("without", f"{one_of(sorted(both))} cannot be in 'only' and in 'without'")
    if table.without_inbound and Direction.INBOUND not in table.directions:
        raise page.wrong("without_inbound", "has no meaning: inbound is not among the directions")


def _check_levels(page: _Page, table: RuleTable, sip_codes: Collection[int]) -> None:
    for key, step in (("warning", table.warning), ("critical", table.critical)):
        if step is None:
            continue
        if table.kind in _WHOLE and step.at != int(step.at):
            raise page.wrong(f"{key}.at", f"must be a whole number of {KINDS[table.kind].unit}")
        if table.kind in _POSITIVE and step.at <= 0:
            raise page.wrong(f"{key}.at", "must be more than 0")
        if step.sip_code is not None and step.verdict != "block":
            raise page.wrong(f"{key}.sip_code", f"has no meaning with verdict {step.verdict!r}")
        if step.sip_code is not None and step.sip_code not in sip_codes:
            known = one_of(sorted(sip_codes))
            raise page.wrong(f"{key}.sip_code", f"the switch cannot send {step.sip_code} ({known})")
    warning, critical = table.warning, table.critical
    if warning is not None and warning.at >= critical.at:
        raise page.wrong("warning.at", f"{warning.at} must be less than critical.at, {critical.at}")
    if warning is not None and _verdict(warning) > _verdict(critical):
        raise page.wrong("warning.verdict", f"{warning.verdict!r} is severer than {critical.verdict!r} later")


def _check_options(page: _Page, table: RuleTable) -> None:
    """Options that mean nothing to this kind, and those that it needs."""
    throttles = "throttle" in (table.critical.verdict, table.warning.verdict if table.warning else "")
    rate = table.pace.calls_per_second if table.pace else None
    if table.pace is not None and not (throttles and table.kind != "concurrent_calls"):
        why = "a call over the limit is shed at once" if throttles else "no level of this rule throttles"
        raise page.wrong("pace", why)
    if rate is not None and table.kind == "cps":
        raise page.wrong("pace.calls_per_second", "the pace of this kind is its limit: critical.at")
    if throttles and table.kind in _PACED and not rate:
        key = "pace" if table.pace else "critical"
        raise page.wrong(key, "'throttle' needs a pace, such as pace = { calls_per_second = 1 }")
    if table.kind == "cps" and table.scope == "customer":
        raise page.wrong("scope", "the kind 'cps' holds each account to its rate, not a customer")
    if table.hang_up and table.kind != "minutes":
        raise page.wrong("hang_up", "only the kind 'minutes' is crossed by calls in progress")
    if table.hang_up and table.critical.verdict != "block":
        raise page.wrong("hang_up", "needs critical.verdict = 'block': a call that is ended is not slowed")
    if table.min_attempts and table.kind != "asr":
        raise page.wrong("min_attempts", "only the kind 'asr' judges a sample")
    if table.kind != "asr":
        for key in ("short_call_seconds", "short_is"):
            if key in table.model_fields_set:
                raise page.wrong(key, "only the kind 'asr' tells short calls from completed ones")


def _check_settlement(page: _Page, table: RuleTable) -> None:
    """What a rule asks for at the close of a cycle, and what one that speaks only then cannot ask for."""
    kind, charge = KINDS[table.kind], table.charge
    if charge is not None:
        if kind not in EXCESS_OF:
            raise page.wrong("charge", f"the kind {table.kind!r} is about a moment: a cycle settles nothing")
        if charge.on is On.EXCESS and charge.per is not EXCESS_OF[kind]:
            raise page.wrong("charge.per", f"the excess of this kind is counted by the {EXCESS_OF[kind]}")
    if not kind.settled_only:
        return
    if len(table.types) != 1:
        raise page.wrong("types", "an average is one of a single type, such as types = [\"pbx\"]")
    if "scope" in table.model_fields_set and table.scope is not Scope.CUSTOMER:
        raise page.wrong("scope", "an average is one of a customer")
    silent = "this kind is settled when a cycle is over, and judges no call"
    for key in ("warning", "on_failure"):
        if key in table.model_fields_set:
            raise page.wrong(key, f"has no meaning: {silent}")
    if "verdict" in table.critical.model_fields_set and table.critical.verdict != "allow":
        raise page.wrong("critical.verdict", f"has no meaning: {silent}")


def _verdict(step: StepTable) -> Verdict:
    return Verdict[step.verdict.upper()]


def _step(step: StepTable, kind: type[Rule]) -> Step:
    verdict = Verdict.ALLOW if kind.settled_only else _verdict(step)
    return Step(Fraction(step.at), verdict, 403 if step.sip_code is None else step.sip_code)


def _pace(pace: PaceTable | None) -> Pace:
    if pace is None:
        return Pace(max_hold=float(MAX_HOLD))
    if not pace.calls_per_second:
        return Pace(max_hold=float(pace.max_hold))
    return Pace.of_rate(Fraction(pace.calls_per_second), float(pace.max_hold))
